"""The JSON flows R64 and R67 as records. Which of them a measure is shows in its shape: values, or quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipelines.mediation.enedis import words
from pipelines.mediation.failures import UnableToDecodeFile
from schemas.energy import RecordKind

Row = dict[str, str]
GRID = {"Distributeur": "distributor", "Fournisseur": "supplier", "D": "distributor", "F": "supplier"}
ROLE = {"AV": "before", "AS": "after", "AP": "after"}
"""Readings around a reprogramming: what is counted ends with the one before, and begins with the last one after."""


def _items(holder: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of an array; nothing where there is none.

    Raises:
        UnableToDecodeFile: WRONG_FLOW when something else stands there, which must not pass unseen.
    """
    found = holder.get(name)
    for item in found if isinstance(found, list) else () if found is None else (found,):
        if not isinstance(found, list) or not isinstance(item, dict):
            raise UnableToDecodeFile("WRONG_FLOW", f"{name} is no array of objects")
        yield item


def _text(holder: dict[str, Any], name: str) -> str:
    """Return the text of a member, "" where there is none; numbers as they are written."""
    value = holder.get(name)
    return "" if value is None or isinstance(value, dict | list) else str(value)


def r64_readings(measure: dict[str, Any], line: int) -> Iterator[Row]:
    """Yield the indexes of a point: of both grids, and of the dial that counts everything."""
    for context in _items(measure, "contexte"):
        kind = _text(context, "typeReleve")
        for quantity in _items(context, "grandeur"):
            known = {
                "flow": "R64",
                "point": _text(measure, "idPrm"),
                "line": str(line),
                "version": words.version(""),
                "measure": _text(quantity, "grandeurPhysique"),
                "direction": _direction(quantity),
                "nature": "R",
                "status": "I",
                "role": ROLE.get(kind, ""),
                "reason": _text(context, "motifReleve") or kind,
            }
            unit = _text(quantity, "unite")
            for calendar in _items(quantity, "calendrier"):
                grid, code = _text(calendar, "libelleGrille"), _text(calendar, "idCalendrier")
                for time_class in _items(calendar, "classeTemporelle"):
                    yield from _values(
                        time_class,
                        unit,
                        known
                        | {
                            "grid": GRID.get(grid, grid),
                            "calendar": code,
                            "time_class": _text(time_class, "idClasseTemporelle"),
                            "doubt": words.doubt_of(code),
                        },
                    )
            total = quantity.get("cadranTotalisateur")
            if isinstance(total, dict):
                yield from _values(total, unit, known)


def _values(dial: dict[str, Any], unit: str, known: Row) -> Iterator[Row]:
    for found in _items(dial, "valeur"):
        value, read = words.scaled(_text(found, "v"), unit)
        doubtful = _text(found, "iv")
        yield known | {
            "at": words.instant(_text(found, "d")),
            "dial": _text(dial, "codeCadran"),
            "unit": read,
            "value": value,
            "truncated": words.truncated(value, read),
            "doubt": known.get("doubt", "") or ("" if doubtful in ("", "0") else f"iv is {doubtful}"),
        }


def r67_quantities(measure: dict[str, Any], line: int) -> Iterator[Row]:
    """Yield the energies that were billed of a point."""
    for context in _items(measure, "contexte"):
        for quantity in _items(context, "grandeur"):
            for calendar in _items(quantity, "calendrier"):
                grid = _text(calendar, "codeGrille") or _text(calendar, "libelleGrille")
                code = _text(calendar, "codeCalendrier")
                for time_class in _items(calendar, "classeTemporelle"):
                    for found in _items(time_class, "quantite"):
                        created, status = _text(found, "dateCreation"), _text(found, "codeStatut")
                        value, unit = words.energy(_text(found, "quantite"), _text(quantity, "unite"))
                        yield {
                            "flow": "R67",
                            "point": _text(measure, "idPrm"),
                            "line": str(line),
                            "created_at": words.instant(created),
                            "version": words.version(created, status),
                            "start": words.instant(_text(found, "dbtMesure")),
                            "end": words.instant(_text(found, "finMesure")),
                            "grid": GRID.get(grid, grid),
                            "calendar": code,
                            "time_class": _text(time_class, "idClasseTemporelle"),
                            "measure": "consumption" if _text(quantity, "grandeurPhysique") == "EA"
                            else _text(quantity, "grandeurPhysique"),
                            "direction": _direction(quantity),
                            "unit": unit,
                            "value": value,
                            "net": "0" if status == "A" else value,
                            "nature": _text(found, "codeNature"),
                            "status": status,
                            "reason": _text(context, "idMotifReleve"),
                            "doubt": words.doubt_of(code),
                        }  # fmt: skip


def _direction(quantity: dict[str, Any]) -> str:
    said = _text(quantity, "grandeurMetier")
    return words.DIRECTION.get(said, said)


def shape_of(measure: dict[str, Any]) -> str:
    """Return which flow a measure is of by what its time classes hold, "" for another one."""
    for context in _items(measure, "contexte"):
        for quantity in _items(context, "grandeur"):
            if "cadranTotalisateur" in quantity:
                return "R64"
            for calendar in _items(quantity, "calendrier"):
                for time_class in _items(calendar, "classeTemporelle"):
                    if "quantite" in time_class:
                        return "R67"
                    if "valeur" in time_class:
                        return "R64"
    return ""


Walk = Callable[[dict[str, Any], int], Iterator[Row]]
JSON_FLOWS: dict[str, dict[RecordKind, Walk]] = {
    "R64": {"readings": r64_readings},
    "R67": {"quantities": r67_quantities},
}
