"""The twin of the kernels: prices from the catalog's own documents in exact fractions, slowly and obviously.

It shares no code with `rating.kernels` and reads no compiled table. Tests compare both to the last unit, and
`octroi explain` answers from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

from rating.contracts import NegotiatedVersion, negotiate
from rating.exchange import named_conversions, with_conversion
from rating.explanation import (
    BandUse,
    ConvertedFrom,
    CounterUse,
    Explanation,
    Stretch,
    TierPart,
    fraction_text,
    taken_back,
)
from rating.image_charges import version_name
from rating.reference_clock import STEP_US, band_at, stays, to_datetime
from rating.reference_exchange import converted
from rating.reference_formula import formula_amount, usage_of
from rating.reference_plugins import plugin_amount
from rating.reference_shapes import (
    fixed_amounts,
    in_increments,
    in_tier_increments,
    may_be_taken_back,
    round_fraction,
    steps,
    tier_parts,
    tier_reached,
    tiers_of,
    unit_price_of,
)
from rating.reference_tables import Said, UnableToPrice, with_row
from schemas.catalog import Catalog
from schemas.money import AMOUNT_DECIMALS, RoundingMode
from schemas.price_plan import Calendar, Charge, Counter, EventType, PriceVersion
from schemas.quantity import Unit, converted_units
from schemas.rejection import Reason

__all__ = [
    "UnableToExplain",
    "UnableToPrice",
    "find_charge_version",
    "period_at",
    "period_local",
    "price",
    "round_fraction",
    "to_datetime",
]

PeriodKind = Literal["day", "month", "year", "ever"]
LENGTH_MAX = 35 * 86_400_000
"""Base steps of the longest usage that is split over time bands."""


class UnableToExplain(LookupError):
    """The catalog does not contain what an item was priced with."""


@dataclass(frozen=True)
class Laid:
    """What a usage counts in one time band: base steps before and after increments, and when it starts there."""

    band: int | None
    quantity: int
    rated: int
    first: int


def price(
    catalog: Catalog,
    charge: Charge,
    version: PriceVersion,
    *,
    quantity: int,
    event_at: int,
    counter_before: int = 0,
    zone: str | None = None,
    said: Mapping[str, Said] | None = None,
) -> Explanation:
    """Price one EDR and tell how.

    Args:
        catalog: where the documents that the version refers to are.
        charge: whose plan prices it.
        version: the plan's version to use, in force or not.
        quantity: base steps; below 0 it is usage taken back, which gives back what the same usage cost as the counter's last.
        event_at: microseconds UTC, start of the usage.
        counter_before: base steps, the counter's value before; ignored without counter.
        zone: the subscription's time zone, for calendars that ask for it.
        said: its attributes and values by name, for price tables.

    Raises:
        UnableToPrice: when it has no price, or is too long to be split.
    """
    found = with_row(catalog, version, said or {}, event_at)
    version = found.version
    if quantity < 0:
        if not may_be_taken_back(version, catalog):
            raise UnableToPrice(Reason.NEGATIVE_UNPRICED, f"{quantity} steps of {charge.event_type}")
        told = {"event_at": event_at, "counter_before": counter_before + quantity, "zone": zone, "said": said}
        return taken_back(price(catalog, charge, version, quantity=-quantity, **told))  # type: ignore[arg-type]
    measured = _measured(version, catalog.event_types[charge.event_type], said or {}, quantity, event_at)
    unit = catalog.units[catalog.event_types[charge.event_type].unit]
    plan = catalog.price_plans[charge.price_plan]
    instant = to_datetime(event_at)
    calendar = catalog.calendars[version.calendar] if version.calendar is not None else None
    band = _band_use(calendar, catalog, instant, zone) if calendar is not None else None
    counter = catalog.counters[version.counter] if version.counter is not None else None
    before = counter_before if counter is not None else 0
    peak = counter is not None and counter.function == "max"
    used = max(0, quantity - before) if peak else quantity
    laid = _laid(version, calendar, catalog, quantity=used, event_at=event_at, zone=zone)
    rated = sum(each.rated for each in laid)
    parts = _parts(version, laid, before, calendar, band, catalog)
    single = _price_of(version.price, band.name if band is not None else None)
    fixed = fixed_amounts(version, rated=rated, before=before, price=single, measured=measured, catalog=catalog)
    fee = version.connection_fee if version.connection_fee is not None and rated > 0 else Decimal(0)
    amounts = [Fraction(part.quantity) * Fraction(part.unit_price) / steps(part.per, catalog) for part in parts]
    exact = sum(amounts, Fraction(fee)) + sum((Fraction(each.amount) for each in fixed), Fraction(0))
    formula = None
    if version.model == "formula" and (rated > 0 or version.zero_usage == "charged"):
        name = band.name if band is not None else None
        usage = usage_of(
            version, catalog.event_types[charge.event_type], said or {}, name, unit, rated, before, event_at
        )
        computed, formula = formula_amount(version, usage)
        exact += computed
    limited, limit = _limited(exact, version) if rated > 0 else (exact, None)
    rounding = version.rounding
    amount = round_fraction(limited, rounding.decimals, rounding.mode) * 10 ** (AMOUNT_DECIMALS - rounding.decimals)
    conversion = version.conversion if isinstance(version, NegotiatedVersion) else None
    return Explanation(
        charge=charge.code,
        price_plan=plan.code,
        version_start=version.start,
        version_end=version.end,
        model=version.model,
        currency=conversion.currency if conversion is not None else plan.currency,
        event_type=charge.event_type,
        contract=_contract_text(version),
        unit=unit.code,
        unit_steps=unit.step_count,
        event_at=instant,
        quantity=quantity,
        rated_quantity=rated,
        increments=_increments_text(version),
        band=band,
        counter=_counter_use(counter, instant, before, rated) if counter is not None else None,
        parts=tuple(
            part.model_copy(update={"amount": fraction_text(amount)})
            for part, amount in zip(parts, amounts, strict=True)
        ),
        connection_fee=fee,
        exact=fraction_text(exact),
        rounding_mode=rounding.mode,
        rounding_decimals=rounding.decimals,
        amount=amount if conversion is None else converted(amount, conversion),
        converted=ConvertedFrom.of(conversion, amount) if conversion is not None else None,
        minimum_quantity=version.minimum_quantity if quantity else None,
        crossing=version.crossing,
        stretches=_stretches(version, laid, calendar, event_at=event_at, zone=zone),
        fixed=fixed,
        tier=_last_tier(version, parts, before + rated, before, catalog),
        limit=limit,
        row=found.words,
        condition=charge.condition,
        formula=formula,
        worth=_worth(version, counter, unit, catalog),
    )


def _worth(version: PriceVersion, counter: Counter | None, unit: Unit, catalog: Catalog) -> tuple[str, ...]:
    """Return what the units are that a price is written in, where they are so many of others."""
    if all(each.of is None for each in catalog.units.values()):
        return ()
    said = [version.model_dump(mode="json"), counter.ceiling if counter is not None else None, f"1 {unit.code}"]
    waiting, told = converted_units(said, catalog.units), []
    for each in waiting:
        told.append(f"1 {each.code} is {each.factor} {each.of}")
        base = catalog.units[str(each.of)]
        if base.of is not None and base not in waiting:
            waiting.append(base)
    return tuple(told)


def _measured(
    version: PriceVersion, event_type: EventType, said: Mapping[str, Said], quantity: int, event_at: int
) -> Decimal:
    """Return the number that a version prices, 0 where it prices none."""
    if version.plugin is not None:
        return plugin_amount(version.plugin, event_type, said, quantity, event_at)
    if version.model != "value" or version.value is None:
        return Decimal(0)
    number = said.get(version.value)
    if not isinstance(number, Decimal) or number < 0:
        raise UnableToPrice(Reason.VALUE_UNUSABLE, f"{version.value} is {'absent' if number is None else number}")
    return number


def _laid(
    version: PriceVersion,
    calendar: Calendar | None,
    catalog: Catalog,
    *,
    quantity: int,
    event_at: int,
    zone: str | None,
) -> list[Laid]:
    """Return what the usage counts, in one piece, or band by band where the version splits it."""
    tiers = tiers_of(version)
    stepped = any(tier.increment is not None for tier in tiers)
    least = steps(version.minimum_quantity, catalog) if version.minimum_quantity is not None else 0
    used = max(quantity, least) if quantity else 0

    def counted(length: int) -> int:
        return (
            in_tier_increments(length, tiers, catalog)
            if stepped
            else in_increments(length, version.increments, catalog)
        )

    if version.crossing == "start" or calendar is None:
        return [Laid(None, used, counted(used), 0)]
    length = used if version.crossing == "split_then_round" else counted(used)
    if length > LENGTH_MAX:
        message = "usage that is split over time bands lasts longer than 35 days"
        raise UnableToPrice(Reason.USAGE_TOO_LONG, message)
    if length == 0:
        return []
    laid = []
    for stay in stays(calendar, catalog.date_lists, zone_of(calendar, zone), event_at=event_at, length=length):
        if version.crossing == "split_then_round":
            rated = counted(stay.end - stay.first)
        elif version.crossing == "per_second":
            rated = stay.end - stay.first
        else:
            rated = _begun(stay.end, version, catalog, length) - _begun(stay.first, version, catalog, length)
        laid.append(Laid(stay.band, stay.end - stay.first, rated, stay.first))
    return laid


def _begun(position: int, version: PriceVersion, catalog: Catalog, length: int) -> int:
    """Return where the last of the increments ends that start before a position of the usage."""
    tiers = tiers_of(version)
    if any(tier.increment is not None for tier in tiers):
        return min(length, in_tier_increments(position, tiers, catalog))
    up = version.increments.model_copy(update={"mode": RoundingMode.UP}) if version.increments is not None else None
    return min(length, in_increments(position, up, catalog))


def _parts(
    version: PriceVersion,
    laid: list[Laid],
    before: int,
    calendar: Calendar | None,
    band: BandUse | None,
    catalog: Catalog,
) -> list[TierPart]:
    """Return the parts whose quantity has a price, band by band and tier by tier; their amounts are not told yet."""
    if version.model not in ("flat", "graduated", "volume") or version.per is None:
        return []
    tiers = tiers_of(version)
    reached = tier_reached(before + sum(each.rated for each in laid), version, catalog)
    found = []
    position = before
    for each in laid:
        split = calendar.bands[each.band].name if calendar is not None and each.band is not None else None
        cut = [(reached, each.rated)] if version.model == "volume" else tier_parts(each.rated, position, tiers, catalog)
        for tier, quantity in cut:
            if quantity <= 0:
                continue
            written = _price_of(tiers[tier].price, split or (band.name if band is not None else None))
            price_, per = unit_price_of(version, tiers[tier], written, catalog)
            found.append(
                TierPart(
                    tier=tier,
                    up_to=tiers[tier].up_to,
                    quantity=quantity,
                    unit_price=price_,
                    per=per,
                    amount="",
                    band=split,
                    rounded_from=f"{written:f} per {version.per}" if per != version.per or price_ != written else None,
                )
            )
        position += each.rated
    return found


def _price_of(price: Decimal | dict[str, Decimal] | None, band: str | None) -> Decimal:
    if isinstance(price, dict):
        assert band is not None
        return price[band]
    return price if price is not None else Decimal(0)


def _limited(exact: Fraction, version: PriceVersion) -> tuple[Fraction, str | None]:
    """Return a sum within floor and cap, and which of them made it so."""
    if version.cap is not None and exact > version.cap:
        return Fraction(version.cap), f"the cap of {version.cap:f} applies"
    if version.floor is not None and exact < version.floor:
        return Fraction(version.floor), f"the floor of {version.floor:f} applies"
    return exact, None


def _last_tier(version: PriceVersion, parts: list[TierPart], after: int, before: int, catalog: Catalog) -> int:
    """Return the last tier that priced a part, or that a usage without a price for its quantity reaches."""
    if parts:
        return parts[-1].tier
    stepped = version.model == "stair_step" and after > before
    return tier_reached(after if stepped else before, version, catalog)


def _increments_text(version: PriceVersion) -> str | None:
    if any(tier.increment is not None for tier in version.tiers or ()):
        return ", ".join(f"{tier.increment} in tier {n}" for n, tier in enumerate(version.tiers or (), 1))
    if version.increments is None:
        return None
    rounded = "" if version.increments.mode is RoundingMode.UP else f" (rounded {_spoken(version.increments.mode)})"
    return f"{version.increments.first}, then {version.increments.next}{rounded}"


def _contract_text(version: PriceVersion) -> str | None:
    if not isinstance(version, NegotiatedVersion) or version.contract is None:
        return None
    return f"{version.contract}: {version.terms}"


def _spoken(mode: RoundingMode) -> str:
    return mode.value.replace("_", " ")


def _stretches(
    version: PriceVersion, laid: list[Laid], calendar: Calendar | None, *, event_at: int, zone: str | None
) -> tuple[Stretch, ...]:
    if version.crossing == "start" or calendar is None:
        return ()
    clock = ZoneInfo(zone_of(calendar, zone))
    return tuple(
        Stretch(
            band=calendar.bands[each.band or 0].name,
            local_time=to_datetime(event_at + each.first * STEP_US).astimezone(clock),
            quantity=each.quantity,
            rated_quantity=each.rated,
        )
        for each in laid
    )


def find_charge_version(catalog: Catalog, name: str, contract: str | None = None) -> tuple[Charge, PriceVersion]:
    """Return the charge and the price version that a name of `Vocabulary.charge_versions` stands for.

    `contract` is whose terms it has, if that is known: there may be many.

    Raises:
        UnableToExplain: when the catalog has no such charge, or its price has changed since.
    """
    charge = catalog.charges.get(name.partition("/")[0])
    if charge is not None:
        for plan, version in _versions_of(charge, catalog, contract):
            conversions = named_conversions(catalog, name)
            for found in (version, *(with_conversion(version, plan, each) for each in conversions)):
                if version_name(charge, found, catalog) == name:
                    return charge.model_copy(update={"price_plan": plan}), found
    raise UnableToExplain(f"this catalog does not contain {name}")


def _versions_of(charge: Charge, catalog: Catalog, only: str | None) -> Iterator[tuple[str, PriceVersion]]:
    """Yield the versions that may price a charge, each with its plan: those of its own plan, then those of contracts."""
    for version in catalog.price_plans[charge.price_plan].versions:
        yield charge.price_plan, version
    contracts = catalog.contracts
    for contract in contracts.values() if only is None else [contracts[only]]:
        for item in contract.items:
            plan = item.price_plan or charge.price_plan
            for version in catalog.price_plans[plan].versions:
                yield plan, negotiate(version, plan, contract, item)


def period_at(kind: PeriodKind, local: datetime) -> int:
    """Return the number of the period in which a local time lies, since 1970 (0 for `ever`)."""
    if kind == "day":
        return local.date().toordinal() - datetime(1970, 1, 1).date().toordinal()  # noqa: DTZ001
    if kind == "month":
        return (local.year - 1970) * 12 + local.month - 1
    return local.year - 1970 if kind == "year" else 0


def period_local(counter: Counter, at: datetime) -> datetime:
    """Return a local time that lies in the calendar's period of the number that an instant has for a counter.

    Of months that begin on the 15th, it is 14 days earlier.
    """
    return at.astimezone(ZoneInfo(counter.zone)) - timedelta(days=counter.first_day - 1)


def zone_of(calendar: Calendar, zone: str | None) -> str:
    """Return the zone in which a calendar is read for a subscription in `zone`."""
    return (zone or "UTC") if calendar.zone == "subscription" else calendar.zone


def _band_use(calendar: Calendar, catalog: Catalog, instant: datetime, zone: str | None) -> BandUse:
    where = zone_of(calendar, zone)
    local = instant.astimezone(ZoneInfo(where))
    index = band_at(calendar, catalog.date_lists, local)
    return BandUse(calendar=calendar.code, index=index, name=calendar.bands[index].name, zone=where, local_time=local)


def _counter_use(counter: Counter, instant: datetime, before: int, rated: int) -> CounterUse:
    local = period_local(counter, instant)
    form = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}.get(counter.period)
    period = f"{counter.period} {local.strftime(form)} in {counter.zone}" if form is not None else "since ever"
    if counter.first_day != 1:
        period = f"month from {local:%Y-%m}-{counter.first_day:02d} in {counter.zone}"
    return CounterUse(
        counter=counter.code,
        period=period,
        before=before,
        after=before + rated,
        shared_by=counter.shared_by,
        function=counter.function,
        rolls=counter.roll_over is not None,
        ceiling=counter.ceiling,
    )
