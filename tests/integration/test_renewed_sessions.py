"""Sessions that wait while a catalog takes effect are priced by what their parts say under it, not under the one they came with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, write_catalog
from cli_octroi import balanced, octroi, query
from typer.testing import CliRunner

from apps.cli.main import app
from apps.clock import now_us
from apps.embedded.engine import Engine
from apps.embedded.reports import ClaimReport
from pipelines.spool.journal import ImageClaim, JournalEntry, Renewal, read_entries

HOUR_US = 3_600_000_000
BEFORE = f"""\
{{kind: event_type, code: message, unit: B, attributes: [way, zone], values: {{size: {{type: number, decimals: 2}}}}}}
---
kind: source
code: messages
format: delimited
mapping:
  identity: [call, number]
  access_point: caller
  time: {{field: at}}
  quantity: {{field: amount}}
  event_type: {{constant: message}}
  attributes: {{way: way, zone: zone}}
  values: {{size: size}}
  assembly:
    key: [call]
    sequence: number
    part: {{field: kind, first: [F], middle: [I], last: [L], single: [S]}}
    time_out: PT1H
    late: reopen
---
kind: price_matrix
code: zones
columns: {{zone: code, size: number}}
rows:
- {{zone: EU, size: "*", price: "0.30"}}
- {{price: "1"}}
---
{{kind: price_plan, code: messages, currency: EUR, versions: [{{start: "2026-01-01T00:00:00Z", model: event, prices: zones}}]}}
---
{{kind: charge, code: messages, event_type: message, price_plan: messages}}
---
{{kind: offer, code: mobile, charges: [messages]}}
---
{{kind: account, code: ana, currency: EUR}}
---
{{kind: subscription, code: ana, account: ana, offer: mobile, access_points: [{{id: "{ANA}"}}]}}
"""
# a text that nothing named before, slots in another order, and a finer number
AFTER = (
    BEFORE.replace("- {zone: EU", '- {zone: US, size: "1..", price: "5"}\n- {zone: EU')
    .replace("attributes: [way, zone]", "attributes: [zone, way]")
    .replace("decimals: 2", "decimals: 3")
)
UNREAD = "USAGE_UNREAD"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock so many hours ahead."""

    def ahead(hours: float) -> None:
        monkeypatch.setattr("apps.embedded.access.now_us", lambda: now_us() + int(hours * HOUR_US))

    return ahead


def _part(call: int, number: int, kind: str, zone: str = "US", size: str = "1") -> str:
    return f"{call},{number},{kind},{ANA},2026-10-05T12:00:{number:02}Z,10,out,{zone},{size}"


def _ingest(data: Path, name: str, *lines: str, header: str = "call,number,kind,caller,at,amount,way,zone,size") -> str:
    path = data.parent / name
    path.write_text("\n".join([header, *lines, ""]))
    return octroi("ingest", path, "--source", "messages", "--data", data).ok().err


def _items(data: Path) -> list[tuple[str, Decimal]]:
    balanced(data)
    found = query(data, "SELECT id, amount FROM rated_item WHERE status = 'rated' ORDER BY claim, record")
    for row in found:
        assert octroi("explain", row["id"], "--data", data, "--json").ok().json["agrees"] is True, row
    return [(row["id"], Decimal(row["amount"])) for row in found]


def _everything(data: Path) -> list[list[dict[str, Any]]]:
    return [
        query(data, f"SELECT * FROM {view} ORDER BY ALL") for view in ("rated_item", "rejection", "account_balance")
    ]


def _replayed(data: Path) -> None:
    """Make store and state again from the journal: nothing changes."""
    before = _everything(data)
    for lost in ("store", "state"):
        shutil.rmtree(data / lost)
    octroi("run", data).ok()
    assert _everything(data) == before


def _stored(data: Path, name: str) -> Path:
    (found,) = [path for path in (data / "archive").iterdir() if path.name.endswith(name)]
    return found


def test_open_sessions_are_priced_by_what_their_parts_say_under_the_catalog_in_force(
    tmp_path: Path, at: Callable[[float], None]
) -> None:
    data = write_catalog(tmp_path / "data", BEFORE)
    at(0)
    _ingest(data, "1.csv", _part(1, 1, "F"), _part(2, 1, "F"), _part(3, 1, "F", "EU"), _part(4, 1, "F", size="0.5"))
    write_catalog(data, AFTER)
    _ingest(data, "2.csv", *(_part(call, 2, "L", "EU") for call in (1, 3, 4)))
    assert _items(data) == [("ri-5-0", Decimal(5)), ("ri-5-1", Decimal("0.3")), ("ri-5-2", Decimal(1))]
    at(2)
    octroi("run", data).ok()  # the second one ends by a tick
    assert _items(data)[-1] == ("ri-6-0", Decimal(5))
    _replayed(data)
    # nothing is read again for a catalog that names nothing new
    write_catalog(data, AFTER + "---\n{kind: account, code: bob, currency: EUR}\n")
    _ingest(data, "3.csv", _part(5, 1, "F"))
    assert [entry.claim for entry in read_entries(data / "journal.log") if isinstance(entry, Renewal)] == [4]


class Killed(BaseException):
    """The process ends here."""


def test_dying_between_the_catalog_and_what_parts_say_under_it_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_catalog(tmp_path / "data", BEFORE)
    _ingest(data, "1.csv", _part(1, 1, "F"), _part(2, 1, "F", "EU"))
    write_catalog(data, AFTER)
    process = Engine.process

    def dying(kind: type) -> Callable[[Engine, JournalEntry], ClaimReport]:
        def instead(engine: Engine, entry: JournalEntry) -> ClaimReport:
            if isinstance(entry, kind):
                raise Killed
            return process(engine, entry)

        return instead

    for kind in (ImageClaim, Renewal):  # the one is journaled, then the other
        monkeypatch.setattr(Engine, "process", dying(kind))
        with pytest.raises(Killed):
            CliRunner().invoke(app, ["run", str(data)], catch_exceptions=False)
        monkeypatch.setattr(Engine, "process", process)
        assert isinstance(read_entries(data / "journal.log")[-1], kind)
    _ingest(data, "2.csv", _part(1, 2, "L"), _part(2, 2, "L"))
    assert [amount for _, amount in _items(data)] == [5, Decimal("0.3")]


def test_a_session_that_is_opened_again_is_read_under_the_catalog_in_force(
    tmp_path: Path, at: Callable[[float], None]
) -> None:
    data = write_catalog(tmp_path / "data", BEFORE)
    at(0)
    _ingest(data, "1.csv", _part(1, 1, "F"), _part(2, 1, "F"))
    at(2)
    octroi("run", data).ok()
    assert [amount for _, amount in _items(data)] == [1, 1]
    write_catalog(data, AFTER)
    _ingest(data, "2.csv", _part(1, 2, "L"))
    assert [amount for _, amount in _items(data)] == [1, 5]
    _replayed(data)


def test_parts_whose_file_is_gone_are_not_priced_by_what_they_no_longer_say(
    tmp_path: Path, at: Callable[[float], None]
) -> None:
    data = write_catalog(tmp_path / "data", BEFORE)
    at(0)
    _ingest(data, "1.csv", _part(1, 1, "F"), _part(2, 1, "F"), _part(3, 1, "F"))
    stored = _stored(data, "1.csv")
    away = stored.rename(data / "away")
    write_catalog(data, AFTER)
    told = _ingest(data, "2.csv", _part(1, 2, "L"))
    assert "3 parts of sessions that wait cannot be read again" in told
    assert f"archive/{stored.name} is gone" in told
    _ingest(data, "3.csv", _part(9, 1, "S"))
    renewals = [entry.claim for entry in read_entries(data / "journal.log") if isinstance(entry, Renewal)]
    assert renewals == [4]  # not at every start
    at(2)
    octroi("run", data).ok()
    assert _items(data) == [("ri-6-0", Decimal(5))]
    unread = "SELECT reason, status FROM rejection ORDER BY claim, record"
    assert [(row["reason"], row["status"]) for row in query(data, unread)] == [(UNREAD, "OPEN")] * 3
    assert octroi("rejects", "replay", "--all", "--data", data).code == 4
    away.rename(stored)
    octroi("rejects", "replay", "--all", "--data", data).ok()
    assert [amount for _, amount in _items(data)] == [5, 5, 5, 5]
    _replayed(data)


def test_parts_whose_file_comes_back_before_their_session_ends_are_read_then(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", BEFORE)
    _ingest(data, "1.csv", _part(1, 1, "F"))
    stored = _stored(data, "1.csv")
    away = stored.rename(data / "away")
    write_catalog(data, AFTER)
    octroi("run", data).ok()
    away.rename(stored)
    _ingest(data, "2.csv", _part(1, 2, "L"))
    assert [amount for _, amount in _items(data)] == [5]


def test_parts_that_the_new_mapping_cannot_read_are_read_by_the_one_they_came_with(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", BEFORE)
    _ingest(data, "1.csv", _part(1, 1, "F"))
    renamed = AFTER.replace("field: amount", "field: bytes").replace("[zone, way]", "[way, zone]")
    write_catalog(data, renamed.replace("decimals: 3", "decimals: 2"))
    header = "call,number,kind,caller,at,bytes,way,zone,size"
    _ingest(data, "2.csv", _part(1, 2, "L"), header=header)
    (item,) = query(data, "SELECT amount FROM rated_item")
    assert Decimal(item["amount"]) == 5
