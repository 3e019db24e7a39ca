"""The recount's prices: whole columns at once, in exact whole numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from benchmarks.recount.rules import Charge, Rules, Version
from schemas.arrays import BoolArray, Int64Array

_EXACT_MAX = 2**62


@dataclass(frozen=True, slots=True)
class Usage:
    """Accepted usage of n EDRs in the order of the log.

    Attributes:
        subscription: (n,) index in `Rules`. event_type: (n,) strings. event_at: (n,) microseconds UTC.
        quantity: (n,) base steps. attributes: name -> (n,) strings.
    """

    subscription: Int64Array
    event_type: pl.Series
    event_at: Int64Array
    quantity: Int64Array
    attributes: dict[str, pl.Series]


@dataclass(frozen=True, slots=True)
class Priced:
    """What the usage costs.

    Attributes:
        charges: the charges found. charge: (n,) index in `charges`, -1 without. version: (n,) index, -1 without.
        rated_quantity: (n,) after increments. amount: (n,) billionths.
        refused: (n,) name of the reason, null when rated.
    """

    charges: list[Charge]
    charge: Int64Array
    rated_quantity: Int64Array
    amount: Int64Array
    refused: pl.Series


def price(usage: Usage, rules: Rules) -> Priced:
    """Price every EDR."""
    n = len(usage.subscription)
    charges, charge = _match(usage, rules)
    versions, version = _versions(usage, charges, charge)
    rated, band = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for place, rule in enumerate(versions):
        rows = np.flatnonzero(version == place)
        rated[rows] = _round_up(usage.quantity[rows], rule)
        if rule.calendar is not None:
            band[rows] = _bands(usage.event_at[rows], rules, rule.calendar)
    amount = np.zeros(n, np.int64)
    is_limited = np.array([account in rules.prepaid for account in rules.subscription_account], np.bool_)
    limited = is_limited[usage.subscription] & (version >= 0)
    before = np.zeros(n, np.int64)
    period = _periods(usage, rules, versions, version)
    _count(usage.subscription, period, rated, (version >= 0) & ~limited, versions, version, before)
    for place, rule in enumerate(versions):
        rows = np.flatnonzero((version == place) & ~limited)
        amount[rows] = _amounts(rule, rated[rows], before[rows], band[rows])
    poor = _spend(usage, rules, versions, version, rated, band, period, amount, np.flatnonzero(limited))
    refused = pl.select(
        pl.when(pl.lit(pl.Series(charge < 0)))
        .then(pl.lit("NO_MATCHING_CHARGE"))
        .when(pl.lit(pl.Series(version < 0)))
        .then(pl.lit("NO_PRICE_VERSION"))
        .when(pl.lit(pl.Series(poor)))
        .then(pl.lit("INSUFFICIENT_BALANCE"))
        .otherwise(None)
    ).to_series()
    rated[poor] = 0
    return Priced(charges, charge, rated, amount, refused)


def _match(usage: Usage, rules: Rules) -> tuple[list[Charge], Int64Array]:
    charges = list({charge.code: charge for listed in rules.offers.values() for charge in listed}.values())
    place = {charge.code: index for index, charge in enumerate(charges)}
    names = list(rules.offers)
    offer = np.array([names.index(name) for name in rules.subscription_offer], np.int64)[usage.subscription]
    found = np.full(len(offer), -1, np.int64)
    matches = {charge.code: _matches(usage, charge) for charge in charges}
    for index, name in enumerate(names):
        mine = offer == index
        for charge in rules.offers[name]:
            found[mine & (found < 0) & matches[charge.code]] = place[charge.code]
    return charges, found


def _matches(usage: Usage, charge: Charge) -> BoolArray:
    matched = (usage.event_type == charge.event_type).fill_null(value=False).to_numpy()
    for name, value in charge.filters.items():
        if name not in usage.attributes:
            return np.zeros(len(usage.event_at), np.bool_)
        matched = matched & (usage.attributes[name] == value).fill_null(value=False).to_numpy()
    return np.asarray(matched, np.bool_)


def _versions(usage: Usage, charges: list[Charge], charge: Int64Array) -> tuple[list[Version], Int64Array]:
    versions: list[Version] = []
    version = np.full(len(charge), -1, np.int64)
    for place, rule in enumerate(charges):
        mine = charge == place
        for candidate in rule.versions:
            inside = mine & (usage.event_at >= candidate.start) & (usage.event_at < candidate.end)
            version[inside] = len(versions)
            versions.append(candidate)
    return versions, version


def _round_up(quantity: Int64Array, rule: Version) -> Int64Array:
    above = np.maximum(quantity - rule.first, 0)
    rounded: Int64Array = np.where(quantity == 0, 0, rule.first + -(-above // rule.step) * rule.step)
    return rounded


def _local(event_at: Int64Array, zone: str) -> pl.Series:
    return pl.Series(event_at).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)


def _bands(event_at: Int64Array, rules: Rules, code: str) -> Int64Array:
    calendar = rules.calendars[code]
    local = _local(event_at, calendar.zone)
    quarter = (local.dt.weekday().cast(pl.Int64) - 1) * 96 + local.dt.hour().cast(pl.Int64) * 4
    quarter += local.dt.minute().cast(pl.Int64) // 15
    band: Int64Array = np.array(calendar.band, np.int64)[quarter.to_numpy()]
    return band


def _periods(usage: Usage, rules: Rules, versions: list[Version], version: Int64Array) -> Int64Array:
    """Return (n,) a number for the counter and the period of each EDR, -1 without counter."""
    period = np.full(len(version), -1, np.int64)
    codes = list(rules.counters)
    for place, rule in enumerate(versions):
        if rule.counter is None:
            continue
        rows = np.flatnonzero(version == place)
        kind, zone = rules.counters[rule.counter]
        number = np.zeros(len(rows), np.int64)
        if kind != "ever":
            number = _period_numbers(usage.event_at[rows], kind, zone)
        period[rows] = codes.index(rule.counter) * 10**8 + number
    return period


def _period_numbers(event_at: Int64Array, kind: str, zone: str) -> Int64Array:
    local = _local(event_at, zone)
    number = local.dt.year().cast(pl.Int64)
    if kind in {"month", "day"}:
        number = number * 100 + local.dt.month().cast(pl.Int64)
    if kind == "day":
        number = number * 100 + local.dt.day().cast(pl.Int64)
    return number.to_numpy()


def _count(
    subscription: Int64Array,
    period: Int64Array,
    rated: Int64Array,
    counted: BoolArray,
    versions: list[Version],
    version: Int64Array,
    before: Int64Array,
) -> None:
    """Write into `before` what each counted EDR's subscription had consumed in its period, in the order of the log."""
    has_counter = np.array([rule.counter is not None for rule in versions] + [False])
    rows = np.flatnonzero(counted & has_counter[version])
    order = rows[np.lexsort((rows, period[rows], subscription[rows]))]
    if not len(order):
        return
    total = np.cumsum(rated[order])
    assert int(total[-1]) < _EXACT_MAX
    starts = np.ones(len(order), np.bool_)
    starts[1:] = (np.diff(subscription[order]) != 0) | (np.diff(period[order]) != 0)
    base = (total - rated[order])[starts]
    before[order] = total - rated[order] - base[np.cumsum(starts) - 1]


def _amounts(rule: Version, quantity: Int64Array, before: Int64Array, band: Int64Array) -> Int64Array:
    """Return (n,) billionths: the difference of the cumulative price, rounded once."""
    if not len(quantity):
        return np.zeros(0, np.int64)
    reach = int((before + quantity).max()) if rule.counter else int(quantity.max())
    dearest = max(price for tier in rule.prices for price in tier)
    exact = np.int64 if 2 * (reach * dearest + rule.fee + rule.divisor) < _EXACT_MAX else object
    start = (before if rule.counter else np.zeros_like(before)).astype(exact)
    end = start + quantity.astype(exact)
    prices = np.array(rule.prices, dtype=exact)
    total = np.where(quantity > 0, rule.fee, 0).astype(exact)
    lower = 0
    for tier, by_band in enumerate(prices):
        upper = rule.uppers[tier] if tier < len(rule.uppers) else max(reach, lower)
        part = np.clip(end, lower, upper) - np.clip(start, lower, upper)
        total = total + part * by_band[band]
        lower = upper
    amount: Int64Array = (_rounded(total, rule) * rule.grain).astype(np.int64)
    return amount


def _cost(rule: Version, quantity: int, before: int, band: int) -> int:
    """Return what `_amounts` returns, for one EDR."""
    total, lower = rule.fee if quantity else 0, 0
    start = before if rule.counter else 0
    for tier, by_band in enumerate(rule.prices):
        upper = rule.uppers[tier] if tier < len(rule.uppers) else start + quantity
        total += max(0, min(start + quantity, upper) - max(start, lower)) * by_band[band]
        lower = upper
    return int(_rounded(np.array(total, dtype=object), rule)) * rule.grain


def _rounded(total: Any, rule: Version) -> Any:
    """Return total / divisor, rounded; (n,) int64, or object where 64 bits do not suffice."""
    whole = total // rule.divisor
    rest = total - whole * rule.divisor
    match rule.mode:
        case "half_up":
            return whole + (2 * rest >= rule.divisor)
        case "half_even":
            return whole + ((2 * rest > rule.divisor) | ((2 * rest == rule.divisor) & (whole % 2 == 1)))
        case "up":
            return whole + (rest > 0)
        case _:
            return whole


def _spend(
    usage: Usage,
    rules: Rules,
    versions: list[Version],
    version: Int64Array,
    rated: Int64Array,
    band: Int64Array,
    period: Int64Array,
    amount: Int64Array,
    rows: Int64Array,
) -> BoolArray:
    """Price `rows` one by one against balances that end, writing `amount`; return (n,) which could not be paid."""
    poor = np.zeros(len(amount), np.bool_)
    balance = dict(rules.prepaid)
    used: Counter[tuple[int, int]] = Counter()
    for row in rows.tolist():
        subscription = int(usage.subscription[row])
        account = rules.subscription_account[subscription]
        key = (subscription, int(period[row]))
        rule = versions[version[row]]
        cost = _cost(rule, int(rated[row]), used[key], int(band[row]))
        if cost > balance[account]:
            poor[row] = True
            continue
        balance[account] -= cost
        amount[row] = cost
        if rule.counter is not None:
            used[key] += int(rated[row])
    return poor
