"""Every route, with every role, for what is its own, another's and another tenant's; and the description that is checked in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_world import ROLES as KEYS
from api_world import Api, api
from fastapi.routing import APIRoute
from permission_twin import grants

from apps.api.login import LOGIN_ROUTES
from apps.api.openapi import document
from apps.api.resources import Route
from apps.api.routes import ROUTES
from billing.access.permissions import ACTIONS, ROLES

ROOT = Path(__file__).resolve().parents[2]
OPEN = {"/healthz", "/readyz", "/v1/why", *(route.path for route in LOGIN_ROUTES)}
"""Routes for which a key, or nobody, needs no permission."""
OWN = {
    "account": "ana",
    "subscription": "ana-line",
    "id": "con_1",
    "kind": "customer",
    "key": "nobody",
    "role": "nobody",
    "user": "nobody",
    "query": "revenue",
    "source": "calls",
    "rejection": "3-1",
    "code": "mobile",
}
FOREIGN = OWN | {"account": "bob", "subscription": "bob-line"}
MISSING = OWN | {"account": "nobody", "subscription": "no-line"}
NAMED = [f"{route.method} {route.path}" for route in ROUTES]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("matrix")) as found:
        yield found


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("other"), "other") as found:
        yield found


def ask(world: Api, route: Route, key: str, named: dict[str, str]) -> tuple[int, bytes]:
    # a body that is refused in the end: the matrix changes nothing
    body = None if route.body is None else {"nothing": "of this name"}
    more = {"If_Match": '"999"'} if route.needs_match else {}
    answer = world.ask(route.method, route.path.format(**named), body, key, **more)
    return answer.status_code, answer.content


def test_every_route_says_what_it_needs(world: Api) -> None:
    routes = [route for route in world.app.routes if isinstance(route, APIRoute)]
    assert len(routes) > len(ROUTES)
    for route in routes:
        needed = (route.openapi_extra or {}).get("x-permission")
        assert needed in ACTIONS or route.path in OPEN, f"{route.path} declares no permission"
    served = {(route.path, method) for route in routes for method in route.methods or ()}
    assert {(route.path, route.method) for route in ROUTES} <= served


@pytest.mark.parametrize("route", ROUTES, ids=NAMED)
def test_a_role_lets_in_and_keeps_out(world: Api, route: Route) -> None:
    for role in KEYS:
        permitted = not route.action or any(grants(grant, route.action) for grant in ROLES[role].grants)
        status, told = ask(world, route, role, OWN)
        assert (status != 403) is permitted, (role, status, told)
        assert status not in (401, 500), (role, status, told)
        assert status != 503 or route.engine, (role, status, told)


@pytest.mark.parametrize("route", ROUTES, ids=NAMED)
def test_what_is_outside_of_a_limit_is_as_what_is_not_there(world: Api, route: Route) -> None:
    foreign, missing = ask(world, route, "boss", FOREIGN), ask(world, route, "boss", MISSING)
    assert foreign == missing
    if route.whole:
        assert foreign[0] == 403
    elif "{account}" in route.path or "{subscription}" in route.path:
        assert foreign[0] == 404, foreign


@pytest.mark.parametrize("route", ROUTES, ids=NAMED)
def test_another_tenant_is_nobody(world: Api, other: Api, route: Route) -> None:
    world.tokens["stranger"] = other.tokens["admin"]
    world.tokens["nobody"] = "octroi_" + "0" * 26 + "_" + "A" * 43
    stranger, nobody = ask(world, route, "stranger", OWN), ask(world, route, "nobody", OWN)
    assert stranger[0] == 401
    assert stranger == nobody


def test_ids_of_another_tenant_are_not_there(world: Api, other: Api) -> None:
    missing = world.ask("GET", "/v1/accounts/cus_01M8CVHGS501R23DNN8YVAFZ9T")
    for identifier in other.ids.values():
        answer = world.ask("GET", f"/v1/accounts/{identifier}")
        assert (answer.status_code, answer.content) == (404, missing.content)


def test_the_description_that_is_checked_in_is_the_application_s() -> None:
    held = (ROOT / "docs" / "openapi.json").read_text()
    assert held == document(), "renew it: python -m apps.api.openapi > docs/openapi.json"
    assert json.loads(held)["openapi"].startswith("3.1")


def test_every_operation_has_a_name_of_its_own() -> None:
    described = json.loads(document())
    names = [one["operationId"] for path in described["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names)
