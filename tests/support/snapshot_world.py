"""States that are worth a snapshot."""

from __future__ import annotations

from resource_account import Line
from resource_world import DAY_US, START_US, Row, openings


def fail(told: str) -> None:
    raise AssertionError(told)


def busy_line(rows: int = 50) -> Line:
    """Return a line with keys on two days, registers, balances, counters and names."""
    line = Line().activate()
    line.take([Row(key=index + 1, at=START_US + index % 2 * DAY_US, access=index % 3 + 1) for index in range(rows)])
    line.state.resource.registers.open(*openings((5, START_US, 40), (1 << 64, START_US, 41)))
    line.state.resource.registers.forgotten = {0: 7, 2**32 - 1: START_US}
    line.state.image = "ab" * 32
    line.state.resource.dedup.window_days = 30
    line.state.resource.dedup.first_day = 4
    return line
