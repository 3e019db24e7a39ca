"""Products of offers: what they charge becomes what the offers charge, before any rule looks at those."""

from __future__ import annotations

from dataclasses import replace

from billing.catalog.checking import Context
from billing.catalog.models import Documents, Entry, Fault, Problems
from billing.catalog.wording import choose
from schemas.price_plan import Charge, Offer
from schemas.product import Product


def add_products(documents: Documents, problems: Problems) -> None:
    """Give every offer the charges of its products, after its own and in their order; say what is wrong with `products`."""
    offers = documents.of(Offer)
    for code, entry in tuple(offers.items()):
        offer = entry.document
        if not offer.charges and not offer.products:
            fix = "add `charges: […]`, or `products: […]`"
            message = 'the field "charges" is missing: the offer has nothing to sell'
            problems.at(entry, ("charges",), message, fix, Fault.MISSING)
        if offer.products:
            charges = _charges(entry, documents, problems)
            offers[code] = replace(entry, document=offer.model_copy(update={"charges": charges}))


def check_product(ctx: Context, entry: Entry[Product]) -> None:
    """Check a product: its charges are known and distinct."""
    ctx.unique(entry, ("charges",), entry.document.charges, "charge")
    for index, code in enumerate(entry.document.charges):
        ctx.reference(entry, ("charges", index), Charge, "charge", code)


def _charges(entry: Entry[Offer], documents: Documents, problems: Problems) -> tuple[str, ...]:
    """Return the charges of an offer and its products, but those that are unknown, which are told where they are named."""
    offer, products, known = entry.document, documents.of(Product), documents.of(Charge)
    whose = dict.fromkeys(offer.charges, "the offer itself")
    for index, code in enumerate(offer.products):
        here = ("products", index)
        if code in offer.products[:index]:
            problems.at(entry, here, f'the product "{code}" is repeated', "remove the repetition", Fault.DECLARED_TWICE)
        elif code not in products:
            if not documents.may_be("product", code):
                fix = choose(code, products, otherwise=f"declare it: `kind: product`, `code: {code}`")
                problems.at(entry, here, f'the product "{code}" is unknown', fix, Fault.UNKNOWN_NAME)
        else:
            for charge in dict.fromkeys(products[code].document.charges):
                if charge in whose:
                    message = f'the product "{code}" has the charge "{charge}", and so has {whose[charge]}'
                    problems.at(entry, here, message, "keep the charge in one of them: it would count twice")
                elif charge in known:
                    whose[charge] = f'the product "{code}"'
    return tuple(whose)
