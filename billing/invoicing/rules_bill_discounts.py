"""Discounts of draft invoices: only those that somebody has are looked at, one invoice after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from billing.catalog.code_conditions import compile_code_condition
from billing.invoicing.rules_discounts import Assigned, BillLine, DiscountLine, Holds, discount
from billing.invoicing.rules_drafts import SellerTerms, rows_left_out
from schemas.billing_cycle import BillingCycle
from schemas.discount import DiscountPlan
from schemas.price_plan import Rounding

_LimitedBy = ("applications", "amount")
_ASKED = ("row", "seller", "currency", "holder", "subscription", "offer", "charge", "event_type", "active", "amount")
_TAKEN = pl.Schema(
    {
        "place": pl.UInt32,
        "discount_plan": pl.String,
        "discount_item": pl.String,
        "assigned": pl.String,
        "amount": pl.Int128,
    }
)
Used = Mapping[str, tuple[int, int]]
"""How often, and how much of, each assigned discount was used by earlier invoices: billionths."""


def bill_discounts(
    sold: pl.DataFrame,
    active: Sequence[tuple[str, ...]],
    plans: Mapping[str, DiscountPlan],
    sellers: Mapping[str, SellerTerms],
    used: Used,
) -> pl.DataFrame:
    """Return what discounts take off: rows of the columns of `sold`, without a group, in the order of its invoices.

    Args:
        sold: as `rules_drafts.with_invoices` returns it, with `active`: a place in the names of assigned discounts.
        plans: by the name of an assignment.
    """
    having = [place for place, names in enumerate(active) if names]
    rows = sold.filter(pl.col("active").is_in(having))["row"].unique()
    chosen = sold.filter(pl.col("row").is_in(rows.implode())).sort("row", "group")
    now = dict(used)
    taken: list[tuple[int, str, str, str, int]] = []
    roundings: dict[tuple[str, str], Rounding] = {}
    first = 0
    for (_, seller, currency), some in groupby(chosen.select(_ASKED).iter_rows(), key=itemgetter(0, 1, 2)):
        rounding = roundings.get((seller, currency))
        if rounding is None:
            rounding = roundings[seller, currency] = sellers.get(seller, SellerTerms()).rounding.of(currency)
        lines = list(some)
        taken += (
            (first + one.line, one.plan, one.item, one.assigned, one.amount)
            for one in _of_invoice(lines, active, plans, now, rounding)
        )
        first += len(lines)
    told = pl.DataFrame(taken, schema=_TAKEN, orient="row")
    return chosen.drop("active")[told["place"]].with_columns(
        told.drop("place"),
        group=pl.lit(None, sold.schema["group"]),
        **{name: pl.lit(0, sold.schema[name]) for name in ("items", "quantity", "paid")},
    )


def discounts_of_kept(
    sold: pl.DataFrame,
    active: Sequence[tuple[str, ...]],
    plans: Mapping[str, DiscountPlan],
    sellers: Mapping[str, SellerTerms],
    used: Used,
    terms: BillingCycle,
) -> pl.DataFrame:
    """Return what `bill_discounts` does, but so that invoices which the cycle leaves out use up no limit.

    What they would have used is there for the invoices after them. With more taken off, these may be left out as well, so it is
    done again until all that is left out is known: each turn leaves out at least one more.
    """
    taken = bill_discounts(sold, active, plans, sellers, used)
    # of these accounts only: all assignments of a catalog are many more than those of a part
    held = {name for names in active for name in names}
    limited = {name for name in held if any(getattr(plans[name].limits, one) is not None for one in _LimitedBy)}
    without: list[pl.DataFrame] = []
    kept, now = sold, taken
    while limited & set(now["assigned"].to_list()):
        left = rows_left_out(kept.drop("active"), terms, now)
        using = now.filter(pl.col("row").is_in(list(left)), pl.col("assigned").is_in(list(limited)))
        if not len(using):
            break
        gone = list(left)
        without.append(now.filter(pl.col("row").is_in(gone)))
        kept = kept.filter(~pl.col("row").is_in(gone))
        again = _sharing(kept, active, limited, set(using["assigned"]))
        more = bill_discounts(kept.filter(pl.col("row").is_in(again)), active, plans, sellers, used)
        now = pl.concat([now.filter(~pl.col("row").is_in([*gone, *again])), more]).sort("row", maintain_order=True)
    return pl.concat([now, *without]).sort("row", maintain_order=True) if without else taken


def _sharing(sold: pl.DataFrame, active: Sequence[tuple[str, ...]], limited: set[str], names: set[str]) -> list[int]:
    """Return the rows of invoices whose discounts depend on what is used of these: they, or one that does, share them."""
    having = [limited.intersection(each) for each in active]
    asked = sold.filter(pl.col("active").is_in([place for place, mine in enumerate(having) if mine]))
    held: dict[int, set[str]] = {}
    for row, place in asked.select("row", "active").unique().iter_rows():
        held.setdefault(row, set()).update(having[place])
    while True:
        rows = [row for row, mine in held.items() if mine & names]
        grown = names.union(*(held[row] for row in rows))
        if grown == names:
            return sorted(rows)
        names = grown


def _of_invoice(
    rows: list[tuple[Any, ...]],
    active: Sequence[tuple[str, ...]],
    plans: Mapping[str, DiscountPlan],
    now: dict[str, tuple[int, int]],
    rounding: Rounding,
) -> tuple[DiscountLine, ...]:
    """Return what is taken off one invoice, and count it as used. Args: rows: _ASKED."""
    lines = [
        BillLine(account, subscription, offer, charge, event_type, place, active[held], amount)
        for place, (_, _, _, account, subscription, offer, charge, event_type, held, amount) in enumerate(rows)
    ]
    names = sorted({name for line in lines for name in line.active})
    assigned = [Assigned(name, plans[name], *now.get(name, (0, 0))) for name in names]
    taken = discount(lines, assigned, rounding, _conditions(assigned, lines))
    now.update({each.name: (each.applications, each.amount) for each in taken.used})
    return taken.lines


def _conditions(assigned: list[Assigned], lines: list[BillLine]) -> Holds:
    """Return which conditions of items hold for which lines."""
    asked = {item.condition for each in assigned for item in each.plan.items if item.condition is not None}
    if not asked:
        return lambda item, line: True
    codes = pl.DataFrame(
        [(one.account, one.subscription, one.offer, one.charge, one.event_type) for one in lines],
        schema=["account", "subscription", "offer", "charge", "event_type"],
        orient="row",
    )
    truth = {text: codes.select(holds=compile_code_condition(text)).to_series() for text in asked}
    # a condition without a name is one truth for all lines
    return lambda item, line: (
        item.condition is None or bool(truth[item.condition][line.part if len(truth[item.condition]) > 1 else 0])
    )
