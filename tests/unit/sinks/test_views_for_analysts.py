"""Views for analysts say what adding the rows up in plain Python says; named queries read one tenant's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import output_blocks
import pytest

from schemas.rejection import Reason
from sinks.clickhouse.named import NAMED, UnableToName, bound
from sinks.clickhouse.store import Store

STEPS = 60_000
"""Base steps of a minute, the unit of the blocks' usage."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Usage of two tenants over two days, some of it taken back, some of it metered; nothing here changes it."""
    opened = Store.open(tmp_path_factory.mktemp("views") / "store")
    opened.migrate()
    opened.write_names(output_blocks.names())
    for number, tenant in enumerate(("acme", "other")):
        ledger, first = output_blocks.Ledger(seed=8, tenant=tenant), 10 * number
        opened.write_movements(ledger.credits(first + 1), tenant=tenant)
        day = output_blocks.DAY_US
        blocks = [ledger.block(first + 2 + index, 0, 60, at=output_blocks.START_US + index * day) for index in range(2)]
        blocks[1].edrs.span_s[:] = 1800
        wholly = replace(ledger, balances={}).block(
            first + 4, 0, 20, refused=0, unrated=0, at=output_blocks.START_US + day
        )
        opened.write([*blocks, wholly, output_blocks.reversal(wholly, first + 5)])
    at = f"fromUnixTimestamp64Micro({output_blocks.START_US}, 'UTC')"
    opened._writer.execute(  # account-1 draws from a wallet of account-0
        "INSERT INTO octroi.fact_usage (tenant, account, event_at, claim, record, wallet, amount, day) "
        f"VALUES (0, 1, {at}, 9, 1, 0, 5, toDate({at}))"
    )
    yield opened
    opened.close()


def _rows(store: Store, sql: str) -> list[dict[str, Any]]:
    return store.query(sql).to_pylist()


def test_usage_and_revenue_by_day_are_those_of_the_items(store: Store) -> None:
    items = _rows(store, "SELECT * FROM rated_item")
    usage: dict[Any, list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    streams: dict[Any, list[Any]] = defaultdict(lambda: [0, Decimal(0), set()])
    for item in items:
        standing = -1 if item["status"] == "reversal" else 1
        day = item["event_at"].date()
        found = usage[item["tenant"], item["account"], item["subscription"], item["charge"], day]
        found[0] += standing
        found[1] += Decimal(item["quantity_steps"])
        found[2] += item["amount"]
        stream = streams[item["tenant"], item["charge"], day]
        stream[0] += standing
        stream[1] += item["amount"]
        stream[2].add(item["account"])
    told = {
        (row["tenant"], row["account"], row["subscription"], row["charge"], row["event_day"]): row
        for row in _rows(store, "SELECT * FROM usage_by_day")
    }
    assert told.keys() == usage.keys()
    for key, (count, steps, amount) in usage.items():
        row = told[key]
        assert (row["items"], row["amount"]) == (count, amount)
        assert abs(row["quantity"] * STEPS - steps) < Decimal("0.000001")
    streamed = _rows(store, "SELECT * FROM revenue_stream")
    assert {
        (row["tenant"], row["charge"], row["event_day"]): [row["items"], row["amount"], row["accounts"]]
        for row in streamed
    } == {key: [count, amount, len(accounts)] for key, (count, amount, accounts) in streams.items()}
    assert {row["offer"] for row in streamed} == {"basic"}


def test_a_load_curve_is_metered_usage_with_its_pace(store: Store) -> None:
    rows = _rows(store, "SELECT * FROM load_curve WHERE tenant = 'acme'")
    edrs = {
        (row["claim"], row["record"]): row
        for row in _rows(store, "SELECT * FROM edr WHERE tenant = 'acme' AND claim = 3")
    }
    assert {(row["claim"], row["record"]) for row in rows} == edrs.keys()
    for row in rows:
        assert row["length_s"] == 1800
        assert row["end_at"] == edrs[row["claim"], row["record"]]["event_end"]
        assert row["quantity"] == edrs[row["claim"], row["record"]]["quantity"]
        assert abs(row["per_hour"] - 2 * row["quantity"]) < Decimal("0.000001")


def test_the_funnel_and_the_pareto_count_refusals(store: Store) -> None:
    (first, second) = _rows(store, "SELECT * FROM rejection_funnel WHERE tenant = 'acme' ORDER BY day")
    assert (first["received"], first["accepted"], first["rejected"], first["unrated"]) == (64, 60, 3, 2)
    assert first["rated_share"] == Decimal("0.920634")  # 58 of 63 that are no duplicates
    assert second["rated"] == 58 + 20
    pareto = _rows(store, "SELECT * FROM rejection_pareto WHERE tenant = 'acme'")
    assert [(row["reason"], row["rejections"], row["open"]) for row in pareto] == [
        (Reason.INVALID_QUANTITY.name, 6, 6),
        (Reason.NO_MATCHING_CHARGE.name, 4, 4),
    ]
    assert [row["share"] for row in pareto] == [Decimal("0.6"), Decimal("0.4")]
    assert [row["cumulative_share"] for row in pareto] == [Decimal("0.6"), Decimal(1)]
    (refused,) = _rows(
        store, f"SELECT * FROM rejection WHERE concat(claim::String, '-', record::String) = '{pareto[0]['example']}'"
    )
    assert refused["reason"] == pareto[0]["reason"]


def test_the_history_of_a_wallet_is_that_of_its_operations(store: Store) -> None:
    moved: dict[Any, dict[Any, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
    for row in _rows(store, "SELECT * FROM wallet_operation"):
        moved[row["tenant"], row["wallet_id"]][row["day"]].append(row["amount"])
    history = _rows(store, "SELECT * FROM wallet_history ORDER BY tenant, wallet_id, day")
    expected = []
    for (tenant, wallet), days in sorted(moved.items()):
        held = Decimal(0)
        for day, amounts in sorted(days.items()):
            credits, debits = (sum((a for a in amounts if (a > 0) is up), Decimal(0)) for up in (True, False))
            expected.append((tenant, wallet, day, held, credits, debits, held + credits + debits, len(amounts)))
            held += credits + debits
    names = ("tenant", "wallet_id", "day", "opening", "credits", "debits", "closing", "operations")
    assert [tuple(row[name] for name in names) for row in history] == expected
    assert {row["account"] == f"account-{row['wallet_id'] // 2}" for row in history} == {True}  # whoever draws from it


def test_lineage_leads_from_the_file_to_the_operation(store: Store) -> None:
    rows = _rows(store, "SELECT * FROM lineage WHERE tenant = 'acme'")
    items = {row["id"]: row for row in _rows(store, "SELECT * FROM rated_item WHERE tenant = 'acme'")}
    operations = {row["id"]: row for row in _rows(store, "SELECT * FROM wallet_operation WHERE tenant = 'acme'")}
    edrs = {row["id"] for row in _rows(store, "SELECT id FROM edr WHERE tenant = 'acme'")}
    assert {row["item"] for row in rows} == items.keys()
    assert {row["edr"] for row in rows} <= edrs
    paid = [row for row in rows if row["operation"]]
    assert paid
    for row in paid:
        assert operations[row["operation"]]["amount"] == -row["amount"]
        assert operations[row["operation"]]["wallet"] == row["wallet"]
    assert {row["status"] for row in rows} == {"rated", "reversed", "reversal"}


# ---- named queries

GIVEN = {
    "from": "2026-09-01", "to": "2026-12-01", "account": "account-3", "access_point": "33612340003", "source": "calls",
    "item": "ri-2-1",
}  # fmt: skip
INSTANTS = {"from": "2026-09-01T00:00:00+02:00", "to": "2026-12-01T00:00:00Z"}


def _given(name: str) -> dict[str, str]:
    return {each.name: (INSTANTS if each.type == "instant" else GIVEN)[each.name] for each in NAMED[name].parameters}


@pytest.mark.parametrize("name", NAMED)
def test_a_named_query_reads_one_tenant(store: Store, name: str) -> None:
    found = {}
    for tenant in ("acme", "other", "nobody"):
        given = _given(name)
        if name == "lineage" and tenant == "other":
            given["item"] = "ri-12-1"
        found[tenant] = store.query(*bound(name, given, tenant=tenant)).to_pylist()
    assert found["acme"]
    assert found["other"]
    assert found["nobody"] == []
    assert "tenant" not in found["acme"][0]


def test_a_parameter_is_a_value_and_never_sql(store: Store) -> None:
    for odd in ("' OR 1 = 1 --", "a\\'b", "\\", "{tenant:String}", "ü\n\t", "'; DROP TABLE fact_usage"):
        given = _given("rated-items") | {"account": odd}
        assert store.query(*bound("rated-items", given, tenant="acme")).num_rows == 0
    assert store.query("SELECT count() AS n FROM fact_usage").to_pylist()[0]["n"] > 0


def test_one_row_more_than_the_limit_is_asked_for(store: Store) -> None:
    sql, values = bound("usage-by-day", _given("usage-by-day") | {"account": ""}, tenant="acme", limit=5)
    assert store.query(sql, values).num_rows == 6


@pytest.mark.parametrize(
    ("name", "given", "limit", "told"),
    [
        ("nothing", {}, 1, "there is no query 'nothing'; there are usage-by-day"),
        ("revenue", {"from": "2026-10-01"}, 1, "needs the parameter 'to'"),
        ("revenue", {"from": "2026-10-01", "to": "x", "sql": "SELECT 1"}, 1, "no parameter 'sql'; it takes from, to"),
        ("revenue", {"from": "yesterday", "to": "2026-10-01"}, 1, "from is no date: 'yesterday'"),
        ("rated-items", {"account": "a", "from": "2026-10-01T00:00:00", "to": "x"}, 1, "from needs a zone"),
        ("wallet-history", {"account": "a" * 257, "from": "2026-10-01", "to": "2026-10-02"}, 1, "longer than 256"),
        ("revenue", {"from": 5, "to": "2026-10-02"}, 1, "from is a text, not 5"),
        ("revenue", {}, 0, "1 to 100000 rows"),
        ("revenue", {}, 100_001, "1 to 100000 rows"),
    ],
)
def test_a_question_that_is_none_is_refused(name: str, given: dict[str, Any], limit: int, told: str) -> None:
    with pytest.raises(UnableToName, match=told):
        bound(name, given, tenant="acme", limit=limit)
