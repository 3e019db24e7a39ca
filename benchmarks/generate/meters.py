"""Electricity index readings as XML in the R151 shape: one file per day and per 3000 meters.

A meter keeps two grids of registers at once: HP and HC for the supplier, four seasonal classes for the distributor, and
its highest power of the day. Structure and element names follow the public R151 guide and schema; every value is
invented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.generate.draws import bits, draw
from benchmarks.generate.period import MONTH_DAYS
from benchmarks.generate.rows import Layout, Rows, number, put_number, put_padded, text_of, words, write_atomically
from schemas.arrays import Int64Array

METERS_PER_FILE = 3000
"""What one daily R151 file holds at most."""
METERS_MAX = 10_000_000
SUPPLIER_CLASSES = ("HP", "HC")
DISTRIBUTOR_CLASSES = ("HPH", "HCH", "HPB", "HCB")
FIRST_READING = datetime(2026, 9, 30, tzinfo=UTC)
"""Date of the first reading, the index at the end of September: the month's consumption starts from it."""
DOUBTFUL_EVERY = 211
MISSING_EVERY = 307
ABERRANT_EVERY = 9973
"""Each so-many-th index, of a register that is billed, is half of what it should be: it decreases."""
_PRM_PREFIX = 9 * 10**12
_DISTRIBUTOR_CALENDAR = "Avec différenciation temporelle et saisonnière"
_LABELS = {
    "HP": "Heures Pleines",
    "HC": "Heures Creuses",
    "HPH": "Heures Pleines Hiver / Saison Haute",
    "HCH": "Heures Creuses Hiver / Saison Haute",
    "HPB": "Heures Pleines Saison Basse",
    "HCB": "Heures Creuses Saison Basse",
}


def prm_numbers(meter: Int64Array) -> Int64Array:
    """Return (n,) the 14-digit identifier of each meter, to be written with leading zeros."""
    return _PRM_PREFIX + (meter * 73_687_871 + 12_345_678_901) % 10**12


def _class_parts(element: str, name: str, rank: int, break_: str) -> list[str | tuple[str, int]]:
    label = f"<Libelle_Classe_Temporelle>{_LABELS[name]}</Libelle_Classe_Temporelle>"
    return [
        f"<{element}><Id_Classe_Temporelle>{name}</Id_Classe_Temporelle>{label}<Rang_Cadran>{rank}</Rang_Cadran><Valeur>",
        *number(name, 3),
        "</Valeur><Indice_Vraisemblance>",
        (f"{name}_doubt", 1),
        f"</Indice_Vraisemblance></{element}>{break_}",
    ]


def _layout(date: str, *, pretty: bool, measured: bool) -> Layout:
    nl = "\n" if pretty else ""
    parts: list[str | tuple[str, int]] = ["<PRM><Id_PRM>09", *number("prm", 3), f"</Id_PRM>{nl}<Donnees_Releve>"]
    parts += [f"<Date_Releve>{date}</Date_Releve>{nl}"]
    if measured:
        parts += [
            f"<Id_Calendrier_Fournisseur>FC000012</Id_Calendrier_Fournisseur>{nl}",
            f"<Libelle_Calendrier_Fournisseur>Heures Pleines/Creuses</Libelle_Calendrier_Fournisseur>{nl}",
            f"<Id_Calendrier_Distributeur>DI000003</Id_Calendrier_Distributeur>{nl}",
            f"<Libelle_Calendrier_Distributeur>{_DISTRIBUTOR_CALENDAR}</Libelle_Calendrier_Distributeur>{nl}",
        ]
        for rank, name in enumerate(DISTRIBUTOR_CLASSES, 1):
            parts += _class_parts("Classe_Temporelle_Distributeur", name, rank, nl)
        for rank, name in enumerate(SUPPLIER_CLASSES, 1):
            parts += _class_parts("Classe_Temporelle", name, rank, nl)
        parts += ["<Puissance_Maximale><Valeur>", *number("power", 2), f"</Valeur></Puissance_Maximale>{nl}"]
    parts += [f"</Donnees_Releve>{nl}</PRM>\n"]
    return Layout.of(*parts)


def write_meters(
    directory: Path,
    *,
    meters: int,
    seed: int,
    days: int = MONTH_DAYS,
    pretty: bool = False,
    faults: bool = True,
    on_records: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `R151_DDD_NNNNN.xml` files, days + 1 readings per register; return them in the order in which to read them.

    Args:
        directory: made when absent.
        meters: how many; each has six registers, of which two are billed.
        seed: the same seed gives the same bytes.
        days: days of consumption, from 1 October 2026.
        pretty: one element per line, as distributors write it; otherwise one meter per line.
        faults: mark some readings as doubtful, halve some indexes and leave out some days.
        on_records: told how many indexes were written since the last call.
    """
    assert 0 < meters <= METERS_MAX
    state = _Meters(meters, seed, faults=faults)
    paths = []
    for day in range(days + 1):
        state.advance(day)
        for part in range(-(-meters // METERS_PER_FILE)):
            rows = np.arange(part * METERS_PER_FILE, min((part + 1) * METERS_PER_FILE, meters), dtype=np.int64)
            path = directory / f"R151_{day:03d}_{part + 1:05d}.xml"
            paths.append(write_atomically(path, state.pieces(day, rows, pretty=pretty)))
            if on_records is not None:
                on_records(len(rows) * (len(SUPPLIER_CLASSES) + len(DISTRIBUTOR_CLASSES)))
    return paths


class _Meters:
    """The registers of all meters, moved forward one day at a time."""

    def __init__(self, meters: int, seed: int, *, faults: bool) -> None:
        self._seed = seed
        self._faults = faults
        self._meter = np.arange(meters, dtype=np.int64)
        start = draw(seed, 20, self._meter)
        self._index = {
            name: bits(start, 10 * place, 10) * 23_011 + 1_000_000
            for place, name in enumerate(SUPPLIER_CLASSES + DISTRIBUTOR_CLASSES)
        }
        self._habit = bits(start, 60, 4) + 1
        self._power = np.zeros(meters, np.int64)

    def advance(self, day: int) -> None:
        """Add the consumption of day `day` - 1 (none before the first reading)."""
        use = draw(self._seed, 21, self._meter + day * METERS_MAX)
        self._power = 500 + bits(use, 48, 13)
        if day == 0:
            return
        high = bits(use, 0, 11) * self._habit
        low = bits(use, 11, 10) * self._habit
        for name, consumed in (("HP", high), ("HC", low), ("HPB", high), ("HCB", low)):
            self._index[name] += consumed

    def pieces(self, day: int, meter: Int64Array, *, pretty: bool) -> Iterator[bytes]:
        """Yield the text of one file: the readings of `meter` (n,) at the end of the day before day `day`."""
        date = FIRST_READING + timedelta(days=day)
        yield _header(date, pretty=pretty)
        text = date.strftime("%Y-%m-%d")
        missing = np.zeros(len(meter), np.bool_)
        if self._faults and day:
            missing = (meter + day * 131) % MISSING_EVERY == 0
        for measured in (True, False):
            chosen = meter[missing != measured]
            rows = _layout(text, pretty=pretty, measured=measured).rows(len(chosen))
            put_padded(rows, "prm", prm_numbers(chosen) - _PRM_PREFIX)
            if measured:
                self._fill(rows, day, chosen)
            yield text_of(rows)
        yield b"</R151>\n"

    def _fill(self, rows: Rows, day: int, meter: Int64Array) -> None:
        marks = words(["0", "1"], 1)
        for place, (name, index) in enumerate(self._index.items()):
            value = index[meter]
            if self._faults and day and place < len(SUPPLIER_CLASSES):
                value = np.where((meter * 7 + day * 29 + place) % ABERRANT_EVERY == 5, value // 2, value)
            put_number(rows, name, value)
            doubtful = (meter * 3 + day * 17 + place) % DOUBTFUL_EVERY == 0
            rows[f"{name}_doubt"] = marks[(doubtful & (day > 0) & self._faults).view(np.int8)]
        put_number(rows, "power", self._power[meter])


def _header(date: datetime, *, pretty: bool) -> bytes:
    nl = "\n" if pretty else ""
    created = (date + timedelta(days=2)).strftime("%Y-%m-%dT01:09:31Z")
    head = [
        "<Identifiant_Flux>R151</Identifiant_Flux>",
        "<Libelle_Flux>Puissances maximales et index des PRM du segment C5 sur abonnement</Libelle_Flux>",
        "<Version_XSD>V1</Version_XSD>",
        "<Identifiant_Emetteur>ERDF</Identifiant_Emetteur>",
        "<Identifiant_Destinataire>17X000000000000X</Identifiant_Destinataire>",
        f"<Date_Creation>{created}</Date_Creation>",
        "<Identifiant_Contrat>00000001</Identifiant_Contrat>",
        "<Numero_Abonnement>000000001</Numero_Abonnement>",
        "<Unite_Mesure_Index>Wh</Unite_Mesure_Index>",
        "<Unite_Mesure_Puissance>VA</Unite_Mesure_Puissance>",
    ]
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<R151><En_Tete_Flux>{nl}{nl.join(head)}{nl}</En_Tete_Flux>\n'
    return text.encode()
