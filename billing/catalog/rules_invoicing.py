"""Rules of what invoices say: names of what there is, VAT categories that agree with rates, reasons where nothing is due."""

from __future__ import annotations

from billing.catalog.checking import Context
from billing.catalog.models import Entry
from schemas.account import Account
from schemas.discount import DiscountPlan
from schemas.invoice_sums import RATED, REASONS
from schemas.invoice_terms import AccountInvoicing, InvoiceWording, Untaxed
from schemas.price_plan import Charge, EventType, Offer, PricePlan
from schemas.tax import Seller, Tax

_NAMED = (
    ("charges", Charge, "charge"),
    ("price_plans", PricePlan, "price_plan"),
    ("event_types", EventType, "event_type"),
    ("offers", Offer, "offer"),
)


def check_invoicing(ctx: Context) -> None:
    """Check wordings, the VAT categories of taxes and exemptions, and what sellers say of no tax."""
    for tax in ctx.documents.of(Tax).values():
        _check_category(ctx, tax)
    for seller in ctx.documents.of(Seller).values():
        said = seller.document.invoicing
        if said is not None and said.untaxed.category in RATED:
            message = f"category {said.untaxed.category} has a rate, and here is none"
            ctx.problems.at(seller, ("invoicing", "untaxed", "category"), message, "write O, E, Z, AE, K or G")
        if said is not None and said.untaxed.category == "E" and not (said.untaxed.reason or said.untaxed.reason_code):
            message = "category E says why nothing is due"
            ctx.problems.at(
                seller, ("invoicing", "untaxed"), message, "add `reason: …`, `reason_code: VATEX-…`, or both"
            )
    _check_exemptions(ctx)
    languages: dict[str, Entry[InvoiceWording]] = {}
    for entry in ctx.documents.of(InvoiceWording).values():
        first = languages.setdefault(entry.document.language, entry)
        if first is not entry:
            message = f"invoices in this language are worded at {first.place(('language',))} already"
            ctx.problems.at(entry, ("language",), message, "write all names of a language in one document")
        _check_names(ctx, entry)


def _check_category(ctx: Context, entry: Entry[Tax]) -> None:
    tax = entry.document
    if tax.parts is not None and (tax.category or tax.reason or tax.reason_code):
        message = "taxes that are due together have each their own category"
        ctx.problems.at(entry, ("category",), message, "remove it, and the reason")
        return
    rates = {version.rate for version in tax.versions or ()}
    without = tax.category is not None and tax.category not in (*RATED, "Z")
    if (without or tax.category == "Z") and rates - {0}:
        message = f"category {tax.category} has the rate 0"
        ctx.problems.at(entry, ("category",), message, "write the rate 0, or the category S")
    if tax.category == "S" and 0 in rates:
        ctx.problems.at(entry, ("category",), "category S has a rate above 0", "write Z, or leave it out")
    reasoned = bool(tax.reason or tax.reason_code)
    if without and not reasoned and tax.category not in REASONS:
        message = f"category {tax.category} says why nothing is due"
        ctx.problems.at(entry, ("category",), message, "add `reason: …`, `reason_code: VATEX-…`, or both")
    if not without and reasoned:
        message = "a reason is said only where nothing is due"
        ctx.problems.at(entry, ("reason",), message, "write the category (E, AE, K, G or O), or remove the reason")


def _check_exemptions(ctx: Context) -> None:
    """Check that exemptions of one reason are of one category: invoices keep the reason."""
    seen: dict[str, Entry[Account]] = {}
    for entry in ctx.documents.of(Account).values():
        said = entry.document.tax_exemption
        if said is None:
            continue
        if said.category in (*RATED, "Z"):
            message = f"category {said.category} is no exemption"
            ctx.problems.at(entry, ("tax_exemption", "category"), message, "write E, AE, K, G or O")
        first = seen.setdefault(said.reason, entry)
        other = first.document.tax_exemption
        if other is not None and (other.category, other.reason_code) != (said.category, said.reason_code):
            place = first.place(("tax_exemption",))
            message = f"the exemption at {place} has the same reason, and another category or reason_code"
            ctx.problems.at(entry, ("tax_exemption",), message, "word one of the reasons otherwise")


def _check_names(ctx: Context, entry: Entry[InvoiceWording]) -> None:
    wording = entry.document
    for name, model, kind in _NAMED:
        for code in getattr(wording, name):
            ctx.reference(entry, (name, code), model, kind, code)
    for code in wording.discounts:
        plan, _, item = code.partition("/")
        found = ctx.reference(entry, ("discounts", code), DiscountPlan, "discount_plan", plan)
        if found is not None and item not in {each.code for each in found.items}:
            message = f'the discount plan "{plan}" has no item "{item}"'
            ctx.problems.at(entry, ("discounts", code), message, "write PLAN/ITEM")
    for code in wording.units:
        ctx.unit(entry, ("units", code), code)


def account_invoicing(ctx: Context) -> dict[str, AccountInvoicing]:
    """Return what invoices say of accounts, by the account that says it itself."""
    every = sorted(ctx.documents.of(Account).items())
    return {code: entry.document.invoicing for code, entry in every if entry.document.invoicing is not None}


def exemption_categories(ctx: Context) -> dict[str, Untaxed]:
    """Return the VAT category of exemptions by their reason, where it is not E without a code."""
    found = {}
    for entry in ctx.documents.of(Account).values():
        said = entry.document.tax_exemption
        if said is not None and (said.category != "E" or said.reason_code):
            found[said.reason] = Untaxed(category=said.category, reason=said.reason, reason_code=said.reason_code)
    return dict(sorted(found.items()))
