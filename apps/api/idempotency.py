"""The header `Idempotency-Key`."""

from __future__ import annotations

import re

from apps.api.problems import Problem

_KEY = re.compile(r'"?([\x21\x23-\x7e][\x20-\x21\x23-\x7e]{0,254})"?')
"""A string of RFC 8941, as draft-ietf-httpapi-idempotency-key-header-07 §2.1 asks for, or the same without quotes."""


def idempotency_key(header: str | None) -> str | None:
    """Return the key that a header says, None when there is none.

    Raises:
        Problem: bad-request, when it says none.
    """
    if header is None:
        return None
    found = _KEY.fullmatch(header.strip())
    if found is None:
        raise Problem("bad-request", "the header `Idempotency-Key` must be 1 to 255 printable ASCII characters")
    return found[1]
