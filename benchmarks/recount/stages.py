"""What every feed shares once it is decoded: attribution, exact repetitions, pricing, totals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from benchmarks.recount.pricing import Priced, Usage, price
from benchmarks.recount.result import Recount
from benchmarks.recount.rules import Rules
from schemas.arrays import BoolArray, Int64Array

_DAY_US = 86_400_000_000


@dataclass(slots=True)
class Decoded:
    """A feed after decoding.

    Attributes:
        usable: records without objection, in the order of the log: identity, access_point (strings), event_at
            (microseconds UTC), quantity (base steps), event_type (string), and one string column per attribute.
        attributes: names of the attribute columns.
        records: all records. filtered: excluded by the source. rejected, parked: by the name of the reason.
    """

    usable: pl.DataFrame
    attributes: tuple[str, ...]
    records: int
    filtered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    parked: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of a feed before anything is priced: records by outcome, and quantities of EDRs in base steps."""

    records: int
    accepted: int
    duplicates: int
    filtered: int
    rejected_by_reason: dict[str, int]
    quantity_by_event_type: dict[str, int]


def count_intake(decoded: Decoded, rules: Rules) -> Intake:
    """Attribute, drop repetitions and add up a feed of plain events."""
    attributed, refused = attribute(decoded.usable, rules, pl.col("event_at"))
    first, duplicates, conflicts = _without_repetitions(attributed, decoded.attributes)
    conflict = Counter({"SAME_KEY_OTHER_CONTENT": conflicts})
    sums = first.group_by(pl.col("event_type").cast(pl.String)).agg(
        high=(pl.col("quantity") // 2**31).sum(), low=(pl.col("quantity") % 2**31).sum()
    )
    return Intake(
        records=decoded.records,
        accepted=len(first),
        duplicates=duplicates,
        filtered=decoded.filtered,
        rejected_by_reason=dict(sorted((+(decoded.rejected + refused + conflict)).items())),
        quantity_by_event_type={code: (high << 31) + low for code, high, low in sorted(sums.rows())},
    )


def recount_events(decoded: Decoded, rules: Rules) -> Recount:
    """Attribute, drop repetitions, price and add up a feed of plain events."""
    attributed, refused = attribute(decoded.usable, rules, pl.col("event_at"))
    decoded.rejected.update(refused)
    first, duplicates, conflicts = _without_repetitions(attributed, decoded.attributes)
    if conflicts:
        decoded.rejected["SAME_KEY_OTHER_CONTENT"] += conflicts
    return total(decoded, first, rules, duplicates=duplicates)


def attribute(events: pl.DataFrame, rules: Rules, instant: pl.Expr) -> tuple[pl.DataFrame, Counter[str]]:
    """Return the events that a subscription owns at `instant`, with its index, and how many others by reason."""
    access = pl.DataFrame(
        rules.access,
        schema={"access_point": pl.String, "start": pl.Int64, "end": pl.Int64, "subscription": pl.Int64},
        orient="row",
    )
    numbered = events.with_columns(instant.alias("instant")).with_row_index("row")
    owned = (
        numbered.join(access, on="access_point", how="inner")
        .filter((pl.col("instant") >= pl.col("start")) & (pl.col("instant") < pl.col("end")))
        .sort("row")
    )
    refused: Counter[str] = Counter()
    if len(owned) < len(events):
        strangers = numbered.join(owned.select("row"), on="row", how="anti")
        unknown = len(strangers.join(access, on="access_point", how="anti"))
        refused["UNKNOWN_ACCESS_POINT"] = unknown
        refused["ACCESS_POINT_NOT_VALID_AT"] = len(strangers) - unknown
    return owned.drop("row", "start", "end", "instant"), +refused


def _without_repetitions(events: pl.DataFrame, attributes: tuple[str, ...]) -> tuple[pl.DataFrame, int, int]:
    """Return (first of every identity and day, how many repetitions, how many with another content)."""
    key = ["identity", "day"]
    content = ["access_point", "event_at", "quantity", "event_type", *attributes]
    events = events.with_columns(day=pl.col("event_at") // _DAY_US)
    is_first = events.select(pl.struct(key).is_first_distinct()).to_series()
    first, again = events.filter(is_first), events.filter(~is_first)
    pairs = again.join(first.select(*key, *content), on=key, suffix=".first")
    same = pairs.select(pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}.first")) for name in content))
    duplicates = int(same.to_series().sum()) if len(pairs) else 0
    return first, duplicates, len(again) - duplicates


def total(decoded: Decoded, events: pl.DataFrame, rules: Rules, *, duplicates: int, absorbed: int = 0) -> Recount:
    """Price accepted events (with `subscription`) and add everything up."""
    quantity = events["quantity"].to_numpy()
    usage = Usage(
        subscription=events["subscription"].to_numpy(),
        event_type=events["event_type"],
        event_at=events["event_at"].to_numpy(),
        quantity=quantity,
        attributes={name: events[name] for name in decoded.attributes},
    )
    priced = price(usage, rules)
    is_rated = priced.refused.is_null().to_numpy()
    amounts = _by_charge(priced, priced.amount, is_rated)
    by_currency: Counter[str] = Counter()
    for charge in priced.charges:
        if charge.code in amounts:
            by_currency[charge.currency] += amounts[charge.code]
    return Recount(
        records=decoded.records,
        accepted=len(events),
        duplicates=duplicates,
        filtered=decoded.filtered,
        absorbed=absorbed,
        rejected_by_reason=dict(sorted(decoded.rejected.items())),
        parked_by_reason=dict(sorted(decoded.parked.items())),
        rated=int(is_rated.sum()),
        unrated_by_reason=dict(sorted(Counter(priced.refused.drop_nulls().to_list()).items())),
        rated_by_charge=_by_charge(priced, np.ones(len(events), np.int64), is_rated),
        quantity_by_charge=_by_charge(priced, quantity, is_rated),
        rated_quantity_by_charge=_by_charge(priced, priced.rated_quantity, is_rated),
        amount_by_charge=amounts,
        amount_by_currency=dict(sorted(by_currency.items())),
    )


def _by_charge(priced: Priced, values: Int64Array, is_rated: BoolArray) -> dict[str, int]:
    sums = {}
    for place, charge in enumerate(priced.charges):
        chosen = values[(priced.charge == place) & is_rated]
        if len(chosen):  # in two halves, because the sum of many int64 may not fit one
            sums[charge.code] = (int((chosen >> 31).sum()) << 31) + int((chosen & (2**31 - 1)).sum())
    return dict(sorted(sums.items()))
