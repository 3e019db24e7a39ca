"""Online charging by processes that die: at each boundary, and under load. What was answered is answered again."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cli_octroi
import httpx
import pytest
from charging_twin import CATALOG
from cli_octroi import balanced, query, until
from http_world import KEY, LIMITED_KEY, Server, serving
from kill_points import DIED
from kill_world import Nursery, content, nursery

POINTS = (
    "before journal charging", "half journal charging", "after journal charging", "before frame", "half frame", "after frame",
    "before synced frame", "after synced frame", "before insert fact_usage", "after insert fact_usage", "after insert fact_block", "before snapshot", "half array",
)  # fmt: skip
SOURCE = """
---
kind: source
code: calls
format: delimited
mapping: {identity: [id], access_point: caller, time: {field: at}, quantity: {field: n}, event_type: {constant: call}}
"""


def _catalog(data: Path) -> Path:
    (data / "catalog").mkdir(parents=True)
    (data / "catalog" / "catalog.yaml").write_text(CATALOG % 1 + SOURCE)
    return data


def _requests(count: int) -> list[dict[str, Any]]:
    """Reservations of four subscriptions, each confirmed with less, more or as much, cancelled, or left alone; and charges."""
    chance = random.Random(5)
    found: list[dict[str, Any]] = []
    for number in range(count):
        usage = {"access_point": str(1 + number % 4), "event_type": "call", "quantity": f"{chance.randint(0, 2)} event"}
        if number % 3 == 0:
            found.append({"kind": "charge", "id": f"e{number}", **usage})
            continue
        found.append({"kind": "reserve", "id": f"s{number}", **usage, "increment": "1 event", "validity_s": 3600})
        if number % 3 == 1:
            found.append({"kind": "confirm", "id": f"c{number}", "of": f"s{number}", "quantity": f"{number % 4} event"})
        elif number % 2:
            found.append({"kind": "cancel", "id": f"c{number}", "of": f"s{number}"})
    return found


@pytest.fixture(scope="module")
def octroi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery")) as started:
        yield started


def _answers(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_dying_at_a_boundary_changes_no_answer_and_no_money(octroi: Nursery, tmp_path: Path) -> None:
    asked = tmp_path / "requests.jsonl"
    asked.write_text("".join(json.dumps(request) + "\n" for request in _requests(60)))
    plain, dying = (_catalog(tmp_path / name) for name in ("plain", "dying"))
    octroi.run("run", plain)
    octroi.run("run", dying)
    send = ("charge", "send", asked, "--data")
    undisturbed = octroi.run(*send, plain)
    expected = [(one["id"], one["code"], one["granted_steps"], one["amount"]) for one in _answers(undisturbed.out)]
    assert len(expected) == len(asked.read_text().splitlines())
    for point in POINTS:
        ended = octroi.run(*send, dying, fault={"die_at": point, "nth": 1})
        assert ended.code == DIED, (point, ended)
    last = octroi.run(*send, dying)
    again = octroi.run(*send, dying)
    assert last.code == again.code == 0, last.err
    assert again.out == last.out
    assert [(one["id"], one["code"], one["granted_steps"], one["amount"]) for one in _answers(last.out)] == expected
    found = [content(directory).totals for directory in (plain, dying)]
    assert found[0]["money"] == found[1]["money"]
    assert found[0]["wallets"] == found[1]["wallets"]


def _post(server: Server, request: dict[str, Any], key: str = KEY) -> httpx.Response:
    body = {name: value for name, value in request.items() if name != "kind"}
    return server.client.post(f"/v1/charging/{request['kind']}", json=body, headers={"Authorization": f"Bearer {key}"})


def _send(server: Server, requests: list[dict[str, Any]], acknowledged: dict[str, dict[str, Any]]) -> None:
    for request in requests:
        try:
            answer = _post(server, request)
        except httpx.TransportError:
            return
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            acknowledged[request["id"]] = answer.json()


def test_killed_under_load_a_server_answers_again_what_it_answered(tmp_path: Path) -> None:
    _kill_again_and_again(tmp_path, requests=_requests(80), kills=2, seed=11)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_a_server_that_is_killed_many_times(tmp_path: Path, seed: int) -> None:
    _kill_again_and_again(tmp_path, requests=_requests(400), kills=20, seed=seed)


def _kill_again_and_again(tmp_path: Path, *, requests: list[dict[str, Any]], kills: int, seed: int) -> None:
    """Kill a server after some answers, again and again; whatever it answered before it died, it answers again."""
    chance = random.Random(seed)
    data = _catalog(tmp_path / "data")
    chains = [[one for one in requests if int(one["id"][1:]) % 4 == turn] for turn in range(4)]
    acknowledged: dict[str, dict[str, Any]] = {}
    for number in range(kills + 1):
        with serving(data, tmp_path, snapshot_records=40) as server:
            if number == 0:
                _refusals(server)
            before = dict(acknowledged)
            threads = [threading.Thread(target=_send, args=(server, chain, acknowledged)) for chain in chains]
            for thread in threads:
                thread.start()
            if number < kills:
                want = len(before) + chance.randint(1, len(requests) // (2 * kills))
                until(lambda want=want: len(acknowledged) >= want, "some answers")
                time.sleep(chance.uniform(0, 0.02))
                server.process.kill()
            for thread in threads:
                thread.join(timeout=120)
            assert {name: acknowledged[name] for name in before} == before
            if number == kills:
                assert len(acknowledged) == len(requests)
                assert {name: _post(server, one).json() for one in requests for name in [one["id"]]} == acknowledged
                shown = server.client.get(
                    "/v1/accounts/card/balance", headers={"Authorization": f"Bearer {KEY}"}
                ).json()
                assert [wallet["wallet"] for wallet in shown["wallets"]] == ["card"]
    cli_octroi.octroi("run", data).ok()  # the last server was killed, too: what it logged last may not have been stored
    balanced(data)
    final = [one for one in acknowledged.values() if "item" in one]
    (row,) = query(data, "SELECT count() AS n, toString(sum(amount)) AS amount FROM rated_item")
    assert row["n"] == len(final)
    assert float(row["amount"]) == pytest.approx(sum(float(one["amount"]) for one in final))


def _refusals(server: Server) -> None:
    usage = {"access_point": "1", "event_type": "call", "quantity": "1 event"}
    cases: list[tuple[dict[str, Any], str, int, str]] = [
        ({"kind": "charge", "id": "x", **usage}, "nobody", 401, "unauthorized"),
        ({"kind": "charge", "id": "x", **usage}, LIMITED_KEY, 403, "source-not-permitted"),
        ({"kind": "charge", "id": "x", **usage, "access_point": "77"}, KEY, 422, "unknown-name"),
        ({"kind": "charge", "id": "x", **usage, "event_type": "mms"}, KEY, 422, "unknown-name"),
        ({"kind": "charge", "id": "x", **usage, "quantity": "1"}, KEY, 400, "bad-request"),
        ({"kind": "charge", "id": "x", **usage, "quantity": "1 s"}, KEY, 400, "bad-request"),
        ({"kind": "confirm", "id": "x"}, KEY, 400, "bad-request"),
    ]
    for request, key, status, name in cases:
        answer = _post(server, request, key)
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:octroi:problem:{name}"), answer.text
    refused = _post(server, {"kind": "cancel", "id": "x", "of": "y"})
    assert (refused.status_code, refused.json()["code"]) == (200, "UNKNOWN_RESERVATION")
