"""How a specification's types are written down as data: which tag a name has, and how the octets below it read.

A table is nested `Structure`, `Choice`, `ListOf` and kinds:

    PARTY = Structure({"number": (context(1), Kind.ADDRESS), "name": (context(2), Kind.STRING)})
    RECORD = Structure({"caller": (context(0), PARTY), "volumes": (context(5), ListOf(universal(2), Kind.INTEGER))})

Tags are those that are on the wire: of a type with implicit tagging the outer one; where tagging is explicit (always of a
`Choice`) write the inner tags as members of a `Structure` or `Choice` of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from pipelines.mediation.kernels import ber_text


class Kind(IntEnum):
    """How octets read; `kernels.ber_text.write_value` has the text of each. Parity is tested.

    INTEGER is decimal (also of ENUMERATED), BOOLEAN and NULL are `true` and `false`, OCTETS and BITS hexadecimal.
    TBCD and BCD are digits, the low or the high nibble first. ADDRESS is the digits after octets of type and plan;
    ADDRESS_INTERNATIONAL has a `+` before them where the type is international; SMS_ADDRESS has, before the octet of type and
    plan, one with the number of digits (or none). TIMESTAMP is ISO 8601, TIME_ZONE `+hh:mm`.
    """

    INTEGER = ber_text.INTEGER
    BOOLEAN = ber_text.BOOLEAN
    NULL = ber_text.NULL
    STRING = ber_text.STRING
    OCTETS = ber_text.OCTETS
    BITS = ber_text.BITS
    TBCD = ber_text.TBCD
    BCD = ber_text.BCD
    ADDRESS = ber_text.ADDRESS
    ADDRESS_INTERNATIONAL = ber_text.ADDRESS_INTERNATIONAL
    TIMESTAMP = ber_text.TIMESTAMP
    TIME_ZONE = ber_text.TIME_ZONE
    PLMN = ber_text.PLMN
    IP = ber_text.IP
    SMS_ADDRESS = ber_text.SMS_ADDRESS
    SMS_ADDRESS_INTERNATIONAL = ber_text.SMS_ADDRESS_INTERNATIONAL


def universal(number: int) -> int:
    """Return the key of a tag [UNIVERSAL number]: 2 INTEGER, 4 OCTET STRING, 10 ENUMERATED, 16 SEQUENCE, 17 SET."""
    return number * 4


def application(number: int) -> int:
    """Return the key of a tag [APPLICATION number]."""
    return number * 4 + 1


def context(number: int) -> int:
    """Return the key of a context-specific tag [number]."""
    return number * 4 + 2


def private(number: int) -> int:
    """Return the key of a tag [PRIVATE number]."""
    return number * 4 + 3


Member: TypeAlias = "tuple[int | None, Type]"
"""A tag's key and what it holds; None: a choice without a tag of its own, whose alternatives stand in its place."""


@dataclass(frozen=True, slots=True)
class Structure:
    """SEQUENCE or SET: members by name. A path that ends here means `main`, where there is one."""

    members: Mapping[str, Member]
    main: str | None = None


@dataclass(frozen=True, slots=True)
class Choice(Structure):
    """CHOICE: alternatives by name. A path that ends here means whichever of them is there."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """SEQUENCE OF or SET OF: elements have no name of their own.

    Attributes:
        tag: key of each element; None when the elements are choices without a tag.
    """

    tag: int | None
    element: Type


Type: TypeAlias = "Kind | Structure | ListOf"


@dataclass(frozen=True, slots=True)
class RecordKind:
    """One kind of record of a file: the key of its tag, and its members."""

    tag: int
    members: Structure


def structure(members: Mapping[str, tuple[int | None, Type]]) -> Structure:
    """Return a structure whose members have context-specific tags of these numbers."""
    return Structure(_in_context(members))


def choice(alternatives: Mapping[str, tuple[int | None, Type]]) -> Choice:
    """Return a choice whose alternatives have context-specific tags of these numbers."""
    return Choice(_in_context(alternatives))


def _in_context(members: Mapping[str, tuple[int | None, Type]]) -> Mapping[str, Member]:
    return {name: (None if number is None else context(number), kind) for name, (number, kind) in members.items()}


def sequence_of(element: Type) -> ListOf:
    """Return a list of SEQUENCEs."""
    return ListOf(universal(16), element)


def set_of(element: Type) -> ListOf:
    """Return a list of SETs."""
    return ListOf(universal(17), element)
