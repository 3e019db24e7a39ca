"""Plots of the report as PNG, drawn by Typst with its own fonts: the same figures give the same picture on every machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import typst

PIXELS_PER_INCH = 144
_COLOUR = '#let ink = rgb("#22577a")\n'
_PAGE = (
    '#set page(width: 16cm, height: auto, margin: 6mm, fill: white)\n#set text(font: "DejaVu Sans Mono", size: 8pt)\n'
)
_WIDTH, _HEIGHT = 12.0, 5.0
"""Of the area of a curve, in centimetres."""


def bars(title: str, rows: Sequence[tuple[str, float, str]]) -> bytes:
    """Return a bar for each row: what it is, its value from 0 on, and how it is written."""
    most = max((value for _, value, _ in rows), default=0) or 1
    lines = [
        f"{_text(label)}, rect(width: {max(value / most, 0.002) * 100:.3f}%, height: 9pt, fill: ink), {_text(words)},"
        for label, value, words in rows
    ]
    grid = "\n".join(
        ["#grid(columns: (4.2cm, 1fr, 3.4cm), column-gutter: 6pt, row-gutter: 5pt, align: horizon,", *lines, ")"]
    )
    return _png(f"#strong({_text(title)})\n#v(3pt)\n{grid}")


def curve(title: str, points: Sequence[tuple[str, float, str]]) -> bytes:
    """Return a line through points that stand equally far apart: where, the value from 0 on, and how it is written."""
    most = 1.15 * max((value for _, value, _ in points), default=0) or 1
    step = _WIDTH / max(len(points), 1)
    at = [((number + 0.5) * step, _HEIGHT * (1 - value / most)) for number, (_, value, _) in enumerate(points)]
    marks = [f"#place(line(start: (0cm, {_HEIGHT}cm), end: ({_WIDTH}cm, {_HEIGHT}cm), stroke: 0.5pt))"]
    marks += [
        f"#place(line(start: ({x:.3f}cm, {y:.3f}cm), end: ({u:.3f}cm, {v:.3f}cm), stroke: 1.2pt + ink))"
        for (x, y), (u, v) in pairwise(at)
    ]
    for (x, y), (label, _, words) in zip(at, points, strict=True):
        left = x - step / 2
        marks.append(f"#place(dx: {x - 0.08:.3f}cm, dy: {y - 0.08:.3f}cm, circle(radius: 0.08cm, fill: ink))")
        marks.append(_label(left, y - 0.5, step, words))
        marks.append(_label(left, _HEIGHT + 0.15, step, label))
    area = "\n".join([f"#box(width: {_WIDTH}cm, height: {_HEIGHT + 0.6}cm)[", *marks, "]"])
    return _png(f"#strong({_text(title)})\n#v(14pt)\n{area}")


def _label(left: float, top: float, width: float, words: str) -> str:
    box = f"box(width: {width:.3f}cm, align(center, {_text(words)}))"
    return f"#place(dx: {left:.3f}cm, dy: {top:.3f}cm, {box})"


def _text(words: str) -> str:
    return f"text({json.dumps(words, ensure_ascii=False)})"


def _png(source: str) -> bytes:
    document = (_PAGE + _COLOUR + source).encode()
    return bytes(typst.compile(document, format="png", ppi=PIXELS_PER_INCH, ignore_system_fonts=True))
