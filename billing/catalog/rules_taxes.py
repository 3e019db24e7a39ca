"""Rules of taxes: rates, rows that say which tax is due, and what charges, offers and accounts say of it."""

from __future__ import annotations

from typing import Any

from billing.catalog.checking import Context
from billing.catalog.code_conditions import check_code_condition
from billing.catalog.models import Entry
from billing.catalog.taxation import Key, key_of, period_us
from schemas.account import Account
from schemas.price_plan import Charge, Offer
from schemas.tax import Seller, Tax, TaxCategory, TaxClass, TaxMapping


def check_seller(ctx: Context, entry: Entry[Seller]) -> None:
    """Check a seller: the tax category of accounts that name none."""
    if entry.document.tax_category is not None:
        ctx.reference(entry, ("tax_category",), TaxCategory, "tax_category", entry.document.tax_category)


def check_tax(ctx: Context, entry: Entry[Tax]) -> None:
    """Check a tax: it has rates in versions that do not overlap, or other taxes as parts."""
    tax = entry.document
    if (tax.versions is None) == (tax.parts is None):
        fix = "write `versions: [{start: …, rate: …}]`, or `parts: [first, second]`"
        ctx.problems.at(entry, (), "a tax has either a rate, or other taxes as its parts", fix)
        return
    for index, version in enumerate(tax.versions or ()):
        ctx.period(entry, ("versions", index), version.start, version.end)
    ctx.apart(entry, ("versions",), [(version.start, version.end) for version in tax.versions or ()])
    ctx.unique(entry, ("parts",), tax.parts or (), "part")
    for index, code in enumerate(tax.parts or ()):
        part = ctx.reference(entry, ("parts", index), Tax, "tax", code)
        if part is not None and part.parts is not None:
            message = f'the tax "{code}" consists of other taxes itself'
            ctx.problems.at(entry, ("parts", index), message, "name the taxes that it consists of")


def check_tax_mapping(ctx: Context, entry: Entry[TaxMapping]) -> None:
    """Check the rows of a mapping, each alone."""
    for index, row in enumerate(entry.document.rows):
        path = ("rows", index)
        ctx.period(entry, path, row.start, row.end)
        ctx.reference(entry, (*path, "tax_category"), TaxCategory, "tax_category", row.tax_category)
        ctx.reference(entry, (*path, "tax"), Tax, "tax", row.tax)
        if row.tax_class is not None:
            ctx.reference(entry, (*path, "tax_class"), TaxClass, "tax_class", row.tax_class)
        check_code_condition(ctx, entry, (*path, "condition"), row.condition)


def check_mappings(ctx: Context) -> None:
    """Check that of two rows one always goes before the other, and that somebody sells what is taxed."""
    seen: dict[tuple[Key, int], list[tuple[tuple[int, int], Entry[TaxMapping], int]]] = {}
    for _, entry in sorted(ctx.documents.of(TaxMapping).items()):
        for index, row in enumerate(entry.document.rows):
            start, end = period_us(row)
            others = seen.setdefault((key_of(row), row.priority), [])
            for (other_start, other_end), other, place in others:
                if start < other_end and other_start < end:
                    message = (
                        f"the row asks for the same as the one at {other.place(('rows', place))}, at the same time"
                    )
                    fix = "end one of them before the other starts, or give them different priorities: the lowest wins"
                    ctx.problems.at(entry, ("rows", index), message, fix)
                    break
            others.append(((start, end), entry, index))
    taxed: list[Entry[Any]] = [*ctx.documents.of(Tax).values(), *ctx.documents.of(TaxMapping).values()]
    if taxed and not ctx.documents.of(Seller) and not any(kind == "seller" for kind, _ in ctx.documents.broken):
        fix = "add a document with `kind: seller`, its country, and `prices: net` or `prices: gross`"
        first = min(taxed, key=lambda entry: (entry.file, entry.node.line))
        ctx.problems.at(first, (), "there are taxes, but nobody who sells", fix)


def check_class(ctx: Context, entry: Entry[Charge]) -> None:
    """Check the tax class of a charge."""
    if entry.document.tax_class is not None:
        ctx.reference(entry, ("tax_class",), TaxClass, "tax_class", entry.document.tax_class)


def check_sold_by(ctx: Context, entry: Entry[Offer]) -> None:
    """Check that the seller of an offer is known, and named where there are several."""
    if entry.document.seller is not None:
        ctx.reference(entry, ("seller",), Seller, "seller", entry.document.seller)
        return
    sellers = sorted(ctx.documents.of(Seller))
    if len(sellers) > 1:
        named = ", ".join(f'"{code}"' for code in sellers[:12])
        message = f"the catalog has several sellers, and the offer names none: {named}"
        ctx.problems.at(entry, ("seller",), message, "add `seller: …`")


def check_taxed(ctx: Context, entry: Entry[Account]) -> None:
    """Check what an account says of its taxes."""
    account = entry.document
    if account.tax_category is not None:
        ctx.reference(entry, ("tax_category",), TaxCategory, "tax_category", account.tax_category)
    exemption = account.tax_exemption
    if exemption is not None:
        ctx.period(entry, ("tax_exemption",), exemption.start, exemption.end)
