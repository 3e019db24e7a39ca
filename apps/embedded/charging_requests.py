"""Requests of online charging as callers say them, and as the log keeps them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from apps.embedded.images import ActiveImage
from pipelines.resource.attribution import attribute
from pipelines.resource.kernels.attribute import NOT_VALID_AT, SHARED, UNKNOWN
from rating.image_access import hash_texts
from rating.vocabulary import Vocabulary
from schemas.arrays import Int64Array, UInt64Array
from schemas.catalog import TIME_MAX, TIME_MIN
from schemas.charging import REQUEST, VALIDITY_S_MAX, ChargingCode, ChargingKind, Rows
from schemas.price_plan import EventType
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason
from schemas.values import VALUE_ABSENT

ID_CHARACTERS_MAX = 255
VALIDITY_S = 60
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_KINDS = {kind: repr(kind) for kind in ChargingKind}


class UnableToRequest(Exception):
    """A request names what does not exist, or says what cannot be; it was not taken, and moved nothing.

    `code` is stable: UNKNOWN_ACCESS_POINT, UNKNOWN_EVENT_TYPE, INVALID_REQUEST or UNAVAILABLE.
    """

    def __init__(self, code: str, message: str) -> None:
        """Take the code and what is wrong, in words."""
        super().__init__(message)
        self.code = code


class ChargingRequest(NamedTuple):
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
    attributes: Mapping[str, str] = _NOTHING
    values: Mapping[str, int] = _NOTHING

    @property
    def begins(self) -> bool:
        """Whether it says what usage it is about."""
        return self.kind in (ChargingKind.RESERVE, ChargingKind.CHARGE)

    def check(self) -> None:
        """Check what needs no catalog.

        Raises:
            UnableToRequest: INVALID_REQUEST.
        """
        if not 0 < len(self.id) <= ID_CHARACTERS_MAX:
            raise _invalid(f"an id has 1 to {ID_CHARACTERS_MAX} characters")
        if not self.begins and not 0 < len(self.of) <= ID_CHARACTERS_MAX:
            raise _invalid("say which request it is about")
        if self.of == self.id:
            raise _invalid("a request cannot be about itself")
        if not 0 <= self.quantity <= QUANTITY_MAX:
            raise _invalid("the quantity is negative or too large")
        if not 0 <= self.increment <= QUANTITY_MAX:
            raise _invalid("the increment is negative or too large")
        if self.at and not TIME_MIN <= self.at < TIME_MAX:
            raise _invalid("the time is out of range")
        if self.values and not all(-(2**63) < value < 2**63 for value in self.values.values()):
            raise _invalid("a value is out of range")
        if not _is_text(self.access_point):
            raise _invalid("the access point is no text")
        if not 1 <= self.validity_s <= VALIDITY_S_MAX:
            raise _invalid(f"a reservation is held for 1 to {VALIDITY_S_MAX} s")


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


def keys_of(secret: bytes, names: Sequence[str]) -> tuple[UInt64Array, UInt64Array]:
    """Return the 128 bits, high and low, each (n,), by which ids are known."""
    found = [
        hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16, key=secret).digest() for name in names
    ]
    halves = np.frombuffer(b"".join(found), "<u8").reshape(-1, 2)
    return np.array(halves[:, 0]), np.array(halves[:, 1])


def _content(request: ChargingRequest) -> int:
    """Return a checksum of all that a request says. It is in the log: its form stays."""
    kind, name, of, access_point, event_type, quantity, increment, at, validity_s, attributes, values = request
    more = "attributes={}, values={}"
    if attributes or values:
        more = f"attributes={dict(sorted(attributes.items()))!r}, values={dict(sorted(values.items()))!r}"
    said = (
        f"ChargingRequest(kind={_KINDS[kind]}, id={name!r}, of={of!r}, access_point={access_point!r}, "
        f"event_type={event_type!r}, quantity={quantity}, increment={increment}, at={at}, validity_s={validity_s}, "
        f"{more})"
    )
    return zlib.crc32(said.encode("utf-8", "surrogatepass"))


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
        rows = np.zeros(len(requests), REQUEST)
        rows["values"] = VALUE_ABSENT
        if not requests:
            return rows, refused
        kinds, ids, about, access_points, event_types, quantities, increments, times, validities, _, _ = zip(
            *requests, strict=True
        )
        rows["hi"], rows["lo"] = keys_of(self._secret, ids)
        of = [place for place, name in enumerate(about) if name]
        if of:
            rows["of_hi"][of], rows["of_lo"][of] = keys_of(self._secret, [about[place] for place in of])
        for name, column in (
            ("quantity", quantities), ("increment", increments), ("event_at", times), ("validity_s", validities),
            ("kind", kinds), ("content", [_content(request) for request in requests]),
        ):  # fmt: skip
            rows[name] = column
        kind = np.array(rows["kind"])
        begins = np.flatnonzero((kind == _RESERVE) | (kind == _CHARGE))
        type_numbers = []
        for place in begins.tolist():
            number, declared = self._types.get(event_types[place], (0, None))
            type_numbers.append(number)
            if declared is None:
                refused[place] = UnableToRequest(
                    "UNKNOWN_EVENT_TYPE", f"the catalog in force has no event type {event_types[place]!r}"
                )
                continue
            request = requests[place]
            if request.attributes or request.values:
                rows["attributes"][place], rows["values"][place] = self._said(place, request, declared, refused)
        rows["event_type"][begins] = type_numbers
        rows["subscription"] = rows["access_point"] = -1
        if len(begins):
            self._find_owners([access_points[place] for place in begins.tolist()], rows, begins, at, refused)
        return rows, refused

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

    def _find_owners(
        self, access_points: Sequence[str], rows: Rows, begins: Int64Array, at: int, refused: dict[int, UnableToRequest]
    ) -> None:
        """Say in the rows `begins`, (k,), which subscriptions have their access points, (k,)."""
        hi, lo = hash_texts(access_points)
        instant = np.array(rows["event_at"][begins])
        instant[instant == 0] = at
        found = attribute(self.active.image.access, hi, lo, instant, np.ones(len(begins), np.bool_))
        answer = found.answer
        nobody = (answer == UNKNOWN) | (answer == NOT_VALID_AT) | (answer == SHARED)
        for place in np.flatnonzero(nobody).tolist():
            words = _NOBODY[int(answer[place])]
            refused[int(begins[place])] = UnableToRequest("UNKNOWN_ACCESS_POINT", f"{words} {access_points[place]!r}")
        rows["subscription"][begins], rows["access_point"][begins] = found.subscription, found.access_point


_NOBODY = {
    UNKNOWN: "the catalog in force has no access point",
    NOT_VALID_AT: "nobody has, at that time, the access point",
    SHARED: "several subscriptions share the access point",
}
_RESERVE, _CHARGE = int(ChargingKind.RESERVE), int(ChargingKind.CHARGE)
_NO_ATTRIBUTES = [0] * REQUEST["attributes"].shape[0]
_NO_VALUES = [VALUE_ABSENT] * REQUEST["values"].shape[0]


def _is_text(words: str) -> bool:
    return words.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in words)


def _invalid(words: str) -> UnableToRequest:
    return UnableToRequest("INVALID_REQUEST", words)
