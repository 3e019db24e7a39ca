"""The twin's price tables: which row a usage finds, from the rows as they are written, and the version that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from rating.contracts import percentage_of
from schemas.catalog import Catalog, PriceRows
from schemas.contract import taken_off
from schemas.money import AMOUNT_DECIMALS, PRICE_DECIMALS_MAX, from_scaled
from schemas.price_plan import Calendar, EventType, Increments, PriceVersion, utc_microseconds
from schemas.rejection import Reason
from schemas.values import VALUE_ABSENT, digits_text

Said = str | Decimal | int | date
"""An attribute or digits; a number; an instant in microseconds UTC; a date."""


class UnableToPrice(ValueError):
    """A usage has no price; `reason` is the code for it."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep the reason."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class FoundRow:
    """The version with what its row says in the place of its own, and the row in words."""

    version: PriceVersion
    words: str | None


def values_said(event_type: EventType, values: list[int]) -> dict[str, Said]:
    """Return what the values of an EDR say, by name, without those it has not."""
    said: dict[str, Said] = {}
    for (name, type_), value in zip(event_type.values.items(), values, strict=False):
        if value == VALUE_ABSENT:
            continue
        if type_.type == "digits":
            said[name] = digits_text(value)
        elif type_.type == "number":
            said[name] = Decimal(value).scaleb(-type_.decimals)
        else:
            said[name] = value if type_.type == "instant" else date.fromordinal(date(1970, 1, 1).toordinal() + value)
    return said


def with_lookups(catalog: Catalog, event_type: EventType, said: Mapping[str, Said], event_at: int) -> dict[str, Said]:
    """Return what a usage says, and the texts that lookup tables give for it at that instant, in microseconds UTC."""
    found = dict(said)
    for name, lookup in event_type.lookups.items():
        rows, given = catalog.lookup_tables[lookup.table], said.get(lookup.of)
        in_force = (row for row in rows.frame.to_dicts() if row["start_at"] <= event_at < row["end_at"])
        keys = {row["key"]: row["code"] for row in in_force}
        if given is None:
            continue
        if rows.key == "digits":
            begun = [key for key in keys if key == "*" or str(given).startswith(key)]
            best = max(begun, key=lambda key: len(key.removeprefix("*")), default=None)
        else:
            best = next((key for key in keys if _matches(key, given, rows.key)), None)
        if best is not None:
            found[name] = keys[best]
    return found


def with_row(catalog: Catalog, version: PriceVersion, said: Mapping[str, Said], event_at: int) -> FoundRow:
    """Return a version as it is for a usage: with the prices and terms of the row that the usage finds.

    Raises:
        UnableToPrice: when it finds none.
    """
    if version.prices is None:
        return FoundRow(version, None)
    table = catalog.price_tables[version.prices]
    calendar = catalog.calendars[version.calendar] if version.calendar is not None else None
    find = _destination if table.kind == "destination_table" else _cell
    row, words = find(table, said, event_at)
    return FoundRow(_with_terms(version, row, table, calendar), f"{version.prices}: {words}")


def _destination(table: PriceRows, said: Mapping[str, Said], event_at: int) -> tuple[dict[str, Any], str]:
    digits = said.get(table.value)
    known = str(digits) if digits is not None else ""
    begun = [known[:length] for length in range(len(known) + 1)]
    in_force = (pl.col("start_at") <= event_at) & (event_at < pl.col("end_at")) & pl.col("price.0").is_not_null()
    rows = table.frame.filter(pl.col("prefix").is_in(begun) & in_force).to_dicts() if digits is not None else []
    if not rows:
        message = f"no prefix of {table.value} {known or '(absent)'} has a price in force"
        raise UnableToPrice(Reason.NO_DESTINATION_PRICE, message)
    row = max(rows, key=lambda found: len(found["prefix"]))
    name = f", {row['destination']}" if row["destination"] else ""
    return row, f"{table.value} {known} has the prefix {row['prefix'] or '*'}{name}"


def _cell(table: PriceRows, said: Mapping[str, Said], event_at: int) -> tuple[dict[str, Any], str]:
    in_force = (pl.col("start_at") <= event_at) & (event_at < pl.col("end_at")) & pl.col("price.0").is_not_null()
    rows = [
        row
        for row in table.frame.filter(in_force).iter_rows(named=True)
        if all(_matches(row[f"when.{name}"], said.get(name), kind) for name, kind in table.columns.items())
    ]
    if not rows:
        told = ", ".join(f"{name} {said.get(name, '(absent)')}" for name in table.columns)
        raise UnableToPrice(Reason.NO_MATRIX_PRICE, f"no row matches {told}")

    def asks(row: dict[str, Any]) -> list[str]:
        return [name for name in table.columns if row[f"when.{name}"] is not None]

    row = min(rows, key=lambda row: (100 if row["priority"] is None else row["priority"], -len(asks(row))))
    told = ", ".join(f"{name} {row[f'when.{name}']}" for name in asks(row)) or "any usage"
    also = "" if len(rows) == 1 else f" (the best of {len(rows)} that match)"
    return row, f"the row for {told}{also}"


def _matches(cell: str | None, said: Said | None, kind: str) -> bool:
    """Return whether a cell matches what a usage says: a text, a prefix, or a range without its end."""
    if cell is None:
        return True
    if said is None:
        return False
    if kind in ("code", "digits"):
        text = str(said)
        return text.startswith(cell[:-1]) if kind == "digits" and cell.endswith("*") else text == cell
    start, dots, stop = cell.partition("..")
    if not dots:
        return bool(said == _end(start, kind))
    low: Any = _end(start, kind) if start else None
    high: Any = _end(stop, kind) if stop else None
    return (low is None or low <= said) and (high is None or said < high)


def _end(text: str, kind: str) -> Said:
    if kind == "number":
        return Decimal(text)
    return date.fromisoformat(text) if kind == "date" else utc_microseconds(datetime.fromisoformat(text))


def _with_terms(
    version: PriceVersion, row: dict[str, Any], table: PriceRows, calendar: Calendar | None
) -> PriceVersion:
    prices = [from_scaled(row[f"price.{place}"], PRICE_DECIMALS_MAX) for place in range(max(1, len(table.bands)))]
    terms: dict[str, Any] = {"prices": None, "price": prices[0]}
    if table.bands and calendar is not None:
        terms["price"] = dict(zip(table.bands, prices, strict=True))
    if row["first"] is not None:
        lengths = {"first": row["first"], "next": row["next"]}
        own = version.increments
        terms["increments"] = own.model_copy(update=lengths) if own is not None else Increments(**lengths)
    if row["minimum_quantity"] is not None:
        terms["minimum_quantity"] = row["minimum_quantity"]
    if row["connection_fee"] is not None:
        terms["connection_fee"] = from_scaled(row["connection_fee"], PRICE_DECIMALS_MAX)
    percentage = percentage_of(version)
    return version.model_copy(update=terms if percentage is None else _cheaper(terms, percentage))


def _cheaper(terms: dict[str, Any], percentage: Decimal) -> dict[str, Any]:
    """Return what a row says with a percentage off its prices and its fee."""
    price, fee = terms["price"], terms.get("connection_fee")
    if isinstance(price, dict):
        price = {band: taken_off(each, percentage, PRICE_DECIMALS_MAX) for band, each in price.items()}
    else:
        price = taken_off(price, percentage, PRICE_DECIMALS_MAX)
    own = {} if fee is None else {"connection_fee": taken_off(fee, percentage, AMOUNT_DECIMALS)}
    return terms | {"price": price} | own
