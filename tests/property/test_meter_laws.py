"""Decoders of meter data: what is fast says what is slow, no bytes make them fail otherwise, and order changes nothing."""

from __future__ import annotations

import io
import random
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.words import plain
from pipelines.mediation.espi import parser
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.intervals.decoder import read_rows
from pipelines.mediation.intervals.flows import Asked
from pipelines.mediation.intervals.profile import Profile
from pipelines.mediation.intervals.profiled import profile_file
from pipelines.mediation.kernels.interval_text import SCALED_BYTES_MAX, write_scaled
from pipelines.mediation.kernels.nem12 import NO_VALUE
from pipelines.mediation.nem import fast_nem12
from pipelines.mediation.nem.nem12 import LineReader
from schemas.source_meters import MeterTable

ENERGY = Path(__file__).parents[3] / "shared" / "samples" / "energy"
CODES = {"MALFORMED_METER_DATA", "WRONG_FLOW", "WRONG_ENCODING", "RECORD_TOO_LONG", "MALFORMED_XML", "MISSING_COLUMN",
         "MALFORMED_HEADER"}  # fmt: skip
VALUES = st.sampled_from(
    ["0", "1.5", "12.345", "0.001", "99999999", ".25", "7.", "1.2345678901", "-3", "", "x", "00.10"]
)
QUALITIES = st.sampled_from(["A", "A", "A", "S56", "F52", "E", "N", "V", "Q", "", "A1", "A99", "N99", "V12"])
STREAMS = st.sampled_from([
    ("E1", "kWh"), ("E1", "kWh"), ("B2", "KWH"), ("Q1", "kvarh"), ("E1", "Wh"), ("E3", "kW"), ("X1", "kWh"), ("E1", " kWh"),
    ("E1", "GWh"), ("E1", "MWh "), ("E1", "kkWh"), ("E1", "xWh"), ("E1", "ccf"), ("Q1", "VArh"), ("E1", "kVAh"), ("E1", ""),
])  # fmt: skip
TAILS = st.sampled_from(
    [",", ",", ",20260116000000", "", ",2026x116000000", ",,", ",,x", ",\rx", ",\r", ",202601160000"]
)
"""Of a 300 record, behind the time of its update."""


@st.composite
def nem12_files(draw: st.DrawFn) -> str:
    """Return NEM12 whose lines are mostly right."""
    lines = ["100,NEM12,202601160102,MDP,RET"]
    for _ in range(draw(st.integers(1, 4))):
        minutes = draw(st.sampled_from([30, 30, 30, 15, 20]))
        suffix, unit = draw(STREAMS)
        lines.append(f"200,NMI{draw(st.integers(0, 2))},E1,,{suffix},,M1,{unit},{minutes},")
        for _ in range(draw(st.integers(0, 3))):
            usual = draw(st.booleans())
            count = 1440 // minutes + (0 if usual else draw(st.integers(-1, 1)))
            seed = draw(st.integers(0, 5))
            cells = [f"{(seed + n) % 7}.{n:03}" for n in range(count)]
            if not usual:
                cells[0] = draw(VALUES)
            quality = "A" if usual else draw(QUALITIES)
            updated = draw(
                st.sampled_from(["20260116000000", "", "2026x116000000"] if not usual else ["20260116000000", ""])
            )
            reason = draw(st.sampled_from(["", "", "89", "089", "1234"]))
            day = draw(st.sampled_from(["20260115", "20260116", "20260230", "20x60115"] if not usual else ["20260115"]))
            told = draw(st.sampled_from(["", "text", "é"]))
            lines.append(
                f"300,{day},{','.join(cells)},{quality},{reason},{told},{updated}{',' if usual else draw(TAILS)}"
            )
            if quality == "V":
                middle = draw(st.integers(1, 47))
                lines += [
                    f"400,1,{middle},A,,",
                    f"400,{middle + 1},{draw(st.sampled_from([count, 48, 47]))},F52,89,text",
                ]
        if draw(st.booleans()):
            lines.append(
                draw(
                    st.sampled_from(
                        ["500,O,S1,20260116000000,", "", "600,x", "900", "400,1,2,A,,", "400\r,1,48,A,,", lines[0]]
                    )
                )
            )
    return draw(st.sampled_from(["\n", "\r\n"])).join([*lines, "900", ""])


def read(data: bytes, records: Any = "intervals", **asked: Any) -> list[Row]:
    """Return the records of a file."""
    return list(read_rows(io.BytesIO(data), Asked(records, **asked)))


def slowly(text: str, *, strict: bool) -> list[Row]:
    """Return what the line reader reads."""
    reader, rows = LineReader(strict), list[Row]()
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        rows += reader.read(number, line.removesuffix("\r"))
    return rows + list(reader.finish())


def outcome(read_it: Any) -> Any:
    """Return the records, or why the file is refused."""
    try:
        return [{name: text for name, text in row.items() if text} for row in read_it()]
    except UnableToDecodeFile as error:
        return error.code, error.message


@settings(deadline=None)
@given(text=nem12_files(), window=st.integers(64, 4096), strict=st.booleans())
def test_nem12_by_kernel_is_nem12_line_by_line(text: str, window: int, strict: bool) -> None:
    with mock.patch.object(fast_nem12, "WINDOW_BYTES", window):
        assert outcome(lambda: read(text.encode(), strict=strict)) == outcome(lambda: slowly(text, strict=strict))


@given(st.lists(st.integers(-(2**61), 2**61) | st.just(NO_VALUE) | st.integers(-2_000_000, 2_000_000), max_size=20))
@example([0, 1, 10**6, -1, 999_999, NO_VALUE, 2**61])
def test_numbers_in_millionths_are_written_as_decimals(numbers: list[int]) -> None:
    out, edges = np.empty(SCALED_BYTES_MAX * len(numbers), np.uint8), np.empty(len(numbers) + 1, np.int32)
    write_scaled(np.array(numbers, np.int64), out, edges)
    texts = [out[begin:end].tobytes().decode() for begin, end in pairwise(edges)]
    assert texts == ["" if number == NO_VALUE else plain(Decimal(number) / 10**6) for number in numbers]


def _files() -> list[tuple[str, Any, bytes, MeterTable | None]]:
    day = ",".join(["1.5"] * 48)
    nem12 = f"100,NEM12,202601160102,A,B\n200,N1,E1,,E1,,M,kWh,30,\n300,20260115,{day},V,,,20260116000000,\n400,1,48,A,,\n900\n"
    nem13 = (
        "100,NEM13,202601160102,A,B\n250,N1,11,1,11,11,M1,E,1.0,20260101093000,A,,,2.0,20260115093000,A,,,1.0,kWh,,20260116000000,\n"
        "900\n"
    )
    mscons = (
        "UNA:+,? 'UNB+UNOC:3+1:500+2:500+260201:1200+R'UNH+1+MSCONS:D:04B:UN:2.4c'BGM+7+X+9'DTM+137:202602011200?+00:303'"
        "LOC+172+DE001'LIN+1'PIA+5+1-1?:1.29.0:SRW'QTY+220:1,5:KWH'DTM+163:202601312300?+00:303'DTM+164:202601312315?+00:303'"
        "UNT+10+1'UNZ+1+R'"
    )
    table = MeterTable.model_validate({
        "columns": {"start": "at", "value": "v"}, "point": "P", "step_minutes": 15, "delimiter": ",", "pattern": "YYYY-MM-DD hh:mmZ",
        "series": {"x": {"channel": "1-0:1.29.0", "unit": "kWh"}},
    })  # fmt: skip
    return [
        ("nem12", "intervals", nem12.encode(), None),
        ("nem13", "readings", nem13.encode(), None),
        ("mscons", "intervals", mscons.encode(), None),
        ("espi", "intervals", (ENERGY / "greenbutton" / "abridged" / "electric_containerized.xml").read_bytes(), None),
        ("p1", "readings", (ENERGY / "be_nl" / "dsmr_telegram_fluvius_v171.txt").read_bytes(), None),
        ("table", "intervals", b"at,v\n2026-01-15 00:00Z,1.5\n2026-01-15 00:15Z,2.5\n", table),
    ]


FILES = _files()


@settings(deadline=None)
@given(
    file=st.sampled_from(FILES),
    edits=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=3), st.integers(0, 12)), min_size=1, max_size=4
    ),
    strict=st.booleans(),
)
def test_no_bytes_make_a_decoder_fail_otherwise(
    file: tuple[str, Any, bytes, MeterTable | None],
    edits: list[tuple[float, bytes, int]],
    strict: bool,
) -> None:
    _, records, data, table = file
    for where, put, cut in edits:
        at = int(where * len(data))
        data = data[:at] + put + data[at + cut :]
    try:
        rows = read(data, records, strict=strict, table=table)
    except UnableToDecodeFile as error:
        if error.code not in CODES or not error.message:
            raise
        return
    for row in rows:
        assert row["line"]
        assert row.get("doubt") or row.get("value") is not None
        int(row["version"])


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(6)), repeats=st.integers(1, 3))
def test_the_order_and_number_of_files_change_no_sum(order: list[int], repeats: int) -> None:
    days = []
    for place in range(6):  # of three days two statements, the later one counts
        values = ",".join([f"{place + 1}"] * 48)
        days.append(
            "100,NEM12,202601160102,A,B\n200,N1,E1,,E1,,M,kWh,30,\n"
            f"300,2026011{place % 3},{values},A,,,2026011{6 + place // 3}000000,\n900\n"
        )
    profile = Profile(lambda _: fast_nem12.words.MARKET.utcoffset(None))
    for _ in range(repeats):
        for place in order:
            profile.take([read(days[place].encode())])
    [told] = profile.told()
    assert [day["sum"] for day in told["days"]] == [str(48 * 1000 * (place + 1)) for place in (3, 4, 5)]
    assert (told["count"], told["replaced"]) == (144, 288 * repeats - 144)


@settings(deadline=None, max_examples=10)
@given(size=st.integers(1, 300), which=st.sampled_from(FILES))
def test_pieces_of_any_size_make_the_same_records(size: int, which: tuple[str, Any, bytes, MeterTable | None]) -> None:
    _, records, data, table = which

    class Slow(io.BytesIO):
        """Gives few bytes at once."""

        def read(self, count: int | None = -1, /) -> bytes:
            return super().read(min(size, count if count is not None and count >= 0 else size))

    asked = Asked(records, True, None, table)
    assert list(read_rows(Slow(data), asked)) == list(read_rows(io.BytesIO(data), asked))


def test_the_readings_of_a_large_entry_are_given_in_parts() -> None:
    data = FILES[3][2]
    whole = read(data)
    with mock.patch.object(parser, "READINGS_AT_ONCE", 2):
        assert read(data) == whole


def test_a_profile_of_nem12_by_kernel_is_that_of_rows() -> None:
    random.seed(5)
    values = ",".join(f"{random.randrange(10**6)}.{random.randrange(1000):03}" for _ in range(48))
    data = f"100,NEM12,202601160102,A,B\n200,N1,E1,,E1,,M,MWh,30,\n300,20260115,{values},A,,,20260116000000,\n900\n".encode()
    slow = Profile(lambda _: fast_nem12.words.MARKET.utcoffset(None))
    slow.take([read(data)])

    class Opened:
        """Opens the file."""

        def __enter__(self) -> io.BytesIO:
            return io.BytesIO(data)

        def __exit__(self, *_: object) -> None:
            return None

    assert profile_file(Opened)["channels"] == slow.told()  # type: ignore[arg-type]
