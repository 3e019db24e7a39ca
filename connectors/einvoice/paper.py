"""Invoices on paper: PDF/A-3b by a typst template, with the XML attached, so that it is a Factur-X.

A template reads data (JSON) and shows texts: what a customer is called cannot become code, since it never is part of a source.
Same invoice, template and language, same bytes: the date of the file is that of the invoice.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import typst

from connectors.einvoice.wording import WORDS, Language, day_text, number_text, unit_text
from schemas.invoice import Invoice
from schemas.invoice_parts import InvoiceLine, LineTax, Party, Period, UsageChart, last_day
from schemas.money import CURRENCY_DECIMALS

STANDARD: Final = "a-3b"
_NO_GLYPH = "could not be displayed with font"
BAR_HEIGHT = 250
"""Height of the tallest bar of a chart, in tenths of a millimetre."""


class UnableToRenderInvoice(Exception):
    """A template does not compile, or shows what an invoice does not have."""


def own_template() -> str:
    """Return the template that octroi ships."""
    return (resources.files("connectors.einvoice") / "templates" / "invoice.typ").read_text("utf-8")


def render_pdf(
    invoice: Invoice,
    language: Language = "fr",
    *,
    xml: bytes | None = None,
    template: str | None = None,
    fonts: Path | None = None,
) -> bytes:
    """Return an invoice as PDF/A-3b, with its XML attached as factur-x.xml where given.

    Args:
        fonts: a folder of more fonts; those of typst know Latin, Greek and Cyrillic letters.

    Raises:
        UnableToRenderInvoice: when the template fails, in the words of typst; also where no font has a letter of a text.
    """
    told = {"data": json.dumps(paper_data(invoice, language), ensure_ascii=False), "xml": (xml or b"").decode()}
    try:
        pdf = _compiler(fonts).compile(
            (template or own_template()).encode(), format="pdf", pdf_standards=[STANDARD], sys_inputs=told
        )
    except typst.TypstError as error:
        hint = (
            "; a font that has it is missing (templates/fonts of the data directory)" if _NO_GLYPH in str(error) else ""
        )
        raise UnableToRenderInvoice(f"the template does not compile: {error}{hint}") from error
    if not isinstance(pdf, bytes):
        raise UnableToRenderInvoice("the template made no document")
    return pdf


@cache
def _compiler(fonts: Path | None = None) -> typst.Compiler:
    root = str(resources.files("connectors.einvoice") / "templates")
    return typst.Compiler(ignore_system_fonts=True, root=root, font_paths=[] if fonts is None else [str(fonts)])


def paper_data(invoice: Invoice, language: Language) -> dict[str, Any]:
    """Return what a template shows: texts in a language, and nothing to compute; `heights` of bars are whole numbers."""
    words = WORDS[language]
    heading = f"{words[invoice.type]} {invoice.number}" if invoice.number else words["draft"]
    return {
        "language": language,
        "words": words,
        "title": heading,
        "heading": heading,
        "date": [invoice.issue_date.year, invoice.issue_date.month, invoice.issue_date.day],
        "seller": {
            "name": invoice.seller.name,
            "lines": _address(invoice.seller, words),
            "footer": " · ".join(
                [invoice.seller.name, *([invoice.seller.legal_text] if invoice.seller.legal_text else [])]
            ),
        },
        "buyer": {"name": invoice.buyer.name, "lines": _address(invoice.buyer, words)},
        "facts": _facts(invoice, words, language),
        "sections": _sections(invoice, words, language),
        "taxes": _taxes(invoice, words, language),
        "totals": _totals(invoice, words, language),
        "charts": [_chart(each, words, language) for each in invoice.usage],
        "payment": _payment(invoice, words),
        "notes": [note.text for note in invoice.notes],
    }


def _money(amount: Decimal, invoice: Invoice, language: Language) -> str:
    return number_text(amount, language, CURRENCY_DECIMALS[invoice.currency])


def _period(period: Period, words: dict[str, Any], language: Language) -> str:
    return f"{day_text(period.start, language)} {words['to']} {day_text(last_day(period), language)}"


def _address(party: Party, words: dict[str, Any]) -> list[str]:
    address = party.address
    place = " ".join(part for part in (address.postcode, address.city) if part)
    lines = [party.name, *address.lines, place, address.subdivision or "", address.country]
    if party.vat_id:
        lines.append(f"{words['vat']} {party.vat_id}")
    if party.legal_id:
        lines.append(f"{words['legal']} {party.legal_id.value}")
    return [line for line in lines if line]


def _facts(invoice: Invoice, words: dict[str, Any], language: Language) -> list[list[str]]:
    delivered = invoice.deliver_to
    facts = [
        (words["issue"], day_text(invoice.issue_date, language)),
        (words["due"], day_text(invoice.due_date, language) if invoice.due_date else None),
        (words["tax_point"], day_text(invoice.tax_point, language) if invoice.tax_point else None),
        (words["period"], _period(invoice.period, words, language) if invoice.period else None),
        (words["contract"], invoice.contract),
        (words["order"], invoice.purchase_order),
        (words["reference"], invoice.buyer_reference),
        (words["preceding"], ", ".join(each.number for each in invoice.preceding) or None),
        (words["delivered"], f"{delivered.name}, {delivered.address.country}" if delivered else None),
    ]
    return [[name, value] for name, value in facts if value is not None]


def _sections(invoice: Invoice, words: dict[str, Any], language: Language) -> list[dict[str, Any]]:
    sections = []
    for title, group in groupby(invoice.lines, key=lambda line: line.section):
        lines = list(group)
        subtotal = sum((line.net_amount for line in lines), Decimal(0))
        sections.append(
            {
                "title": title or "",
                "lines": [_line(line, invoice, words, language) for line in lines],
                "subtotal": _money(subtotal, invoice, language) if title else "",
            }
        )
    return sections


def _line(line: InvoiceLine, invoice: Invoice, words: dict[str, Any], language: Language) -> dict[str, Any]:
    unit = unit_text(line.unit, language)
    notes = [line.description or "", line.note or ""]
    notes.append(_period(line.period, words, language) if line.period else "")
    notes += [f"{each.name}: {each.value}" for each in line.attributes]
    notes += [
        f"{each.reason or each.reason_code}: {'-' if each.kind == 'allowance' else ''}{_money(each.amount, invoice, language)}"
        for each in line.allowances_charges
    ]
    notes.append(words[line.mark] if line.mark else "")
    per = f" / {number_text(line.price_base, language)}" if line.price_base != 1 else ""
    return {
        "name": line.name,
        "notes": [note for note in notes if note],
        "quantity": f"{number_text(line.quantity, language)} {unit}".strip(),
        "price": number_text(line.price, language) + per,
        "tax": _rate(line.tax, language),
        "amount": _money(line.net_amount, invoice, language),
    }


def _rate(tax: LineTax, language: Language) -> str:
    return (
        tax.category
        if tax.rate is None or tax.category not in ("S", "L", "M")
        else f"{number_text(tax.rate, language)} %"
    )


def _taxes(invoice: Invoice, words: dict[str, Any], language: Language) -> list[list[str]]:
    rows = []
    for each in invoice.taxes:
        base = f"{_rate(each.tax, language)} {words['on']} {_money(each.base, invoice, language)}"
        rows.append([base, _money(each.amount, invoice, language), invoice.currency])
        if each.reason or each.reason_code:
            rows.append([each.reason or each.reason_code or "", "", ""])
    return rows


def _totals(invoice: Invoice, words: dict[str, Any], language: Language) -> list[list[str]]:
    totals = invoice.totals
    rows = [("lines", totals.lines)] if invoice.allowances_charges else []
    rows += [
        (each.reason or words[f"{each.kind}s"], -each.amount if each.kind == "allowance" else each.amount)
        for each in invoice.allowances_charges
    ]
    rows += [("net", totals.net), ("tax", totals.tax), ("gross", totals.gross)]
    rows += [("prepaid", -totals.prepaid)] if totals.prepaid else []
    rows += [("rounding", totals.rounding)] if totals.rounding else []
    rows.append(("refund" if invoice.is_credit_note else "payable", totals.payable))
    return [[words.get(name, name), f"{_money(amount, invoice, language)} {invoice.currency}"] for name, amount in rows]


def _chart(chart: UsageChart, words: dict[str, Any], language: Language) -> dict[str, Any]:
    most = max(bar.quantity for bar in chart.bars) or Decimal(1)
    estimated = [bar.mark == "estimated" for bar in chart.bars]
    point = f", {words['point']} {chart.point}" if chart.point else ""
    return {
        "title": f"{chart.label} ({chart.unit}){point}",
        "legend": words["legend"] if any(estimated) else "",
        "bars": [
            {
                "label": f"{bar.period.start:%m/%y}",
                "quantity": number_text(bar.quantity, language),
                "height": int(bar.quantity * BAR_HEIGHT / most),
                "estimated": guess,
            }
            for bar, guess in zip(chart.bars, estimated, strict=True)
        ],
    }


def _payment(invoice: Invoice, words: dict[str, Any]) -> list[list[str]]:
    payment = invoice.payment
    rows = [(words["terms"], invoice.terms)]
    if payment is not None:
        rows += [
            (words["payment"], payment.text),
            (words["iban"], payment.iban),
            (words["bic"], payment.bic),
            (words["debited"], payment.debited_iban),
            (words["mandate"], payment.mandate),
            (words["creditor"], payment.creditor_id),
            (words["remittance"], payment.remittance),
        ]
    return [[name, value] for name, value in rows if value is not None]
