"""Passwords of people: which ones are taken, and what is kept of them (Argon2id, RFC 9106). Chance is an argument.

Rules are those of NIST SP 800-63B §3.1.1.2: length counts, kinds of characters do not; what many people take is refused, and
what says the name of its owner. A password is compared in Unicode's form NFKC, so that it is the same on every keyboard.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import hash_secret

SALT_BYTES = 16
LENGTH_MIN, LENGTH_MAX = 12, 256
_DIFFERENT_MIN = 5
_HASH_BYTES = 32
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "01234567890123456789",
)
_COMMON = (
    "password", "passw0rd", "motdepasse", "letmein", "welcome", "bienvenue", "iloveyou", "administrator", "administrateur",
    "changeme", "octroi", "azerty", "qwerty", "football", "sunshine", "princess", "superman", "trustno1",
    "correcthorsebatterystaple",
)  # fmt: skip
"""What people take; a password that has hardly anything else is theirs."""
_OWN_MIN = 6


class UnableToSetPassword(Exception):
    """A password that is too easily guessed, or too long."""


@dataclass(frozen=True, slots=True)
class PasswordCost:
    """What one guess costs: passes over so much memory (KiB), in so many lanes."""

    passes: int = 3
    memory_kib: int = 65_536
    lanes: int = 1

    def hasher(self) -> PasswordHasher:
        """Return what checks and compares costs."""
        return PasswordHasher(self.passes, self.memory_kib, self.lanes, _HASH_BYTES, SALT_BYTES)


def normalised(password: str) -> str:
    """Return a password as it is compared."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, name: str) -> None:
    """Check a password that somebody wants to have.

    Raises:
        UnableToSetPassword: with what is wrong, and nothing of the password.
    """
    text = normalised(password)
    if len(text) < LENGTH_MIN:
        raise UnableToSetPassword(f"a password has at least {LENGTH_MIN} characters: several words are a good one")
    if len(text) > LENGTH_MAX:
        raise UnableToSetPassword(f"a password has at most {LENGTH_MAX} characters")
    low = text.casefold()
    if len(set(low)) < _DIFFERENT_MIN:
        raise UnableToSetPassword(f"a password has at least {_DIFFERENT_MIN} different characters")
    rest = low
    for word in (*_COMMON, name.casefold(), name.casefold().partition("@")[0]):
        if len(word) >= 3:
            rest = rest.replace(word, "")
    if len(_without_runs(rest)) < _OWN_MIN:
        told = "this password is among the first that are tried: it is made of common words, runs of keys or your name"
        raise UnableToSetPassword(told)


def _without_runs(text: str) -> str:
    """Return a text without runs of at least four neighbours of an alphabet, a keyboard or the digits, either way."""
    kept, place = [], 0
    while place < len(text):
        longest = max(_run(text, place, row) for alphabet in _ROWS for row in (alphabet, alphabet[::-1]))
        if longest >= 4:
            place += longest
        else:
            kept.append(text[place])
            place += 1
    return "".join(kept)


def _run(text: str, start: int, row: str) -> int:
    length = 1
    while start + length < len(text) and text[start : start + length + 1] in row:
        length += 1
    return length


def hashed_password(password: str, salt: bytes, cost: PasswordCost) -> str:
    """Return what is kept of a password: Argon2id in the PHC string format.

    Args:
        salt: SALT_BYTES of chance.
    """
    if len(salt) != SALT_BYTES:
        raise AssertionError("a salt has another size")
    text = normalised(password).encode()
    found = hash_secret(text, salt, cost.passes, cost.memory_kib, cost.lanes, _HASH_BYTES, Type.ID)
    return found.decode()


def is_password(kept: str, password: str) -> bool:
    """Return whether a password is the one of which something was kept; it takes as long as it costs, right or wrong."""
    try:
        return PasswordHasher().verify(kept, normalised(password))
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str, cost: PasswordCost) -> bool:
    """Return whether what was kept costs something else than one does now."""
    return cost.hasher().check_needs_rehash(kept)
