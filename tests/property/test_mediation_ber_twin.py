"""The BER kernels and their slow twins read the same, whatever the bytes: tables, lengths, nesting, damage, block sizes."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mediation_ber import Endless, Reader, constructed, integer, primitive, read_file, split_file, swapped, text_of

from pipelines.mediation.ber.splitter import BerSplitter
from pipelines.mediation.ber.tags import (
    Choice,
    Kind,
    ListOf,
    RecordKind,
    Structure,
    Type,
    application,
    choice,
    context,
    private,
    sequence_of,
    structure,
    universal,
)
from pipelines.mediation.ber.tree import compile_tags
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.ber_text import write_value

PARTY = choice({"number": (0, Kind.ADDRESS), "name": (1, Kind.STRING), "place": (None, choice({"ip": (2, Kind.IP)}))})
SHARE = Structure({"kind": (application(3), Kind.INTEGER), "parts": (context(7), ListOf(universal(2), Kind.INTEGER))})
VOLUME = structure(
    {
        "group": (1, Kind.INTEGER),
        "at": (5, Kind.TIMESTAMP),
        "party": (6, PARTY),
        "shares": (9, sequence_of(SHARE)),
        "zone": (200, Kind.TIME_ZONE),
    }
)
CALL = Structure(
    {
        "caller": (context(0), Kind.TBCD),
        "called": (context(1), Kind.SMS_ADDRESS),
        "party": (context(2), PARTY),
        "parties": (context(3), ListOf(None, PARTY)),
        "volumes": (context(34), sequence_of(VOLUME)),
        "flag": (private(5), Kind.BOOLEAN),
        "more": (context(6), Structure({"plmn": (context(0), Kind.PLMN), "deep": (context(1), VOLUME)}, main="plmn")),
        "mark": (context(16_000), Kind.NULL),
    }
)
DATA = structure({"caller": (3, Kind.TBCD), "volumes": (4, ListOf(universal(17), VOLUME)), "bits": (5, Kind.BITS)})
KINDS = {
    "call": RecordKind(context(20), CALL),
    "data": RecordKind(context(79), DATA),
    "other": RecordKind(application(1), Structure({})),
}
FIELDS = (
    "recordType", "caller", "called", "called.international", "party", "party.name", "parties", "volumes.group", "volumes.at",
    "volumes.party.place.ip", "volumes.shares.kind", "volumes.shares.parts", "volumes.zone", "flag", "more", "more.deep.group",
    "more.deep.shares.kind", "mark", "bits",
)  # fmt: skip
EACHES = (
    (),
    ("volumes",),
    ("volumes.shares",),
    ("volumes.shares.parts",),
    ("parties", "volumes"),
    ("more.deep.shares",),
)


def _pair(each: tuple[str, ...], bytes_max: int) -> tuple[Reader, BerSplitter]:
    wanted = ("call", "data")
    tree = compile_tags(KINDS, FIELDS, wanted=wanted, each=each)
    return Reader(KINDS, FIELDS, wanted, each, bytes_max), BerSplitter(tree, bytes_max)


PAIRS = {(each, size): _pair(each, size) for each in EACHES for size in (256, 1 << 20)}


def value(chance: random.Random, kind: Kind) -> bytes:
    """Return contents of a kind, sometimes of none."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.choice((0, 1, 2, 3, 9, 16)))
    if kind == Kind.INTEGER:
        return integer(chance.choice((0, 1, -1, 255, -(1 << 63), (1 << 64) - 1, chance.getrandbits(40))))
    if kind in (Kind.TBCD, Kind.BCD):
        return swapped("".join(chance.choices("0123456789", k=chance.randrange(16))))
    if kind in (Kind.ADDRESS, Kind.SMS_ADDRESS):
        digits = "".join(chance.choices("0123456789", k=chance.randrange(13)))
        head = bytes([len(digits)]) if kind == Kind.SMS_ADDRESS and chance.random() < 0.5 else b""
        return head + bytes([chance.choice((0x91, 0x81, 0xA1))]) + swapped(digits)
    if kind == Kind.TIMESTAMP:
        return bytes.fromhex("260501100000") + chance.choice((b"+", b"-")) + bytes.fromhex("0200")
    if kind == Kind.PLMN:
        return bytes.fromhex(chance.choice(("02f810", "130014")))
    sizes = {Kind.IP: (4, 16), Kind.TIME_ZONE: (2,), Kind.BOOLEAN: (1,), Kind.NULL: (0,), Kind.BITS: (1, 5)}
    if kind == Kind.STRING:
        return chance.choice((b"internet", "é€".encode(), b"\xff", b"a\x00"))
    return chance.randbytes(chance.choice(sizes[kind]))


def encode(chance: random.Random, key: int, kind: Type, depth: int = 0) -> bytes:
    """Return a value of a type, in any of the forms that BER allows; members in any order, some missing, some twice."""
    octets = chance.choice((0, 0, 0, 4, 8))
    if isinstance(kind, Kind):
        return primitive(key, value(chance, kind), octets=max(octets, 0))
    if isinstance(kind, ListOf):
        elements = [(kind.tag, kind.element)] * chance.choice((0, 1, 1, 2, 3))
    else:
        names = list(kind.members.values())
        count = 1 if isinstance(kind, Choice) else chance.randrange(len(names) + 2)
        elements = chance.choices(names, k=count) if names else []
    parts = []
    for tag, below in elements:
        while tag is None:
            assert isinstance(below, Structure)
            tag, below = chance.choice(list(below.members.values()))
        parts.append(encode(chance, tag, below, depth + 1))
        if chance.random() < 0.1:
            parts.append(
                chance.choice((primitive(context(90), b"xy"), constructed(private(91), b"\x05\x00", indefinite=True)))
            )
    return constructed(key, *parts, octets=octets, indefinite=chance.random() < 0.3)


def record(chance: random.Random) -> bytes:
    """Return a record of some kind."""
    kind = chance.choice(
        (*KINDS.values(), RecordKind(context(5), CALL)) if chance.random() < 0.2 else [KINDS["call"], KINDS["data"]]
    )
    return encode(chance, kind.tag, kind.members) + chance.choice((b"", b"", b"\x00", b"\xff\xff\x00"))


def damaged(chance: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few of them changed, gone or doubled."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(changed) + 1)
        kind = chance.randrange(4)
        if kind == 0 and at < len(changed):
            changed[at] = chance.choice((0, 0x80, 0xFF, changed[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
        elif kind == 1:
            del changed[at : at + chance.choice((1, 2, 9))]
        elif kind == 2:
            changed[at:at] = changed[at : at + chance.choice((1, 2, 9))]
        else:
            changed[at:at] = chance.choice(
                (b"\x30\x80", b"\x00\x00", b"\x84\xff\xff\xff\xff", b"\xbf\x4f", b"\xa2\x80" * 40)
            )
    return bytes(changed)


@given(
    st.randoms(use_true_random=False),
    st.sampled_from(sorted(PAIRS)),
    st.sampled_from((1, 7, 64, 1 << 20)),
    st.booleans(),
)
def test_walker_and_twin_agree(
    chance: random.Random, pair: tuple[tuple[str, ...], int], block_bytes: int, damage: bool
) -> None:
    reader, splitter = PAIRS[pair]
    data = b"".join(record(chance) for _ in range(chance.randrange(4)))
    if damage:
        data = damaged(chance, data)
    try:
        expected = read_file(reader, data)
    except Endless:
        with pytest.raises(UnableToDecodeFile) as refused:
            split_file(splitter, data, block_bytes=block_bytes)
        assert refused.value.code == "MALFORMED_BER"
        return
    assert split_file(splitter, data, block_bytes=block_bytes) == expected


@given(st.sampled_from(sorted(Kind)), st.binary(max_size=20))
@example(Kind.INTEGER, b"\x80" + bytes(7))
@example(Kind.INTEGER, b"\xff\x7f" + bytes(7))
@example(Kind.INTEGER, b"\x00" * 9 + b"\xff" * 8)
@example(Kind.IP, bytes(10) + b"\xff\xff\x01\x02\x03\x04")
@example(Kind.IP, bytes.fromhex("20010db8000000000001000000000001"))
@example(Kind.ADDRESS, b"\x11\x81\x33")
@example(Kind.SMS_ADDRESS, b"\x0b\x91\x33\x16\x32\x54\x76\xf8")
@example(Kind.TIMESTAMP, bytes.fromhex("2605011000002b0200"))
@example(Kind.STRING, b"\xed\xa0\x80")
def test_values_and_their_texts(kind: Kind, raw: bytes) -> None:
    room = 4 * len(raw) + 8
    text = np.full(room + 8, 0xEE, np.uint8)
    buffer = np.frombuffer(bytearray(raw + bytes(64)), np.uint8)
    end = int(write_value(buffer, 0, len(raw), int(kind), text, 0))
    assert text[:end].tobytes().decode() == text_of(raw, kind)
    assert end <= room
    assert set(text[room:].tolist()) == {0xEE}
