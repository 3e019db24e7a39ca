"""The JSON flows R64 and R67 as records, and which flow a measure is of: it shows in its shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.json_members import items, text
from pipelines.mediation.enedis.json_points import c68_events
from pipelines.mediation.enedis.json_series import r63_intervals, r65_quantities, r66_readings
from schemas.energy import RecordKind

GRID = {"Distributeur": "distributor", "Fournisseur": "supplier", "D": "distributor", "F": "supplier"}
ROLE = {"AV": "before", "AS": "after", "AP": "after"}
"""Readings around a reprogramming: what is counted ends with the one before, and begins with the last one after."""


def r64_readings(measure: dict[str, Any], line: int, created: str) -> Iterator[Row]:
    """Yield the indexes of a point: of both grids, and of the dial that counts everything."""
    for context in items(measure, "contexte"):
        kind = text(context, "typeReleve")
        for quantity in items(context, "grandeur"):
            known = {
                "flow": "R64",
                "point": text(measure, "idPrm"),
                "line": str(line),
                "created_at": words.instant(created) if created else "",
                "version": words.version(created),
                "measure": text(quantity, "grandeurPhysique"),
                "direction": _direction(quantity),
                "nature": "R",
                "status": "I",
                "role": ROLE.get(kind, ""),
                "reason": text(context, "motifReleve") or kind,
            }
            unit = text(quantity, "unite")
            for calendar in items(quantity, "calendrier"):
                grid, code = text(calendar, "libelleGrille"), text(calendar, "idCalendrier")
                for time_class in items(calendar, "classeTemporelle"):
                    yield from _values(
                        time_class,
                        unit,
                        known
                        | {
                            "grid": GRID.get(grid, grid),
                            "calendar": code,
                            "time_class": text(time_class, "idClasseTemporelle"),
                            "doubt": words.doubt_of(code),
                        },
                    )
            total = quantity.get("cadranTotalisateur")
            if isinstance(total, dict):
                yield from _values(total, unit, known)


def _values(dial: dict[str, Any], unit: str, known: Row) -> Iterator[Row]:
    for found in items(dial, "valeur"):
        value, read = words.scaled(text(found, "v"), unit)
        doubtful = text(found, "iv")
        yield known | {
            "at": words.instant(text(found, "d")),
            "dial": text(dial, "codeCadran"),
            "unit": read,
            "value": value,
            "truncated": words.truncated(value, read),
            "doubt": known.get("doubt", "") or ("" if doubtful in ("", "0") else f"iv is {doubtful}"),
        }


def r67_quantities(measure: dict[str, Any], line: int, _: str) -> Iterator[Row]:
    """Yield the energies that were billed of a point."""
    for context in items(measure, "contexte"):
        for quantity in items(context, "grandeur"):
            for calendar in items(quantity, "calendrier"):
                grid = text(calendar, "codeGrille") or text(calendar, "libelleGrille")
                code = text(calendar, "codeCalendrier")
                for time_class in items(calendar, "classeTemporelle"):
                    for found in items(time_class, "quantite"):
                        created, status = text(found, "dateCreation"), text(found, "codeStatut")
                        value, unit = words.energy(text(found, "quantite"), text(quantity, "unite"))
                        yield {
                            "flow": "R67",
                            "point": text(measure, "idPrm"),
                            "line": str(line),
                            "created_at": words.instant(created),
                            "version": words.version(created, status),
                            "start": words.instant(text(found, "dbtMesure")),
                            "end": words.instant(text(found, "finMesure")),
                            "grid": GRID.get(grid, grid),
                            "calendar": code,
                            "time_class": text(time_class, "idClasseTemporelle"),
                            "measure": "consumption" if text(quantity, "grandeurPhysique") == "EA"
                            else text(quantity, "grandeurPhysique"),
                            "direction": _direction(quantity),
                            "unit": unit,
                            "value": value,
                            "net": "0" if status == "A" else value,
                            "nature": text(found, "codeNature"),
                            "status": status,
                            "reason": text(context, "idMotifReleve"),
                            "doubt": words.doubt_of(code),
                        }  # fmt: skip


def _direction(quantity: dict[str, Any]) -> str:
    said = text(quantity, "grandeurMetier")
    return words.DIRECTION.get(said, said)


def shape_of(measure: dict[str, Any]) -> str:
    """Return which flow a measure is of by what its time classes or points hold, "" for another one."""
    if "situationsContractuelles" in measure:
        return "C68"
    if "grandeur" in measure:
        return _series_of(measure)
    for context in items(measure, "contexte"):
        for quantity in items(context, "grandeur"):
            if "cadranTotalisateur" in quantity:
                return "R64"
            for calendar in items(quantity, "calendrier"):
                for time_class in items(calendar, "classeTemporelle"):
                    if "quantite" in time_class:
                        return "R67"
                    if "valeur" in time_class:
                        return "R64"
    return ""


def is_empty(measure: dict[str, Any]) -> bool:
    """Return whether a measure says that there is nothing."""
    if measure.get("contexte") == []:
        return True
    quantities = measure.get("grandeur")
    return isinstance(quantities, list) and all(
        isinstance(quantity, dict) and quantity.get("points") == [] for quantity in quantities
    )


def _series_of(measure: dict[str, Any]) -> str:
    """Return which flow of points in time: steps are those of curves, largest powers have units of power."""
    for quantity in items(measure, "grandeur"):
        points = list(items(quantity, "points"))
        if not points:
            continue
        if any("p" in point for point in points):
            return "R63"
        if text(quantity, "grandeurPhysique").startswith("PMA"):
            return "R66"
        return "R65" if text(quantity, "unite") in words.UNITS else ""
    return ""


Walk = Callable[[dict[str, Any], int, str], Iterator[Row]]
JSON_FLOWS: dict[str, dict[RecordKind, Walk]] = {
    "R64": {"readings": r64_readings},
    "R67": {"quantities": r67_quantities},
    "R63": {"intervals": r63_intervals},
    "R65": {"quantities": r65_quantities},
    "R66": {"readings": r66_readings},
    "C68": {"events": c68_events},
}
