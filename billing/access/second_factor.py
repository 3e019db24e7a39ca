"""The second factor: codes of time (TOTP, RFC 6238), none of which opens twice, and recovery codes."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES = 20
"""Of the secret of a telephone: what RFC 4226 §4 recommends."""
NONCE_BYTES = 12
PERIOD_S = 30
WINDOW = 1
"""So many steps before and after are taken, too: clocks differ, and people type (RFC 6238 §5.2)."""
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class UnableToUnseal(Exception):
    """The secret of a second factor was sealed by another installation's secret."""


def step_of(secret: bytes, code: str, now: int, last: int) -> int | None:
    """Return the step (RFC 6238 §4.2) whose code this is, None when it is none.

    Args:
        now: microseconds UTC. last: the step of the last code that opened: only later ones do (RFC 6238 §5.2).
    """
    totp = pyotp.TOTP(base64.b32encode(secret).decode(), interval=PERIOD_S)
    around = now // (PERIOD_S * 1_000_000)
    found = None
    for step in range(around - WINDOW, around + WINDOW + 1):
        if step > last and hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            found = step
    return found


def address_of(secret: bytes, name: str, tenant: str) -> str:
    """Return what an authenticator reads from a picture (the key URI format, `otpauth://`)."""
    totp = pyotp.TOTP(base64.b32encode(secret).decode(), interval=PERIOD_S)
    return totp.provisioning_uri(name=name, issuer_name=f"octroi {tenant}")


def sealing_key(installation: bytes) -> bytes:
    """Return the key that seals secrets of second factors, of the installation's secret: who has only the database has none."""
    return HKDF(SHA256(), 32, None, b"octroi second factor").derive(installation)


def sealed(secret: bytes, key: bytes, nonce: bytes, user: str) -> str:
    """Return a secret sealed for a user (AES-256-GCM); `nonce`: NONCE_BYTES of chance."""
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, secret, user.encode())).decode()


def unsealed(text: str, key: bytes, user: str) -> bytes:
    """Return what was sealed for a user.

    Raises:
        UnableToUnseal: when it was sealed by another key, or for somebody else.
    """
    data = base64.b64decode(text)
    try:
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], user.encode())
    except InvalidTag as error:
        told = "the second factor was made with another data directory's secret: `octroi user reset --second-factor`"
        raise UnableToUnseal(told) from error


def recovery_codes(chance: bytes) -> list[str]:
    """Return RECOVERY_CODES codes of 50 bits each, `ABCDE-FGHJK`; `chance`: RECOVERY_BYTES for each."""
    if len(chance) != RECOVERY_CODES * RECOVERY_BYTES:
        raise AssertionError("codes are made of another amount of chance")
    parts = [chance[start : start + RECOVERY_BYTES] for start in range(0, len(chance), RECOVERY_BYTES)]
    texts = ["".join(_ALPHABET[byte & 31] for byte in part) for part in parts]
    return [f"{text[:5]}-{text[5:]}" for text in texts]


def recovery_digest(code: str, key: bytes, user: str) -> str:
    """Return what is kept of a recovery code: a digest under the installation's key, since 50 bits alone can be tried out."""
    plain = code.replace("-", "").replace(" ", "").upper()
    return hmac.new(key, f"{user}\0{plain}".encode(), hashlib.sha256).hexdigest()
