"""What is odd about a file of energy records and refuses nothing: warnings with their lines, a function of the bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pipelines.mediation.enedis import decoder as enedis
from pipelines.mediation.enedis.heads import read_head
from pipelines.mediation.enedis.xml_elements import read_elements
from pipelines.mediation.enedis.xml_flows import THROUGH, XML_FLOWS
from pipelines.mediation.enedis.xml_shapes import odd_of
from pipelines.mediation.grdf import decoder as grdf
from pipelines.mediation.intervals import decoder as meter_data
from schemas.source import EnedisSource, GrdfSource, SourceBase
from schemas.source_meters import MeterDataSource

WARNING, LINE = "warning", "line"


def shape_oddities(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield (line, what is odd) about how the elements of an XML flow are made; nothing of other files.

    Raises:
        UnableToDecodeFile: as reading XML does.
    """
    head, shape = read_head(stream)
    if shape != "xml":
        return
    for root, element in read_elements(stream, head, THROUGH):
        flow = XML_FLOWS.get(root)
        if flow is not None and element.name == flow.holder:
            yield from odd_of(root, element)


def record_oddities(source: SourceBase, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield (line, what is odd) about single records of a source: a sum that is not what its factors say.

    Raises:
        UnableToDecodeFile: as decoding the file does.
    """
    if isinstance(source, EnedisSource):
        rows = enedis.read_rows(stream, source.records)
    elif isinstance(source, GrdfSource):
        rows = grdf.read_rows(stream, source.records, source.table)
    elif isinstance(source, MeterDataSource):
        rows = meter_data.read_rows(stream, meter_data.asked_by(source))
    else:
        return
    for row in rows:
        if row.get(WARNING):
            yield int(row[LINE]), row[WARNING]


def has_oddities(source: SourceBase) -> bool:
    """Return whether anything can be odd about files of a source."""
    return isinstance(source, EnedisSource | GrdfSource) or (
        isinstance(source, MeterDataSource) and source.records == "readings"
    )
