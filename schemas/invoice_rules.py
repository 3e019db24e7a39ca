"""What has to hold between the fields of an invoice: rules of EN 16931-1, by their ids, that any form of it must keep.

Schematrons ask the same of XML (`connectors.einvoice`); here it is asked before there is any, and to the last cent where they
leave a tolerance. A tax may differ by one smallest unit from base × rate: gross prices make it what is between gross and net.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from schemas.invoice_base import InvoiceBase
from schemas.invoice_parts import InvoiceLine, LineTax, Party, TaxSum
from schemas.invoice_sums import RATED, ZERO, tax_bases, tax_due, tax_key, totals_of
from schemas.money import CURRENCY_DECIMALS

NAMES = {"S": "S", "Z": "Z", "E": "E", "AE": "AE", "K": "IC", "G": "G", "O": "O", "L": "AF", "M": "AG"}
"""Tax category -> what the rules about it are called: BR-NAME-05 and so on."""
SUMS = {
    "lines": ("BR-CO-10", "lines come to"),
    "allowances": ("BR-CO-11", "allowances of the document come to"),
    "charges": ("BR-CO-12", "charges of the document come to"),
    "net": ("BR-CO-13", "lines less allowances plus charges come to"),
    "tax": ("BR-CO-14", "taxes come to"),
    "gross": ("BR-CO-15", "net and tax come to"),
    "payable": ("BR-CO-16", "gross less what is prepaid plus rounding comes to"),
}
TRANSFERS, DIRECT_DEBITS = ("30", "58"), ("49", "59")


def broken_rules(invoice: InvoiceBase) -> Iterator[str]:
    """Yield what does not hold, each with the id of its rule; nothing of an invoice that is right."""
    if invoice.currency not in CURRENCY_DECIMALS:
        yield f"BR-05: {invoice.currency} is no currency that octroi bills in"
        return
    yield from _decimals(invoice)
    yield from _totals(invoice)
    yield from _taxes(invoice)
    yield from _lines(invoice)
    yield from _parties(invoice)
    yield from _dates_and_payment(invoice)


def _decimals(invoice: InvoiceBase) -> Iterator[str]:
    places = CURRENCY_DECIMALS[invoice.currency]
    totals = invoice.totals
    amounts = [(f"totals.{name}", getattr(totals, name)) for name in (*SUMS, "prepaid", "rounding")]
    amounts += [(f"line {line.id}", line.net_amount) for line in invoice.lines]
    amounts += [
        (f"a tax of category {each.tax.category}", value)
        for each in invoice.taxes
        for value in (each.base, each.amount)
    ]
    amounts += [(f"an {each.kind} of the document", each.amount) for each in invoice.allowances_charges]
    amounts += [
        (f"an {each.kind} of line {line.id}", each.amount) for line in invoice.lines for each in line.allowances_charges
    ]
    for name, amount in amounts:
        if amount != amount.quantize(Decimal(1).scaleb(-places)):
            yield f"BR-DEC: {name} is {amount:f}, and {invoice.currency} has {places} decimals"


def _totals(invoice: InvoiceBase) -> Iterator[str]:
    told = invoice.totals
    wanted = totals_of(
        invoice.lines, invoice.allowances_charges, invoice.taxes, prepaid=told.prepaid, rounding=told.rounding
    )
    for name, (rule, words) in SUMS.items():
        sum_, said = getattr(wanted, name), getattr(told, name)
        if sum_ != said:
            yield f"{rule}: {words} {sum_:f}, but totals.{name} is {said:f}"
    if invoice.accounting_currency is not None and told.accounting_tax is None:
        yield "BR-53: with accounting_currency, totals.accounting_tax is needed"
    if told.accounting_tax is not None and invoice.accounting_currency is None:
        yield "BR-53: totals.accounting_tax needs the accounting_currency it is in"


def _taxes(invoice: InvoiceBase) -> Iterator[str]:
    for each in invoice.allowances_charges:
        if each.tax is None:
            yield f"BR-{'32' if each.kind == 'allowance' else '37'}: an {each.kind} of the document says its tax"
    taxed = [line.tax for line in invoice.lines] + [each.tax for each in invoice.allowances_charges if each.tax]
    for tax in taxed:
        yield from _rate(tax, "05")
    bases = tax_bases(invoice.lines, invoice.allowances_charges)
    seen = set()
    for due in invoice.taxes:
        key, name = tax_key(due.tax), NAMES[due.tax.category]
        if key in seen:
            yield f"BR-{name}-01: {_tax_text(due.tax)} is summed twice"
        seen.add(key)
        base = bases.get(key)
        if base is None:
            yield f"BR-{name}-08: nothing is taxed with {_tax_text(due.tax)}"
        elif base != due.base:
            yield f"BR-{name}-08: what {_tax_text(due.tax)} is due on comes to {base:f}, but its base is {due.base:f}"
        yield from _tax_sum(due, name, invoice.currency)
    for category, rate in sorted(bases.keys() - seen, key=str):
        yield f"BR-{NAMES[category]}-01: there is no sum of {_tax_text(LineTax(category=category, rate=rate))}"
    if "O" in {category for category, _ in bases} and len({category for category, _ in bases}) > 1:
        yield "BR-O-11: what is outside the scope of VAT (O) stands on an invoice of its own"


def _tax_sum(each: TaxSum, name: str, currency: str) -> Iterator[str]:
    yield from _rate(each.tax, "09")
    due = tax_due(each.base, each.tax.rate, currency)
    step = Decimal(1).scaleb(-CURRENCY_DECIMALS[currency]) if each.tax.category in RATED else ZERO
    if abs(each.amount - due) > step:
        yield f"BR-{name}-09: {_tax_text(each.tax)} on {each.base:f} is {due:f}, not {each.amount:f}"
    explained = each.reason is not None or each.reason_code is not None
    if each.tax.category in (*RATED, "Z") and explained:
        yield f"BR-{name}-10: {_tax_text(each.tax)} is no exemption, and has no reason"
    if each.tax.category not in (*RATED, "Z") and not explained:
        yield f"BR-{name}-10: {_tax_text(each.tax)} says why nothing is due: a reason or its code"


def _rate(tax: LineTax, rule: str) -> Iterator[str]:
    name = NAMES[tax.category]
    if tax.category == "O":
        if tax.rate is not None:
            yield f"BR-O-{rule}: what is outside the scope of VAT has no rate"
    elif tax.rate is None:
        yield f"BR-{name}-{rule}: {_tax_text(tax)} needs its rate"
    elif tax.category == "S" and tax.rate == 0:
        yield f"BR-S-{rule}: a rate of 0 is category Z, not S"
    elif tax.category not in RATED and tax.rate != 0:
        yield f"BR-{name}-{rule}: category {tax.category} has the rate 0, not {tax.rate:f}"


def _tax_text(tax: LineTax) -> str:
    return f"tax {tax.category}" if tax.rate is None else f"tax {tax.category} {tax.rate.normalize():f} %"


def _lines(invoice: InvoiceBase) -> Iterator[str]:
    ids = set()
    for line in invoice.lines:
        if line.id in ids:
            yield f"BR-21: line {line.id} is there twice"
        ids.add(line.id)
        if line.price < 0:
            yield f"BR-27: the price of line {line.id} is negative; what is given back has a negative quantity"
        yield from _line_adjustments(line)
    for each in invoice.allowances_charges:
        if each.reason is None and each.reason_code is None:
            yield f"BR-{'33' if each.kind == 'allowance' else '38'}: an {each.kind} of the document says why"


def _line_adjustments(line: InvoiceLine) -> Iterator[str]:
    for each in line.allowances_charges:
        if each.reason is None and each.reason_code is None:
            yield f"BR-{'42' if each.kind == 'allowance' else '44'}: an {each.kind} of line {line.id} says why"
        if each.tax is not None:
            yield f"BG-27: an {each.kind} of line {line.id} is taxed like its line, and names no tax"


def _parties(invoice: InvoiceBase) -> Iterator[str]:
    seller, buyer = invoice.seller, invoice.buyer
    if not (seller.vat_id or seller.legal_id or seller.identifiers):
        yield "BR-CO-26: the seller has a VAT number, a legal id or another identifier"
    for role, party in (("seller", seller), ("buyer", buyer)):
        if party.electronic_address is not None and party.electronic_address.scheme is None:
            yield f"BR-{'62' if role == 'seller' else '63'}: the electronic address of the {role} needs its scheme"
    for category in sorted({each.tax.category for each in invoice.taxes}):
        yield from _identified(category, seller, buyer)
    if "K" in {each.tax.category for each in invoice.taxes}:
        if invoice.delivery_date is None and invoice.period is None:
            yield "BR-IC-11: an intra-community supply says when it was: delivery_date or period"
        if invoice.deliver_to is None:
            yield "BR-IC-12: an intra-community supply says where it went: deliver_to"


def _identified(category: str, seller: Party, buyer: Party) -> Iterator[str]:
    name = NAMES[category]
    if category == "O":
        if seller.vat_id or buyer.vat_id:
            yield "BR-O-02: outside the scope of VAT, neither seller nor buyer has a VAT number"
        return
    if not (seller.vat_id or (seller.tax_id and category not in ("K", "G"))):
        yield f"BR-{name}-02: the seller needs its VAT number"
    if category == "K" and not buyer.vat_id:
        yield "BR-IC-02: the buyer needs its VAT number"
    if category == "AE" and not (buyer.vat_id or buyer.legal_id):
        yield "BR-AE-02: the buyer needs its VAT number or a legal id"


def _dates_and_payment(invoice: InvoiceBase) -> Iterator[str]:
    if invoice.tax_point is not None and invoice.tax_point_code is not None:
        yield "BR-CO-03: tax_point and tax_point_code exclude each other"
    if invoice.totals.payable > 0 and invoice.due_date is None and invoice.terms is None:
        yield "BR-CO-25: what is to be paid has a due_date or terms"
    if invoice.type != "380" and not invoice.preceding and invoice.period is None:
        yield "2006/112/EC art. 219: what corrects invoices names them, or the period of those it corrects"
    payment = invoice.payment
    if payment is not None and payment.means in TRANSFERS and payment.iban is None:
        yield "BR-61: a credit transfer says its iban"
    if payment is not None and payment.means in DIRECT_DEBITS and payment.mandate is None:
        yield "BR-DE-25: a direct debit says its mandate"
