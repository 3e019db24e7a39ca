"""Recount of R151 readings: consumption is the difference of consecutive indexes of one register."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import polars as pl

from benchmarks.recount.result import Recount
from benchmarks.recount.rules import read_rules
from benchmarks.recount.stages import Decoded, attribute, total

_PARIS = ZoneInfo("Europe/Paris")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS_PER_WH = 1000
_ELEMENTS = {"supplier": "Classe_Temporelle", "distributor": "Classe_Temporelle_Distributeur"}
_UNKNOWN = ("INCONNU", "DN999999")
_CALENDARS = {"supplier": "Id_Calendrier_Fournisseur", "distributor": "Id_Calendrier_Distributeur"}


def recount_meters(files: Sequence[Path], catalog: Path, *, source: str = "meters") -> Recount:
    """Recount R151 files, read in the given order, with the source definition `source` of a catalog directory."""
    rules = read_rules(catalog)
    document = rules.sources[source]
    grid = document.get("grid", "supplier")
    decoded = Decoded(pl.DataFrame(), ("class",), 0)
    rows = [reading for path in files for reading in _readings(path, grid, decoded)]
    schema = {
        "access_point": pl.String, "calendar": pl.String, "class": pl.String, "read_at": pl.Int64, "index": pl.Int64,
    }  # fmt: skip
    readings = pl.DataFrame(rows, schema=schema, orient="row")
    # a reading closes a period, so it belongs to whoever owned the instant before
    owned, refused = attribute(readings, rules, pl.col("read_at") - 1)
    decoded.rejected.update(refused)
    registers: dict[Any, tuple[int, int]] = {}
    seen: dict[Any, int] = {}
    duplicates = absorbed = 0
    consumed = []
    for point, calendar, name, read_at, index, subscription in owned.iter_rows():
        register = (point, name)
        identity = (point, calendar, name, read_at)
        if identity in seen:
            if seen[identity] == index:
                duplicates += 1
            else:
                decoded.rejected["SAME_KEY_OTHER_CONTENT"] += 1
            continue
        previous = registers.get(register) or rules.openings.get((point, f"{grid}/{name}"))
        if previous is not None and read_at <= previous[0]:
            decoded.parked["READING_OUT_OF_ORDER"] += 1
            continue
        if previous is not None and index < previous[1]:
            decoded.rejected["INDEX_DECREASED"] += 1
            continue
        seen[identity] = index
        registers[register] = (read_at, index)
        if previous is None:
            absorbed += 1
        else:
            consumed.append((subscription, document["event_type"], previous[0], index - previous[1], name))
    events = pl.DataFrame(
        consumed,
        schema={
            "subscription": pl.Int64, "event_type": pl.String, "event_at": pl.Int64, "quantity": pl.Int64,
            "class": pl.String,
        },
        orient="row",
    )  # fmt: skip
    return total(decoded, events, rules, duplicates=duplicates, absorbed=absorbed)


def _readings(path: Path, grid: str, decoded: Decoded) -> Iterator[tuple[str, str, str, int, int]]:
    """Yield (PRM, calendar, class, instant, index in base steps) of the grid; count the rest in `decoded`."""
    for _, element in ET.iterparse(path):
        if element.tag != "PRM":
            continue
        prm = element.findtext("Id_PRM", "")
        for day in element.iter("Donnees_Releve"):
            # the index of a day is read at its end, which is the next midnight in Paris
            date = datetime.fromisoformat(day.findtext("Date_Releve", ""))
            midnight = (date + timedelta(days=1)).replace(tzinfo=_PARIS)
            read_at = (midnight - _EPOCH) // timedelta(microseconds=1)
            for kind, tag in _ELEMENTS.items():
                for register in day.iter(tag):
                    decoded.records += 1
                    if kind != grid:
                        decoded.filtered += 1
                    elif register.findtext("Indice_Vraisemblance") == "1" or day.findtext(_CALENDARS[kind]) in _UNKNOWN:
                        decoded.parked["DOUBTFUL_READING"] += 1
                    else:
                        index = int(register.findtext("Valeur", "")) * _STEPS_PER_WH
                        name = register.findtext("Id_Classe_Temporelle", "")
                        yield prm, day.findtext(_CALENDARS[kind], ""), name, read_at, index
            powers = sum(1 for _ in day.iter("Puissance_Maximale"))
            decoded.records += powers
            decoded.filtered += powers
        element.clear()
