"""The reference decoder and encoder of TS 32.298 (pycrate), beside our tables: values of every field, and their paths."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

from mediation_ber import text_of

from pipelines.mediation.ber.tags import Choice, Kind, ListOf, Structure, Type

TOPS = {
    "packet": ("GPRSChargingDataTypes", "GPRSRecord"),
    "circuit": ("CSChargingDataTypes", "CSRecord"),
    "short_message": ("SMSChargingDataTypes", "SMSRecordType"),
}
KINDS_OF_TYPES = {
    "INTEGER": {Kind.INTEGER},
    "ENUMERATED": {Kind.INTEGER},
    "BOOLEAN": {Kind.BOOLEAN},
    "NULL": {Kind.NULL},
    "BIT STRING": {Kind.BITS},
    "OCTET STRING": set(Kind) - {Kind.INTEGER, Kind.BOOLEAN, Kind.NULL, Kind.BITS},
}
"""Which of our kinds a type of the specification may be read as; of other types STRING."""


@cache
def choice_of(domain: str) -> Any:
    """Return the choice of records of a domain."""
    import pycrate_asn1dir.CDR as specification

    module, name = TOPS[domain]
    return getattr(getattr(specification, module), name)


def leaves(kind: Type, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Kind]]:
    """Return every path of a table that ends at a value, through choices by name."""
    while isinstance(kind, ListOf):
        kind = kind.element
    if isinstance(kind, Kind):
        yield ".".join(path), kind
        return
    for name, (_, below) in kind.members.items():
        yield from leaves(below, (*path, name))


def plain(kind: Type, asn1: Any, value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Return (path, text) of every value that our table knows; of lists each element, one after the other."""
    if isinstance(kind, ListOf):
        for element in value:
            yield from plain(kind.element, asn1._cont, element, path)
    elif isinstance(kind, Choice):
        name, below = value
        if name in kind.members:
            yield from plain(kind.members[name][1], asn1._cont[name], below, (*path, name))
    elif isinstance(kind, Structure):
        for name, below in value.items():
            if name in kind.members:
                yield from plain(kind.members[name][1], asn1._cont[name], below, (*path, name))
    else:
        yield ".".join(path), _text(kind, asn1, value)


def _text(kind: Kind, asn1: Any, value: Any) -> str:
    if asn1.TYPE == "ENUMERATED":
        return str(asn1._cont[value])
    if isinstance(value, bool):
        return str(value).lower()
    if asn1.TYPE == "NULL":
        return "true"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        number, bits = value
        return (number << -bits % 8).to_bytes((bits + 7) // 8, "big").hex()
    return text_of(value if isinstance(value, bytes) else value.encode(), kind)


def mismatches(kind: Type, asn1: Any, path: str = "") -> Iterator[str]:
    """Return what our table says otherwise than the specification: names, tags, types."""
    if isinstance(kind, ListOf):
        if asn1.TYPE not in ("SEQUENCE OF", "SET OF"):
            yield f"{path}: {asn1.TYPE}"
            return
        if kind.tag != _key(asn1._cont):
            yield f"{path}: element {_key(asn1._cont)}"
        yield from mismatches(kind.element, asn1._cont, path)
    elif isinstance(kind, Structure):
        if (asn1.TYPE == "CHOICE") != isinstance(kind, Choice):
            yield f"{path}: {asn1.TYPE}"
        for name, (tag, below) in kind.members.items():
            if name not in asn1._cont:
                yield f"{path}.{name}: unknown"
            elif tag != _key(asn1._cont[name]):
                yield f"{path}.{name}: {_key(asn1._cont[name])}"
            else:
                yield from mismatches(below, asn1._cont[name], f"{path}.{name}")
    elif kind not in KINDS_OF_TYPES.get(asn1.TYPE, {Kind.STRING}):
        yield f"{path}: {asn1.TYPE}"


def left_out(kind: Type, asn1: Any, path: str = "") -> Iterator[str]:
    """Return the paths that the specification has and our table does not."""
    while isinstance(kind, ListOf):
        kind, asn1 = kind.element, asn1._cont
    if isinstance(kind, Structure):
        for name, below in asn1._cont.items():
            if name not in kind.members:
                yield f"{path}.{name}"
            else:
                yield from left_out(kind.members[name][1], below, f"{path}.{name}")


def _key(asn1: Any) -> int | None:
    tags = asn1._tagc or []
    return None if not tags else tags[0][1] * 4 + tags[0][0]


SAMPLES: dict[Kind, tuple[bytes, ...]] = {
    Kind.TBCD: (bytes.fromhex("02081132547698f0"), bytes.fromhex("5396833065340819")),
    Kind.ADDRESS: (bytes.fromhex("91336103214365f7"), bytes.fromhex("a121436587")),
    Kind.SMS_ADDRESS: (bytes.fromhex("0b91336103214365f7"), bytes.fromhex("81213495")),
    Kind.TIMESTAMP: (bytes.fromhex("2605011000002b0200"), bytes.fromhex("2601152359592d0330")),
    Kind.PLMN: (bytes.fromhex("02f810"), bytes.fromhex("130014")),
    Kind.TIME_ZONE: (bytes.fromhex("8001"), bytes.fromhex("0a00")),
}


def sample(chance: random.Random, kind: Type, asn1: Any, name: str = "") -> Any:
    """Return a value with every member that our table knows, as the reference takes it."""
    if isinstance(kind, ListOf):
        return [sample(chance, kind.element, asn1._cont) for _ in range(2)]
    if isinstance(kind, Choice):
        name = chance.choice(list(kind.members))
        return name, sample(chance, kind.members[name][1], asn1._cont[name], name)
    if isinstance(kind, Structure):
        return {
            **({"recordType": 85} if "recordType" in asn1._cont else {}),
            **{name: sample(chance, below, asn1._cont[name], name) for name, (_, below) in kind.members.items()},
        }
    if asn1.TYPE == "ENUMERATED":
        return chance.choice(list(asn1._cont))
    if kind == Kind.INTEGER:
        known = asn1._const_val
        return chance.choice((0, 1, 255, 1 << 40)) if known is None else chance.choice((known.lb or 0, known.ub or 1))
    if kind in (Kind.BOOLEAN, Kind.NULL):
        return True if kind == Kind.BOOLEAN else 0
    least = asn1._const_sz.lb or 1 if asn1._const_sz is not None else 4
    if kind == Kind.BITS:
        return (chance.getrandbits(least), least)
    if kind == Kind.IP:
        return chance.randbytes(4 if "V4" in name else 16)
    if kind == Kind.STRING:
        text = "node1.example.org"[: max(least, 4)]
        return text.encode() if asn1.TYPE == "OCTET STRING" else text
    return chance.choice(SAMPLES[kind]) if kind in SAMPLES else chance.randbytes(least)
