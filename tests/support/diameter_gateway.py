"""A network element that asks a front end of credit control, and a session of it. No part of the product."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from diameter_world import WHOSE, asked, balance, run_beside, service, whose

from apps.diameter.charging import CreditControl
from apps.diameter.sessions import Sessions
from apps.embedded.engine import Engine
from connectors.diameter.identity import Answer, Request
from pipelines.mediation.diameter.fields import Group, write_all
from pipelines.mediation.diameter.messages import Header, Message, UnableToReadMessage, encode_message

INITIAL, UPDATE, TERMINATION, EVENT = 1, 2, 3, 4


class Gateway:
    """A network element that asks one front end; `result` and `said` are of the latest answer."""

    def __init__(self, engine: Engine, sessions_max: int = 100, customer: int = 0) -> None:
        self.engine, self.customer = engine, customer
        self.front = CreditControl(engine, Sessions(sessions_max))

    def ask(self, **said: Any) -> Group:
        return Group(tuple(write_all({"Result-Code": (answer := self.answer(**said)).result}) + list(answer.avps)))

    def balance(self) -> tuple[Decimal, Decimal]:
        return balance(self.engine, self.customer)

    def answer(self, **said: Any) -> Answer:
        (answer,) = self.answers(said)
        return answer

    def answers(self, *requests: dict[str, Any]) -> list[Answer]:
        """Ask several at once; a refusal is an answer without AVPs."""
        found: list[Answer] = []

        async def one(said: dict[str, Any]) -> Answer:
            session = f"{said.get('session', 'pgw')};{self.customer}"
            ids = {"whose": whose(self.customer)} if said.get("whose") is WHOSE else {}
            group = Group(tuple(write_all(asked(**{**said, "session": session, **ids}))))
            try:
                return await self.front(Request("pgw", Header(0xC0, 272, 4, 1, 1), group))
            except UnableToReadMessage as error:
                return Answer(error.result)

        async def act() -> None:
            found.extend(await asyncio.gather(*map(one, requests)))

        run_beside(self.engine, act)
        return found


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
