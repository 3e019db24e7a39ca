"""How one amount came about, as data and in words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from pydantic import BaseModel, ConfigDict

from schemas.exchange import Conversion
from schemas.money import RoundingMode, from_scaled
from schemas.quantity import Unit, describe_quantity

_DIGITS = 18
CROSSINGS = {
    "split_then_round": "the usage is split where the time band changes, and each part rounded by itself",
    "each_increment": "each increment has the price of the time band in which it starts",
    "per_second": "each moment of the counted time has the price of its own time band",
}


class TierPart(BaseModel):
    """The part of a rated quantity that one tier priced.

    Attributes:
        tier: index from 0. up_to: exclusive upper bound as the plan writes it, None when open.
        quantity: base steps. unit_price: price of `per`. amount: quantity * unit_price / per, as decimal text; "…" marks
            digits cut off in writing (nothing is cut in the computation).
        band: the time band whose price it is, where usage is split over bands.
        rounded_from: the price as the plan writes it, "0.125 per 1 min", where it was rounded for `per`.
    """

    model_config = ConfigDict(frozen=True)

    tier: int
    up_to: str | None
    quantity: int
    unit_price: Decimal
    per: str
    amount: str
    band: str | None = None
    rounded_from: str | None = None


class FixedAmount(BaseModel):
    """An amount that is no price of a quantity, and its reason; negative where it was paid before."""

    model_config = ConfigDict(frozen=True)

    reason: str
    amount: Decimal


class Stretch(BaseModel):
    """A part of a usage that lies in one time band: when it starts, and base steps before and after increments."""

    model_config = ConfigDict(frozen=True)

    band: str
    local_time: datetime
    quantity: int
    rated_quantity: int


class CounterUse(BaseModel):
    """What an item did to a counter: its period in words, whose it is, base steps before and after; `function` of usage.

    `rolls`: whether it rolls over. `ceiling`: what it counts at most, as the catalog writes it.
    """

    model_config = ConfigDict(frozen=True)

    counter: str
    period: str
    before: int
    after: int
    shared_by: str = "subscription"
    function: str = "sum"
    rolls: bool = False
    ceiling: str | None = None

    @property
    def name(self) -> str:
        """What people read: the counter, whose it is unless the subscription's own, and its period."""
        whose = f" of the {self.shared_by.replace('_', ' ')}" if self.shared_by != "subscription" else ""
        return f"counter {self.counter}{whose} ({self.period})"


class BandUse(BaseModel):
    """The time band of an item: its index and name, and the local time that decided."""

    model_config = ConfigDict(frozen=True)

    calendar: str
    index: int
    name: str
    zone: str
    local_time: datetime


class ConvertedFrom(BaseModel):
    """What an item costs in the currency of its price, in billionths, and how that became another one."""

    model_config = ConfigDict(frozen=True)

    amount: int
    currency: str
    rate: str
    rates: str
    rounding_mode: RoundingMode
    rounding_decimals: int

    @classmethod
    def of(cls, conversion: Conversion, amount: int) -> ConvertedFrom:
        """Return what is told of a conversion of an amount, billionths."""
        rounding = conversion.rounding
        return cls(
            amount=amount,
            currency=conversion.base,
            rate=conversion.text,
            rates=conversion.rates,
            rounding_mode=rounding.mode,
            rounding_decimals=rounding.decimals,
        )


class Explanation(BaseModel):
    """Which rule made an amount: everything that went into it, step by step.

    Attributes:
        charge, price_plan, version_start, version_end, model, currency, event_type: the rule.
        unit, unit_steps: the unit of the event type, and how many base steps it is worth.
        event_at: start of the usage. quantity, rated_quantity: base steps before and after increments.
        increments: "60 s, then 30 s", None when usage is not rounded. minimum_quantity: what usage counts at least.
        band, counter: None without calendar or counter. crossing: how usage is split over bands; stretches: its parts.
        parts: band by band, tier by tier; empty for a quantity of zero, and where the price is not for quantities.
        fixed: other amounts. tier: index of the last tier that priced something, or in which the counter stands.
        connection_fee: what was added once.
        limit: "the floor of 0.10 applies", None where neither floor nor cap does.
        exact: the sum before limits and rounding, as decimal text.
        row: which row of a price table it found, None where the version has its own price.
        condition: of the charge. formula: what the version computes, of what, and the result.
        contract: which contract made the price, and how; None where none did.
        rounding_mode, rounding_decimals: how it was rounded, once.
        amount: billionths of the currency unit; may exceed what a rated item can hold.
        converted: where the price is in another currency: what it was there.
        worth: what units are that a catalog says are so many of others: "1 therm is 29.3001 kWh".
    """

    model_config = ConfigDict(frozen=True)

    charge: str
    price_plan: str
    version_start: datetime
    version_end: datetime | None
    model: str
    currency: str
    event_type: str
    unit: str
    unit_steps: int
    event_at: datetime
    quantity: int
    rated_quantity: int
    increments: str | None
    band: BandUse | None
    counter: CounterUse | None
    parts: tuple[TierPart, ...]
    connection_fee: Decimal
    exact: str
    rounding_mode: RoundingMode
    rounding_decimals: int
    amount: int
    minimum_quantity: str | None = None
    crossing: str = "start"
    stretches: tuple[Stretch, ...] = ()
    fixed: tuple[FixedAmount, ...] = ()
    tier: int = 0
    limit: str | None = None
    row: str | None = None
    condition: str | None = None
    formula: str | None = None
    contract: str | None = None
    converted: ConvertedFrom | None = None
    worth: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the explanation in words, one step per line."""
        until = f" until {_instant(self.version_end)}" if self.version_end is not None else ""
        told = [
            f"{_amount(self)} {self.currency} for {self.units(self.quantity)} of {self.event_type}",
            f"charge {self.charge}, price plan {self.price_plan} ({self.model}), "
            f"version in force since {_instant(self.version_start)}{until}",
            f"the usage started at {_instant(self.event_at)}",
        ]
        if self.quantity < 0:
            told.insert(1, "usage taken back: what it would cost now as the last of its kind is given back")
        if self.condition is not None:
            told.insert(-1, f"condition of the charge: {self.condition}")
        if self.contract is not None:
            told.insert(2, f"contract {self.contract}")
        if self.band is not None:
            told.append(
                f"time band {self.band.name} of calendar {self.band.calendar}: it was "
                f"{self.band.local_time:%a %Y-%m-%d %H:%M:%S} in {self.band.zone}"
            )
        told.extend(self.worth)
        if self.row is not None:
            told.append(f"price table {self.row}")
        if self.minimum_quantity is not None:
            told.append(f"usage counts as {self.minimum_quantity} at least")
        if self.increments is not None:
            told.append(
                f"increments of {self.increments}: {self.units(self.quantity)} count as "
                f"{self.units(self.rated_quantity)}"
            )
        if self.stretches:
            told.append(CROSSINGS[self.crossing])
            told.extend(self._stretch_line(stretch) for stretch in self.stretches)
        if self.counter is not None:
            ceiling = f", {self.counter.ceiling} at most" if self.counter.ceiling is not None else ""
            told.append(
                f"{self.counter.name}: {self.standing(self.counter.before)} before, "
                f"{self.standing(self.counter.after)} after{ceiling}"
            )
            if self.counter.function == "max":
                raised = self.units(self.rated_quantity)
                told.append(f"it holds the largest usage: {self.units(self.quantity)} raise it by {raised}")
        told.extend(self._part_line(part) for part in self.parts)
        if self.formula is not None:
            told.append(self.formula)
        told.extend(f"{each.reason}: {_plain(each.amount)}" for each in self.fixed)
        if self.connection_fee and self.rated_quantity:
            told.append(f"connection fee: {_plain(self.connection_fee)}")
        limit = f"{self.limit}, " if self.limit is not None else ""
        told.append(
            f"sum {self.exact}, {limit}rounded {_spoken(self.rounding_mode)} to {self.rounding_decimals} "
            f"decimals: {self._priced()}"
        )
        return told + self.conversion_lines()

    def conversion_lines(self) -> list[str]:
        """Return how an amount became another currency's, nothing where it did not."""
        by = self.converted
        if by is None:
            return []
        return [
            f"{self._priced()} at {by.rate} {self.currency} for 1 {by.currency} ({by.rates}), rounded "
            f"{_spoken(by.rounding_mode)} to {by.rounding_decimals} decimals: {_amount(self)} {self.currency}"
        ]

    def _priced(self) -> str:
        """Return what it costs in the currency of its price."""
        if self.converted is None:
            return f"{_amount(self)} {self.currency}"
        return f"{from_scaled(self.converted.amount, 9):.{self.rounding_decimals}f} {self.converted.currency}"

    def _part_line(self, part: TierPart) -> str:
        flat = "free" if part.up_to is not None else "price"
        name = flat if self.model == "flat" else f"tier {part.tier + 1}"
        bound = f" (below {part.up_to})" if part.up_to is not None else ""
        band = f" in {part.band}" if part.band is not None else ""
        price = f"{_plain(part.unit_price)} per {part.per}"
        if part.rounded_from is not None:
            price += f" (rounded, of {part.rounded_from})"
        return f"{name}{bound}{band}: {self.units(part.quantity)} at {price} = {part.amount}"

    def _stretch_line(self, stretch: Stretch) -> str:
        counted = (
            f", counted as {self.units(stretch.rated_quantity)}" if stretch.rated_quantity != stretch.quantity else ""
        )
        return f"from {stretch.local_time:%a %Y-%m-%d %H:%M:%S} {stretch.band}: {self.units(stretch.quantity)}{counted}"

    def standing(self, steps: int) -> str:
        """Return where a counter stands: what it has counted beyond what was carried over, or what is left of that."""
        rolls = self.counter is not None and self.counter.rolls
        return f"{self.units(-steps)} carried over left" if steps < 0 and rolls else self.units(steps)

    def units(self, steps: int) -> str:
        """Return base steps in the unit of the usage."""
        return f"{plain_quantity(steps, Unit(self.unit, '', self.unit_steps))} {self.unit}"


def taken_back(priced: Explanation) -> Explanation:
    """Return the explanation of usage that is taken back, of that of the same usage on the counter as it is afterwards."""
    counter, whole = priced.counter, priced.converted
    turned = {"before": counter.after, "after": counter.before} if counter is not None else {}
    return priced.model_copy(
        update={
            "quantity": -priced.quantity,
            "rated_quantity": -priced.rated_quantity,
            "counter": counter.model_copy(update=turned) if counter is not None else None,
            "parts": tuple(
                part.model_copy(update={"quantity": -part.quantity, "amount": _minus(part.amount)})
                for part in priced.parts
            ),
            "exact": _minus(priced.exact),
            "amount": -priced.amount,
            "converted": whole.model_copy(update={"amount": -whole.amount}) if whole is not None else None,
        }
    )


def fraction_text(value: Fraction) -> str:
    """Return a non-negative fraction in decimal digits, cut off with "…" where it has more than 18 decimals."""
    scaled, rest = divmod(value.numerator * 10**_DIGITS, value.denominator)
    return _plain(from_scaled(scaled, _DIGITS)) + ("…" if rest else "")


def _minus(number: str) -> str:
    return number if number == "0" else f"-{number}"


def plain_quantity(steps: int, unit: Unit) -> str:
    """Return base steps in a unit, without zeros that say nothing."""
    return _plain(describe_quantity(steps, unit))


def _amount(explanation: Explanation) -> str:
    shown = from_scaled(explanation.amount, 9)
    rounded = (
        explanation.rounding_decimals if explanation.converted is None else explanation.converted.rounding_decimals
    )
    return f"{shown:.{rounded}f}"


def _spoken(mode: RoundingMode) -> str:
    return mode.value.replace("_", " ")


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
