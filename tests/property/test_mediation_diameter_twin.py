"""The decoder of Diameter messages and its plain-Python twin agree on every field and refusal, wherever the file is cut."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mediation_diameter import CONTAINER, acr, decoder, diameter, twin
from mediation_radius import found, found_or_code

from pipelines.mediation.diameter.dictionary import NAMED
from pipelines.mediation.diameter.messages import Avp, join_avps

SOURCES = [
    diameter(),
    diameter(each=None),
    diameter(messages=["ACR", "CCR"], each="Service-Information.Subscription-Id"),
    diameter(messages=["CCR"], record_bytes_max=256),
]
DECODERS = [decoder(source) for source in SOURCES]
VALUES = st.one_of(
    st.sampled_from([b"", b"\0\0\0\0", b"\0\0\0\1", b"\xff\xff\xff\xff", bytes(8), b"\xff" * 8, b"\xed\x10\0\0", b"33611", "é".encode(),
                     b"\xff", b"a\0b", b"\0\1\x7f\0\0\1", b"\0\2" + bytes(15) + b"\1", b"\0\x0833612", b"\0\x0833x", b"\0\x08", bytes(16)]),
    st.integers(0, 2**32 - 1).map(lambda number: number.to_bytes(4)),
    st.binary(max_size=9),
)  # fmt: skip
LEAVES = [
    (0, 263), (0, 264), (0, 480), (0, 485), (0, 55), (0, 416), (0, 429), (0, 9000), (0, 9001), (9, 1), (9, 2), (9, 3), (0, 447),
    (0, 450), (0, 444), (10415, 847), (10415, 2), (10415, 22), (10415, 2050), (10415, 18), (0, 432), (10415, 2063),
    (10415, 2043), (0, 363), (0, 364), (10415, 444), (0, 1),
]  # fmt: skip
GROUPS = [(NAMED[name].vendor, NAMED[name].code) for name in CONTAINER.split(".")]
GROUPS += [(0, 443), (0, 9002), (0, 9003), (0, 445), (10415, 9999)]


@st.composite
def avps(draw: Any, depth: int = 0) -> bytes:
    """Return AVPs as they are sent, most of them mapped, few of them damaged."""
    parts = []
    for _ in range(draw(st.integers(0, 5))):
        grouped = depth < 4 and draw(st.integers(0, 2)) > 0
        vendor, code = draw(st.sampled_from(GROUPS if grouped else LEAVES))
        data = draw(avps(depth + 1)) if grouped else draw(VALUES)
        whole = join_avps([Avp(code, vendor, 0x80 if vendor else 0, data)])
        if draw(st.integers(0, 60)) == 0:
            whole = whole[:7] + bytes([draw(st.integers(0, 255))]) + whole[8:]
        parts.append(whole)
    return b"".join(parts)


@st.composite
def services(draw: Any) -> bytes:
    """Return a Service-Information with several subscriptions and containers, in any order."""
    inner = [join_avps([Avp(2040, 10415, 0xC0, draw(avps(4)))]) for _ in range(draw(st.integers(0, 4)))]
    ps = join_avps([Avp(874, 10415, 0xC0, b"".join(draw(st.permutations([*inner, draw(avps(4))]))))])
    whose = [
        join_avps([Avp(443, 0, 0x40, join_avps(draw(st.permutations([
            Avp(450, 0, 0x40, draw(st.integers(0, 5)).to_bytes(4)), Avp(444, 0, 0x40, draw(VALUES))]))))])
        for _ in range(draw(st.integers(0, 3)))
    ]  # fmt: skip
    return join_avps([Avp(873, 10415, 0xC0, b"".join(draw(st.permutations([*whose, ps]))))])


@st.composite
def messages(draw: Any) -> bytes:
    """Return one message, most of them requests that are read."""
    command = draw(st.sampled_from([271, 271, 271, 272, 280]))
    flags = draw(st.sampled_from([0x80, 0xC0, 0xD0, 0x80, 0x40]))
    body = draw(st.permutations([draw(avps()), draw(services()), draw(avps())]))
    whole = acr((), command=command, flags=flags)[:20] + b"".join(body)
    return whole[:1] + len(whole).to_bytes(3) + whole[4:]


@given(
    files=st.lists(messages(), max_size=5),
    tail=st.sampled_from([b"", b"", b"", b"\1", b"\1\0\0\x10", b"\2\0\0\x14" + bytes(16), b"\1\0\0\x18" + bytes(16)]),
    number=st.integers(0, len(SOURCES) - 1),
    cut=st.one_of(st.integers(1, 300), st.integers(301, 6_000)),
    step=st.sampled_from([0, 7]),
)
def test_messages(files: list[bytes], tail: bytes, number: int, cut: int, step: int) -> None:
    source, compiled = SOURCES[number], DECODERS[number]
    data = b"".join(files) + tail
    seen = found_or_code(lambda: found(compiled, data, block_bytes=cut, step=step))
    assert seen == found_or_code(lambda: twin(source, compiled.field_names, data))
