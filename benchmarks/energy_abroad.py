"""NEM12 and Green Button files of `octroi bench energy`: how they are generated, and a recount by other code."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.generate.draws import below, draw
from benchmarks.generate.rows import write_atomically

INTERVALS = 288
"""Of five minutes, in a day."""
DAYS = 90
BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
WATT_HOURS, NEM12_STREAM, ESPI_STREAM = 900, 71, 72
MILLIONTHS = 1_000_000
READING_BYTES = 193
"""About what an interval reading takes, as utilities write it, indented."""
READINGS_PER_BLOCK = 96
READINGS_PER_POINT = 10_000 * READINGS_PER_BLOCK
"""27 years: instants beyond 2100 are no times of usage."""


def write_nem12(path: Path, values: int, seed: int) -> None:
    """Write one file of so many values or some more, in kWh with three decimals, 90 days of each meter."""
    days = -(-values // INTERVALS)
    dates = [f"{BEGIN + timedelta(days=day):%Y%m%d}" for day in range(DAYS)]
    texts = [f"{watt_hours // 1000}.{watt_hours % 1000:03}" for watt_hours in range(WATT_HOURS)]

    def pieces() -> Iterator[bytes]:
        yield b"100,NEM12,202611010102,MDP,RETAILER\r\n"
        for day in range(days):
            if day % DAYS == 0:
                yield f"200,NMI{day // DAYS:07},E1,,E1,N1,M{day // DAYS},kWh,5,\r\n".encode()
            drawn = below(draw(seed, NEM12_STREAM, np.arange(day * INTERVALS, (day + 1) * INTERVALS)), WATT_HOURS)
            inside = ",".join([texts[value] for value in drawn.tolist()])
            quality = "V" if day % 50 == 0 else "A"
            yield f"300,{dates[day % DAYS]},{inside},{quality},,,20261031120000,\r\n".encode()
            if quality == "V":
                yield b"400,1,100,A,,\r\n400,101,288,F52,89,no reading\r\n"
        yield b"900\r\n"

    write_atomically(path, pieces())


def recount_nem12(path: Path) -> tuple[int, int]:
    """Return how many values there are, and their sum in millionths of a Wh."""
    count = total = 0
    with path.open(newline="") as file:
        for cells in csv.reader(file):
            if cells[0] == "300":
                values = cells[2 : 2 + INTERVALS]
                count += len(values)
                total += sum(int(value.replace(".", "")) for value in values)
    return count, total * MILLIONTHS


def write_espi(path: Path, size: int, seed: int) -> tuple[int, int]:
    """Write one feed of about so many bytes, quarters of an hour in Wh; return how many readings it has, and their sum."""
    first = int(BEGIN.timestamp())
    href = "https://example.com/espi/1_1/resource/RetailCustomer/9/UsagePoint/"
    readings = max(READINGS_PER_BLOCK, size // READING_BYTES)
    counted = [0, 0]

    def pieces() -> Iterator[bytes]:
        yield (
            b'<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n<updated>2026-11-01T00:00:00Z</updated>\n'
            b'<entry><link rel="self" href="ReadingType/1"/><content><ReadingType xmlns="http://naesb.org/espi"><flowDirection>1'
            b"</flowDirection><powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom></ReadingType></content></entry>\n"
        )
        written = 0
        while written < readings:
            point, place = divmod(written, READINGS_PER_POINT)
            if not place:
                yield (
                    f'<entry><link rel="self" href="{href}{point}/MeterReading/1"/><link rel="related" href="ReadingType/1"/>'
                    '<content><MeterReading xmlns="http://naesb.org/espi"/></content></entry>\n'
                ).encode()
            block = range(written, written + READINGS_PER_BLOCK)
            values = below(draw(seed, ESPI_STREAM, np.arange(block.start, block.stop)), WATT_HOURS).tolist()
            inside = "".join(
                "    <IntervalReading>\n     <cost>900</cost>\n     <timePeriod>\n      <duration>900</duration>\n"
                f"      <start>{first + 900 * (place % READINGS_PER_POINT)}</start>\n     </timePeriod>\n"
                f"     <value>{value}</value>\n    </IntervalReading>\n"
                for place, value in zip(block, values, strict=True)
            )
            number = written // READINGS_PER_BLOCK
            yield (
                f'<entry><link rel="self" href="{href}{point}/MeterReading/1/IntervalBlock/{number}"/>'
                f'<content><IntervalBlock xmlns="http://naesb.org/espi">\n{inside}</IntervalBlock></content></entry>\n'
            ).encode()
            written += READINGS_PER_BLOCK
            counted[0] += len(values)
            counted[1] += sum(values)
        yield b"</feed>\n"

    write_atomically(path, pieces())
    return counted[0], counted[1]


def recount_espi(path: Path) -> tuple[int, int]:
    """Return how many readings there are, and their sum in Wh, by a regular expression line by line."""
    count = total = 0
    value = re.compile(rb"<value>(\d+)</value>")
    with path.open("rb") as file:
        for line in file:
            if (found := value.search(line)) is not None:
                count += 1
                total += int(found[1])
    return count, total
