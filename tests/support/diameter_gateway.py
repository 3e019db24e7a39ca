"""A network element that asks a front end of credit control, and a session of it. No part of the product."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from diameter_world import WHOSE, asked, balance, run_beside, service, whose

from apps.diameter.charging import CreditControl
from apps.diameter.front import Front
from apps.diameter.sessions import Sessions
from apps.embedded.engine import Engine
from connectors.diameter.asked import Asked
from connectors.diameter.hub import Hub
from connectors.diameter.identity import Answer, Identity, PeerSheet, Request
from pipelines.mediation.diameter.fields import Group, write_all
from pipelines.mediation.diameter.messages import Header, Message, decode_message, encode_message

INITIAL, UPDATE, TERMINATION, EVENT = 1, 2, 3, 4


class Gateway:
    """A network element that asks one front end; `result` and `said` are of the latest answer."""

    def __init__(self, engine: Engine, sessions_max: int = 100, customer: int = 0) -> None:
        self.engine, self.customer = engine, customer
        self.front = CreditControl(engine, Sessions(sessions_max))
        self.failures: list[BaseException] = []
        self.hub = Hub(Identity("ocs.test", "test", 7), nobody, [], failed=self.failures.append)

    def ask(self, **said: Any) -> Group:
        return Group(tuple(write_all({"Result-Code": (answer := self.answer(**said)).result}) + list(answer.avps)))

    def balance(self) -> tuple[Decimal, Decimal]:
        return balance(self.engine, self.customer)

    def answer(self, **said: Any) -> Answer:
        (answer,) = self.answers(said)
        return answer

    def answers(self, *requests: dict[str, Any]) -> list[Answer]:
        """Ask several at once, as messages of one turn of the loop; what every answer has is left out of them."""
        origin = Origin(self.hub)

        async def act() -> None:
            asked_ = [self._asked(origin, said, number) for number, said in enumerate(requests)]
            Front(self.hub, self.front)(asked_)
            while len(origin.answers) < len(requests):
                await asyncio.sleep(0)

        run_beside(self.engine, act)
        assert self.failures == []
        return [origin.answers[number] for number in range(len(requests))]

    def _asked(self, origin: Origin, said: dict[str, Any], number: int) -> Asked:
        session = f"{said.get('session', 'pgw')};{self.customer}"
        ids = {"whose": whose(self.customer)} if said.get("whose") is WHOSE else {}
        header = Header(0xC0, 272, 4, number, 1)
        message = Message(header, tuple(write_all(asked(**{**said, "session": session, **ids}))))
        return Asked(origin, header, encode_message(message))


class Origin:
    """A connection that keeps what is sent by it, by hop-by-hop id."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.host, self.sheet = hub, "pgw", PeerSheet()
        self.answers: dict[int, Answer] = {}

    def send_answer(self, data: bytes, result: int, *, counted: bool) -> None:
        header, avps = decode_message(data)
        assert header._replace(hop_by_hop=0) == Header(0x60 if 3000 <= result < 4000 else 0x40, 272, 4, 0, 1)
        assert header.hop_by_hop not in self.answers
        assert [avp.code for avp in avps[:4]] == [263, 268, 264, 296]
        assert Group(avps).get("Result-Code") == result
        self.answers[header.hop_by_hop] = Answer(result, avps[4:])


async def nobody(request: Request) -> Answer:
    raise AssertionError(request)


def encoded(answer: Answer) -> bytes:
    return encode_message(Message(Header(0, 272, 4, 0, 0), tuple(answer.avps)))


SESSION = [
    {"type": INITIAL, "number": 0, "whose": WHOSE, "services": [service(ask=2000), service(9, ask=())]},
    {"type": UPDATE, "number": 1, "services": [service(ask=2000, used=1500)]},
    {"type": UPDATE, "number": 2, "services": [service(used=700), service(7, ask=()), service(9, used=20, ask=(), unit="CC-Input-Octets")]},
    {"type": UPDATE, "number": 3, "services": [service(used=300, ask=2000), service(9, used=0, ask=())]},
    {"type": TERMINATION, "number": 4, "services": [service(used=2500)]},
]  # fmt: skip
LEFT = Decimal("7.5") - Decimal("1.5") - Decimal("0.7") - Decimal("0.02") - Decimal("0.3") - Decimal("2.5")
