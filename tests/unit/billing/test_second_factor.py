"""Codes of time by the vectors of RFC 6238, none of them twice; sealed secrets; recovery codes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.access.second_factor import (
    RECOVERY_BYTES,
    RECOVERY_CODES,
    UnableToUnseal,
    address_of,
    recovery_codes,
    recovery_digest,
    sealed,
    sealing_key,
    step_of,
    unsealed,
)

SECRET = b"12345678901234567890"
# RFC 6238, appendix B, SHA-1: seconds and the code of eight digits, of which six are the last ones
VECTORS = [
    (59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"),
    (1234567890, "89005924"), (2000000000, "69279037"), (20000000000, "65353130"),
]  # fmt: skip


def hotp(secret: bytes, counter: int) -> str:
    """RFC 4226 §5.3, slowly."""
    digest = hmac.new(secret, struct.pack(">Q", counter), hashlib.sha1).digest()
    offset = digest[19] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06d}"


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_vectors_of_the_rfc(seconds: int, code: str) -> None:
    assert step_of(SECRET, code[2:], seconds * 1_000_000, 0) == seconds // 30


@given(st.binary(min_size=20, max_size=20), st.integers(100, 10**9), st.integers(-3, 3), st.integers(0, 29))
def test_a_code_opens_within_a_step_of_its_time(secret: bytes, step: int, off: int, second: int) -> None:
    now = ((step + off) * 30 + second) * 1_000_000
    found = step_of(secret, hotp(secret, step), now, 0)
    near = [one for one in range(step + off - 1, step + off + 2) if hotp(secret, one) == hotp(secret, step)]
    assert found == (near[-1] if near else None)
    assert (found is not None) >= (abs(off) <= 1)


def test_no_code_opens_twice_nor_an_earlier_one_later() -> None:
    now = 1_000_000 * 30_000_000
    first = step_of(SECRET, hotp(SECRET, 1_000_000), now, 0)
    assert first == 1_000_000
    assert step_of(SECRET, hotp(SECRET, 1_000_000), now, first) is None
    assert step_of(SECRET, hotp(SECRET, 999_999), now, first) is None
    assert step_of(SECRET, hotp(SECRET, 1_000_001), now, first) == 1_000_001


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "-00001", "\ud800"])
def test_what_is_no_code(code: str) -> None:
    if "\ud800" in code:
        with pytest.raises(UnicodeEncodeError):  # JSON with half a character is refused before
            step_of(SECRET, code, 59_000_000, 0)
    else:
        assert step_of(SECRET, code, 59_000_000, 0) is None


def test_the_address_says_the_secret_and_whose_it_is() -> None:
    address = urlsplit(address_of(SECRET, "ana@example.org", "main"))
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/octroi%20main:ana%40example.org")
    said = parse_qs(address.query)
    assert base64.b32decode(said["secret"][0]) == SECRET
    assert said["issuer"] == ["octroi main"]


def test_a_sealed_secret_is_one_user_s_of_one_installation() -> None:
    key, other = sealing_key(b"a" * 16), sealing_key(b"b" * 16)
    text = sealed(SECRET, key, bytes(12), "usr_1")
    assert base64.b64encode(SECRET).decode().rstrip("=") not in text
    assert unsealed(text, key, "usr_1") == SECRET
    for wrong, user in ((other, "usr_1"), (key, "usr_2")):
        with pytest.raises(UnableToUnseal):
            unsealed(text, wrong, user)


def test_recovery_codes_are_read_as_people_write_them() -> None:
    codes = recovery_codes(bytes(range(RECOVERY_CODES * RECOVERY_BYTES)))
    assert len(set(codes)) == RECOVERY_CODES
    key = sealing_key(b"a" * 16)
    for code in codes:
        assert len(code) == 11
        assert code[5] == "-"
        assert recovery_digest(f" {code.lower().replace('-', '')}", key, "usr_1") == recovery_digest(code, key, "usr_1")
        assert recovery_digest(code, key, "usr_2") != recovery_digest(code, key, "usr_1")
        assert recovery_digest(code, sealing_key(b"b" * 16), "usr_1") != recovery_digest(code, key, "usr_1")
