"""Requests of online charging as callers say them, and as the log keeps them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from apps.embedded.images import ActiveImage
from pipelines.resource.attribution import attribute
from pipelines.resource.kernels.attribute import NOT_VALID_AT, SHARED, UNKNOWN
from rating.image_access import hash_identifiers
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array
from schemas.catalog import TIME_MAX, TIME_MIN
from schemas.charging import REQUEST, VALIDITY_S_MAX, ChargingCode, ChargingKind, Rows
from schemas.price_plan import EventType
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason
from schemas.values import VALUE_ABSENT

ID_CHARACTERS_MAX = 255
VALIDITY_S = 60


class UnableToRequest(Exception):
    """A request names what does not exist, or says what cannot be; it was not taken, and moved nothing.

    `code` is stable: UNKNOWN_ACCESS_POINT, UNKNOWN_EVENT_TYPE, INVALID_REQUEST or UNAVAILABLE.
    """

    def __init__(self, code: str, message: str) -> None:
        """Take the code and what is wrong, in words."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class ChargingRequest:
    """What is asked.

    Attributes:
        id: names the request for as long as it is remembered; the same one again gets the same answer.
        of: the id of the request that a confirmation, a cancellation (a reservation) or a refund (a confirmation or a charge)
            is about. quantity: base steps asked for, or used.
        increment: a reservation may grant less, in whole multiples of it; 0: all or nothing.
        at: microseconds UTC of the usage, 0 for now. validity_s: how long a reservation is held.
        values: as the event type declares them, scaled (`schemas.values`).
    """

    kind: ChargingKind
    id: str
    of: str = ""
    access_point: str = ""
    event_type: str = ""
    quantity: int = 0
    increment: int = 0
    at: int = 0
    validity_s: int = VALIDITY_S
    attributes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, int] = field(default_factory=dict)

    @property
    def begins(self) -> bool:
        """Whether it says what usage it is about."""
        return self.kind in (ChargingKind.RESERVE, ChargingKind.CHARGE)

    def check(self) -> None:
        """Check what needs no catalog.

        Raises:
            UnableToRequest: INVALID_REQUEST.
        """
        _require(0 < len(self.id) <= ID_CHARACTERS_MAX, f"an id has 1 to {ID_CHARACTERS_MAX} characters")
        _require(self.begins or 0 < len(self.of) <= ID_CHARACTERS_MAX, "say which request it is about")
        _require(self.of != self.id, "a request cannot be about itself")
        _require(0 <= self.quantity <= QUANTITY_MAX, "the quantity is negative or too large")
        _require(0 <= self.increment <= QUANTITY_MAX, "the increment is negative or too large")
        _require(not self.at or TIME_MIN <= self.at < TIME_MAX, "the time is out of range")
        _require(all(-(2**63) < value < 2**63 for value in self.values.values()), "a value is out of range")
        _require(_is_text(self.access_point), "the access point is no text")
        _require(1 <= self.validity_s <= VALIDITY_S_MAX, f"a reservation is held for 1 to {VALIDITY_S_MAX} s")


class ChargingAnswer(NamedTuple):
    """How a request ended.

    Attributes:
        reason: why it has no price, NONE unless RATING_FAILED. granted: base steps reserved or charged.
        amount: billionths reserved, charged or given back. expires_at: microseconds UTC, of a reservation; else 0.
        claim, record: of the rated item that it came to or took back; 0 and 0 when there is none.
    """

    code: ChargingCode
    reason: Reason
    granted: int
    amount: int
    expires_at: int
    claim: int
    record: int


def answers_of(answers: Rows) -> list[ChargingAnswer]:
    """Return the answers of a frame one by one."""
    names = ["code", "reason", "granted", "amount", "expires_at", "claim", "record"]
    columns = [answers[name].tolist() for name in names]
    return [ChargingAnswer(_CODES[code], _REASONS[reason], *rest) for code, reason, *rest in zip(*columns, strict=True)]


_CODES = {int(code): code for code in ChargingCode}
_REASONS = {int(reason): reason for reason in Reason}


def key_of(secret: bytes, name: str) -> tuple[int, int]:
    """Return the 128 bits, high and low, by which an id is known."""
    found = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16, key=secret).digest()
    return int.from_bytes(found[:8], "little"), int.from_bytes(found[8:], "little")


class Encoder:
    """Writes requests as the log keeps them, by the catalog in force."""

    def __init__(self, active: ActiveImage, vocabulary: Vocabulary, secret: bytes) -> None:
        """Look up what codes stand for."""
        self.active = active
        self._secret = secret
        self._types = {
            code: (vocabulary.event_types.id(code), each) for code, each in active.catalog.event_types.items()
        }
        self._texts = {name: code for code, name in enumerate(vocabulary.attribute_values.names.to_list())}

    def encode(self, requests: Sequence[ChargingRequest], at: int) -> tuple[Rows, dict[int, UnableToRequest]]:
        """Return rows (n,) of REQUEST, and by place the requests that cannot be taken: their rows say nothing.

        Args:
            at: microseconds UTC, for requests that say no time.
        """
        refused: dict[int, UnableToRequest] = {}
        rows = [self._row(place, request, refused) for place, request in enumerate(requests)]
        found = np.array(rows, REQUEST)
        subscription, access_point = self._owners(requests, found, at, refused)
        found["subscription"], found["access_point"] = subscription, access_point
        return found, refused

    def _row(self, place: int, request: ChargingRequest, refused: dict[int, UnableToRequest]) -> tuple[Any, ...]:
        hi, lo = key_of(self._secret, request.id)
        of_hi, of_lo = key_of(self._secret, request.of) if request.of else (0, 0)
        event_type, attributes, values = 0, _NO_ATTRIBUTES, _NO_VALUES
        if request.begins:
            number, declared = self._types.get(request.event_type, (0, None))
            if declared is None:
                refused[place] = UnableToRequest(
                    "UNKNOWN_EVENT_TYPE", f"the catalog in force has no event type {request.event_type!r}"
                )
            else:
                event_type = number
                if request.attributes or request.values:
                    attributes, values = self._said(place, request, declared, refused)
        content = zlib.crc32(repr(request).encode("utf-8", "surrogatepass"))
        return (
            hi, lo, of_hi, of_lo, request.quantity, request.increment, request.at, content, request.validity_s,
            -1, -1, event_type, request.kind, _SPARE, attributes, values,
        )  # fmt: skip

    def _said(
        self, place: int, request: ChargingRequest, declared: EventType, refused: dict[int, UnableToRequest]
    ) -> tuple[list[int], list[int]]:
        unknown = [name for name in request.attributes if name not in declared.attributes]
        unknown += [name for name in request.values if name not in declared.values]
        if unknown:
            refused[place] = UnableToRequest(
                "INVALID_REQUEST", f"event type {declared.code} has no attribute or value {unknown[0]!r}"
            )
        attributes, values = list(_NO_ATTRIBUTES), list(_NO_VALUES)
        for slot, name in enumerate(declared.attributes):
            attributes[slot] = self._texts.get(request.attributes.get(name, ""), 0)
        for slot, name in enumerate(declared.values):
            values[slot] = request.values.get(name, VALUE_ABSENT)
        return attributes, values

    def _owners(
        self, requests: Sequence[ChargingRequest], rows: Rows, at: int, refused: dict[int, UnableToRequest]
    ) -> tuple[Int32Array, Int32Array]:
        """Return (subscription, access point), each (n,), of those that say what usage they are about; else -1."""
        begins = np.array([request.begins for request in requests], np.bool_)
        hi, lo = hash_identifiers(pl.Series([request.access_point for request in requests], dtype=pl.String))
        instant = np.where(rows["event_at"] == 0, at, rows["event_at"])
        found = attribute(self.active.image.access, hi, lo, instant, begins)
        for place in np.flatnonzero(begins & np.isin(found.answer, (UNKNOWN, NOT_VALID_AT, SHARED))).tolist():
            words = {
                UNKNOWN: "the catalog in force has no access point",
                NOT_VALID_AT: "nobody has, at that time, the access point",
                SHARED: "several subscriptions share the access point",
            }[int(found.answer[place])]
            refused[place] = UnableToRequest("UNKNOWN_ACCESS_POINT", f"{words} {requests[place].access_point!r}")
        return np.where(begins, found.subscription, -1), np.where(begins, found.access_point, -1)


_NO_ATTRIBUTES = [0] * REQUEST["attributes"].shape[0]
_NO_VALUES = [VALUE_ABSENT] * REQUEST["values"].shape[0]
_SPARE = [0] * REQUEST["spare"].shape[0]


def _is_text(words: str) -> bool:
    return words.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in words)


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001
    if not holds:
        raise UnableToRequest("INVALID_REQUEST", otherwise)
