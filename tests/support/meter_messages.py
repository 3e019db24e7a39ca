"""Feeds and messages of meter data, built for tests, and what is read of them."""

from __future__ import annotations

import io
from typing import Any

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.intervals.decoder import read_rows
from pipelines.mediation.intervals.flows import Asked


def read(data: bytes | str, records: Any = "intervals", **asked: Any) -> list[Row]:
    """Return the records of a file."""
    return list(read_rows(io.BytesIO(data.encode() if isinstance(data, str) else data), Asked(records, **asked)))


def feed(*blocks: str, types: str = "", last: str = "") -> str:
    """Return a feed of one usage point: `blocks` are (meter, readings) as text."""
    entry = "<entry><link rel='self' href='U/1/UsagePoint/1/MeterReading/{0}/IntervalBlock/1'/><content><IntervalBlock>{1}</IntervalBlock></content></entry>"
    meters = "".join(
        f"<entry><link rel='self' href='U/1/UsagePoint/1/MeterReading/{n}'/><link rel='related' href='ReadingType/{n}'/>"
        "<content><MeterReading/></content></entry>"
        for n in (1, 2)
    )
    body = "".join(entry.format(*block.split(":", 1)) for block in blocks)
    return f"<feed><updated>2026-02-01T00:00:00Z</updated>{meters}{types}{body}{last}</feed>"


def kind(number: int, **said: str) -> str:
    """Return an entry of a reading type."""
    leaves = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    return f"<entry><link rel='self' href='ReadingType/{number}'/><content><ReadingType>{leaves}</ReadingType></content></entry>"


def reading(start: int, duration: int, value: int, quality: str = "") -> str:
    """Return an interval reading."""
    told = f"<ReadingQuality><quality>{quality}</quality></ReadingQuality>" if quality else ""
    return (
        f"<IntervalReading>{told}<timePeriod><duration>{duration}</duration><start>{start}</start></timePeriod>"
        f"<value>{value}</value></IntervalReading>"
    )


WATT_HOURS = {"uom": "72", "flowDirection": "1", "powerOfTenMultiplier": "0"}


BEGIN = 1_767_225_600  # 2026-01-01T00:00:00Z


MESSAGE = (
    "UNA:+,? 'UNB+UNOC:3+1:500+2:500+260201:1200+REF1'UNH+1+MSCONS:D:04B:UN:2.4c'BGM+7+X+{function}'DTM+137:202602011200?+00:303'"
    "LOC+172+DE001'LIN+1'PIA+5+1-1?:1.29.0:SRW'{values}UNT+{count}+1'UNZ+1+REF1'"
)


TIMED = "QTY+{0}:{1}:KWH'DTM+163:202601312300?+00:303'DTM+164:202601312315?+00:303'"


def message(values: str, function: str = "9", *, more: int = 0) -> str:
    """Return an interchange of one message."""
    count = 7 + values.count("'") + more
    return MESSAGE.format(function=function, values=values, count=count)
