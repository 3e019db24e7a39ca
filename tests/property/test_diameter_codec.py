"""Laws of the codec: what is written reads the same, damage is a typed failure, bounds hold."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.mediation.diameter.codes import MANDATORY, REQUEST, VENDOR, Result
from pipelines.mediation.diameter.dictionary import NAMED, NUMBERED
from pipelines.mediation.diameter.fields import Field, Group, fields_of, read, write, write_all
from pipelines.mediation.diameter.grammar import NEEDED, check_request
from pipelines.mediation.diameter.messages import (
    AVPS_MAX,
    DEPTH_MAX,
    Avp,
    Header,
    Message,
    UnableToReadMessage,
    decode_message,
    encode_message,
    join_avps,
    message_length,
    split_avps,
    with_hop_by_hop,
)
from pipelines.mediation.diameter.values import KINDS, Wrong

U32 = st.integers(0, 2**32 - 1)
AVPS = st.lists(
    st.builds(
        lambda code, vendor, flags, data: Avp(code, vendor, flags & 0x7F | (VENDOR if vendor else 0), data),
        U32,
        st.sampled_from([0, 10415, 2**32 - 1]),
        st.integers(0, 255),
        st.binary(max_size=20),
    ),
    max_size=6,
)
HEADERS = st.builds(
    Header, st.sampled_from([0, 0x40, 0x80, 0xC0, 0xD0, 0x20]), st.integers(0, 2**24 - 1), U32, U32, U32
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ASCII = st.text(st.characters(max_codepoint=126, min_codepoint=33), min_size=1, max_size=20)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "octets": st.binary(max_size=20),
    "text": TEXT,
    "identity": ASCII,
    "uri": ASCII,
    "rule": ASCII,
    "address": st.one_of(
        st.ip_addresses().map(str),
        st.from_regex(r"\+[0-9]{1,15}", fullmatch=True),
        st.builds(
            lambda family, value: f"{family}:{value.hex()}", st.sampled_from([0, 3, 9, 65535]), st.binary(max_size=9)
        ),
    ),
    "time": st.integers(2**31 - 2_208_988_800, 2**31 + 2**32 - 2_208_988_801),
    "u32": U32,
    "u64": st.integers(0, 2**64 - 1),
    "i32": st.integers(-(2**31), 2**31 - 1),
    "i64": st.integers(-(2**63), 2**63 - 1),
    "enumerated": st.integers(-(2**31), 2**31 - 1),
}
BY_KIND = {kind: sorted(name for name, found in NAMED.items() if found.kind == kind) for kind in [*KINDS, "grouped"]}
LEAVES = st.sampled_from(sorted(VALUES)).flatmap(
    lambda kind: st.tuples(st.sampled_from(BY_KIND[kind]), VALUES[kind]) if BY_KIND[kind] else st.nothing()
)
CONTENTS = st.recursive(
    st.lists(LEAVES, max_size=4).map(tuple),
    lambda inner: st.lists(LEAVES | st.tuples(st.sampled_from(BY_KIND["grouped"]), inner), max_size=4).map(tuple),
    max_leaves=6,
)


@given(HEADERS, AVPS)
def test_a_message_that_is_encoded_decodes_to_itself(header: Header, avps: list[Avp]) -> None:
    data = encode_message(Message(header, tuple(avps)))
    assert len(data) % 4 == 0
    assert message_length(data) == len(data)
    assert decode_message(data) == Message(header, tuple(avps))
    assert decode_message(with_hop_by_hop(data, 77)) == Message(header._replace(hop_by_hop=77), tuple(avps))


def _plain(value: Any) -> Any:
    return tuple((_name(avp), _plain(read(avp))) for avp in value.avps) if isinstance(value, Group) else value


def _name(avp: Avp) -> str:
    return NUMBERED[avp.vendor, avp.code].name


@given(CONTENTS)
def test_what_is_written_by_name_reads_the_same(content: tuple[tuple[str, Any], ...]) -> None:
    group = Group(tuple(write_all(content)))
    assert _plain(group) == content
    assert not any(field.problem for field in fields_of(group.avps))


@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=24))
def test_whatever_bytes_read_to_is_written_again(kind: str, data: bytes) -> None:
    read_value, write_value, bytes_min = KINDS[kind]
    try:
        value = read_value(data)
    except Wrong:
        return
    assert len(data) >= bytes_min
    assert read_value(write_value(value)) == value


def test_instants_go_on_after_2036() -> None:
    event = KINDS["time"]
    assert event.read(struct.pack(">I", 2_208_988_800)) == 0
    assert event.read(bytes(4)) == 2_085_978_496  # 2036-02-07T06:28:16Z
    assert event.read(b"\xff\xff\xff\xff") == 2_085_978_495
    assert event.write(2_085_978_496) == bytes(4)


def _mutate(chance: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(5):
            case 0 if at < len(out):
                out[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            case 1:
                del out[at : at + chance.randint(1, 9)]
            case 2:
                out[at:at] = chance.randbytes(chance.randint(1, 9))
            case 3:
                out[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x08", b"\xc0\0\0\x0c"))
            case _:
                out += out[at : at + 40]
    if chance.random() < 0.7 and len(out) >= 4:  # most have a length that is right, so that AVPs are read
        out += bytes(-len(out) & 3)
        out[:4] = b"\x01" + len(out).to_bytes(3)
    return bytes(out)


SEED = encode_message(
    Message(
        Header(REQUEST | 0x40, 272, 4, 5, 6),
        tuple(
            write_all({
                "Session-Id": "pgw;1;2", "Origin-Host": "pgw", "Origin-Realm": "epc", "Destination-Realm": "ocs",
                "Auth-Application-Id": 4, "Service-Context-Id": "32251@3gpp.org", "CC-Request-Type": 2, "CC-Request-Number": 1,
                "Event-Timestamp": 1_790_000_000, "Subscription-Id": [{"Subscription-Id-Type": 0, "Subscription-Id-Data": "336"}],
                "Multiple-Services-Credit-Control": [
                    {"Rating-Group": 1, "Requested-Service-Unit": {}, "Used-Service-Unit": [{"CC-Total-Octets": 2**40}]},
                    {"Rating-Group": 2, "Used-Service-Unit": [{"CC-Time": 7}]},
                ],
                "Service-Information": {"PS-Information": {"3GPP-Charging-Id": b"abcd", "PDP-Address": ["10.0.0.1", "fe80::1"]}},
            })
        ),
    )
)  # fmt: skip


def _depth(fields: tuple[Field, ...]) -> int:
    return 1 + max((_depth(field.value) for field in fields if isinstance(field.value, tuple)), default=0)


def _assert_of(error: UnableToReadMessage, message: Message) -> None:
    assert error.header == message.header


def _try(data: bytes) -> None:
    try:
        message = decode_message(data)
    except UnableToReadMessage as error:
        write("Failed-AVP", error.failed)
        encode_message(Message(error.header or Header(0, 0, 0, 0, 0), (write("Result-Code", int(error.result)),)))
        return
    assert decode_message(encode_message(message)) == message
    assert _depth(tuple(fields_of(message.avps))) <= DEPTH_MAX + 2
    try:
        check_request(message)
    except UnableToReadMessage as error:
        write("Failed-AVP", error.failed)
        _assert_of(error, message)


def _fuzz(seed: int, count: int) -> None:
    chance = random.Random(seed)
    for _ in range(count):
        _try(_mutate(chance, SEED))


def test_damaged_messages_are_typed_failures() -> None:
    _fuzz(1, 2_000)


@pytest.mark.soak
def test_a_million_damaged_messages_are_typed_failures() -> None:
    _fuzz(2, 1_000_000)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_a_typed_failure(data: bytes) -> None:
    _try(data)


# ---- bounds, and what they are answered with


def _refusal(data: bytes) -> UnableToReadMessage:
    with pytest.raises(UnableToReadMessage) as caught:
        check_request(decode_message(data))
    return caught.value


def _request(*avps: Avp, flags: int = REQUEST, command: int = 280, application: int = 0) -> bytes:
    return encode_message(Message(Header(flags, command, application, 1, 2), avps))


WHO = (write("Origin-Host", "a"), write("Origin-Realm", "b"))


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (b"", 5015), (b"\x01\0\0\0" + bytes(16), 5015), (b"\x01\0\0\x13" + bytes(16), 5015), (b"\x01\0\0\x16" + bytes(18), 5015), (b"\x02\0\0\x14" + bytes(16), 5011),
        (b"\x01\xff\xff\xfc" + bytes(16), 5015), (_request(*WHO) + bytes(4), 5015), (_request(*WHO, flags=0xA0), 3008),
        (_request(*WHO, command=999), 3001), (_request(*WHO, application=7), 3007), (_request(WHO[0]), 5005),
        (_request(*WHO, WHO[0]), 5009), (_request(*WHO, Avp(99_999, 0, MANDATORY, b"x")), 5001),
        (_request(Avp(264, 0, MANDATORY, b""), WHO[1]), 5014), (_request(Avp(264, 0, MANDATORY, b"\xff"), WHO[1]), 5004),
    ],
)  # fmt: skip
def test_what_is_wrong_is_answered_by_its_result(data: bytes, result: int) -> None:
    assert _refusal(data).result == result


def test_an_avp_that_says_too_little_or_too_much_is_blamed() -> None:
    for length in (0, 7, 11, 21, 0xFFFFFF):
        body = struct.pack(">II", 264, VENDOR << 24 | length) + bytes(12)
        data = b"\x01\0\0\x28" + bytes.fromhex("80000118 00000000 00000001 00000002".replace(" ", "")) + body
        refusal = _refusal(data)
        assert refusal.result == Result.INVALID_AVP_LENGTH
        assert [avp.code for avp in refusal.failed] == [264]
        assert refusal.header is not None


def test_failed_avp_names_what_is_missing_or_wrong_within_its_groups() -> None:
    assert _refusal(_request(WHO[0])).failed == (Avp(296, 0, MANDATORY, b"\0"),)
    inner = Avp(99_999, 0, MANDATORY, b"x")
    deep = write("Proxy-Info", (write("Proxy-Host", "h"), inner))
    refusal = _refusal(_request(*WHO, deep))
    assert (refusal.result, refusal.failed) == (Result.AVP_UNSUPPORTED, (write("Proxy-Info", (inner,)),))
    bad = write("Proxy-Info", (Avp(280, 0, MANDATORY, b"h"),))._replace(data=struct.pack(">II", 280, 3))
    assert _refusal(_request(*WHO, bad)).failed == (bad._replace(data=join_avps([Avp(280, 0, 0, b"")])),)


def test_usage_information_may_hold_what_the_dictionary_lacks() -> None:
    inner = Avp(99_999, 10415, MANDATORY | VENDOR, b"x")
    check_request(decode_message(_request(*WHO, write("Service-Information", (inner,)))))
    assert _refusal(_request(*WHO, inner)).result == Result.AVP_UNSUPPORTED


def test_groups_in_groups_are_bounded() -> None:
    avp = write("Failed-AVP", ())
    for _ in range(DEPTH_MAX + 3):
        avp = write("Failed-AVP", (avp,))
    assert _refusal(_request(*WHO, avp)).result == Result.INVALID_AVP_VALUE
    assert _depth(tuple(fields_of((avp,)))) == DEPTH_MAX + 1


def test_avps_of_one_level_are_bounded() -> None:
    assert len(split_avps(struct.pack(">II", 25, 8) * AVPS_MAX)) == AVPS_MAX
    with pytest.raises(UnableToReadMessage) as caught:
        split_avps(struct.pack(">II", 25, 8) * (AVPS_MAX + 1))
    assert caught.value.result == Result.AVP_OCCURS_TOO_MANY_TIMES


def test_every_needed_avp_is_asked_for() -> None:
    whole = decode_message(SEED)
    check_request(whole)
    for name in NEEDED[272]:
        left = tuple(avp for avp in whole.avps if (avp.vendor, avp.code) != (NAMED[name].vendor, NAMED[name].code))
        refusal = _refusal(encode_message(whole._replace(avps=left)))
        assert (refusal.result, refusal.failed[0].code) == (Result.MISSING_AVP, NAMED[name].code)


def test_what_cannot_be_sent_is_refused() -> None:
    for name, value in (
        ("CC-Time", -1), ("CC-Time", 2**32), ("Host-IP-Address", "nowhere"), ("Event-Timestamp", -(2**40)),
        ("Origin-Host", "é"), ("Session-Id", "\ud800"),
    ):  # fmt: skip
        with pytest.raises(Wrong):
            write(name, value)
    with pytest.raises(ValueError, match="needs the V bit"):
        join_avps([Avp(1, 10415, 0, b"")])
    with pytest.raises(ValueError, match="bytes"):
        join_avps([Avp(1, 0, 0, bytes(1 << 24))])
    with pytest.raises(KeyError):
        write("No-Such-AVP", 1)
