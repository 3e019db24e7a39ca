"""What OpenAPI says about routes of what a tenant keeps: made from the routes, so that it cannot say anything else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from apps.api.description import problem_response
from apps.api.media import JSON
from apps.api.problems import KINDS
from apps.api.resources import LIMIT, LIMIT_MAX, Route

_DETAILS = {
    "bad-request": "limit is a number from 1 to 1000",
    "unauthorized": "the key is not known",
    "forbidden": "no role of the key 'shop' (viewer) permits account:create",
    "too-many-requests": "1000 requests are on their way",
    "unavailable": "the database does not answer: send the request again later",
}
_NAMED = {"not-found": "there is nothing of this name"}
_BODY = {
    "body-timeout": "the body was not whole after 10 s",
    "body-too-large": "the body has more than 1048576 bytes",
    "unsupported-media-type": "send application/json, not text/csv",
    "invalid-body": "/code: Field required",
}
_CHANGE = {
    "conflict": "the tenant is suspended: its business stays as it is",
    "precondition-failed": "it was changed since: read it again",
    "refused": "parent: there is no account acme",
    "idempotency-key-reused": "take another key for another request, or send the same one again",
}
_REF = "#/components/schemas/{model}"


def operation(route: Route) -> dict[str, Any]:
    """Return what describes a route."""
    details = dict(_DETAILS)
    if "{" in route.path or route.query:
        details |= _NAMED
    if route.body is not None:
        details |= _BODY
    if route.changes:
        details |= _CHANGE
    if route.reads:
        details |= {name: _CHANGE[name] for name in ("conflict", "refused")}
    if route.needs_match:
        details |= {"precondition-required": "send the ETag of what you read as `If-Match`, or `*`"}
    if not route.action:
        details.pop("forbidden")
        if route.changes:
            details["cross-site"] = "send the header `X-CSRF-Token` with what the login answered"
    if not route.doors:
        details["not-proven"] = "this is not right, or was wrong too often: wait before you try again"
        details.pop("unauthorized")
    statuses = sorted({KINDS[name].status for name in details})
    extra: dict[str, Any] = {
        "parameters": _parameters(route),
        "security": [{door: []} for door in route.doors],
        "x-permission": route.action,
    }
    if route.body is not None:
        schema = {"$ref": _REF.format(model=route.body.__name__)}
        extra["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return {
        "summary": route.summary,
        "operation_id": route.name,
        "tags": [route.path.split("/")[2]],
        "status_code": route.status,
        "responses": {route.status: _answer(route), **{one: _problem(one, details) for one in statuses}},
        "openapi_extra": extra,
    }


def _problem(status: int, details: dict[str, str]) -> dict[str, Any]:
    """Return what describes a status, by one example."""
    told = problem_response(status, details)
    for content in told["content"].values():
        first = next(iter(content.pop("examples").values()))
        content["example"] = first["value"]
    return told


def _answer(route: Route) -> dict[str, Any]:
    told: dict[str, Any] = {"description": "Done" if route.changes else "Found"}
    if route.answer is None:
        return told
    schema: dict[str, Any] = {"$ref": _REF.format(model=route.answer.__name__)}
    if route.is_list:
        schema = {
            "type": "object",
            "required": ["data", "has_more", "next"],
            "properties": {
                "data": {"type": "array", "items": schema},
                "has_more": {"type": "boolean"},
                "next": {"type": ["string", "null"], "description": "where the next page is"},
            },
        }
    told["content"] = {JSON: {"schema": schema}} | {
        kind: {"schema": {"type": "string", "format": "binary"}} for kind in route.kinds
    }
    if route.kinds:
        more = {
            "schema": {"type": "string"},
            "description": "true when there are more rows than asked for; of kinds but JSON",
        }
        told["headers"] = {"octroi-has-more": more}
    if "revision" in route.answer.model_fields and not route.is_list:
        told["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "the revision, for `If-Match`"}}
    return told


def _parameters(route: Route) -> list[dict[str, Any]]:
    text = {"type": "string", "minLength": 1, "maxLength": 255}
    named = re.findall(r"\{(\w+)\}", route.path)
    found = [{"name": name, "in": "path", "required": True, "schema": text} for name in named]
    found += [
        {"name": name, "in": "query", "required": told.endswith("(required)"), "schema": text, "description": told}
        for name, told in route.query.items()
    ]
    if route.has_pages:
        limit = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT}
        found.append({"name": "limit", "in": "query", "schema": limit, "description": "at most so many rows"})
        told = "behind this row: the last one of the page before"
        found.append({"name": "starting_after", "in": "query", "schema": {**text, "minLength": 0}, "description": told})
    if route.changes and not route.secret:
        told = "the same key with the same request is answered as the first time, and done once"
        found.append({"name": "Idempotency-Key", "in": "header", "schema": text, "description": told})
    if route.matches:
        told = "the ETag of what was read, so that nobody else's change is lost; `*` for whatever it is now"
        found.append(
            {"name": "If-Match", "in": "header", "required": route.needs_match, "schema": text, "description": told}
        )
    return found


def schemas_of(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the JSON Schemas of all models of routes, by name."""
    found: dict[str, Any] = {}
    for route in routes:
        for model, mode in ((route.body, "validation"), (route.answer, "serialization")):
            if model is not None:
                found |= _schemas(model, mode)
    return dict(sorted(found.items()))


def _schemas(model: type[BaseModel], mode: Any) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=_REF, mode=mode)
    found: dict[str, Any] = schema.pop("$defs", {})
    return found | {model.__name__: schema}
