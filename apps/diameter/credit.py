"""What a Credit-Control-Request asks (RFC 8506 §3.1), read from its AVPs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from pipelines.mediation.diameter.codes import Result
from pipelines.mediation.diameter.fields import Group
from pipelines.mediation.diameter.grammar import check_request
from pipelines.mediation.diameter.messages import UnableToReadMessage, decode_message
from schemas.charging_service import SubscriptionType

KINDS: tuple[SubscriptionType, ...] = ("e164", "imsi", "sip_uri", "nai", "private")
PARTS_MAX = 128
"""How many services one request may name."""


class RequestType(IntEnum):
    """CC-Request-Type."""

    INITIAL = 1
    UPDATE = 2
    TERMINATION = 3
    EVENT = 4


class Action(IntEnum):
    """Requested-Action of an event."""

    DIRECT_DEBITING = 0
    REFUND_ACCOUNT = 1
    CHECK_BALANCE = 2
    PRICE_ENQUIRY = 3


class Units(NamedTuple):
    """Amounts of a Requested-Service-Unit or Used-Service-Unit, by measure; None: it says none.

    `total_octets`: CC-Total-Octets, or else the sum of CC-Input-Octets and CC-Output-Octets.
    """

    total_octets: int | None = None
    input_octets: int | None = None
    output_octets: int | None = None
    time: int | None = None
    service_units: int | None = None


class Part(NamedTuple):
    """What is asked of one service.

    Attributes:
        group: what reservations of the session are told apart by.
        requested: what is asked for, None when nothing is. used: what is reported, by change of tariff, or summed up.
        alone: it is not in a Multiple-Services-Credit-Control, and is answered beside it.
        refund: what the answer to the charge said that is to be refunded.
    """

    group: str
    rating_group: int | None
    identifiers: tuple[int, ...]
    requested: Units | None
    used: tuple[Units, ...]
    alone: bool = False
    refund: bytes | None = None


def group_of(rating_group: int | None, identifiers: tuple[int, ...]) -> str:
    """Return what reservations of a session are told apart by. The charging log has it: its form stays."""
    return f"{'' if rating_group is None else rating_group}/{'+'.join(map(str, sorted(identifiers)))}"


WHOSE_MAX = 1024
"""Characters of a session and its element that are kept: a session that says more is never asked anything."""


class Whose(NamedTuple):
    """A session as its network element knows it: what a request of ours to it says."""

    id: str
    sub: int | None
    host: str
    realm: str

    @property
    def is_short(self) -> bool:
        """Whether it may be kept: names have no bound of their own, and as many are kept as there are sessions."""
        return len(self.id) + len(self.host) + len(self.realm) <= WHOSE_MAX


@dataclass(slots=True)
class Credit:
    """One request.

    Attributes:
        session: a name for Session-Id and CC-Sub-Session-Id, of fixed length.
        at: microseconds UTC of Event-Timestamp, 0 without one.
        subscription_ids: by kind. parts: what is asked, each service once.
        whose: the session as its network element knows it. peer: Origin-Host of the connection that it came by.
        raw: the message, read again where more of it is wanted; b"" where `avps` has it.
    """

    session: str
    type: RequestType
    number: int
    action: Action | None
    context: str
    at: int
    subscription_ids: dict[str, str]
    parts: tuple[Part, ...]
    whose: Whose
    raw: bytes = b""
    avps: Group | None = None
    peer: str = ""

    @property
    def said(self) -> Group:
        """All AVPs."""
        if self.avps is None:
            self.avps = check_request(decode_message(self.raw, len(self.raw)))
        return self.avps

    def access_point(self, kinds: tuple[SubscriptionType, ...]) -> str | None:
        """Return the Subscription-Id of the first of some kinds that is there."""
        for kind in kinds:
            if kind in self.subscription_ids:
                return self.subscription_ids[kind]
        return None

    def name(self, group: str, number: int, step: str) -> str:
        """Name a request of the charging port: the same message again makes the same names, whoever takes it."""
        return request_name(self.session, group, number, step)

    def attribute(self, path: str) -> str | None:
        """Return the first value at a path of AVPs, as text; None when it is not there."""
        *groups, last = path.split(".")
        found: Group | None = self.said
        for name in groups:
            found = found.get(name) if found is not None else None
        value = None if found is None else found.get(last)
        return value.hex() if isinstance(value, bytes) else None if value is None else str(value)


def session_name(session: str, sub: int | None) -> str:
    """Return a name of fixed length for Session-Id and CC-Sub-Session-Id. The charging log has it: its form stays."""
    return hashlib.blake2b(f"{session}\0{'' if sub is None else sub}".encode(), digest_size=20).hexdigest()


def request_name(session: str, group: str, number: int, step: str) -> str:
    """Return the name of a request of the charging port. The charging log has it: its form stays."""
    return f"gy/{session}/{group}/{number}/{step}"


def read_credit(said: Group) -> Credit:
    """Return what a request asks.

    Raises:
        UnableToReadMessage: with what it is answered with.
    """
    whose = Whose(
        said.need("Session-Id"), said.get("CC-Sub-Session-Id"), said.need("Origin-Host"), said.need("Origin-Realm")
    )
    digest = session_name(whose.id, whose.sub)
    kind, number = _type(said), said.need("CC-Request-Number")
    ids: dict[str, str] = {}
    for each in said.all("Subscription-Id"):
        place = each.need("Subscription-Id-Type")
        if 0 <= place < len(KINDS):
            ids.setdefault(KINDS[place], each.need("Subscription-Id-Data"))
    at = said.get("Event-Timestamp")
    return Credit(
        session=digest,
        type=kind,
        number=number,
        action=_action(said, kind),
        context=said.need("Service-Context-Id"),
        at=0 if at is None else at * 1_000_000,
        subscription_ids=ids,
        parts=_parts(said),
        whose=whose,
        avps=said,
    )


def _type(said: Group) -> RequestType:
    found = said.need("CC-Request-Type")
    if found not in set(RequestType):
        raise _invalid(said, "CC-Request-Type", f"there is no CC-Request-Type {found}")
    return RequestType(found)


def _action(said: Group, kind: RequestType) -> Action | None:
    if kind is not RequestType.EVENT:
        return None
    found = said.need("Requested-Action")
    if found not in set(Action):
        raise _invalid(said, "Requested-Action", f"there is no Requested-Action {found}")
    return Action(found)


def _invalid(said: Group, name: str, words: str) -> UnableToReadMessage:
    return UnableToReadMessage(Result.INVALID_AVP_VALUE, words, failed=said.raw(name)[:1])


def _parts(said: Group) -> tuple[Part, ...]:
    services = said.all("Multiple-Services-Credit-Control")
    if len(services) > PARTS_MAX:
        raise UnableToReadMessage(Result.AVP_OCCURS_TOO_MANY_TIMES, f"more than {PARTS_MAX} services")
    alone = not services and any(said.has(name) for name in ("Requested-Service-Unit", "Used-Service-Unit"))
    event = not services and said.has("Requested-Action")
    found = [_part(each, alone=False) for each in services] + ([_part(said, alone=True)] if alone or event else [])
    groups = [part.group for part in found]
    if len(set(groups)) < len(groups):
        raise UnableToReadMessage(Result.CONTRADICTING_AVPS, "a rating group or service comes more than once")
    return tuple(found)


def _part(group: Group, *, alone: bool) -> Part:
    rating_group, identifiers = group.get("Rating-Group"), tuple(group.all("Service-Identifier"))
    requested = group.get("Requested-Service-Unit")
    return Part(
        group=group_of(rating_group, identifiers),
        rating_group=rating_group,
        identifiers=identifiers,
        requested=None if requested is None else units_of(requested),
        used=tuple(map(units_of, group.all("Used-Service-Unit"))),
        alone=alone,
        refund=group.get("Refund-Information"),
    )


def units_of(group: Group) -> Units:
    """Return the amounts of a Requested-Service-Unit or Used-Service-Unit."""
    total, came, went, time, units = (group.get(name) for name in UNIT_AVPS)
    if total is None and (came is not None or went is not None):
        total = (came or 0) + (went or 0)
    return Units(total, came, went, time, units)


UNIT_AVPS = ("CC-Total-Octets", "CC-Input-Octets", "CC-Output-Octets", "CC-Time", "CC-Service-Specific-Units")
"""What says an amount, in the order of `Units`."""
