"""Users: people who log in, their sessions, and tokens with which they set a password. Of every secret only a hash is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from billing.access.permissions import Principal, UnableToGrant

SECRET_BYTES = 32
USER, SESSION, RESET = "usr", "ses", "rst"
"""What ids of users, sessions and tokens begin with."""
NAME_MAX = 63
SESSIONS_MAX = 20
"""Sessions of a user at once: a further login ends the oldest one."""
FREE_FAILURES = 5
FIRST_LOCK_US = 30_000_000
LOCK_MAX_US = 900_000_000
FORGET_US = 86_400_000_000
"""So many failures in a row are free; each further one locks for twice as long, up to a limit, so that
who guesses gains little. Whoever goes on guessing keeps the owner out as well, until an operator resets the user. After a day
without any they are forgotten."""
_NAME = re.compile(r"(?!usr_)[a-z0-9][a-z0-9._@+-]{0,62}")
_TOKEN = re.compile(r"([0-9A-HJKMNP-TV-Z]{26})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who logs in.

    Attributes:
        id: names them in sessions. name: what they type, one of its kind. roles: codes.
        accounts: ids of accounts that they are limited to, with all below. None: to nothing.
        password_hash: Argon2id, None until they set one. factor: the sealed secret of their second factor, None: there is none.
        factor_since, created_at, disabled_at: microseconds UTC; `factor_since` None: no code is asked for.
    """

    id: str
    name: str
    roles: tuple[str, ...]
    accounts: tuple[str, ...] | None
    password_hash: str | None
    factor: str | None
    factor_since: int | None
    created_at: int
    disabled_at: int | None
    revision: int = 1

    @property
    def has_factor(self) -> bool:
        """Whether a code is asked for."""
        return self.factor is not None and self.factor_since is not None

    @property
    def status(self) -> str:
        """DISABLED, INVITED (there is no password yet) or ACTIVE."""
        if self.disabled_at is not None:
            return "DISABLED"
        return "INVITED" if self.password_hash is None else "ACTIVE"

    def principal(self) -> Principal:
        """Return who asks."""
        within = None if self.accounts is None else frozenset(("Account", one) for one in self.accounts)
        return Principal(self.id, self.name, self.roles, within, "user")


@dataclass(frozen=True, slots=True)
class Session:
    """What a login began, until it ends: microseconds UTC throughout. `seen_at`: when it was used last, to about a minute."""

    id: str
    user_id: str
    secret_sha256: str
    created_at: int
    expires_at: int
    ended_at: int | None
    seen_at: int | None = None
    revision: int = 1

    def is_open(self, now: int, idle_us: int) -> bool:
        """Return whether it still opens: not ended, not too old, and not left alone for too long."""
        seen = max(self.created_at, self.seen_at or 0)
        return self.ended_at is None and now < self.expires_at and now - seen < idle_us


@dataclass(frozen=True, slots=True)
class Reset:
    """A token that sets a password, once."""

    id: str
    user_id: str
    secret_sha256: str
    created_at: int
    expires_at: int
    used_at: int | None
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Attempts:
    """How logins of somebody went: failures in a row, until when further ones are refused unread, and the last code's step."""

    failures: int = 0
    tried_at: int = 0
    locked_until: int = 0
    refused: int = 0
    step: int = 0
    succeeded_at: int | None = None


def check_name(name: str) -> str:
    """Return the name of a user.

    Raises:
        UnableToGrant: when it is none: it is written into the audit log, and nobody may be taken for the id of somebody else.
    """
    if _NAME.fullmatch(name) is None:
        raise UnableToGrant(f"a user is named by small letters, digits, . _ @ + and -, at most {NAME_MAX}")
    return name


def token_of(identifier: str, secret: bytes) -> str:
    """Return what opens: the id without what it begins with, and SECRET_BYTES of chance."""
    return f"{identifier.partition('_')[2]}.{base64.urlsafe_b64encode(secret).rstrip(b'=').decode()}"


def read_token(token: str, prefix: str) -> tuple[str, str] | None:
    """Return the id that a token names, and the digest of its secret; None when it is none."""
    found = _TOKEN.fullmatch(token)
    return None if found is None else (f"{prefix}_{found[1]}", digest_of(found[2]))


def digest_of(text: str) -> str:
    """Return what is kept of a secret of 256 bits: a fast hash, for it cannot be guessed."""
    return hashlib.sha256(text.encode()).hexdigest()


def proof_of(token: str) -> str:
    """Return what a page proves with that a request is its own (CSRF): whoever has only the cookie's name cannot know it."""
    return hmac.new(token.encode(), b"octroi cross-site", hashlib.sha256).hexdigest()


def is_same(held: str | None, digest: str) -> bool:
    """Return whether digests are the same; it takes as long where there is none."""
    return hmac.compare_digest(held or "0" * 64, digest) and held is not None


def tried(before: Attempts, now: int) -> tuple[bool, Attempts]:
    """Return whether an attempt may be looked at, and what is known after it, as if it had failed.

    It is counted before it is looked at, so that many at once are not more guesses than one after another.
    """
    if before.locked_until > now:
        return False, Attempts(
            before.failures, now, before.locked_until, before.refused + 1, before.step, before.succeeded_at
        )
    failures = (0 if now - before.tried_at > FORGET_US else before.failures) + 1
    lock = 0
    if failures >= FREE_FAILURES:
        lock = now + min(FIRST_LOCK_US << min(failures - FREE_FAILURES, 16), LOCK_MAX_US)
    return True, Attempts(failures, now, lock, 0, before.step, before.succeeded_at)
