"""Rated items that a billing run may bill: read from the store as of its cut, told apart, summed by what decides about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa

from apps.embedded.billing_files import frame_of
from apps.embedded.engine import Engine
from apps.embedded.images import archived_catalog
from billing.catalog.discounting import Discounting
from billing.catalog.taxation import Taxation, TaxDue, period_us
from billing.invoicing.rules_cycles import payers
from billing.invoicing.rules_drafts import SOLD, Parts, SellerTerms
from rating.contracts import VARIANT
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog
from schemas.invoicing import RunPlan
from schemas.money import AMOUNT_DECIMALS, CURRENCY_DECIMALS, to_scaled
from sinks.clickhouse.store import Store

_PLACE = "bitOr(bitShiftLeft(toUInt64({0}claim), 32), toUInt64({0}record))"
_SUB = "toUInt16(toUInt16({0}branch) * 256 + {0}item)"
_ITEMS = f"""
SELECT account, subscription, charge_version, toInt64(toUnixTimestamp64Micro(event_at)) AS event_at, {_PLACE.format("")}
  AS place, {_SUB.format("")} AS sub, rated_quantity AS quantity, reinterpretAsInt64(amount) AS amount, wallet
FROM fact_usage WHERE {{where}}
"""
_BILLED = f"""
SELECT {_PLACE.format("")} AS place, {_SUB.format("")} AS sub FROM fact_billed
WHERE by_claim < {{cut}} AND (claim, record) IN (SELECT claim, record FROM fact_usage WHERE {{where}})
"""
_REVERSED = f"""
SELECT {_PLACE.format("")} AS place, {_PLACE.format("reversed_")} AS back, {_SUB.format("reversed_")} AS back_sub
FROM fact_reversal
WHERE claim < {{cut}} AND (claim, record) IN (SELECT claim, record FROM fact_usage WHERE {{where}})
"""
_SEVERAL = f"""
SELECT {_PLACE.format("")} AS place, {_SUB.format("")} AS sub, wallet, reinterpretAsInt64(toDecimal64(-amount, 9)) AS drawn
FROM fact_wallet_operation
WHERE claim < {{cut}} AND kind IN (0, 2)
  AND (claim, record) IN (SELECT claim, record FROM fact_usage WHERE {{where}} AND wallet = -1)
"""
_BEFORE = """
SELECT account, currency, argMax(gross, (by_claim, invoice)) AS before FROM fact_invoice
WHERE kind = 'invoice' AND by_claim < {cut} GROUP BY account, currency
"""
_USED = """
SELECT assigned, toInt64(uniqExactIf(invoice, corrects = 0)) AS applications, toString(-sum(exact)) AS amount
FROM fact_invoice_line WHERE kind = 'discount' AND by_claim < {cut} GROUP BY assigned
"""
_ITEM_KEY = ["place", "sub"]
_GROUP_KEY = ("account", "subscription", "charge_version", "era", "bucket")


@dataclass(frozen=True, slots=True)
class PartItems:
    """What a part of a run may bill.

    Attributes:
        items: `place`, `sub` and `group` of what is sold. sold: SOLD and `active`, by group.
        active: names of assigned discounts, and parts: lists of taxes, that `sold` has places of.
        left: `account`, `currency`, `why`, `items` and `amount` of the rest that lies in the period.
    """

    items: pl.DataFrame
    sold: pl.DataFrame
    active: list[tuple[str, ...]]
    parts: Parts
    left: pl.DataFrame


def bounds_of(leads: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], rows_max: int) -> tuple[int, ...]:
    """Return the ids at which parts after the first begin: as many rows as there may be together, or those of one id.

    Args:
        leads: (n,) ids, ascending. rows: (n,) int64, above zero.
    """
    after = np.cumsum(rows)
    bounds: list[int] = []
    place = 0
    while place < len(leads):
        before = int(after[place - 1]) if place else 0
        place = max(place + 1, int(np.searchsorted(after, before + rows_max, side="right")))
        if place < len(leads):
            bounds.append(int(leads[place]))
    return tuple(bounds)


def exact_sum(column: pl.Series) -> pl.Expr:
    """Return the sum of integers of a group, of 128 bits; computed in 64, which is quicker, where none could overflow."""
    least, most = column.min(), column.max()
    furthest = max(abs(int(cast(int, least))), abs(int(cast(int, most)))) if least is not None else 0
    wide = pl.Int64 if furthest * len(column) < 2**63 else pl.Int128
    return pl.col(column.name).cast(wide).sum().cast(pl.Int128)


def scanned(engine: Engine, sql: str) -> pl.DataFrame:
    """Return the rows of a query of any size."""
    with cast(Store, engine.store).long.scan(sql, engine.directory.root) as batches:
        return cast(pl.DataFrame, pl.from_arrow(pa.Table.from_batches(batches), rechunk=True)).clone()


def batches(engine: Engine, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[pl.DataFrame]:
    """Yield the rows of a query of any size, some at a time."""
    with cast(Store, engine.store).long.scan(sql, engine.directory.root, parameters) as found:
        yield from (cast(pl.DataFrame, pl.from_arrow(some)) for some in found)


class RunItems:
    """Reads the items of the parts of one run."""

    def __init__(self, engine: Engine, plan: RunPlan) -> None:
        """Prepare; the catalog is that of the plan, whatever is in force by now."""
        self.engine = engine
        self.plan = plan
        active = engine.active
        held = active.catalog if active is not None and engine.state.image == plan.image else None
        self.catalog: Catalog = held or archived_catalog(engine.directory, plan.image)
        self._discounting = Discounting(self.catalog)
        self._taxation = Taxation(self.catalog)

    @cached_property
    def sellers(self) -> Mapping[str, SellerTerms]:
        """How invoices of each seller are computed."""
        return {code: SellerTerms(seller.prices, seller.rounding) for code, seller in self.catalog.sellers.items()}

    @cached_property
    def discount_plans(self) -> Mapping[str, Any]:
        """The discount plans, by the names of assignments."""
        return {name: self.catalog.discount_plans[plan] for name, plan in self._discounting.plans.items()}

    @cached_property
    def payers(self) -> pl.DataFrame:
        """`id`, `holder` and `account` of accounts: whose usage goes onto whose invoice; `billed`: in this run, and `part`."""
        names = self.engine.state.vocabulary.accounts.names.head(self.plan.ids)
        told = pl.DataFrame({"id": np.arange(len(names), dtype=np.uint32), "holder": names})
        found = payers(told["holder"], self.catalog, self.plan.cycle.code, self.plan.accounts)
        told = told.join(found, on="holder", how="left", maintain_order="left")
        lead = told.select(account="holder", lead="id")
        told = told.join(lead, on="account", how="left", maintain_order="left")
        lead_id = pl.coalesce("lead", "id")
        if self.plan.part_ids:
            part = lead_id // self.plan.part_ids
        else:
            part = pl.lit(0, pl.UInt32)
            if self.plan.bounds:
                edges = pl.Series(self.plan.bounds, dtype=pl.UInt32)
                part = pl.lit(edges).search_sorted(lead_id, side="right")
        return told.with_columns(part=part.cast(pl.UInt32), lead=lead_id)

    @cached_property
    def _versions(self) -> pl.DataFrame:
        asked = (
            "SELECT id AS charge_version, charge, price_plan, currency, event_type, unit, step_count "
            "FROM dim_charge_version"
        )
        told = cast(pl.DataFrame, pl.from_arrow(self.engine.store.query(asked)))
        return told.with_columns(pl.col("charge", "price_plan").str.split(VARIANT).list.first())

    @cached_property
    def _in_units(self) -> pl.Series:
        """The charge versions that price in units."""
        return self._versions.filter(~pl.col("currency").is_in(list(CURRENCY_DECIMALS)))["charge_version"]

    @cached_property
    def _prepaid(self) -> pl.DataFrame:
        asked = "SELECT toInt32(id) AS wallet FROM dim_wallet WHERE prepaid = 1 AND position(code, '#') = 0"
        return self._read(asked).with_columns(prepaid=True)

    @cached_property
    def used(self) -> Mapping[str, tuple[int, int]]:
        """How often, and how much of, each assigned discount was used before the cut, less what was credited: billionths."""
        rows = self.engine.store.query(_USED.format(cut=self.plan.cut)).to_pylist()
        return {
            row["assigned"]: (row["applications"], to_scaled(Decimal(row["amount"]), AMOUNT_DECIMALS)) for row in rows
        }

    @cached_property
    def before(self) -> pl.DataFrame:
        """`account`, `currency` and `before`: what the last invoice before the cut came to, billionths."""
        return frame_of(self.engine.store.query(_BEFORE.format(cut=self.plan.cut)))

    def _read(self, sql: str) -> pl.DataFrame:
        return scanned(self.engine, sql)

    def _members(self, number: int) -> pl.DataFrame:
        return self.payers.filter(pl.col("part") == number)

    def read(self, number: int) -> pl.DataFrame | None:
        """Return the items of a part, with `paid` and `why` they are not billed; None where none of its accounts is in the run.

        Another thread may read a part meanwhile, or sum one up.
        """
        members, plan = self._members(number), self.plan
        if not len(members) or not members["billed"].any():
            return None
        where = self._where(number, members)
        found = self._read(_ITEMS.format(where=where))
        billed = (
            self._read(_BILLED.format(cut=plan.cut, where=where))
            if self._any_billed
            else found.select(_ITEM_KEY).head(0)
        )
        found = self._standing(found, billed, where)
        return self._paid(found, where).with_columns(why=self._why())

    def part(self, number: int, found: pl.DataFrame) -> PartItems:
        """Return what a part may bill of the items that were read."""
        bought = self.catalog.subscriptions.select("subscription", "offer")
        return self._summed(found, self._members(number), bought)

    @cached_property
    def _any_billed(self) -> bool:
        return self._any("fact_billed WHERE by_claim")

    @cached_property
    def _any_reversed(self) -> bool:
        return self._any("fact_reversal WHERE claim")

    def _any(self, which: str) -> bool:
        asked = f"SELECT count() AS n FROM {which} < {self.plan.cut}"
        return bool(self.engine.store.query(asked)["n"][0].as_py())

    def _where(self, number: int, members: pl.DataFrame) -> str:
        first, after = self.plan.ids_of(number)
        own = members.filter("billed")["id"]
        # a range is quicker than a list; where others lie between, their usage would be read for nothing
        whole = own.len() == after - first and own.is_between(first, after, closed="left").all()
        listed = ", ".join(map(str, own.to_list()))
        accounts = f"account >= {first} AND account < {after}" if whole else f"account IN ({listed})"
        return f"{accounts} AND {self._counted()}"

    def _counted(self) -> str:
        """Return what tells usage before the cut and the period's end."""
        plan = self.plan
        asked = f"(SELECT id FROM dim_tenant WHERE code = '{plan.tenant}')"
        until = f"event_at < fromUnixTimestamp64Micro({plan.end_at}, 'UTC')"
        cut = f"claim < {plan.cut} AND (claim != {plan.segment} OR block < {plan.block})"
        return f"tenant IN {asked} AND {cut} AND {until}"

    def bounds(self, rows_max: int) -> tuple[int, ...]:
        """Return where parts begin, so that each reads so many rated items at most, of any age, or is one billing account."""
        asked = f"SELECT account AS id, count() AS rows FROM fact_usage WHERE {self._counted()} GROUP BY account"
        rows = self._read(asked).with_columns(pl.col("id").cast(pl.UInt32), pl.col("rows").cast(pl.Int64))
        told = self.payers.filter("billed").join(rows, on="id").group_by("lead").agg(pl.col("rows").sum()).sort("lead")
        return bounds_of(told["lead"].to_numpy(), told["rows"].to_numpy(), rows_max)

    def _standing(self, found: pl.DataFrame, billed: pl.DataFrame, where: str) -> pl.DataFrame:
        """Return items that no invoice holds, with `taken`: whether they were taken back, or take one back that is on none."""
        marked = billed.with_columns(held=True)
        told = found.join(marked, on=_ITEM_KEY, how="anti") if len(marked) else found
        if not self._any_reversed:
            return told.with_columns(taken=pl.lit(value=False))
        undone = self._read(_REVERSED.format(cut=self.plan.cut, where=where))
        if not len(undone):
            return told.with_columns(taken=pl.lit(value=False))
        # items that one refund takes back share its record; each has the number of the item that it takes back
        refund = undone.join(marked, left_on=["back", "back_sub"], right_on=_ITEM_KEY, how="left").select(
            "place", number=pl.col("back_sub") % 256, undoes=pl.col("held").is_null()
        )
        told = (
            told.join(
                undone.select(place="back", sub="back_sub", gone=pl.lit(value=True)),
                on=_ITEM_KEY,
                how="left",
                maintain_order="left",
            )
            .with_columns(number=pl.col("sub") % 256)
            .join(refund, on=["place", "number"], how="left", maintain_order="left")
            .drop("number")
        )
        taken = pl.col("gone").fill_null(value=False) | pl.col("undoes").fill_null(value=False)
        return told.with_columns(taken=taken).drop("gone", "undoes")

    def _paid(self, found: pl.DataFrame, where: str) -> pl.DataFrame:
        """Return items with `paid`: what prepaid wallets paid of each."""
        prepaid = pl.col("wallet").is_in(self._prepaid["wallet"].implode())
        told = found.with_columns(paid=pl.when(prepaid).then("amount").otherwise(pl.lit(0, pl.Int64)))
        several = pl.col("wallet") == -1
        shared = told.filter(several)
        if len(shared):
            drawn = self._read(_SEVERAL.format(cut=self.plan.cut, where=where)).with_columns(
                pl.col("wallet").cast(pl.Int32)
            )
            sums = drawn.join(self._prepaid, on="wallet").group_by(_ITEM_KEY).agg(pl.col("drawn").sum())
            shared = shared.join(sums, on=_ITEM_KEY, how="left").with_columns(paid=pl.col("drawn").fill_null(0))
            told = pl.concat([told.filter(~several), shared.select(told.columns)])
        return told

    def _why(self) -> pl.Expr:
        """Return why an item is not billed, null where it is."""
        ahead = (pl.col("paid") == pl.col("amount")) & (pl.col("amount") != 0)
        return (
            pl.when("taken")
            .then(pl.lit("taken_back"))
            .when(pl.col("charge_version").is_in(self._in_units.implode()))
            .then(pl.lit("in_units"))
            .when(ahead & pl.lit(self.plan.cycle.prepaid == "leave_out"))
            .then(pl.lit("paid_in_advance"))
        )

    def _summed(self, found: pl.DataFrame, members: pl.DataFrame, bought: pl.DataFrame) -> PartItems:
        kept = found.filter(pl.col("why").is_null())
        edges = self._edges(kept)
        era = np.searchsorted(edges, kept["event_at"].to_numpy(), side="right") if len(edges) else None
        told_apart = {"era": pl.Series(era, dtype=pl.UInt32) if era is not None else pl.lit(0, pl.UInt32)}
        told_apart |= {"bucket": self._bucket()}
        # what is the same of all items makes grouping slower, and nothing else
        same = [name for name, is_same in (("era", era is None), ("bucket", not self._bucket_form)) if is_same]
        keys = [name for name in _GROUP_KEY if name not in same]
        kept = kept.with_columns(**{name: value for name, value in told_apart.items() if name not in same})
        groups = (
            kept.group_by(keys)
            .agg(
                items=pl.len().cast(pl.UInt64),
                **{name: exact_sum(kept[name]) for name in ("quantity", "amount", "paid")},
                first_at=pl.col("event_at").min(),
                last_at=pl.col("event_at").max(),
            )
            .sort(keys)
            .with_row_index("group")
            .with_columns(**{name: told_apart[name] for name in same})
        )
        items = kept.select(*_ITEM_KEY, *keys).join(groups.select("group", *keys), on=keys)
        names = self.engine.state.vocabulary.subscriptions.names
        named = (
            groups.rename({"account": "id"})
            .join(members.select("id", "holder", "account"), on="id", how="left", maintain_order="left")
            .join(self._versions, on="charge_version", how="left", maintain_order="left")
            .with_columns(subscription=names.gather(groups["subscription"].cast(pl.UInt32)).alias("subscription"))
            .join(bought, on="subscription", how="left", maintain_order="left")
        )
        named, unknown = self._known(named)
        left = self._left(found, members, unknown)
        sold, active, parts = self._decided(named)
        items = items.join(named.select("group"), on="group", how="semi").select(*_ITEM_KEY, "group")
        return PartItems(items, sold, active, parts, left)

    def _known(self, named: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the groups whose tax can be told, and the others: what they are of is no longer in the catalog."""
        known = pl.col("offer").is_not_null() & pl.col("charge").is_in(list(self.catalog.charges))
        if not self.catalog.sellers:
            known = pl.lit(value=True)
        return named.filter(known).with_columns(pl.col("offer").fill_null("")), named.filter(~known)

    def _left(self, found: pl.DataFrame, members: pl.DataFrame, unknown: pl.DataFrame) -> pl.DataFrame:
        within = found.filter(pl.col("why").is_not_null(), pl.col("event_at") >= self.plan.start_at)
        whose = members.select(account="id", payer="account")
        priced = self._versions.select("charge_version", "currency")
        told = (
            within.join(whose, on="account")
            .join(priced, on="charge_version", how="left")
            .group_by("payer", "currency", "why")
        )
        sums = told.agg(items=pl.len().cast(pl.UInt64), amount=pl.col("amount").cast(pl.Int128).sum())
        lost = unknown.group_by(payer="account", currency="currency").agg(pl.col("items", "amount").sum())
        lost = lost.select("payer", "currency", pl.lit("not_in_catalog").alias("why"), "items", "amount")
        return pl.concat([sums, lost]).rename({"payer": "account"}).sort("account", "currency", "why")

    @property
    def _bucket_form(self) -> str | None:
        asked = {"day": "%Y-%m-%d", "month": "%Y-%m"}
        return next((asked[key] for key in ("day", "month") if key in self.plan.cycle.lines), None)

    def _bucket(self) -> pl.Expr:
        form = self._bucket_form
        if form is None:
            return pl.lit("")
        at = pl.col("event_at").cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(self.plan.cycle.zone)
        return at.dt.strftime(form)

    def _edges(self, kept: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the instants, between the first and the last item, at which some tax, exemption or discount changes."""
        catalog = self.catalog
        edges = {edge for mapping in catalog.tax_mappings.values() for row in mapping.rows for edge in period_us(row)}
        edges |= {
            edge for tax in catalog.taxes.values() for version in tax.versions or () for edge in period_us(version)
        }
        exempt, assigned = catalog.account_taxes, catalog.discounts
        dated = [exempt["exempt_start_at"], exempt["exempt_end_at"], assigned["start_at"], assigned["end_at"]]
        every = pl.concat([pl.Series(sorted(edges), dtype=pl.Int64), *(each.drop_nulls().alias("") for each in dated)])
        first, last = (kept["event_at"].min(), kept["event_at"].max()) if len(kept) else (TIME_MAX, TIME_MIN)
        inside = every.filter((every > first) & (every <= last)).unique().sort()
        return np.array(inside.to_numpy(), np.int64)

    def _decided(self, named: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[str, ...]], Parts]:
        """Return SOLD and `active` of groups: the first item tells tax and discounts, as all of an era have the same."""
        asked = named.select("subscription", "charge", event_at="first_at")
        active: list[tuple[str, ...]] = [()]
        named = named.with_columns(active=pl.lit(0, pl.UInt32))
        if self._discounting.plans and len(named):
            places, active = self._discounting.active(asked)
            named = named.with_columns(active=places.cast(pl.UInt32))
        parts: dict[tuple[tuple[str, int], ...], int] = {(): 0}
        if self.catalog.has_taxes and len(named):
            places, dues = self._taxation.due(asked)
            told = pl.DataFrame([_due(due, parts) for due in dues], schema=_DUE, orient="row")
            named = pl.concat([named, told[places.to_list()]], how="horizontal")
        else:
            seller = (
                {code: self._taxation.seller_of(offer.seller) for code, offer in self.catalog.offers.items()}
                if self.catalog.sellers
                else {}
            )
            told_seller = pl.col("offer").replace_strict(seller, default="", return_dtype=pl.String)
            blank = {
                name: pl.lit(value, _DUE[name]) for name, value in zip(_DUE, ("", "untaxed", "", 0, 0, ""), strict=True)
            }
            named = named.with_columns(**{**blank, "seller": told_seller})
        nothing = {name: pl.lit("") for name in ("discount_plan", "discount_item", "assigned")}
        return (
            named.with_columns(**nothing).select(*(pl.col(name).cast(kind) for name, kind in SOLD.items()), "active"),
            active,
            list(parts),
        )


_DUE = pl.Schema(
    {
        "seller": pl.String,
        "tax_status": pl.String,
        "tax": pl.String,
        "tax_rate": pl.Int64,
        "tax_parts": pl.UInt32,
        "tax_reason": pl.String,
    }
)


def _due(due: TaxDue, parts: dict[tuple[tuple[str, int], ...], int]) -> tuple[Any, ...]:
    place = parts.setdefault(due.parts, len(parts))
    return due.seller, str(due.status), due.tax or "", due.rate, place, due.reason or ""
