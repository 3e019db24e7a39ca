"""XML of an invoice: CII (Cross Industry Invoice, in a Factur-X) or UBL 2.1, in a profile. Same invoice, same bytes."""

from __future__ import annotations

from typing import Literal

from facturx import generate_cii_xml, generate_ubl_xml
from lxml import etree

from connectors.einvoice.terms import UnableToWriteInvoice, terms_of
from schemas.invoice import Invoice

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
Syntax = Literal["cii", "ubl"]
Profile = Literal["en16931", "extended-ctc-fr"]
"""EN 16931 as it is, or with what the French reform adds (XP Z12-012); the latter is XML only, never in a Factur-X."""


def write_xml(invoice: Invoice, syntax: Syntax = "cii", profile: Profile = "en16931") -> bytes:
    """Return an invoice as XML in UTF-8; it is not checked here (`connectors.einvoice.checking`).

    Raises:
        UnableToWriteInvoice: when XML has no place for what it says.
    """
    write = generate_cii_xml if syntax == "cii" else generate_ubl_xml
    terms = terms_of(invoice)
    try:
        told = write(terms, level=profile, check_xsd=False, check_schematron=False)
    except ValueError as error:
        raise UnableToWriteInvoice(f"{invoice.number}: {error}") from error
    return _without_nil(told)


def _without_nil(xml: bytes) -> bytes:
    """Return XML in which nothing is `xsi:nil`: the library marks what is empty so, and the schemas refuse that."""
    tree = etree.fromstring(xml)
    for element in tree.iter():
        element.attrib.pop(_NIL, None)
    return bytes(etree.tostring(tree, encoding="UTF-8", xml_declaration=True, pretty_print=True))
