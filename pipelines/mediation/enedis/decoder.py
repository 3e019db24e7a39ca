"""Decode the flows of Enedis: which one a file is shows in its shape, its records are columns as those of Arrow files are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pipelines.mediation.columns.rows import DOUBT, LINE, Row, RowDecoder
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.enedis.csv_flows import csv_rows, is_history
from pipelines.mediation.enedis.csv_history import KINDS
from pipelines.mediation.enedis.heads import read_head
from pipelines.mediation.enedis.json_elements import read_objects
from pipelines.mediation.enedis.json_flows import JSON_FLOWS, shape_of
from pipelines.mediation.enedis.json_members import text
from pipelines.mediation.enedis.xml_elements import read_elements
from pipelines.mediation.enedis.xml_flows import THROUGH, XML_FLOWS
from pipelines.mediation.enedis.xml_head import Head
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.plan import compile_mapping
from schemas.energy import RecordKind
from schemas.source_energy import EnedisSource

MEASURES, WHOLE = "mesures", ("idPrm",)
"""The array of what was measured; and the member of a document that is one point itself."""


@dataclass(frozen=True, slots=True)
class EnedisDecoder(RowDecoder):
    """A compiled source of flows of Enedis."""

    source: EnedisSource

    def _rows(self, stream: BinaryIO) -> Iterator[Row]:
        return read_rows(stream, self.source.records)


def read_rows(stream: BinaryIO, kind: RecordKind) -> Iterator[Row]:
    """Yield the records of one kind of a file, given from its first byte: columns of `schemas.energy` by name.

    A column that is not there is empty. A file of nothing but white space has none.

    Raises:
        UnableToDecodeFile: WRONG_FLOW for another flow, or one without such records; what reading XML and JSON raises.
    """
    head, shape = read_head(stream)
    if not shape:
        return iter(())
    if shape == "json":
        return _json_rows(stream, head, kind)
    return csv_rows(stream, head, kind) if shape == "text" and is_history(head) else _xml_rows(stream, head, kind)


def _xml_rows(stream: BinaryIO, head: bytes, kind: RecordKind) -> Iterator[Row]:
    found, flow, root, any_holder = Head(), None, "", False
    for root, element in read_elements(stream, head, THROUGH):
        flow = XML_FLOWS.get(root)
        walk = None if flow is None else flow.kinds.get(kind)
        if flow is None or walk is None:
            raise _wrong(f"the root element is {root[:40]!r}", kind)
        if element.name == flow.holder:
            any_holder = True
            if flow.needs and element.first(flow.needs) is None:
                told = f"line {element.line}: {flow.holder} without {flow.needs}, as no {root} has it"
                raise UnableToDecodeFile("WRONG_FLOW", told)
            if (odd := flow.misplaced(element)) is not None:
                told = f"line {odd.line}: {odd.name[:40]} stands where no {root} has it"
                raise UnableToDecodeFile("WRONG_FLOW", told)
            yield from walk(found, element)
        elif element.holds(flow.holder):
            told = f"line {element.line}: {flow.holder} stands in {element.name[:40]}, where no {root} has it"
            raise UnableToDecodeFile("WRONG_FLOW", told)
        else:
            found.elements.setdefault(element.name, element)
    if not any_holder:
        raise _wrong(f"the root element {root[:40]!r} holds no {flow.holder if flow else 'element'}", kind)


def _json_rows(stream: BinaryIO, head: bytes, kind: RecordKind) -> Iterator[Row]:
    known: dict[str, Any] = {}
    for name, measure, line in read_objects(stream, head, (MEASURES, kind), whole=WHOLE, head_of=known):
        if name == kind:  # records of ours that were corrected
            yield {column: str(text) for column, text in measure.items() if text is not None}
            continue
        try:
            rows = _measure_rows(measure, line, kind, text(known, "echeances", "horodateDebutPublication"))
        except UnableToDecodeFile as error:
            raise UnableToDecodeFile(error.code, f"line {line}: {error.message}") from error
        yield from rows


def _measure_rows(measure: dict[str, Any], line: int, kind: RecordKind, created: str) -> list[Row]:
    flow = shape_of(measure)
    empty = (measure.get("contexte"), measure.get("grandeur"))
    if not flow and [] in empty:  # nothing was measured of this point
        return []
    walk = JSON_FLOWS.get(flow, {}).get(kind)
    if walk is None:
        raise _wrong(f"a measure of the shape of {flow or 'no known flow'}", kind)
    return list(walk(measure, line, created))


def _wrong(found: str, kind: RecordKind) -> UnableToDecodeFile:
    known = [flow.called or root for root, flow in XML_FLOWS.items() if kind in flow.kinds]
    known += [flow for flow, kinds in JSON_FLOWS.items() if kind in kinds]
    known += ["HDM"] if kind in KINDS else []
    return UnableToDecodeFile("WRONG_FLOW", f"{found}; {kind} are read of {', '.join(known)}")


def make_enedis(context: DecodeContext, source: EnedisSource) -> EnedisDecoder:
    """Return the decoder of a source of flows of Enedis.

    Raises:
        UnableToCompileSource: when the mapping does not fit the catalog.
    """
    return EnedisDecoder(source, compile_mapping(context, source.mapping, (DOUBT, LINE)))
