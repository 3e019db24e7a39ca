"""The application: its routes, its errors, and its description of itself (OpenAPI)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.api.charging import CHANGE_ACTIONS, Charges
from apps.api.charging_description import balance_operation, charging_operation
from apps.api.description import complete, events_operation, state_operation
from apps.api.desk import Desk
from apps.api.events import Events
from apps.api.gate import Gate
from apps.api.keys import Keys
from apps.api.login import LOGIN_ROUTES, Logins
from apps.api.problems import Problem, of_status
from apps.api.resource_description import operation, schemas_of
from apps.api.resources import Resources
from apps.api.routes import ROUTES
from apps.api.wallets_description import CHANGES, change_operation, wallets_operation
from apps.settings import Settings
from billing.access.store.database import UnableToOpenDatabase
from schemas.charging import ChargingKind


def make_app(settings: Settings, gate: Gate, *, version: str) -> FastAPI:
    """Return the application in front of a gate."""
    app = FastAPI(
        title="octroi",
        version=version,
        summary="Usage in, receipts out",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # behind TLS it would send keys on to http://
    )
    desk = Desk(settings)
    keys = Keys(settings.api_keys, desk)
    resources = Resources(settings, keys, desk, gate)
    events, charges = Events(settings, keys, gate), Charges(keys, gate)

    async def health() -> Response:
        """Say that the process runs."""
        return JSONResponse({"status": "ok"})

    async def ready() -> Response:
        """Say whether usage is taken."""
        gate.require_open()
        return JSONResponse({"status": "ready"})

    app.add_api_route(
        "/v1/events",
        events.post,
        methods=["POST"],
        response_class=Response,
        **_needing("event:create", events_operation()),
    )
    for kind in ChargingKind:
        name = kind.name.lower()
        app.add_api_route(
            f"/v1/charging/{name}",
            charges.route(kind),
            methods=["POST"],
            response_class=Response,
            **_needing(f"charging:{name}", charging_operation(kind)),
        )
    app.add_api_route(
        "/v1/accounts/{account}/balance",
        charges.balance,
        methods=["GET"],
        response_class=Response,
        **_needing("wallet:read", balance_operation()),
    )
    app.add_api_route(
        "/v1/accounts/{account}/wallets",
        charges.wallets,
        methods=["GET"],
        response_class=Response,
        **_needing("wallet:read", wallets_operation()),
    )
    for change in CHANGES:
        app.add_api_route(
            f"/v1/wallets/{change.replace('_', '-')}",
            charges.change(change),
            methods=["POST"],
            response_class=Response,
            **_needing(CHANGE_ACTIONS[change], change_operation(change)),
        )
    for route in ROUTES:
        serve = resources.served(route)
        app.add_api_route(route.path, serve, methods=[route.method], response_class=Response, **operation(route))
    logins = Logins(settings, keys, desk)
    for route in LOGIN_ROUTES:
        serve = logins.served(route)
        app.add_api_route(route.path, serve, methods=[route.method], response_class=Response, **operation(route))
    app.add_api_route("/healthz", health, methods=["GET"], response_class=Response, **state_operation("healthz"))
    app.add_api_route("/readyz", ready, methods=["GET"], response_class=Response, **state_operation("readyz"))
    app.add_exception_handler(Problem, _refuse)
    app.add_exception_handler(HTTPException, _refuse_by_status)
    app.add_exception_handler(UnableToOpenDatabase, _unopened)
    app.add_exception_handler(Exception, _fail)
    _describe_with(app, lambda schema: complete(schema, schemas_of([*ROUTES, *LOGIN_ROUTES])))
    return app


def _needing(action: str, described: dict[str, Any]) -> dict[str, Any]:
    """Return what describes a route with what a key needs for it."""
    return described | {"openapi_extra": described.get("openapi_extra", {}) | {"x-permission": action}}


def _describe_with(app: FastAPI, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let the application's description of itself be what `change` makes of it."""
    generated = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = change(generated())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _refuse_by_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return of_status(error.status_code, error.headers).response()


async def _unopened(request: Request, error: Exception) -> Response:
    told = "the database does not answer: send the request again later"
    return Problem("unavailable", told, headers={"Retry-After": "5"}).response()


async def _fail(request: Request, error: Exception) -> Response:
    return Problem("internal-error", "octroi has told its operator; send the request again later").response()
