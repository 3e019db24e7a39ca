"""Requests for credit as network elements send them, and damage: messages of which some byte, length or AVP is another."""

from __future__ import annotations

import random
from typing import Any

from diameter_world import asked, service

from apps.diameter.credit import Credit, Part, Units, read_credit
from apps.diameter.plain import PlainCredits
from connectors.diameter.asked import require_route
from connectors.diameter.identity import Identity
from pipelines.mediation.diameter.dictionary import NAMED
from pipelines.mediation.diameter.fields import write_all
from pipelines.mediation.diameter.grammar import check_request
from pipelines.mediation.diameter.messages import (
    Avp,
    Header,
    Message,
    UnableToReadMessage,
    decode_message,
    encode_message,
)

OURS = Identity("ocs.test", "test", 7)
UNITS = ("CC-Total-Octets", "CC-Input-Octets", "CC-Output-Octets", "CC-Time", "CC-Service-Specific-Units")
_NAMES = sorted(NAMED)


def draw_request(chance: random.Random) -> bytes:
    """Return an ordinary request of a session, its AVPs in any order."""
    services = []
    for group in chance.sample([None, 1, 2, 9, 2**32 - 1], chance.randrange(4)):
        amounts = {name: chance.randrange(10**6) for name in UNITS if chance.random() < 0.3}
        used = [
            {name: chance.randrange(10**9) for name in UNITS if chance.random() < 0.4}
            for _ in range(chance.randrange(3))
        ]
        services.append({
            **service(group), "Requested-Service-Unit": amounts if chance.random() < 0.7 else None,
            "Used-Service-Unit": used, "Service-Identifier": chance.choice([None, 7]),
            "Reporting-Reason": chance.choice([None, 3]),
        })  # fmt: skip
    ids = [{"Subscription-Id-Type": kind, "Subscription-Id-Data": f"{chance.randrange(10**9)}é"}
           for kind in chance.sample(range(5), chance.randrange(3))]  # fmt: skip
    said: dict[str, Any] = {
        **asked(type=chance.randrange(1, 4), number=chance.choice([0, 1, 2**32 - 1]), services=services, whose=ids),
        "CC-Sub-Session-Id": chance.choice([None, 0, 5]), "Event-Timestamp": chance.choice([None, 1_800_000_000]),
        "Destination-Host": chance.choice([None, "OCS.test"]), "User-Name": chance.choice([None, "x"]),
        "Service-Information": chance.choice([None, {"PS-Information": {"3GPP-SGSN-MCC-MNC": "20801"}}]),
        "Termination-Cause": chance.choice([None, 1]), "Multiple-Services-Indicator": chance.choice([None, 1]),
    }  # fmt: skip
    avps = write_all({name: value for name, value in said.items() if value is not None})
    chance.shuffle(avps)
    flags = chance.choice([0xC0, 0x80, 0xD0])
    return encode_message(Message(Header(flags, 272, 4, chance.getrandbits(32), chance.getrandbits(32)), tuple(avps)))


def damage(data: bytes, chance: random.Random) -> bytes:
    """Return a message of the length that it says, with something else in it than before."""
    kind = chance.randrange(6)
    header, avps = decode_message(data)
    if kind == 0:  # some bytes behind what is needed to find its end
        found = bytearray(data)
        for _ in range(chance.choice([1, 1, 2, 8])):
            found[chance.randrange(4, len(found))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
        return bytes(found)
    if kind == 1:  # a length
        found, at = bytearray(data), 20
        for _ in range(chance.randrange(len(avps))):
            length = int.from_bytes(found[at + 5 : at + 8])
            at += length + -length % 4
        found[at + 5 : at + 8] = chance.choice([0, 7, 8, 12, len(data), 2**24 - 1, chance.randrange(64)]).to_bytes(3)
        return bytes(found)
    some = list(avps)
    if kind == 2:
        del some[chance.randrange(len(some))]
    elif kind == 3:
        some.append(chance.choice(some))
    elif kind == 4:
        name = NAMED[chance.choice(_NAMES)]
        some.append(Avp(name.code, name.vendor, name.flags, chance.randbytes(chance.choice([0, 1, 4, 8, 12, 20]))))
    else:
        vendor = chance.choice([0, 10415, 9])
        flags = chance.choice([0, 0x40]) | (0x80 if vendor else 0)
        some.append(Avp(chance.choice([9999, 3, 2**32 - 1]), vendor, flags, chance.randbytes(4)))
    return encode_message(Message(header, tuple(some)))


def summed(part: Part) -> Part:
    """Return a part as columns have it: what was used is summed up, and refunds are of events only."""
    sums = [[each for each in column if each is not None] for column in zip(*part.used, strict=True)]
    used = (Units(*(sum(column) if column else None for column in sums)),) if part.used else ()
    return part._replace(used=used, refund=None)


def read_slowly(data: bytes) -> Credit | UnableToReadMessage:
    """Return what a message asks, or why it is refused: grammar, route and content, one after another."""
    try:
        said = check_request(decode_message(data))
        require_route(OURS, said)
        credit = read_credit(said)
    except UnableToReadMessage as error:
        return error
    credit.parts = tuple(map(summed, credit.parts))
    return credit


FIELDS = ("session", "type", "number", "action", "context", "at", "subscription_ids", "parts", "whose")


def disagreement(data: bytes, plain: PlainCredits) -> str:
    """Return where both readers differ about a message, "" where they do not, and "odd" where only one reads it."""
    (found,) = plain.read([data], 1 << 18)
    slowly = read_slowly(data)
    if found is None:
        return "odd"
    if isinstance(slowly, UnableToReadMessage):
        return f"{data.hex()}: taken, but {slowly}"
    differ = [name for name in FIELDS if getattr(found[0], name) != getattr(slowly, name)]
    if found[1].decode() != check_request(decode_message(data)).get("Session-Id"):
        differ.append("Session-Id")
    return f"{data.hex()}: {differ}" if differ else ""
