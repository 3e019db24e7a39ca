"""Compile time patterns (`schemas.time_pattern`) into steps that a kernel follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels import time_patterns as steps
from schemas.arrays import Int32Array
from schemas.time_pattern import WrongPattern, pattern_tokens

_NUMBERS = {
    "YYYY": (steps.YEAR, 4, 4),
    "YY": (steps.YEAR_OF_CENTURY, 2, 2),
    "MM": (steps.MONTH, 2, 2),
    "M": (steps.MONTH, 1, 2),
    "DD": (steps.DAY, 2, 2),
    "D": (steps.DAY, 1, 2),
    "hh": (steps.HOUR, 2, 2),
    "h": (steps.HOUR, 1, 2),
    "mm": (steps.MINUTE, 2, 2),
    "ss": (steps.SECOND, 2, 2),
}


@dataclass(frozen=True, slots=True)
class PatternProgram:
    """Patterns as `kernels.time_patterns.read_pattern` takes them: (k, 4) steps, and (p + 1,) where each pattern begins."""

    steps: Int32Array
    pattern_ptr: Int32Array


def compile_patterns(patterns: tuple[str, ...]) -> PatternProgram:
    """Return the program of one or more patterns.

    Raises:
        UnableToCompileSource: when one is no pattern of an instant.
    """
    program: list[tuple[int, int, int, int]] = []
    ends = [0]
    for pattern in patterns:
        try:
            tokens = pattern_tokens(pattern)
        except WrongPattern as error:
            raise UnableToCompileSource(f"time: {error}") from error
        for token, literal in tokens:
            program += _steps_of(token, literal)
        ends.append(len(program))
    return PatternProgram(np.array(program, np.int32).reshape(-1, 4), np.array(ends, np.int32))


def _steps_of(token: str, literal: str) -> list[tuple[int, int, int, int]]:
    if not token:
        return [(steps.LITERAL, byte, 0, 0) for byte in literal.encode()]
    if token in _NUMBERS:
        return [(steps.NUMBER, *_NUMBERS[token])]
    if token == "Z":
        return [(steps.OFFSET, 0, 0, 0)]
    digits = len(token)
    return [(steps.FRACTION, 0, 1 if digits == 1 else digits, 9 if digits == 1 else digits)]
