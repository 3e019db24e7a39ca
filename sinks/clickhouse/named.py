"""Queries that have a name: asked with parameters by whoever may not write SQL. Each reads one view, of one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from sinks.clickhouse.client import UnableToQuery
from sinks.clickhouse.table import DATABASE

LIMIT, LIMIT_MAX = 10_000, 100_000
"""Rows of an answer unless told otherwise, and at most."""
ALL = (1 << 32) - 1
"""As many rows as there are."""
TEXT_MAX = 256
"""Characters of a parameter."""
_TYPES = {"text": "String", "date": "Date", "instant": "DateTime64(6, 'UTC')"}


class UnableToName(UnableToQuery):
    """There is no query of that name, or its parameters are not what it takes."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a query is asked with.

    Attributes:
        type: text; date (2026-10-01); instant (2026-10-01T00:00:00+02:00).
        default: taken where none is given; None: it has to be given.
    """

    name: str
    type: Literal["text", "date", "instant"]
    meaning: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query: columns of a view where a condition holds, in an order. `{name}` in the condition is a parameter."""

    name: str
    meaning: str
    view: str
    columns: str
    where: str
    order: str
    parameters: tuple[Parameter, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what whoever asks it has to know."""
        return {
            "name": self.name,
            "meaning": self.meaning,
            "parameters": [
                {"name": one.name, "type": one.type, "meaning": one.meaning, "required": one.default is None}
                for one in self.parameters
            ],
        }

    def statement(self) -> str:
        """Return its SQL, in which `tenant`, `rows` and the parameters stand for what is asked."""
        where = self.where.format_map({each.name: f"{{{each.name}:{_TYPES[each.type]}}}" for each in self.parameters})
        return (
            f"SELECT {self.columns} FROM (SELECT * FROM {DATABASE}.{self.view} WHERE tenant = {{tenant:String}}) "
            f"WHERE {where} ORDER BY {self.order} LIMIT {{rows:UInt32}}"
        )


_FROM = Parameter("from", "date", "first day")
_TO = Parameter("to", "date", "the day after the last")
_ACCOUNT = Parameter("account", "text", "billing account")
_ANY_ACCOUNT = Parameter("account", "text", "billing account; all unless given", "")
_OF_ACCOUNT = "({account} = '' OR account = {account})"
_EVENT_DAYS = "event_day >= {from} AND event_day < {to}"
_INGEST_DAYS = "day >= {from} AND day < {to}"

_QUERIES: tuple[NamedQuery, ...] = (
    NamedQuery(
        "usage-by-day",
        "Usage of a period by account, subscription, charge and day.",
        "usage_by_day",
        "* EXCEPT (tenant, account_id)",
        f"{_EVENT_DAYS} AND {_OF_ACCOUNT}",
        "event_day, account, subscription, charge",
        (_FROM, _TO, _ANY_ACCOUNT),
    ),
    NamedQuery(
        "revenue",
        "Revenue of a period by offer, charge and day.",
        "revenue_stream",
        "* EXCEPT tenant",
        _EVENT_DAYS,
        "event_day, offer, charge, currency",
        (_FROM, _TO),
    ),
    NamedQuery(
        "rated-items",
        "Rated items of an account, by when the usage started.",
        "rated_item",
        "id, event_at, subscription, access_point, event_type, charge, quantity, unit, amount, currency, status",
        "account = {account} AND event_at >= {from} AND event_at < {to}",
        "event_at, id",
        (
            _ACCOUNT,
            Parameter("from", "instant", "start of the period"),
            Parameter("to", "instant", "its end, exclusive"),
        ),
    ),
    NamedQuery(
        "load-curve",
        "Intervals of an access point that stand.",
        "load_curve",
        "start_at, end_at, event_type, quantity, unit, per_hour",
        "access_point = {access_point} AND start_at >= {from} AND start_at < {to} AND status = 'rated'",
        "start_at, event_type",
        (
            Parameter("access_point", "text", "the identifier"),
            Parameter("from", "instant", "start of the period"),
            Parameter("to", "instant", "its end, exclusive"),
        ),
    ),
    NamedQuery(
        "funnel",
        "How far the records of each source came, by ingest day.",
        "rejection_funnel",
        "* EXCEPT tenant",
        _INGEST_DAYS,
        "day, source",
        (_FROM, _TO),
    ),
    NamedQuery(
        "rejections-by-reason",
        "Which reasons most refusals come of.",
        "rejection_pareto",
        "* EXCEPT tenant",
        "({source} = '' OR source = {source})",
        "rejections DESC, source, reason",
        (Parameter("source", "text", "source of the usage; all unless given", ""),),
    ),
    NamedQuery(
        "wallet-history",
        "What the wallets of an account held, day by day.",
        "wallet_history",
        "* EXCEPT (tenant, account_id, wallet_id)",
        f"account = {{account}} AND {_INGEST_DAYS}",
        "day, wallet",
        (_ACCOUNT, _FROM, _TO),
    ),
    NamedQuery(
        "lineage",
        "The chain from a record to the wallet operation that paid for it.",
        "lineage",
        "* EXCEPT (tenant, account_id)",
        "claim = toUInt32OrZero(splitByChar('-', {item})[2]) AND record = toUInt32OrZero(splitByRegexp('[-.]', {item})[3]) "
        "AND item = {item}",
        "item",
        (Parameter("item", "text", "a rated item, such as ri-2-3"),),
    ),
)
NAMED: dict[str, NamedQuery] = {query.name: query for query in _QUERIES}
"""Every query that has a name."""


def bound(name: str, given: Mapping[str, str], *, tenant: str, limit: int | None = LIMIT) -> tuple[str, dict[str, Any]]:
    """Return the statement of a named query, and what its parameters stand for: one row more than `limit` is asked for,
    or all.

    Raises:
        UnableToName: when there is no such query, a parameter is missing, unknown or none of its type, or too much is asked.
    """
    query = NAMED.get(name)
    if query is None:
        raise UnableToName(f"there is no query {name!r}; there are {', '.join(NAMED)}")
    if limit is not None and not 1 <= limit <= LIMIT_MAX:
        raise UnableToName(f"an answer has 1 to {LIMIT_MAX} rows, not {limit}")
    known = {each.name: each for each in query.parameters}
    if unknown := sorted(given.keys() - known.keys()):
        takes = ", ".join(known)
        raise UnableToName(f"{name} has no parameter {', '.join(map(repr, unknown))}; it takes {takes}")
    values: dict[str, Any] = {"tenant": tenant, "rows": ALL if limit is None else limit + 1}
    for each in query.parameters:
        text = given.get(each.name, each.default)
        if text is None:
            raise UnableToName(f"{name} needs the parameter {each.name!r}: {each.meaning}")
        values[each.name] = _value(each, text)
    return query.statement(), values


def _value(parameter: Parameter, text: str) -> str:
    if not isinstance(text, str):
        raise UnableToName(f"{parameter.name} is a text, not {text!r}")
    if len(text) > TEXT_MAX or "\0" in text:
        raise UnableToName(f"{parameter.name} is longer than {TEXT_MAX} characters, or holds a zero byte")
    try:
        if parameter.type == "date":
            return date.fromisoformat(text).isoformat()
        if parameter.type == "instant":
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                raise UnableToName(f"{parameter.name} needs a zone, such as 2026-10-01T00:00:00+02:00")
            return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    except (ValueError, OverflowError) as error:
        raise UnableToName(f"{parameter.name} is no {parameter.type}: {text!r}") from error
    return text
