"""Charging services of the catalog in force, ready to be found and counted in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.diameter.credit import UNIT_AVPS, Units
from pipelines.mediation.diameter.codes import Result
from pipelines.mediation.diameter.messages import UnableToReadMessage
from schemas.charging_service import ChargingService
from schemas.quantity import QUANTITY_MAX, Unit, parse_quantity

_AVPS = dict(zip(Units._fields, UNIT_AVPS, strict=True))
_PLACES = {name: place for place, name in enumerate(Units._fields)}
_LARGEST = {"time": 2**32 - 1}
"""What the AVP of a measure can say at most, where that is less than a quantity may be."""

FOUND_MAX = 4096
"""Names that peers may choose, of which what they stand for is remembered."""
CONTEXT_MAX, IDENTIFIERS_MAX = 255, 16
"""Of longer ones nothing is."""


@dataclass(frozen=True, slots=True)
class Service:
    """One charging service.

    Attributes:
        step: base steps of one unit of credit control. quota, increment: base steps, whole multiples of `step`.
        threshold: units of credit control, 0 without one.
    """

    terms: ChargingService
    step: int
    quota: int
    increment: int
    threshold: int

    @property
    def measure(self) -> str:
        """The AVP that says how much."""
        return _AVPS[self.terms.measured_in]

    def asked(self, units: Units) -> int:
        """Return base steps of a Requested-Service-Unit, at most the quota; one that says nothing asks for the quota."""
        found = self._units(units)
        return self.quota if found is None else min(found * self.step, self.quota)

    def of_event(self, units: Units | None) -> int | None:
        """Return base steps of what an event asks for, which is no grant and has no quota: it happens as it is, or not at all.

        One that says no amount is one unit of a service that is counted in units of its own. Of octets or time it says too
        little to be rated: None.

        Raises:
            UnableToReadMessage: INVALID_AVP_VALUE when that is too much.
        """
        found = None if units is None else self._units(units)
        if found is None:
            return self.step if self.terms.measured_in == "service_units" else None
        return self._bounded(found * self.step)

    def used(self, units: Iterable[Units]) -> int:
        """Return base steps of Used-Service-Units together, before and after changes of tariff.

        Raises:
            UnableToReadMessage: INVALID_AVP_VALUE when that is too much.
        """
        total = 0
        for each in units:
            total += self._units(each) or 0
        return self._bounded(total * self.step) if total else 0

    @staticmethod
    def _bounded(steps: int) -> int:
        if steps > QUANTITY_MAX:
            raise UnableToReadMessage(Result.INVALID_AVP_VALUE, f"{steps} base steps are too many")
        return steps

    def _units(self, units: Units) -> int | None:
        return units[_PLACES[self.terms.measured_in]]


class ServiceTable:
    """The services of a catalog.

    Attributes:
        encoded: content of answers that was encoded before, by what it says; of `FOUND_MAX` at most.
    """

    def __init__(
        self, services: Mapping[str, ChargingService], units: Mapping[str, Unit], types: Mapping[str, Any]
    ) -> None:
        """Count in base steps.

        Args:
            types: event types by code.
        """
        self._services = [_service(each, units, types[each.event_type].unit) for each in services.values()]
        self._found: dict[tuple[str, int | None, tuple[int, ...]], Service | None] = {}
        self.encoded: dict[Any, bytes] = {}

    def find(self, context: str, rating_group: int | None, identifiers: tuple[int, ...]) -> Service | None:
        """Return the service that says most of what a request names: the service before the rating group, then the context."""
        named = context, rating_group, identifiers
        if len(context) > CONTEXT_MAX or len(identifiers) > IDENTIFIERS_MAX:
            return self._find(*named)
        if named not in self._found:
            if len(self._found) >= FOUND_MAX:
                self._found.clear()
            self._found[named] = self._find(*named)
        return self._found[named]

    def _find(self, context: str, rating_group: int | None, identifiers: Sequence[int]) -> Service | None:
        fits = [
            service
            for service in self._services
            if context.endswith(service.terms.service_context)
            and service.terms.rating_group in (None, rating_group)
            and (service.terms.service_identifier is None or service.terms.service_identifier in identifiers)
        ]
        return max(fits, key=_precision, default=None)


def _precision(service: Service) -> tuple[bool, bool, int, str]:
    terms = service.terms
    return (
        terms.service_identifier is not None,
        terms.rating_group is not None,
        len(terms.service_context),
        terms.code,
    )


def _service(terms: ChargingService, units: Mapping[str, Unit], unit: str) -> Service:
    measure = {"time": "s", "service_units": unit}.get(terms.measured_in, "B")
    step = units[measure].step_count

    def whole(text: str | None) -> int:
        steps = step if text is None else parse_quantity(text, units)[0]
        most = _LARGEST.get(terms.measured_in, QUANTITY_MAX // step)
        return min(max(steps // step, 1), most) * step

    threshold = 0 if terms.threshold is None else whole(terms.threshold) // step
    return Service(terms, step, whole(terms.quota), whole(terms.increment), threshold)
