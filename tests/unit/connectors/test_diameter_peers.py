"""The peer layer on a real socket: capabilities, watchdog, routing, bounds, the end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from certificates import write_certificate
from diameter_peer import CREDIT, FAST, HELLO, IDENTITY, Wire, agree, connect, with_server

from connectors.diameter.asked import Asked
from connectors.diameter.connection import REFUSED_PER_TURN, Connection, UnableToAsk
from connectors.diameter.hub import Hub
from connectors.diameter.identity import Answer, Identity, Limits, PeerRule, Request
from pipelines.mediation.diameter.codes import Command, Result
from pipelines.mediation.diameter.fields import write, write_all
from pipelines.mediation.diameter.messages import Avp, Header, Message, UnableToReadMessage, encode_message

CALM = Limits(hello_s=60.0, message_s=60.0, watchdog_s=600.0, leave_s=0.5)


async def _until(there: Callable[[], bool]) -> None:
    """Let the server work until something is so."""
    async with asyncio.timeout(60):
        while not there():
            await asyncio.sleep(0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_capabilities_watchdog_request_and_good_bye(host: str) -> None:
    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        said = await wire.hello()
        assert (said.get("Result-Code"), said.get("Origin-Host"), said.get("Origin-State-Id")) == (2001, "ocs.test", 7)
        assert (said.get("Host-IP-Address"), said.all("Auth-Application-Id")) == (host, [4])
        assert list(hub.peers) == ["pgw.epc"]
        who = {"Origin-Host": "pgw.epc", "Origin-Realm": "epc"}
        _, dwa = await wire.ask(280, who)
        assert (dwa.get("Result-Code"), dwa.get("Origin-State-Id")) == (2001, 7)
        proxies = [{"Proxy-Host": "a", "Proxy-State": b"1"}, {"Proxy-Host": "b", "Proxy-State": b"2"}]
        header, cca = await wire.ask(272, {**CREDIT, "Proxy-Info": proxies}, application=4, ids=(77, 88))
        assert (header.flags, header.end_to_end, cca.get("Session-Id")) == (0x40, 88, "pgw;1;1")
        assert [each.get("Proxy-State") for each in cca.all("Proxy-Info")] == [b"1", b"2"]
        assert (cca.avps[0].code, cca.get("Origin-Host"), cca.get("Origin-Realm")) == (263, "ocs.test", "test")
        _, dpa = await wire.ask(282, {**who, "Disconnect-Cause": 0})
        assert dpa.get("Result-Code") == 2001
        assert await wire.is_over()
        assert not hub.peers

    with_server(act, host=host, limits=CALM)


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ({"Auth-Application-Id": 16777238}, 5010), ({"Auth-Application-Id": 0xFFFFFFFF}, 2001),
        ({"Auth-Application-Id": None, "Vendor-Specific-Application-Id": {"Vendor-Id": 10415, "Auth-Application-Id": 4}}, 2001),
        ({"Inband-Security-Id": 1}, 5017), ({"Inband-Security-Id": [0, 1]}, 2001), ({"Product-Name": None}, 5005),
        ({"Origin-Host": "stranger"}, 3010),
    ],
)  # fmt: skip
def test_who_may_connect(said: dict[str, Any], result: int) -> None:
    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        header, answer = await wire.ask(257, {**HELLO, **said})
        assert answer.get("Result-Code") == result
        assert bool(header.flags & 0x20) is (3000 <= result < 4000)
        if result != 2001:
            assert await wire.is_over()
            assert not hub.peers

    with_server(act, rules=[PeerRule("*.epc", ("127.0.0.0/8",))], limits=CALM)


def test_addresses_of_rules() -> None:
    rule = PeerRule("PGW*", ("10.0.0.0/8", "fe80::/10"))
    assert [rule.allows("pgw1", address) for address in ("10.1.2.3", "11.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0")] == [
        True, False, True, True,
    ]  # fmt: skip
    assert not rule.allows("sgw", "10.1.2.3")


def test_a_second_connection_of_a_peer_waits_until_the_first_is_gone() -> None:
    async def act(hub: Hub, address: str) -> None:
        first, second = await connect(address), await connect(address)
        await first.hello()
        assert (await second.hello()).get("Result-Code") == 5012
        hub.peers["pgw.epc"].suspect = True
        third = await connect(address)
        assert (await third.hello()).get("Result-Code") == 2001
        assert await first.is_over()
        assert (await third.credit()).get("Result-Code") == 2001

    with_server(act, limits=CALM)


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ({"Destination-Realm": "TEST"}, 2001), ({"Destination-Realm": "other"}, 2001), ({"Destination-Realm": "far"}, 3003),
        ({"Destination-Host": "ocs.test"}, 2001), ({"Destination-Host": "ocs2.test"}, 3002),
        ({"Route-Record": ["dra", "ocs.test"]}, 3005), ({"CC-Request-Number": None}, 5005),
    ],
)  # fmt: skip
def test_requests_are_routed(said: dict[str, Any], result: int) -> None:
    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        await wire.hello()
        answer = await wire.credit(**said)
        assert answer.get("Result-Code") == result
        assert answer.has("Failed-AVP") is (result == 5005)

    with_server(act, limits=CALM, identity=Identity("ocs.test", "test", 7, frozenset({"other"})))


def test_answers_go_to_who_asked_whatever_ids_they_chose() -> None:
    gate = asyncio.Event()

    async def slowly(request: Request) -> Answer:
        await gate.wait()
        return Answer(2001, [write("User-Name", request.peer)])

    async def act(hub: Hub, address: str) -> None:
        wires = [await connect(address) for _ in range(3)]
        for number, wire in enumerate(wires):
            await wire.hello(**{"Origin-Host": f"pgw{number}"})
            wire.send(272, CREDIT, application=4, ids=(5, 5))
        await _until(lambda: hub.in_flight == 3)
        gate.set()
        for number, wire in enumerate(wires):
            assert (await wire.next())[1].get("User-Name") == f"pgw{number}"
        assert hub.in_flight == 0

    with_server(act, handler=slowly, limits=CALM)


def test_more_than_may_be_on_its_way_is_busy() -> None:
    gate = asyncio.Event()

    async def slowly(request: Request) -> Answer:
        await gate.wait()
        return await agree(request)

    async def act(hub: Hub, address: str) -> None:
        one, two = await connect(address), await connect(address)
        await one.hello()
        await two.hello(**{"Origin-Host": "pgw2"})
        for _ in range(8):
            one.send(272, CREDIT, application=4)
        refused = [await one.next() for _ in range(5)]
        assert {(header.flags & 0x20, group.get("Result-Code")) for header, group in refused} == {(0x20, 3004)}
        for _ in range(3):
            two.send(272, CREDIT, application=4)
        assert (await two.next())[1].get("Result-Code") == 3004
        gate.set()
        assert [(await one.next())[1].get("Result-Code") for _ in range(3)] == [2001] * 3
        assert [(await two.next())[1].get("Result-Code") for _ in range(2)] == [2001] * 2
        connection = hub.peers["pgw.epc"]
        assert isinstance(connection, Connection)
        assert (connection.sheet.busy, connection.sheet.by_result) == (5, {2001: 4, 3004: 5})

    with_server(act, handler=slowly, limits=Limits(requests_of_peer_max=3, requests_max=5, leave_s=0.5))


def test_a_peer_that_floods_has_every_answer_and_holds_up_nobody() -> None:
    gate = asyncio.Event()

    async def slowly(request: Request) -> Answer:
        if request.peer == "pgw.epc":
            await gate.wait()
        return await agree(request)

    async def act(hub: Hub, address: str) -> None:
        flood, calm = await connect(address), await connect(address)
        await flood.hello()
        await calm.hello(**{"Origin-Host": "calm.epc"})
        connection = hub.peers["pgw.epc"]
        assert isinstance(connection, Connection)
        for _ in range(3000):
            flood.send(272, CREDIT, application=4)
        await _until(lambda: connection.sheet.busy > REFUSED_PER_TURN)  # and then it is read on a little later
        assert (await calm.credit()).get("Result-Code") == 2001
        refused = [(await flood.next())[1].get("Result-Code") for _ in range(2997)]
        assert set(refused) == {3004}
        assert (await calm.credit()).get("Result-Code") == 2001
        gate.set()
        assert [(await flood.next())[1].get("Result-Code") for _ in range(3)] == [2001] * 3
        assert (connection.in_flight, hub.in_flight) == (0, 0)

    with_server(act, handler=slowly, limits=Limits(requests_of_peer_max=3, watchdog_s=600.0, leave_s=0.5))


def test_requests_of_one_turn_are_taken_together_in_whatever_pieces_they_come() -> None:
    taken: list[int] = []

    def together(asked: list[Asked]) -> None:
        taken.append(len(asked))
        for each in asked:
            each.answer(Answer(2001, [write("CC-Request-Number", each.read().said.get("CC-Request-Number"))]))

    async def act(hub: Hub, address: str) -> None:
        hub.together = together
        wire = await connect(address)
        await wire.hello()
        message = [
            encode_message(
                Message(Header(0xC0, 272, 4, number, 1), tuple(write_all({**CREDIT, "CC-Request-Number": number})))
            )
            for number in range(50)
        ]
        wire.writer.write(b"".join(message))
        assert [(await wire.next())[0].hop_by_hop for _ in range(50)] == list(range(50))
        assert sum(taken) == 50 > len(taken)
        for byte in message[7]:  # one byte at a time
            wire.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await wire.next())[1].get("CC-Request-Number") == 7

    with_server(act, limits=CALM)


def test_a_message_that_is_not_whole_in_its_time_ends_the_connection() -> None:
    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        await wire.hello()
        wire.writer.write(encode_message(Message(Header(0xC0, 272, 4, 1, 1), tuple(write_all(CREDIT))))[:30])
        assert await wire.is_over()
        assert not hub.peers

    with_server(act, limits=Limits(hello_s=60.0, message_s=0.3, watchdog_s=600.0, leave_s=0.5))


def test_a_silent_peer_is_asked_and_then_left() -> None:
    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        await wire.hello()
        for _ in range(2):
            header, _ = await wire.next()
            assert (header.command, header.is_request) == (Command.DEVICE_WATCHDOG, True)
            wire.answer(header, {"Result-Code": 2001, "Origin-Host": "pgw.epc", "Origin-Realm": "epc"})
        assert (await wire.next())[0].command == Command.DEVICE_WATCHDOG
        assert await wire.is_over()

    with_server(act, limits=Limits(watchdog_s=0.5, leave_s=0.3))


@pytest.mark.parametrize("sent", [b"", b"\x01\0\0", b"\x01\0\0\x30\x80", b"GET / HTTP/1.1\r\n\r\n........"])
def test_a_peer_that_says_nothing_whole_is_left(sent: bytes) -> None:
    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        wire.writer.write(sent)
        assert await wire.is_over()
        assert not hub.connections

    with_server(act)


def test_what_cannot_be_framed_is_answered_and_ends_the_connection() -> None:
    async def act(hub: Hub, address: str) -> None:
        for length, result in ((0, 5015), (8, 5015), (0xFFFFFC, 5015)):
            wire = await connect(address)
            await wire.hello()
            data = encode_message(Message(Header(0xC0, 272, 4, 9, 10), ()))
            wire.writer.write(b"\x01" + length.to_bytes(3) + data[4:])
            header, answer = await wire.next()
            assert (header.hop_by_hop, answer.get("Result-Code")) == (9, result)
            assert await wire.is_over()

    with_server(act, limits=CALM)


def test_a_wrong_avp_costs_one_request_only() -> None:
    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        await wire.hello()
        data = bytearray(encode_message(Message(Header(0xC0, 272, 4, 9, 10), (Avp(263, 0, 0x40, b"abcd"),))))
        data[27] = 7  # shorter than its own header
        wire.writer.write(data)
        header, answer = await wire.next()
        assert (header.hop_by_hop, answer.get("Result-Code")) == (9, Result.INVALID_AVP_LENGTH)
        assert (await wire.credit()).get("Result-Code") == 2001

    with_server(act, limits=CALM)


def test_a_peer_that_does_not_read_is_dropped() -> None:
    async def much(request: Request) -> Answer:
        return Answer(2001, [write("Class", bytes(60_000))])

    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        await wire.hello()
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(20):
            while hub.peers:
                if not wire.writer.transport.is_closing():
                    wire.send(272, CREDIT, application=4)
                await asyncio.sleep(0.001)
        assert hub.in_flight == 0

    with_server(act, handler=much, limits=Limits(watchdog_s=600.0, waiting_bytes_max=50_000, leave_s=0.5))


def test_defects_and_refusals_of_the_handler_are_answers() -> None:
    async def broken(request: Request) -> Answer:
        if request.said.get("CC-Request-Number") == 1:
            raise ZeroDivisionError
        raise UnableToReadMessage(Result.USER_UNKNOWN, "nobody")

    failures: list[BaseException] = []

    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        await wire.hello()
        answer = await wire.credit()
        assert (answer.get("Result-Code"), answer.get("Error-Message")) == (5030, "nobody")
        assert (await wire.credit(**{"CC-Request-Number": 1})).get("Result-Code") == 5012
        assert hub.in_flight == 0

    with_server(act, handler=broken, limits=CALM, failed=failures.append)
    assert [type(failure) for failure in failures] == [ZeroDivisionError]


def test_a_server_that_stops_ends_what_is_on_its_way_and_says_good_bye() -> None:
    async def slowly(request: Request) -> Answer:
        await asyncio.sleep(0.1)
        return await agree(request)

    seen: list[tuple[int, bool]] = []

    async def read_all(wire: Wire) -> None:
        while True:
            header, _ = await wire.next()
            seen.append((header.command, header.is_request))
            if header.command == Command.DISCONNECT_PEER:
                wire.answer(header, {"Result-Code": 2001, "Origin-Host": "pgw.epc", "Origin-Realm": "epc"})
                return

    tasks: list[asyncio.Task[None]] = []

    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        await wire.hello()
        wire.send(272, CREDIT, application=4)
        await _until(lambda: hub.in_flight == 1)
        tasks.append(asyncio.create_task(read_all(wire)))

    hub = with_server(act, handler=slowly, limits=CALM)
    assert seen == [(272, False), (282, True)]
    assert not hub.peers
    assert not hub.connections


def test_peers_are_asked_and_answer_or_not() -> None:
    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address)
        await wire.hello()
        connection = hub.peers["pgw.epc"]
        assert isinstance(connection, Connection)
        said = [write("Session-Id", "s"), write("Destination-Host", "pgw.epc")]
        asked = asyncio.create_task(connection.ask(Command.RE_AUTH, said, application=4, within_s=2))
        header, request = await wire.next()
        assert (header.flags, [avp.code for avp in request.avps]) == (0xC0, [263, 264, 296, 293])
        wire.answer(header._replace(hop_by_hop=1), {"Result-Code": 5002})  # of somebody else
        wire.answer(header, {"Result-Code": 2001})
        assert (await asked).header.hop_by_hop == header.hop_by_hop
        with pytest.raises(UnableToAsk, match="did not answer"):
            await connection.ask(Command.RE_AUTH, said, application=4, within_s=0.02)
        assert not connection._asked

    with_server(act, limits=CALM)


def test_five_hundred_idle_peers() -> None:
    async def act(hub: Hub, address: str) -> None:
        wires = [await connect(address) for _ in range(500)]
        for number, wire in enumerate(wires):
            wire.send(257, {**HELLO, "Origin-Host": f"pgw{number}"})
        for wire in wires:
            assert (await wire.next())[1].get("Result-Code") == 2001
        assert len(hub.peers) == 500
        assert (await wires[7].credit()).get("Result-Code") == 2001
        extra = await connect(address)
        assert await extra.is_over()
        for wire in wires:
            wire.writer.close()

    with_server(act, limits=Limits(peers_max=500, leave_s=0.2))


def test_tls(tmp_path: Any) -> None:
    file = tmp_path / "both.pem"
    write_certificate(file, "ocs.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cafile=str(file))
    client.check_hostname = False

    async def act(hub: Hub, address: str) -> None:
        wire = await connect(address, client)
        assert (await wire.hello()).get("Result-Code") == 2001
        assert (await wire.credit()).get("Result-Code") == 2001
        plain = await connect(address)
        plain.send(257, HELLO)
        assert await plain.is_over()

    with_server(act, tls=server, limits=CALM)
    assert IDENTITY.serves("Test")
    assert FAST.watchdog_s < CALM.watchdog_s
