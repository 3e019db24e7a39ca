"""Rejections that are decided about over HTTP: as on the command line, once, and by whom is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_world import Api
from cli_calls import STRANGER
from engine_world import REFUSED, api_with_engine

from apps.api.gate import Gate
from apps.control.keys import new_key
from apps.control.places import making, opened
from billing.access.keys import define_role
from billing.access.models import TenantStatus
from billing.access.operations import set_status
from billing.access.permissions import Role


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[Api, Gate]]:
    with api_with_engine(tmp_path / "data") as found:
        yield found


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:octroi:problem:")


def ids(world: Api, query: str = "") -> list[str]:
    return [one["id"] for one in world.ask("GET", f"/v1/rejections{query}").json()["data"]]


def test_rejections_are_tried_again_once(started: tuple[Api, Gate]) -> None:
    world, gate = started
    journal = gate.require_open().journal
    path, before = "/v1/rejections/replay", len(journal.entries)
    strangers = ids(world, "?code=UNKNOWN_ACCESS_POINT")
    body = {"code": "UNKNOWN_ACCESS_POINT"}

    async def at_once() -> list[httpx.Response]:
        headers = {"Authorization": f"Bearer {world.tokens['admin']}", "Idempotency-Key": "again-1"}
        client = httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url="http://octroi", trust_env=False)
        return await asyncio.gather(*(client.post(path, json=body, headers=headers) for _ in range(4)))

    answers = asyncio.run(at_once())
    done = [one for one in answers if one.status_code == 200]
    assert done
    assert {problem(one) for one in answers if one not in done} <= {(409, "request-in-progress")}
    told = done[0].json()
    assert (told["replayed"], told["left"], told["received"]) == (len(strangers), 0, len(strangers)), told
    tried = len(journal.entries)
    assert tried == before + len(told["claims"])
    again = world.ask("POST", path, body, Idempotency_Key="again-1")
    assert (again.status_code, again.json()) == (200, told)
    assert problem(world.ask("POST", path, {"all": True}, Idempotency_Key="again-1")) == (422, "idempotency-key-reused")
    assert problem(world.ask("POST", path, {"ids": strangers[:1]})) == (422, "refused")
    assert len(journal.entries) == tried
    assert sorted(ids(world, "?status=REPLAYED")) == sorted(strangers)
    fresh = world.ask("GET", "/v1/rejections?status=OPEN&code=UNKNOWN_ACCESS_POINT").json()["data"]
    assert [one["retries"] for one in fresh] == [1] * len(strangers)
    (entry,) = world.ask("GET", "/v1/audit-log?entity=rejection").json()["data"]
    assert (entry["by"], entry["key"], entry["after"]["meant"]) == ("key admin", "replay", body)
    assert entry["after"]["done"] == told


def test_rejections_are_set_aside_and_opened_again(started: tuple[Api, Gate]) -> None:
    world, gate = started
    journal, base = gate.require_open().journal, "/v1/rejections"
    with opened(world.settings) as database, making(database, "test") as changes:
        define_role(changes, Role("desk", "decides", ("rejection:list", "rejection:discard", "rejection:replay")))
    _, world.tokens["desk"] = new_key(
        world.settings, None, "test", "desk", roles=["desk"], accounts=[], sources=[], expires_at=None
    )
    first, *others = ids(world)
    assert len(others) + 1 == len(REFUSED)
    before = len(journal.entries)
    for wrong in (
        {}, {"all": True, "source": "calls"}, {"ids": ["1-x"]}, {"source": "nothing"}, {"since": "yesterday"},
        {"ids": ["99-0"]}, {"ids": ["9999999999-9999999999-999"]}, {"status": "x"},
    ):  # fmt: skip
        assert problem(world.ask("POST", f"{base}/replay", wrong)) == (422, "refused"), wrong
    for wrong in ({"ids": []}, {"claim": "1"}, {"claim": 0}, {"all": "yes"}, {"op": "activate"}, {"reason": "x"}):
        assert problem(world.ask("POST", f"{base}/replay", wrong)) == (422, "invalid-body"), wrong
    assert problem(world.ask("POST", f"{base}/discard", {"all": True})) == (422, "invalid-body")
    assert problem(world.ask("POST", f"{base}/discard", {"all": True, "reason": " "})) == (422, "refused")
    for oracle in ({"text": "3"}, {"access_point": STRANGER}):
        assert problem(world.ask("POST", f"{base}/replay", oracle, "desk")) == (403, "forbidden")
        assert problem(world.ask("POST", f"{base}/discard", {**oracle, "reason": "x"}, "desk")) == (403, "forbidden")
    assert problem(world.ask("POST", f"{base}/mark", {"ids": [first]}, "desk")) == (403, "forbidden")
    assert len(journal.entries) == before
    aside = world.ask("POST", f"{base}/discard", {"ids": [first], "reason": "a test call"}, "desk")
    assert (aside.status_code, aside.json()) == (200, {"decided": 1, "left": 0})
    assert (
        world.ask("GET", f"{base}/{first}").json().items()
        >= {
            "status": "DISCARDED",
            "decision_reason": "a test call",
            "decided_by": before + 1,
        }.items()
    )
    assert problem(world.ask("POST", f"{base}/mark", {"ids": [first]})) == (422, "refused")
    open_of = ids(world, f"?text={STRANGER}&status=OPEN")
    marked = world.ask("POST", f"{base}/mark", {"text": STRANGER})
    assert (marked.status_code, marked.json()) == (200, {"decided": len(open_of), "left": 0})
    assert ids(world, "?status=TO_REPROCESS") == open_of
    assert world.ask("POST", f"{base}/reopen", {"status": "DISCARDED"}).json() == {"decided": 1, "left": 0}
    entries = world.ask("GET", "/v1/audit-log?entity=rejection").json()["data"]
    assert [one["by"] for one in entries if one["key"] == "discard"] == ["key desk"]
    assert STRANGER not in str(entries)
    with opened(world.settings) as database, making(database, "test") as changes:
        set_status(changes, database, TenantStatus.SUSPENDED)
    tried = len(journal.entries)
    assert problem(world.ask("POST", f"{base}/replay", {"all": True})) == (409, "conflict")
    assert len(journal.entries) == tried
