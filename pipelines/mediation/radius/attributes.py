"""The attributes of RADIUS accounting by name, and how a source's fields find them.

Numbers and types: RFC 2865 §5, RFC 2866 §5, RFC 2868 §3, RFC 2869 §5, RFC 3162 §2, RFC 4818 §3, RFC 6911 §3; those of
vendor 10415 (3GPP): TS 29.061 §16.4.7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels.radius import CAUSE, INTEGER, IPV4, IPV6, OCTETS, PREFIX, STATUS, TEXT, TIME
from pipelines.mediation.kernels.radius_detail import (
    DELAY,
    HAPPENED,
    INPUT_GIGAWORDS,
    INPUT_OCTETS,
    OUTPUT_GIGAWORDS,
    OUTPUT_OCTETS,
    RECEIVED,
)
from schemas.arrays import Int32Array, Int64Array, UInt8Array

STANDARD = 0
THREE_GPP = 10415
VENDOR_SPECIFIC = 26
INPUT_OCTETS_64 = "Input-Octets-64"
OUTPUT_OCTETS_64 = "Output-Octets-64"
EVENT_TIME = "Event-Time"
TOTAL_OCTETS_64 = "Total-Octets-64"
VIRTUAL = (INPUT_OCTETS_64, OUTPUT_OCTETS_64, EVENT_TIME, TOTAL_OCTETS_64)
KINDS = {"octets": OCTETS, "text": TEXT, "integer": INTEGER, "ipv4": IPV4, "ipv6": IPV6, "time": TIME}

_BY_KIND: dict[int, dict[str, int]] = {
    TEXT: {
        "User-Name": 1, "Filter-Id": 11, "Reply-Message": 18, "Callback-Number": 19, "Callback-Id": 20, "Framed-Route": 22,
        "Called-Station-Id": 30, "Calling-Station-Id": 31, "NAS-Identifier": 32, "Login-LAT-Service": 34,
        "Login-LAT-Node": 35, "Acct-Session-Id": 44, "Acct-Multi-Session-Id": 50, "Acct-Tunnel-Connection": 68,
        "Connect-Info": 77, "NAS-Port-Id": 87, "Framed-Pool": 88, "Framed-IPv6-Route": 99, "Framed-IPv6-Pool": 100,
    },
    INTEGER: {
        "NAS-Port": 5, "Service-Type": 6, "Framed-Protocol": 7, "Framed-Routing": 10, "Framed-MTU": 12,
        "Framed-Compression": 13, "Login-Service": 15, "Login-TCP-Port": 16, "Framed-IPX-Network": 23, "Session-Timeout": 27,
        "Idle-Timeout": 28, "Termination-Action": 29, "Acct-Delay-Time": 41, "Acct-Input-Octets": 42, "Acct-Output-Octets": 43,
        "Acct-Authentic": 45, "Acct-Session-Time": 46, "Acct-Input-Packets": 47, "Acct-Output-Packets": 48,
        "Acct-Link-Count": 51, "Acct-Input-Gigawords": 52, "Acct-Output-Gigawords": 53, "NAS-Port-Type": 61, "Port-Limit": 62,
        "Acct-Interim-Interval": 85, "Acct-Tunnel-Packets-Lost": 86,
    },
    IPV4: {"NAS-IP-Address": 4, "Framed-IP-Address": 8, "Framed-IP-Netmask": 9, "Login-IP-Host": 14},
    TIME: {"Event-Timestamp": 55},
    STATUS: {"Acct-Status-Type": 40},
    CAUSE: {"Acct-Terminate-Cause": 49},
    OCTETS: {"Class": 25, "Proxy-State": 33, "Framed-Interface-Id": 96},
    IPV6: {"NAS-IPv6-Address": 95, "Login-IPv6-Host": 98, "Framed-IPv6-Address": 168},
    PREFIX: {"Framed-IPv6-Prefix": 97, "Delegated-IPv6-Prefix": 123},
}  # fmt: skip
_THREE_GPP_BY_KIND: dict[int, dict[str, int]] = {
    TEXT: {
        "3GPP-IMSI": 1, "3GPP-GPRS-Negotiated-QoS-Profile": 5, "3GPP-IMSI-MCC-MNC": 8, "3GPP-GGSN-MCC-MNC": 9,
        "3GPP-NSAPI": 10, "3GPP-Selection-Mode": 12, "3GPP-Charging-Characteristics": 13, "3GPP-SGSN-MCC-MNC": 18,
        "3GPP-IMEISV": 20,
    },
    INTEGER: {"3GPP-Charging-Id": 2, "3GPP-PDP-Type": 3, "3GPP-RAT-Type": 21},
    IPV4: {"3GPP-CG-Address": 4, "3GPP-SGSN-Address": 6, "3GPP-GGSN-Address": 7},
    IPV6: {"3GPP-CG-IPv6-Address": 14, "3GPP-SGSN-IPv6-Address": 15, "3GPP-GGSN-IPv6-Address": 16},
    OCTETS: {"3GPP-Session-Stop-Indicator": 11, "3GPP-User-Location-Info": 22, "3GPP-MS-TimeZone": 23},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute.

    Attributes:
        vendor: its vendor's number, 0 for those of the RFCs; number: its type.
        kind: how its value reads (`pipelines.mediation.kernels.radius`).
    """

    vendor: int
    number: int
    kind: int


NAMED: dict[str, Attribute] = {
    **{name: Attribute(STANDARD, number, kind) for kind, names in _BY_KIND.items() for name, number in names.items()},
    **{
        name: Attribute(THREE_GPP, number, kind)
        for kind, names in _THREE_GPP_BY_KIND.items()
        for name, number in names.items()
    },
}
"""Attributes that have a name of their own."""
_NUMBERED = re.compile(r"(?:Attr-(\d{1,3})|Vendor-(\d{1,8})-(\d{1,3}))(?::([a-z0-9]+))?", re.ASCII)
NUMBER_MAX = 255
VENDOR_MAX = 0xFFFFFF


def find_attribute(name: str) -> Attribute | None:
    """Return the attribute that a field names, None when its name says nothing.

    Raises:
        UnableToCompileSource: when a number or a kind is out of range.
    """
    if name in NAMED:
        return NAMED[name]
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return None
    vendor, number, kind = int(match[2] or 0), int(match[1] or match[3]), match[4] or "octets"
    if kind not in KINDS:
        raise UnableToCompileSource(f"mapping: {name!r} is read as one of {', '.join(KINDS)}")
    if not 1 <= number <= NUMBER_MAX or vendor > VENDOR_MAX or (match[2] is not None and vendor == 0):
        raise UnableToCompileSource(f"mapping: there is no attribute {name!r}: types are 1 to {NUMBER_MAX}")
    if vendor == STANDARD and number == VENDOR_SPECIFIC:
        raise UnableToCompileSource(f"mapping: write Vendor-V-T for what is inside {name!r}")
    return Attribute(vendor, number, KINDS[kind])


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The fields of a source as arrays.

    Attributes:
        standard: (256,) index of an attribute type among the entries, -1 when it is not needed.
        entries: (e, 4) vendor, type, kind, slot of each mapped attribute.
        virtual: (4,) slots of the fields that are computed, -1 when they are not mapped.
        names: the texts by which `detail` files may call an attribute, joined; bounds: (k + 1,) where each begins.
        named: (k, 3) kind, slot (-1: none) and input (-1: none) of each name; computed fields are made of inputs.
    """

    standard: Int32Array
    entries: Int64Array
    virtual: Int64Array
    names: UInt8Array
    bounds: Int64Array
    named: Int64Array


INPUTS = {
    "Acct-Input-Octets": INPUT_OCTETS, "Acct-Output-Octets": OUTPUT_OCTETS, "Acct-Input-Gigawords": INPUT_GIGAWORDS,
    "Acct-Output-Gigawords": OUTPUT_GIGAWORDS, "Acct-Delay-Time": DELAY, "Event-Timestamp": HAPPENED, "Timestamp": RECEIVED,
}  # fmt: skip
"""What computed fields are made of; `Timestamp` is what FreeRADIUS adds: when it received the packet."""


def compile_fields(fields: tuple[str, ...], *, detail: bool) -> FieldTable:
    """Return how the fields of a source find their attributes; in `detail` files attributes may have any name.

    Raises:
        UnableToCompileSource: when a field names no attribute, or two fields the same.
    """
    standard = np.full(256, -1, np.int32)
    entries: list[tuple[int, int, int, int]] = []
    names: dict[str, tuple[int, int, int]] = {name: (TEXT, -1, number) for name, number in INPUTS.items()}
    seen: dict[tuple[int, int], str] = {}
    for slot, name in enumerate(fields):
        if name in VIRTUAL:
            continue
        attribute = find_attribute(name)
        if attribute is None:
            if not detail:
                near = get_close_matches(name, [*NAMED, *VIRTUAL], 1)
                hint = f" (do you mean {near[0]!r}?)" if near else ""
                message = (
                    f"mapping: there is no attribute {name!r}{hint}; write Attr-N or Vendor-V-T for one without a name"
                )
                raise UnableToCompileSource(message)
            names[name] = (TEXT, slot, INPUTS.get(name, -1))
            continue
        place = (attribute.vendor, attribute.number)
        if place in seen:
            raise UnableToCompileSource(f"mapping: {seen[place]!r} and {name!r} are the same attribute")
        seen[place] = name
        if attribute.vendor == STANDARD:
            standard[attribute.number] = len(entries)
        entries.append((*place, attribute.kind, slot))
        for alias in _aliases(name, attribute):
            names[alias] = (attribute.kind, slot, INPUTS.get(alias, -1))
    texts = [name.encode() for name in names]
    return FieldTable(
        standard=standard,
        entries=np.array(entries, np.int64).reshape(-1, 4),
        virtual=np.array([fields.index(name) if name in fields else -1 for name in VIRTUAL], np.int64),
        names=np.frombuffer(bytearray(b"".join(texts) + bytes(16)), np.uint8),
        bounds=np.cumsum([0, *map(len, texts)]).astype(np.int64),
        named=np.array(list(names.values()), np.int64).reshape(-1, 3),
    )


def _aliases(name: str, attribute: Attribute) -> set[str]:
    """Return the names that a `detail` file may write for an attribute."""
    known = {
        text for text, other in NAMED.items() if (other.vendor, other.number) == (attribute.vendor, attribute.number)
    }
    if attribute.vendor == STANDARD:
        numbered = {f"Attr-{attribute.number}"}
    else:
        numbered = {
            f"Vendor-{attribute.vendor}-{attribute.number}",
            f"Attr-26.{attribute.vendor}.{attribute.number}",
        }
    return known | numbered | {name.partition(":")[0]}
