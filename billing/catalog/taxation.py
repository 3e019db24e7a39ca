"""Which tax is due: on a charge, for a subscription, at an instant. Decided from dated rows, for columns of usage.

What decides is a *situation*: the class of the charge, the category and country of the account, the country of the seller, and
which conditions hold. Few situations make up any catalog; each has its own stretches of time, found once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise, product

import polars as pl

from billing.catalog.code_conditions import compile_code_condition
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog
from schemas.money import from_scaled, to_scaled
from schemas.price_plan import LEVELS, utc_microseconds
from schemas.tax import RATE_DECIMALS, PriceBasis, TaxRow, TaxVersion

FACTS = ("tax_class", "tax_category", "seller_country", "buyer_country")
Key = tuple[str | None, str | None, str | None, str | None]
"""What a row of a mapping asks for, in the order of `FACTS`; None is any."""


class TaxStatus(StrEnum):
    """Whether a tax is due."""

    TAXED = "taxed"
    EXEMPT = "exempt"
    NO_TAX = "NO_TAX"
    """No row of a mapping says which: nothing is known, which is not the same as zero."""


@dataclass(frozen=True, slots=True)
class TaxDue:
    """What is due in a situation, and why.

    Attributes:
        tax: the tax that the row names; None without one. parts: (tax, rate) of all that it consists of, by 10**-8.
        seller, prices: who sells, and whether its prices are net or gross. facts: the situation, without conditions.
        row: "MAPPING row NUMBER" of the row that says so. reason: why the account is exempt, or why there is no tax.
    """

    status: TaxStatus
    tax: str | None
    parts: tuple[tuple[str, int], ...]
    seller: str
    prices: PriceBasis
    facts: Key
    row: str | None = None
    reason: str | None = None

    @property
    def rate(self) -> int:
        """All rates together, by 10**-8."""
        return sum(rate for _, rate in self.parts)

    def lines(self) -> list[str]:
        """Return what is due, and why, in words."""
        asked = situation_words(self.facts)
        if self.status is TaxStatus.EXEMPT:
            return [f"no tax: the account is exempt ({self.reason})"]
        if self.tax is None:
            where = f" ({self.row})" if self.row is not None else ""
            return [f"{self.status}: {self.reason}{where}, for {asked}"]
        rates = [f"{tax} {plain_rate(rate)} %" for tax, rate in self.parts]
        parts = f" ({' and '.join(rates)})" if len(rates) > 1 else ""
        return [f"tax {self.tax}, {plain_rate(self.rate)} %{parts}: {self.row} says so for {asked}"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a situation has during [start_at, end_at), microseconds UTC: a row's tax and rates, or why there is none."""

    start_at: int
    end_at: int
    tax: str | None
    parts: tuple[tuple[str, int], ...]
    row: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a mapping with its place; `condition` is a place among those of the catalog, -1 without one."""

    place: str
    start_at: int
    end_at: int
    tax: str
    priority: int
    condition: int


class Taxation:
    """The taxes of a checked catalog."""

    def __init__(self, catalog: Catalog) -> None:
        """Sort the rows of all mappings by what they ask for."""
        self._catalog = catalog
        self._conditions: dict[str, int] = {}
        self._rows: dict[Key, list[_Row]] = {}
        for code, mapping in sorted(catalog.tax_mappings.items()):
            for number, row in enumerate(mapping.rows, 1):
                self._rows.setdefault(key_of(row), []).append(self._placed(row, f"{code} row {number}"))
        for rows in self._rows.values():
            rows.sort(key=lambda row: row.priority)

    def _placed(self, row: TaxRow, place: str) -> _Row:
        condition = -1
        if row.condition is not None:
            condition = self._conditions.setdefault(row.condition, len(self._conditions))
        return _Row(place, *period_us(row), row.tax, row.priority, condition)

    @property
    def asked(self) -> list[str]:
        """The columns of a situation besides `FACTS`: whether each condition holds."""
        return [f"condition {number}" for number in range(len(self._conditions))]

    def situations(self, sold: pl.DataFrame) -> pl.DataFrame:
        """Return what decides about sold charges: `sold`, with `FACTS`, `asked`, seller and exemption besides.

        Args:
            sold: subscription and charge, and any other columns; in any number of rows, whose order is kept.
        """
        charges, offers = self._catalog.charges, self._catalog.offers
        of_charge = pl.DataFrame(
            [(code, charge.tax_class, charge.event_type) for code, charge in charges.items()],
            schema={"charge": pl.String, "tax_class": pl.String, "event_type": pl.String},
            orient="row",
        )
        sellers = {code: self.seller_of(offer.seller) for code, offer in offers.items()}
        of_offer = pl.DataFrame(
            [(code, seller, self._catalog.sellers[seller].country) for code, seller in sellers.items()],
            schema={"offer": pl.String, "seller": pl.String, "seller_country": pl.String},
            orient="row",
        )
        kept = {"how": "left", "maintain_order": "left"}
        found = (
            sold.join(self._catalog.subscriptions, on="subscription", **kept)  # type: ignore[arg-type]
            .join(of_charge, on="charge", **kept)  # type: ignore[arg-type]
            .join(of_offer, on="offer", **kept)  # type: ignore[arg-type]
        )
        found = found.join(self.accounts(found["account"].unique()), on="account", **kept)  # type: ignore[arg-type]
        default = {code: seller.tax_category for code, seller in self._catalog.sellers.items()}
        category = pl.col("seller").replace_strict(default, return_dtype=pl.String)
        return found.with_columns(
            pl.col("tax_category").fill_null(category),
            *(
                compile_code_condition(text).alias(name)
                for text, name in zip(self._conditions, self.asked, strict=True)
            ),
        ).rename({"country": "buyer_country"})

    def accounts(self, codes: pl.Series) -> pl.DataFrame:
        """Return ACCOUNT_TAX_FRAME of distinct accounts, with what the nearest parent has where they have nothing."""
        told = pl.DataFrame({"account": codes, "at": codes})
        said = self._catalog.account_taxes
        groups = (["tax_category"], ["country"], ["exemption", "exempt_start_at", "exempt_end_at"])
        parents = self._catalog.account_tree.select(at="account", parent="parent")
        for level, _ in enumerate(LEVELS):
            if level and told["at"].null_count() == len(told):
                break
            told = told.join(
                said.rename({"account": "at"}), on="at", how="left", suffix=" above", maintain_order="left"
            )
            if level:
                told = told.with_columns(
                    pl.when(pl.col(group[0]).is_null()).then(f"{name} above").otherwise(name).alias(name)
                    for group in groups
                    for name in group
                ).drop(f"{name} above" for group in groups for name in group)
            told = told.join(parents, on="at", how="left", maintain_order="left").drop("at").rename({"parent": "at"})
        return told.drop("at")

    def seller_of(self, named: str | None) -> str:
        """Return the code of an offer's seller: the only one where it names none."""
        return named if named is not None else next(iter(self._catalog.sellers))

    def stretches(self, facts: Key, holds: tuple[bool, ...]) -> list[Stretch]:
        """Return what a situation has at all times, in order, without a gap from TIME_MIN to TIME_MAX.

        Args:
            facts: in the order of `FACTS`. holds: of each condition, whether it holds.
        """
        if facts[1] is None:
            return [Stretch(TIME_MIN, TIME_MAX, None, (), None, "the account has no tax category")]
        rows = [row for row in self._matching(facts) if row.condition < 0 or holds[row.condition]]
        leaves = {row.tax: self._leaves(row.tax) for row in rows}
        edges = {TIME_MIN, TIME_MAX}
        for row in rows:
            edges |= {row.start_at, row.end_at}
            edges |= {edge for _, versions in leaves[row.tax] for start, end, _ in versions for edge in (start, end)}
        found: list[Stretch] = []
        for start, end in pairwise(sorted(edges)):
            row_then = next((row for row in rows if row.start_at <= start < row.end_at), None)
            stretch = self._stretch(start, end, row_then, leaves)
            last = found[-1] if found else None
            if last is not None and replace(last, start_at=start, end_at=end) == stretch:
                found[-1] = replace(last, end_at=end)
            else:
                found.append(stretch)
        return found

    def _matching(self, facts: Key) -> Iterator[_Row]:
        """Yield the rows that match, best first: the class, then the seller's country, then the buyer's, then priority."""
        category = facts[1]
        options = [dict.fromkeys((fact, None)) for fact in (facts[0], facts[2], facts[3])]
        for class_, seller, buyer in product(*options):
            yield from self._rows.get((class_, category, seller, buyer), ())

    def _leaves(self, code: str) -> list[tuple[str, list[tuple[int, int, int]]]]:
        """Return (tax, (start, end, rate) of its versions) of all parts of a tax."""
        tax = self._catalog.taxes[code]
        return [
            (part, [(*period_us(version), rate_of(version)) for version in self._catalog.taxes[part].versions or ()])
            for part in tax.parts or (code,)
        ]

    def _stretch(
        self, start: int, end: int, row: _Row | None, leaves: dict[str, list[tuple[str, list[tuple[int, int, int]]]]]
    ) -> Stretch:
        if row is None:
            return Stretch(start, end, None, (), None, "no row of a tax mapping matches")
        parts: list[tuple[str, int]] = []
        for part, versions in leaves[row.tax]:
            rate = next((rate for low, high, rate in versions if low <= start < high), None)
            if rate is None:
                return Stretch(start, end, None, (), row.place, f"the tax {part} has no rate then")
            parts.append((part, rate))
        return Stretch(start, end, row.tax, tuple(parts), row.place)

    def due(self, items: pl.DataFrame) -> tuple[pl.Series, list[TaxDue]]:
        """Return what is due on each item: (n,) places, and what they mean.

        Args:
            items: subscription, charge and event_at (microseconds UTC) of n items, in any order.
        """
        pairs = items.select("subscription", "charge").unique(maintain_order=True)
        told = self.situations(pairs)
        names = [*FACTS, *self.asked, "seller", "exemption"]
        situations = told.select(names).unique(maintain_order=True).with_row_index("situation")
        starts: list[tuple[int, int, int]] = []
        dues: list[TaxDue] = []
        exempt: list[int] = []
        for row in situations.iter_rows(named=True):
            facts: Key = (row["tax_class"], row["tax_category"], row["seller_country"], row["buyer_country"])
            who = row["seller"], self._catalog.sellers[row["seller"]].prices, facts
            for stretch in self.stretches(facts, tuple(row[name] for name in self.asked)):
                starts.append((row["situation"], stretch.start_at, len(dues)))
                status = TaxStatus.NO_TAX if stretch.tax is None else TaxStatus.TAXED
                dues.append(TaxDue(status, stretch.tax, stretch.parts, *who, stretch.row, stretch.reason))
            exempt.append(len(dues))
            dues.append(TaxDue(TaxStatus.EXEMPT, None, (), *who, reason=row["exemption"]))
        where = told.join(situations, on=names, how="left", nulls_equal=True, maintain_order="left").select(
            "subscription", "charge", "situation", "exempt_start_at", "exempt_end_at"
        )
        begun = pl.DataFrame(
            starts, schema={"situation": pl.UInt32, "event_at": pl.Int64, "due": pl.UInt32}, orient="row"
        ).sort("event_at")
        placed = (
            items.select("subscription", "charge", "event_at")
            .with_row_index("item")
            .join(where, on=("subscription", "charge"), how="left", maintain_order="left")
            .sort("event_at")
            .join_asof(begun, on="event_at", by="situation", check_sortedness=False)
            .sort("item")
        )
        without = (
            pl.col("event_at").is_between("exempt_start_at", "exempt_end_at", closed="left").fill_null(value=False)
        )
        at = pl.Series("exempt", exempt, pl.UInt32)
        place = pl.when(without).then(pl.lit(at).gather(pl.col("situation"))).otherwise("due")
        return placed.select(due=place)["due"], dues


def plain_rate(rate: int) -> str:
    """Return a rate, by 10**-8, in percent."""
    text = f"{from_scaled(rate, RATE_DECIMALS):f}"
    return text.rstrip("0").rstrip(".")


def situation_words(facts: Key) -> str:
    """Return in words what decides."""
    class_, category, seller, buyer = facts
    return (
        f"tax class {class_ or '(none)'}, tax category {category or '(none)'}, "
        f"seller in {seller}, account in {buyer or '(no country)'}"
    )


def key_of(row: TaxRow) -> Key:
    """Return what a row asks for."""
    return row.tax_class, row.tax_category, row.seller_country, row.buyer_country


def period_us(dated: TaxRow | TaxVersion) -> tuple[int, int]:
    """Return the half-open period of a row or version in microseconds UTC."""
    start = utc_microseconds(dated.start) if dated.start is not None else TIME_MIN
    return start, utc_microseconds(dated.end) if dated.end is not None else TIME_MAX


def rate_of(version: TaxVersion) -> int:
    """Return the rate of a version by 10**-8."""
    return to_scaled(version.rate, RATE_DECIMALS)
