"""API keys: who may send, and to which sources. Only hashes are known; comparing them takes the same time, right or wrong."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from apps.api.problems import Problem, unauthorized
from apps.settings import ApiKey

_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a key: the key's name, and the sources it is limited to, None for all."""

    name: str
    sources: frozenset[str] | None

    def require(self, source: str) -> None:
        """Check that this caller may send to a source.

        Raises:
            Problem: source-not-permitted.
        """
        if self.sources is not None and source not in self.sources:
            raise Problem("source-not-permitted", f"the key {self.name!r} may not send to {source!r}")

    def require_all(self) -> None:
        """Check that this caller is limited to no source: whoever charges online moves money without any.

        Raises:
            Problem: source-not-permitted.
        """
        if self.sources is not None:
            raise Problem("source-not-permitted", f"the key {self.name!r} is limited to sources, and may not charge")


class Keys:
    """The keys of an installation's tenant."""

    def __init__(self, keys: Mapping[str, ApiKey]) -> None:
        """Take the setting `api_keys`."""
        self._known = [
            (
                bytes.fromhex(key.sha256.get_secret_value()),
                Caller(name, None if key.sources is None else frozenset(key.sources)),
            )
            for name, key in keys.items()
        ]

    def caller(self, authorization: str | None) -> Caller:
        """Return who sends a request with this `Authorization` header (RFC 6750: `Bearer KEY`).

        Raises:
            Problem: unauthorized.
        """
        if authorization is None:
            raise unauthorized("send the header `Authorization: Bearer KEY`")
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != _SCHEME or not key.strip():
            raise unauthorized("the header `Authorization` must be `Bearer KEY`")
        given = hashlib.sha256(key.strip().encode("latin-1", "replace")).digest()
        found = None
        for known, caller in self._known:  # all of them, whichever it is
            if hmac.compare_digest(known, given):
                found = caller
        if found is None:
            raise unauthorized("the key is not known")
        return found
