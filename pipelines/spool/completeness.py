"""What the names of files say about files that did not come: computed from the log, whenever somebody asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

DIGITS_MAX = 18
MISSING, MISSING_PARTS, PARTS_DIFFER, DUPLICATE, UNUSABLE, UNREADABLE_NAME = (
    "missing",
    "missing_parts",
    "parts_differ",
    "duplicate",
    "unusable",
    "unreadable_name",
)


@dataclass(frozen=True, slots=True)
class ArrivedFile:
    """A file that was claimed; `usable` when its records count: it is neither quarantined nor backed out."""

    claim: int
    name: str
    usable: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be in a stream of files.

    Attributes:
        stream: the texts that tell it apart, joined by "/".
        problem: `missing`, numbers that no file has; `missing_parts` of a number; `parts_differ`, the files of a number do
            not agree on how many they are; `duplicate`, several files with one place; `unusable`, a file without another in
            its place is quarantined or backed out; `unreadable_name`, one that does not fit the pattern.
        number_from, number_to: the numbers that are meant, None where names have none.
        part_from, part_to, parts: the parts that are meant, of how many; None where names have none.
        missing: how many files or numbers are missing.
        claims: the files themselves; of `missing` those of the numbers next to the gap.
        name: of the file, or of the first of them.
    """

    stream: str
    problem: str
    number_from: int | None = None
    number_to: int | None = None
    part_from: int | None = None
    part_to: int | None = None
    parts: int | None = None
    missing: int = 0
    claims: tuple[int, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A file whose name says its place: `number`, `part` and `parts` are None where the pattern names none."""

    file: ArrivedFile
    stream: str
    date: str
    number: int | None
    part: int | None
    parts: int | None


def find_gaps(pattern: re.Pattern[str], per: tuple[str, ...], files: Iterable[ArrivedFile]) -> list[Finding]:
    """Return what is missing from the files of one source, and what is there twice, by stream and place.

    Args:
        pattern: of whole names, see `schemas.source_files.FileNames`. per: its groups that tell stream apart.
        files: in the order of the log.
    """
    found, placed = [], []
    for file in files:
        place = _place(pattern, per, file)
        if place is None:
            found.append(Finding("", UNREADABLE_NAME, claims=(file.claim,), name=file.name))
        else:
            placed.append(place)
    placed.sort(key=lambda item: item.stream)
    for _, items in groupby(placed, key=lambda item: item.stream):
        in_order = sorted(items, key=lambda item: (item.date, item.file.claim))
        for run in _runs(in_order):
            found += _of_run(run)
    return found


def _place(pattern: re.Pattern[str], per: tuple[str, ...], file: ArrivedFile) -> _Placed | None:
    matched = pattern.fullmatch(file.name)
    if matched is None:
        return None
    said = matched.groupdict()
    counts = [_number(said.get(name)) for name in ("sequence", "part", "parts")]
    if any(count is not None and count < 0 for count in counts):
        return None
    number, part, parts = counts
    if part is not None and parts is not None and not 1 <= part <= parts:
        return None
    return _Placed(file, "/".join(said[name] or "" for name in per), said.get("date") or "", number, part, parts)


def _number(text: str | None) -> int | None:
    """Return the number a group matched, None where there is none, -1 where it cannot be one."""
    if not text:
        return None
    return int(text) if len(text) <= DIGITS_MAX and text.isascii() and text.isdecimal() else -1


def _runs(in_order: list[_Placed]) -> Iterator[list[_Placed]]:
    """Cut a stream where its sender began again at 1; files without a number are runs by their date.

    A file with number 1 after higher ones begins another run where the run has that very file already, or, by its date, came
    without any; unless the next number goes on where those ended: then it is the first file, sent again.
    """
    if in_order and all(item.number is None for item in in_order):
        for _, dated in groupby(in_order, key=lambda item: item.date):
            yield list(dated)
        return
    run: list[_Placed] = []
    highest, firsts = 0, set[int | None]()
    for index, item in enumerate(in_order):
        number = item.number or 0
        if number == 1 and highest > 1 and (item.part in firsts or (item.date and not firsts)):
            following = next((other.number or 0 for other in in_order[index + 1 :] if other.number != 1), 0)
            if following != highest + 1:
                yield run
                run, highest, firsts = [], 0, set()
        run.append(item)
        highest = max(highest, number)
        if number == 1:
            firsts.add(item.part)
    if run:
        yield run


def _of_run(run: list[_Placed]) -> Iterator[Finding]:
    by_number: dict[int, list[_Placed]] = {}
    for item in run:
        by_number.setdefault(-1 if item.number is None else item.number, []).append(item)
    numbers = sorted(number for number in by_number if number >= 0)
    gaps = {
        before: Finding(
            run[0].stream,
            MISSING,
            before + 1,
            after - 1,
            missing=after - before - 1,
            claims=tuple(sorted(item.file.claim for item in (*by_number[before], *by_number[after]))),
        )
        for before, after in pairwise(numbers)
        if after > before + 1
    }
    for number in sorted(by_number):
        yield from _of_number(by_number[number])
        if number in gaps:
            yield gaps[number]


def _of_number(items: list[_Placed]) -> Iterator[Finding]:
    """Yield what is wrong with the files of one number."""
    first = items[0]
    by_part: dict[int, list[_Placed]] = {}
    for item in items:
        by_part.setdefault(item.part or 0, []).append(item)
    told = {item.parts for item in items if item.parts is not None}
    parts = max(told, default=0)
    if len(told) > 1:
        claims = tuple(item.file.claim for item in items)
        yield Finding(
            first.stream, PARTS_DIFFER, first.number, first.number, parts=parts, claims=claims, name=first.file.name
        )
    for part in sorted(by_part):
        yield from _of_place(by_part[part])
    if parts:
        edges = [0, *sorted(part for part in by_part if part), parts + 1]
        for before, after in pairwise(edges):
            if after > before + 1:
                claims = tuple(item.file.claim for item in items)
                yield Finding(
                    first.stream,
                    MISSING_PARTS,
                    first.number,
                    first.number,
                    before + 1,
                    after - 1,
                    parts,
                    after - before - 1,
                    claims,
                )


def _of_place(items: list[_Placed]) -> Iterator[Finding]:
    """Yield what is wrong with the files of one place: only one of them counts, and it is usable."""
    usable = [item for item in items if item.file.usable]
    if len(usable) == 1:
        return
    problem, meant = (DUPLICATE, usable) if usable else (UNUSABLE, items)
    first, claims = meant[0], tuple(item.file.claim for item in meant)
    yield Finding(
        first.stream,
        problem,
        first.number,
        first.number,
        first.part,
        first.part,
        first.parts,
        0,
        claims,
        first.file.name,
    )
