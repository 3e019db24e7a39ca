"""Real public files through the command line: counts, quantities and money as they were computed by hand."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import balanced, octroi, query

from benchmarks.recount import Recount
from tests.integration.expected_samples import (
    ASTERISK,
    ASTERISK_SAMPLE,
    FIXED_WIDTH,
    FIXED_WIDTH_SAMPLE,
    FOCUS,
    FOCUS_SAMPLE,
    R151,
    R151_SAMPLE,
    write_sample_catalog,
)

EXPECTED = {
    "asterisk": (ASTERISK_SAMPLE, ASTERISK),
    "fixed_width": (FIXED_WIDTH_SAMPLE, FIXED_WIDTH),
    "focus": (FOCUS_SAMPLE, FOCUS),
    "r151": (R151_SAMPLE, R151),
}

BY_CHARGE = """
SELECT charge, count() AS rated, sum(quantity_steps) AS quantity, sum(amount) AS amount, any(currency) AS currency
FROM rated_item GROUP BY charge ORDER BY charge
"""
WALLETS = "SELECT account, wallet, currency, balance, latest_balance FROM account_balance ORDER BY account, wallet"


@dataclass(frozen=True)
class Rated:
    """A sample that went through the command line: where, what the command said, what it should have said."""

    name: str
    file: Path
    data: Path
    report: dict[str, Any]
    expected: Recount


@pytest.fixture(scope="module", params=sorted(EXPECTED))
def rated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rated:
    """One sample, ingested into a data directory of its own."""
    name: str = request.param
    file, expected = EXPECTED[name]
    data = tmp_path_factory.mktemp(name)
    write_sample_catalog(name, data / "catalog")
    report = octroi("ingest", file, "--source", name, "--data", data, "--json").ok().json
    return Rated(name, file, data, report, expected)


def test_the_report_counts_every_record_once(rated: Rated) -> None:
    totals, expected = rated.report["totals"], rated.expected
    assert totals == {
        "received": expected.records,
        "accepted": expected.accepted,
        "absorbed": expected.absorbed,
        "duplicate": expected.duplicates,
        "superseded": 0,
        "filtered": expected.filtered,
        "rejected": sum(expected.rejected_by_reason.values()),
        "parked": 0,
        "edrs": expected.accepted,
        "rated": expected.rated,
        "unrated": sum(expected.unrated_by_reason.values()),
    }
    assert [(file["name"], file["quarantined"]) for file in rated.report["files"]] == [(rated.file.name, None)]


def test_the_report_adds_up_the_money(rated: Rated) -> None:
    amounts = {code: Decimal(amount) for code, amount in rated.report["amounts"].items()}
    assert amounts == {code: Decimal(amount) / 10**9 for code, amount in rated.expected.amount_by_currency.items()}


def test_the_store_has_the_same_items_quantities_and_money(rated: Rated) -> None:
    rows = query(rated.data, BY_CHARGE)
    assert {row["charge"]: row["rated"] for row in rows} == rated.expected.rated_by_charge
    assert {row["charge"]: row["quantity"] for row in rows} == rated.expected.quantity_by_charge
    assert {row["charge"]: int(Decimal(row["amount"]) * 10**9) for row in rows} == rated.expected.amount_by_charge


def test_the_refusals_have_the_expected_reasons(rated: Rated) -> None:
    listed = octroi("rejects", "list", "--data", rated.data, "--json").ok().json
    found = {row["reason"]: row["rejections"] for row in listed["by_reason"]}
    assert found == rated.expected.rejected_by_reason | rated.expected.unrated_by_reason


def test_both_sheets_close(rated: Rated) -> None:
    (records,), (edrs,) = (balanced(rated.data)[sheet] for sheet in ("records", "edrs"))
    assert (records["file"], records["received"]) == (rated.file.name, rated.expected.records)
    assert (edrs["edrs"], edrs["rated"]) == (rated.expected.accepted, rated.expected.rated)


def test_wallets_paid_what_the_items_cost(rated: Rated) -> None:
    paid: dict[str, Decimal] = {}
    for wallet in query(rated.data, WALLETS):
        assert wallet["balance"] == wallet["latest_balance"]
        paid[wallet["currency"]] = paid.get(wallet["currency"], Decimal(0)) - Decimal(wallet["balance"])
    assert paid == {code: Decimal(amount) / 10**9 for code, amount in rated.expected.amount_by_currency.items()}


def test_the_same_bytes_under_another_name_change_nothing(rated: Rated, tmp_path: Path) -> None:
    """Dropped into the spool this time, of a data directory that was moved, and processed by `octroi run`."""
    data = shutil.copytree(rated.data, tmp_path / "moved", symlinks=True)
    before = (query(data, BY_CHARGE), query(data, WALLETS))
    shutil.copyfile(rated.file, data / "spool" / rated.name / "the-same-again")
    report = octroi("run", data, "--json").ok().json

    expected = rated.expected
    (file,) = report["files"]
    assert file["duplicate_of"] == rated.report["files"][0]["claim"]
    assert file["name"] == "the-same-again"
    assert file["duplicate"] == expected.accepted + expected.absorbed + expected.duplicates
    assert file["filtered"] == expected.filtered
    assert file["rejected"] == sum(expected.rejected_by_reason.values())
    assert [file[column] for column in ("accepted", "absorbed", "parked", "edrs", "rated", "unrated")] == [0] * 6
    assert report["amounts"] == {}
    assert (query(data, BY_CHARGE), query(data, WALLETS)) == before
    assert [row["received"] for row in balanced(data)["records"]] == [expected.records] * 2
