"""freeDiameter as a relay between a network element and two front ends of one charging log. No part of the product.

Runs in a network namespace of its own (freeDiameter takes no loopback address): `unshare -n`, with `-r` for whoever is not root.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certificates import write_certificate
from diameter_gateway import SESSION, TERMINATION
from diameter_peer import HELLO, Wire
from diameter_world import WHOSE, asked, balance, engine_of, run_beside, service, told

from apps.diameter.charging import CreditControl
from apps.embedded.engine import Engine
from connectors.diameter.hub import Hub
from connectors.diameter.identity import Answer, Identity, Limits, PeerRule, Request
from connectors.diameter.server import listening
from pipelines.mediation.diameter.codes import RETRANSMITTED
from pipelines.mediation.diameter.fields import Group
from pipelines.mediation.diameter.messages import Header

ADDRESS = "10.9.9.1"
PORT = 3868
PORTS = {"ocs1.test": 3871, "ocs2.test": 3872}
CALM = Limits(hello_s=60.0, message_s=60.0, watchdog_s=60.0, leave_s=2.0)
CONFIG = """
Identity = "dra.epc"; Realm = "epc"; ListenOn = "{address}"; Port = {port}; SecPort = 0; No_SCTP; No_IPv6; TwTimer = 6;
TLS_Cred = "{certificate}", "{certificate}"; TLS_CA = "{certificate}";
LoadExtension = "dict_nasreq.fdx"; LoadExtension = "dict_dcca.fdx"; LoadExtension = "dict_dcca_3gpp.fdx";
LoadExtension = "dbg_msg_dumps.fdx" : "0x0080";
LoadExtension = "acl_wl.fdx" : "{peers}"; LoadExtension = "rt_default.fdx" : "{routes}";
"""
CONNECT = 'ConnectPeer = "{host}" {{ ConnectTo = "{address}"; Port = {port}; No_TLS; No_SCTP; }};\n'


def relay_command(work: Path) -> list[str]:
    """Write what freeDiameter is told, and return how it is started: it prefers the first front end."""
    certificate, peers, routes = work / "relay.pem", work / "peers.conf", work / "routes.conf"
    write_certificate(certificate, "dra.epc")
    peers.write_text("ALLOW_IPSEC *.epc\n")
    routes.write_text('* : "ocs1.test" += 30 ;\n')
    config = CONFIG.format(address=ADDRESS, port=PORT, certificate=certificate, peers=peers, routes=routes)
    config += "".join(CONNECT.format(host=host, address=ADDRESS, port=port) for host, port in PORTS.items())
    (work / "relay.conf").write_text(config)
    return ["freeDiameterd", "-c", str(work / "relay.conf")]


@dataclass(slots=True)
class FrontEnd:
    """One of ours; `last_words`: it charges what comes next, and is gone before anybody hears of it."""

    host: str
    control: CreditControl
    last_words: bool = False
    seen: list[tuple[bool, int]] = field(default_factory=list)
    hub: Hub | None = None

    async def __call__(self, request: Request) -> Answer:
        self.seen.append((bool(request.header.flags & RETRANSMITTED), request.header.end_to_end))
        answer = await self.control(request)
        if self.last_words:
            assert self.hub is not None
            for connection in list(self.hub.connections):
                connection.drop()
            await asyncio.Event().wait()
        return answer

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        identity = Identity(self.host, "test", 7)
        self.hub = Hub(identity, self, [PeerRule("*.epc")], CALM)
        async with listening(self.hub, [ADDRESS], PORTS[self.host]):
            yield


async def until_connected(*fronts: FrontEnd) -> None:
    """Wait until the relay is connected with all of them."""
    async with asyncio.timeout(60):
        while not all(front.hub is not None and "dra.epc" in front.hub.peers for front in fronts):
            await asyncio.sleep(0.02)


async def sessions(engine: Engine, work: Path) -> dict[str, Any]:
    """Ask through the relay: a session, an event, and a request whose server dies after it charged."""
    first, second = (FrontEnd(host, CreditControl(engine)) for host in PORTS)
    seen: dict[str, Any] = {"answers": []}
    async with AsyncExitStack() as stack:
        for front in (first, second):
            await stack.enter_async_context(front.serving())
        log = stack.enter_context((work / "relay.log").open("wb"))
        relay = subprocess.Popen(relay_command(work), stdout=log, stderr=subprocess.STDOUT)
        stack.push_async_callback(asyncio.to_thread, end, relay)
        await until_connected(first, second)
        reader, writer = await asyncio.open_connection(ADDRESS, PORT)
        wire = Alive(reader, writer)
        seen["hello"] = (await wire.hello(**{"Inband-Security-Id": 0, "Acct-Application-Id": 3})).get("Result-Code")
        for said in SESSION:
            seen["answers"].append(await credit(wire, **{"session": "pgw;0", **said}))
        seen["alive"] = (await wire.ask(280, ORIGIN))[1].get("Result-Code")
        seen["after"] = list(map(str, balance(engine)))
        seen["quiet"] = [len(second.seen)]
        await credit(wire, session="pgw;1", type=1, whose=WHOSE, services=[service(ask=500)])
        first.last_words = True
        request = asked(session="pgw;1", type=2, number=1, services=[service(ask=500, used=100)])
        header, answer = await wire.ask(272, request, application=4, ids=(900, 901))
        seen["failover"] = [answer.get("Origin-Host"), header.end_to_end, told(answer)[1]]
        seen["again"] = [first.seen[-1], second.seen[-1]]
        await credit(wire, session="pgw;1", type=TERMINATION, number=2, services=[service(used=50)])
        seen["left"] = list(map(str, balance(engine)))
        _, bye = await wire.ask(282, {**ORIGIN, "Disconnect-Cause": 2})
        seen["bye"] = bye.get("Result-Code")
    seen["relay"] = relay.returncode
    return seen


ORIGIN = {name: HELLO[name] for name in ("Origin-Host", "Origin-Realm")}


class Alive(Wire):
    """A peer that tells its relay that it is there while it waits for an answer."""

    async def next(self, within_s: float = 60.0) -> tuple[Header, Group]:
        while True:
            header, group = await super().next(within_s)
            if not header.is_request:
                return header, group
            self.answer(header, {"Result-Code": 2001, **ORIGIN})


async def credit(wire: Wire, **said: Any) -> list[Any]:
    _, answer = await wire.ask(272, asked(**said), application=4)
    return [answer.get("Result-Code"), *([group, *each] for group, each in told(answer).items())]


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(data: Path, work: Path) -> None:
    """Run all of it in this namespace; print what was seen as JSON."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    seen: dict[str, Any] = {}
    with engine_of(data) as engine:

        async def act() -> None:
            seen.update(await sessions(engine, work))

        run_beside(engine, act)
    print(json.dumps(seen))


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    main(Path(sys.argv[1]), Path(sys.argv[2]))
