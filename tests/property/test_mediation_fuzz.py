"""Random and damaged files: nothing but typed failures, nothing lost, the same wherever the file is cut."""

from __future__ import annotations

import random
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from mediation_delimited import decode_twin as delimited_twin
from mediation_events import decode_twin as events_twin
from mediation_events import record_twin
from mediation_fixed_width import RECORD_BYTES, fixed_width
from mediation_fixed_width import decode_twin as fixed_width_twin
from mediation_fixed_width import record as fixed_record
from mediation_frame import Broken, elements
from mediation_r151 import DISTRIBUTOR, POWER, Day, Index, Prm, comparable, document
from mediation_r151 import decode_twin as r151_twin
from mediation_world import CDR_COLUMNS, CDR_HEADER, CDR_LINE, Record, Source, cloudevents, decode, delimited, r151

from pipelines.mediation.failures import UnableToDecodeFile
from schemas.rejection import OUTCOMES, Outcome, Reason

QUOTED = b'2,"b ""x""",33611,"2026-05-01\n10:00:00",7,"E,U"\r\n'
EVENT = (
    b'{"specversion":"1.0","id":"1","source":"/n","type":"com.acme.data","subject":"33611","time":"2026-05-01T08:00:00Z",'
    b'"data":{"bytes":12,"where":{"zone":"E\\u0055"}}}\n'
)
PRMS = [Prm(days=(Day(indexes=(Index(), Index(DISTRIBUTOR), Index(POWER, name=None))),)), Prm("2"), Prm("3")]
CODES = {
    "WRONG_ENCODING", "MALFORMED_HEADER", "MISSING_COLUMN", "DUPLICATE_COLUMN", "MALFORMED_XML", "WRONG_FLOW", "WRONG_UNIT",
    "RECORD_TOO_LONG", "MALFORMED_JSON", "TRAILER_MISMATCH",
}  # fmt: skip
TOKENS = (
    b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc3\xa9", b"\\", b"\\u0000", b"\\ud800", b"{",
    b"}", b"[", b"]", b":", b"<", b">", b"/>", b"</", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?", b"?>", b"&", b"&#0;", b"&lt;",
    b"<PRM>", b"</PRM>", b"<Valeur>", b"</Valeur>", b" ", b"\t", b"e", b"-", b"99999999999999999999", b"<PRM/>", b" a='>'",
)  # fmt: skip

FRAMED = ("joined", "batches")
"""Files with something around their records, which refuses them whole when it is broken."""
Twin = Callable[[bytes], list[Record] | str]
"""What a file holds; of FRAMED: or the code with which it is refused whole."""
FAMILIES: dict[str, tuple[Source, bytes, Twin]] = {}


def _family(name: str, source: Source, data: bytes, twin: Twin) -> None:
    FAMILIES[name] = source, data, twin


HEADED = delimited()
HEADLESS = delimited(header=False, columns=CDR_COLUMNS, record_bytes_max=256, encoding="latin-1")
EVENTS = cloudevents(record_bytes_max=512, layout="lines")
_family("headed", HEADED, CDR_HEADER + CDR_LINE * 3 + QUOTED * 2, lambda data: delimited_twin(HEADED, data))
_family("headless", HEADLESS, CDR_LINE * 3 + QUOTED * 3 + CDR_LINE, lambda data: delimited_twin(HEADLESS, data))
_family("events", EVENTS, EVENT * 4, lambda data: events_twin(EVENTS, data))
BATCHES = cloudevents(record_bytes_max=512, layout="array")


def _batches_twin(data: bytes) -> list[Record] | str:
    try:
        return [record_twin(BATCHES, raw) for raw in elements(data.removeprefix(b"\xef\xbb\xbf"), array=True)]
    except Broken:
        return "MALFORMED_JSON"


_family("batches", BATCHES, b"[" + b",\n ".join([EVENT[:-1]] * 3) + b"]\n[" + EVENT + b"]", _batches_twin)
FIXED = fixed_width(record_bytes_max=256)
EDGED = fixed_width(
    lines=False,
    record_bytes=RECORD_BYTES,
    encoding="latin-1",
    header={"count": 1},
    trailer={"prefix": "T", "record_count": {"start": 2, "width": 3}},
)
ROWS = [fixed_record(), fixed_record(zone=b"\xc3\xa9"), fixed_record(id=b"2", seconds=b"7")]
_family("fixed", FIXED, b"\r\n".join(ROWS * 3), lambda data: fixed_width_twin(FIXED, data))
_family(
    "joined", EDGED, b"".join([b"H" * 42, *ROWS * 2, b"T  6".ljust(42)]), lambda data: fixed_width_twin(EDGED, data)
)
_family("r151", r151(), document(*PRMS, between="\n"), lambda data: r151_twin(r151(), data))


def damage(chance: random.Random, data: bytes) -> bytes:
    """Return the file after a few mishaps, or nothing of it at all."""
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(400))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((0, 1, 1, 2, 10, 80)))
        kind = chance.randrange(6)
        if kind == 0:
            data = data[:at] + chance.choice(TOKENS) + data[end:]
        elif kind == 1:
            data = data[:at] + chance.choice(TOKENS) + data[at:]
        elif kind == 2:
            data = data[:at] + data[end:]
        elif kind == 3:
            data = data[:end] + data[at:]
        elif kind == 4:
            data = data[:at] + chance.randbytes(end - at) + data[end:]
        else:
            data = data[: max(at, len(data) // 2)]
    return data


def decoded(source: Source, data: bytes, **options: int) -> list[Record] | str:
    """Return the records of a file, or the code with which it is refused whole."""
    try:
        return decode(source, data, **options)
    except UnableToDecodeFile as failure:
        code = failure.code
    assert code in CODES
    return code


def expect_nothing_lost(name: str, data: bytes, records: list[Record]) -> None:
    """Every byte belongs to one record, to a line end or to the header."""
    end = len(data)
    for record in reversed(records):  # from the end, so that a short record is not found in the header
        found = data.rindex(record.raw, 0, end)
        assert not data[found + len(record.raw) : end].strip(b"\r\n")
        end = found
    assert name == "headed" or not data[:end].removeprefix(b"\xef\xbb\xbf").strip(b"\r\n")


def _is_plain_xml(data: bytes) -> bool:
    """Return whether ElementTree can judge: it knows UTF-8 only as text, and refuses prefixes without a namespace."""
    try:
        ElementTree.fromstring(data)
    except ElementTree.ParseError:
        return False
    return b"UTF-8" in data[:60]


def survive(name: str, chance: random.Random) -> bool:
    """Decode one damaged file and check it; return whether it was read."""
    source, whole, twin = FAMILIES[name]
    data = damage(chance, whole)
    found = decoded(source, data)
    sizes = {
        "block_bytes": chance.choice((1, 7, 60, 300)),
        "head_bytes": chance.choice((128, 256)),
        "step": chance.choice((0, 3)),
    }
    if isinstance(found, str):
        if name == "r151":
            assert isinstance(decoded(source, data, **sizes), str)
        if name in FRAMED:
            assert decoded(source, data, **sizes) == found
            assert found in ("WRONG_ENCODING", twin(data)), data
        return False
    assert decoded(source, data, **sizes) == found, (data, sizes)
    outcomes = [OUTCOMES[record.reason] for record in found]
    usable = sum(outcome is Outcome.ACCEPTED for outcome in outcomes)
    refused = sum(outcome in (Outcome.REJECTED, Outcome.PARKED) for outcome in outcomes)
    filtered = sum(outcome is Outcome.FILTERED for outcome in outcomes)
    assert all(record.reason == 0 or record.reason < Reason.DUPLICATE for record in found)
    if name == "r151":
        if not _is_plain_xml(data):
            return False
        assert comparable(found) == twin(data), data
        assert usable + refused + filtered == len(twin(data))
        return True
    if name in FRAMED:  # what is around the records is none of them: what is one is the twin's to say
        assert all(record.raw in data for record in found)
        assert name == "batches" or b"".join(record.raw for record in found) in data
    else:
        expect_nothing_lost(name, data, found)
    expected = twin(data)
    assert found == expected, data
    assert usable + refused + filtered == len(expected)
    return True


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_damaged_files(name: str) -> None:
    chance = random.Random(f"octroi {name}")
    read = sum(survive(name, chance) for _ in range(600))
    assert read >= 30


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_many_damaged_files(name: str, seed: int) -> None:
    chance = random.Random(f"octroi {name} {seed}")
    for _ in range(4_000):
        survive(name, chance)
