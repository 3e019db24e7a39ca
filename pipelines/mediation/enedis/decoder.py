"""Decode the flows of Enedis: which one a file is shows in its shape, its records are columns as those of Arrow files are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, BinaryIO, TypeVar, cast

from pipelines.mediation.columns.blocks import Columns
from pipelines.mediation.columns.rows import (
    BEYOND,
    DOUBT,
    LINE,
    ROWS_AT_ONCE,
    Row,
    RowDecoder,
    columns_of,
    rows_of_columns,
)
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.enedis.csv_flows import csv_rows, is_history
from pipelines.mediation.enedis.csv_history import KINDS
from pipelines.mediation.enedis.cut import cut_as_told
from pipelines.mediation.enedis.differences import INDEX_COLUMNS
from pipelines.mediation.enedis.fast_r50 import ROOT, FastR50, WellFormed
from pipelines.mediation.enedis.fast_r63 import FastR63, WithoutPoints
from pipelines.mediation.enedis.grains import CUT_COLUMNS, cut_rows
from pipelines.mediation.enedis.heads import read_head
from pipelines.mediation.enedis.json_elements import read_objects
from pipelines.mediation.enedis.json_flows import JSON_FLOWS, is_empty, shape_of
from pipelines.mediation.enedis.json_members import text
from pipelines.mediation.enedis.policy import Policy
from pipelines.mediation.enedis.xml_elements import read_elements
from pipelines.mediation.enedis.xml_flows import THROUGH, XML_FLOWS
from pipelines.mediation.enedis.xml_head import Head
from pipelines.mediation.extract import DecodedBlock, FieldMatrix
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.plan import compile_mapping
from schemas.cdr import BlockPosition
from schemas.energy import RecordKind
from schemas.rejection import Reason
from schemas.source_energy import EnedisSource

Item = TypeVar("Item")
MEASURES, WHOLE = "mesures", ("idPrm",)
"""The array of what was measured; and the member of a document that is one point itself."""


@dataclass(frozen=True, slots=True)
class EnedisDecoder(RowDecoder):
    """A compiled source of flows of Enedis."""

    source: EnedisSource
    policy: Policy

    def check(self, stream: BinaryIO) -> None:
        """Read a file to its end: that something is damaged, or not whole, shows when it is read."""
        for _ in self._pieces(stream, checked=True):
            pass

    def _block(self, matrix: FieldMatrix, position: BlockPosition) -> DecodedBlock:
        block = RowDecoder._block(self, matrix, position)
        if self.source.differences_to is not None:
            block.reason[block.reason == 0] = Reason.KEPT_READING
        return block

    def _rows(self, stream: BinaryIO) -> Iterator[Row]:
        return self._cut(read_rows(stream, self.source.records))

    def _cut(self, rows: Iterator[Row]) -> Iterator[Row]:
        minutes = self.source.cut_minutes
        return cut_as_told(rows, self.source) if minutes is None else cut_rows(rows, minutes)

    def _columns(self, stream: BinaryIO) -> Iterator[Columns]:
        return self._pieces(stream, checked=False)

    def _pieces(self, stream: BinaryIO, *, checked: bool) -> Iterator[Columns]:
        """Yield the records of a file as columns of the plan's fields; `checked`: its XML is seen to be well-formed."""
        fields = self.plan.fields
        for piece in read_pieces(stream, self.policy, fields, checked=checked):
            if isinstance(piece, list):
                rows = self._cut(iter(piece))
            elif self.source.cut_minutes is None:
                yield piece
                continue
            else:
                rows = self._cut(rows_of_columns(piece, fields))
            while taken := list(islice(rows, ROWS_AT_ONCE)):
                yield columns_of(taken, fields)


def read_pieces(
    stream: BinaryIO, policy: Policy, names: tuple[str, ...], *, checked: bool = False
) -> Iterator[Columns | list[Row]]:
    """Yield the records of one kind of a file, in order: as columns of those names where a kernel reads them, else as rows.

    Raises:
        UnableToDecodeFile: as `read_rows`.
    """
    head, shape = read_head(stream)
    kind = policy.kind
    if kind == "intervals" and shape == "xml" and ROOT.encode() in head:
        source = cast(BinaryIO, WellFormed(stream, head)) if checked else stream
        yield from FastR50(source, head, names, partial(_judged_xml, policy), policy).pieces()
    elif kind == "intervals" and shape == "json":
        yield from _json_pieces(stream, head, names, policy)
    elif shape:
        rows = _rows_of(stream, head, kind, shape, policy)
        while taken := list(islice(rows, ROWS_AT_ONCE)):
            yield taken


def _judged_xml(policy: Policy, stream: BinaryIO, head: bytes) -> Iterator[Row]:
    return map(policy.judged, _xml_rows(stream, head, policy.kind))


def _json_pieces(
    stream: BinaryIO, head: bytes, names: tuple[str, ...], policy: Policy
) -> Iterator[Columns | list[Row]]:
    """Yield the records of load curves in JSON: points come out of the text by a kernel."""
    source = WithoutPoints(stream, head)
    cut = cast(BinaryIO, source)
    fast, known, kind = FastR63(names, source, policy), dict[str, Any](), "intervals"
    for name, measure, line in read_objects(cut, source.read(), (MEASURES, kind), whole=WHOLE, head_of=known):
        if name != kind and shape_of(measure) == "R63":
            created = text(known, "echeances", "horodateDebutPublication")
            yield from _with_line(fast.measure(measure, line, created), line)
            continue
        yield from fast.gathered.flush()
        if rows := list(_element_rows(name, measure, line, policy, known)):
            yield rows
    yield from fast.gathered.flush()


def read_rows(stream: BinaryIO, kind: RecordKind) -> Iterator[Row]:
    """Yield the records of one kind of a file, given from its first byte: columns of `schemas.energy` by name.

    A column that is not there is empty. A file of nothing but white space has none.

    Raises:
        UnableToDecodeFile: WRONG_FLOW for another flow, or one without such records; what reading XML and JSON raises.
    """
    head, shape = read_head(stream)
    if not shape:
        return iter(())
    return _rows_of(stream, head, kind, shape, Policy(kind))


def _rows_of(stream: BinaryIO, head: bytes, kind: RecordKind, shape: str, policy: Policy) -> Iterator[Row]:
    if shape == "json":
        return _json_rows(stream, head, policy)
    if shape == "text" and is_history(head):
        return map(policy.judged, csv_rows(stream, head, kind))
    return _judged_xml(policy, stream, head)


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


def _json_rows(stream: BinaryIO, head: bytes, policy: Policy) -> Iterator[Row]:
    known: dict[str, Any] = {}
    for name, measure, line in read_objects(stream, head, (MEASURES, policy.kind), whole=WHOLE, head_of=known):
        yield from _element_rows(name, measure, line, policy, known)


def _element_rows(
    name: str, measure: dict[str, Any], line: int, policy: Policy, known: dict[str, Any]
) -> Iterator[Row]:
    if name == policy.kind:  # records of ours that were corrected, and are not judged again
        yield {column: str(text) for column, text in measure.items() if text is not None}
        return
    created = text(known, "echeances", "horodateDebutPublication")
    yield from map(policy.judged, _with_line(_measure_rows(measure, line, policy.kind, created), line))


def _with_line(found: Iterable[Item], line: int) -> Iterator[Item]:
    """Yield what is found, and tell of the line where something is wrong."""
    try:
        yield from found
    except UnableToDecodeFile as error:
        raise UnableToDecodeFile(error.code, f"line {line}: {error.message}") from error


def _measure_rows(measure: dict[str, Any], line: int, kind: RecordKind, created: str) -> Iterator[Row]:
    flow = shape_of(measure)
    if not flow and is_empty(measure):  # nothing was measured of this point
        return
    walk = JSON_FLOWS.get(flow, {}).get(kind)
    if walk is None:
        raise _wrong(f"a measure of the shape of {flow or 'no known flow'}", kind)
    yield from walk(measure, line, created)


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
    ranks: dict[str, int] = {flow: len(source.priority) - place for place, flow in enumerate(source.priority)}
    policy = Policy(source.records, ranks, source.bounds)
    beyond = (BEYOND,) if source.records == "quantities" else ()
    kept = INDEX_COLUMNS if source.differences_to is not None else ()
    cut = CUT_COLUMNS if source.cut_minutes is not None else ()
    return EnedisDecoder(source, compile_mapping(context, source.mapping, (DOUBT, LINE, *beyond, *kept, *cut)), policy)
