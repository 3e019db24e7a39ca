"""All documents of one invoice, made and checked: what a billing run asks of each, in processes of its own choosing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from connectors.einvoice.checking import Finding, check_xml
from connectors.einvoice.containers import as_facturx
from connectors.einvoice.paper import render_pdf
from connectors.einvoice.wording import Language
from connectors.einvoice.writing import Profile, write_xml
from schemas.invoice import Invoice

Form = Literal["facturx", "ubl", "cii"]
"""What is made: facturx a PDF that holds its XML (CII); ubl and cii a plain PDF, and XML beside it."""


class BreaksRules(Exception):
    """XML of an invoice breaks official rules: `findings` say which."""

    def __init__(self, number: str, findings: tuple[Finding, ...]) -> None:
        self.number, self.findings = number, findings
        said = "; ".join(f"{each.rule}: {each.text}" for each in self.findings[:5])
        super().__init__(f"{number} breaks official rules, and is not sent: {said}")

    def __reduce__(self) -> tuple[type[BreaksRules], tuple[str, tuple[Finding, ...]]]:
        """Say how it comes out of another process."""
        return BreaksRules, (self.number, self.findings)


def checked_xml(invoice: Invoice, form: Form = "facturx", profile: Profile = "en16931") -> bytes:
    """Return the XML of an invoice that keeps the rules of its profile.

    Raises:
        UnableToWriteInvoice: when XML has no place for what it says. BreaksRules: when schema or schematron refuse it.
    """
    xml = write_xml(invoice, "ubl" if form == "ubl" else "cii", profile)
    broken = tuple(each for each in check_xml(xml).findings if each.fatal)
    if broken:
        raise BreaksRules(invoice.number or "", broken)
    return xml


def paper(
    invoice: Invoice,
    form: Form = "facturx",
    language: Language = "fr",
    *,
    xml: bytes | None,
    template: str | None = None,
    fonts: Path | None = None,
) -> bytes:
    """Return an invoice as PDF; as a Factur-X, where that is asked and there is `xml` to attach.

    Raises:
        UnableToRenderInvoice: when the template fails. UnableToMakeFacturX: when it makes a PDF of another build.
    """
    attached = xml if form == "facturx" else None
    pdf = render_pdf(invoice, language, xml=attached, template=template, fonts=fonts)
    return pdf if attached is None else as_facturx(pdf)
