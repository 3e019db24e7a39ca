"""The fixed-width decoder and its plain-Python twin agree on every record and refusal, wherever the file is cut."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mediation_fixed_width import RECORD_BYTES, decode_twin, fixed_width, found_or_code, record, split
from mediation_values import read_compact
from mediation_world import decode

from pipelines.mediation.fixed_width import body
from pipelines.mediation.kernels import timestamps
from pipelines.mediation.kernels.fixed_width import LINE_EMPTY, LINE_FILLED, count_lines
from pipelines.mediation.zones import zone_table
from schemas.rejection import Reason
from schemas.source import FixedWidthSource

PREFIXES = {"header": {"prefix": "H"}, "trailer": {"prefix": "T", "record_count": {"start": 2, "width": 3}}}
EPOCH = {"field": "at", "format": "epoch_s"}
COMPACT = {"field": "at", "format": "compact", "zone": "Europe/Paris"}
DECIDED = {"field": "switch", "values": {"a": "call", "": "data", "é": "ticket", " a": "call"}}
PLAIN = {"field": "seconds", "excess_decimals": "half_up"}
SOURCES: dict[str, FixedWidthSource] = {
    "lines": fixed_width(),
    "exact": fixed_width(record_bytes=RECORD_BYTES, null="EU", **PREFIXES),
    "latin": fixed_width(
        encoding="latin-1", trim="right", null="é", mapping={"event_type": DECIDED, "quantity": PLAIN}
    ),
    "left": fixed_width(trim="left", mapping={"event_type": DECIDED, "quantity": PLAIN, "time": COMPACT}),
    "none": fixed_width(trim="none", mapping={"event_type": DECIDED, "time": EPOCH, "quantity": {"constant": 2}}),
    "short": fixed_width(record_bytes_max=256, header={"count": 2}, trailer={"count": 1}),
    "joined": fixed_width(lines=False, record_bytes=RECORD_BYTES, mapping={"time": COMPACT}),
    "joined edges": fixed_width(lines=False, record_bytes=RECORD_BYTES, encoding="latin-1", **PREFIXES),
    "joined counts": fixed_width(
        lines=False,
        record_bytes=RECORD_BYTES,
        header={"count": 1},
        trailer={"count": 2, "record_count": {"start": 1, "width": 2}},
    ),
}
TIMES = st.sampled_from([
    b"2026-05-01 10:00:00", b"20260501100000", b"20261025023000.25", b"20260230100000", b"20260501100000+0200", b"1777622400", b"",
])  # fmt: skip
ZONES = st.sampled_from([b"EU", b" EU", b"", b"US ", b"\xc3\xa9", b"\xe2\x82\xac", b"\xff", b"\x00"])
WILD = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b"\x00", b"\xff", b"\xc3\xa9", b"\xe2\x82\xac", b"x", b"1", b" ", b"H", b"T  1"]),
    max_size=30,
).map(b"".join)  # fmt: skip


@st.composite
def lines(draw: Any) -> bytes:
    """Return a record that is nearly right, and what follows it."""
    whole = record(
        id=draw(st.sampled_from([b"1", b"", b"  2", b"H", b"T"])),
        switch=draw(st.sampled_from([b"a", b" a", b"", b"\xc3\xa9", b"\xe9"])),
        caller=draw(st.sampled_from([b"33611", b"336\xc3\xa9", b"", b"33611\xc3"])),
        at=draw(TIMES),
        seconds=draw(st.sampled_from([b"61.5", b"000061", b"", b" 7"])),
        zone=draw(ZONES),
    )
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, RECORD_BYTES - 2))
        whole = whole[:at] + "é".encode() + whole[at + 2 :]
    cut = draw(st.sampled_from([0, 0, 0, 0, 1, 5]))
    return whole[: len(whole) - cut] + draw(st.sampled_from([b"\n", b"\n", b"\r\n", b"", b"+\n", b"\r\r\n", b"\n\r\n"]))


def edges(records: int) -> st.SearchStrategy[tuple[bytes, bytes]]:
    """Return headers and trailers, some of which tell the truth."""
    trailers = [b"T%3d" % n for n in (records, records, records + 1)] + [b"T ab", b"T", b"", b"%2d" % records]
    return st.tuples(
        st.sampled_from([b"H", b"HDR\nHDR2", b"", b"\xef\xbb\xbfH"]), st.sampled_from([*trailers, b"T\nT%3d" % records])
    )


@given(
    name=st.sampled_from(sorted(SOURCES)),
    parts=st.lists(st.one_of(lines(), lines(), WILD), max_size=10),
    data=st.data(),
    long=st.sampled_from([0, 0, 0, 300, 70_000]),
    block_bytes=st.one_of(st.integers(1, 60), st.integers(61, 4_000)),
    step=st.sampled_from([0, 1, 7]),
)
def test_decoder_and_twin_agree(
    name: str, parts: list[bytes], data: Any, long: int, block_bytes: int, step: int
) -> None:
    source = SOURCES[name]
    text = b"".join(parts) + b"x" * long
    header, trailer = data.draw(edges(len(split(source, text))))
    if source.lines:
        file = header + b"\n" + text + (b"" if text.endswith(b"\n") else b"\n") + trailer
    else:
        file = (
            header[:RECORD_BYTES].ljust(RECORD_BYTES) * bool(header)
            + text
            + trailer.ljust(RECORD_BYTES) * bool(trailer)
        )
    if file[:256].count(0) * 4 >= len(file[:256]) or file.startswith(b"\xff\xfe"):
        file = b"H\n" + b"x" * 256 + b"\n" + file  # so many NULs at once would be another encoding
    if source.encoding == "latin-1":
        file = file.removeprefix(b"\xef\xbb\xbf")
    found = found_or_code(decode, source, file, block_bytes=block_bytes, head_bytes=64, step=step)
    assert found == decode_twin(source, file)


@given(
    name=st.sampled_from(["exact", "short", "joined edges", "joined counts"]),
    body_lines=st.lists(lines(), min_size=8, max_size=30),
    data=st.data(),
    block_bytes=st.integers(1, 400),
)
def test_header_and_trailer_are_found_by_a_window_that_moves_over_the_file(
    name: str, body_lines: list[bytes], data: Any, block_bytes: int
) -> None:
    source = SOURCES[name]
    if source.lines:
        text = b"".join(line.rstrip(b"\r\n") + b"\n" for line in body_lines)
        records = sum(bool(line.rstrip(b"\r\n")) for line in body_lines)
        header, trailer = data.draw(edges(records))
        file = header + b"\n" + text + trailer
    else:
        text = b"".join(line.ljust(RECORD_BYTES)[:RECORD_BYTES] for line in body_lines)
        header, trailer = data.draw(edges(len(body_lines)))
        file = header.removeprefix(b"\xef\xbb\xbf").ljust(RECORD_BYTES) + text + trailer.ljust(RECORD_BYTES) + b"\r\n"
    with mock.patch.object(body, "EDGE_BYTES", 256), mock.patch.object(body, "PIECE_BYTES", 64):
        found = found_or_code(decode, source, file, block_bytes=block_bytes, head_bytes=16)
    assert found == decode_twin(source, file)


@given(
    parts=st.lists(st.sampled_from([b"\n", b"\r", b"x", b"xxxxxxxxx", b"\r\n"]), max_size=40), size=st.integers(1, 12)
)
def test_lines_are_counted_as_they_are_split(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    found, line = 0, LINE_EMPTY
    for at in range(0, len(data), size):
        piece = np.frombuffer(data[at : at + size] + b"\n" * 8, np.uint8)
        lines, line = count_lines(piece, min(size, len(data) - at), line)
        found += lines
    assert found + (line == LINE_FILLED) == len(split(SOURCES["lines"], data))


digits = st.text("0123456789", min_size=12, max_size=16)
clock = st.builds(
    "{:04d}{:02d}{:02d}{:02d}{:02d}{:02d}".format,
    st.sampled_from([0, 1999, 2000, 2024, 2026, 2099, 2100]), st.integers(0, 13), st.integers(0, 32), st.integers(0, 24),
    st.integers(0, 60), st.integers(0, 60),
)  # fmt: skip
tails = st.sampled_from(["", "", ".5", ",123456789", ".", "Z", "+0200", "-03:30", "+2", " ", ".25+01"])


@given(texts=st.lists(st.builds(str.__add__, st.one_of(clock, clock, digits), tails), max_size=8), zoned=st.booleans())
def test_compact_times_read_as_their_extended_form(texts: list[str], zoned: bool) -> None:
    rows = [text.encode() for text in texts]
    ends = np.cumsum([len(row) for row in rows]).astype(np.int32)
    starts = ends - np.array([len(row) for row in rows], np.int32)
    buffer = np.frombuffer(b"".join(rows) + bytes(64), np.uint8).copy()
    table = zone_table("Europe/Paris")
    event_at, reason = np.full(len(rows), -1, np.int64), np.zeros(len(rows), np.uint16)
    timestamps.read_iso(buffer, starts, ends, True, zoned, table.thresholds, table.offsets, event_at, reason)
    found = [(int(at), Reason(int(code))) for at, code in zip(event_at, reason, strict=True)]
    assert found == [read_compact(row, "Europe/Paris" if zoned else None) for row in rows]
