"""Catalog documents: what a catalog publishes and rating consumes.

Every document is one YAML mapping with a `kind`. Money and prices are written as strings ("0.10"), quantities as
"NUMBER UNIT" ("60 s", "1 kWh"), instants as ISO 8601 with a zone; periods are half-open [start, end).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from schemas.document import Code as Code
from schemas.document import Document as Document
from schemas.document import Instant as Instant
from schemas.money import AMOUNT_DECIMALS, CURRENCY_DECIMALS, PRICE_DECIMALS_MAX, RoundingMode
from schemas.rounding import IncrementRounding as IncrementRounding
from schemas.rounding import PriceRounding as PriceRounding
from schemas.rounding import QuantityText as QuantityText
from schemas.rounding import Rounding as Rounding
from schemas.rounding import UnitPriceRounding as UnitPriceRounding
from schemas.trigger import TRIGGERS_MAX, Trigger
from schemas.unit_counts import UnitCounts
from schemas.values import LOOKUP_SLOTS, VALUE_DECIMALS_MAX, VALUE_SLOTS, ValueKind


def _decimal_text(value: Any) -> Any:
    """Refuse floats: 0.1 in YAML is binary, "0.1" is exact."""
    if isinstance(value, float):
        raise ValueError(f'write the number in quotes, "{value}": a bare decimal is binary floating point')
    return value


def _date_text(value: Any) -> Any:
    """Refuse numbers: 20260714 would be read as seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and "-" in value[1:]):
        return value
    raise ValueError('write a date, such as "2026-07-14"')


def _factor_text(value: Any) -> Any:
    """Read a whole number as text; refuse floats."""
    value = _decimal_text(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ExactDecimal = Annotated[Decimal, BeforeValidator(_decimal_text), Field(allow_inf_nan=False)]
Price = Annotated[
    Decimal, BeforeValidator(_decimal_text), Field(ge=0, allow_inf_nan=False, decimal_places=PRICE_DECIMALS_MAX)
]
Constant = Annotated[
    Decimal,
    BeforeValidator(_decimal_text),
    Field(ge=-(10**15), le=10**15, allow_inf_nan=False, decimal_places=PRICE_DECIMALS_MAX),
]
"""A number of a formula."""
ConstantName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
UnitCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_./-]{0,31}$")]
"""A unit of measure, or a currency."""
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1, two capital letters."""


Factor = Annotated[
    str,
    BeforeValidator(_factor_text, json_schema_input_type=str | int),
    StringConstraints(pattern=r"^\d{1,18}(\.\d{1,18})?(/\d{1,18}(\.\d{1,18})?)?$"),
]
"""An exact ratio: "29.3001", "1/3.6"."""


class UnitDocument(Document):
    """Another unit of measure: its own dimension, whose quantities are kept with `decimals` decimals, or `factor` times `of`.

    One step of a dimension of its own is 10**-decimals. A unit `of` another one has the steps of that one's dimension and
    converts into all of its units; it is worth a whole number of steps.
    """

    kind: Literal["unit"]
    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_./-]{0,31}$")]
    decimals: Annotated[int, Field(ge=0, le=15)] = 0
    of: UnitCode | None = None
    factor: Factor | None = None


class ValueType(Document):
    """What a value of an event type is; a number is kept with `decimals` decimals."""

    type: ValueKind
    decimals: Annotated[int, Field(ge=0, le=VALUE_DECIMALS_MAX)] = 0


def _value_type(written: Any) -> Any:
    """Read `digits` as `{type: digits}`."""
    return {"type": written} if isinstance(written, str) else written


class Lookup(Document):
    """A text that a lookup table gives for an attribute or a value, such as the zone of a number."""

    table: Code
    of: Code


class EventType(Document):
    """One kind of usage and the unit in which its quantity is measured.

    `attributes` names what charges may filter on (at most 4 per event type), `values` what prices may read besides: numbers,
    instants, dates and digits (at most 4). `lookups` are texts that lookup tables give for them (at most 4); price matrices,
    conditions and formulas read them as they read attributes.
    """

    kind: Literal["event_type"]
    code: Code
    unit: str
    attributes: Annotated[tuple[Code, ...], Field(max_length=4)] = ()
    values: Annotated[
        dict[Code, Annotated[ValueType, BeforeValidator(_value_type, json_schema_input_type=ValueKind | ValueType)]],
        Field(max_length=VALUE_SLOTS),
    ] = {}
    lookups: Annotated[dict[Code, Lookup], Field(max_length=LOOKUP_SLOTS)] = {}


ClockTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):(00|15|30|45)$|^24:00$")]
MonthDay = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
"""A day of every year, MM-DD: "12-25"; 02-29 is there in leap years only."""
CivilDate = Annotated[date, BeforeValidator(_date_text)]
"""A day, YYYY-MM-DD."""


class DateList(Document):
    """Days with a name in common, such as public holidays: single `dates`, days of every year, days by Easter Sunday.

    `easter` counts days from Easter Sunday of the Gregorian calendar: 1 is Easter Monday, -2 Good Friday, 39 Ascension.
    """

    kind: Literal["date_list"]
    code: Code
    dates: Annotated[tuple[CivilDate, ...], Field(max_length=5_000)] = ()
    yearly: Annotated[tuple[MonthDay, ...], Field(max_length=366)] = ()
    easter: Annotated[tuple[Annotated[int, Field(ge=-80, le=250)], ...], Field(max_length=366)] = ()


class Season(Document):
    """The days of every year from `first` to `last`, both included; may cross the new year."""

    first: MonthDay
    last: MonthDay


class Band(Document):
    """One time band: on `days`, in `seasons`, from `start` (inclusive) to `end` (exclusive) in local time.

    `days` are weekdays (mon .. sun) and day types of the calendar; a day that has a day type is no weekday. A band may
    cross midnight: what is after midnight belongs to the day and season of its start. A band without days, seasons and
    times is the rest; exactly one band of a calendar is the rest, and it comes last. The first band that matches wins.
    """

    name: Code
    days: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    seasons: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    start: ClockTime | None = None
    end: ClockTime | None = None


class Calendar(Document):
    """Time bands in the local time of `zone`, in quarters of an hour.

    `day_types` names the date lists whose days are no weekdays, such as `holiday: [france]`; the first that has a day
    gives its type. `seasons` names parts of the year; a day belongs to the first that has it, possibly to none. The zone
    `subscription` stands for that of the subscription.
    """

    kind: Literal["calendar"]
    code: Code
    zone: str
    day_types: dict[Code, tuple[Code, ...]] = {}
    seasons: dict[Code, tuple[Season, ...]] = {}
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=16)]


Level = Literal["user_account", "billing_account", "customer_account", "customer"]
"""What an account is in the hierarchy of its customer, upwards."""
LEVELS: tuple[Level, ...] = ("user_account", "billing_account", "customer_account", "customer")
Sharing = Literal["subscription", "group", "account", "user_account", "billing_account", "customer_account", "customer"]


class RollOver(Document):
    """What is not used of an allowance `of` a period is there for the next `periods`, at most `limit` of it.

    `order` says what usage draws on first: what is left of the oldest period, or its own allowance, then what is left of the
    newest.
    """

    of: QuantityText
    periods: Annotated[int, Field(ge=1, le=3)] = 1
    limit: QuantityText | None = None
    order: Literal["oldest_first", "newest_first"] = "oldest_first"


LevelText = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)? (%|[A-Za-z][A-Za-z0-9_./-]*)$")]
"""A level of a counter: "80 %", "5 GB", "50 EUR"."""
COUNTED_VALUES_MAX = 32
"""Values that an accumulator counts each for itself: each takes room for every holder."""
LEVELS_MAX = 16
ACCUMULATORS_MAX = 8
Accumulated = Annotated[tuple[Code, ...], Field(max_length=ACCUMULATORS_MAX)]


class Counter(Document):
    """Consumption accumulated over the calendar period of the *event* date in `zone`; its months begin on `first_day`.

    `shared_by` says whose it is: that of one subscription, or of all that are of one group, of one account, or below one
    account of a level.

    `function: max` keeps the largest usage of the period instead of the sum of all: a usage is priced for what it raises it by.
    `function: amount` counts what items cost, in the currency `unit`; it prices nothing.

    `notify` are levels at whose crossing somebody is told.

    An accumulator may count `by` an attribute or lookup of the usage: each of `values` for itself, and all other together.

    `ceiling` is what it counts at most in a period: charges that run on it price no more, and say by `when_used_up` what
    becomes of the rest.
    """

    kind: Literal["counter"]
    code: Code
    unit: str
    period: Literal["day", "month", "year", "ever"] = "month"
    first_day: Annotated[int, Field(ge=1, le=28)] = 1
    zone: str = "UTC"
    shared_by: Sharing = "subscription"
    function: Literal["sum", "max", "amount"] = "sum"
    roll_over: RollOver | None = None
    notify: Annotated[tuple[LevelText, ...], Field(max_length=LEVELS_MAX)] = ()
    by: Code | None = None
    values: Annotated[tuple[Code, ...], Field(max_length=COUNTED_VALUES_MAX)] = ()
    ceiling: QuantityText | None = None


class Increments(Document):
    """Usage is sold as one increment `first`, then increments `next`: 60/30, 30/1, 1/1.

    `mode` says what becomes of a begun increment: `up` counts it whole, `down` not at all, `half_up` and `half_even` when
    at least (more than) half of it is used.
    """

    first: QuantityText
    next: QuantityText
    mode: RoundingMode = RoundingMode.UP


class Tier(Document):
    """A step of a plan: applies up to `up_to`, a bound of cumulated quantity; the last tier has none.

    `price` is one price, or one price per band of the version's calendar. `amount` is fixed: for reaching the tier.
    `increment` rounds up the part of a usage that lies in the tier.
    """

    up_to: QuantityText | None = None
    price: Price | dict[Code, Price] | None = None
    amount: Price | None = None
    increment: QuantityText | None = None


PriceModel = Literal["flat", "graduated", "volume", "package", "stair_step", "event", "value", "formula", "plugin"]
Crossing = Literal["start", "split_then_round", "each_increment", "per_second"]


class PricePlugin(Document):
    """Python that computes amounts: the entry point `name` of the group `octroi.prices`, of a distribution's `version`."""

    name: Code
    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    options: Annotated[dict[str, str | int | bool], Field(max_length=64)] = {}


class PriceVersion(Document):
    """The pricing rule of a plan during [start, end), once it is published. A draft, and what is closed, price nothing.

    * flat: `price` for every `per` of rated quantity beyond `free`.
    * graduated: the part of the quantity that falls in each tier has that tier's price; a tier's `amount` is added to the
      usage that begins it.
    * volume: all of the quantity has the price of the tier that is reached with it.
    * package: `price` for every block of `per` beyond `free`; a begun block counts (`blocks: up`) or not (`down`).
    * stair_step: the `amount` of the tier that is reached; with a counter, what it is more than that paid before.
    * event: `price` for the usage, however much it is.
    * value: `price` for every 1 of the number in the value `value` of the usage, beyond `free_value`: 0.029 is 2.9 % of it.
    * formula: what `formula` computes of the quantity, the values of the usage and `constants`.
    * plugin: what the plug-in `plugin` computes of the usage.

    With a `counter`, tiers, free quantity and blocks run on what the subscription has consumed in the counter's period;
    without, on each usage alone.

    flat, package, event and value may have `prices` in the place of `price`: a price table in which each usage finds its row.

    The time band is the one in force at the event's start, unless `crossing` splits usage over bands. `connection_fee` is
    added once to each item with a quantity above zero; then it costs at least `floor` and at most `cap`. A quantity of
    zero costs nothing, unless `zero_usage: charged` asks for the fixed amount of its tier or event.
    """

    start: Instant
    end: Instant | None = None
    state: Literal["draft", "published", "closed"] = "published"
    model: PriceModel
    per: QuantityText | None = None
    price: Price | dict[Code, Price] | None = None
    value: Code | None = None
    free_value: Price | None = None
    formula: str | None = None
    constants: dict[ConstantName, Constant | dict[Code, Constant]] = {}
    plugin: PricePlugin | None = None
    free: QuantityText | None = None
    blocks: Literal["up", "down"] = "up"
    prices: Code | None = None
    tiers: tuple[Tier, ...] | None = None
    bounds: Literal["exclusive", "inclusive"] = "exclusive"
    counter: Code | None = None
    minimum_quantity: QuantityText | None = None
    increments: Increments | None = None
    connection_fee: Price | None = None
    floor: Price | None = None
    cap: Price | None = None
    zero_usage: Literal["free", "charged"] = "free"
    calendar: Code | None = None
    crossing: Crossing = "start"
    rounding: PriceRounding = PriceRounding()


class PricePlan(Document):
    """A price plan: dated versions that do not overlap; an event is priced by the one published for the time of its start.

    A `currency` that is a unit of measure prices usage in units, which wallets of that unit pay.
    """

    kind: Literal["price_plan"]
    code: Code
    currency: UnitCode
    versions: Annotated[tuple[PriceVersion, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _whole_units(cls, written: Any) -> Any:
        """Let units be rounded to all of their decimals, unless a version says otherwise."""
        if not isinstance(written, dict) or written.get("currency", "") in CURRENCY_DECIMALS:
            return written
        versions = written.get("versions")
        if not isinstance(versions, (list, tuple)):
            return written
        exact = {"decimals": AMOUNT_DECIMALS}
        rounded = [{"rounding": exact, **each} if isinstance(each, dict) else each for each in versions]
        return {**written, "versions": rounded}

    @property
    def in_units(self) -> bool:
        """Whether it prices in units rather than money."""
        return self.currency not in CURRENCY_DECIMALS


class Charge(Document):
    """What is priced: usage of one event type, where every attribute of `filters` has that value and the `condition` holds.

    The condition is CEL over the attributes and values of the usage, its `quantity` and the instant `at` which it starts.

    The offer's charge with the lowest `priority` number that matches is used; ties go to the offer's order. `tax_class` says
    how it is taxed (`schemas.tax`).

    What it prices grows the counters `accumulate`, which price nothing themselves.

    Where the counter of its plan has a ceiling, `when_used_up` says what becomes of usage beyond it: all of the usage stays
    unrated, or what does not fit goes to the `next` charge that matches. `then_next`, true or a condition, lets the next
    charge that matches price the same quantity once more, after this one priced all of it.

    Each usage that it prices makes the usage that its `triggers` say.
    """

    kind: Literal["charge"]
    code: Code
    event_type: Code
    filters: dict[Code, str] = {}
    condition: str | None = None
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    price_plan: Code
    tax_class: Code | None = None
    accumulate: Accumulated = ()
    when_used_up: Literal["refuse", "next"] = "refuse"
    then_next: bool | str = False
    triggers: Annotated[tuple[Trigger, ...], Field(max_length=TRIGGERS_MAX)] = ()


class Offer(Document):
    """What is sold: charges, its own and those of its products, in one currency; by the `seller`, where there are several.

    All that its charges price grows the counters `accumulate`. With `exchange_rates`, accounts of any currency may buy it, and
    its charges may be priced in several: amounts are converted into the currency of the account.
    """

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["charges"]}, {"required": ["products"]}]})

    kind: Literal["offer"]
    code: Code
    charges: Annotated[tuple[Code, ...], Field(min_length=1)] = ()
    products: Annotated[tuple[Code, ...], Field(min_length=1, max_length=64)] = ()
    seller: Code | None = None
    accumulate: Accumulated = ()
    exchange_rates: Code | None = None


class DiscountAssignment(Document):
    """A discount plan that an account or a subscription has during [start, end)."""

    plan: Code
    start: Instant | None = None
    end: Instant | None = None


class OpeningReading(Document):
    """The index of one register when the access point was taken over; consumption is measured from it."""

    series: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    at: Instant
    index: QuantityText


class AccessPoint(Document):
    """What usage names (a telephone number, a PRM, a device), for a subscription during [start, end).

    `shared` says that other subscriptions have it at the same time: each of them gets an EDR of every record.
    """

    id: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    start: Instant | None = None
    end: Instant | None = None
    shared: bool = False
    opening_readings: tuple[OpeningReading, ...] = ()


class Reseller(Document):
    """The `account` that sold a subscription during [start, end): it pays for its usage as well, by an `offer` of its own."""

    account: Code
    offer: Code
    start: Instant | None = None
    end: Instant | None = None


class Subscription(Document):
    """An offer for an account, in force during [start, end), with its access points; `zone` is for calendars that ask for it.

    `group` names the subscriptions, of whatever accounts, with which it shares counters of groups. `reseller` sold it.
    `units`: how many of something it has, by name, for fees that are due for each: a number, or several, each from a day on.
    """

    kind: Literal["subscription"]
    code: Code
    account: Code
    offer: Code
    start: Instant | None = None
    end: Instant | None = None
    zone: str | None = None
    group: Code | None = None
    reseller: Reseller | None = None
    units: Annotated[dict[Code, UnitCounts], Field(max_length=16)] = {}
    discounts: Annotated[tuple[DiscountAssignment, ...], Field(max_length=64)] = ()
    access_points: tuple[AccessPoint, ...] = ()


class SubscriptionTable(Document):
    """Many accounts with one subscription and one access point each, in a CSV file beside the catalog.

    The file has a header and the columns account, currency, subscription, offer, access_point, and optionally start, end
    (ISO 8601 with zone; empty = open), prepaid_balance (not empty: a prepaid wallet `prepaid` with that opening balance,
    drawn first), postpaid (true by default; false: no principal wallet), shared (false by default), zone and group (of the
    subscription), reseller and reseller_offer (an account that sold it, and what that one pays by), and parent,
    country, tax_category, tax_exemption and billing_cycle (of the account; tax_exemption says why it pays none).
    """

    kind: Literal["subscription_table"]
    file: str


def utc_microseconds(instant: datetime) -> int:
    """Return an aware instant in microseconds since 1970-01-01T00:00:00Z."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
