"""The front end: requests for credit of all connections, of one turn of the loop, read, decided and answered together."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial

from apps.diameter.charging import CreditControl, require_credit
from apps.diameter.credit import Credit, read_credit
from apps.diameter.plain import PlainCredits
from apps.diameter.turns import Done
from connectors.diameter.asked import Asked
from connectors.diameter.hub import Hub
from connectors.diameter.identity import Answer
from pipelines.mediation.diameter.codes import ERROR, MANDATORY, PROXIABLE, VERSION, Application
from pipelines.mediation.diameter.dictionary import NAMED
from pipelines.mediation.diameter.fields import write
from pipelines.mediation.diameter.messages import HEADER_BYTES, UnableToReadMessage, join_avps

_HEADER = struct.Struct(">5I")
_AVP = struct.Struct(">II")
_SESSION = NAMED["Session-Id"].code


class Front:
    """Takes requests of a hub: of credit control many at once, all others one by one."""

    def __init__(self, hub: Hub, credit: CreditControl) -> None:
        """Take who asks, and who decides."""
        self._hub, self._credit = hub, credit
        identity = hub.identity
        self._plain = PlainCredits(identity.host.lower(), identity.served)
        self._who = join_avps([write("Origin-Host", identity.host), write("Origin-Realm", identity.realm)])
        self._results: dict[int, bytes] = {}

    def __call__(self, asked: Sequence[Asked]) -> None:
        """Take requests; each is answered once."""
        mine = [each for each in asked if each.header.application == Application.CREDIT_CONTROL]
        if len(mine) < len(asked):
            for each in asked:
                if each.header.application != Application.CREDIT_CONTROL:
                    self._hub.handle(each)
        try:
            plain = self._plain.read([each.data for each in mine], self._hub.limits.message_bytes_max)
        except Exception as error:  # a defect: the other reader looks at each for itself, so that all are answered
            self._hub.failed(error)
            plain = [None] * len(mine)
        begun: list[tuple[Credit, Done]] = []
        for each, found in zip(mine, plain, strict=True):
            if found is not None:
                credit, session = found
                credit.peer = each.origin.host
                begun.append((credit, partial(self._told, each, session)))
            elif (read := self._read(each)) is not None:
                begun.append(read)
        self._credit.begin(begun)

    def _read(self, asked: Asked) -> tuple[Credit, Done] | None:
        """Return what an unusual request asks, None when it is answered by saying what is wrong with it."""
        try:
            request = asked.read()
            require_credit(request)
            credit = read_credit(request.said)
            credit.peer = request.peer
            return credit, partial(self._answered, asked)
        except UnableToReadMessage as error:
            asked.deny(error)
        except Exception as error:
            asked.fail(error)
        return None

    def _told(self, asked: Asked, session: bytes, answer: Answer | None, error: BaseException | None) -> None:
        """Answer a plain request: its session comes first, and no proxy left anything that it wants back."""
        if answer is None or error is not None:
            self._answered(asked, answer, error)
            return
        result = self._results.get(answer.result)
        if result is None:
            result = self._results[answer.result] = join_avps([write("Result-Code", answer.result)]) + self._who
        size = 8 + len(session)
        body = _AVP.pack(_SESSION, MANDATORY << 24 | size) + session + bytes(-size & 3) + result + answer.tail
        flags, command, application, hop, end = asked.header
        flags = flags & PROXIABLE | (ERROR if 3000 <= answer.result < 4000 else 0)
        head = _HEADER.pack(VERSION << 24 | HEADER_BYTES + len(body), flags << 24 | command, application, hop, end)
        asked.send(head + body, answer.result)

    @staticmethod
    def _answered(asked: Asked, answer: Answer | None, error: BaseException | None) -> None:
        if answer is not None and error is None:
            asked.answer(answer)
        elif isinstance(error, UnableToReadMessage):
            asked.deny(error)
        else:
            asked.fail(error or RuntimeError("no answer"))
