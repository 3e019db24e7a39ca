"""What `octroi diameter serve` asks of network elements: more was paid in, an operator wants it, a session is to end."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import octroi
from diameter_peer import Wire, connect
from diameter_run import serve_beside
from diameter_world import WHOSE, asked, balance, engine_of, msisdn, service, told, whose, write_world
from typer.testing import CliRunner

from apps.cli.main import app
from apps.diameter import asking
from apps.embedded.access import reach
from apps.embedded.layout import DataDirectory
from apps.settings import Settings
from pipelines.mediation.diameter.fields import Group

RE_AUTH, ABORT = 258, 274
ORIGIN = {"Origin-Host": "pgw.epc", "Origin-Realm": "epc"}


class Element:
    """A network element, and an operator beside it."""

    def __init__(self, data: Path, wire: Wire) -> None:
        self.data, self.wire = data, wire

    async def credit(self, **said: Any) -> Group:
        return (await self.wire.ask(272, asked(**said), application=4))[1]

    async def asked_for(self, command: int, session: str, result: int) -> Group:
        """Answer what the server asks, and return it."""
        header, said = await self.wire.next()
        assert (header.command, header.application, header.flags, said.get("Session-Id")) == (command, 4, 0xC0, session)
        assert (said.get("Destination-Host"), said.get("Destination-Realm")) == ("pgw.epc", "epc")
        assert (said.get("Origin-Host"), said.get("Auth-Application-Id")) == ("ocs.test", 4)
        self.wire.answer(header, {"Session-Id": session, "Result-Code": result, **ORIGIN})
        return said

    async def command(self, request: dict[str, Any]) -> Any:
        """Ask the owner of the data directory, from another thread."""

        def ask() -> Any:
            with reach(DataDirectory(self.data), Settings(data_dir=self.data), print) as access:
                return access.command(request)

        return await asyncio.to_thread(ask)

    async def operator(self, step: str, *sessions: str, every: bool = False) -> Any:
        return await self.command({"op": "diameter", "step": step, "sessions": list(sessions), "every": every})

    async def pay_in(self, name: str, customer: int, amount: str) -> None:
        body = {"kind": "top_up", "id": name, "account": msisdn(customer), "wallet": "card", "amount": f"{amount} EUR"}
        ((answer),) = await self.command({"op": "wallets", "requests": [body]})
        assert answer["code"] == "DONE"


async def all_of_it(data: Path, address: str) -> None:
    element = Element(data, await connect(address))
    await element.wire.hello()
    # another customer's money wakes nobody; one's own, all sessions that were granted less than they asked for
    services = [service(group, ask=2000) for group in (1, 2, 3, 4)]
    limited = await element.credit(session="a;1", whose=WHOSE, services=services, sub=7)
    assert told(limited)[4] == (2001, 1500, True)
    await element.credit(session="a;2", whose=whose(1), services=[service(ask=500)])
    await element.pay_in("one", 1, "5")
    await element.pay_in("two", 0, "5")
    said = await element.asked_for(RE_AUTH, "a;1", 2002)
    assert (said.get("Re-Auth-Request-Type"), said.get("CC-Sub-Session-Id")) == (0, 7)
    again = await element.credit(session="a;1", sub=7, type=2, number=1, services=[service(4, used=1500, ask=2000)])
    assert told(again)[4] == (2001, 2000, False)
    # who is connected
    (peer,) = await element.operator("peers")
    assert (peer["host"], peer["requests"], peer["results"], peer["in_flight"]) == ("pgw.epc", 3, {"2001": 4}, 0)
    # by an operator: a session, all that hold something, one that nobody knows
    one = asyncio.create_task(element.operator("reauthorise", "a;2"))
    await element.asked_for(RE_AUTH, "a;2", 2001)
    assert await one == [{"session": "a;2", "element": "pgw.epc", "released": 0, "outcome": "SUCCESS"}]
    every = asyncio.create_task(element.operator("reauthorise", every=True))
    await element.asked_for(RE_AUTH, "a;1", 2001)
    await element.asked_for(RE_AUTH, "a;2", 5012)
    assert [each["outcome"] for each in await every] == ["SUCCESS", "UNABLE_TO_COMPLY"]
    (unknown,) = await element.operator("abort", "nobody")
    assert unknown["outcome"] == "UNKNOWN_SESSION"
    # an element that does not know the session any more: what it holds goes back
    gone = asyncio.create_task(element.operator("abort", "a;2"))
    await element.asked_for(ABORT, "a;2", 5002)
    assert await gone == [{"session": "a;2", "element": "pgw.epc", "released": 1, "outcome": "UNKNOWN_SESSION_ID"}]
    assert (await element.operator("abort", "a;2"))[0]["outcome"] == "UNKNOWN_SESSION"
    # one that does not answer, and one that left
    await element.credit(session="a;3", whose=whose(2), services=[service(ask=500)])
    asking.ANSWER_S = 0.01
    assert (await element.operator("abort", "a;3"))[0]["outcome"] == "NO_ANSWER"
    assert (await element.wire.next())[0].command == ABORT
    await element.wire.ask(282, {**ORIGIN, "Disconnect-Cause": 2})
    assert await element.wire.is_over()
    assert (await element.operator("abort", "a;3"))[0]["outcome"] == "NOT_CONNECTED"
    assert await element.operator("peers") == []


def test_what_network_elements_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_S", asking.ANSWER_S)
    data = write_world(tmp_path / "data")

    async def act(address: str, stop: threading.Event) -> None:
        await all_of_it(data, address)

    serve_beside(data, act)
    with engine_of(data) as engine:
        assert balance(engine, 0) == (Decimal("7.5") + 5 - Decimal("1.5"), 8)
        assert balance(engine, 1) == (Decimal("12.5"), 0)
        assert engine.beside == {}


def test_without_a_server_nobody_is_asked(tmp_path: Path) -> None:
    data = write_world(tmp_path / "data")
    with engine_of(data):
        pass
    refused = octroi("diameter", "peers", "--data", data)
    assert refused.code == 4
    assert "no octroi diameter serve runs" in refused.err
    for arguments in (["reauthorise"], ["reauthorise", "a", "--all"], ["abort"]):
        result = CliRunner().invoke(app, ["diameter", *arguments, "--data", str(data)])
        assert result.exit_code == 2


def test_commands_say_what_became_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_: list[Any] = []
    answers: list[Any] = [
        [{"session": None, "outcome": "UNKNOWN_SESSION", "released": 0}],
        [{"session": "b", "outcome": "SUCCESS", "released": 2}],
        [{"host": "a.epc", "address": "::1", "suspect": True, "requests": 2, "in_flight": 1, "results": {"2001": 1}}],
        [{"host": "a.epc", "address": "::1", "suspect": False, "requests": 0, "in_flight": 0, "results": {}}],
    ]

    def answer(data: Any, request: dict[str, Any]) -> Any:
        asked_.append(request)
        return answers[len(asked_) - 1]

    monkeypatch.setattr("apps.cli.diameter_peers._ask", answer)
    run = CliRunner().invoke
    unknown = run(app, ["diameter", "abort", "a"])
    assert (unknown.exit_code, unknown.stdout) == (5, "a  UNKNOWN_SESSION\n")
    every = run(app, ["diameter", "reauthorise", "--all"])
    assert (every.exit_code, every.stdout) == (0, "b  SUCCESS, 2 reservations released\n")
    peers = run(app, ["diameter", "peers"])
    assert "a.epc  ::1 suspect  2 requests, 1 on their way; answered 1 2001" in peers.stdout
    assert '"host": "a.epc"' in run(app, ["diameter", "peers", "--json"]).stdout
    assert [request["step"] for request in asked_] == ["abort", "reauthorise", "peers", "peers"]
