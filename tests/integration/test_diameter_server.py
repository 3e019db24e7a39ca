"""`octroi diameter serve` as a whole: a session over a socket, a kill of the connection, a stop in good order."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from diameter_gateway import EVENT, INITIAL, LEFT, SESSION, TERMINATION, UPDATE, Gateway
from diameter_peer import Wire, connect
from diameter_run import serve_beside
from diameter_world import WHOSE, asked, balance, engine_of, service, told, write_world
from typer.testing import CliRunner

from apps.cli.main import app
from pipelines.mediation.diameter.fields import Group


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_world(tmp_path / "data")


async def credit(wire: Wire, **said: Any) -> Group:
    return (await wire.ask(272, asked(**said), application=4))[1]


async def a_session(address: str, stop: threading.Event) -> None:
    wire = await connect(address)
    assert (await wire.hello()).get("Result-Code") == 2001
    answer = await credit(wire, whose=WHOSE, type=1, services=[service(ask=2000)])
    assert told(answer) == {1: (2001, 2000, False)}
    wire.send(272, asked(type=2, number=1, services=[service(ask=2000, used=1500)]), application=4, ids=(70, 71))
    wire.writer.transport.abort()  # before it was answered
    other = await connect(address)
    await other.hello(**{"Origin-Host": "dra.epc", "Auth-Application-Id": 0xFFFFFFFF})
    header, again = await other.ask(
        272, asked(type=2, number=1, services=[service(ask=2000, used=1500)]), application=4, ids=(5, 71), again=True
    )
    assert (header.end_to_end, told(again)) == (71, {1: (2001, 2000, False)})
    accounting = {"Accounting-Record-Type": 1, "Accounting-Record-Number": 0, "Destination-Realm": "test"}
    who = {"Session-Id": "rf", "Origin-Host": "dra.epc", "Origin-Realm": "epc"}
    header, refused = await other.ask(271, {**who, **accounting}, application=3)
    assert (header.flags & 0x20, refused.get("Result-Code")) == (0x20, 3007)
    assert told(await credit(other, type=3, number=2, services=[service(used=100)])) == {1: (2001, None, False)}
    stop.set()
    header, good_bye = await other.next(within_s=60)
    assert header.command == 282
    assert good_bye.get("Disconnect-Cause") == 0
    other.answer(header, {"Result-Code": 2001, "Origin-Host": "dra.epc", "Origin-Realm": "epc"})
    assert await other.is_over()


def test_a_session_over_the_wire(tmp_path: Path) -> None:
    data = write_world(tmp_path / "data")
    told_: list[str] = []
    serve_beside(data, a_session, told_.append)
    assert [words.split(" is ")[0] for words in told_ if " is connected" in words] == ["pgw.epc", "dra.epc"]
    with engine_of(data) as engine:
        assert balance(engine) == (Decimal("7.5") - Decimal("1.6"), 0)


def test_a_session_goes_on_after_a_crash_without_its_subscriber(data: Path) -> None:
    """Subscription-Id comes with the first request only; another process finds it in the charging log."""
    for some in (SESSION[:2], SESSION[2:]):
        with engine_of(data) as engine:
            for said in some:
                assert Gateway(engine).answer(**said).result == 2001
            if said["type"] != TERMINATION:
                continue
            assert balance(engine) == (
                LEFT,
                Decimal("2.98"),
            )  # groups that the last request does not name: until they expire
            assert (
                Gateway(engine).answer(type=UPDATE, number=1, session="new", services=[service(used=1)]).result == 5002
            )


def test_reservations_end_by_themselves(data: Path) -> None:
    with engine_of(data) as engine:
        gateway = Gateway(engine)
        began = engine.now()
        engine.now = lambda: began
        gateway.ask(type=INITIAL, whose=WHOSE, services=[service(ask=())])
        engine.now = lambda: began + 1199 * 10**6
        gateway.ask(type=EVENT, session="e", action=2, context="32274@3gpp.org", whose=WHOSE)
        assert balance(engine) == (Decimal("7.5"), 2)
        engine.now = lambda: began + 1201 * 10**6  # twice Validity-Time
        engine.charging.serve(engine)
        assert balance(engine) == (Decimal("7.5"), 0)
        gateway.ask(type=TERMINATION, number=1, services=[service(used=1000)])
        assert balance(engine) == (Decimal("6.5"), 0)


def test_a_full_desk_is_busy_and_the_repetition_is_charged_once(data: Path) -> None:
    with engine_of(data, charging_kept_max=2) as engine:
        gateway = Gateway(engine)
        gateway.ask(type=INITIAL, whose=WHOSE, services=[service(ask=())])
        gateway.ask(type=UPDATE, number=1, services=[service(ask=(), used=500)])
        said = {"type": UPDATE, "number": 2, "services": [service(ask=(), used=700)]}
        assert gateway.answer(**said).result == 3004
        assert gateway.answer(**said).result == 3004
        engine.settings = engine.settings.model_copy(update={"charging_kept_max": 100})
        assert gateway.answer(**said).result == 2001
        assert balance(engine) == (Decimal("7.5") - Decimal("1.2"), 2)


def test_who_may_connect_must_be_said(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["diameter", "serve", "--data", str(write_world(tmp_path / "data"))])
    assert (result.exit_code, "the setting diameter is unset" in result.output) == (3, True)
