"""Credit control on the charging port: what each request of a session reserves, confirms and releases (RFC 8506 §7, §8).

Twin of the state is the charging log: requests to the port are named by session, group and number, so the same message again
(over another connection, after a restart, before its first answer was sent) is answered by the same answers and moves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from apps.diameter.answers import RESULTS, Decided, credit_answer, granted
from apps.diameter.credit import Credit, Part, RequestType, read_credit
from apps.diameter.events import decide_event
from apps.diameter.services import Service, ServiceTable
from apps.diameter.sessions import RESERVED, Session, Sessions, find_session
from apps.embedded.charging_requests import ChargingAnswer, ChargingRequest, UnableToRequest
from connectors.diameter.identity import Answer, Request
from pipelines.mediation.diameter.codes import Application, Command, Result
from pipelines.mediation.diameter.messages import UnableToReadMessage
from schemas.charging import ChargingCode, ChargingKind

if TYPE_CHECKING:
    from apps.embedded.engine import Engine
    from apps.embedded.images import ActiveImage

_REFUSED = {
    "UNKNOWN_ACCESS_POINT": Result.USER_UNKNOWN,
    "UNKNOWN_EVENT_TYPE": Result.RATING_FAILED,
    "INVALID_REQUEST": Result.INVALID_AVP_VALUE,
    "UNAVAILABLE": Result.TOO_BUSY,
}
_GONE = (ChargingCode.UNKNOWN_RESERVATION, ChargingCode.NOT_OPEN)


class CreditControl:
    """Answers Credit-Control-Requests."""

    def __init__(self, engine: Engine, sessions: Sessions | None = None) -> None:
        """Take the engine; its main loop runs elsewhere."""
        self._engine = engine
        self._sessions = Sessions() if sessions is None else sessions
        self._table: tuple[ActiveImage | None, ServiceTable | None] = None, None

    async def __call__(self, request: Request) -> Answer:
        """Answer a request of a peer.

        Raises:
            UnableToReadMessage: with what it is answered with.
        """
        if request.header.application != Application.CREDIT_CONTROL:
            raise UnableToReadMessage(Result.APPLICATION_UNSUPPORTED, "only credit control is served")
        if request.header.command != Command.CREDIT_CONTROL:
            raise UnableToReadMessage(Result.COMMAND_UNSUPPORTED, "only requests for credit are served")
        credit = read_credit(request.said)
        async with self._sessions.turn(credit.session):
            session = self._sessions.get(credit.session)
            stored = None if session is None else session.answers.get((credit.type, credit.number))
            if stored is not None:
                return stored
            try:
                return await self._take(credit, session)
            except BaseException:
                self._sessions.forget(credit.session)  # half of it may be done: the log knows which half
                raise

    async def _take(self, credit: Credit, session: Session | None) -> Answer:
        try:
            if credit.type is RequestType.EVENT:
                session = session or Session()
                decided = [await decide_event(self, credit, part) for part in credit.parts]
            else:
                session, remembered = await self._session(credit, session)
                decided = await self._decide(credit, session)
                if not remembered:
                    return credit_answer(credit, decided)
                session.number = credit.number
        except UnableToRequest as error:
            raise UnableToReadMessage(_REFUSED[error.code], str(error)) from error
        answer = credit_answer(credit, decided)
        session.remember(credit.type, credit.number, answer)
        self._sessions.put(credit.session, session)
        return answer

    async def _session(self, credit: Credit, session: Session | None) -> tuple[Session, bool]:
        """Return the session of a request, and whether it is the one that is remembered; an old request has its own."""
        if session is None or credit.number != session.number + 1:
            found: Session = await self.look(
                lambda engine: find_session(engine, credit, [part.group for part in credit.parts])
            )
            if session is None:
                return found, True
            found.access_point = found.access_point or session.access_point
            if credit.number <= session.number:
                return found, False
            found.answers = session.answers
            return found, True
        unknown = [part.group for part in credit.parts if part.group not in session.known]
        if unknown:  # another front end may know them
            found = await self.look(lambda engine: find_session(engine, credit, unknown))
            session.groups.update(found.groups)
            session.known |= found.known
        return session, True

    async def _decide(self, credit: Credit, session: Session) -> list[Decided]:
        if not session.access_point and not credit.subscription_ids and credit.type is not RequestType.INITIAL:
            raise UnableToReadMessage(Result.UNKNOWN_SESSION_ID, "nobody knows whose session it is")
        found = [self._service(credit, session, part) for part in credit.parts]
        # all that was used, before anything is granted: what one group gives back is there for the others
        debits = await asyncio.gather(*(self._debit_part(credit, session, *each) for each in found))
        granting = zip(found, debits, strict=True)
        decided = await asyncio.gather(*(self._grant(credit, session, each, debit) for each, debit in granting))
        if credit.type is RequestType.TERMINATION:
            left = dict(session.groups)
            session.groups.clear()
            await asyncio.gather(
                *(self._cancel(credit, group, number) for group, number in left.items())
            )  # nothing was reported of them
        return decided

    def _service(self, credit: Credit, session: Session, part: Part) -> tuple[Part, Service | None, str, int]:
        """Return a part with its service, whose usage it is, and base steps of what was used.

        Raises:
            UnableToReadMessage: when one of them is not said as it should be; nothing was done yet.
        """
        service = self.table.find(credit.context, part.rating_group, part.identifiers)
        if service is None:
            return part, None, "", 0
        return part, service, self.access_point(credit, service, session), service.used(part.used)

    async def _debit_part(
        self, credit: Credit, session: Session, part: Part, service: Service | None, whose: str, used: int
    ) -> ChargingAnswer | None:
        if service is None:
            return None
        return await self._debit(credit, service, part, whose, session.groups.pop(part.group, None), used)

    async def _grant(
        self,
        credit: Credit,
        session: Session,
        each: tuple[Part, Service | None, str, int],
        debited: ChargingAnswer | None,
    ) -> Decided:
        part, service, whose, _ = each
        if service is None:
            return Decided(part, None, Result.RATING_FAILED)
        if debited is not None and debited.code is not ChargingCode.DONE:
            return Decided(part, service, RESULTS[debited.code])
        if part.requested is None or credit.type is RequestType.TERMINATION:
            return Decided(part, service, Result.SUCCESS)
        asked = service.asked(part.requested)
        answer = await self.ask(self.reservation(credit, service, part, whose, RESERVED, asked))
        if answer.code is ChargingCode.DONE:
            session.groups[part.group] = credit.number
        return granted(part, service, asked, answer)

    async def _debit(
        self, credit: Credit, service: Service, part: Part, whose: str, prior: int | None, used: int
    ) -> ChargingAnswer | None:
        """Confirm what was used, however much was granted: without a reservation that is open, of one that holds nothing."""
        if not used:
            if prior is not None:
                await self._cancel(credit, part.group, prior)
            return None
        if prior is not None:
            of = credit.name(part.group, prior, RESERVED)
            answer = await self.ask(_confirm(credit.name(part.group, credit.number, "u"), of, used))
            if answer.code not in _GONE:
                return answer
        anchor = self.reservation(credit, service, part, whose, "a", 0)
        answer = await self.ask(anchor)
        if answer.code is not ChargingCode.DONE:
            return answer
        return await self.ask(_confirm(credit.name(part.group, credit.number, "b"), anchor.id, used))

    async def _cancel(self, credit: Credit, group: str, prior: int) -> None:
        """Release a reservation of which nothing was used; one that expired is released already."""
        name, of = credit.name(group, credit.number, "x"), credit.name(group, prior, RESERVED)
        await self.ask(ChargingRequest(ChargingKind.CANCEL, name, of))

    # ---- what events need as well

    @property
    def table(self) -> ServiceTable:
        """The services of the catalog in force.

        Raises:
            UnableToRequest: UNAVAILABLE before there is a catalog.
        """
        active = self._engine.active
        if active is None:
            raise UnableToRequest("UNAVAILABLE", "no catalog is in force")
        known, table = self._table
        if table is None or known is not active:
            catalog = active.catalog
            table = ServiceTable(catalog.charging_services, catalog.units, catalog.event_types)
            self._table = active, table
        return table

    def access_point(self, credit: Credit, service: Service, session: Session | None = None) -> str:
        """Return whose usage it is: what the request says, else what the session is known to be.

        Raises:
            UnableToReadMessage: MISSING_AVP.
        """
        found = credit.access_point(service.terms.subscription_ids) or ("" if session is None else session.access_point)
        if not found:
            credit.said.need("Subscription-Id")
            kinds = " or ".join(service.terms.subscription_ids)
            raise UnableToReadMessage(Result.MISSING_AVP, f"Subscription-Id says no {kinds}")
        if session is not None:
            session.access_point = found
        return found

    def reservation(
        self, credit: Credit, service: Service, part: Part, whose: str, step: str, quantity: int
    ) -> ChargingRequest:
        """Return a reservation; it is held for twice as long as it is valid (RFC 8506 §13, Tcc)."""
        attributes = {name: credit.attribute(path) for name, path in service.terms.attributes.items()}
        return ChargingRequest(
            ChargingKind.RESERVE,
            credit.name(part.group, credit.number, step),
            "",
            whose,
            service.terms.event_type,
            quantity,
            service.increment,
            credit.at,
            2 * service.terms.validity_s,
            {name: value for name, value in attributes.items() if value is not None},
        )

    async def ask(self, request: ChargingRequest) -> ChargingAnswer:
        """Ask the charging port.

        Raises:
            UnableToRequest: when it cannot be taken.
        """
        answer: ChargingAnswer = await _wait(self._engine.charging.submit(request))
        return answer

    async def look(self, question: Callable[[Engine], Any]) -> Any:
        """Have the main loop look at the engine.

        Raises:
            UnableToRequest: when the question does.
        """
        return await _wait(self._engine.charging.look(question))


async def _wait(future: Future[Any]) -> Any:
    return await asyncio.wrap_future(future)


def _confirm(name: str, of: str, quantity: int) -> ChargingRequest:
    return ChargingRequest(ChargingKind.CONFIRM, name, of, quantity=quantity)
