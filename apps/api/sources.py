"""Routes of sources: what is configured, and how each stands. Definitions hold no secrets: keys of files are settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from apps.api.problems import Problem
from apps.api.resources import Ask, Reply, Route, missing, whole_list
from apps.api.usage_views import SourceRow, SourceView, moment, texts_of
from apps.cli.output import rows_of
from apps.embedded.file_gaps import gaps_among
from apps.embedded.source_words import access_point_of, definition, describe_source, event_types_of, identity_of
from billing.access.permissions import Resource
from schemas.source import SourceBase
from sinks.clickhouse.client import UnableToQuery

GAPS_SHOWN = 100
_FILES = """
SELECT source, count() AS files, countIf(status = 'quarantined') AS quarantined, countIf(status = 'backed_out') AS backed_out,
  sum(received) AS received, sum(rejected) + sum(parked) AS rejected, max(claim) AS last_claim,
  max(received_at) AS last_received_at
FROM (SELECT * FROM file WHERE tenant = {tenant:String}) WHERE source IN {sources:Array(String)} GROUP BY source
"""
_OPEN = """
SELECT source, count() AS open_rejections FROM (SELECT * FROM rejection WHERE tenant = {tenant:String})
WHERE status = 'OPEN' AND source IN {sources:Array(String)} GROUP BY source
"""
_MISSING = """
SELECT source, sum(missing) AS missing_records FROM (SELECT * FROM sequence_gap WHERE tenant = {tenant:String})
WHERE source IN {sources:Array(String)} GROUP BY source
"""
_GAPS = f"""
SELECT stream, toString(missing_from) AS missing_from, toString(missing_to) AS missing_to, seen_before, seen_after
FROM (SELECT * FROM sequence_gap WHERE tenant = {{tenant:String}}) WHERE source IN {{sources:Array(String)}}
ORDER BY stream, toUInt64(missing_from) LIMIT {GAPS_SHOWN + 1}
"""
_UNUSABLE = """
SELECT claim FROM (SELECT * FROM file WHERE tenant = {tenant:String})
WHERE source IN {sources:Array(String)} AND status != 'done'
"""
_COUNTED = (
    "files", "quarantined", "backed_out", "received", "rejected", "open_rejections", "missing_records",
)  # fmt: skip


def _sources(ask: Ask, action: str) -> dict[str, SourceBase]:
    """Return the sources of the catalog in force that the caller may see."""
    active = ask.engine().active
    found = {} if active is None else active.catalog.sources
    return {code: one for code, one in sorted(found.items()) if ask.caller.may(action, Resource("Source", code))}


def _asked(ask: Ask, sql: str, sources: Iterable[str]) -> list[dict[str, Any]]:
    values = {"tenant": ask.settings.tenant, "sources": list(sources)}
    try:
        return texts_of(rows_of(ask.engine().store.query(sql, values)))
    except UnableToQuery as error:
        raise Problem("unavailable", "the store does not answer", headers={"Retry-After": "5"}) from error


def _rows(ask: Ask, sources: Mapping[str, SourceBase]) -> list[dict[str, Any]]:
    stands: dict[str, dict[str, Any]] = {code: dict.fromkeys(_COUNTED, 0) for code in sources}
    if sources:
        for sql in (_FILES, _OPEN, _MISSING):
            for row in _asked(ask, sql, sources):
                stands[row.pop("source")] |= row
    return [
        {
            "code": code,
            "format": definition(source)["format"],
            "event_types": list(event_types_of(source)),
            "identity": list(identity_of(source)),
            "access_point": access_point_of(source),
            "on_same_key": source.on_same_key,
            "encrypted": source.encryption is not None,
            **{name: int(stands[code][name]) for name in _COUNTED},
            "last_claim": stands[code].get("last_claim"),
            "last_received_at": moment(stands[code].get("last_received_at")),
        }
        for code, source in sources.items()
    ]


def _list(ask: Ask) -> Reply:
    return whole_list(_rows(ask, _sources(ask, "source:list")))


def _read(ask: Ask) -> Reply:
    code = ask.path["source"]
    source = _sources(ask, "source:read").get(code)
    active = ask.engine().active
    if source is None or active is None:
        raise missing()
    gaps = _asked(ask, _GAPS, [code])
    file_gaps: list[dict[str, Any]] = []
    if source.file_names is not None:
        unusable = {row["claim"] for row in _asked(ask, _UNUSABLE, [code])}
        found = gaps_among(ask.engine().journal.entries, {code: source}, unusable)
        file_gaps = [
            {name: one for name, one in row.items() if name != "source"} for row in islice(found, GAPS_SHOWN + 1)
        ]
    return Reply(
        {
            **_rows(ask, {code: source})[0],
            "definition": definition(source),
            "words": [{"what": what, "how": how} for what, how in describe_source(source, active.catalog)],
            "gaps": gaps[:GAPS_SHOWN],
            "file_gaps": file_gaps[:GAPS_SHOWN],
            "more_gaps": len(gaps) > GAPS_SHOWN or len(file_gaps) > GAPS_SHOWN,
        }
    )


ROUTES = [
    Route(
        "GET", "/v1/sources", "source:list", "List the sources of the catalog in force, and how each stands", _list, SourceRow,
        is_list=True, engine=True,
    ),
    Route(
        "GET", "/v1/sources/{source}", "source:read", "Show a source: definition, counts, what is missing", _read, SourceView,
        engine=True,
    ),
]  # fmt: skip
