"""An invoice as the dictionary of terms (BT-…) and groups (BG-…) that the library `factur-x` writes XML from."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from schemas.invoice import Invoice
from schemas.invoice_parts import AllowanceCharge, InvoiceLine, Party, Payee, TaxSum, last_day
from schemas.money import CURRENCY_DECIMALS

TAX_POINTS = {"5": "invoice", "29": "delivery", "72": "payment"}
MARKS = {"real": "real", "estimated": "estimated", "customer": "told by the customer"}
MARK_NAME = "index"
"""The attribute (BG-32) by which a line says what its quantity rests on."""
DECIMALS_MAX = 2
"""Decimals of an amount in EN 16931 (BR-DEC-…)."""


class UnableToWriteInvoice(Exception):
    """An invoice cannot be said in XML: it is a draft, or has what EN 16931 has no place for."""


def terms_of(invoice: Invoice) -> dict[str, Any]:
    """Return what an invoice says, by the terms of EN 16931; what it does not say is left out.

    Raises:
        UnableToWriteInvoice: for a draft, and for a currency of more than two decimals.
    """
    if invoice.number is None:
        raise UnableToWriteInvoice("a draft has no number (BT-1); XML is written of what is issued")
    if CURRENCY_DECIMALS[invoice.currency] > DECIMALS_MAX:
        raise UnableToWriteInvoice(f"amounts in {invoice.currency} have more than two decimals (BR-DEC)")
    told = {
        **_document(invoice),
        **_references(invoice),
        **_payment(invoice),
        **_totals(invoice),
        "BG-4": _party(invoice.seller),
        "BG-7": _party(invoice.buyer),
        "BG-10": _payee(invoice.payee) if invoice.payee else None,
        "BG-13": _party(invoice.deliver_to) if invoice.deliver_to else None,
        "BG-20": [_adjustment(each, invoice) for each in invoice.allowances_charges if each.kind == "allowance"],
        "BG-21": [_adjustment(each, invoice) for each in invoice.allowances_charges if each.kind == "charge"],
        "BG-23": [_tax(each, invoice) for each in invoice.taxes],
        "BG-25": [_line(each, invoice) for each in invoice.lines],
    }
    return _said(told)


def _said(terms: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in terms.items() if value is not None and value not in ([], {})}


def _money(amount: Decimal, invoice: Invoice) -> str:
    return f"{amount:.{CURRENCY_DECIMALS[invoice.currency]}f}"


def _number(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else _number(value)


def _document(invoice: Invoice) -> dict[str, Any]:
    period = invoice.period
    return {
        "BT-1": invoice.number,
        "BT-2": invoice.issue_date,
        "BT-3": invoice.type,
        "BT-5": invoice.currency,
        "BT-6": invoice.accounting_currency,
        "BT-7": invoice.tax_point,
        "BT-8": TAX_POINTS[invoice.tax_point_code] if invoice.tax_point_code else None,
        "BT-9": invoice.due_date,
        "BT-23": invoice.business_process,
        "BT-72": invoice.delivery_date,
        "BT-73": period.start if period else None,
        "BT-74": last_day(period) if period else None,
        "BG-1": [_said({"BT-21": note.subject, "BT-22": note.text}) for note in invoice.notes],
    }


def _references(invoice: Invoice) -> dict[str, Any]:
    return {
        "BT-10": invoice.buyer_reference,
        "BT-11": invoice.project,
        "BT-11-0": invoice.project,
        "BT-12": invoice.contract,
        "BT-13": invoice.purchase_order,
        "BT-14": invoice.sales_order,
        "BT-19": invoice.buyer_accounting,
        "BG-3": [_said({"BT-25": each.number, "BT-26": each.issue_date}) for each in invoice.preceding],
    }


def _payment(invoice: Invoice) -> dict[str, Any]:
    payment = invoice.payment
    terms: dict[str, Any] = {"BT-20": invoice.terms}
    if payment is None:
        return terms
    return terms | {
        "BT-81": payment.means,
        "BT-82": payment.text,
        "BT-83": payment.remittance,
        "BT-84": payment.iban,
        "BT-85": payment.account_name,
        "BT-86": payment.bic,
        "BT-87": payment.card_last_digits,
        "BT-89": payment.mandate,
        "BT-90": payment.creditor_id,
        "BT-91": payment.debited_iban,
    }


def _totals(invoice: Invoice) -> dict[str, Any]:
    totals = invoice.totals
    accounting = totals.accounting_tax
    return {
        "BT-106": _money(totals.lines, invoice),
        "BT-107": _money(totals.allowances, invoice) if invoice.allowances_charges else None,
        "BT-108": _money(totals.charges, invoice) if invoice.allowances_charges else None,
        "BT-109": _money(totals.net, invoice),
        "BT-110": _money(totals.tax, invoice),
        "BT-111": None if accounting is None else f"{accounting:f}",
        "BT-112": _money(totals.gross, invoice),
        "BT-113": _money(totals.prepaid, invoice) if totals.prepaid else None,
        "BT-114": _money(totals.rounding, invoice) if totals.rounding else None,
        "BT-115": _money(totals.payable, invoice),
    }


def _party(party: Party) -> dict[str, Any]:
    lines = [*party.address.lines, None, None, None]
    contact = party.contact
    return _said(
        {
            "name": party.name,
            "biz_name": party.trading_name,
            "identifiers": {each.scheme: each.value for each in party.identifiers},
            "legal_identifier": party.legal_id.value if party.legal_id else None,
            "legal_identifier_schemeid": party.legal_id.scheme if party.legal_id else None,
            "vat_identifier": party.vat_id,
            "tax_identifier": party.tax_id,
            "legal_info": party.legal_text,
            "einvoicing_addr": party.electronic_address.value if party.electronic_address else None,
            "einvoicing_addr_schemeid": party.electronic_address.scheme if party.electronic_address else None,
            "addr_l1": lines[0],
            "addr_l2": lines[1],
            "addr_l3": lines[2],
            "postcode": party.address.postcode,
            "city": party.address.city,
            "country_subdivision": party.address.subdivision,
            "country_code": party.address.country,
            "contacts": [_said({"name": contact.name, "phone": contact.telephone, "email": contact.email})]
            if contact
            else None,
        }
    )


def _payee(payee: Payee) -> dict[str, Any]:
    return _said(
        {
            "name": payee.name,
            "identifiers": {payee.identifier.scheme: payee.identifier.value} if payee.identifier else None,
            "legal_identifier": payee.legal_id.value if payee.legal_id else None,
            "legal_identifier_schemeid": payee.legal_id.scheme if payee.legal_id else None,
        }
    )


def _adjustment(each: AllowanceCharge, invoice: Invoice) -> dict[str, Any]:
    return _said(
        {
            "amount": _money(each.amount, invoice),
            "base_amount": None if each.base is None else _money(each.base, invoice),
            "rate": _optional(each.percent),
            "reason": each.reason,
            "reason_code": each.reason_code,
            "vat_category_code": each.tax.category if each.tax else None,
            "vat_rate": _optional(each.tax.rate) if each.tax else None,
        }
    )


def _tax(each: TaxSum, invoice: Invoice) -> dict[str, Any]:
    return _said(
        {
            "BT-116": _money(each.base, invoice),
            "BT-117": _money(each.amount, invoice),
            "BT-118": each.tax.category,
            "BT-119": _optional(each.tax.rate),
            "BT-120": each.reason,
            "BT-121": each.reason_code,
        }
    )


def _line(line: InvoiceLine, invoice: Invoice) -> dict[str, Any]:
    discount = line.price_discount
    attributes = [{"BT-160": each.name, "BT-161": each.value} for each in line.attributes]
    if line.mark is not None:
        attributes.append({"BT-160": MARK_NAME, "BT-161": MARKS[line.mark]})
    return _said(
        {
            "BT-126": line.id,
            "BT-127-00": [{"BT-127": line.note}] if line.note else None,
            "BT-129": _number(line.quantity),
            "BT-130": line.unit,
            "BT-131": _money(line.net_amount, invoice),
            "BT-132": line.order_line,
            "BT-133": line.accounting,
            "BT-134": line.period.start if line.period else None,
            "BT-135": last_day(line.period) if line.period else None,
            "BT-146": _number(line.price),
            "BT-147-00": [{"BT-147": _number(discount)}] if discount is not None else None,
            "BT-148": _number(line.price + discount) if discount is not None else None,
            "BT-149": _number(line.price_base) if line.price_base != 1 else None,
            "BT-151": line.tax.category,
            "BT-152": _optional(line.tax.rate),
            "BT-153": line.name,
            "BT-154": line.description,
            "BT-155": line.article,
            "BT-156": line.buyer_article,
            "BG-27": [_adjustment(each, invoice) for each in line.allowances_charges if each.kind == "allowance"],
            "BG-28": [_adjustment(each, invoice) for each in line.allowances_charges if each.kind == "charge"],
            "BG-32": attributes,
        }
    )
