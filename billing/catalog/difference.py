"""The difference between two catalogs, in words: documents field by field, tables and parties by rows.

Rows are compared as columns, so that a million of them take a second; of each kind of change the first ones are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import zip_longest
from typing import Any

import polars as pl
from pydantic import BaseModel

from billing.catalog.difference_rows import RowChange, different_rows
from schemas.catalog import EXCHANGE_RATE_FRAME, LOOKUP_ROW_FRAME, Catalog, ExchangeTable, LookupRows, PriceRows
from schemas.contract import Contract
from schemas.exchange import ExchangeRates
from schemas.price_plan import PricePlan, PriceVersion

KEYS: dict[str, tuple[str, ...]] = {
    "accounts": ("account",),
    "wallets": ("account", "wallet"),
    "subscriptions": ("subscription",),
    "access_points": ("access_point", "start_at"),
    "opening_readings": ("access_point", "series", "at"),
    "subscription_units": ("subscription", "unit", "start_at"),
    "discounts": ("holder_kind", "holder", "number"),
}
"""What names a row of a frame; its first column where nothing else is said."""
SINGULAR = {
    "opening_readings": "opening reading",
    "account_tree": "account level",
    "account_taxes": "account tax",
    "taxes": "tax",
    "tax_classes": "tax class",
    "tax_categories": "tax category",
    "wallet_terms": "terms of wallet",
    "exchange_rates": "exchange rates",
    "account_invoicing": "what invoices say of account",
    "exemption_categories": "VAT category of exemption",
}
WRITTEN_MAX = 60
NOT_SHOWN = ("source_places", "content_hash", "files")


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """A document that is new, gone or another one; `lines` say in what, a sentence for every field."""

    kind: str
    code: str
    change: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogDifference:
    """Everything in which two catalogs differ. `old`, `new`: their hashes."""

    old: str
    new: str
    documents: list[DocumentChange] = field(default_factory=list)
    rows: list[RowChange] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether both say the same, however it is written."""
        return not self.documents and not self.rows

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "old": self.old,
            "new": self.new,
            "documents": [
                {"kind": one.kind, "code": one.code, "change": one.change, "details": list(one.lines)}
                for one in self.documents
            ],
            "rows": [one.as_dict() for one in self.rows],
        }

    def lines(self) -> Iterator[str]:
        """Yield everything in words."""
        for one in self.documents:
            yield f"{one.kind} {one.code}: {one.change}"
            yield from (f"  {line}" for line in one.lines)
        for rows in self.rows:
            yield from rows.lines()
        if self.is_empty:
            yield "nothing differs" if self.old == self.new else "nothing differs but how it is written"


def compare(old: Catalog, new: Catalog) -> CatalogDifference:
    """Return the difference between two catalogs."""
    found = CatalogDifference(old.content_hash, new.content_hash)
    for item in fields(Catalog):
        before, after = getattr(old, item.name), getattr(new, item.name)
        if item.name in NOT_SHOWN:
            continue
        kind = SINGULAR.get(item.name, item.name.removesuffix("s").replace("_", " "))
        if isinstance(before, pl.DataFrame):
            key = KEYS.get(item.name, before.columns[:1])
            found.rows.extend(different_rows(kind, "", before, after, key))
        elif item.name == "lookup_tables":
            found.rows.extend(_lookups(before, after))
        elif item.name == "exchange_rates":
            found.documents.extend(_documents(kind, _terms(before), _terms(after)))
            found.rows.extend(_rates(before, after))
        elif item.name == "price_tables":
            found.rows.extend(_tables(before, after))
        else:
            found.documents.extend(_documents(kind, before, after))
    return found


def _documents(kind: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[DocumentChange]:
    for code in sorted(old.keys() | new.keys()):
        if code not in old:
            yield DocumentChange(kind, code, "added", tuple(_summary(new[code])))
        elif code not in new:
            yield DocumentChange(kind, code, "removed")
        elif old[code] != new[code]:
            yield DocumentChange(kind, code, "changed", tuple(_changes(old[code], new[code])))


def _summary(document: Any) -> Iterator[str]:
    """Yield what is worth saying of a new document: the versions of a price plan, the items of a contract."""
    if isinstance(document, Contract):
        said = document.model_dump(mode="json", exclude_none=True)
        until = f" until {said['end']}" if document.end is not None else ""
        yield f"{document.account}, from {said['start']}{until}"
        for item in said["items"]:
            yield ", ".join(f"{name} {_written(value)}" for name, value in item.items())
    if isinstance(document, PricePlan):
        for version in document.versions:
            yield f"{_from(version)}: {_priced(version)}"


def _changes(old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, PricePlan) and isinstance(new, PricePlan):
        yield from _plan_changes(old, new)
        return
    yield from _fields(_plain(old), _plain(new), "")


def _plan_changes(old: PricePlan, new: PricePlan) -> Iterator[str]:
    if old.currency != new.currency:
        yield f"currency: {old.currency} → {new.currency}"
    before = {version.start: version for version in old.versions}
    after = {version.start: version for version in new.versions}
    for start in sorted(before.keys() | after.keys()):
        if start not in before:
            yield f"{_from(after[start])}, new: {_priced(after[start])}"
        elif start not in after:
            yield f"{_from(before[start])}: no longer a version"
        elif before[start] != after[start]:
            for line in _fields(_plain(before[start]), _plain(after[start]), ""):
                yield f"{_from(after[start])}: {line}"


def _from(version: PriceVersion) -> str:
    return f"from {_written(version.model_dump(mode='json')['start'])}"


def _priced(version: PriceVersion) -> str:
    """Return the model of a version and what it says besides."""
    said = version.model_dump(mode="json", exclude_defaults=True)
    said = {name: value for name, value in said.items() if name not in ("start", "model")}
    return ", ".join([version.model, *(f"{name} {_written(value)}" for name, value in said.items())])


def _plain(document: Any) -> dict[str, Any]:
    """Return all that a document says."""
    if isinstance(document, BaseModel):
        return document.model_dump(mode="json")
    names = getattr(document, "__dataclass_fields__", {})
    return {name: getattr(document, name) for name in names}


def _fields(old: Any, new: Any, path: str) -> Iterator[str]:
    """Yield a sentence for every field that differs, `path` being where it is."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys(), key=str):
            if old.get(name) != new.get(name):
                yield from _fields(old.get(name), new.get(name), f"{path} {name}".strip())
    elif _is_list_of_documents(old) and _is_list_of_documents(new):
        for place, (before, after) in enumerate(zip_longest(old, new), start=1):
            if before != after:
                yield from _fields(before, after, f"{path} {place}".strip())
    elif isinstance(old, list) and isinstance(new, list) and not _is_list_of_documents([*old, *new]):
        gone, come = ([each for each in one if each not in other] for one, other in ((old, new), (new, old)))
        told = [
            f"{', '.join(map(_written, some))} {word}" for some, word in ((come, "added"), (gone, "removed")) if some
        ]
        yield f"{path}: {'; '.join(told) or 'in another order'}"
    elif old is None:
        yield f"{path}: {_written(new)}, new"
    elif new is None:
        yield f"{path}: {_written(old)} → none"
    else:
        yield f"{path}: {_written(old)} → {_written(new)}"


def _is_list_of_documents(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _written(value: Any) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{name} {_written(each)}" for name, each in value.items())
    elif isinstance(value, list):
        text = f"[{'; '.join(map(_written, value))}]"
    else:
        text = str(value)
    return text if len(text) <= WRITTEN_MAX else f"{text[: WRITTEN_MAX - 1]}…"


def _lookups(old: dict[str, LookupRows], new: dict[str, LookupRows]) -> Iterator[RowChange]:
    empty = pl.DataFrame(schema=LOOKUP_ROW_FRAME)
    for code in sorted(old.keys() | new.keys()):
        before, after = (one[code].frame if code in one else empty for one in (old, new))
        yield from different_rows("lookup table", code, before, after, ("key", "start_at"))


def _terms(tables: dict[str, ExchangeTable]) -> dict[str, ExchangeRates]:
    return {code: table.terms for code, table in tables.items()}


def _rates(old: dict[str, ExchangeTable], new: dict[str, ExchangeTable]) -> Iterator[RowChange]:
    empty = pl.DataFrame(schema=EXCHANGE_RATE_FRAME)
    for code in sorted(old.keys() | new.keys()):
        before, after = (one[code].frame if code in one else empty for one in (old, new))
        yield from different_rows("exchange rates", code, before, after, ("base", "quote", "start_at"))


def _tables(old: dict[str, PriceRows], new: dict[str, PriceRows]) -> Iterator[RowChange]:
    for code in sorted(old.keys() | new.keys()):
        before, after = old.get(code), new.get(code)
        if before is not None and after is not None and before.digest == after.digest:
            continue
        known = before or after
        assert known is not None
        empty = known.frame.clear()
        left, right = (one.frame if one is not None else empty for one in (before, after))
        priced = {name for name in (*left.columns, *right.columns) if _is_price(name)}
        names = [name for name in left.columns if name in right.columns]
        key = tuple(name for name in names if name not in priced and name not in ("end_at", "destination"))
        yield from different_rows(known.kind.replace("_", " "), code, left.select(names), right.select(names), key)


def _is_price(name: str) -> bool:
    return name.startswith("price.") or name in ("first", "next", "minimum_quantity", "connection_fee", "priority")
