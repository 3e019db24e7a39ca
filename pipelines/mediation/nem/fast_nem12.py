"""NEM12 through a kernel, window by window of whole days; where a line is unusual, the line reader reads that window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO

import numpy as np

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.enedis.heads import read_up_to
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import nem12 as kernel
from pipelines.mediation.meters.steps import Steps
from pipelines.mediation.nem import words
from pipelines.mediation.nem.nem12 import FLOW, LineReader, Stream
from schemas.arrays import Int64Array

WINDOW_BYTES = 1 << 20
WINDOW_BYTES_MAX = 16 << 20
"""Of a window in which no day begins."""
PADDING = 32
VALUE_BYTES_MIN, LINE_BYTES_MIN = 2, 1
MARKET_S = 10 * 3600
MILLISECONDS = 1000
ROWS_AT_ONCE = 4096
VARIED = ord(words.VARIES)
NULL = ord(words.NULL)
_QUALITY_KIND, _DAY_KIND, _STREAM_KIND = 400, 300, 200
Piece = Steps | list[Row]


@dataclass(slots=True)
class FastNem12:
    """Reads one file.

    Attributes:
        stream, head: the file. strict: whether the first fault refuses it.
        reader: what the lines said so far, and reads what is unusual. line: that the next window begins on.
    """

    stream: BinaryIO
    head: bytes
    strict: bool
    reader: LineReader = field(init=False)
    line: int = 1

    def pieces(self) -> Iterator[Piece]:
        """Yield the intervals of the file in order.

        Raises:
            UnableToDecodeFile: MALFORMED_METER_DATA with the line, WRONG_FLOW, WRONG_ENCODING or RECORD_TOO_LONG.
        """
        self.reader = LineReader(self.strict)
        window = self.head.removeprefix(b"\xef\xbb\xbf")
        while piece := read_up_to(self.stream, WINDOW_BYTES):
            window += piece
            size = _whole(window)
            if size:
                yield from self._window(window[:size])
                window = window[size:]
            elif len(window) > WINDOW_BYTES_MAX:
                raise UnableToDecodeFile(
                    "RECORD_TOO_LONG", f"behind line {self.line}: no day ends in {len(window)} bytes"
                )
        if window:
            yield from self._window(window)
        if rows := list(self.reader.finish()):
            yield rows

    def _window(self, window: bytes) -> Iterator[Piece]:
        found = self._quickly(window)
        if found is None:
            yield from self._slowly(window)
        elif len(found):
            yield found
        self.line += window.count(b"\n")

    def _slowly(self, window: bytes) -> Iterator[list[Row]]:
        try:
            text = window.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnableToDecodeFile("WRONG_ENCODING", f"behind line {self.line}: {error.reason}") from error
        rows: list[Row] = []
        for number, line in enumerate(text.removesuffix("\n").split("\n"), self.line):
            rows += self.reader.read(number, line.removesuffix("\r"))
            if len(rows) >= ROWS_AT_ONCE:
                yield rows
                rows = []
        if rows := rows + list(self.reader.flush()):
            yield rows

    def _quickly(self, window: bytes) -> Steps | None:
        """Return the intervals of a window, None where anything about it is unusual; then no state has changed."""
        size = len(window)
        buffer = np.empty(size + PADDING, np.uint8)
        buffer[:size] = np.frombuffer(window, np.uint8)
        buffer[size:] = kernel.NEWLINE
        lines = np.empty((window.count(b"\n") + 2, kernel.FIELDS), np.int64)
        values = np.empty(window.count(b",") + 1, np.int64)
        state = self._state()
        count, held = kernel.scan_lines(buffer, size, state, kernel.POWERS, lines, values)
        try:
            return _Window(self, window, lines[:count], values[:held]).steps()
        except UnicodeDecodeError:  # the line reader refuses it, with its place
            return None

    def _state(self) -> Int64Array:
        return np.array(_read_as(self.reader.stream) or (kernel.UNUSUAL, kernel.UNUSUAL), np.int64)


@dataclass(slots=True)
class _Window:
    """The lines of a window as the kernel found them.

    Attributes:
        owner: what the lines before said; updated once all of the window is understood.
    """

    owner: FastNem12
    window: bytes
    lines: Int64Array
    values: Int64Array
    heads: list[Stream] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)

    def steps(self) -> Steps | None:
        """Return the intervals; None where something is unusual."""
        kinds = self.lines[:, kernel.KIND]
        days = np.flatnonzero(kinds == _DAY_KIND)
        if (self.lines[days, kernel.DAY] == kernel.UNUSUAL).any():
            return None
        reader = self.owner.reader
        trial = LineReader(reader.strict, reader.created, reader.stream, reader.begun, reader.ended, reader.last_line)
        trial._streams = reader._streams
        heads = self._heads(kinds, days, trial)
        if heads is None:
            return None
        qualities = self._qualities(kinds, days)
        if qualities is None:
            return None
        trial.last_line = self.owner.line + len(kinds) - 1
        self.owner.reader = trial
        return self._joined(days, heads, qualities, trial.created)

    def _heads(self, kinds: Int64Array, days: Int64Array, trial: LineReader) -> Int64Array | None:
        """Return (d,) which stream each day is of; None where a line is unusual."""
        held = np.full(len(kinds), -1, np.int64)
        if trial.stream is not None:
            held[0] = self._place(trial.stream)
        others = np.flatnonzero((kinds != _DAY_KIND) & (kinds != _QUALITY_KIND))
        for row in others.tolist():
            kind = int(kinds[row])
            if kind == kernel.UNUSUAL and row == len(kinds) - 1 and not self._text(row).strip(" ,\t\x1a"):
                continue
            if trial.ended or kind not in (100, 200, 500, 900) or (kind == 100 and trial.stream is not None):
                return None
            try:
                if list(trial.read(self.owner.line + row, self._text(row))):
                    return None
            except UnableToDecodeFile:
                return None
            if kind == _STREAM_KIND:
                read_as = (int(self.lines[row, kernel.COUNT]), int(self.lines[row, kernel.QUALITY]))
                if trial.stream is None or _read_as(trial.stream) != read_as:
                    return None
                held[row] = self._place(trial.stream)
            elif kind == 900 and (kinds[row + 1 :] != kernel.UNUSUAL).any():
                return None
        if not trial.begun:
            return None
        last = np.maximum.accumulate(np.where(held >= 0, np.arange(len(kinds)), -1))
        if len(days) and last[days[0]] < 0:
            return None
        return held[last[days]]

    def _place(self, stream: Stream) -> int:
        place = self.places.setdefault(id(stream), len(self.heads))
        if place == len(self.heads):
            self.heads.append(stream)
        return place

    def _text(self, row: int) -> str:
        line = self.window[self.lines[row, kernel.BEGIN] : self.lines[row, kernel.END]]
        return line.decode("utf-8").removesuffix("\r")

    def _qualities(self, kinds: Int64Array, days: Int64Array) -> Int64Array | None:
        """Return (v,) the code of each value; None where 400 records are unusual."""
        counts = self.lines[days, kernel.COUNT]
        found = np.repeat(self.lines[days, kernel.QUALITY], counts)
        varied = days[self.lines[days, kernel.QUALITY] // kernel.LETTER_STEP == VARIED]
        told = 0
        for row in varied.tolist():
            begin, count = int(self.lines[row, kernel.VALUES]), int(self.lines[row, kernel.COUNT])
            behind = 0
            while (row := row + 1) < len(kinds) and kinds[row] == _QUALITY_KIND:
                read = _range(self._text(row))
                if read is None or read[0] != behind + 1 or not read[0] <= read[1] <= count:
                    return None
                found[begin + behind : begin + read[1]] = read[2]
                behind, told = read[1], told + 1
            if behind != count:
                return None
        return found if told == int((kinds == _QUALITY_KIND).sum()) else None

    def _joined(self, days: Int64Array, heads: Int64Array, codes: Int64Array, created: str) -> Steps:
        lines = self.lines[days]
        counts = lines[:, kernel.COUNT]
        first = np.repeat(lines[:, kernel.VALUES], counts)
        within = np.arange(len(self.values)) - first
        step_s = np.array([60 * stream.minutes for stream in self.heads] or [0], np.int64)[np.repeat(heads, counts)]
        made = lines[:, kernel.UPDATED]
        versions = np.where(made > 0, 10 * MILLISECONDS * (made - MARKET_S), int(common.version(created)))
        values = np.where(codes // kernel.LETTER_STEP == NULL, kernel.NO_VALUE, self.values)
        return Steps(
            [stream.known | {"created_at": created} for stream in self.heads],
            said,
            np.repeat(heads, counts),
            codes,
            np.repeat(lines[:, kernel.DAY] * kernel.DAY_S - MARKET_S, counts) + within * step_s,
            step_s,
            values,
            np.repeat(versions, counts),
            np.repeat(self.owner.line + days, counts),
        )


def _read_as(stream: Stream | None) -> tuple[int, int] | None:
    """Return (intervals of a day, digits by which values are scaled) as the kernel has them; None where rows must do it."""
    if stream is None or stream.is_power or stream.known["doubt"]:
        return None
    return stream.per_day, stream.factor.adjusted() + kernel.DECIMALS


def _range(text: str) -> tuple[int, int, int] | None:
    """Return (from, to, code of the quality) of a 400 record, None for an unusual one."""
    cells = text.split(",")
    if len(cells) < 4 or cells[0] != "400":
        return None
    first, last, quality, reason = cells[1], cells[2], cells[3], cells[4] if len(cells) > 4 else ""
    code = coded(quality, reason)
    if code is None or quality[0] == words.VARIES:
        return None
    if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()) or len(first + last) > 6:
        return None
    return int(first), int(last), code


@lru_cache(4096)
def coded(quality: str, reason: str) -> int | None:
    """Return the code of a quality and a reason, as the kernel has it; None where it has none."""
    if words.QUALITY.fullmatch(quality) is None:
        return None
    code = ord(quality[0]) * kernel.LETTER_STEP
    if quality[1:] == "99":  # beyond what a code holds
        return None
    if quality[1:]:
        code += (int(quality[1:]) + 1) * kernel.FLAG_STEP
    if not reason:
        return code
    if not (reason.isascii() and reason.isdigit()) or len(reason) > 3 or str(int(reason)) != reason:
        return None
    return code + int(reason) + 1


@lru_cache(4096)
def said(code: int) -> tuple[str, str]:
    """Return (quality, nature) of a code."""
    letter, rest = chr(code // kernel.LETTER_STEP), code % kernel.LETTER_STEP
    flag, reason = rest // kernel.FLAG_STEP, rest % kernel.FLAG_STEP
    quality = letter + (f"{flag - 1:02}" if flag else "") + (f"/{reason - 1}" if reason else "")
    return quality, words.NATURES.get(letter, "")


def _whole(window: bytes) -> int:
    """Return where the last day, or stream, of a window begins: what stands before it is whole."""
    return max(window.rfind(b"\n300,"), window.rfind(b"\n200,")) + 1


__all__ = ["FLOW", "FastNem12", "coded", "said"]
