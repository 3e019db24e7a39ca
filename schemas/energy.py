"""What flows of distributors of electricity and gas say: readings, quantities, intervals, contract events, billed lines.

Decoders write them as columns of text, as every format does, so that a value that cannot be read refuses one record and not a
file; the models say what the texts mean. An instant is UTC, a period half-open, a text without a value is empty.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

Grid = Literal["supplier", "distributor"]
Direction = Literal["consumption", "production"]
Nature = Literal["R", "E", "S", "C", "G"]
"""Real, estimated, read by the customer, corrected, or regularised: real after estimates, and hence of any sign."""
Status = Literal["I", "A", "R"]
"""Initial, annulled (it takes back the one of the same id), or rectified (it stands in the place of one that was annulled)."""


class EnergyRecord(BaseModel):
    """What all of them have.

    Attributes:
        flow: such as R15. point: the meter point, 14 digits.
        created_at: when the distributor made the file. version: grows with it, so that the newest statement is the highest.
        line: where the record stands in the file, 0 where the format has no lines.
        doubt: why it is doubted, empty otherwise. warning: what about it is odd and changes nothing.
        publication: of gas: `published` for billing, or `informative`, for the customer to look at and never billed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow: str
    point: str
    created_at: AwareDatetime | None = None
    version: int
    line: int = 0
    doubt: str = ""
    warning: str = ""
    publication: Literal["published", "informative"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, value: Any) -> Any:
        return {name: text for name, text in value.items() if text != ""} if isinstance(value, dict) else value


class Reading(EnergyRecord):
    """One index of one register at one instant.

    Attributes:
        id: the distributor's, empty where the flow gives none. dial: its number or code.
        grid: whose calendar the register follows, None for one that counts everything.
        measure: what it measures: EA active energy and others. unit: Wh for energy, else as the flow writes it.
        value: in `unit`, times the coefficient of the meter. truncated: the same rounded down to whole kWh, but in Wh: for
            series of several flows, of which some write kWh; for energy.
        rolls_over_at: the value at which its dial begins again at 0, where the distributor says that it did since the reading
            before.
        role: `before` and `after` what happened to the meter or its calendars: nothing is counted from one to the other.
        reason: why it was read. channel: of flows of other countries, the OBIS code of the register.
    """

    id: str = ""
    at: AwareDatetime
    grid: Grid | None = None
    calendar: str = ""
    time_class: str = ""
    dial: str = ""
    measure: str
    direction: Direction
    unit: str
    value: Decimal
    truncated: Decimal | None = None
    rolls_over_at: Decimal | None = None
    nature: Nature | None = None
    status: Status
    role: Literal["before", "after"] | None = None
    reason: str = ""
    situation: str = ""
    meter: str = ""
    channel: str = ""


class Quantity(EnergyRecord):
    """Energy of a period, as the distributor worked it out.

    Attributes:
        start, end: the period.
        measure: `consumption`, or in collective self-consumption `auto_produced`, `allo_produced`, `self_consumed`, `surplus`.
        value: in `unit`, Wh. net: the same, 0 where `status` is A: what is left of the record.
        grid: None where nothing is counted by classes.
        previous_id: of the reading at the start. correction: why it was corrected.
        volume, coefficient: of gas: what was measured, in m3 (of a converter where there is one), and kWh per m3. computed:
            the two multiplied, in Wh, as a check; never billed.
        period_start, period_end: of all that the distributor stated, where a source cuts it; beyond: why the part lies too
            far back to be billed. estimated_by: how a part of a longer period was worked out: by `days`; empty for what was
            measured or stated as it is.
    """

    id: str = ""
    start: AwareDatetime
    end: AwareDatetime
    grid: Grid | None = None
    calendar: str = ""
    time_class: str = ""
    measure: str
    direction: Direction
    unit: str
    value: Decimal
    net: Decimal
    nature: Nature | None = None
    status: Status
    previous_id: str = ""
    reason: str = ""
    correction: str = ""
    situation: str = ""
    volume: Decimal | None = None
    coefficient: Decimal | None = None
    computed: Decimal | None = None
    period_start: AwareDatetime | None = None
    period_end: AwareDatetime | None = None
    beyond: str = ""
    estimated_by: Literal["days"] | None = None


class Interval(EnergyRecord):
    """Energy of one step of a load curve.

    Attributes:
        start, end: of the step. step_s: its seconds. power: mean, in W; None where the distributor has no value.
        value: what the power comes to in the step, in `unit`: Wh, of reactive power VArh. Of a voltage, the voltage itself.
        net: of flows of other countries, the same, 0 where a file says that there is no value: what is left of one before.
        nature: as of other records; quality: the distributor's own code. stage: how far it is worked on, such as BRUT or BEST.
        channel: of flows of other countries, the OBIS code of what is measured. demand: mean power in W of as many minutes
            until its end as the source asks for, None where they are not all there. local_date, weekday, hour: of its start,
            where the source has a zone: `2026-01-15`, `thu`, `00` to `23`.
        covered: why it says again what finer intervals of its file say: it is never billed.
    """

    start: AwareDatetime
    end: AwareDatetime
    step_s: int
    measure: str
    direction: Direction
    power: Decimal | None = None
    value: Decimal | None = None
    net: Decimal | None = None
    unit: str = "Wh"
    quality: str = ""
    nature: Nature | None = None
    stage: str = ""
    channel: str = ""
    demand: Decimal | None = None
    local_date: date | None = None
    weekday: str = ""
    hour: str = ""
    covered: str = ""


class ContractEvent(EnergyRecord):
    """What happened to the contract or the meter of a point.

    Attributes:
        at: None where a flow says how things are without saying since when.
        kind: `nature` in words of ours: CFN_IN and CFN_OUT for changes of supplier, CANCELLED for a contract that never was,
            STATE for how things are, MILESTONE for a step of a request, else the distributor's: PMES, MES, RES, MCT, CMAT, …
        category: CONTRAT, TECHNIQUE, …
        situation, sequence: the contract of a customer with a supplier, and which of its states.
        power: subscribed, in `power_unit`, the largest; powers: of each time class, such as `HPH=250 HCH=200`.
        affair: the request it answers. milestone: its step; effective_on: the day that it is for.
        profile, frequency, exit_point: how a point is settled, how often it is read, where its network begins.
        annual_wh, daily_wh: of gas: the yearly reference (CAR), and the subscribed capacity of a day (CJA).
    """

    at: AwareDatetime | None = None
    kind: str
    nature: str
    category: str = ""
    affair: str = ""
    segment: str = ""
    situation: str = ""
    sequence: str = ""
    state: str = ""
    in_service_on: date | None = None
    ended_on: date | None = None
    sequence_from: date | None = None
    tariff: str = ""
    power: Decimal | None = None
    power_unit: str = ""
    distributor_calendar: str = ""
    supplier_calendar: str = ""
    off_peak: str = ""
    meter: str = ""
    powers: str = ""
    milestone: str = ""
    effective_on: date | None = None
    profile: str = ""
    frequency: str = ""
    exit_point: str = ""
    annual_wh: Decimal | None = None
    daily_wh: Decimal | None = None


class DistributorLine(EnergyRecord):
    """One line of a distributor's invoice to the supplier. Amounts are signed: what is taken back is below zero.

    Attributes:
        invoice, valuation, rank: which line: of which invoice and part of it, and its place there.
        kind: CYCL, EVNT, ANNUL, RECT, …
        group: 01 network, 02 services, 03 provisions and penalties, 04 contributions.
        element: what is billed; stem: the same without its ending; term: `advance`, `arrears`, `taken_back`, `cancelled` or
            `billed_again` by that ending.
        start, end: days as the invoice prints them.
        quantity, unit, price, amount: as printed. vat_rate: per cent; vat_code: where a code stands in its place.
        origin_invoice, origin_valuation: what it corrects. summary: under which heading the invoice sums it up.
    """

    invoice: str
    invoiced_on: date
    valuation: str
    rank: int
    kind: str
    point: str = ""
    situation: str = ""
    group: str
    element: str
    stem: str
    term: str = ""
    label: str = ""
    start: date
    end: date
    quantity: Decimal | None = None
    unit: str = ""
    price: Decimal | None = None
    amount: Decimal
    currency: str
    vat_rate: Decimal | None = None
    vat_code: str = ""
    tariff: str = ""
    power: Decimal | None = None
    affair: str = ""
    correction: str = ""
    origin_invoice: str = ""
    origin_valuation: str = ""
    summary: str = ""


RecordKind = Literal["readings", "quantities", "intervals", "events", "lines"]
RECORDS: dict[RecordKind, type[EnergyRecord]] = {
    "readings": Reading,
    "quantities": Quantity,
    "intervals": Interval,
    "events": ContractEvent,
    "lines": DistributorLine,
}
"""Model of each kind of record that a source may read."""


DIFFERENCE_KEY = ("point", "start", "grid", "time_class", "measure", "direction")
"""Columns of quantities that name what two indexes differ by: where it begins."""
DEMAND_KEY = ("point", "channel", "start")
"""Columns of intervals that name the demand of a window: where the last interval of the window begins."""


def columns_of(kind: RecordKind) -> tuple[str, ...]:
    """Return the names of the columns of a kind of record."""
    return tuple(RECORDS[kind].model_fields)


def arrow_schema(kind: RecordKind) -> pa.Schema:
    """Return the Arrow schema of a kind of record: all columns are text, see above."""
    return pa.schema([pa.field(name, pa.string()) for name in columns_of(kind)])
