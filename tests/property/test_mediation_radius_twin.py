"""The RADIUS decoder and its plain-Python twin agree on every field and refusal, wherever the file is cut."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mediation_radius import FIELDS, attribute, decoder, found, found_or_code, hex_twin, packet, packets_twin, radius
from mediation_radius_detail import detail_twin

PACKETS = decoder(radius())
HEX = decoder(radius("hex"))
DETAIL = decoder(radius("detail"))
BOUNDED = decoder(radius("detail", record_bytes_max=256))

NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 7, 8, 9, 10, 18, 19, 255, 1_768_478_400, 2**31, 2**32 - 1])
VALUES = st.one_of(
    NUMBERS.map(lambda number: number.to_bytes(4, "big")),
    st.sampled_from([b"", b"33611", "é".encode(), b"\xff", b"a\0b", b"20801", bytes(16), b"\0\x40" + b"\x20\x01" * 4]),
    st.binary(max_size=20),
)
CUTS = st.one_of(st.integers(1, 90), st.integers(91, 4_000))


@st.composite
def attributes(draw: Any) -> bytes:
    """Return one attribute, most of them mapped, few of them damaged."""
    vendor, number, _ = draw(st.sampled_from([*FIELDS.values(), (0, 42, ""), (0, 52, ""), (0, 53, ""), (0, 77, "")]))
    value = draw(VALUES)
    whole = attribute(number, value, vendor)
    kind = draw(st.integers(0, 40))
    if kind == 0:
        return whole[:1] + bytes([draw(st.integers(0, 255))]) + whole[2:]
    if kind == 1:
        return attribute(26, draw(st.sampled_from([b"", b"\0\0", b"\0\0\x28\xaf", b"\0\0\x28\xaf\x12\x01", whole])))
    if kind == 2 and vendor:
        return attribute(26, whole[2:] + attribute(number, value))
    return whole


def packet_lists() -> st.SearchStrategy[list[bytes]]:
    """Return packets, some of which are other packets or lie about their length."""
    whole = st.builds(
        lambda parts, code: packet(*parts, code=code),
        st.lists(attributes(), max_size=12),
        st.sampled_from([4, 4, 4, 4, 5]),
    )
    return st.lists(whole, max_size=8)


@given(packets=packet_lists(), tail=st.sampled_from([b"", b"", b"\x04", b"\4\0\0\x13", packet()[:19]]), cut=CUTS)
def test_packets(packets: list[bytes], tail: bytes, cut: int) -> None:
    data = b"".join(packets) + tail
    assert found_or_code(lambda: found(PACKETS, data, block_bytes=cut)) == found_or_code(lambda: packets_twin(data))


@given(
    packets=packet_lists(),
    ends=st.lists(
        st.sampled_from([b"\n", b"\r\n", b"0\n", b" \n", b"g0\n", b"00\n", b"\n\n", b"\0\n", b"\xff\n"]), max_size=8
    ),
    upper=st.booleans(),
    cut=CUTS,
    step=st.sampled_from([0, 3]),
)
def test_lines_of_hexadecimal_digits(packets: list[bytes], ends: list[bytes], upper: bool, cut: int, step: int) -> None:
    lines = [(item.hex().upper() if upper else item.hex()).encode() for item in packets]
    data = b"\n" * 64 + b"".join(line + end for line, end in zip(lines, [*ends, *[b"\n"] * 8], strict=False))
    assert found(HEX, data, block_bytes=cut, step=step) == hex_twin(data)


HEADERS = st.sampled_from([
    "Thu Jan 15 20:00:00 2026", "Thu Jan  5 20:00:00 2026", "Sat Feb 28 23:59:59 2026", "Sun Feb 30 00:00:00 2026", "junk", "",
    "Thu Jan 15 20:00:00 1969", "Thu Jan 15 24:00:00 2026",
])  # fmt: skip
TIMES = st.sampled_from([
    "1768503600", '"Jan 15 2026 20:00:00 CET"', '"Jan  5 2026 20:00:00 UTC"', '"Oct 25 2026 02:30:00 +0200"', "0",
    '"Feb 30 2026 00:00:00 GMT"', "99999999999", '"2026-01-15T20:00:00Z"', '"Jan 15 2026 20:00:00 somewhere"', "", "20000000000000000000",
    '"Dec 31 2026 23:59:60 CET"', '"Dec 31 2026 23:59:59"',
])  # fmt: skip
TEXTS = st.sampled_from([
    '"33611"', "33611", '"a\\"b\\\\c\\n"', '"\\303\\251"', '"\\303"', '"\\000"', '"é"', '""', '"', "", '"a" "b"', '"\\', '"\\"', "= =",
    "Interim-Update", "Alive", "2", "9", "7", "User-Request", "18", "19", "0x6162",
])  # fmt: skip
COUNTS = st.sampled_from(["0", "1", "4294967295", "4294967296", "12x", "", '"7"', "-1", "0x1", "00012"])
NAMES = st.sampled_from([*FIELDS, "Attr-26.10415.22", "3GPP-User-Location-Info", "Vendor-9-1", "Acct-Authentic"])


@st.composite
def attribute_lines(draw: Any) -> str:
    """Return one line of a `detail` record."""
    kind = draw(st.integers(0, 9))
    name, value = draw(NAMES), draw(TEXTS)
    if kind < 3:
        inputs = ["Acct-Input-Octets", "Acct-Output-Octets", "Acct-Input-Gigawords", "Acct-Output-Gigawords"]
        name, value = draw(st.sampled_from([*inputs, "Acct-Delay-Time"])), draw(COUNTS)
    elif kind < 5:
        name, value = draw(st.sampled_from(["Event-Timestamp", "Timestamp"])), draw(TIMES)
    elif name == "Event-Timestamp":
        value = draw(TIMES)
    operator = draw(st.sampled_from([" = ", " = ", " = ", " := ", " += ", "=", " : = ", " "]))
    indent: str = draw(st.sampled_from(["\t", "\t", "  ", "\t\t"]))
    return f"{indent}{name}{operator}{value}"


@st.composite
def details(draw: Any) -> bytes:
    """Return a `detail` file."""
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = ""
    for _ in range(draw(st.integers(0, 5))):
        lines = [draw(HEADERS), *draw(st.lists(attribute_lines(), max_size=8))]
        text += end.join(lines) + end + draw(st.sampled_from([end, end, "", "\t" + end]))
    data = text.encode()
    if draw(st.integers(0, 9)) == 0 and data:
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw(st.sampled_from([b"\0", b"\xff", b"\n", b"=", b'"', b""])) + data[at + 1 :]
        data = b"\n" * 64 + data  # one NUL among the first bytes would be another encoding
    return data[: len(data) - draw(st.sampled_from([0, 0, 1, 3]))]


@given(data=details(), cut=CUTS, step=st.sampled_from([0, 5]))
def test_detail_files(data: bytes, cut: int, step: int) -> None:
    assert found(DETAIL, data, block_bytes=cut, step=step) == detail_twin(data)


@given(data=details(), cut=st.integers(1, 4_000))
def test_a_detail_record_that_is_too_long_is_one_record(data: bytes, cut: int) -> None:
    whole = found(BOUNDED, data)
    expected = [(raw, 1, {}) if len(raw) > 256 else (raw, reason, fields) for raw, reason, fields in detail_twin(data)]
    assert whole == expected
    assert found(BOUNDED, data, block_bytes=cut) == expected
