"""API keys: what one looks like, and whether it is still one. Only a hash of its secret is kept.

`octroi_01M8CVHGS501R23DNN8YVAFZ9T_SECRET`: which key it is, so that one row is read, and 256 bits of chance. Those cannot be
guessed, so a fast hash (SHA-256) keeps them; passwords, which people choose, would need a slow one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from billing.access.permissions import Principal, UnableToGrant

SECRET_BYTES = 32
ID_PREFIX = "key"
NAME_MAX = 63
_TOKEN = re.compile(r"octroi_([0-9A-HJKMNP-TV-Z]{26})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key.

    Attributes:
        id: names it in lists and in the audit log. name: for people, one of its kind.
        secret_sha256: hexadecimal. roles: codes.
        accounts: ids of accounts that it is limited to, with all below; sources: likewise. None: to nothing.
        created_at, expires_at, revoked_at, used_at: microseconds UTC, None: never.
    """

    id: str
    name: str
    secret_sha256: str
    roles: tuple[str, ...]
    accounts: tuple[str, ...] | None
    sources: tuple[str, ...] | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    revision: int = 1
    used_at: int | None = None

    def status(self, now: int) -> str:
        """Return ACTIVE, EXPIRED or REVOKED."""
        if self.revoked_at is not None:
            return "REVOKED"
        return "EXPIRED" if self.expires_at is not None and self.expires_at <= now else "ACTIVE"

    def principal(self) -> Principal:
        """Return who asks with this key."""
        within = None
        if self.accounts is not None or self.sources is not None:
            within = frozenset(
                [("Account", one) for one in self.accounts or ()] + [("Source", one) for one in self.sources or ()]
            )
        return Principal(self.id, self.name, self.roles, within)


def check_name(name: str) -> str:
    """Return the name of a key.

    Raises:
        UnableToGrant: when it is none: it is written into logs and the audit log.
    """
    if _NAME.fullmatch(name) is None:
        raise UnableToGrant(f"a key is named by letters, digits, . _ and -, at most {NAME_MAX}")
    return name


def token_of(identifier: str, secret: bytes) -> str:
    """Return what is shown once to whoever is to use a key.

    Args:
        identifier: `key_…`. secret: SECRET_BYTES of chance.
    """
    return f"octroi_{identifier.removeprefix(f'{ID_PREFIX}_')}_{_text(secret)}"


def _text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def hashed(secret: bytes) -> str:
    """Return what is kept of a secret."""
    return _digest(_text(secret))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_token(token: str) -> tuple[str, str] | None:
    """Return the id of the key that a token names, and the digest of its secret; None when it is no token."""
    found = _TOKEN.fullmatch(token)
    return None if found is None else (f"{ID_PREFIX}_{found[1]}", _digest(found[2]))


def is_genuine(key: ApiKey | None, digest: str) -> bool:
    """Return whether a digest is that of a key's secret; it takes as long for a key that there is not."""
    held = "0" * 64 if key is None else key.secret_sha256
    return hmac.compare_digest(held, digest) and key is not None
