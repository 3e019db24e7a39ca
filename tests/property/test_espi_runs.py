"""Readings of Green Button that a kernel reads are those that expat tells, of any feed, in pieces of any size."""

from __future__ import annotations

import io
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.espi import parser, reader, runs
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.intervals.decoder import read_rows
from pipelines.mediation.intervals.flows import Asked

USUAL = "<IntervalReading><timePeriod><duration>{step}</duration><start>{start}</start></timePeriod><value>{value}</value></IntervalReading>"
ODD = st.sampled_from([
    USUAL.replace("<value>", "<cost>5</cost><value>"),
    USUAL.replace("</timePeriod>", "</timePeriod><ReadingQuality><quality>{quality}</quality></ReadingQuality>"),
    USUAL.replace("</timePeriod>", "</timePeriod>" + "<ReadingQuality><quality>{quality}</quality></ReadingQuality>" * 2),
    "<n:IntervalReading>\r\n<n:start>{start}</n:start><duration> {step}\n</duration><value>\t{value} </value><x/></n:IntervalReading>",
    "<n:IntervalReading>\n <n:start>{start}</n:start><duration>{step}</duration>\n<value>{value}</value></n:IntervalReading>",
    USUAL.replace("<value>", "<!-- <IntervalReading> --><value>"), USUAL.replace("{value}", "<![CDATA[{value}]]>"),
    USUAL.replace("{value}", "&#53;"), USUAL.replace("{value}", ""), USUAL.replace("<value>{value}</value>", ""),
    USUAL.replace("{value}", "007"), USUAL.replace("{value}", "1.5"), USUAL.replace("{value}", "-0"), USUAL.replace("{value}", "12345678901234567"),
    USUAL.replace("{start}", "-5"), USUAL.replace("{start}", "9{start}"), USUAL.replace("{step}", "0"), USUAL.replace("{value}", "é"),
    USUAL.replace("<value>", "<value a='1'>"), USUAL.replace("<value>", "<value><y>1</y></value><value>"), USUAL.replace("{start}</start>", "{start}</start><start>3</start>"),
    USUAL.replace("<value>", "<a><IntervalReading></IntervalReading></a><value>"), USUAL.replace("<value>", "<a><b><c>1</c></b></a><value>"),
    USUAL.replace("<timePeriod>", "<timePeriod>\r<!---->"), USUAL + "text", USUAL + "<?p <IntervalReading> ?>", USUAL + "<!-- " + USUAL + " -->",
    "<![CDATA[" + USUAL + "]]>", "<IntervalReadings/>", "<IntervalReading/>", "</entry><entry>" + USUAL, USUAL.replace("</value>", "</valu>"), "<",
    "<!ELEMENT", "&amp;", USUAL[:60], "</IntervalBlock>" + USUAL + "<IntervalBlock>",
])  # fmt: skip
READING = st.tuples(
    st.just(USUAL) | st.just(USUAL) | ODD, st.integers(0, 7), st.sampled_from([300, 900, 900, 3600, 86_400]),
    st.integers(-999, 10**6) | st.just(10**14), st.sampled_from([0, 7, 8, 10, 17, 99]), st.sampled_from(["", "", "\n  ", "\r\n"]),
)  # fmt: skip
TYPES = st.sampled_from(
    ["<uom>72</uom>", "<powerOfTenMultiplier>3</powerOfTenMultiplier><uom>72</uom>", "<powerOfTenMultiplier>-3</powerOfTenMultiplier><uom>72</uom>",
     "<uom>38</uom>", "<uom>119</uom>", "<uom>169</uom>", "<uom>5</uom>", "<accumulationBehaviour>9</accumulationBehaviour><uom>72</uom>",
     "<powerOfTenMultiplier>-9</powerOfTenMultiplier><uom>72</uom>"]
)  # fmt: skip
HREF = '<link rel="self" href="RetailCustomer/9/UsagePoint/1/MeterReading/{}"/>'
BEGIN = 1_784_145_600


def feed(blocks: list[tuple[list[Any], bool]], type_of: str, *, behind: bool, named: bool) -> bytes:
    """Return a feed whose readings are of two meters."""
    kind = (
        '<entry><link rel="self" href="ReadingType/1"/><content><ReadingType><flowDirection>1</flowDirection>'
        f"{type_of}</ReadingType></content></entry>"
    )
    meters = "".join(
        f'<entry>{HREF.format(n)}<link rel="related" href="ReadingType/1"/><content><MeterReading/></content></entry>'
        for n in (1, 2)
    )
    texts = []
    for number, (block, first) in enumerate(blocks):
        inside = "".join(
            text.format(start=BEGIN + 900 * place, step=step, value=value, quality=quality) + gap
            for text, place, step, value, quality, gap in block
        )
        link = HREF.format(f"{1 if first else 2}/IntervalBlock/{number}")
        texts.append(
            f"<entry>{link if named else ''}<IntervalBlock>{inside}</IntervalBlock>{'' if named else link}</entry>\n"
        )
    said = [kind, meters, *texts] if not behind else [*texts, meters, kind]
    return f"<?xml version='1.0'?><?xml-stylesheet href='x'?><feed><updated>2026-11-01T00:00:00Z</updated>{''.join(said)}</feed>".encode()


def rows(data: bytes, records: Any) -> Any:
    """Return the records of a file, without empty columns, or why it is refused."""
    try:
        found: list[Row] = list(read_rows(io.BytesIO(data), Asked(records)))
    except UnableToDecodeFile as error:
        return error.code, error.message.partition(",")[0]  # the column differs
    return [{name: text for name, text in row.items() if text} for row in found]


def untouched(self: runs.Cutter, piece: bytes) -> tuple[bytes, list[runs.Run]]:
    """Leave all to expat."""
    self.given += len(piece)
    return piece, []


@settings(deadline=None, max_examples=60)
@given(
    blocks=st.lists(st.tuples(st.lists(READING, max_size=8), st.booleans()), min_size=1, max_size=4),
    type_of=TYPES, behind=st.booleans(), named=st.booleans(), held=st.sampled_from([3, 20_000]), window=st.integers(8, 400),
    records=st.sampled_from(["intervals", "intervals", "readings"]), at_once=st.sampled_from([2, 4096]),
)  # fmt: skip
@example(
    [([(USUAL, n, 900, 5, 0, "\n") for n in range(8)], True)], "<uom>72</uom>", False, True, 3, 64, "intervals", 4096
)
def test_readings_by_kernel_are_those_of_expat(
    blocks: list[tuple[list[Any], bool]],
    type_of: str,
    behind: bool,
    named: bool,
    held: int,
    window: int,
    records: str,
    at_once: int,
) -> None:
    data = feed(blocks, type_of, behind=behind, named=named)
    with mock.patch.object(reader, "HELD_MAX", held):
        with mock.patch.object(runs.Cutter, "cut", untouched):
            wanted = rows(data, records)
        assert rows(data, records) == wanted
        with mock.patch.object(parser, "WINDOW_BYTES", window), mock.patch.object(parser, "READINGS_AT_ONCE", at_once):
            assert rows(data, records) == wanted


@pytest.mark.parametrize("prefix", ["", "espi:"])
def test_usual_readings_never_come_to_expat(prefix: str) -> None:
    text = (
        USUAL.format(start=BEGIN, step=900, value=1)
        .replace("</", f"</{prefix}")
        .replace("<", f"<{prefix}")
        .replace(f"<{prefix}/", "</")
    )
    cutter = runs.Cutter()
    out, found = cutter.cut(f"<a>\n{text}\n{text} {text}</a>".encode())
    assert out == b"<a>\n<IntervalReadings/>\n</a>"
    assert [(run.at, run.table.tolist()) for run in found] == [
        (4, [[BEGIN, 900, 1, -1, 0], [BEGIN, 900, 1, -1, 1], [BEGIN, 900, 1, -1, 1]])
    ]
    assert cutter.cut(b"") == (b"", [])


def test_an_element_of_ours_that_a_file_has_is_no_run() -> None:
    forged = [([("<IntervalReadings/>", 0, 900, 1, 0, ""), (USUAL, 0, 900, 7, 0, "")], True)]
    found = rows(feed(forged, "<uom>72</uom>", behind=False, named=True), "intervals")
    assert [row["value"] for row in found] == ["7"]
