"""NEM13: the readings of accumulating meters, two in each 250 record."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.meters.units import scaled, unit_of
from pipelines.mediation.nem import words
from pipelines.mediation.nem.words import malformed

FLOW = "NEM13"
ENDS = (("previous", 8), ("current", 13))
"""Where the index of each end of a 250 record stands; time, quality, reason and description follow it."""
QUANTITY, UNIT, UPDATED = 18, 19, 21
FIELDS_MIN = 22


def readings(lines: Iterator[str], *, strict: bool) -> Iterator[Row]:
    """Yield the readings of a file: of each 250 record the one before, and the new one.

    Raises:
        UnableToDecodeFile: MALFORMED_METER_DATA with the line, or WRONG_FLOW.
    """
    created, begun, ended, number, metered = "", False, False, 0, False
    for number, text in enumerate(lines, 1):
        cells = [cell.strip() for cell in text.split(",")]
        kind, told = cells[0], ""
        if not text.strip(" ,\t\x1a") and (begun or not strict):
            continue
        if kind == "100":
            if cells[1:2] != [FLOW]:
                raise UnableToDecodeFile(
                    "WRONG_FLOW", f"line {number}: the 100 record says {''.join(cells[1:2])[:20]}, not {FLOW}"
                )
            if strict and (begun or not words.is_instant("".join(cells[2:3]))):
                raise malformed(number, "a second 100 record" if begun else f"{''.join(cells[2:3])[:20]} is no time")
            created, begun = words.instant("".join(cells[2:3])), True
            created = created if common.parsed(created) else ""
        elif strict and not begun:
            raise malformed(number, "the file does not begin with a 100 record")
        elif strict and ended:
            raise malformed(number, f"a {kind[:20]} record behind the 900 record")
        elif kind == "900":
            ended = True
        elif kind == "250":
            metered = True
            told = yield from _record(number, cells, created)
        elif kind == "550":
            told = "" if metered else "a 550 record without a 250 record before it"
        else:
            told = f"{kind[:20]} is no record of {FLOW}"
        if told:
            if strict:
                raise malformed(number, told)
            yield {"flow": FLOW, "line": str(number), "version": common.version(created), "status": "I", "doubt": told}
    if strict and not ended:
        raise malformed(number, "the file does not end with a 900 record")


def _record(line: int, cells: list[str], created: str) -> Generator[Row, None, str]:
    """Yield both readings of a 250 record; return what is wrong with it, "" for nothing."""
    if len(cells) < FIELDS_MIN:
        return f"{len(cells)} fields instead of {FIELDS_MIN} or more"
    unit, quantity = cells[UNIT], cells[QUANTITY]
    if wrong := next((cells[at] for _, at in ENDS if common.number(cells[at]) is None), None):
        return f"{wrong[:20]!r} is no index"
    if wrong := next((cells[at + 1] for _, at in ENDS if not words.is_instant(cells[at + 1])), None):
        return f"{wrong[:20]} is no time of a reading"
    if wrong := next((cells[at + 2] for _, at in ENDS if not words.QUALITY.fullmatch(cells[at + 2])), None):
        return f"{wrong[:20]} is no quality"
    if not cells[1] or (quantity and common.number(quantity) is None):
        return "a 250 record without a point" if not cells[1] else f"{quantity[:20]!r} is no quantity"
    factor, base = unit_of(unit)
    updated = words.instant(cells[UPDATED]) if words.is_instant(cells[UPDATED]) else created
    known = words.register(cells[4], unit, cells[7]) | {
        "flow": FLOW,
        "point": cells[1],
        "created_at": created,
        "version": common.version(updated),
        "line": str(line),
        "unit": base,
        "status": "I",
        "meter": cells[6],
    }
    before, now, said = (common.number(cells[ENDS[0][1]]), common.number(cells[ENDS[1][1]]), common.number(quantity))
    assert before is not None
    assert now is not None
    rolls_over = ""
    odd = ""
    if said is not None:
        if now < before and said >= 0:
            rolls_over = scaled(common.plain(before + said - now), factor)
        elif abs(now - before - said) > 0:
            odd = f"the quantity is {quantity}, but the readings are {common.plain(now - before)} apart"
    for name, at in ENDS:
        quality, reason = cells[at + 2], cells[at + 3]
        value = scaled(cells[at], factor)
        yield (
            known
            | {
                "at": words.instant(cells[at + 1]),
                "value": value,
                "truncated": common.truncated(value, base),
                "rolls_over_at": rolls_over if name == "current" else "",
                "nature": words.NATURES.get(quality[0], ""),
                "reason": f"{name} {quality}{f'/{reason}' if reason else ''}",
                "warning": odd if name == "current" else "",
            }
            | ({"told": scaled(quantity, factor)} if name == "current" and said is not None else {})
        )
    return ""
