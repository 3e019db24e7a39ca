"""Factur-X: what makes a PDF/A-3 with an attached XML one, and reading that XML back out of a PDF.

The metadata (XMP) of a Factur-X names its profile by an extension schema (Factur-X 1.0, §6). typst writes PDF/A metadata of its
own; completed ones are appended as an update (ISO 32000-1, §7.5.6), so that what was there stays byte by byte.
"""

from __future__ import annotations

import re
from functools import cache
from io import BytesIO

import facturx
from lxml import etree
from pypdf import PdfReader

from connectors.einvoice.checking import UnableToReadInvoice

ATTACHMENT = "factur-x.xml"
PDF_BYTES_MAX = 64 * 1024 * 1024
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_EXTENSIONS = "{http://www.aiim.org/pdfa/ns/extension/}schemas"
_NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_TOLD = ("author", "keywords", "title", "subject")
_SAID = (
    ("DocumentType", "INVOICE"),
    ("DocumentFileName", ATTACHMENT),
    ("Version", "1.0"),
    ("ConformanceLevel", "EN 16931"),
)
_END_OF_EXTENSIONS = b"</rdf:Bag></pdfaExtension:schemas>"
_TRAILER = re.compile(rb"trailer\s*<<(.*)>>\s*startxref\s+(\d+)\s+%%EOF\s*\Z", re.DOTALL)
_CATALOG = re.compile(rb"/Root (\d+) 0 R")
_METADATA = re.compile(rb"/Metadata (\d+) 0 R")
_STREAM = re.compile(rb"<</Length (\d+)/Type/Metadata/Subtype/XML>>\s*stream\r?\n")


class UnableToMakeFacturX(Exception):
    """A PDF is not built as typst builds PDF/A-3, so that its metadata cannot be completed."""


def as_facturx(pdf: bytes) -> bytes:
    """Return a PDF/A-3 of typst, whose attachment is an EN 16931 invoice, with the metadata of a Factur-X of that profile.

    Raises:
        UnableToMakeFacturX: when its trailer, its objects or its metadata are not where typst puts them.
    """
    trailer = _found(_TRAILER, pdf, max(0, len(pdf) - 4096), "trailer")
    table = int(trailer[2])
    catalog = _offset(pdf, table, int(_found(_CATALOG, trailer[1], 0, "catalog")[1]))
    number = int(_found(_METADATA, pdf, catalog, "metadata")[1])
    stream = _found(_STREAM, pdf, _offset(pdf, table, number), "metadata")
    metadata = pdf[stream.end() : stream.end() + int(stream[1])]
    if metadata.count(_END_OF_EXTENSIONS) != 1 or metadata.count(b"</rdf:RDF>") != 1:
        raise UnableToMakeFacturX("its metadata have no place for those of a Factur-X")
    metadata = metadata.replace(_END_OF_EXTENSIONS, _extension() + _END_OF_EXTENSIONS)
    metadata = metadata.replace(b"</rdf:RDF>", _description() + b"</rdf:RDF>")
    update = b"\n%d 0 obj\n<</Length %d/Type/Metadata/Subtype/XML>>\nstream\n%b\nendstream\nendobj\n" % (
        number,
        len(metadata),
        metadata,
    )
    place = len(pdf) + 1
    end = b"xref\r\n%d 1\r\n%010d 00000 n\r\ntrailer\n<<%b/Prev %d>>\nstartxref\n%d\n%%%%EOF" % (
        number,
        place,
        trailer[1],
        table,
        len(pdf) + len(update),
    )
    return pdf + update + end


def _found(pattern: re.Pattern[bytes], text: bytes, start: int, what: str) -> re.Match[bytes]:
    match = pattern.search(text, start)
    if match is None:
        raise UnableToMakeFacturX(f"its {what} is not where typst puts it")
    return match


def _offset(pdf: bytes, table: int, number: int) -> int:
    """Return where an object begins, by a cross-reference table of one section, whose entries have 20 bytes each."""
    head = re.compile(rb"xref\s+0 (\d+)\s+").match(pdf, table)
    if head is None or number >= int(head[1]):
        raise UnableToMakeFacturX("its cross-reference table is not where typst puts it")
    entry = head.end() + 20 * number
    return int(pdf[entry : entry + 10])


@cache
def _extension() -> bytes:
    """Return the entry of the extension schema, as the library has it."""
    made = etree.fromstring(facturx.generate_xmp_bytes("factur-x", "en16931", None, dict.fromkeys(_TOLD, "")))
    (entry,) = next(made.iter(_EXTENSIONS)).findall(f"{_RDF}Bag/{_RDF}li")
    parser = etree.XMLParser(remove_blank_text=True)
    return bytes(etree.tostring(etree.fromstring(etree.tostring(entry, with_tail=False), parser)))


def _description() -> bytes:
    said = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, value in _SAID)
    return f'<rdf:Description rdf:about="" xmlns:fx="{_NAMESPACE}">{said}</rdf:Description>'.encode()


def attached_xml(pdf: bytes) -> bytes:
    """Return the XML that a Factur-X holds.

    Raises:
        UnableToReadInvoice: when it is no PDF, or has no such attachment.
    """
    if len(pdf) > PDF_BYTES_MAX:
        raise UnableToReadInvoice(f"it has more than {PDF_BYTES_MAX} bytes")
    try:
        attachments = PdfReader(BytesIO(pdf)).attachments
        named = [name for name in attachments if name.lower() == ATTACHMENT]
        if not named:
            raise UnableToReadInvoice(f"it has no attachment {ATTACHMENT}: it is no Factur-X")
        return bytes(attachments[named[0]][0])
    except UnableToReadInvoice:
        raise
    except Exception as error:  # a hostile file makes pypdf raise anything: KeyError, AttributeError, RecursionError
        raise UnableToReadInvoice(f"it is no PDF that can be read: {type(error).__name__}: {error}") from error
