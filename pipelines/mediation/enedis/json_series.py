"""The JSON flows of points in time as records: R63 load curves, R65 daily energies, R66 daily largest powers.

Instants are of Paris, without an offset: of the hour that comes twice in autumn, only the order tells which is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.json_members import items, text

STEP = re.compile(r"PT(\d{1,2})(M|H)", re.ASCII)
SECONDS = {"M": 60, "H": 3600}
DAY = timedelta(days=1)
STARTS = (5, 10)
"""Minutes of the steps of large points, which are stamped at their start, where nothing else tells."""
MEASURES = {"EA": "consumption", "PA": "consumption"}


def r63_intervals(measure: dict[str, Any], line: int, created: str) -> Iterator[Row]:
    """Yield the steps of the curves of a point: of small points stamped at their end, of large ones at their start."""
    known = curve_known(measure, line, created)
    for quantity in items(measure, "grandeur"):
        unit, common = text(quantity, "unite"), known | quantity_known(quantity)
        ends = stamped_at_end(quantity, known["stage"])
        before: datetime | None = None
        for point in items(quantity, "points"):
            stamp, state = text(point, "d"), text(point, "n")
            doubtful, more = text(point, "iv"), text(point, "ec")
            step_s = step_seconds(text(point, "p"))
            at = words.after(stamp, before)
            before = at or before
            start, end = _step(stamp, at, step_s, ends=ends)
            yield (
                common
                | words.counted(text(point, "v"), unit, step_s)
                | {
                    "start": start,
                    "end": end,
                    "step_s": str(step_s) if step_s else text(point, "p"),
                    "quality": "+".join(filter(None, (state, text(point, "tc")))),
                    "nature": words.POINT_NATURES.get(state, ""),
                    "doubt": words.curve_doubt(doubtful, more),
                }
            )


def curve_known(measure: dict[str, Any], line: int, created: str) -> Row:
    """Return the columns that all points of a measure of R63 have."""
    stage = text(measure, "etapeMetier")
    known = _known("R63", measure, line, created) | {"stage": stage}
    return known | {"version": words.staged(known["version"], stage)}


def quantity_known(quantity: dict[str, Any]) -> Row:
    """Return the columns that all points of one curve have."""
    said, sense = text(quantity, "grandeurPhysique"), text(quantity, "grandeurMetier")
    return {"measure": words.CURVES.get(said, said), "direction": words.DIRECTION.get(sense, sense)}


def _step(stamp: str, at: datetime | None, step_s: int, *, ends: bool) -> tuple[str, str]:
    if at is None or not step_s:
        return stamp, stamp
    step = timedelta(seconds=step_s)
    try:
        return (words.written(at - step), words.written(at)) if ends else (words.written(at), words.written(at + step))
    except OverflowError:
        return stamp, stamp


def step_seconds(said: str) -> int:
    """Return the seconds of a step such as PT30M, 0 for none."""
    found = STEP.fullmatch(said)
    return int(found[1]) * SECONDS[found[2]] if found else 0


def stamped_at_end(quantity: dict[str, Any], stage: str) -> bool:
    """Return whether a curve is one of a small point: what only Linky meters have says so, then the step."""
    step = 0
    for point in items(quantity, "points"):
        state = text(point, "n")
        if state == "B" or text(point, "iv") or text(point, "ec"):
            return True
        if state == "R" or text(point, "tc"):
            return False
        step = step or step_seconds(text(point, "p")) // 60
    return stage != "BEST" and step not in STARTS


def r65_quantities(measure: dict[str, Any], line: int, created: str) -> Iterator[Row]:
    """Yield the energies of days."""
    stage = text(measure, "etapeMetier")
    known = _known("R65", measure, line, created)
    for quantity in items(measure, "grandeur"):
        said, sense = text(quantity, "grandeurPhysique"), text(quantity, "grandeurMetier")
        for point in items(quantity, "points"):
            day = text(point, "d")
            start, end = _day(day)
            value, unit = words.energy(text(point, "v"), text(quantity, "unite"))
            yield known | {
                "version": words.staged(known["version"], stage),
                "start": start,
                "end": end,
                "measure": MEASURES.get(said, said),
                "direction": words.DIRECTION.get(sense, sense),
                "unit": unit,
                "value": value,
                "net": value,
                "nature": "R",
                "status": "I",
                "reason": text(measure, "modeCalcul"),
            }


def _day(said: str) -> tuple[str, str]:
    """Return (start, end) of a day in Paris, or the text itself twice."""
    start = words.parsed(said)
    if start is None:
        return said, said
    local = start.astimezone(words.PARIS)
    try:
        return words.written(start), words.instant((local + DAY).date().isoformat())
    except OverflowError:
        return said, said


def r66_readings(measure: dict[str, Any], line: int, created: str) -> Iterator[Row]:
    """Yield the largest powers of days, at the instants at which they were reached."""
    known = _known("R66", measure, line, created)
    for quantity in items(measure, "grandeur"):
        sense = text(quantity, "grandeurMetier")
        for point in items(quantity, "points"):
            yield known | {
                "at": words.instant(text(point, "d")),
                "measure": text(quantity, "grandeurPhysique"),
                "direction": words.DIRECTION.get(sense, sense),
                "unit": text(quantity, "unite"),
                "value": text(point, "v"),
                "nature": "R",
                "status": "I",
                "reason": text(measure, "modeCalcul"),
            }


def _known(flow: str, measure: dict[str, Any], line: int, created: str) -> Row:
    return {
        "flow": flow,
        "point": text(measure, "idPrm"),
        "line": str(line),
        "created_at": words.instant(created) if created else "",
        "version": words.version(created) if created else words.UNDATED,
    }
