"""Instants as they are typed and shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apps.cli.failures import WrongUsage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_of(text: str) -> int:
    """Return an ISO 8601 instant with a zone in microseconds UTC.

    Raises:
        WrongUsage: when it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUsage(f'"{text}" is no instant, such as 2026-01-01T00:00:00Z') from error
    if found.tzinfo is None:
        raise WrongUsage(f'"{text}" has no zone: write it as 2026-01-01T00:00:00Z or with +01:00')
    return (found - _EPOCH) // timedelta(microseconds=1)


def shown_instant(at: int | None) -> datetime | None:
    """Return microseconds UTC as an instant."""
    return None if at is None else _EPOCH + timedelta(microseconds=at)
