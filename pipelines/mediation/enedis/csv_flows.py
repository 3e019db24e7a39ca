"""The CSV forms of R63, R64 and R67, with or without a title line: a run of lines is the measure that JSON would say.

Which one a file is shows in its columns. HDM files are told by their descriptions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, groupby, islice
from typing import Any, BinaryIO

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.csv_history import DIRECTIONS, MEASURES, POINT, history_rows
from pipelines.mediation.enedis.json_flows import JSON_FLOWS
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.text_lines import read_table
from schemas.energy import RecordKind

Cells = list[str]
CURVE_COLUMNS, INDEX_COLUMNS = 13, 19
RUN_MAX = 50_000
NATURES = {"r": "R", "e": "E", "c": "C", "i": "I"}
STATUSES = {"i": "I", "a": "A", "r": "R"}
SENSES = {"consumption": "CONS", "production": "PROD"}


def is_history(head: bytes) -> bool:
    """Return whether a file is a table of measures by its first cell."""
    first = head.lstrip(b"\xef\xbb\xbf \t\r\n").split(b";", 1)[0].strip(b'"')
    return first == POINT.encode() or (len(first) == 14 and first.isdigit())


def csv_rows(stream: BinaryIO, head: bytes, kind: RecordKind) -> Iterator[Row]:
    """Yield the records of one kind of a file, given from its first byte.

    Raises:
        UnableToDecodeFile: WRONG_FLOW, MALFORMED_HEADER, WRONG_ENCODING or RECORD_TOO_LONG.
    """
    lines = read_table(stream, head, ";", "utf-8-sig")
    first = next(lines, None)
    if first is None:
        return
    if first[1][0] == POINT and "Type de donnees" in first[1]:
        yield from history_rows(chain([first], lines), kind)
        return
    if first[1][0] != POINT:
        lines = chain([first], lines)
    sample = next(lines, None)
    if sample is None:
        return
    flow, measure_of = _flow_of(*sample)
    walk = JSON_FLOWS[flow].get(kind)
    if walk is None:
        raise UnableToDecodeFile("WRONG_FLOW", f"a table of the shape of {flow}, which has no {kind}")
    for _, run in groupby(chain([sample], lines), key=lambda item: item[1][:7]):
        while taken := list(islice(run, RUN_MAX)):
            for line, cells in taken:
                if len(cells) < len(sample[1]):
                    raise UnableToDecodeFile(
                        "WRONG_FLOW", f"line {line}: {len(cells)} columns instead of {len(sample[1])}"
                    )
            yield from walk(measure_of(taken), taken[0][0], "")


def _flow_of(line: int, cells: Cells) -> tuple[str, Callable[[list[tuple[int, Cells]]], dict[str, Any]]]:
    if len(cells) == CURVE_COLUMNS:
        return "R63", _curve
    if len(cells) == INDEX_COLUMNS:
        is_energy = words.parsed(cells[8]) is not None and words.parsed(cells[9]) is not None
        return ("R67", _energies) if is_energy else ("R64", _indexes)
    raise UnableToDecodeFile("WRONG_FLOW", f"line {line}: a table of {len(cells)} columns is of no known flow")


def _quantity(cells: Cells) -> dict[str, Any]:
    sense = DIRECTIONS.get(words.mended(cells[4]), "")
    return {
        "grandeurPhysique": MEASURES.get(words.mended(cells[3]), cells[3]),
        "grandeurMetier": SENSES.get(sense, cells[4]),
        "unite": cells[6],
    }


def _curve(run: list[tuple[int, Cells]]) -> dict[str, Any]:
    cells = run[0][1]
    points = [
        {"d": item[7], "v": item[8] or None, "n": item[9], "p": _step(item[10]), "iv": item[11] or None, "ec": item[12] or None}
        for _, item in run
    ]  # fmt: skip
    return {"idPrm": cells[0], "etapeMetier": cells[5], "grandeur": [_quantity(cells) | {"points": points}]}


def _step(said: str) -> str:
    return f"PT{said}M" if words.is_count(said) else said


def _indexes(run: list[tuple[int, Cells]]) -> dict[str, Any]:
    contexts = []
    for _, cells in run:
        dial = {"idClasseTemporelle": cells[14], "codeCadran": cells[16],
                "valeur": [{"d": cells[7], "v": cells[17], "iv": cells[18]}]}  # fmt: skip
        quantity = _quantity(cells)
        if cells[11]:
            held = {"libelleGrille": cells[11], "idCalendrier": cells[12], "classeTemporelle": [dial]}
            quantity["calendrier"] = [held]
        else:
            quantity["cadranTotalisateur"] = dial
        contexts.append({"typeReleve": cells[9], "motifReleve": cells[10], "grandeur": [quantity]})
    return {"idPrm": run[0][1][0], "contexte": contexts}


def _energies(run: list[tuple[int, Cells]]) -> dict[str, Any]:
    contexts = []
    for _, cells in run:
        found = {"dateCreation": cells[7], "dbtMesure": cells[8], "finMesure": cells[9], "quantite": cells[18],
                 "codeNature": _letter(NATURES, cells[16]), "codeStatut": _letter(STATUSES, cells[17])}  # fmt: skip
        time_class = {"idClasseTemporelle": cells[14], "quantite": [found]}
        held = {"libelleGrille": cells[12], "codeCalendrier": cells[13], "classeTemporelle": [time_class]}
        contexts.append({"idMotifReleve": cells[10], "grandeur": [_quantity(cells) | {"calendrier": [held]}]})
    return {"idPrm": run[0][1][0], "contexte": contexts}


def _letter(letters: dict[str, str], label: str) -> str:
    return letters.get(words.mended(label)[:1].casefold(), label)
