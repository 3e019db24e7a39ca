"""Rejections afterwards: listed, shown, tried again, set aside; each once, and both sheets close after every step."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, CATALOG, STRANGER, WITH_STRANGER, call, write_calls, write_catalog
from cli_octroi import Told, balanced, octroi, query

from apps.clock import now_us
from pipelines.resource.dedup import DAY_US

NIGHT = "2025-12-31T23:00:00Z"
"""Before the price plan's first version."""
FROM_NIGHT = CATALOG.replace('start: "2026-01-01T00:00:00Z"', 'start: "2025-12-01T00:00:00Z"')

STATUS = """
SELECT concat(toString(claim), '-', toString(record)) AS id, reason, status, retry_count, decided_by, decision_reason
FROM rejection ORDER BY claim, record
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of seven calls: a good one, two of a stranger, one without number, one unpriced; and two more strangers."""
    directory = tmp_path_factory.mktemp("refused")
    data = write_catalog(directory / "data")
    first = write_calls(
        directory / "first.csv",
        call(0),
        call(1, caller=STRANGER),
        call(2, "sixty"),
        call(3, caller=STRANGER),
        call(4, at=NIGHT),
    )
    second = write_calls(directory / "second.csv", call(5, caller=STRANGER), call(6, caller=STRANGER))
    octroi("ingest", first, second, "--source", "calls", "--data", data).ok()
    return data


@pytest.fixture
def data(refused: Path, tmp_path: Path) -> Path:
    """A copy of its own for every test."""
    return shutil.copytree(refused, tmp_path / "data", symlinks=True)


def _listed(data: Path, *terms: object) -> list[str]:
    shown = octroi("rejects", "list", *terms, "--data", data, "--json").ok().json
    assert sum(row["rejections"] for row in shown["by_reason"]) >= len(shown["rejections"])
    return [row["id"] for row in shown["rejections"]]


def _ask(data: Path, *arguments: object) -> dict[str, Any]:
    result: dict[str, Any] = octroi("rejects", *arguments, "--data", data, "--json").ok().json
    balanced(data)
    return result


def _figures(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if value}


def _paid(data: Path) -> dict[str, Decimal]:
    rows = query(data, "SELECT account, sum(amount) AS amount FROM rated_item GROUP BY account")
    return {row["account"]: Decimal(row["amount"]) for row in rows}


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([], ["2-1", "2-2", "2-3", "2-4", "3-0", "3-1"]),
        (["--code", "UNKNOWN_ACCESS_POINT"], ["2-1", "2-3", "3-0", "3-1"]),
        (["--code", "unknown_access_point", "--claim", 3], ["3-0", "3-1"]),
        (["--code", "NO_PRICE_VERSION"], ["2-4"]),
        (["--claim", 2, "--limit", 2], ["2-1", "2-2"]),
        (["--source", "calls", "--claim", 3], ["3-0", "3-1"]),
        (["--source", "other"], []),
        (["--status", "replayed"], []),
        (["--status", "all", "--limit", 1], ["2-1"]),
    ],
)
def test_a_list_holds_what_every_term_selects(refused: Path, terms: list[object], expected: list[str]) -> None:
    assert _listed(refused, *terms) == expected


def test_a_list_says_how_many_more_there_are(refused: Path) -> None:
    told = octroi("rejects", "list", "--limit", 2, "--data", refused).ok().out
    assert "6 rejections, open; the first 2 (--limit shows more)" in told
    told = octroi("rejects", "list", "--status", "DISCARDED", "--data", refused).ok().out
    assert told == "0 rejections, discarded: nothing to show\n"


def test_a_rejection_is_shown_whole(refused: Path) -> None:
    decode, account = octroi("rejects", "show", "2-2", "2-4", "--data", refused, "--json").ok().json
    assert (decode["stage"], decode["code"], decode["reason"]) == ("decode", 106, "INVALID_QUANTITY")
    assert (decode["detail"], decode["access_point"]) == ("seconds is 'sixty'", ANA)
    assert (decode["raw"], bytes.fromhex(decode["raw_hex"]).decode()) == (call(2, "sixty"), call(2, "sixty"))
    assert (account["stage"], account["reason"], account["retry_count"]) == ("account", "NO_PRICE_VERSION", 0)
    text = octroi("rejects", "show", "2-2", "--data", refused).ok().out
    assert "rejection 2-2" in text
    assert f"raw              {call(2, 'sixty')}" in text
    assert "raw_hex" not in text


def test_a_corrected_record_is_rated_once_and_no_more(data: Path) -> None:
    write_catalog(data, WITH_STRANGER)
    result = _ask(data, "replay", "2-1")
    assert _figures(result) == {"claims": [5], "replayed": 1, "received": 1, "accepted": 1, "edrs": 1, "rated": 1}
    assert _paid(data) == {"ana": Decimal("0.60"), "eve": Decimal("0.60")}

    again: Told = octroi("rejects", "replay", "2-1", "--data", data)
    told = "octroi: 2-1 is replayed: only what is open or to_reprocess can be tried again\n"
    assert (again.code, again.err) == (2, told)
    assert _paid(data) == {"ana": Decimal("0.60"), "eve": Decimal("0.60")}
    assert _listed(data, "--status", "REPLAYED") == ["2-1"]


def test_a_retry_that_the_store_does_not_know_of_is_not_done_twice(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal decides what was answered, whatever the store still shows as open."""
    write_catalog(data, WITH_STRANGER)
    with monkeypatch.context() as patched:
        patched.setattr("sinks.clickhouse.store.Store.write_rejection_events", lambda store, events: None)
        assert _figures(_ask(data, "replay", "2-1"))["rated"] == 1
    assert "2-1" in _listed(data)
    assert octroi("rejects", "replay", "2-1", "--data", data).code == 2
    assert octroi("rejects", "discard", "2-1", "--reason", "twice", "--data", data).code == 2
    assert _paid(data) == {"ana": Decimal("0.60"), "eve": Decimal("0.60")}


def test_an_unrated_edr_is_rated_when_the_price_is_there(data: Path) -> None:
    write_catalog(data, FROM_NIGHT)
    result = _ask(data, "replay", "--code", "NO_PRICE_VERSION")
    assert _figures(result) == {"claims": [5], "replayed": 1, "received": 1, "accepted": 1, "edrs": 1, "rated": 1}
    assert _paid(data) == {"ana": Decimal("1.20")}
    assert _listed(data) == ["2-1", "2-2", "2-3", "3-0", "3-1"]


def test_what_is_still_bad_is_refused_again_under_the_retry_and_counted(data: Path) -> None:
    assert _figures(_ask(data, "replay", "2-1", "2-4"))["replayed"] == 2
    assert _listed(data) == ["2-2", "2-3", "3-0", "3-1", "4-1", "5-0"]
    assert _figures(_ask(data, "replay", "4-1", "5-0"))["replayed"] == 2
    found = {row["id"]: row for row in query(data, STATUS)}
    assert {
        id_: (row["reason"], row["status"], row["retry_count"], row["decided_by"]) for id_, row in found.items()
    } == {
        "2-1": ("UNKNOWN_ACCESS_POINT", "REPLAYED", 0, 4),
        "2-2": ("INVALID_QUANTITY", "OPEN", 0, 0),
        "2-3": ("UNKNOWN_ACCESS_POINT", "OPEN", 0, 0),
        "2-4": ("NO_PRICE_VERSION", "REPLAYED", 0, 5),
        "3-0": ("UNKNOWN_ACCESS_POINT", "OPEN", 0, 0),
        "3-1": ("UNKNOWN_ACCESS_POINT", "OPEN", 0, 0),
        "4-1": ("UNKNOWN_ACCESS_POINT", "REPLAYED", 1, 6),
        "5-0": ("NO_PRICE_VERSION", "REPLAYED", 1, 7),
        "6-1": ("UNKNOWN_ACCESS_POINT", "OPEN", 2, 0),
        "7-0": ("NO_PRICE_VERSION", "OPEN", 2, 0),
    }
    assert _paid(data) == {"ana": Decimal("0.60")}
    # input is counted without retries, and is as it was
    sheet = balanced(data)["records"]
    assert sum(row["received"] for row in sheet if not row["retry"]) == 7


def test_all_at_once_rates_what_can_be_rated(data: Path) -> None:
    write_catalog(data, WITH_STRANGER)
    told = octroi("rejects", "replay", "--all", "--data", data).ok().out
    assert told == "6 rejections tried again: 4 rated, 1 unrated again, 1 rejected again\n"
    assert _paid(data) == {"ana": Decimal("0.60"), "eve": Decimal("2.40")}
    balanced(data)
    # the records that were refused consumed no identity before; now they did
    file = write_calls(data.parent / "again.csv", call(1, caller=STRANGER), call(5, caller=STRANGER))
    report = octroi("ingest", file, "--source", "calls", "--data", data, "--json").ok().json
    assert report["totals"]["duplicate"] == 2
    balanced(data)


def test_a_discard_keeps_its_reason_and_closes(data: Path) -> None:
    told = octroi("rejects", "discard", "2-1", "2-4", "--reason", " test \x1bcall ", "--data", data).ok().out
    assert told == "2 rejections discarded: test \\x1bcall\n"
    assert _listed(data, "--status", "DISCARDED") == ["2-1", "2-4"]
    rows = {row["id"]: row for row in query(data, STATUS)}
    assert (rows["2-1"]["decision_reason"], rows["2-1"]["decided_by"]) == ("test \x1bcall", 4)
    balanced(data)
    write_catalog(data, WITH_STRANGER)
    assert octroi("rejects", "replay", "2-1", "--data", data).code == 2
    assert octroi("rejects", "discard", "2-1", "--reason", "twice", "--data", data).code == 2
    assert _figures(_ask(data, "replay", "--claim", 2, "--code", "UNKNOWN_ACCESS_POINT"))["replayed"] == 1
    assert _paid(data) == {"ana": Decimal("0.60"), "eve": Decimal("0.60")}


UNREADABLE = CATALOG.replace("quantity: {field: seconds}", "quantity: {field: duration}")
GONE = CATALOG.replace("code: calls", "code: telephony")


@pytest.mark.parametrize(
    ("catalog", "words"),
    [
        (UNREADABLE, "MISSING_COLUMN: the file has no column 'duration'"),
        (GONE, "UNKNOWN_SOURCE: the catalog defines no"),
    ],
)
def test_a_retry_that_cannot_decode_the_file_closes_no_rejection(data: Path, catalog: str, words: str) -> None:
    write_catalog(data, catalog)
    told = octroi("rejects", "replay", "--all", "--data", data)
    assert (told.code, told.out) == (3, "")
    assert f"first.csv (claim 2) cannot be decoded now: {words}" in told.err
    assert len(_listed(data)) == 6
    write_catalog(data, WITH_STRANGER)
    assert _figures(_ask(data, "replay", "--all"))["rated"] == 4


def test_a_retry_without_its_archived_file_closes_no_rejection_and_stops_no_later_start(data: Path) -> None:
    (archived,) = (data / "archive").glob("*first.csv")
    archived.rename(data.parent / "aside.csv")
    told = octroi("rejects", "replay", "2-1", "--data", data)
    assert told.code == 4
    assert f"archive/{archived.name} is gone" in told.err
    assert len(_listed(data)) == 6
    write_catalog(data, WITH_STRANGER)
    assert _figures(_ask(data, "replay", "--claim", 3))["rated"] == 2


def test_more_than_one_command_may_take_stays_open_and_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.embedded.selection.SELECTED_MAX", 4)
    told = octroi("rejects", "discard", "--all", "--reason", "too many", "--data", data).ok()
    assert told.out == "4 rejections discarded: too many\n"
    assert told.err == "octroi: 2 more rejections matched and stayed as they were: run the command again\n"
    assert _listed(data) == ["3-0", "3-1"]


def test_a_retry_of_an_old_file_leaves_the_window_as_wide_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(days: int) -> str:
        return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"

    data = write_catalog(tmp_path / "data")
    for ago, window, line in ((40, "10", call(1, "x", at=at(41))), (0, "60", call(2, at=at(1)))):
        monkeypatch.setenv("OCTROI_DEDUP_WINDOW_DAYS", window)
        monkeypatch.setattr("apps.embedded.access.now_us", lambda ago=ago: now_us() - ago * DAY_US)
        octroi("ingest", write_calls(tmp_path / "a.csv", line), "--source", "calls", "--data", data)
    octroi("rejects", "replay", "--all", "--data", data)
    octroi("ingest", write_calls(tmp_path / "c.csv", call(3, at=at(30))), "--source", "calls", "--data", data).ok()
    assert query(data, "SELECT count() AS n FROM rejection WHERE reason = 'BEYOND_WINDOW'") == [{"n": 0}]
