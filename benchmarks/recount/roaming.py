"""Recount of TAP files: elements of definite length, one event after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.recount.fields import read_instant, read_quantity
from benchmarks.recount.rules import Rules
from benchmarks.recount.stages import Decoded

_SEPARATOR = "\x1f"
_EVENTS = {9: "mobileOriginatedCall", 10: "mobileTerminatedCall", 14: "gprsCall"}
_IMSI, _START, _DURATION, _CALLED, _CALLING = 129, 44, 223, 407, 405
_REFERENCE, _CHARGING_ID, _ENTITY = 45, 72, 184


def decode_tap(files: Sequence[Path], rules: Rules, *, source: str) -> Decoded:
    """Return what a source definition makes of files as `write_roaming` writes them, read in the given order."""
    mapping = rules.sources[source]["mapping"]
    decoded = Decoded(pl.DataFrame(), (), 0)
    rows = []
    for path in files:
        data = path.read_bytes()
        top = dict(_children(data, *_contents(data, 0)[1:3]))
        offsets = {_number(data, found[232]): data[slice(*found[231])].decode() for found in _tables(data, top[6], 234)}
        entities = {
            _number(data, found[184]): data[slice(*found[400])].decode() for found in _tables(data, top[6], 188)
        }
        for kind, span in _children(data, *top[3]):
            decoded.records += 1
            row = _read(data, kind, span, mapping, rules, offsets, entities)
            if isinstance(row, str):
                decoded.rejected[row] += 1
            else:
                rows.append(row)
    schema: dict[str, Any] = {
        "identity": pl.String, "access_point": pl.String, "event_at": pl.Int64, "quantity": pl.Int64, "event_type": pl.String,
    }  # fmt: skip
    decoded.usable = pl.DataFrame(rows, schema=schema, orient="row")
    return decoded


def _contents(data: bytes, at: int) -> tuple[int, int, int, int, bool]:
    """Return (tag, start, end, after, whether it holds others) of the element at `at`; the outermost may have no length."""
    holds, tag, at = bool(data[at] & 32), data[at] & 31, at + 1
    if tag == 31:
        tag = 0
        while True:
            tag, at = tag << 7 | data[at] & 127, at + 1
            if data[at - 1] < 128:
                break
    length, at = data[at], at + 1
    if length == 128:
        return tag, at, len(data) - 2, len(data), holds
    if length > 128:
        size = length - 128
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    return tag, at, at + length, at + length, holds


def _children(data: bytes, start: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    while start < end:
        tag, inner, stop, start, _ = _contents(data, start)
        yield tag, (inner, stop)


def _tables(data: bytes, span: tuple[int, int], tag: int) -> Iterator[dict[int, tuple[int, int]]]:
    """Yield the entries of one table of networkInfo."""
    for _, entry in _children(data, *dict(_children(data, *span))[tag]):
        yield dict(_children(data, *entry))


def _first_of_each(data: bytes, start: int, end: int, found: dict[int, tuple[int, int]]) -> None:
    while start < end:
        tag, inner, stop, start, holds = _contents(data, start)
        found.setdefault(tag, (inner, stop))
        if holds:
            _first_of_each(data, inner, stop, found)


def _number(data: bytes, span: tuple[int, int]) -> int:
    return int.from_bytes(data[slice(*span)], "big", signed=True)


def _digits(data: bytes, span: tuple[int, int]) -> str:
    return data[slice(*span)].hex().rstrip("f")


def _read(
    data: bytes,
    kind: int,
    span: tuple[int, int],
    mapping: Any,
    rules: Rules,
    offsets: dict[int, str],
    entities: dict[int, str],
) -> tuple[Any, ...] | str:
    """Return a row of the decoded feed, or the reason why there is none."""
    found: dict[int, tuple[int, int]] = {}
    _first_of_each(data, *span, found)
    start = dict(_children(data, *found[_START]))
    clock, offset = data[slice(*start[16])].decode(), offsets[_number(data, start[232])]
    time = f"{clock[:8]}T{clock[8:]}{offset}"
    other = next((_digits(data, found[tag]) for tag in (_CALLED, _CALLING) if tag in found), "")
    if _REFERENCE in found:
        reference = data[slice(*found[_REFERENCE])].hex()
    else:
        reference = str(_number(data, found[_CHARGING_ID]))
    imsi, event = _digits(data, found[_IMSI]), _EVENTS[kind]
    event_at = read_instant(time, None)
    if isinstance(event_at, str):
        return event_at
    code = mapping["event_type"]["values"][event]
    unit = mapping["quantity"].get("unit") or rules.event_units[code]
    steps = read_quantity(str(_number(data, found[_DURATION])), rules.units[unit])
    if isinstance(steps, str):
        return steps
    identity = _SEPARATOR.join([event, imsi, time, other, reference, entities[_number(data, found[_ENTITY])]])
    return identity, imsi, event_at, steps, code
