"""Nodes into validated documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from billing.catalog.models import ANY_KIND, Documents, Entry, Fault, Node, Problems, dotted
from billing.catalog.wording import choose, describe_error
from schemas.account import Account
from schemas.billing_cycle import BillingCycle
from schemas.charging_service import ChargingService
from schemas.contract import Contract
from schemas.discount import DiscountPlan
from schemas.exchange import ExchangeRates
from schemas.fees import MinimumCharge, OneShotCharge, ProductCharge, Purchase, RecurringCharge
from schemas.invoice_terms import InvoiceWording
from schemas.price_plan import (
    Calendar,
    Charge,
    Counter,
    DateList,
    Document,
    EventType,
    Offer,
    PricePlan,
    Subscription,
    SubscriptionTable,
    UnitDocument,
)
from schemas.price_table import DestinationTable, LookupTable, PriceMatrix
from schemas.product import Product
from schemas.source import SOURCE_MODELS, SourceBase
from schemas.tax import Seller, Tax, TaxCategory, TaxClass, TaxMapping

MODELS: dict[str, type[Document]] = {
    "unit": UnitDocument,
    "event_type": EventType,
    "date_list": DateList,
    "calendar": Calendar,
    "counter": Counter,
    "destination_table": DestinationTable,
    "price_matrix": PriceMatrix,
    "lookup_table": LookupTable,
    "exchange_rates": ExchangeRates,
    "price_plan": PricePlan,
    "charge": Charge,
    "recurring_charge": RecurringCharge,
    "one_shot_charge": OneShotCharge,
    "product_charge": ProductCharge,
    "minimum_charge": MinimumCharge,
    "product": Product,
    "offer": Offer,
    "contract": Contract,
    "billing_cycle": BillingCycle,
    "invoice_wording": InvoiceWording,
    "account": Account,
    "subscription": Subscription,
    "subscription_table": SubscriptionTable,
    "purchase": Purchase,
    "seller": Seller,
    "tax_class": TaxClass,
    "tax_category": TaxCategory,
    "tax": Tax,
    "tax_mapping": TaxMapping,
    "discount_plan": DiscountPlan,
    "charging_service": ChargingService,
}
KINDS = (*MODELS, "source")
_FAULTS = {"missing": Fault.MISSING, "extra_forbidden": Fault.UNKNOWN_FIELD}
"""By the type of an error of pydantic; all others are about a value."""


def add_document(node: Node, file: str, documents: Documents, problems: Problems) -> None:
    """Validate one document and add it to `documents`, or say what is wrong with it."""
    model = _model_of(node, file, problems)
    kind, code = _text(node, "kind"), _text(node, "code")
    if model is None:
        documents.broken.add((ANY_KIND, code))
        return
    try:
        entry = Entry(model.model_validate(node.plain()), file, node)
    except ValidationError as error:
        documents.broken.add((kind, code))
        _explain(error, model, node, file, problems)
        return
    if isinstance(entry.document, SubscriptionTable):
        documents.files.append(entry)
        return
    table = documents.tables.setdefault(SourceBase if kind == "source" else model, {})
    if code in table:
        first = table[code].place(("code",))
        message = f'the {kind.replace("_", " ")} "{code}" is declared twice (first at {first})'
        problems.at(entry, ("code",), message, "rename one of them, or remove it", Fault.DECLARED_TWICE)
        return
    table[code] = entry


def _model_of(node: Node, file: str, problems: Problems) -> type[Document] | None:
    if not isinstance(node.value, dict):
        problems.add(
            file,
            node.line,
            "",
            "a document is a mapping with a `kind`",
            "start it with `kind: …`; separate documents by ---",
            Fault.INVALID,
        )
        return None
    models: dict[str, Any] = {**MODELS, "source": SourceBase}
    model: type[Document] | None = _choice(node, "kind", models, file, problems)
    if model is SourceBase:
        model = _choice(node, "format", SOURCE_MODELS, file, problems)
    return model


def _choice(node: Node, name: str, choices: dict[str, Any], file: str, problems: Problems) -> Any:
    """Return what the field `name`, which says what document this is, stands for."""
    found = node.child(name)
    if found is None:
        problems.add(
            file,
            node.line,
            name,
            f'the field "{name}" is missing',
            f"add `{name}: …`, one of {', '.join(choices)}",
            Fault.MISSING,
        )
        return None
    text = _text(node, name)
    if text not in choices:
        problems.add(file, found.line, name, f'"{text}" is not a {name}', choose(text, choices), Fault.INVALID)
        return None
    return choices[text]


def _text(node: Node, name: str) -> str:
    child = node.child(name)
    return child.text if child is not None else ""


def _explain(error: ValidationError, model: type[Document], node: Node, file: str, problems: Problems) -> None:
    for item in error.errors(include_url=False, include_context=True):
        path, rest, union = _split(node, item["loc"])
        value = _at(node, path)
        if item["type"] == "missing":
            path = [*path, str(item["loc"][-1])]
        elif rest and rest[0] != "[key]" and rest[0].startswith("dict[") != isinstance(union.value, dict):
            continue  # about the branch (one price, or a price per band) that is not meant
        if item["type"] == "too_short" and isinstance(value.value, list) and value.value:
            continue  # there are items, but they are refused for their own reasons
        key = item["type"] == "extra_forbidden" or "[key]" in rest
        name = str(path[-1]) if path else ""
        if "[key]" in rest:
            value = Node(0, 0, name, text=name)
        message, fix = describe_error(
            item, _model_at(model, path[:-1]), name, value if item["type"] != "missing" else None
        )
        fault = _FAULTS.get(item["type"], Fault.INVALID)
        problems.add(file, node.line_of(path, key=key), dotted(path), message, fix, fault)


def _split(node: Node, location: Sequence[str | int]) -> tuple[list[str | int], list[str], Node]:
    """Return (the parts of a location that are there, the others, the node at which the first other one is).

    The other parts are names that pydantic gives to branches of a union, or "[key]".
    """
    path: list[str | int] = []
    rest: list[str] = []
    union = node
    for part in location:
        child = node.child(part)
        if child is None:
            union = union if rest else node
            rest.append(str(part))
        else:
            path.append(part)
            node = child
    return path, rest, union


def _at(node: Node, path: Sequence[str | int]) -> Node:
    for part in path:
        node = node.child(part) or node
    return node


def _model_at(model: type[BaseModel] | None, path: Sequence[str | int]) -> type[BaseModel] | None:
    for part in path:
        if model is None:
            return None
        field = model.model_fields.get(str(part))
        if field is not None:
            model = _model_within(field.annotation)
        elif not isinstance(part, int):
            return None
    return model


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _model_within(argument)) is not None), None)
