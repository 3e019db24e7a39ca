"""What every rule needs: the documents, what they may refer to, and where problems go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from billing.catalog.models import D, Documents, Entry, Fault, Path, Problems
from billing.catalog.wording import choose
from schemas.catalog import PriceRows
from schemas.money import CURRENCY_DECIMALS, to_scaled
from schemas.quantity import Unit, parse_quantity


@dataclass(frozen=True, slots=True)
class Context:
    """All documents of a catalog while they are checked.

    Attributes:
        documents: the valid ones.
        units: built-in and declared units by code.
        zones: names of the IANA time zone database.
        problems: where problems go.
        price_tables: those that could be read, by code.
    """

    documents: Documents
    units: Mapping[str, Unit]
    zones: frozenset[str]
    problems: Problems
    price_tables: Mapping[str, PriceRows] = field(default_factory=dict)

    def reference(self, entry: Entry[Any], path: Path, model: type[D], kind: str, code: str) -> D | None:
        """Return the document that `code`, written at `path`, names; otherwise say that it is unknown."""
        table = self.documents.of(model)
        if code in table:
            return table[code].document
        if not self.documents.may_be(kind, code):
            fix = choose(code, table, otherwise=f"declare it: `kind: {kind}`, `code: {code}`")
            self.problems.at(entry, path, f'the {kind.replace("_", " ")} "{code}" is unknown', fix, Fault.UNKNOWN_NAME)
        return None

    def optional(self, entry: Entry[Any], path: Path, model: type[D], kind: str, code: str | None) -> D | None:
        """Return the document that `code` names, None where it names none; otherwise as `reference`."""
        return None if code is None else self.reference(entry, path, model, kind, code)

    def zone(self, entry: Entry[Any], path: Path, zone: str) -> None:
        """Check the name of a time zone."""
        if zone not in self.zones:
            fix = choose(zone, sorted(self.zones)) if zone else 'write a name such as "Europe/Paris"'
            self.problems.at(entry, path, f'the time zone "{zone}" is unknown', fix, Fault.UNKNOWN_NAME)

    def currency(self, entry: Entry[Any], path: Path, currency: str) -> None:
        """Check a currency."""
        if currency not in CURRENCY_DECIMALS:
            fix = choose(currency, CURRENCY_DECIMALS)
            self.problems.at(entry, path, f'octroi does not bill in the currency "{currency}"', fix, Fault.UNKNOWN_NAME)

    def unit(self, entry: Entry[Any], path: Path, code: str) -> Unit | None:
        """Return the unit that `code` names; otherwise say that it is unknown."""
        if code in self.units:
            return self.units[code]
        if not self.documents.may_be("unit", code):
            self.problems.at(entry, path, f'the unit "{code}" is unknown', choose(code, self.units), Fault.UNKNOWN_NAME)
        return None

    def dimension(self, text: str) -> str | None:
        """Return the dimension of a quantity such as "60 s", if its unit is known."""
        unit = self.units.get(text.partition(" ")[2])
        return unit.dimension if unit is not None else None

    def steps(self, text: str) -> int | None:
        """Return the base steps of a quantity, if it has any."""
        try:
            return parse_quantity(text, self.units)[0]
        except (KeyError, ValueError):
            return None

    def quantity(self, entry: Entry[Any], path: Path, text: str) -> tuple[int, Unit] | None:
        """Return a quantity as (base steps, unit); otherwise say what is wrong with it."""
        unit = self.unit(entry, path, text.partition(" ")[2])
        if unit is None:
            return None
        steps = self.steps(text)
        if steps is None:
            message = f'"{text}" is too large, or too fine: 1 {unit.code} has {unit.step_count} steps'
            self.problems.at(entry, path, message, "write fewer decimals, or a smaller number")
            return None
        return steps, unit

    def positive(self, entry: Entry[Any], path: Path, text: str, dimension: str | None) -> int | None:
        """Return base steps of a quantity that is above zero and, if given, of `dimension`."""
        found = self.quantity(entry, path, text)
        if found is None:
            return None
        steps, unit = found
        if steps == 0:
            self.problems.at(entry, path, f'"{text}" is zero', "write a quantity above zero")
            return None
        if dimension is not None and unit.dimension != dimension:
            fix = f"use a unit of {dimension}: {units_of(dimension, self.units)}"
            self.problems.at(entry, path, f'"{text}" measures {unit.dimension}, not {dimension}', fix)
            return None
        return steps

    def unique(self, entry: Entry[Any], path: Path, values: Iterable[str], what: str) -> None:
        """Check that no value of the list at `path` is repeated."""
        seen: set[str] = set()
        for index, value in enumerate(values):
            if value in seen:
                self.problems.at(
                    entry,
                    (*path, index),
                    f'the {what} "{value}" is repeated',
                    "remove the repetition",
                    Fault.DECLARED_TWICE,
                )
            seen.add(value)

    def period(self, entry: Entry[Any], path: Path, start: datetime | None, end: datetime | None) -> None:
        """Check that a half-open period is not empty."""
        if start is not None and end is not None and start >= end:
            message = "the period ends before it starts" if start > end else "the period is empty: [start, end)"
            self.problems.at(entry, (*path, "end"), message, f"write an end after {start.isoformat()}")

    def apart(
        self,
        entry: Entry[Any],
        path: Path,
        periods: Sequence[tuple[datetime, datetime | None]],
        places: Sequence[int] | None = None,
    ) -> None:
        """Check that the half-open periods of the versions listed at `path`, or of those at `places` in it, do not overlap."""
        numbers = range(len(periods)) if places is None else places
        order = sorted(zip(numbers, periods, strict=True), key=lambda each: (each[1][0], each[0]))
        for (earlier, (_, end)), (later, (start, _)) in pairwise(order):
            if end is None or end > start:
                until = "has no end" if end is None else f"ends {end.isoformat()}"
                message = f"the version overlaps version {earlier}, which {until}"
                fix = f"end version {earlier} at {start.isoformat()}, or start this one later"
                self.problems.at(entry, (*path, later, "start"), message, fix)


def fits(value: Decimal, decimals: int) -> bool:
    """Return whether a number has at most so many decimals."""
    try:
        to_scaled(value, decimals)
    except (ValueError, ArithmeticError):
        return False
    return True


def units_of(dimension: str, units: Mapping[str, Unit]) -> str:
    """Return the codes of the units of a dimension, for messages."""
    return ", ".join(code for code, unit in units.items() if unit.dimension == dimension)
