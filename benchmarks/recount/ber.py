"""Recount of charging data records of a P-GW in BER (3GPP TS 32.298), such as `benchmarks.generate.network` writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.recount.rules import Rules
from benchmarks.recount.stages import Decoded

_SEPARATOR = "\x1f"
_SERVICES, _NODE, _SEQUENCE, _MSISDN = 0xBF22, 0x92, 0x94, 0x96
_GROUP, _FIRST, _UP, _DOWN = 0x81, 0x85, 0x8C, 0x8D
_SCHEMA: dict[str, Any] = {
    "identity": pl.String, "access_point": pl.String, "event_at": pl.Int64, "quantity": pl.Int64, "event_type": pl.String,
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode_pgw(files: Sequence[Path], rules: Rules, *, source: str) -> Decoded:
    """Return the services of sessions, one record each, of files read in the given order."""
    code = rules.sources[source]["mapping"]["event_type"]["constant"]
    rows = []
    for path in files:
        data = path.read_bytes()
        for _, start, end in _elements(data, 0, len(data)):
            found = {tag: (first, last) for tag, first, last in _elements(data, start, end)}
            node, sequence, number = (data[slice(*found[tag])] for tag in (_NODE, _SEQUENCE, _MSISDN))
            digits = number[1:].hex()
            msisdn = "".join(digits[at + 1] + digits[at] for at in range(0, len(digits), 2)).rstrip("f")
            for _, first, last in _elements(data, *found[_SERVICES]):
                service = {tag: data[begin:stop] for tag, begin, stop in _elements(data, first, last)}
                volume = _whole(service[_UP]) + _whole(service[_DOWN])
                identity = _SEPARATOR.join((node.decode(), str(_whole(sequence)), str(_whole(service[_GROUP]))))
                rows.append((identity, msisdn, _instant(service[_FIRST]), volume, code))
    return Decoded(pl.DataFrame(rows, schema=_SCHEMA, orient="row"), (), len(rows))


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (tag with its class octet, begin, end of contents) of definite elements."""
    while at < end:
        tag = data[at]
        at += 1
        if tag & 31 == 31:
            while True:
                tag = tag << 8 | data[at]
                at += 1
                if not tag & 128:
                    break
        size = data[at]
        at += 1
        if size & 128:
            octets = size & 127
            size = int.from_bytes(data[at : at + octets], "big")
            at += octets
        yield tag, at, at + size
        at += size


def _whole(octets: bytes) -> int:
    return int.from_bytes(octets, "big", signed=True)


def _instant(octets: bytes) -> int:
    """Return microseconds UTC of a time stamp: YYMMDDhhmmss in BCD, a sign, hhmm in BCD."""
    digits = octets[:6].hex()
    offset = timedelta(hours=int(octets[7:8].hex()), minutes=int(octets[8:9].hex())) * (
        1 if octets[6:7] == b"+" else -1
    )
    local = datetime.strptime("20" + digits, "%Y%m%d%H%M%S").replace(tzinfo=timezone(offset))
    return (local - _EPOCH) // timedelta(microseconds=1)
