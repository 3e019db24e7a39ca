"""Requests for credit that say nothing unusual, read many at once; twin: `apps.diameter.credit.read_credit`."""

from __future__ import annotations

from collections.abc import Sequence

from apps.diameter.credit import KINDS, Credit, Part, RequestType, Units, Whose, group_of, session_name
from pipelines.mediation.diameter.credit_columns import read_credit_columns
from pipelines.mediation.diameter.values import KINDS as VALUES
from pipelines.mediation.kernels.diameter_credit import (
    ASKED,
    AT,
    CONTEXT,
    COUNT,
    FIRST,
    HOST,
    IDENTIFIER,
    IDS,
    IS_ASKING,
    NUMBER,
    ORIGIN,
    ORIGIN_REALM,
    RATING_GROUP,
    REALM,
    REPORTS,
    SESSION,
    SUB,
    TYPE,
    USED,
)

_TYPES = {int(each): each for each in RequestType}
_AT = VALUES["time"]
_GROUPS_MAX = 4096


class PlainCredits:
    """Reads requests for one who is called as they say.

    Attributes:
        host, realms: in lower case, whose requests are taken; requests to others are not plain.
    """

    def __init__(self, host: str, realms: frozenset[str]) -> None:
        """Take who we are."""
        self.host, self.realms = host.encode(), frozenset(realm.encode() for realm in realms)
        self._groups: dict[tuple[int, int], tuple[str, int | None, tuple[int, ...]]] = {}

    def read(self, messages: Sequence[bytes], bytes_max: int) -> list[tuple[Credit, bytes] | None]:
        """Return of each whole message what it asks, with its Session-Id as it came; None where it is not plain."""
        text, rows, parts = read_credit_columns(messages, bytes_max)
        told = parts.tolist()
        return [
            None if row[COUNT] < 0 else self._credit(text, row, told[row[FIRST] : row[FIRST] + row[COUNT]], message)
            for row, message in zip(rows.tolist(), messages, strict=True)
        ]

    def _credit(self, text: bytes, row: list[int], parts: list[list[int]], raw: bytes) -> tuple[Credit, bytes] | None:
        if text[row[REALM] : row[REALM + 1]].lower() not in self.realms:
            return None
        if row[HOST] >= 0 and text[row[HOST] : row[HOST + 1]].lower() != self.host:
            return None
        session = text[row[SESSION] : row[SESSION + 1]]
        ids: dict[str, str] = {}
        try:
            sub, said = None if row[SUB] < 0 else row[SUB], session.decode()
            name = session_name(said, sub)
            context = text[row[CONTEXT] : row[CONTEXT + 1]].decode()
            for number, kind in enumerate(KINDS):
                start = row[IDS + 2 * number]
                if start >= 0:
                    ids[kind] = text[start : row[IDS + 2 * number + 1]].decode()
        except UnicodeDecodeError:
            return None
        found = tuple(map(self._part, parts)) if parts else ()
        if len(found) > 1 and len({part.group for part in found}) < len(found):
            return None
        at = row[AT]
        instant = 0 if at < 0 else _AT.read(at.to_bytes(4)) * 1_000_000
        origin = text[row[ORIGIN] : row[ORIGIN + 1]].decode(), text[row[ORIGIN_REALM] : row[ORIGIN_REALM + 1]].decode()
        whose = Whose(said, sub, *origin)
        return Credit(name, _TYPES[row[TYPE]], row[NUMBER], None, context, instant, ids, found, whose, raw), session

    def _part(self, row: list[int]) -> Part:
        key = row[RATING_GROUP], row[IDENTIFIER]
        named = self._groups.get(key)
        if named is None:
            if len(self._groups) >= _GROUPS_MAX:
                self._groups.clear()
            group, identifiers = None if key[0] < 0 else key[0], () if key[1] < 0 else (key[1],)
            named = self._groups[key] = group_of(group, identifiers), group, identifiers
        requested = _units(*row[ASKED : ASKED + 5]) if row[IS_ASKING] else None
        used = (_units(*row[USED : USED + 5]),) if row[REPORTS] else ()
        return Part(*named, requested, used)


def _units(total: int, came: int, went: int, time: int, units: int) -> Units:
    return Units(
        None if total < 0 else total,
        None if came < 0 else came,
        None if went < 0 else went,
        None if time < 0 else time,
        None if units < 0 else units,
    )
