"""Newer records take the place of earlier ones: what stands and what it costs is what the last statement says."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, BOB, CATALOG, STRANGER, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

from sinks.clickhouse.store import Store
from tests.integration.expected_samples import FOCUS_SAMPLE, write_sample_catalog

SUPERSEDE = CATALOG.replace("format: delimited\n", "format: delimited\non_same_key: supersede\n")
REVERSE = SUPERSEDE.replace("supersede", "reverse")
VERSIONED = SUPERSEDE.replace("  access_point: caller\n", "  access_point: caller\n  version: version\n")
NIGHT = "2025-12-31T23:00:00Z"
STANDS = "SELECT record, toInt64(quantity) AS seconds FROM rated_item WHERE status = 'rated' ORDER BY seconds"


def _take(data: Path, name: str, *lines: str) -> dict[str, Any]:
    file = write_calls(data.parent / name, *lines)
    report: dict[str, Any] = octroi("ingest", file, "--source", "calls", "--data", data, "--json").ok().json
    balanced(data)
    return report


def _stands(data: Path) -> list[int]:
    return [row["seconds"] for row in query(data, STANDS)]


def _owed(data: Path) -> dict[str, Decimal]:
    rows = query(data, "SELECT account, balance, latest_balance FROM account_balance")
    assert all(row["balance"] == row["latest_balance"] for row in rows)
    return {row["account"]: -Decimal(row["balance"]) for row in rows}


def _reasons(data: Path) -> dict[str, int]:
    rows = query(data, "SELECT concat(reason, ' ', status) AS told, count() AS n FROM rejection GROUP BY told")
    return {row["told"]: row["n"] for row in rows}


def test_the_last_statement_stands(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", SUPERSEDE)
    _take(data, "first.csv", call(1), call(2, 100), call(2, 120), call(3, 10))
    assert _stands(data) == [10, 60, 120]
    _take(data, "second.csv", call(1, 70), call(3, 10), call(3, 20), call(3, 11), call(4, 30, BOB))
    assert _stands(data) == [11, 30, 70, 120]
    assert _owed(data) == {"ana": Decimal("2.01"), "bob": Decimal("0.3")}
    assert _reasons(data) == {"SUPERSEDES_EARLIER REPLAYED": 4}
    sheet = balanced(data)["records"]
    assert sum(row["superseded"] for row in sheet) == 1
    # an owner may change, and a stranger takes nobody's place
    _take(data, "third.csv", call(4, 30, ANA), call(1, 99, STRANGER))
    assert _owed(data) == {"ana": Decimal("2.31"), "bob": Decimal(0)}
    assert _reasons(data)["UNKNOWN_ACCESS_POINT OPEN"] == 1
    # the same again is a duplicate, and a restart changes nothing
    assert _take(data, "fourth.csv", call(1, 70), call(2, 120), call(3, 11))["totals"]["duplicate"] == 3
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "state")
    octroi("run", data).ok()
    assert _stands(data) == [11, 30, 70, 120]
    assert _owed(data) == {"ana": Decimal("2.31"), "bob": Decimal(0)}


def _versions(data: Path, name: str, *rows: tuple[int, int, int]) -> dict[str, Any]:
    file = data.parent / name
    lines = [f"{identity},{ANA},2026-10-05T12:00:00Z,{seconds},{version}" for identity, seconds, version in rows]
    file.write_text("\n".join(["id,caller,at,seconds,version", *lines, ""]))
    report: dict[str, Any] = octroi("ingest", file, "--source", "calls", "--data", data, "--json").ok().json
    balanced(data)
    return report


def test_the_highest_version_stands_in_whatever_order_they_come(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", VERSIONED)
    _versions(data, "first.csv", (1, 10, 1), (1, 30, 3), (1, 20, 2), (2, 5, 9), (3, 7, 1))
    assert _stands(data) == [5, 7, 30]
    late = _versions(data, "second.csv", (1, 11, 1), (2, 6, 8), (3, 8, 2))
    assert late["totals"]["superseded"] == 2
    assert _stands(data) == [5, 8, 30]
    bad = data.parent / "third.csv"
    bad.write_text(f"id,caller,at,seconds,version\n4,{ANA},2026-10-05T12:00:00Z,1,latest\n")
    octroi("ingest", bad, "--source", "calls", "--data", data).ok()
    assert _reasons(data)["INVALID_VERSION OPEN"] == 1


def test_an_earlier_one_that_is_unrated_gives_way_and_is_closed(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", SUPERSEDE)
    _take(data, "first.csv", call(1, at=NIGHT), call(2, at=NIGHT))
    assert octroi("rejects", "replay", "2-1", "--data", data, "--json").ok().json["unrated"] == 1
    _take(data, "second.csv", call(1, 5, at=NIGHT), call(2, 7, at=NIGHT))
    assert _reasons(data) == {
        "NO_PRICE_VERSION CANCELLED": 2, "NO_PRICE_VERSION OPEN": 2, "NO_PRICE_VERSION REPLAYED": 1,
        "SUPERSEDES_EARLIER REPLAYED": 2,
    }  # fmt: skip
    write_catalog(data, SUPERSEDE.replace('start: "2026-01-01', 'start: "2025-12-01'))
    assert octroi("rejects", "replay", "--all", "--data", data, "--json").ok().json["rated"] == 2
    assert _stands(data) == [5, 7]
    # rated by a retry, it is found there
    _take(data, "third.csv", call(1, 6, at=NIGHT))
    assert _stands(data) == [6, 7]
    assert _owed(data) == {"ana": Decimal("0.13")}


def test_backing_out_what_gave_way_lets_nothing_come_again(tmp_path: Path) -> None:
    """The identity of an EDR that a retry rated, and that gave way since, is held by the record in its place."""
    data = write_catalog(tmp_path / "data", SUPERSEDE)
    _take(data, "first.csv", call(1, at=NIGHT), call(2, at=NIGHT), call(3, at=NIGHT))
    octroi("rejects", "replay", "2-1", "--data", data).ok()
    write_catalog(data, SUPERSEDE.replace('start: "2026-01-01', 'start: "2025-12-01'))
    octroi("rejects", "replay", "--all", "--data", data).ok()
    _take(data, "second.csv", call(1, 5, at=NIGHT), call(2, 7, at=NIGHT))
    told = octroi("files", "back-out", "first.csv", "--reason", "wrong", "--data", data, "--json").ok().json
    assert told["rated"] == 1
    again = _take(data, "third.csv", call(1, 5, at=NIGHT), call(2, 7, at=NIGHT), call(3, 9, at=NIGHT))
    assert (again["totals"]["duplicate"], again["totals"]["accepted"]) == (2, 1)
    assert _stands(data) == [5, 7, 9]


@pytest.mark.parametrize("catalog", [SUPERSEDE, REVERSE], ids=["supersede", "reverse"])
def test_what_is_billed_stays_unless_the_source_reverses(tmp_path: Path, catalog: str) -> None:
    data = write_catalog(tmp_path / "data", catalog)
    _take(data, "first.csv", call(1), call(2))
    store = Store.open(data / "store")
    store._writer.execute(
        "INSERT INTO octroi.fact_billed VALUES (2, 0, 0, 0, 'INV-1', 0, toDateTime64('2026-12-01 00:00:00', 6, 'UTC'), 9, '2026-12-01')"
    )
    store.close()
    _take(data, "second.csv", call(1, 5), call(2, 7))
    (held,) = query(data, "SELECT toInt64(quantity) AS seconds FROM rated_item WHERE status = 'billed'")
    assert held["seconds"] == 60
    if catalog is REVERSE:
        assert _stands(data) == [5, 7]
        assert _reasons(data) == {"SUPERSEDES_EARLIER REPLAYED": 2}
    else:
        assert _stands(data) == [7]
        assert _reasons(data) == {"SUPERSEDES_EARLIER OPEN": 1, "SUPERSEDES_EARLIER REPLAYED": 1}


def test_a_backed_out_file_lets_any_version_come_again(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", VERSIONED)
    _versions(data, "first.csv", (1, 10, 1))
    _versions(data, "second.csv", (1, 20, 5))
    octroi("files", "back-out", "second.csv", "--reason", "wrong", "--data", data).ok()
    assert _stands(data) == []
    _versions(data, "third.csv", (1, 15, 4))
    assert _stands(data) == [15]
    balanced(data)


def test_a_crash_between_the_file_and_its_settling_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_catalog(tmp_path / "data", SUPERSEDE)
    with monkeypatch.context() as patched:
        patched.setattr("apps.embedded.intake.settle_newer", lambda engine: [])
        _take(data, "first.csv", call(1), call(1, 70))
    assert _stands(data) == [60]
    octroi("run", data).ok()
    assert _stands(data) == [70]


# ---- FOCUS: a month of cloud costs, stated again every day


def _statement(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


def _by_charge(data: Path) -> dict[str, tuple[int, int, Decimal]]:
    rows = query(
        data,
        "SELECT charge, countIf(status = 'rated') AS items, sum(quantity_steps) AS steps, sum(amount) AS amount "
        "FROM rated_item GROUP BY charge ORDER BY charge",
    )
    return {row["charge"]: (row["items"], int(row["steps"]), Decimal(row["amount"])) for row in rows}


def test_restated_cloud_costs_end_in_the_last_statement(tmp_path: Path) -> None:
    with FOCUS_SAMPLE.open(newline="") as handle:
        first = list(csv.DictReader(handle))
    # units without a counter, whose price does not depend on the order; a few rows more, a few corrected twice
    of_unit = [row for row in first if row["ConsumedUnit"] in ("Hours", "Requests", "API Requests", "Units")]
    restated = {id(row): {**row, "ConsumedQuantity": str(number)} for number, row in enumerate(of_unit[::3])}
    again = {id(row): {**row, "ConsumedQuantity": str(7 * number)} for number, row in enumerate(of_unit[::7])}
    second = [restated.get(id(row), row) for row in first]
    third = [again.get(id(row), restated.get(id(row), row)) for row in first]
    assert len(restated) > 50
    daily, once = tmp_path / "daily", tmp_path / "once"
    for data in (daily, once):
        write_sample_catalog("focus", data / "catalog")
        catalog = data / "catalog" / "catalog.yaml"
        catalog.write_text(
            catalog.read_text().replace("code: focus\nformat", "code: focus\non_same_key: supersede\nformat")
        )
    outcomes: Counter[str] = Counter()
    for number, rows in enumerate((first, second, third)):
        file = _statement(tmp_path / f"{number}.csv", rows)
        report = octroi("ingest", file, "--source", "focus", "--data", daily, "--json").ok().json
        outcomes.update(report["totals"])
        balanced(daily)
    octroi("ingest", tmp_path / "2.csv", "--source", "focus", "--data", once).ok()
    assert _by_charge(daily) == _by_charge(once)
    wallets = "SELECT account, wallet, balance FROM account_balance ORDER BY account, wallet"
    assert query(daily, wallets) == query(once, wallets)
    (reversals,) = query(daily, "SELECT countIf(status = 'reversal') AS n FROM rated_item")
    assert reversals["n"] >= len(restated)


def test_what_was_rated_again_gives_way_too(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", SUPERSEDE)
    _take(data, "first.csv", call(1), call(2, 100))
    write_catalog(data, SUPERSEDE.replace('price: "0.60"', 'price: "1.20"'))
    october = ("--from", "2026-10-01", "--to", "2026-11-01", "--reason", "dearer")
    assert octroi("rerate", *october, "--data", data, "--json").ok().json["changed"] == 2
    assert _take(data, "second.csv", call(1, 70), call(2, 100))["totals"]["duplicate"] == 1
    assert _stands(data) == [70, 100]
    assert _owed(data) == {"ana": Decimal("3.4")}
    assert octroi("rerate", *october, "--data", data, "--json").ok().json["changed"] == 0
    assert _take(data, "third.csv", call(1, 70), call(2, 90))["totals"]["duplicate"] == 1
    assert _stands(data) == [70, 90]
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "state")
    octroi("run", data).ok()
    assert _stands(data) == [70, 90]
    assert _owed(data) == {"ana": Decimal("3.2")}
