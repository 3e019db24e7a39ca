"""Routes of what the engine has: named queries over the store, and bringing the business into force."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from apps.api.media import ARROW_STREAM, CSV, JSON, NDJSON
from apps.api.problems import Problem
from apps.api.resources import Ask, Content, Reply, Route, missing, whole_list
from apps.api.views import View
from apps.cli.output import plain, rows_of
from apps.control.publishing import publish_beside
from apps.embedded.access import OwnerRefused, UnableToReach
from apps.embedded.beside import EndedBeside
from billing.access.queries import find_tenant
from billing.access.rules import check_changeable
from billing.access.sheets import csv_bytes
from billing.catalog.models import UnableToLoadCatalog
from billing.subscriptions.rules_catalog import UnableToPublish
from sinks.clickhouse.client import UnableToQuery
from sinks.clickhouse.named import LIMIT_MAX, NAMED, UnableToName, bound

_LIMIT = 1000


class Question(BaseModel):
    """What a named query is asked with, and how many rows are wanted."""

    model_config = ConfigDict(extra="forbid")

    parameters: dict[
        Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=256)]
    ] = {}
    limit: Annotated[int, Field(strict=True, ge=1, le=LIMIT_MAX)] = _LIMIT


class Publication(BaseModel):
    """Nothing more is to be said."""

    model_config = ConfigDict(extra="forbid")


class QueryView(View):
    """A query that has a name, and what it is asked with."""

    name: str
    meaning: str
    parameters: list[dict[str, Any]]


class Found(View):
    """Rows of a query; decimals are text."""

    data: list[dict[str, Any]]
    has_more: bool


class PublishedView(View):
    """What was published; `image` is in force, null where the engine has not taken it yet."""

    accounts: int
    subscriptions: int
    image: str | None


def _queries(ask: Ask) -> Reply:
    return whole_list([one.as_dict() for one in NAMED.values()])


def _query(ask: Ask) -> Reply:
    said = ask.read(Question)
    if ask.path["query"] not in NAMED:
        raise missing()
    engine = ask.engine()
    try:
        asked = bound(ask.path["query"], said.parameters, tenant=ask.settings.tenant, limit=said.limit)
    except UnableToName as error:
        raise Problem("refused", str(error)) from error
    try:
        table = engine.store.query(*asked)
    except UnableToQuery as error:
        raise Problem("refused", "the store cannot answer this: ask for less") from error
    has_more = table.num_rows > said.limit
    table = table.slice(0, said.limit)
    if ask.accepts == ARROW_STREAM:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return Reply(Content(ARROW_STREAM, sink.getvalue().to_pybytes(), has_more))
    rows = [plain(row) for row in rows_of(table)]
    if ask.accepts == CSV:
        return Reply(Content(CSV, csv_bytes(table.column_names, rows), has_more))
    # row by row: one call of json for all of them holds up every other thread for as long as it takes
    told = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows]
    if ask.accepts == NDJSON:
        return Reply(Content(NDJSON, "".join([f"{one}\n" for one in told]).encode("utf-8", "replace"), has_more))
    data = f'{{"data": [{", ".join(told)}], "has_more": {json.dumps(has_more)}}}'.encode("utf-8", "replace")
    return Reply(Content(JSON, data, has_more))


def _publish(ask: Ask) -> Reply:
    ask.read(Publication)
    ask.engine()
    check_changeable(find_tenant(ask.database))
    try:
        found = publish_beside(ask.settings)
    except (UnableToReach, EndedBeside) as error:
        raise Problem("unavailable", "the engine does not answer", headers={"Retry-After": "5"}) from error
    except (UnableToPublish, UnableToLoadCatalog, OwnerRefused) as error:
        raise Problem("refused", str(error)) from error
    return Reply({"accounts": found.accounts, "subscriptions": found.subscriptions, "image": found.image})


ROUTES = [
    Route("GET", "/v1/queries", "query:list", "List queries that have a name", _queries, QueryView, is_list=True, whole=True),
    Route(
        "POST", "/v1/queries/{query}", "query:run", "Ask a query that has a name", _query, Found, body=Question,
        whole=True, reads=True, kinds=(NDJSON, CSV, ARROW_STREAM),
    ),
    Route(
        "POST", "/v1/catalog/publish", "catalog:publish", "Bring accounts and subscriptions into force", _publish,
        PublishedView, body=Publication, whole=True, reads=True,
    ),
]  # fmt: skip
