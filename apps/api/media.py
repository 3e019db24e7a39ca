"""Which kinds of body a source reads, and how a body is turned into the file that its decoder expects."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

from apps.api.problems import Problem
from schemas.source import SourceBase

NDJSON, JSON, OCTETS = "application/x-ndjson", "application/json", "application/octet-stream"
CLOUDEVENT, CLOUDEVENT_BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
CSV = "text/csv"
ARROW_STREAM, ARROW_FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True, slots=True)
class Media:
    """One kind of body: the ending of its file's name, and the layouts of JSON sources that read it."""

    ending: str
    layouts: tuple[str, ...] = ()


_LINES = Media("ndjson", ("auto", "lines"))
_DOCUMENT, _ARRAY = Media("json", ("auto", "document")), Media("json", ("auto", "array"))
_JSON = {
    NDJSON: _LINES,
    "application/ndjson": _LINES,
    "application/jsonl": _LINES,
    JSON: Media("json", ("auto", "document", "array")),
}
_TEXT = {"text/plain": Media("txt")}
BY_FORMAT: dict[str, dict[str, Media]] = {
    "delimited": {CSV: Media("csv"), "text/tab-separated-values": Media("tsv"), **_TEXT},
    "fixed_width": {**_TEXT, OCTETS: Media("bin")},
    "cloudevents": {CLOUDEVENT: _DOCUMENT, CLOUDEVENT_BATCH: _ARRAY, **_JSON},
    "json": _JSON,
    "arrow": {ARROW_STREAM: Media("arrows"), ARROW_FILE: Media("arrow")},
    "parquet": {PARQUET: Media("parquet")},
    "r151": {"application/xml": Media("xml"), "text/xml": Media("xml")},
    "enedis": {"application/xml": Media("xml"), "text/xml": Media("xml"), JSON: Media("json"), CSV: Media("csv")},
    "grdf": {**_JSON, CSV: Media("csv")},
}
"""The kinds of body of each format; of every other one: its bytes, `application/octet-stream`."""
_ANY: dict[str, Media] = {OCTETS: Media("bin")}
ENCODINGS = ("gzip", "zstd")


def accepted(source: SourceBase) -> dict[str, Media]:
    """Return the kinds of body that a source reads."""
    layout = getattr(source, "layout", "auto")
    known = BY_FORMAT.get(source.format, _ANY)
    return {kind: media for kind, media in known.items() if not media.layouts or layout in media.layouts}


def media_of(content_type: str | None, source: SourceBase) -> Media:
    """Return what a body with this `Content-Type` is to a source.

    Raises:
        Problem: unsupported-media-type, with the kinds that the source reads in `Accept-Post`.
    """
    known = accepted(source)
    header = Message()
    header["Content-Type"] = content_type or ""
    kind = header.get_content_type() if content_type else ""
    media = known.get(kind)
    if media is None:
        raise _unsupported(
            f"the source {source.code!r} ({source.format}) does not read {kind or 'bodies without a type'}", known
        )
    charset = header.get_content_charset()
    wanted = getattr(source, "encoding", "utf-8")
    if charset and _charset(charset) != _charset(wanted):
        raise _unsupported(f"the source {source.code!r} reads {wanted}, the body is {charset}", known)
    return media


def _charset(name: str) -> str:
    return {"us-ascii": "utf-8", "utf8": "utf-8", "iso-8859-1": "latin-1", "latin1": "latin-1"}.get(
        name.lower(), name.lower()
    )


def _unsupported(detail: str, known: dict[str, Media]) -> Problem:
    kinds = list(known)
    return Problem("unsupported-media-type", detail, headers={"Accept-Post": ", ".join(kinds)}, accepted=kinds)


def encoding_of(content_encoding: str | None) -> str | None:
    """Return how a body is compressed, None when it is not.

    Raises:
        Problem: unsupported-media-type, with what is read in `Accept-Encoding` (RFC 9110 §12.5.3).
    """
    encoding = (content_encoding or "identity").strip().lower()
    if encoding in ("identity", ""):
        return None
    if encoding == "x-gzip":
        return "gzip"
    if encoding not in ENCODINGS:
        detail = f"bodies are not decompressed from {encoding!r}: use {' or '.join(ENCODINGS)}"
        raise Problem("unsupported-media-type", detail, headers={"Accept-Encoding": ", ".join(ENCODINGS)})
    return encoding
