"""A file taken out again: what it cost goes back, everything else stays, and it can be sent once more."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import BOB, CATALOG, STRANGER, WITH_STRANGER, call, write_calls, write_catalog
from cli_octroi import Told, balanced, octroi, query

from benchmarks.catalogs.write import write_electricity_catalog
from benchmarks.generate.meters import write_meters
from sinks.clickhouse.store import Store

NIGHT = "2025-12-31T23:00:00Z"
"""Before the price plan's first version."""
WALLETS = CATALOG.replace(
    "{kind: account, code: ana, currency: EUR}",
    'kind: account\ncode: ana\ncurrency: EUR\nwallets: [{code: gift, type: prepaid, opening_balance: "1"}, '
    "{code: bill, type: postpaid}]",
)
"""Ana's second call is paid by both of her wallets."""
LATER = WITH_STRANGER.replace('start: "2026-01-01', 'start: "2025-12-01').replace(
    "{kind: account, code: ana, currency: EUR}",
    'kind: account\ncode: ana\ncurrency: EUR\nwallets: [{code: gift, type: prepaid, opening_balance: "1"}, '
    "{code: bill, type: postpaid}]",
)
"""The stranger is a customer, and the night has a price."""
FIRST = (call(1), call(2, 100), call(3, caller=STRANGER), call(4, 30, BOB), call(5, at=NIGHT))
SECOND = (call(1), call(12, 100), call(14, 30, BOB))
"""Its first call came with the first file."""


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("taken")
    data = write_catalog(directory / "data", WALLETS)
    for name, lines in (("first.csv", FIRST), ("second.csv", SECOND)):
        octroi("ingest", write_calls(directory / name, *lines), "--source", "calls", "--data", data).ok()
    return data


@pytest.fixture
def data(taken: Path, tmp_path: Path) -> Path:
    return shutil.copytree(taken, tmp_path / "data", symlinks=True)


def _paid(data: Path) -> dict[str, Decimal]:
    rows = query(data, "SELECT account, wallet, balance FROM account_balance")
    return {f"{row['account']}/{row['wallet']}": Decimal(row["balance"]) for row in rows}


def _back_out(data: Path, file: object, *options: object) -> dict[str, Any]:
    told = octroi("files", "back-out", file, *(options or ("--reason", "wrong")), "--data", data, "--json").ok()
    balanced(data)
    result: dict[str, Any] = told.json
    return result


def _refused(data: Path, file: object) -> Told:
    told = octroi("files", "back-out", file, "--reason", "wrong", "--data", data)
    assert (told.code, told.out) == (2, "")
    return told


def test_a_preview_says_what_it_would_do_and_does_nothing(data: Path) -> None:
    before = (data / "journal.log").read_bytes()
    told = _back_out(data, "first.csv", "--preview")
    assert (data / "journal.log").read_bytes() == before
    assert (told["claim"], told["entry"], told["source"], told["refusals"]) == (2, 0, "calls", [])
    assert told["records"] == {
        "received": 5, "accepted": 4, "absorbed": 0, "duplicate": 0, "superseded": 0, "filtered": 0, "rejected": 1, "parked": 0,
    }  # fmt: skip
    assert (told["rated"], told["unrated"], told["rejections"], told["counters_left"]) == (3, 1, 2, 0)
    (amounts,) = told["amounts"]
    assert (amounts["charge"], amounts["items"], Decimal(amounts["amount"])) == ("voice", 3, Decimal("1.9"))
    assert told["accounts"] == ["ana", "bob"]
    text = octroi("files", "back-out", "first.csv", "--preview", "--data", data).ok().out
    assert "Preview: nothing is done yet: first.csv (claim 2, source calls)" in text
    assert "EDRs: 3 rated, 1 unrated; 2 open rejections" in text


def test_what_a_file_cost_goes_back_and_every_sum_is_zero(data: Path) -> None:
    assert _paid(data) == {"ana/gift": Decimal(0), "ana/bill": Decimal("-1.6"), "bob/principal": Decimal("-0.6")}
    told = _back_out(data, "first.csv")
    assert (told["entry"], told["rated"], told["unrated"]) == (4, 3, 1)
    assert _paid(data) == {"ana/gift": Decimal(1), "ana/bill": Decimal(-1), "bob/principal": Decimal("-0.3")}
    rows = query(data, "SELECT id, amount, quantity, status FROM rated_item ORDER BY claim, record")
    assert [(row["id"], row["status"]) for row in rows] == [
        ("ri-2-0", "reversed"), ("ri-2-1", "reversed"), ("ri-2-3", "reversed"),
        ("ri-3-1", "rated"), ("ri-3-2", "rated"),
        ("ri-4-0", "reversal"), ("ri-4-1", "reversal"), ("ri-4-2", "reversal"),
    ]  # fmt: skip
    for column in ("amount", "quantity"):
        assert sum(Decimal(row[column]) for row in rows if row["status"] != "rated") == 0
    operations = query(data, "SELECT wallet, kind, amount FROM wallet_operation WHERE claim = 4 ORDER BY record, part")
    assert [(row["wallet"], row["kind"], Decimal(row["amount"])) for row in operations] == [
        ("gift", "reversal", Decimal("0.6")), ("gift", "reversal", Decimal("0.4")), ("bill", "reversal", Decimal("0.6")),
        ("principal", "reversal", Decimal("0.3")),
    ]  # fmt: skip
    (revenue,) = query(data, "SELECT sum(items) AS items, sum(amount) AS amount FROM revenue")
    assert (revenue["items"], Decimal(revenue["amount"])) == (2, Decimal("1.3"))
    sheet = {row["claim"]: row for row in balanced(data)["edrs"]}
    assert (sheet[4]["edrs"], sheet[4]["cancelled"], sheet[4]["difference"]) == (4, 4, 0)


def test_its_rejections_are_closed_and_stay_so(data: Path) -> None:
    _back_out(data, 2)
    rows = query(data, "SELECT claim, status, lifecycle FROM rejection ORDER BY record")
    assert rows == [{"claim": 2, "status": "CANCELLED", "lifecycle": "PROCESSED"}] * 2
    write_catalog(data, LATER)
    assert octroi("rejects", "replay", "--all", "--data", data).code == 2
    assert octroi("rejects", "discard", "2-2", "--reason", "late", "--data", data).code == 2


def test_the_corrected_file_is_charged_once(data: Path) -> None:
    _back_out(data, "first.csv")
    again = write_calls(data.parent / "first.csv", *FIRST)
    for expected in (3, 0):
        report = octroi("ingest", again, "--source", "calls", "--data", data, "--json").ok().json
        assert report["totals"]["rated"] == expected
        balanced(data)
    assert _paid(data) == {"ana/gift": Decimal(0), "ana/bill": Decimal("-1.6"), "bob/principal": Decimal("-0.6")}
    # what came with another file is still known
    other = write_calls(data.parent / "second.csv", *SECOND)
    report = octroi("ingest", other, "--source", "calls", "--data", data, "--json").ok().json
    assert (report["totals"]["rated"], report["totals"]["duplicate"]) == (0, 3)


def test_what_was_tried_again_is_taken_out_too(data: Path) -> None:
    before = _paid(data)
    write_catalog(data, LATER)
    result = octroi("rejects", "replay", "--all", "--data", data, "--json").ok().json
    assert (result["rated"], result["unrated"]) == (2, 0)
    told = _back_out(data, "first.csv")
    assert (told["rated"], told["unrated"], told["rejections"]) == (5, 0, 0)
    assert told["accounts"] == ["ana", "bob", "eve"]
    statuses = query(data, "SELECT status, count() AS n FROM rated_item GROUP BY status ORDER BY status")
    assert {row["status"]: row["n"] for row in statuses} == {"rated": 2, "reversal": 5, "reversed": 5}
    assert _paid(data)["eve/principal"] == 0
    again = write_calls(data.parent / "first.csv", *FIRST)
    report = octroi("ingest", again, "--source", "calls", "--data", data, "--json").ok().json
    assert report["totals"]["rated"] == 5
    assert _paid(data)["bob/principal"] == before["bob/principal"]
    balanced(data)


def test_unrated_again_is_closed_under_the_retry(data: Path) -> None:
    assert octroi("rejects", "replay", "2-4", "--data", data, "--json").ok().json["unrated"] == 1
    told = _back_out(data, "first.csv")
    assert (told["rated"], told["unrated"], told["rejections"]) == (3, 1, 2)
    rows = query(data, "SELECT claim, record, status FROM rejection ORDER BY claim, record")
    assert [(row["claim"], row["record"], row["status"]) for row in rows] == [
        (2, 2, "CANCELLED"), (2, 4, "REPLAYED"), (4, 0, "CANCELLED"),
    ]  # fmt: skip
    again = write_calls(data.parent / "first.csv", *FIRST)
    report = octroi("ingest", again, "--source", "calls", "--data", data, "--json").ok().json
    assert (report["totals"]["rated"], report["totals"]["unrated"], report["totals"]["duplicate"]) == (3, 1, 0)


def test_what_cannot_be_taken_out_says_why(data: Path) -> None:
    assert "no file third.csv; `octroi files list` shows them" in _refused(data, "third.csv").err
    told = octroi("files", "back-out", 2, "--data", data)
    assert (told.code, told.err) == (2, "octroi: say why with --reason, or look first with --preview\n")
    bad = data.parent / "bad.csv"
    bad.write_text("no,such,columns\n1,2,3\n")
    octroi("ingest", bad, "--source", "calls", "--data", data)
    assert "it was refused whole (MISSING_COLUMN), so nothing came of it" in _refused(data, "bad.csv").err
    _back_out(data, 2)
    assert "first.csv (claim 2) cannot be backed out: it was backed out already" in _refused(data, 2).err
    preview = octroi("files", "back-out", 2, "--preview", "--data", data)
    assert (preview.code, "refused: it was backed out already" in preview.out) == (5, True)
    balanced(data)


def test_an_item_and_what_takes_it_back_are_explained(data: Path) -> None:
    _back_out(data, 2)
    original = octroi("explain", "ri-2-0", "--data", data).ok().out
    assert "it was taken back since" in original
    told = octroi("explain", "ri-4-0", "--data", data).ok().out
    assert told.splitlines()[0] == "ri-4-0 takes ri-2-0 back: its file was backed out"
    assert "computed again in decimals: 0.6 EUR, as stored" in told
    assert octroi("explain", "ri-4-0", "--data", data, "--json").ok().json["reversal"]["cause"] == "back_out"


def test_readings_stay_because_later_ones_were_measured_from_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_electricity_catalog(data / "catalog", meters=4)
    write_meters(data / "spool" / "meters", meters=4, days=2, seed=5, faults=False)
    octroi("run", data).ok()
    for row in octroi("files", "list", "--data", data, "--json").ok().json:
        assert "it holds cumulative readings" in _refused(data, row["claim"]).err
        preview = octroi("files", "back-out", row["claim"], "--preview", "--data", data, "--json")
        assert (preview.code, len(preview.json["refusals"])) == (5, 1)
    assert octroi("files", "list", "--status", "backed_out", "--data", data, "--json").ok().json == []


def test_two_files_of_one_name_are_told_apart(data: Path) -> None:
    octroi("ingest", write_calls(data.parent / "first.csv", call(77)), "--source", "calls", "--data", data).ok()
    assert "2 files are named first.csv: say which claim (2, 4)" in _refused(data, "first.csv").err
    _back_out(data, 4)
    assert _back_out(data, "first.csv")["claim"] == 2


def test_what_is_billed_stays(data: Path) -> None:
    store = Store.open(data / "store")
    store._writer.execute(
        "INSERT INTO octroi.fact_billed VALUES (2, 1, 0, 0, 'INV-1', 0, toDateTime64('2026-12-01 00:00:00', 6, 'UTC'), 9, '2026-12-01')"
    )
    store.close()
    assert "1 of its rated items are billed; credit the invoice instead" in _refused(data, 2).err
    assert _back_out(data, 3)["rated"] == 2


def test_files_are_listed_and_shown_with_what_became_of_them(data: Path) -> None:
    _back_out(data, 2, "--reason", "wrong prices")
    rows = octroi("files", "list", "--data", data, "--json").ok().json
    assert [(row["claim"], row["name"], row["status"], row["rated"]) for row in rows] == [
        (2, "first.csv", "backed_out", 3), (3, "second.csv", "done", 2),
    ]  # fmt: skip
    assert all(len(row["sha256"]) == 64 and row["bytes"] > 0 for row in rows)
    assert octroi("files", "list", "--status", "done", "--data", data, "--json").ok().json == rows[1:]
    text = octroi("files", "show", 2, "--data", data).ok().out
    assert "back_out_reason  wrong prices" in text
    assert "UNKNOWN_ACCESS_POINT" in text
    assert octroi("files", "show", "third.csv", "--data", data).code == 2


TIERS = CATALOG.replace(
    '{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.60"}',
    '{start: "2026-01-01T00:00:00Z", model: graduated, per: "1 min", counter: month, '
    'tiers: [{up_to: "2 min", price: "0.60"}, {price: "0.30"}]}',
).replace("{kind: charge,", "{kind: counter, code: month, unit: s, period: month, zone: UTC}\n---\n{kind: charge,")


def test_a_preview_says_what_was_priced_later_on_the_same_counters(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", TIERS)
    november = "2026-11-05T12:00:00Z"
    files = (
        (call(1, 60), call(11, 60, BOB)),
        (call(2, 60), call(3, 60), call(4, 60, at=november), call(12, 60, BOB)),
        (call(5, 60), call(6, 60, at=november)),
        (call(7, 60, BOB),),
    )
    for number, lines in enumerate(files, start=1):
        file = write_calls(tmp_path / f"{number}.csv", *lines)
        octroi("ingest", file, "--source", "calls", "--data", data).ok()
    later = [_back_out(data, f"{number}.csv", "--preview")["later_items"] for number in range(1, 5)]
    # of the first: 2, 3, 5 of Ana's October and 12, 7 of Bob's; of the second: 5 and 6 of Ana's, 7 of Bob's
    assert later == [5, 3, 0, 0]
    text = octroi("files", "back-out", "1.csv", "--preview", "--data", data).ok().out
    assert "5 items priced later on counters that included it: they keep their price" in text
    _back_out(data, "2.csv")
    assert _back_out(data, "1.csv", "--preview")["later_items"] == 2  # what was taken back does not count
