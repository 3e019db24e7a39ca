"""The TAP decoder and its plain-Python twin agree on every field and refusal, wherever the file is cut."""

from __future__ import annotations

from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from mediation_tap import ALL, FEW, decoder, found, tap
from mediation_tap_twin import tap_twin

from benchmarks.generate.roaming import audit_of, bcd, head_of, number, stamp, time_of, tlv
from pipelines.mediation.tap import batch
from pipelines.mediation.tap.tags import EVENTS, STRUCTURE, TIMES, VALUES, tag_shapes

LENIENT = tap(*FEW, audit=False)
EVERYTHING = tap(*ALL, audit=False)
STRICT = tap("charge", "tax")
DECODERS = {"few": (LENIENT, decoder(LENIENT)), "all": (EVERYTHING, decoder(EVERYTHING))}
STRICT_DECODER = decoder(STRICT)

HEAD = head_of("GBRAA", "FRAF1", 7)
TAIL = audit_of(0, 0, 0, 0, 0)
STRUCTURES = [tag for tag, shape in enumerate(tag_shapes()) if shape == STRUCTURE and tag not in TIMES.values()]
MONEY = [62, 397, 412, 422, 71, 344, 65, 68, 105, 184]
INTEGERS = st.one_of(
    st.integers(-3, 300),
    st.sampled_from([2**31, 2**32 - 1, 2**62, -(2**62), 2**62 + 1, 2**63 - 1, -(2**63), 2**63, 2**64]),
)
TEXTS = st.sampled_from(
    [b"00", b"01", b"T", b"", b"internet", "é".encode(), b"\xff", b"a\0", b"\x12\x3f", b"\x1f\xf2", b"\xab\xcd\xef"]
)


def _integer(value: int) -> bytes:
    return value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True)


@st.composite
def values(draw: Any) -> bytes:
    """Return an element that holds a value, most of them known, many of them money."""
    tag = draw(
        st.one_of(st.sampled_from(MONEY), st.sampled_from([tag for tag, _ in VALUES.values()]), st.integers(0, 600))
    )
    if tag == 344:
        return tlv(344, draw(st.sampled_from([b"\0", b"\1", b"\1", b"\2", b"\0\1"])))
    if tag == 71:
        return tlv(71, draw(st.sampled_from([b"00", b"00", b"01", b""])))
    held = draw(st.one_of(INTEGERS.map(_integer), TEXTS, st.binary(max_size=10)))
    return tlv(tag, held)


@st.composite
def times(draw: Any) -> bytes:
    """Return a local time with the code of its offset, or nearly so."""
    tag = draw(st.sampled_from(sorted(TIMES.values())))
    if draw(st.integers(0, 5)):
        return time_of(tag, draw(st.integers(1_700_000_000, 1_800_000_000)), draw(st.integers(0, 1)))
    parts = draw(
        st.lists(
            st.sampled_from([
                tlv(16, b"20260230100000"), tlv(16, b"2026023010000"), tlv(16, b"20260101x00000"), number(232, 0), tlv(232, b""),
                tlv(16, b"20260101000000"), tlv(5, b"", held=True), tlv(600, b"x"), number(232, -1),
            ]),
            max_size=3,
        )
    )  # fmt: skip
    return tlv(tag, *parts, held=True, indefinite=draw(st.booleans()))


def structures(children: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return elements that hold others."""
    tags = st.one_of(
        st.sampled_from([63, 63, 63, 352, 352, 69, 64]), st.sampled_from(STRUCTURES), st.integers(500, 600)
    )
    return st.builds(
        lambda tag, parts, indefinite: tlv(tag, *parts, held=True, indefinite=indefinite),
        tags,
        st.lists(children, max_size=5),
        st.booleans(),
    )


ELEMENTS = st.recursive(st.one_of(values(), values(), times()), structures, max_leaves=12)
EVENT = st.builds(
    lambda tag, parts, indefinite: tlv(tag, *parts, held=True, indefinite=indefinite),
    st.one_of(st.sampled_from(sorted(EVENTS.values())), st.sampled_from([13, 600])),
    st.lists(ELEMENTS, max_size=6),
    st.booleans(),
)


def file_of(events: list[bytes], *, listed: bool, whole: bool, head: bytes = HEAD, tail: bytes = TAIL) -> bytes:
    """Return a file; `listed`, `whole`: its list of events, or all of it, has an indefinite length."""
    return tlv(1, head, tlv(3, *events, held=True, indefinite=listed), tail, indefinite=whole)


@given(
    events=st.lists(EVENT, max_size=6),
    listed=st.booleans(),
    whole=st.booleans(),
    name=st.sampled_from(["few", "few", "all"]),
    edge=st.sampled_from([400, 1 << 20]),
    cut=st.one_of(st.integers(1, 90), st.integers(91, 4_000)),
)
def test_decoder_and_twin_agree(events: list[bytes], listed: bool, whole: bool, name: str, edge: int, cut: int) -> None:
    data = file_of(events, listed=listed, whole=whole)
    source, compiled = DECODERS[name]
    expected = tap_twin(source, data, compiled.field_names)
    with mock.patch.object(batch, "EDGE_BYTES", edge):
        seen = found(compiled, data, block_bytes=cut)
    if isinstance(expected, str) and isinstance(seen, str):  # of two faults either may be told
        assert {seen, expected} <= {"AMOUNT_OVERFLOW", "MALFORMED_BER"}
    else:
        assert seen == expected


@st.composite
def damaged(draw: Any) -> bytes:
    """Return a file with a mishap."""
    data = file_of(draw(st.lists(EVENT, max_size=3)), listed=draw(st.booleans()), whole=draw(st.booleans()))
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.sampled_from([0, 0, 1, 1, 2, 30]))
        data = (
            data[:at]
            + draw(st.sampled_from([b"", b"\0", b"\0\0", b"\x80", b"\xff", b"\x5f\x81", b"\x7f", b"\x61"]))
            + data[at + size :]
        )
    return data


@given(data=damaged(), cut=st.integers(1, 400))
def test_damaged_files(data: bytes, cut: int) -> None:
    source, compiled = DECODERS["few"]
    expected, seen = tap_twin(source, data, compiled.field_names), found(compiled, data)
    if isinstance(expected, str):  # which of several faults is told first may differ
        assert isinstance(seen, str)
    else:
        assert seen == expected
        assert found(compiled, data, block_bytes=cut) == expected


CHARGE = st.integers(-(10**6), 10**9)


@given(
    charges=st.lists(st.tuples(CHARGE, CHARGE, st.integers(0, 10**6), st.integers(0, 2_000_000)), max_size=5),
    wrong=st.sampled_from([0, 0, 1, 2, 3, 4, 5]),
)
def test_sums_are_compared_with_the_events(charges: list[tuple[int, int, int, int]], wrong: int) -> None:
    events = [
        tlv(
            10,
            bcd(129, "208010000000010"),
            time_of(44, 1_777_000_000 + after),
            tlv(63, tlv(71, b"00"), number(62, charge)),
            tlv(63, tlv(71, b"01"), number(62, other)),
            tlv(213, number(212, 1), number(397, tax)),
        )
        for charge, other, tax, after in charges
    ]
    count, total = len(events), sum(charge for charge, *_ in charges)
    tax = sum(tax for _, _, tax, _ in charges)
    at = [1_777_000_000 - 3_600 + after for *_, after in charges] or [1_777_000_000]
    said = [count, total, tax, min(at), max(at)]
    if wrong == 1:
        said[0] += 1
    elif wrong in (2, 3):
        said[wrong - 1] += 1
    elif wrong == 4:
        said[3] += 1
    elif wrong == 5:
        said[4] -= 1
    data = file_of(events, listed=False, whole=False, tail=audit_of(*said))
    seen = found(STRICT_DECODER, data)
    assert seen == tap_twin(STRICT, data, STRICT_DECODER.field_names)
    assert (seen == "AUDIT_MISMATCH") == (wrong > 0 and (bool(charges) or wrong < 4 or said[3] > said[4]))


@given(
    entries=st.lists(
        st.sampled_from([
            tlv(233, number(232, 0), tlv(231, b"-0330")), tlv(233, number(232, 1), tlv(231, b"+1500")),
            tlv(233, number(232, 2), tlv(231, b"+1501")), tlv(233, tlv(231, b"+0000"), held=True), tlv(233, number(232, 3), tlv(231, b"0000")),
            tlv(233, number(232, -1), tlv(231, b"+0000")), tlv(233, number(232, 1 << 40), tlv(231, b"+0000")),
        ]),
        max_size=4,
    ),
    places=st.sampled_from([None, -1, 0, 3, 12, 13]),
    rate=st.tuples(st.sampled_from([0, 1, 116_203, 2**62]), st.sampled_from([0, 5, 12, 13, -1])),
    versions=st.sampled_from([(3, 12), (3, 1), (3, 13), (2, 4), (3, 0)]),
    kind=st.sampled_from([b"", b"T", b"X"]),
    sender=st.sampled_from([b"GBRAA", b"", b"\xff\x01"]),
    charged=st.booleans(),
)  # fmt: skip
def test_heads(
    entries: list[bytes],
    places: int | None,
    rate: tuple[int, int],
    versions: tuple[int, int],
    kind: bytes,
    sender: bytes,
    charged: bool,
) -> None:
    who = [tlv(196, sender), tlv(182, b"FRAF1"), tlv(109, b"00001"), stamp(108, 0)]
    control = tlv(4, *who, number(201, versions[0]), number(189, versions[1]), *([tlv(110, kind)] if kind else []))
    conversion = tlv(80, tlv(106, number(105, 4), number(104, rate[0]), number(159, rate[1])), held=True)
    money = tlv(5, tlv(135, b"EUR"), conversion, *([] if places is None else [number(244, places)]))
    head = control + money + tlv(6, tlv(234, *entries, held=True), held=True)
    amounts = [tlv(63, tlv(71, b"00"), number(62, 5))] if charged else []
    event = tlv(10, time_of(44, 1_777_000_000, 1), number(105, 4), *amounts)
    data = file_of([event], listed=False, whole=False, head=head)
    source, compiled = DECODERS["all"]
    assert found(compiled, data) == tap_twin(source, data, compiled.field_names)
