"""How the records of each format are rewritten. A record is changed in its own bytes, and a file of such records is one of
its source like any other: the same decoder reads it, and whoever audits it sees what changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import BinaryIO, Protocol

from pipelines.mediation.decode import Decoder
from pipelines.mediation.delimited.header import split_header
from pipelines.mediation.rewrite.delimited import delimited_rewriter
from pipelines.mediation.rewrite.failures import UnableToRewrite
from pipelines.mediation.rewrite.fixed_width import fixed_width_rewriter
from pipelines.mediation.rewrite.json_object import JsonRewriter
from pipelines.mediation.text import read_head
from pipelines.mediation.transform import TransformingDecoder
from schemas.source import CloudEventsSource, DelimitedSource, EnedisSource, FixedWidthSource, GrdfSource, JsonSource

FIELDS_TOLD = 20
REWRITTEN = (DelimitedSource, FixedWidthSource, JsonSource, CloudEventsSource, EnedisSource, GrdfSource)
"""Formats of text."""


class Rewriter(Protocol):
    """Replaces the same fields in records of one file."""

    def record(self, raw: bytes) -> bytes:
        """Return one record with the new values; raise UnableToRewriteRecord."""

    def file(self, records: Sequence[bytes]) -> bytes:
        """Return a file of rewritten records that their source's decoder reads."""


def make_rewriter(decoder: Decoder, values: Mapping[str, str], stream: BinaryIO) -> Rewriter:
    """Return what replaces `values`, field name -> new text, in records of a file.

    Args:
        decoder: the source's. values: at least one.
        stream: the decoded bytes of the file that the records came in, from the first one.

    Raises:
        UnableToRewrite: when the format is not text, the source reads no such field, or a value fits in no record.
        UnableToDecodeFile: when the file has no good header.
    """
    source = decoder.source
    if not isinstance(source, REWRITTEN):
        raise UnableToRewrite(
            f"source {source.code!r} is of format {source.format}, whose records cannot be written anew: correct the "
            "mapping and replay, or let the sender send a corrected file"
        )
    known = decoder.inner.field_names if isinstance(decoder, TransformingDecoder) else decoder.field_names
    for name in values:
        _expect_field(name, known)
    if isinstance(source, DelimitedSource):
        columns = source.columns
        if source.header:
            columns, _ = split_header(stream, read_head(stream, source), source)
        return delimited_rewriter(source, columns, values)
    if isinstance(source, FixedWidthSource):
        return fixed_width_rewriter(source, values)
    return JsonRewriter(source, values)


def _expect_field(name: str, known: Sequence[str]) -> None:
    if name in known:
        return
    near = get_close_matches(name, known, 3)
    more = ", …" if len(known) > FIELDS_TOLD else ""
    hint = f"did you mean {' or '.join(near)}?" if near else f"it reads {', '.join(known[:FIELDS_TOLD])}{more}"
    raise UnableToRewrite(f"the source reads no field {name!r}; {hint}")
