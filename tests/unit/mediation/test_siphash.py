"""SipHash-2-4 with 128 bits against vectors of the reference implementation, and the identities made of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mediation_world import context, decode, delimited, key

from pipelines.mediation.decode import make_decoder
from pipelines.mediation.kernels.siphash import siphash128, siphash128_bytes
from rating.kernels.hashing import hash128_bytes

KEY = tuple(int.from_bytes(bytes(range(first, first + 8)), "little") for first in (0, 8))
VECTORS = {  # input 00 01 02 … of so many bytes, key 00 01 … 0f: `vectors_sip128` of the reference implementation
    0: "a3817f04ba25a8e66df67214c7550293",
    1: "da87c1d86b99af44347659119b22fc45",
    7: "a1f1ebbed8dbc153c0b84aa61ff08239",
    8: "3b62a9ba6258f5610f83e264f31497b4",
    15: "5493e99933b0a8117e08ec0f97cfc3d9",
    16: "6ee2a4ca67b054bbfd3315bf85230577",
    63: "5150d1772f50834a503e069a973fbd7c",
}


def kernel(data: bytes, hi: int, lo: int) -> tuple[int, int]:
    buffer = np.frombuffer(b"\xa5" * 3 + data + b"\xa5" * 16, np.uint8).copy()
    found = siphash128(buffer.ctypes.data + 3, len(data), np.uint64(hi), np.uint64(lo))
    return int(found[0]), int(found[1])


@pytest.mark.parametrize("size", VECTORS)
def test_the_vectors_of_the_reference_implementation(size: int) -> None:
    for found in (siphash128_bytes(bytes(range(size)), *KEY), kernel(bytes(range(size)), *KEY)):
        assert b"".join(half.to_bytes(8, "little") for half in found).hex() == VECTORS[size]


words = st.integers(0, 2**64 - 1)


@given(data=st.binary(max_size=600), hi=words, lo=words)
def test_kernel_and_twin_agree(data: bytes, hi: int, lo: int) -> None:
    assert kernel(data, hi, lo) == siphash128_bytes(data, hi, lo)


def forward(word: int, first: int, turn: int, second: int) -> int:
    """Return what MurmurHash3 makes of half a block before it enters the state."""
    word = word * first % 2**64
    return (word << turn | word >> (64 - turn)) * second % 2**64


def backward(value: int, first: int, turn: int, second: int) -> int:
    """Return the half block of which `forward` makes that."""
    value = value * pow(second, -1, 2**64) % 2**64
    return (value >> turn | value << (64 - turn)) % 2**64 * pow(first, -1, 2**64) % 2**64


def colliding(text: bytes) -> bytes:
    """Return another text of 32 bytes with the same MurmurHash3, whatever the seed (Aumasson, Bernstein 2012).

    In the first block h1 takes a difference that the rotation by 27 brings to bit 63, where sums and the product by 5 leave
    it; h2 takes one that its rotation by 31 brings there, too, and the sum of both cancels. The second block takes the one
    of h1 back.
    """
    one, two = (0x87C37B91114253D5, 31, 0x4CF5AD432745937F), (0x4CF5AD432745937F, 33, 0x87C37B91114253D5)
    parts = [int.from_bytes(text[at : at + 8], "little") for at in range(0, 32, 8)]
    parts[0] = backward(forward(parts[0], *one) ^ 1 << 36, *one)
    parts[1] = backward(forward(parts[1], *two) ^ 1 << 32, *two)
    parts[2] = backward(forward(parts[2], *one) ^ 1 << 63, *one)
    return b"".join(part.to_bytes(8, "little") for part in parts)


@given(text=st.binary(min_size=32, max_size=32), rest=st.binary(max_size=40), hi=words, lo=words)
def test_who_knows_an_identity_makes_another_with_its_murmur_hash_but_not_with_its_keyed_one(
    text: bytes, rest: bytes, hi: int, lo: int
) -> None:
    other = colliding(text)
    assert other != text
    assert hash128_bytes(other + rest, hi, lo) == hash128_bytes(text + rest, hi, lo)
    assert siphash128_bytes(other + rest, hi, lo) != siphash128_bytes(text + rest, hi, lo)


def key_of(identity: str, *, trusted: bool = False, **changes: object) -> tuple[int, int]:
    """Return the key of the usual record with this identity."""
    decoder = make_decoder(context(delimited(trusted=trusted, mapping={"identity": ["id", "switch"]}), **changes))
    [record] = decode(
        decoder, f"id,switch,caller,at,seconds,zone\n{identity},33611,2026-05-01 10:00:00,61.5,EU\n".encode()
    )
    return key(record)


def test_the_key_of_a_source_that_is_not_trusted_is_the_chain_of_its_fields() -> None:
    secret = bytes(range(16))
    seed = tuple(int.from_bytes(secret[at : at + 8], "little") for at in (0, 8))
    for part in (b"acme", b"cdr", b"4711", b"paris"):
        seed = siphash128_bytes(part, *seed)
    assert key_of("4711,paris", secret=secret) == seed


def test_whom_to_trust_is_part_of_the_key_and_so_is_the_secret() -> None:
    keys = {
        key_of("1,a"),
        key_of("1,a", trusted=True),
        key_of("1,a", secret=bytes(16)),
        key_of("1,a", tenant="other"),
        key_of("1a,"),
        key_of(",1a"),
    }
    assert len(keys) == 6


def test_sources_are_trusted_unless_they_say_otherwise() -> None:
    assert delimited().trusted
