"""Rated usage as rows for people and programs: names for ids, decimals for scaled integers, what each tier cost.

Columns are made from arrays, for millions of items. What takes a price table, or several prices, to tell is left out there
(null), and told by the twin, item by item, when it is asked (`ItemWriter.explain`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from apps.embedded.virtual import RatedUsage, VirtualRating
from apps.embedded.virtual_bill import DISCOUNT_COLUMNS
from apps.embedded.virtual_prices import parts_of
from apps.embedded.virtual_taxes import TAX_COLUMNS
from apps.embedded.virtual_texts import instant_texts, named_texts, plain, quantity_texts, scaled_texts
from apps.embedded.virtual_usage import Refusal
from rating.explanation import Explanation
from rating.reference import find_charge_version, price
from rating.reference_conditions import follows, matching_charges
from rating.reference_tables import Said, UnableToPrice, values_said, with_lookups
from rating.refusal_words import UNDECIDED, triggered_fault, usage_words, used_up
from schemas.arrays import Int32Array, Int64Array
from schemas.catalog import Catalog
from schemas.edr import EdrBlock, values_of
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.price_plan import Charge, PriceVersion
from schemas.quantity import Unit, describe_quantity
from schemas.rated_item import RatedBlock
from schemas.rejection import EXPLANATIONS, Reason

COLUMNS = (
    "record",
    "status",
    "event_at",
    "access_point",
    "subscription",
    "account",
    "event_type",
    "charge",
    "price_plan",
    "version_start",
    "quantity",
    "rated_quantity",
    "unit",
    "unit_price",
    "per",
    "free_quantity",
    "connection_fee",
    "amount",
    "currency",
    "tier",
    "band",
    "counter_before",
    "reason",
    "detail",
)
"""Of an item and of a refusal; what one has not is null."""
SCHEMA = {name: pl.Int64 if name in ("record", "tier") else pl.String for name in COLUMNS}


TRIGGER_COLUMNS = ("triggered_by",)
"""Of an item, where the catalog has triggers: the charge of the item that triggered its usage, null where none did."""


class ItemWriter:
    """Turns what a virtual rating yields into rows."""

    def __init__(self, rating: VirtualRating) -> None:
        """Prepare the tables of names."""
        self._rating = rating
        self._catalog: Catalog = rating.catalog
        self._words = rating.vocabulary
        self._versions = {version.id: version for version in rating.image.charge_versions}
        self._documents: dict[int, tuple[Charge, PriceVersion]] = {}
        self.columns = (*COLUMNS, *(TAX_COLUMNS if rating.taxes is not None else ()))
        if rating.image.triggers is not None:
            self.columns = (*self.columns, *TRIGGER_COLUMNS)
        if self._catalog.discount_plans:
            self.columns = (*self.columns, *DISCOUNT_COLUMNS)

    def frame(self, usage: RatedUsage, *, by_subscription: bool) -> pl.DataFrame:
        """Return the rated EDRs of a block as rows of `columns`, in the order in which they were rated."""
        rows = np.flatnonzero(usage.rated.reason == 0)
        edrs, rated, words = usage.edrs, usage.rated, self._words
        version, subscription = rated.charge_version[rows], edrs.subscription[rows]
        event_type = edrs.event_type[rows].astype(np.int64)
        known, place = np.unique(version, return_inverse=True)
        told = [self._versions[int(each)] for each in known]
        price, per, free, fee, band = self._prices(usage, rows, known, place)
        before = pl.Series(rated.counter_before[rows])
        counted = np.array([self._document(int(each))[1].counter is not None for each in known], np.bool_)[place]
        quantities = {
            "quantity": edrs.quantity[rows],
            "rated_quantity": rated.rated_quantity[rows],
            "counter_before": before.to_numpy(),
            "free_quantity": np.maximum(free, 0),
        }
        texts = {name: self._quantities(steps_, event_type) for name, steps_ in quantities.items()}
        frame = pl.DataFrame(
            {
                "record": edrs.record[rows],
                "status": pl.repeat("rated", len(rows), eager=True),
                "event_at": instant_texts(edrs.event_at[rows]),
                "access_point": None
                if by_subscription
                else named_texts(words.access_points.names, edrs.access_point[rows]),
                "subscription": named_texts(words.subscriptions.names, subscription),
                "account": named_texts(words.accounts.names, self._rating.account_of[subscription]),
                "event_type": named_texts(words.event_types.names, event_type),
                "charge": named_texts(pl.Series([each.charge for each in told], dtype=pl.String), place),
                "price_plan": named_texts(pl.Series([each.price_plan for each in told], dtype=pl.String), place),
                "version_start": instant_texts(np.array([each.start_at for each in told], np.int64)[place]),
                "quantity": texts["quantity"],
                "rated_quantity": texts["rated_quantity"],
                "unit": named_texts(pl.Series([each.unit for each in told], dtype=pl.String), place),
                "unit_price": price,
                "per": per,
                "free_quantity": texts["free_quantity"].zip_with(
                    pl.Series(free >= 0), pl.repeat(None, len(rows), dtype=pl.String, eager=True)
                ),
                "connection_fee": fee,
                "amount": scaled_texts(rated.amount[rows], AMOUNT_DECIMALS),
                "currency": named_texts(pl.Series([each.currency for each in told], dtype=pl.String), place),
                "tier": rated.tier[rows].astype(np.int64) + 1,
                "band": band,
                "counter_before": texts["counter_before"].zip_with(
                    pl.Series(counted), pl.repeat(None, len(rows), dtype=pl.String, eager=True)
                ),
                "reason": None,
                "detail": None,
            },
            schema_overrides=SCHEMA,
        )
        frame = frame.select(COLUMNS)
        if self._rating.taxes is not None and usage.due is not None:
            money = np.where(self._rating.image.in_money(version), rated.amount[rows], 0)
            frame = frame.hstack(self._rating.taxes.columns(money, usage.due))
        if self._rating.image.triggers is not None:
            frame = frame.with_columns(triggered_by=self._triggering(rated).gather(rows))
        return frame

    def _triggering(self, rated: RatedBlock) -> pl.Series:
        """Return (n,) the charge of the item that triggered the usage of each row."""
        triggered = None if rated.items is None else rated.items.triggered
        if rated.items is None or triggered is None:
            return pl.repeat(None, len(rated.reason), dtype=pl.String, eager=True)
        parent = np.arange(len(rated.reason)) - rated.items.number + triggered.by - 1
        charges = [
            self._versions[int(rated.charge_version[parent[row]])].charge if by else None
            for row, by in enumerate(triggered.by.tolist())
        ]
        return pl.Series(charges, dtype=pl.String)

    def explain(self, usage: RatedUsage, row: int) -> Explanation:
        """Return how the twin prices one rated EDR of a block."""
        edrs, rated = usage.edrs, usage.rated
        charge, version = self._document(int(rated.charge_version[row]))
        subscription = self._words.subscriptions.name(int(edrs.subscription[row]))
        return price(
            self._catalog,
            charge,
            version,
            quantity=int(edrs.quantity[row]),
            event_at=int(edrs.event_at[row]),
            counter_before=int(rated.counter_before[row]),
            zone=self._catalog.zone_of(subscription),
            said=self._said(edrs, row),
        )

    def refusals(self, usage: RatedUsage, *, by_subscription: bool, described_max: int = 1000) -> list[Refusal]:
        """Return the EDRs of a block that stay unrated; only the first have words of their own."""
        edrs, reason = usage.edrs, usage.rated.reason
        rows = np.flatnonzero(reason)
        whose = named_texts(self._words.subscriptions.names, edrs.subscription[rows]).to_list()
        points = [""] * len(rows)
        if not by_subscription:
            points = named_texts(self._words.access_points.names, edrs.access_point[rows]).to_list()
        columns = (rows, edrs.record[rows], reason[rows], edrs.event_at[rows])
        return [
            Refusal(
                record,
                Reason(code).name,
                self._why(usage, row) if place < described_max else EXPLANATIONS[Reason(code)],
                subscription=whose[place],
                access_point=points[place],
                event_at=event_at,
            )
            for place, (row, record, code, event_at) in enumerate(
                zip(*(each.tolist() for each in columns), strict=True)
            )
        ]

    def totals(self) -> tuple[list[dict[str, str | int]], list[dict[str, str | int]]]:
        """Return what was rated so far by charge, currency and unit, and by account: amounts and quantities as texts."""
        charges: dict[tuple[str, str, str], list[int]] = {}
        sums = self._rating.by_charge
        for version, items in sums.items.items():
            told = self._versions[version]
            line = charges.setdefault((told.charge, told.unit, told.currency), [0, 0, 0])
            for place, more in enumerate((items, sums.first[version], sums.second[version])):
                line[place] += more
        units = self._catalog.units
        by_charge: list[dict[str, str | int]] = [
            {
                "charge": charge,
                "items": items,
                "rated_quantity": plain(describe_quantity(quantity, units[unit])),
                "unit": unit,
                "amount": plain(from_scaled(amount, AMOUNT_DECIMALS)),
                "currency": currency,
            }
            for (charge, unit, currency), (items, quantity, amount) in sorted(charges.items())
        ]
        currencies = self._rating.image.account_currency
        accounts = self._rating.by_account
        by_account: list[dict[str, str | int]] = [
            {
                "account": self._words.accounts.name(account),
                "items": items,
                "amount": plain(from_scaled(accounts.first[account], AMOUNT_DECIMALS)),
                "currency": self._words.currencies.name(int(currencies[account])),
            }
            for account, items in accounts.items.items()
        ]
        return by_charge, sorted(by_account, key=lambda line: str(line["account"]))

    # ---- what a row says

    def _document(self, version: int) -> tuple[Charge, PriceVersion]:
        if version not in self._documents:
            about = self._versions[version]
            self._documents[version] = find_charge_version(self._catalog, about.name, about.contract)
        return self._documents[version]

    def _said(self, edrs: EdrBlock, row: int) -> Mapping[str, Said]:
        event_type = self._catalog.event_types[self._words.event_types.name(int(edrs.event_type[row]))]
        codes = (self._words.attribute_values.name(int(code)) for code in edrs.attributes[row])
        attributes: dict[str, Said] = {
            name: code for name, code in zip(event_type.attributes, codes, strict=False) if code
        }
        said = attributes | values_said(event_type, values_of(edrs)[row].tolist())
        return with_lookups(self._catalog, event_type, said, int(edrs.event_at[row]))

    def _why(self, usage: RatedUsage, row: int) -> str:
        """Return why an EDR stays unrated, with what made it so."""
        edrs, fault = usage.edrs, triggered_fault(usage.rated, row, self._words)
        reason = Reason(int(usage.rated.reason[row]))
        asked = self._rating.image.asked[int(edrs.event_type[row])]
        parts = usage_words(edrs, row, asked, reason, self._words)
        version = int(usage.rated.charge_version[row])
        if version >= 0:
            parts.insert(0, used_up(self._versions[version], int(usage.rated.counter_before[row])))
        if fault is not None:
            parts.insert(0, fault)
        elif reason in UNDECIDED:
            parts.insert(0, self._expression(usage, row))
        return f"{EXPLANATIONS[reason]}: {', '.join(parts)}"

    def _expression(self, usage: RatedUsage, row: int) -> str:
        """Return what the twin has against an EDR whose condition or formula came to nothing."""
        edrs = usage.edrs
        subscription = self._words.subscriptions.name(int(edrs.subscription[row]))
        event_type = self._words.event_types.name(int(edrs.event_type[row]))
        asked: dict[str, Any] = {
            "said": self._said(edrs, row),
            "quantity": int(edrs.quantity[row]),
            "event_at": int(edrs.event_at[row]),
        }
        contract = self._catalog.subscriptions.filter(pl.col("subscription") == subscription)
        try:
            version = int(usage.rated.charge_version[row])
            if version >= 0:
                price(self._catalog, *self._document(version), zone=self._catalog.zone_of(subscription), **asked)
            for charge in matching_charges(self._catalog, contract["offer"][0], event_type, **asked):
                follows(charge, self._catalog, **asked)
        except UnableToPrice as error:
            return str(error)
        return "the twin finds nothing wrong"

    # ---- columns

    def _quantities(self, amounts: Int64Array, event_type: Int64Array) -> pl.Series:
        """Return base steps as texts in the units of their event types."""
        texts = pl.Series([""], dtype=pl.String).extend_constant("", len(amounts) - 1) if len(amounts) else None
        for code in np.unique(event_type).tolist():
            unit = self._catalog.units[self._catalog.event_types[self._words.event_types.name(code)].unit]
            rows = event_type == code
            if rows.all():
                return quantity_texts(amounts, unit)
            assert texts is not None
            texts = texts.scatter(np.flatnonzero(rows), quantity_texts(amounts[rows], unit))
        return texts if texts is not None else pl.Series([], dtype=pl.String)

    def _prices(
        self, usage: RatedUsage, rows: Int64Array, known: Int32Array, place: Int64Array
    ) -> tuple[pl.Series, pl.Series, Int64Array, pl.Series, pl.Series]:
        """Return (unit price, per, free base steps, connection fee, band) of the rows, each (n,)."""
        n, rated = len(rows), usage.rated
        texts: list[str | None] = [None]
        columns = {name: np.zeros(n, np.int64) for name in ("price", "per", "fee", "band")}
        free = np.full(n, -1, np.int64)
        for index, version in enumerate(known.tolist()):
            of_version = place == index
            chosen = rows[of_version]
            _, document = self._document(version)
            calendar = self._catalog.calendars[document.calendar] if document.calendar is not None else None
            names = [each.name for each in calendar.bands] if calendar is not None else []
            found = parts_of(
                document,
                self._catalog,
                names,
                rated=rated.rated_quantity[chosen],
                before=rated.counter_before[chosen],
                tier=rated.tier[chosen].astype(np.int64),
                band=rated.band[chosen].astype(np.int64),
            )
            base = len(texts)
            texts += found.texts
            columns["price"][of_version] = np.where(found.price >= 0, base + found.price, 0)
            columns["fee"][of_version] = np.where(found.fee >= 0, base + found.fee, 0)
            free[of_version] = found.free
            columns["per"][of_version] = np.where(found.price >= 0, len(texts), 0)
            texts.append(document.per)
            if names:
                columns["band"][of_version] = len(texts) + rated.band[chosen]
                texts += names
        said = pl.Series(texts, dtype=pl.String)
        price_, per, fee, band = (said.gather(columns[name]) for name in ("price", "per", "fee", "band"))
        return price_, per, free, fee, band


def detail(explanation: Explanation) -> list[str]:
    """Return what an item is made of: a line for every tier and time band, fee and limit."""
    unit = Unit(explanation.unit, "", explanation.unit_steps)
    lines = []
    if explanation.counter is not None:
        lines.append(f"{explanation.counter.name}: {explanation.standing(explanation.counter.before)} before")
    if explanation.row is not None:
        lines.append(f"price table {explanation.row}")
    for part in explanation.parts:
        tier = f"tier {part.tier + 1}" if explanation.model in ("graduated", "volume") else ""
        free = "free part" if explanation.model == "flat" and part.up_to is not None else ""
        band = part.band or (explanation.band.name if explanation.band is not None else "")
        where = ", ".join(filter(None, (tier, free, band)))
        quantity = f"{plain(describe_quantity(part.quantity, unit))} {unit.code}"
        lines.append(
            f"{f'{where}: ' if where else ''}{quantity} at {plain(part.unit_price)} per {part.per} = {part.amount}"
        )
    if explanation.formula is not None:
        lines.append(explanation.formula)
    lines += [f"{each.reason}: {plain(each.amount)}" for each in explanation.fixed]
    if explanation.connection_fee and explanation.rated_quantity:
        lines.append(f"connection fee: {plain(explanation.connection_fee)}")
    if explanation.limit is not None:
        lines.append(f"{explanation.limit} (it would be {explanation.exact})")
    return lines + explanation.conversion_lines()


def one_price(explanation: Explanation) -> tuple[str | None, str | None, str | None]:
    """Return (unit price, per, free quantity) of an item, as far as its parts have one price beside what is free."""
    if not explanation.parts:
        return None, None, None
    unit = Unit(explanation.unit, "", explanation.unit_steps)
    free = sum(part.quantity for part in explanation.parts if part.unit_price == 0)
    paid = {(part.unit_price, part.per) for part in explanation.parts if part.unit_price != 0}
    paid = paid or {(part.unit_price, part.per) for part in explanation.parts}
    price_, per = next(iter(paid)) if len(paid) == 1 else (None, None)
    return plain(price_) if price_ is not None else None, per, plain(describe_quantity(free, unit))


def refusal_frame(refusals: list[Refusal]) -> pl.DataFrame:
    """Return refusals as rows of `COLUMNS`."""
    moments = np.array([each.event_at for each in refusals], np.int64)
    told = pl.DataFrame(
        {
            "record": [each.record for each in refusals],
            "event_at": instant_texts(moments).zip_with(pl.Series(moments != 0), pl.Series([None], dtype=pl.String)),
            "access_point": [each.access_point or None for each in refusals],
            "subscription": [each.subscription or None for each in refusals],
            "reason": [each.reason for each in refusals],
            "detail": [each.detail for each in refusals],
        },
        schema_overrides={"access_point": pl.String, "subscription": pl.String},
    )
    others = {name: pl.lit(None, kind) for name, kind in SCHEMA.items() if name not in told.columns}
    return told.with_columns(**{**others, "status": pl.lit("refused")}).select(COLUMNS)
