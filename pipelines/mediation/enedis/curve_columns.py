"""Load curves as columns: what kernels found of points, with what their points of delivery have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute

from pipelines.mediation.columns.blocks import Columns
from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.policy import excess
from pipelines.mediation.kernels.curve_text import INSTANT_BYTES, VALUE_BYTES_MAX, write_instants, write_values
from pipelines.mediation.kernels.curves import NO_POWER
from schemas.arrays import Int64Array

pa: Any = pyarrow
pc: Any = pyarrow.compute
POINTS_AT_ONCE = 1 << 15


@dataclass(frozen=True, slots=True)
class Points:
    """The n points of one curve, each array (n,) int64.

    Attributes:
        known: the columns that they have in common.
        start, end: s since 1970. step_s. power: in W or var, NO_POWER for none. line. codes: `flow_codes` says what of.
        is_counted: `power` comes to energy in a step; a voltage does not.
        limit: the largest power that may be true, 0 for none.
    """

    known: Row
    start: Int64Array
    end: Int64Array
    step_s: Int64Array
    power: Int64Array
    line: Int64Array
    codes: Int64Array
    is_counted: bool = True
    limit: int = 0


@dataclass(slots=True)
class CurveColumns:
    """Gathers curves until there are enough points for columns.

    Attributes:
        names: the columns that are asked for. said: (code) -> (quality, nature, doubt).
    """

    names: tuple[str, ...]
    said: Any
    _held: list[Points] = field(default_factory=list)
    _count: int = 0

    def take(self, points: Points) -> Iterator[Columns]:
        """Take the points of a curve in, and yield columns when there are enough."""
        if len(points.line):
            self._held.append(points)
            self._count += len(points.line)
        if self._count >= POINTS_AT_ONCE:
            yield from self.flush()

    def flush(self) -> Iterator[Columns]:
        """Yield columns of what is held."""
        held, self._held, self._count = self._held, [], 0
        if held:
            yield tuple(_Writer(held, self.said).column(name) for name in self.names)


@dataclass(slots=True)
class _Writer:
    """Writes the columns of some curves."""

    held: list[Points]
    said: Any

    def column(self, name: str) -> Any:
        """Return one column as strings."""
        if name in ("start", "end"):
            return _instants(self._joined(name))
        if name == "line":
            return pa.array(self._joined(name)).cast(pa.string())
        if name == "step_s":
            return _coded(self._joined(name), str)
        if name in ("quality", "nature", "doubt"):
            place = ("quality", "nature", "doubt").index(name)
            found = _coded(self._joined("codes"), lambda code: self.said(code)[place])
            return self._bounded(found) if name == "doubt" else found
        if name == "value":
            return self._values()
        if name == "power":
            power = self._joined(name)
            counted = np.repeat([points.is_counted for points in self.held], self._counts())
            found = pa.array(power, mask=(power == NO_POWER) | ~counted)
            return pc.fill_null(found.cast(pa.string()), "")
        if name == "version" and any(_is_undated(points) for points in self.held):
            return self._versions()
        texts = pa.array([points.known.get(name, "") for points in self.held], pa.string())
        return texts.take(pa.array(np.repeat(np.arange(len(self.held)), self._counts())))

    def _bounded(self, doubts: Any) -> Any:
        """Return why points are doubted, with those that are beyond their bounds."""
        limit = np.repeat([points.limit for points in self.held], self._counts())
        power = self._joined("power")
        beyond = np.flatnonzero((limit > 0) & (power != NO_POWER) & (np.abs(power) > limit))
        if not len(beyond):
            return doubts
        texts = doubts.to_pylist()
        for row in beyond.tolist():
            texts[row] = texts[row] or excess(str(power[row]), int(limit[row]))
        return pa.array(texts, pa.string())

    def _versions(self) -> Any:
        """Return versions: those of undated points by their values (`words.told_apart`)."""
        power, counts = self._joined("power"), self._counts()
        said = np.repeat(np.array([int(points.known["version"]) for points in self.held], np.int64), counts)
        most = words.TIE_MAX // words.TIE_STEPS
        tie = np.clip(np.where(power == NO_POWER, 0, power), 0, most) * words.TIE_STEPS
        undated = np.repeat([_is_undated(points) for points in self.held], counts)
        return pa.array(said + np.where(undated, tie, 0)).cast(pa.string())

    def _joined(self, name: str) -> Int64Array:
        return np.concatenate([getattr(points, name) for points in self.held])

    def _counts(self) -> list[int]:
        return [len(points.line) for points in self.held]

    def _values(self) -> Any:
        power, steps = self._joined("power"), self._joined("step_s")
        counted = np.repeat([points.is_counted for points in self.held], self._counts())
        steps = np.where(counted, steps, 3600)  # what is not counted stays as it is
        out, edges = np.empty(VALUE_BYTES_MAX * len(power), np.uint8), np.empty(len(power) + 1, np.int32)
        write_values(power, steps, out, edges)
        return pa.StringArray.from_buffers(len(power), pa.py_buffer(edges), pa.py_buffer(out))


def _is_undated(points: Points) -> bool:
    return int(points.known.get("version") or 0) % words.STAGE_STEP == int(words.UNDATED)


def _instants(at: Int64Array) -> Any:
    out = np.empty(INSTANT_BYTES * len(at), np.uint8)
    write_instants(at, out)
    edges = np.arange(0, len(out) + 1, INSTANT_BYTES, dtype=np.int32)
    return pa.StringArray.from_buffers(len(at), pa.py_buffer(edges), pa.py_buffer(out))


def _coded(codes: Int64Array, text: Any) -> Any:
    """Return the texts that few different codes have."""
    if len(codes) and (codes == codes[0]).all():
        return pa.array([text(int(codes[0]))], pa.string()).take(pa.array(np.zeros(len(codes), np.int32)))
    known = pa.array(codes).dictionary_encode()
    texts = pa.array([text(code) for code in known.dictionary.to_pylist()], pa.string())
    return texts.take(known.indices)


def r50_said(code: int) -> tuple[str, str, str]:
    """Return (quality, nature, doubt) of a code of `scan_r50`."""
    quality = str(code - 1) if code else ""
    return quality, "", "" if quality in ("", "0") else f"IV is {quality}"


def r63_said(code: int) -> tuple[str, str, str]:
    """Return (quality, nature, doubt) of a code of `scan_points`."""
    state, completed = (chr(code & 255) if code & 255 else ""), (chr(code >> 8 & 255) if code >> 8 & 255 else "")
    doubtful, more = (code >> 16 & 255) - 1, (code >> 24) - 1
    return (
        "+".join(filter(None, (state, completed))),
        words.POINT_NATURES.get(state, ""),
        words.curve_doubt(str(doubtful), str(more)),
    )
