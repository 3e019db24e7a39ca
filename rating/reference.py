"""The twin of the kernels: prices from the catalog's own documents in exact fractions, slowly and obviously.

It shares no code with `rating.kernels` and reads no compiled table. Tests compare both to the last unit, and
`octroi explain` answers from it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from rating.explanation import BandUse, CounterUse, Explanation, TierPart, fraction_text
from rating.image_charges import version_name
from schemas.catalog import Catalog
from schemas.money import AMOUNT_DECIMALS, RoundingMode
from schemas.price_plan import Band, Calendar, Charge, Counter, Increments, PriceVersion, Tier
from schemas.quantity import parse_quantity

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PeriodKind = Literal["day", "month", "year", "ever"]


class UnableToExplain(LookupError):
    """The catalog does not contain what an item was priced with."""


class Part(NamedTuple):
    """The part of a quantity that falls in a tier."""

    tier: int
    quantity: int


def price(
    catalog: Catalog,
    charge: Charge,
    version: PriceVersion,
    *,
    quantity: int,
    event_at: int,
    counter_before: int = 0,
) -> Explanation:
    """Price one EDR and tell how.

    Args:
        catalog: where the documents that the version refers to are.
        charge: whose plan prices it.
        version: the plan's version to use, in force or not.
        quantity: base steps, >= 0.
        event_at: microseconds UTC, start of the usage.
        counter_before: base steps, the counter's value before; ignored without counter.
    """
    unit = catalog.units[catalog.event_types[charge.event_type].unit]
    plan = catalog.price_plans[charge.price_plan]
    instant = to_datetime(event_at)
    rated = rated_quantity(quantity, version.increments, catalog)
    calendar = catalog.calendars[version.calendar] if version.calendar is not None else None
    band = _band_use(calendar, instant) if calendar is not None else None
    counter = catalog.counters[version.counter] if version.counter is not None else None
    before = counter_before if counter is not None else 0
    tiers = (
        version.tiers if version.model == "graduated" and version.tiers else (Tier(price=version.price or Decimal(0)),)
    )
    per = steps(version.per, catalog)
    parts = [part for part in tier_parts(rated, before, tiers, catalog) if part.quantity > 0]
    prices = [_price_in_band(tiers[part.tier], band) for part in parts]
    amounts = [Fraction(part.quantity) * Fraction(each) / per for part, each in zip(parts, prices, strict=True)]
    fee = version.connection_fee if version.connection_fee is not None and rated > 0 else Decimal(0)
    exact = sum(amounts, Fraction(fee))
    rounding = version.rounding
    return Explanation(
        charge=charge.code,
        price_plan=plan.code,
        version_start=version.start,
        version_end=version.end,
        model=version.model,
        currency=plan.currency,
        event_type=charge.event_type,
        unit=unit.code,
        unit_steps=unit.step_count,
        event_at=instant,
        quantity=quantity,
        rated_quantity=rated,
        increments=f"{version.increments.first}, then {version.increments.next}" if version.increments else None,
        band=band,
        counter=_counter_use(counter, instant, before, rated) if counter is not None else None,
        parts=tuple(
            TierPart(
                tier=part.tier,
                up_to=tiers[part.tier].up_to,
                quantity=part.quantity,
                unit_price=each,
                per=version.per,
                amount=fraction_text(amount),
            )
            for part, each, amount in zip(parts, prices, amounts, strict=True)
        ),
        connection_fee=fee,
        exact=fraction_text(exact),
        rounding_mode=rounding.mode,
        rounding_decimals=rounding.decimals,
        amount=round_fraction(exact, rounding.decimals, rounding.mode) * 10 ** (AMOUNT_DECIMALS - rounding.decimals),
    )


def find_charge_version(catalog: Catalog, name: str) -> tuple[Charge, PriceVersion]:
    """Return the charge and the price version that a name of `Vocabulary.charge_versions` stands for.

    Raises:
        UnableToExplain: when the catalog has no such charge, or its price has changed since.
    """
    charge = catalog.charges.get(name.partition("/")[0])
    if charge is not None:
        for version in catalog.price_plans[charge.price_plan].versions:
            if version_name(charge, version, catalog) == name:
                return charge, version
    raise UnableToExplain(f"this catalog does not contain {name}")


def steps(text: str, catalog: Catalog) -> int:
    """Return "NUMBER UNIT" in base steps."""
    return parse_quantity(text, catalog.units)[0]


def to_datetime(microseconds: int) -> datetime:
    """Return microseconds UTC as an aware datetime."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def rated_quantity(quantity: int, increments: Increments | None, catalog: Catalog) -> int:
    """Return a quantity rounded up to the first increment, then in steps of the next; zero stays zero."""
    if quantity == 0 or increments is None:
        return quantity
    first, step = steps(increments.first, catalog), steps(increments.next, catalog)
    rated = first
    if quantity > first:
        rated += -((first - quantity) // step) * step
    return rated


def tier_parts(quantity: int, before: int, tiers: tuple[Tier, ...], catalog: Catalog) -> list[Part]:
    """Return what of the consumption from `before` to `before + quantity` lies within each tier's bounds."""
    parts = []
    low = 0
    for index, tier in enumerate(tiers):
        high = steps(tier.up_to, catalog) if tier.up_to is not None else max(low, before + quantity)
        parts.append(Part(index, max(0, min(high, before + quantity) - max(low, before))))
        low = high
    return parts


def standing_tier(before: int, tiers: tuple[Tier, ...], catalog: Catalog) -> int:
    """Return the tier in which a counter stands."""
    passed = [tier for tier in tiers if tier.up_to is not None and steps(tier.up_to, catalog) <= before]
    return len(passed)


def band_at(calendar: Calendar, local: datetime) -> int:
    """Return the index of the first band that matches a local time."""
    minute = local.hour * 60 + local.minute
    for index, band in enumerate(calendar.bands):
        if _matches(band, local.weekday(), minute):
            return index
    raise AssertionError(f"calendar {calendar.code} has no band for the rest")


def period_at(kind: PeriodKind, local: datetime) -> int:
    """Return the number of the period in which a local time lies, since 1970 (0 for `ever`)."""
    if kind == "day":
        return local.date().toordinal() - datetime(1970, 1, 1).date().toordinal()  # noqa: DTZ001
    if kind == "month":
        return (local.year - 1970) * 12 + local.month - 1
    return local.year - 1970 if kind == "year" else 0


def round_fraction(value: Fraction, decimals: int, mode: RoundingMode) -> int:
    """Return a fraction in units of 10**-decimals, rounded; negative values mirror positive ones."""
    power: int = 10**decimals
    exact = abs(value) * power
    whole = exact.numerator // exact.denominator
    rest = exact - whole
    half = Fraction(1, 2)
    up = {
        RoundingMode.HALF_UP: rest >= half,
        RoundingMode.HALF_EVEN: rest > half or (rest == half and whole % 2 == 1),
        RoundingMode.UP: rest > 0,
        RoundingMode.DOWN: False,
    }[mode]
    magnitude = whole + 1 if up else whole
    return -magnitude if value < 0 else magnitude


def _matches(band: Band, weekday: int, minute: int) -> bool:
    days = [WEEKDAYS.index(day) for day in band.days or WEEKDAYS]
    start = _minutes(band.start) if band.start is not None else 0
    end = _minutes(band.end) if band.end is not None else 24 * 60
    if start < end:
        return weekday in days and start <= minute < end
    return (weekday in days and minute >= start) or ((weekday - 1) % 7 in days and minute < end)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _band_use(calendar: Calendar, instant: datetime) -> BandUse:
    local = instant.astimezone(ZoneInfo(calendar.zone))
    index = band_at(calendar, local)
    return BandUse(
        calendar=calendar.code, index=index, name=calendar.bands[index].name, zone=calendar.zone, local_time=local
    )


def _price_in_band(tier: Tier, band: BandUse | None) -> Decimal:
    if isinstance(tier.price, dict):
        assert band is not None
        return tier.price[band.name]
    return tier.price


def _counter_use(counter: Counter, instant: datetime, before: int, rated: int) -> CounterUse:
    local = instant.astimezone(ZoneInfo(counter.zone))
    form = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}.get(counter.period)
    period = f"{counter.period} {local.strftime(form)} in {counter.zone}" if form is not None else "since ever"
    return CounterUse(counter=counter.code, period=period, before=before, after=before + rated)
