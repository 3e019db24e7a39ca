"""One usage, several rated items, from the file to the store and back: all of them, or none."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from cli_calls import BOB, CATALOG, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

ITEMS = (
    CATALOG.replace("quantity: {field: seconds}", "quantity: {field: seconds, negative: take_back}")
    .replace("offer, code: mobile, charges: [voice]", "offer, code: mobile, charges: [levy, bundle, voice]")
    .replace(
        "{kind: account, code: bob, currency: EUR}",
        'kind: account\ncode: bob\ncurrency: EUR\nwallets: [{code: gift, type: prepaid, opening_balance: "0.5"}, '
        '{code: card, type: prepaid, priority: 2, opening_balance: "0.9"}]',
    )
    + """---
{kind: counter, code: month, unit: s, ceiling: "100 s"}
---
kind: price_plan
code: bundle
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 s", price: "0.001", counter: month}]
---
kind: price_plan
code: levy
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 s", price: "0.002"}]
---
{kind: charge, code: levy, event_type: voice, price_plan: levy, priority: 1, then_next: true}
---
{kind: charge, code: bundle, event_type: voice, price_plan: bundle, priority: 2, when_used_up: next}
"""
)
"""0.2 cents a second for everything; beside it, 100 seconds a month at 0.1 cents and the rest at one cent a second."""
OCTOBER = ("--from", "2026-10-01", "--to", "2026-11-01")


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two calls of Ana, of which a part is taken back, and two of Bob, who cannot pay the second."""
    directory = tmp_path_factory.mktemp("items")
    data = write_catalog(directory / "data", ITEMS)
    first = write_calls(directory / "1.csv", call(1, 120, at="2026-10-05T12:00:00Z"), call(2, 110, BOB))
    octroi("ingest", first, "--source", "calls", "--data", data).ok()
    later = (
        call(3, -30, at="2026-10-07T12:00:00Z"),
        call(4, 20, at="2026-10-06T12:00:00Z"),
        call(5, 90, BOB, at="2026-10-08T12:00:00Z"),
    )
    octroi("ingest", write_calls(directory / "2.csv", *later), "--source", "calls", "--data", data).ok()
    return data


@pytest.fixture
def data(taken: Path, tmp_path: Path) -> Path:
    return shutil.copytree(taken, tmp_path / "data", symlinks=True)


def _items(
    data: Path, where: str = "status = 'rated'", order: str = "claim, record, branch, item"
) -> list[tuple[str, str, int, str]]:
    rows = query(
        data,
        f"SELECT id, charge, quantity_steps, toString(amount) AS amount FROM rated_item WHERE {where} ORDER BY {order}",
    )
    return [(row["id"], row["charge"], row["quantity_steps"] // 1000, f"{Decimal(row['amount']):f}") for row in rows]


def _money(data: Path) -> dict[str, Decimal]:
    rows = query(data, "SELECT account, wallet, toString(balance) AS balance FROM account_balance")
    return {f"{row['account']}/{row['wallet']}": Decimal(row["balance"]) for row in rows}


def test_each_item_is_stored_and_each_edr_counted_once(taken: Path) -> None:
    assert [(item, charge, quantity, Decimal(amount)) for item, charge, quantity, amount in _items(taken)] == [
        ("ri-2-0", "levy", 120, Decimal("0.24")),
        ("ri-2-0.1", "bundle", 100, Decimal("0.1")),
        ("ri-2-0.2", "voice", 20, Decimal("0.2")),
        ("ri-2-1", "levy", 110, Decimal("0.22")),
        ("ri-2-1.1", "bundle", 100, Decimal("0.1")),
        ("ri-2-1.2", "voice", 10, Decimal("0.1")),
        ("ri-3-0", "levy", -30, Decimal("-0.06")),
        ("ri-3-0.1", "bundle", -30, Decimal("-0.03")),
        ("ri-3-1", "levy", 20, Decimal("0.04")),
        ("ri-3-1.1", "bundle", 20, Decimal("0.02")),
    ]
    edrs = query(taken, "SELECT id, quantity_steps FROM edr ORDER BY claim, record")
    assert [(row["id"], row["quantity_steps"] // 1000) for row in edrs] == [
        ("edr-2-0", 120),
        ("edr-2-1", 110),
        ("edr-3-0", -30),
        ("edr-3-1", 20),
    ]
    (sheet,) = query(taken, "SELECT sum(edrs) AS edrs, sum(rated) AS rated, sum(unrated) AS unrated FROM edr_sheet")
    assert (sheet["edrs"], sheet["rated"], sheet["unrated"]) == (5, 4, 1)
    (unrated,) = query(taken, "SELECT reason FROM rejection")
    assert unrated["reason"] == "INSUFFICIENT_BALANCE"
    assert _money(taken) == {"ana/principal": Decimal("-0.51"), "bob/gift": Decimal("0.08"), "bob/card": Decimal("0.9")}
    operations = query(
        taken, "SELECT id, kind, toString(amount) AS amount FROM wallet_operation WHERE claim = 3 ORDER BY record, item"
    )
    assert [(row["id"], row["kind"], Decimal(row["amount"])) for row in operations] == [
        ("wo-3-0-0", "usage", Decimal("0.06")),
        ("wo-3-0.1-0", "usage", Decimal("0.03")),
        ("wo-3-1-0", "usage", Decimal("-0.04")),
        ("wo-3-1.1-0", "usage", Decimal("-0.02")),
    ]
    balanced(taken)


def test_an_item_tells_what_the_charges_before_it_priced(taken: Path) -> None:
    told = octroi("explain", "ri-2-0.2", "--data", taken).ok().out
    assert "item 2 (from 0) of the 3 of usage of 120 s" in told
    assert "charge levy priced 120 s, and let the next charge price them once more" in told
    assert "charge bundle priced 100 s, all that was left for it; 20 s went to the next charge" in told
    assert "0.20" in told
    for item in ("ri-2-0", "ri-2-0.1", "ri-3-0", "ri-3-0.1", "ri-3-1.1"):
        assert octroi("explain", item, "--data", taken, "--json").ok().json["agrees"] is True


def test_a_file_that_is_backed_out_gives_all_items_back(data: Path) -> None:
    octroi("files", "back-out", "1.csv", "--reason", "wrong", "--data", data).ok()
    balanced(data)
    assert [item for item, *_ in _items(data)] == ["ri-3-0", "ri-3-0.1", "ri-3-1", "ri-3-1.1"]
    assert _money(data) == {"ana/principal": Decimal("0.03"), "bob/gift": Decimal("0.5"), "bob/card": Decimal("0.9")}
    taken_back = query(data, "SELECT item, counter FROM reversed_item ORDER BY item")
    assert [(row["item"], row["counter"]) for row in taken_back] == [
        ("ri-2-0", "none"),
        ("ri-2-0.1", "lowered"),
        ("ri-2-0.2", "none"),
        ("ri-2-1", "none"),
        ("ri-2-1.1", "lowered"),
        ("ri-2-1.2", "none"),
    ]
    # the counter of Ana stands 10 below nothing, so 110 seconds fit
    octroi("ingest", write_calls(data.parent / "3.csv", call(6, 111)), "--source", "calls", "--data", data).ok()
    assert [quantity for item, _, quantity, _ in _items(data, "claim = 5")] == [111, 110, 1]
    balanced(data)


def test_rating_again_replaces_all_items_of_an_edr(data: Path) -> None:
    same = octroi("rerate", *OCTOBER, "--reason", "order", "--data", data, "--json").ok().json
    # in the order of events the second call comes before usage is taken back, so that it finds nothing left
    assert (same["selected"], same["changed"], same["replaced"]) == (5, 1, 3)
    balanced(data)
    octroi("rerate", *OCTOBER, "--reason", "again", "--preview", "--data", data, "--json").ok()
    (data / "catalog" / "catalog.yaml").write_text(ITEMS.replace('ceiling: "100 s"', 'ceiling: "60 s"'))
    told = octroi("rerate", *OCTOBER, "--charge", "bundle", "--reason", "less", "--data", data, "--json").ok().json
    assert told["changed"] > 0
    balanced(data)
    ana = [item[1:3] for item in _items(data, "status = 'rated' AND account = 'ana'", "event_at, item")]
    assert ana == [
        ("levy", 120), ("bundle", 60), ("voice", 60), ("levy", 20), ("voice", 20), ("levy", -30), ("bundle", -30),
    ]  # fmt: skip
    again = octroi("rerate", *OCTOBER, "--reason", "nothing", "--preview", "--data", data, "--json").ok().json
    assert again["changed"] == 0
    dry = octroi("simulate", *OCTOBER, "--old", "current", "--new", "current", "--data", data, "--json").ok().json
    assert (dry["edrs"], [line["difference"] for line in dry["totals"]]) == (5, ["0.000000000"])


def test_unrated_usage_is_rated_whole_when_it_is_tried_again(data: Path) -> None:
    catalog = ITEMS.replace(
        '{code: card, type: prepaid, priority: 2, opening_balance: "0.9"}', "{code: bill, type: postpaid}"
    )
    (data / "catalog" / "catalog.yaml").write_text(catalog)
    octroi("rejects", "replay", "--all", "--data", data).ok()
    assert [item[1:3] for item in _items(data, "claim > 3")] == [("levy", 90), ("voice", 90)]
    balanced(data)
