"""From an invoice as it was issued to the document of it: the same amounts, in the words that the catalog has for them.

Amounts are those of the facts, to the last unit: what the document would add up to otherwise is refused, never mended.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl
from pydantic import ValidationError

from schemas.catalog import Catalog
from schemas.invoice import Invoice
from schemas.invoice_parts import InvoiceLine, LineTax, Party, Payment, TaxSum, Totals
from schemas.invoice_sums import RATED, REASONS, ZERO, rounded_amount, tax_key, total
from schemas.invoice_terms import AccountInvoicing, InvoiceLanguage, InvoiceWording, SellerInvoicing, Untaxed
from schemas.money import CURRENCY_DECIMALS, EXACT
from schemas.price_plan import LEVELS

UNITS = {
    "ms": "C26", "s": "SEC", "min": "MIN", "h": "HUR", "B": "AD", "kB": "2P", "MB": "4L", "GB": "E34", "TB": "E35",
    "KiB": "E64", "MiB": "E63", "GiB": "E62", "TiB": "E61", "Wh": "WHR", "kWh": "KWH", "MWh": "MWH", "kVA": "KVA", "VA": "D46",
    "event": "C62",
}  # fmt: skip
"""Built-in units -> UN/ECE Recommendation 20. What has no code there is counted by pieces (C62)."""
PRICE_DECIMALS = 15
EXACT_DIVISION = decimal.Context(prec=60, traps=[decimal.InvalidOperation])


class UnableToDocument(Exception):
    """An invoice cannot be said in words: the catalog lacks something, or EN 16931 has no place for it."""


@dataclass(frozen=True, slots=True)
class Issued:
    """An invoice or credit note as the store has it: rows of the views `invoice`, `invoice_line` and `invoice_tax`.

    `corrected` is the row of `invoice` that a credit note corrects.
    """

    invoice: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    taxes: Sequence[Mapping[str, Any]]
    corrected: Mapping[str, Any] | None = None


def unnamed(catalog: Catalog, invoices: pl.DataFrame) -> pl.Series:
    """Return (n,) whether nobody says whose name an invoice has to bear, so that there could be no document of it.

    A catalog that names no seller and no account has no documents, and misses none.

    Args:
        invoices: (n,) `seller` and `account`.
    """
    sellers = [code for code, seller in catalog.sellers.items() if seller.invoicing is not None]
    named = list(catalog.account_invoicing)
    if not sellers and not named:
        return pl.repeat(False, len(invoices), eager=True)
    tree = catalog.account_tree.select("account", "parent")
    found = invoices.select("account").unique().with_columns(at="account", known=pl.col("account").is_in(named))
    for _ in LEVELS:
        above = found.join(tree, left_on="at", right_on="account", how="left")
        known = pl.col("known") | pl.col("parent").is_in(named).fill_null(value=False)
        found = above.select("account", at="parent", known=known)
    told = invoices.select("seller", "account").join(found, on="account", how="left", maintain_order="left")
    return told.select(~(pl.col("known") & pl.col("seller").is_in(sellers)))["known"]


class Documents:
    """Writes documents of what was issued under one catalog."""

    def __init__(self, catalog: Catalog, language: InvoiceLanguage | None = None) -> None:
        """Prepare; `language` stands in the place of what accounts and sellers say."""
        self._catalog, self._language = catalog, language
        self._parents = dict(catalog.account_tree.select("account", "parent").drop_nulls().iter_rows())
        self._wordings = {each.language: each for each in catalog.invoice_wordings.values()}

    def language_of(self, row: Mapping[str, Any]) -> InvoiceLanguage:
        """Return the language of an invoice: asked for, of the account, of the seller."""
        account, seller = self._account(row), self._seller(row)
        return self._language or account.language or seller.language

    def document(self, issued: Issued) -> Invoice:
        """Return the document of an invoice.

        Raises:
            UnableToDocument: when the catalog does not say what is needed, or the document would differ from what was issued.
        """
        try:
            return self._document(issued)
        except ValidationError as error:
            said = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}".removeprefix(": ") for each in error.errors()]
            raise UnableToDocument(f"{issued.invoice['invoice']}: {'; '.join(said[:5])}") from None

    def _document(self, issued: Issued) -> Invoice:
        row = issued.invoice
        number, seller, account = row["invoice"], self._seller(row), self._account(row)
        sign = -1 if row["kind"] == "credit_note" else 1
        wording = self._wordings.get(self.language_of(row))
        lines = tuple(self._line(line, row, sign, wording) for line in issued.lines)
        taxes = self._taxes(issued.taxes, row, sign)
        outside = {each.tax.category for each in taxes} == {"O"}
        abroad = any(each.tax.category == "K" for each in taxes)
        payment = _payment(seller.payment, account.payment, number)
        fields: dict[str, Any] = {
            "number": number,
            "type": "381" if sign < 0 else "380",
            "issue_date": row["invoice_date"],
            "due_date": row["due_date"],
            "tax_point_code": seller.tax_point_code,
            "period": {"start": row["period_start"], "end": row["period_end"]},
            "business_process": seller.business_process,
            "currency": row["currency"],
            "seller": _party(seller.party, outside=outside),
            "buyer": _party(account.party, outside=outside),
            "deliver_to": account.deliver_to or (account.party if abroad else None),
            "buyer_reference": account.buyer_reference,
            "project": account.project,
            "contract": account.contract,
            "purchase_order": account.purchase_order,
            "buyer_accounting": account.buyer_accounting,
            "terms": seller.terms,
            "payment": payment,
            "notes": seller.notes,
        }
        if issued.corrected is not None:
            fields["preceding"] = [
                {"number": issued.corrected["invoice"], "issue_date": issued.corrected["invoice_date"]}
            ]
        told = Invoice(lines=lines, taxes=taxes, totals=_totals(row, lines, taxes, sign), **fields)
        _expect_same(told, issued, sign)
        return told

    def _seller(self, row: Mapping[str, Any]) -> SellerInvoicing:
        found = self._catalog.sellers.get(row["seller"])
        if found is None or found.invoicing is None:
            which = f'the seller "{row["seller"]}"' if row["seller"] else "a catalog without sellers"
            raise UnableToDocument(
                f"{row['invoice']}: {which} does not say its name and address: `invoicing: {{party: …}}`"
            )
        return found.invoicing

    def _account(self, row: Mapping[str, Any]) -> AccountInvoicing:
        code: str | None = row["account"]
        for _ in LEVELS:
            if code in self._catalog.account_invoicing:
                return self._catalog.account_invoicing[code]
            code = self._parents.get(code) if code is not None else None
        raise UnableToDocument(
            f'{row["invoice"]}: the account "{row["account"]}", or one above it, does not say its name and address: '
            "`invoicing: {party: …}`"
        )

    def _vat(self, tax: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[LineTax, Untaxed]:
        """Return how something is taxed, and why nothing is due, if so."""
        status, code, rate = tax["tax_status"], tax["tax"], Decimal(tax["tax_rate"])
        if status == "exempt":
            why = self._catalog.exemption_categories.get(tax["tax_reason"])
            found = why or Untaxed(category="E", reason=tax["tax_reason"])
        elif status != "taxed":
            found = self._seller(row).untaxed
        else:
            said = self._catalog.taxes.get(code)
            if said is None or said.parts is not None:
                raise UnableToDocument(
                    f"{row['invoice']}: {code} is several taxes on one amount, and EN 16931 has a place for one"
                )
            found = Untaxed(
                category=said.category or ("S" if rate else "Z"), reason=said.reason, reason_code=said.reason_code
            )
        return LineTax(category=found.category, rate=None if found.category == "O" else rate), found

    def _line(
        self, line: Mapping[str, Any], row: Mapping[str, Any], sign: int, wording: InvoiceWording | None
    ) -> InvoiceLine:
        net, quantity = _times(sign, line["net"]), _times(sign, line["quantity"])
        unit = self._unit(line["unit"])
        if line["kind"] == "discount" or quantity == 0 or quantity * net < 0:
            quantity, unit = Decimal(-1 if net < 0 else 1), "C62"
        price = price_of(net, quantity, _times(sign, line["exact"]), row)
        name, description = _name(line, wording)
        return InvoiceLine(
            id=str(line["line"]),
            name=name,
            description=description,
            quantity=quantity.normalize() if quantity == quantity.to_integral_value() else quantity,
            unit=unit,
            price=price,
            net_amount=rounded_amount(net, row["currency"]),
            tax=self._vat(line, row)[0],
        )

    def _unit(self, code: str) -> str:
        for wording in self._wordings.values():
            if code in wording.units:
                return wording.units[code]
        return UNITS.get(code, "C62")

    def _taxes(self, taxes: Iterable[Mapping[str, Any]], row: Mapping[str, Any], sign: int) -> tuple[TaxSum, ...]:
        """Return the taxes of an invoice: of one category and rate together."""
        sums: dict[Any, TaxSum] = {}
        bases: dict[Any, Decimal] = {}
        for each in taxes:
            tax, why = self._vat(each, row)
            key = tax_key(tax)
            base, amount = _times(sign, each["base"]), _times(sign, each["tax_amount"])
            free = tax.category not in (*RATED, "Z")
            said = REASONS.get(tax.category) if free and not (why.reason or why.reason_code) else None
            before = sums.get(key)
            if before is not None:
                base, amount = total((bases[key], base)), total((before.amount, amount))
            bases[key] = base
            reason = (said.reason if said else why.reason) if free else None
            if before is not None and before.reason != reason and before.reason and reason:
                reason = f"{before.reason}; {reason}"
            sums[key] = TaxSum(
                tax=tax,
                base=rounded_amount(base, row["currency"]),
                amount=rounded_amount(amount, row["currency"]),
                reason=reason,
                reason_code=(said.code if said else why.reason_code) if free else None,
            )
        return tuple(sums[key] for key in sorted(sums, key=lambda key: (key[0] != "S", key[0], -(key[1] or ZERO))))


def price_of(net: Decimal, quantity: Decimal, exact: Decimal, row: Mapping[str, Any]) -> Decimal:
    """Return the price of one of a line, not negative, such that quantity × price rounds to its net amount.

    The exact price where it has 9 decimals at most, of net prices; else the shortest that comes to the amount: tiers, gross
    prices and the parts of a sum that lines show make a line's price an average.
    """
    currency = row["currency"]
    if quantity == 0 or net == 0:
        return ZERO
    if row["prices"] == "net":
        average = EXACT_DIVISION.divide(exact, quantity)
        said = average.quantize(Decimal(1).scaleb(-9), context=EXACT_DIVISION)
        if said == average and said >= 0 and rounded_amount(EXACT.multiply(said, quantity), currency) == net:
            return said.normalize() if said != said.to_integral_value() else said.to_integral_value()
    average = EXACT_DIVISION.divide(net, quantity)
    for decimals in range(CURRENCY_DECIMALS[currency], PRICE_DECIMALS + 1):
        said = average.quantize(Decimal(1).scaleb(-decimals), context=EXACT_DIVISION)
        if rounded_amount(EXACT_DIVISION.multiply(said, quantity), currency) == net:
            return said
    raise UnableToDocument(f"{row['invoice']}: no price of {PRICE_DECIMALS} decimals makes {net} of {quantity}")


def _times(sign: int, value: Any) -> Decimal:
    return EXACT.multiply(Decimal(value), Decimal(sign))


def _name(line: Mapping[str, Any], wording: InvoiceWording | None) -> tuple[str, str | None]:
    """Return what a line is called, and what else tells it from others."""
    if line["kind"] == "discount":
        code = f"{line['discount_plan']}/{line['discount_item']}"
        return (wording.discounts.get(code, code) if wording else code), None
    named = [
        (line[field], getattr(wording, f"{field}s") if wording else {})
        for field in ("charge", "price_plan", "event_type", "offer")
        if line[field]
    ]
    found = next((names[code] for code, names in named if code in names), None)
    rest = [line[field] for field in ("subscription", "bucket") if line[field]]
    return found or next((code for code, _ in named), line["subscription"] or "-"), ", ".join(rest) or None


def _party(party: Party, *, outside: bool) -> Party:
    """Return a party, outside the scope of VAT without its VAT number (BR-O-02)."""
    return party.model_copy(update={"vat_id": None}) if outside else party


def _payment(seller: Payment | None, account: Payment | None, number: str) -> Payment | None:
    found = account or seller
    if found is None:
        return None
    more: dict[str, Any] = {} if found.remittance else {"remittance": number}
    if found.mandate and not found.creditor_id and seller is not None:
        more["creditor_id"] = seller.creditor_id
    return found.model_copy(update=more)


def _totals(row: Mapping[str, Any], lines: Sequence[InvoiceLine], taxes: Sequence[TaxSum], sign: int) -> Totals:
    currency = row["currency"]
    net, tax = total(line.net_amount for line in lines), total(each.amount for each in taxes)
    gross, payable = total((net, tax)), rounded_amount(_times(sign, row["to_pay"]), currency)
    paid, coins = _times(sign, row["paid"]), _times(sign, row["cash_rounding"])
    step = Decimal(1).scaleb(-CURRENCY_DECIMALS[currency])
    # what wallets paid has more decimals than what can be paid: that rounding is part of it, unless it is one to coins
    prepaid = rounded_amount(paid, currency)
    if prepaid != paid and 2 * abs(coins) <= step:
        prepaid = total((gross, -payable))
    return Totals(
        lines=net,
        net=net,
        tax=tax,
        gross=gross,
        prepaid=prepaid,
        rounding=total((payable, -gross, prepaid)),
        payable=payable,
    )


def _expect_same(told: Invoice, issued: Issued, sign: int) -> None:
    """Refuse a document that comes to anything else than what was issued: in total, of a line, or of a tax."""
    row, totals = issued.invoice, told.totals
    pairs = [
        ("net", totals.net, row["net"]),
        ("tax", totals.tax, row["tax"]),
        ("gross", totals.gross, row["gross"]),
        ("to_pay", totals.payable, row["to_pay"]),
        *((f"line {line.id}", line.net_amount, row["net"]) for line, row in zip(told.lines, issued.lines, strict=True)),
        ("bases", total(each.base for each in told.taxes), total(Decimal(each["base"]) for each in issued.taxes)),
    ]
    for name, said, held in pairs:
        if said != _times(sign, held):
            raise UnableToDocument(
                f"{row['invoice']}: {name} would be {said:f}, but {_times(sign, held):f} was issued: "
                f"{row['currency']} has {CURRENCY_DECIMALS[row['currency']]} decimals"
            )
    if len(issued.lines) != row["line_count"]:
        raise UnableToDocument(
            f"{row['invoice']}: {len(issued.lines)} of its {row['line_count']} lines are in the store"
        )
