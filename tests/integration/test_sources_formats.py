"""`octroi sources test` on other formats, containers and hostile bytes. Expected values are computed by hand."""

from __future__ import annotations

import gzip
import re
from decimal import Decimal
from pathlib import Path

import pytest
from cli_calls import ANA, CATALOG, HEADER, NOON, call, calls, write_calls, write_catalog
from cli_octroi import octroi
from cli_sources import EVENTS, shown, try_file

from tests.integration.expected_samples import R151_SAMPLE, write_sample_catalog

NO_TEXT = b'\x00\x01\xff,\x1b[31m"'
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a catalog only."""
    return write_catalog(tmp_path / "data", EVENTS)


def event(number: int, used: str = "1500", **fields: str) -> str:
    """One CloudEvent of device 7, at 2026-10-05T12:00:00.250Z."""
    text = {"specversion": "1.0", "id": str(number), "source": "/gw", "type": "up", "subject": "dev/7"} | fields
    extra = text.pop("data", '"network": "abroad"')
    attributes = ", ".join(f'"{name}": "{value}"' for name, value in text.items())
    return f'{{{attributes}, "time": 1791201600250, "data": {{"used": {used}, {extra}}}}}'


# ---- other formats and containers


def test_events_are_shown_by_their_paths(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    lines = [event(1), event(2, "0.0004"), event(3, data='"billed": "no"'), event(4, type="side"), "not json"]
    file.write_text("\n".join([*lines, event(1, "7"), ""]))
    told = try_file(data, file, "events", "-n", 6)
    first, small, filtered, side, torn, again = told["records"]
    assert first["fields"]["data.used"] == "1500"
    assert first["fields"]["subject"] == "dev/7"
    # 1500 kB are 1.5 MB; no charge filters on the device
    assert {name: first["cdr"][name] for name in ("event_at", "quantity_steps", "quantity", "unit", "attributes")} == {
        "event_at": "2026-10-05T12:00:00.250000Z",
        "quantity_steps": 1_500_000,
        "quantity": "1.5",
        "unit": "MB",
        "attributes": {"network": "abroad", "device": None},
    }
    assert (first["rated"]["charge"], first["rated"]["amount"]) == ("roaming", "3.000000000")
    assert (small["cdr"]["quantity_steps"], small["rated"]["amount"]) == (0, "0.000000000")
    assert (filtered["outcome"], filtered["cdr"], filtered["fields"]["data.billed"]) == ("filtered", None, "no")
    assert (side["reason"], side["cdr"]["event_type"], side["detail"]) == ("UNKNOWN_EVENT_TYPE", None, "type is 'side'")
    assert (torn["reason"], torn["raw"]["text"], torn["fields"]) == ("MALFORMED_RECORD", "not json", {})
    assert again["reason"] == "DUPLICATE"  # on_same_key: duplicate
    assert told["profile"]["access_points"]["distinct"] == 1
    assert told["profile"]["amounts"] == {"EUR": "3.000000000"}


def test_readings_are_indexes_and_become_consumption(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_sample_catalog("r151", data / "catalog")
    told = try_file(data, R151_SAMPLE, "r151")
    first = told["records"][0]
    assert (first["cdr"]["is_reading"], first["cdr"]["quantity"], first["cdr"]["unit"]) == (True, "15670.608", "kWh")
    assert (first["cdr"]["event_at"], first["cdr"]["attributes"]) == ("2024-04-04T22:00:00Z", {"class": "HCB"})
    assert first["fields"]["Valeur"] == "15670608"
    # from 15668000 Wh, a day of 86400 s before; 2.608 kWh at 0.1234
    assert (first["edr"]["quantity"], first["edr"]["span_s"]) == ("2.608", 86_400)
    assert first["edr"]["event_at"] == "2024-04-03T22:00:00Z"
    assert Decimal(first["rated"]["amount"]) == Decimal("0.321827")
    assert [record["outcome"] for record in told["records"]] == ["accepted"] * 3 + ["absorbed", "filtered"]
    (usage,) = told["profile"]["event_types"]
    assert (usage["records"], usage["readings"], usage["quantity"], usage["edr_quantity"]) == (4, 4, None, "7.608")


def test_a_compressed_file_is_the_same_file(data: Path, tmp_path: Path) -> None:
    mixed = write_calls(tmp_path / "mixed.csv", call(1), call(2, "many"), call(1), "torn")
    packed = tmp_path / "mixed.csv.gz"
    packed.write_bytes(gzip.compress(mixed.read_bytes()))
    octroi("ingest", write_calls(tmp_path / "one.csv", call(77)), "--source", "calls", "--data", data).ok()  # a secret
    plain, expanded = try_file(data, mixed), try_file(data, packed)
    assert expanded["profile"].pop("bytes") == packed.stat().st_size
    plain["profile"].pop("bytes")
    assert (expanded["records"], expanded["profile"]) == (plain["records"], plain["profile"])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"id,caller,at\n", "MISSING_COLUMN"),
        (gzip.compress(calls([call(1)]).encode())[:-5], "CORRUPT_ARCHIVE"),
        (b"7z\xbc\xaf\x27\x1c rest", "UNSUPPORTED_ARCHIVE"),
    ],
    ids=["header", "torn", "archive"],
)
def test_a_refused_file_is_told_with_its_code(data: Path, tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "bad").write_bytes(content)
    told = try_file(data, tmp_path / "bad", code=5)
    assert (told["quarantined"]["code"], told["records"], told["profile"]["records"]) == (code, [], 0)
    assert told["profile"]["first_event_at"] is None
    assert told["profile"]["access_points"]["unknown_percent"] is None
    people = shown(data, tmp_path / "bad")
    assert (people.code, f"refused whole: {code}: " in people.out) == (5, True)


@pytest.mark.parametrize("lines", [(), (call(1),)], ids=["none", "one"])
def test_files_of_none_and_of_one_record(data: Path, tmp_path: Path, lines: tuple[str, ...]) -> None:
    file = write_calls(tmp_path / "few.csv", *lines)
    assert len(try_file(data, file)["records"]) == len(lines)
    assert "more record" not in shown(data, file).ok().out


# ---- hostile bytes


def test_bytes_that_are_no_text_are_shown_in_hexadecimal(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "binary.csv"
    file.write_bytes(
        HEADER.encode() + b"\n" + NO_TEXT + b"\n[red]r\xc3\xa9d[/red],\xe2\x80\xae,b,c\n" + call(1).encode()
    )
    nul, marked, _ = try_file(data, file)["records"]
    assert nul["raw"] == {"hex": NO_TEXT.hex(), "bytes": len(NO_TEXT), "truncated": False}
    assert marked["raw"]["text"] == "[red]réd[/red],\u202e,b,c"
    for out in (shown(data, file).ok().out, octroi("sources", "test", file, "-s", "calls", "-d", data, "--json").out):
        assert CONTROLS.findall(out) == []
        assert "[red]réd[/red]" in out
    assert NO_TEXT.hex(" ") in shown(data, file).ok().out


def test_a_long_record_is_cut_for_people_and_bounded_for_programs(data: Path, tmp_path: Path) -> None:
    file = write_calls(tmp_path / "long.csv", f"x{'é' * 50_000},{ANA},{NOON},60")
    raw = try_file(data, file)["records"][0]["raw"]
    assert raw["text"] == "x" + "é" * 32_767  # 64 KiB end in the middle of a letter
    assert (raw["bytes"], raw["truncated"]) == (100_001 + len(f",{ANA},{NOON},60"), True)
    assert max(map(len, shown(data, file).ok().out.splitlines())) < 1000


def test_text_in_the_encoding_of_the_source_is_text(tmp_path: Path) -> None:
    latin = CATALOG.replace("format: delimited\n", "format: delimited\nencoding: latin-1\n")
    data = write_catalog(tmp_path / "data", latin)
    file = tmp_path / "latin.csv"
    file.write_bytes(f"{HEADER}\n".encode() + call("caf\xe9").encode("latin-1") + b"\n\x9b31m,x,y,z\n")
    word, command = try_file(data, file)["records"]
    assert (word["raw"]["text"], word["fields"]["id"]) == (call("café"), "café")
    assert command["raw"]["hex"] == b"\x9b31m,x,y,z".hex()


def test_columns_of_fixed_width_are_shown_by_name(tmp_path: Path) -> None:
    places = {"id": (1, 4), "caller": (5, 11), "at": (16, 20), "seconds": (36, 5)}
    columns = ", ".join(f"{{name: {name}, start: {start}, width: {width}}}" for name, (start, width) in places.items())
    fixed = CATALOG.replace("format: delimited\n", f"format: fixed_width\ncolumns: [{columns}]\nheader: {{count: 1}}\n")
    data = write_catalog(tmp_path / "data", fixed)
    (tmp_path / "calls.txt").write_text(f"HEADER\n7   {ANA}{NOON}   90\nshort\n")
    whole, short = try_file(data, tmp_path / "calls.txt")["records"]
    assert whole["fields"] == {"id": "7", "caller": ANA, "at": NOON, "seconds": "90"}
    assert (whole["cdr"]["quantity"], whole["rated"]["amount"]) == ("90", "0.900000000")
    assert (short["raw"]["text"], short["reason"], short["cdr"]) == ("short", "FIELD_COUNT", None)
    assert "fixed_width, columns [" in octroi("sources", "show", "calls", "--data", data).ok().out
