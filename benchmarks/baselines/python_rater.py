"""A rater in plain Python: dictionaries and whole numbers, one record after another."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
Totals = dict[str, tuple[int, int]]
"""Of each charge: items, and their amounts in millionths of a euro."""
Tiers = Sequence[tuple[int | None, int]]
"""Where each tier ends, None for the last, and the price of a unit in it."""

ESSENTIAL_VOICE = ((3600, (0, 0, 0)), (18_000, (145_000, 98_000, 49_000)), (None, (95_000, 65_000, 35_000)))
PLUS_VOICE = ((55_000, 41_000, 19_000), (57_000, 39_000, 17_000))
"""Before and from 16 October; peak, offpeak and night."""
ESSENTIAL_DATA = ((500_000_000, 0), (5_000_000_000, 1_990_000), (50_000_000_000, 790_000), (None, 290_000))
PLUS_DATA = ((20_000_000_000, 150_000), (None, 490_000))


def read_usage(directory: Path) -> list[Path]:
    """Return the files of usage in the order in which they are to be read."""
    return sorted(directory.glob("*.csv"))


class Rater:
    """Rates records as they come, and remembers what it needs: identities, counters and balances."""

    def __init__(self, customers: Path) -> None:
        """Read who has which offer, and what is left on the cards that cannot be overdrawn."""
        self.offer: dict[str, str] = {}
        self.balance: dict[str, int] = {}
        self.seen: set[str] = set()
        self.used: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self.items: defaultdict[str, int] = defaultdict(int)
        self.amount: defaultdict[str, int] = defaultdict(int)
        with customers.open(newline="") as file:
            for row in csv.DictReader(file):
                self.offer[row["access_point"]] = row["offer"].removeprefix("mobile-")
                if row["postpaid"] == "false":
                    units, _, rest = row["prepaid_balance"].partition(".")
                    self.balance[row["access_point"]] = int(units) * 10**6 + int(rest.ljust(6, "0"))

    def rate(self, fields: Sequence[str]) -> None:
        """Rate one record: its fields in the order of the file."""
        if fields[3] != "out" or fields[0] in self.seen:
            return
        self.seen.add(fields[0])
        kind, number, zone, start, quantity = fields[2], fields[4], fields[9], fields[10], int(fields[14])
        charge, cost = self._cost(kind, number, zone, start, quantity)
        left = self.balance.get(number)
        if left is not None:
            if cost > left:
                return
            self.balance[number] = left - cost
        self.items[charge] += 1
        self.amount[charge] += cost

    def _cost(self, kind: str, number: str, zone: str, start: str, quantity: int) -> tuple[str, int]:
        offer = self.offer[number]
        if kind == "sms":
            if zone == "world":
                return "sms-world", quantity * 280_000
            return ("sms-plus", quantity * 15_000) if offer == "plus" else ("sms-essential", quantity * 70_000)
        if kind == "data":
            if offer == "prepaid":
                return "data-prepaid", _half_up(_increments(quantity, 10_000, 10_000) * 4_900, 10**6)
            sold: Tiers = PLUS_DATA if offer == "plus" else ESSENTIAL_DATA
            volume = _increments(quantity, 1_000, 1_000) if offer == "plus" else quantity
            month = _local(start).month
            before = self.used[number, kind, month]
            self.used[number, kind, month] = before + volume
            return f"data-{offer}", _half_up(_graduated(before, volume, sold), 10**9)
        if zone == "world":
            seconds = _increments(quantity, 60, 60)
            return "voice-world", _half_up(seconds * 390_000, 60) + 150_000 * (seconds > 0)
        if offer == "prepaid":
            return "voice-prepaid", _half_up(_increments(quantity, 60, 30) * 190_000, 60)
        local = _local(start)
        if offer == "plus":
            seconds = _increments(quantity, 30, 1)
            return "voice-plus", _half_up(seconds * PLUS_VOICE[local.month > 10 or local.day >= 16][_band(local)], 60)
        seconds = _increments(quantity, 60, 1)
        before = self.used[number, kind, local.month]
        self.used[number, kind, local.month] = before + seconds
        band = _band(local)
        tiers = tuple((end, prices[band]) for end, prices in ESSENTIAL_VOICE)
        return "voice-essential", _half_up(_graduated(before, seconds, tiers), 60) + 20_000 * (seconds > 0)

    @property
    def totals(self) -> Totals:
        """What was rated until now."""
        return {charge: (self.items[charge], self.amount[charge]) for charge in sorted(self.items)}


def _local(start: str) -> datetime:
    return datetime.fromisoformat(start).astimezone(PARIS)


def _band(local: datetime) -> int:
    minute = local.hour * 60 + local.minute
    if local.weekday() < 5 and 480 <= minute < 1170:
        return 0
    return 2 if minute >= 1320 or minute < 390 else 1


def _increments(quantity: int, first: int, step: int) -> int:
    return 0 if quantity == 0 else first - -max(quantity - first, 0) // step * step


def _graduated(before: int, quantity: int, tiers: Tiers) -> int:
    cost, lower, after = 0, 0, before + quantity
    for end, price in tiers:
        upper = after if end is None else end
        cost += max(0, min(after, upper) - max(before, lower)) * price
        lower = upper
    return cost


def _half_up(value: int, divisor: int) -> int:
    return (2 * value + divisor) // (2 * divisor)


def run(usage: Path, customers: Path) -> Totals:
    """Rate all files."""
    rater = Rater(customers)
    for path in read_usage(usage):
        with path.open(newline="") as file:
            rows = csv.reader(file)
            next(rows)
            for fields in rows:
                rater.rate(fields)
    return rater.totals
