"""Factur-X: what makes a PDF/A-3 with an attached XML one, and reading that XML back out of a PDF.

The metadata (XMP) of a Factur-X names its profile by an extension schema (Factur-X 1.0, §6). typst writes PDF/A metadata of its
own; they are completed in an update at the end of the file, so that its first bytes stay as they were.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import facturx
from lxml import etree
from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from pypdf.generic import DecodedStreamObject, NameObject

from connectors.einvoice.checking import UnableToReadInvoice

ATTACHMENT = "factur-x.xml"
PDF_BYTES_MAX = 64 * 1024 * 1024
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_PROFILE = "EN 16931"


def as_facturx(pdf: bytes) -> bytes:
    """Return a PDF/A-3, whose attachment is an EN 16931 invoice, with the metadata of a Factur-X of that profile."""
    writer = PdfWriter(BytesIO(pdf), incremental=True)
    place: Any = writer.root_object.raw_get("/Metadata")
    metadata = etree.fromstring(place.get_object().get_data())
    (rdf,) = metadata.iter(f"{_RDF}RDF")
    made = etree.fromstring(facturx.generate_xmp_bytes("factur-x", "en16931", None, _NO_METADATA))
    for description in made.iter(f"{_RDF}Description"):
        if any(child.tag.startswith(_OURS) for child in description):
            description.set(f"{_RDF}about", "")
            rdf.append(description)
    stream = DecodedStreamObject()
    stream.set_data(etree.tostring(metadata.getroottree(), encoding="UTF-8", xml_declaration=False))
    stream[NameObject("/Type")] = NameObject("/Metadata")
    stream[NameObject("/Subtype")] = NameObject("/XML")
    writer._replace_object(place, stream)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


_NO_METADATA = {"author": "", "keywords": "", "title": "", "subject": ""}
_OURS = ("{urn:factur-x:", "{http://www.aiim.org/pdfa/ns/extension/}")


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
    except (PyPdfError, ValueError, KeyError, RecursionError) as error:
        raise UnableToReadInvoice(f"it is no PDF that can be read: {error}") from error
