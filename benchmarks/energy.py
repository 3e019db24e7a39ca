"""The flows of `octroi bench energy`: how each is generated, which source reads it, and a recount by other code."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.generate.draws import below, draw
from benchmarks.generate.meters import prm_numbers, write_meters
from benchmarks.generate.rows import write_atomically

PARIS = ZoneInfo("Europe/Paris")
BEGIN = datetime(2026, 10, 1, tzinfo=PARIS)
DAYS = 31
STEP = timedelta(minutes=30)
STEPS = DAYS * 48 + 2
"""Of October, whose last Sunday has 25 hours."""
STEPS_PER_WH = 1000
MILLIWATT_HOURS_PER_WATT = 500
"""What a watt comes to in half an hour: quantities count in thousandths of a Wh."""
POINTS_PER_FILE = 50
WATTS, WATTS_STREAM = 9000, 61


@dataclass(frozen=True, slots=True)
class EnergyFlow:
    """One flow.

    Attributes:
        name: after `energy.`. source: the ready-made source that reads it, "" for R151 by its own format.
        unit: what is counted. records: how many of these unless asked otherwise. target: per second and core.
        write: (directory, records, seed) -> zipped files in order. recount: -> (records, sum of quantities or indexes).
    """

    name: str
    source: str
    unit: str
    records: int
    target: int
    write: Callable[[Path, int, int], Sequence[Path]]
    recount: Callable[[Sequence[Path]], tuple[int, int]]


def _zipped(path: Path, pieces: Iterator[bytes], name: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive, archive.open(name, "w") as file:
        for piece in pieces:
            file.write(piece)
    return path


def write_r151(directory: Path, records: int, seed: int) -> Sequence[Path]:
    """Write R151 of so many days of points, one file a day and 3000 points, zipped."""
    days = 4
    plain = write_meters(directory / "plain", meters=-(-records // (days + 1)), seed=seed, days=days, faults=False)
    found = []
    for path in plain:
        found.append(_zipped(directory / f"{path.stem}.zip", iter([path.read_bytes()]), path.name))
        path.unlink()
    return found


def recount_r151(files: Sequence[Path]) -> tuple[int, int]:
    """Return how many days of points there are, and the sum of the supplier's indexes."""
    days = total = 0
    for text in _texts(files):
        days += text.count("<Donnees_Releve>")
        total += sum(
            int(value) for value in re.findall(r"<Classe_Temporelle>(?:(?!</Classe_T).)*?<Valeur>(\d+)<", text, re.S)
        )
    return days, total * STEPS_PER_WH


def stamps() -> list[datetime]:
    """Return the end of each half hour of the month, in Paris."""
    begin = BEGIN.astimezone(UTC)
    return [(begin + STEP * (step + 1)).astimezone(PARIS) for step in range(STEPS)]


def write_r50(directory: Path, records: int, seed: int) -> Sequence[Path]:
    """Write R50 of a month of half hours of each point, 50 points a file, zipped."""
    directory.mkdir(parents=True, exist_ok=True)
    ends = [f"<PDC><H>{end.isoformat()}</H><V>" for end in stamps()]
    head = (
        "<?xml version='1.0' encoding='UTF-8'?>\n<R50><En_Tete_Flux><Identifiant_Flux>R50</Identifiant_Flux>"
        "<Date_Creation>2026-11-02T03:00:00+01:00</Date_Creation><Pas_Publication>30</Pas_Publication></En_Tete_Flux>\n"
    )

    def pieces(points: range) -> Iterator[bytes]:
        yield head.encode()
        for point in points:
            watts = _watts(point, seed)
            inside = "".join(f"{end}{power}</V><IV>0</IV></PDC>\n" for end, power in zip(ends, watts, strict=True))
            yield (
                f"<PRM><Id_PRM>{_prm(point)}</Id_PRM><Donnees_Releve><Date_Releve>2026-10-01</Date_Releve>{inside}"
                "</Donnees_Releve></PRM>\n"
            ).encode()
        yield b"</R50>\n"

    return _files(directory, records, "R50", "xml", pieces)


def write_r63(directory: Path, records: int, seed: int) -> Sequence[Path]:
    """Write R63 of a month of half hours of each point, 50 points a file, zipped."""
    directory.mkdir(parents=True, exist_ok=True)
    ends = [f'","d":"{end:%Y-%m-%d %H:%M:%S}","p":"PT30M","n":"B","iv":0}}' for end in stamps()]

    def pieces(points: range) -> Iterator[bytes]:
        yield b'{"header":{"codeFlux":"R63","format":"JSON"},"mesures":['
        for place, point in enumerate(points):
            watts = _watts(point, seed)
            inside = ",".join(f'{{"v":"{power}{end}' for end, power in zip(ends, watts, strict=True))
            said = {"idPrm": _prm(point), "etapeMetier": "BRUT", "modeCalcul": "MESURE"}
            quantity = '{"grandeurMetier":"CONS","grandeurPhysique":"PA","unite":"W","points":['
            yield f'{"," if place else ""}{json.dumps(said)[:-1]},"grandeur":[{quantity}{inside}]}}]}}'.encode()
        yield b"]}"

    return _files(directory, records, "R63", "json", pieces)


def _files(
    directory: Path, records: int, flow: str, ending: str, pieces: Callable[[range], Iterator[bytes]]
) -> Sequence[Path]:
    points = -(-records // STEPS)
    return [
        _zipped(
            directory / f"{flow}_{number:05}.zip",
            pieces(range(number * POINTS_PER_FILE, min(points, (number + 1) * POINTS_PER_FILE))),
            f"{flow}_{number:05}.{ending}",
        )
        for number in range(-(-points // POINTS_PER_FILE))
    ]


def _prm(point: int) -> str:
    return f"{int(prm_numbers(np.array([point], np.int64))[0]):014}"


def _watts(point: int, seed: int) -> list[int]:
    index = np.arange(point * STEPS, (point + 1) * STEPS, dtype=np.int64)
    found: list[int] = below(draw(seed, WATTS_STREAM, index), WATTS).tolist()
    return found


def recount_r50(files: Sequence[Path]) -> tuple[int, int]:
    """Return how many steps there are, and what they come to."""
    found = [int(value) for text in _texts(files) for value in re.findall(r"<V>(\d+)</V>", text)]
    return len(found), sum(found) * MILLIWATT_HOURS_PER_WATT


def recount_r63(files: Sequence[Path]) -> tuple[int, int]:
    """Return how many steps there are, and what they come to."""
    found = [
        int(point["v"])
        for text in _texts(files)
        for measure in json.loads(text)["mesures"]
        for quantity in measure["grandeur"]
        for point in quantity["points"]
    ]
    return len(found), sum(found) * MILLIWATT_HOURS_PER_WATT


def _texts(files: Sequence[Path]) -> Iterator[str]:
    for path in files:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name).decode()


def write_large(path: Path, size: int, seed: int) -> tuple[int, int]:
    """Write one R63 file of about so many bytes, not zipped; return how many steps it has, and what they come to."""
    [sample] = write_r63(path.parent / "sample", POINTS_PER_FILE * STEPS, seed)
    [text] = _texts([sample])
    count, total = recount_r63([sample])
    begin = text.index("[") + 1
    head, body, times = text[:begin].encode(), text[begin:-2].encode(), max(1, size // len(text))
    write_atomically(path, (piece for n in range(times) for piece in ((b"," if n else head), body)))
    with path.open("ab") as file:
        file.write(b"]}")
    return count * times, total * times


MILLION = 1_000_000
FLOWS = {
    flow.name: flow
    for flow in (
        EnergyFlow("r151", "", "PRM-days", 60_000, 40_000, write_r151, recount_r151),
        EnergyFlow("r50", "enedis_r50", "points", 2 * MILLION, MILLION, write_r50, recount_r50),
        EnergyFlow("r63", "enedis_curves", "points", 2 * MILLION, MILLION, write_r63, recount_r63),
    )
}
"""By name."""
