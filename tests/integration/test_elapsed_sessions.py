"""Calls of which switches write begin and end only: what lies between is the quantity, computed by hand here."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from cli_octroi import balanced, octroi, query
from template_world import load

from apps.clock import now_us

HOUR_US = 3_600_000_000
ANNA, ELSEWHERE = "33612345678", "441632960001"
CALLS = "SELECT quantity, toString(event_at) AS event_at FROM rated_item WHERE status = 'rated' ORDER BY event_at"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock so many hours ahead."""

    def ahead(hours: float) -> None:
        monkeypatch.setattr("apps.embedded.access.now_us", lambda: now_us() + int(hours * HOUR_US))

    return ahead


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    load("kamailio_acc", directory / "catalog", [ANNA])
    return directory


def row(method: str, call: str, at: str, code: int = 200, user: str = "0612345678", tag: str = "a") -> str:
    """Return a row of the acc module on 2026-11-10."""
    told = {"method": method, "from_tag": tag, "to_tag": "b" if tag == "a" else "a", "callid": call, "sip_code": str(code),
            "sip_reason": "OK", "time": f"2026-11-10 {at}", "src_user": user}  # fmt: skip
    return json.dumps(told)


def _ingest(data: Path, name: str, *lines: str) -> dict[str, int]:
    file = data.parent / name
    file.write_text("\n".join([*lines, ""]))
    octroi("ingest", file, "--source", "kamailio_acc", "--data", data).ok()
    sheets = balanced(data)["records"]
    return {name: sum(row[name] for row in sheets) for name in ("accepted", "absorbed", "duplicate", "filtered", "rejected", "parked")}  # fmt: skip


def _calls(data: Path) -> list[tuple[Decimal, str]]:
    return [(Decimal(found["quantity"]), found["event_at"][11:19]) for found in query(data, CALLS)]


def _reasons(data: Path) -> list[tuple[str, str]]:
    rows = query(data, "SELECT reason, status FROM rejection ORDER BY claim, record")
    return [(found["reason"], found["status"]) for found in rows]


LINES = (
    row("INVITE", "c1", "10:00:00"),
    row("INVITE", "c2", "10:00:30", 486),  # busy
    row("CANCEL", "c3", "10:00:40"),
    row("INVITE", "c3", "10:00:40", 487),
    row("INVITE", "c4", "10:00:50", 407),  # asked for a password, and answered then
    row("INVITE", "c4", "10:00:51"),
    row("INVITE", "c1", "10:01:00"),  # on hold, and back
    row("INVITE", "c1", "10:02:00", user=ELSEWHERE, tag="b"),
    row("BYE", "c4", "10:00:53"),
    row("BYE", "c1", "10:04:05", user=ELSEWHERE, tag="b"),  # who hangs up is no customer
    row("INVITE", "c5", "23:59:58"),
    row("BYE", "c5", "23:59:58"),  # answered, and over within a second
    row("INVITE", "c6", "12:00:00", user=ELSEWHERE),  # somebody else's call
)
SHOULD = [(Decimal(245), "10:00:00"), (Decimal(2), "10:00:51"), (Decimal(0), "23:59:58")]


@pytest.mark.parametrize("backwards", [False, True])
def test_calls_last_from_the_answer_to_the_end(data: Path, *, backwards: bool) -> None:
    lines = LINES[::-1] if backwards else LINES
    sheet = _ingest(data, "acc.jsonl", *lines)
    assert _calls(data) == SHOULD
    # backwards, nobody knows yet that the callee's INVITE is in the middle of a call
    assert sheet == {
        "accepted": 3, "absorbed": 5 - backwards, "duplicate": 0, "filtered": 4, "rejected": 1 + backwards, "parked": 0,
    }  # fmt: skip
    assert _reasons(data) == [("UNKNOWN_ACCESS_POINT", "OPEN")] * (1 + backwards)
    _ingest(data, "again.jsonl", *lines, *lines)
    assert _calls(data) == SHOULD
    (item,) = query(data, "SELECT id FROM rated_item WHERE status = 'rated' AND quantity = 245")
    assert "put together from" in octroi("explain", item["id"], "--data", data).ok().out


def test_rows_may_come_file_by_file_in_any_order(data: Path) -> None:
    for number, line in enumerate(LINES[::-1]):
        _ingest(data, f"{number}.jsonl", line)
    query_reversed = query(data, "SELECT count() AS n FROM rated_item WHERE status = 'reversal'")
    assert query_reversed[0]["n"] > 0  # a re-INVITE came before the call's beginning: it was opened again
    assert _calls(data) == SHOULD


def test_a_call_without_an_end_waits_for_a_decision(data: Path, at: Callable[[float], None]) -> None:
    at(0)
    _ingest(data, "1.jsonl", row("INVITE", "c1", "10:00:00"), row("INVITE", "c1", "10:05:00"))
    _ingest(data, "2.jsonl", row("BYE", "c2", "11:00:00", user=ELSEWHERE), row("INVITE", "c3", "12:00:00"))
    assert (_calls(data), _reasons(data)) == ([], [])
    at(25)
    octroi("run", data).ok()
    assert (_calls(data), _reasons(data)) == ([], [("SESSION_INCOMPLETE", "OPEN")] * 3)
    (ticked,) = [found for found in balanced(data)["edrs"] if found["claim"] == 4]
    assert (ticked["edrs"], ticked["rated"], ticked["unrated"]) == (3, 0, 3)
    points = query(data, "SELECT access_point FROM rejection ORDER BY record")
    assert [found["access_point"] for found in points] == [ANNA, "", ANNA]
    # the end of the third call comes after all: it counts, and the rejection is closed
    _ingest(data, "3.jsonl", row("BYE", "c3", "12:00:07"))
    assert _calls(data) == [(Decimal(7), "12:00:00")]
    told = octroi("files", "back-out", "3.jsonl", "--reason", "wrong", "--data", data, "--json").ok().json
    assert (told["rated"], told["sessions"], _calls(data)) == (1, 1, [])
    _ingest(data, "4.jsonl", row("BYE", "c3", "12:00:07"))
    assert _calls(data) == [(Decimal(7), "12:00:00")]
    # of the others somebody decides to bill what is known; whose nobody's is stays refused
    octroi("rejects", "replay", "--code", "SESSION_INCOMPLETE", "--data", data).ok()
    assert _calls(data) == [(Decimal(300), "10:00:00"), (Decimal(7), "12:00:00")]
    (left,) = query(data, "SELECT reason, retry_count FROM rejection WHERE status = 'OPEN'")
    assert left == {"reason": "SESSION_INCOMPLETE", "retry_count": 1}
    balanced(data)


def test_a_call_that_would_end_before_it_began_is_refused(data: Path) -> None:
    sheet = _ingest(data, "1.jsonl", row("BYE", "c1", "10:00:00"), row("INVITE", "c1", "10:00:01"))
    assert (sheet["absorbed"], sheet["rejected"]) == (1, 1)
    assert (_calls(data), _reasons(data)) == ([], [("PART_CONFLICT", "OPEN")])
