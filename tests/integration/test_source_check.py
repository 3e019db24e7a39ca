"""A field that its format does not have is told before a catalog takes effect, not at the first file."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_calls import CATALOG, call, write_calls, write_catalog
from cli_octroi import octroi, query

BINARY = """\
---
kind: source
code: {code}
format: {format}
mapping:
  identity: [{field}]
  access_point: {access}
  time: {{field: {time}}}
  quantity: {{constant: 1}}
  event_type: {{constant: voice}}
"""
WRONG = {
    "ts32298": (
        ("recordOpeningTim", "servedMSISDN", "recordOpeningTime"),
        "source 'cdr': mapping: there is no 'recordOpeningTim' (do you mean 'recordOpeningTime'?)",
    ),
    "tap": (
        ("callReferenc", "subscriber", "startTime"),
        "source 'cdr': mapping: TAP has no element or computed field 'callReferenc' (do you mean 'callReference'?)",
    ),
    "radius": (
        ("Acct-Sesion-Id", "User-Name", "Event-Timestamp"),
        "source 'cdr': mapping: there is no attribute 'Acct-Sesion-Id' (do you mean 'Acct-Session-Id'?)",
    ),
}


def _with(kind: str, fields: tuple[str, str, str], code: str = "cdr") -> str:
    field, access, time = fields
    if kind == "ts32298":
        kind += "\nrecords: [pGWRecord]"
    return BINARY.format(code=code, format=kind, field=field, access=access, time=time)


@pytest.mark.parametrize("kind", WRONG)
def test_a_catalog_with_a_field_that_the_format_lacks_does_not_take_effect(tmp_path: Path, kind: str) -> None:
    fields, words = WRONG[kind]
    data = write_catalog(tmp_path / "data", CATALOG + _with(kind, fields))
    file = write_calls(tmp_path / "calls.csv", call(1))
    for command in (("run", data), ("ingest", file, "--source", "calls", "--dry-run", "--data", data)):
        told = octroi(*command)
        assert (told.code, words in told.err) == (3, True), told.err
    assert (data / "journal.log").read_bytes() == b""


def test_the_catalog_in_force_stays_and_all_sources_are_told(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    octroi("ingest", write_calls(tmp_path / "one.csv", call(1)), "--source", "calls", "--data", data).ok()
    journal = (data / "journal.log").read_bytes()
    wrong = [_with(kind, fields, f"cdr-{kind}") for kind, (fields, _) in WRONG.items()]
    write_catalog(data, CATALOG + "".join(wrong))
    told = octroi("ingest", write_calls(tmp_path / "two.csv", call(2)), "--source", "calls", "--data", data)
    assert told.code == 3
    assert [f"source 'cdr-{kind}'" in told.err for kind in WRONG] == [True] * 3
    assert (data / "journal.log").read_bytes() == journal
    write_catalog(data)
    assert query(data, "SELECT count() AS n FROM rated_item") == [{"n": 1}]
