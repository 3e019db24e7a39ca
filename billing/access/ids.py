"""Identifiers that sort by when they were made: a prefix that says of what, and 26 characters."""

from __future__ import annotations

from collections.abc import Iterator

ENTROPY_BYTES = 10
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_MS_MAX = 1 << 48
_RANDOM_MAX = 1 << 80


class UnableToMakeIds(Exception):
    """The instant lies outside of what identifiers can hold, or so many at once would run over."""


class Ids:
    """Identifiers of one change: `cus_` and a ULID, each greater than the one before.

    A ULID is 48 bits of milliseconds since 1970 and 80 bits of chance, in Crockford's base 32. Within one `Ids` the chance is
    drawn once and counted up, so that rows of one change keep their order; two at the same millisecond differ by their chance.
    """

    def __init__(self, now: int, entropy: bytes) -> None:
        """Begin at an instant (microseconds UTC) with ENTROPY_BYTES random bytes.

        Raises:
            UnableToMakeIds: when the instant is before 1970 or after the year 10889.
        """
        milliseconds = now // 1000
        if not 0 <= milliseconds < _MS_MAX or len(entropy) != ENTROPY_BYTES:
            raise UnableToMakeIds(f"no identifier can be made at {now} µs of {len(entropy)} bytes of chance")
        # the upper half stays free to be counted up in
        self._next = milliseconds << 80 | int.from_bytes(entropy) >> 1
        self._end = (milliseconds + 1) << 80

    def new(self, prefix: str) -> str:
        """Return the next identifier.

        Raises:
            UnableToMakeIds: when there are no more.
        """
        number = self._next
        if number >= self._end:
            raise UnableToMakeIds("the identifiers of this instant are used up")
        self._next += 1
        return f"{prefix}_{encoded(number)}"

    def many(self, prefix: str, count: int) -> Iterator[str]:
        """Yield so many identifiers."""
        return (self.new(prefix) for _ in range(count))


def encoded(number: int) -> str:
    """Return 130 bits, of which the upper two are 0, as 26 characters of Crockford's base 32."""
    parts = []
    for _ in range(13):
        parts.append(_PAIRS[number & 1023])
        number >>= 10
    return "".join(reversed(parts))
