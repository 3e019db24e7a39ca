"""The recount's own reading of a catalog directory. It shares no code with the product, so that it can disagree."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

STEPS_PER_UNIT = {
    "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000,
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
    "mWh": 1, "Wh": 10**3, "kWh": 10**6, "MWh": 10**9, "VA": 1, "kVA": 10**3, "event": 1,
}  # fmt: skip
OPEN_START, OPEN_END = -(2**62), 2**62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Band names, and the band of each quarter of an hour of a local week."""

    zone: str
    names: tuple[str, ...]
    band: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a price plan in whole numbers: amount = round((sum of part * price + fee) / divisor) * grain.

    Attributes:
        start, end: microseconds UTC.
        uppers: cumulated base steps at which each tier but the last ends.
        prices: by tier, then by band.
        fee, divisor, grain: see above; grain is billionths per unit of rounding.
        first, step: increments in base steps.
        counter, calendar: codes. mode: rounding mode.
    """

    start: int
    end: int
    uppers: tuple[int, ...]
    prices: tuple[tuple[int, ...], ...]
    fee: int
    divisor: int
    grain: int
    first: int
    step: int
    counter: str | None
    calendar: str | None
    mode: str


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge with everything it needs."""

    code: str
    event_type: str
    filters: dict[str, str]
    priority: int
    currency: str
    versions: tuple[Version, ...]


@dataclass(slots=True)
class Rules:
    """A catalog as the recount reads it.

    Attributes:
        units: base steps per unit. event_units: unit of each event type. counters: code -> (period, zone).
        offers: charges of each offer, best first.
        sources: documents by code.
        access: rows (identifier, start, end, subscription index).
        subscription_offer, subscription_account: by subscription index.
        prepaid: account -> opening balance in billionths, of accounts that have no postpaid wallet.
        openings: (access point, series) -> (instant, index in base steps).
    """

    units: dict[str, int] = field(default_factory=lambda: dict(STEPS_PER_UNIT))
    event_units: dict[str, str] = field(default_factory=dict)
    counters: dict[str, tuple[str, str]] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    offers: dict[str, tuple[Charge, ...]] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    access: list[tuple[str, int, int, int]] = field(default_factory=list)
    subscription_offer: list[str] = field(default_factory=list)
    subscription_account: list[str] = field(default_factory=list)
    prepaid: dict[str, int] = field(default_factory=dict)
    openings: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def steps(self, text: str) -> int:
        """Return "60 s" in base steps."""
        number, unit = text.split(" ")
        return _whole(Fraction(number) * self.units[unit])


def read_rules(directory: Path) -> Rules:
    """Read all YAML files of a catalog directory, and the tables they name."""
    documents: list[Any] = []
    for path in sorted(directory.glob("*.yaml")):
        documents += [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]
    by_kind: dict[str, list[Any]] = {}
    for document in documents:
        by_kind.setdefault(document["kind"], []).append(document)
    rules = Rules()
    rules.units |= {unit["code"]: 10 ** unit.get("decimals", 0) for unit in by_kind.get("unit", [])}
    rules.event_units = {kind["code"]: kind["unit"] for kind in by_kind.get("event_type", [])}
    rules.counters = {
        counter["code"]: (counter.get("period", "month"), counter.get("zone", "UTC"))
        for counter in by_kind.get("counter", [])
    }
    rules.calendars = {document["code"]: _calendar(document) for document in by_kind.get("calendar", [])}
    rules.sources = {document["code"]: document for document in by_kind.get("source", [])}
    _read_offers(rules, by_kind)
    for account in by_kind.get("account", []):
        _read_account(rules, account)
    for document in by_kind.get("subscription", []):
        _read_subscription(rules, document)
    for document in by_kind.get("subscription_table", []):
        _read_table(rules, directory / document["file"])
    return rules


def microseconds(text: str | datetime) -> int:
    """Return an ISO 8601 instant with zone in microseconds since 1970."""
    instant = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _whole(value: Fraction) -> int:
    assert value.denominator == 1, f"{value} is not a whole number of steps"
    return value.numerator


def _calendar(document: Any) -> Calendar:
    band = []
    for weekday in range(7):
        for quarter in range(96):
            matches = (_in_band(entry, weekday, quarter * 15) for entry in document["bands"])
            band.append(next(place for place, matched in enumerate(matches) if matched))
    return Calendar(document["zone"], tuple(entry["name"] for entry in document["bands"]), tuple(band))


def _in_band(entry: Any, weekday: int, minute: int) -> bool:
    """Return whether a local minute is in a band; after midnight a band still belongs to the day on which it began."""
    if "start" not in entry and "end" not in entry and "days" not in entry:
        return True
    days = entry.get("days") or _WEEKDAYS
    start, end = (
        int(hours) * 60 + int(minutes)
        for hours, minutes in (entry.get("start", "00:00").split(":"), entry.get("end", "24:00").split(":"))
    )
    today, yesterday = _WEEKDAYS[weekday] in days, _WEEKDAYS[weekday - 1] in days
    if start < end:
        return today and start <= minute < end
    return (today and minute >= start) or (yesterday and minute < end)


def _read_offers(rules: Rules, by_kind: dict[str, list[Any]]) -> None:
    plans = {plan["code"]: plan for plan in by_kind.get("price_plan", [])}
    charges = {}
    for document in by_kind.get("charge", []):
        plan = plans[document["price_plan"]]
        charges[document["code"]] = Charge(
            document["code"],
            document["event_type"],
            document.get("filters", {}),
            document.get("priority", 100),
            plan["currency"],
            tuple(_version(rules, version) for version in plan["versions"]),
        )
    for document in by_kind.get("offer", []):
        listed = [charges[code] for code in document["charges"]]
        rules.offers[document["code"]] = tuple(sorted(listed, key=lambda charge: charge.priority))


def _version(rules: Rules, document: Any) -> Version:
    tiers = document.get("tiers") or [{"price": document["price"]}]
    calendar = document.get("calendar")
    bands = rules.calendars[calendar].names if calendar else ("",)
    rounding = document.get("rounding", {})
    decimals = rounding.get("decimals", 6)
    scale = Fraction(10**decimals)
    per = rules.steps(document["per"])
    prices = []
    for tier in tiers:
        price = tier["price"]
        by_band = [price[band] if isinstance(price, dict) else price for band in bands]
        prices.append([Fraction(text) * scale / per for text in by_band])
    fee = Fraction(document.get("connection_fee", "0")) * scale
    divisor = math.lcm(fee.denominator, *(price.denominator for tier in prices for price in tier))
    increments = document.get("increments")
    return Version(
        start=microseconds(document["start"]),
        end=microseconds(document["end"]) if document.get("end") else OPEN_END,
        uppers=tuple(rules.steps(tier["up_to"]) for tier in tiers[:-1]),
        prices=tuple(tuple(_whole(price * divisor) for price in tier) for tier in prices),
        fee=_whole(fee * divisor),
        divisor=divisor,
        grain=10 ** (9 - decimals),
        first=rules.steps(increments["first"]) if increments else 1,
        step=rules.steps(increments["next"]) if increments else 1,
        counter=document.get("counter"),
        calendar=calendar,
        mode=rounding.get("mode", "half_up"),
    )


def _read_account(rules: Rules, document: Any) -> None:
    wallets = document.get("wallets")
    if wallets and all(wallet["type"] == "prepaid" for wallet in wallets):
        opening = sum(Fraction(wallet.get("opening_balance", "0")) for wallet in wallets)
        rules.prepaid[document["code"]] = _whole(Fraction(opening) * 10**9)


def _read_subscription(rules: Rules, document: Any) -> None:
    index = _add_subscription(rules, document["account"], document["offer"])
    for point in document.get("access_points", []):
        start = microseconds(point["start"]) if point.get("start") else OPEN_START
        end = microseconds(point["end"]) if point.get("end") else OPEN_END
        rules.access.append((point["id"], start, end, index))
        for reading in point.get("opening_readings", []):
            rules.openings[point["id"], reading["series"]] = (
                microseconds(reading["at"]),
                rules.steps(reading["index"]),
            )


def _read_table(rules: Rules, path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            index = _add_subscription(rules, row["account"], row["offer"])
            start = microseconds(row["start"]) if row.get("start") else OPEN_START
            end = microseconds(row["end"]) if row.get("end") else OPEN_END
            rules.access.append((row["access_point"], start, end, index))
            if (row.get("postpaid") or "true") == "false":
                rules.prepaid[row["account"]] = _whole(Fraction(row.get("prepaid_balance") or "0") * 10**9)


def _add_subscription(rules: Rules, account: str, offer: str) -> int:
    rules.subscription_offer.append(offer)
    rules.subscription_account.append(account)
    return len(rules.subscription_offer) - 1
