"""Credit control on the charging port: what each request of a session reserves, confirms and releases (RFC 8506 §7, §8).

Twin of the state is the charging log: requests to the port are named by session, group and number, so the same message again
(over another connection, after a restart, before its first answer was sent) is answered by the same answers and moves nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from apps.diameter.answers import RESULTS, Decided, encode_credit, granted
from apps.diameter.credit import Credit, Part, RequestType, read_credit, request_name
from apps.diameter.events import decide_event
from apps.diameter.services import Service, ServiceTable
from apps.diameter.sessions import RESERVED, Session, Sessions, find_session
from apps.diameter.turns import Done, Look, Turn, Turns
from apps.embedded.charging_requests import ChargingAnswer, ChargingRequest, UnableToRequest
from connectors.diameter.identity import Answer, Request
from pipelines.mediation.diameter.codes import Application, Command, Result
from pipelines.mediation.diameter.messages import UnableToReadMessage, split_avps
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


class _Served(NamedTuple):
    """A part of a request with its service, whose usage it is, and base steps of what was used."""

    part: Part
    service: Service | None
    whose: str
    used: int


@dataclass(slots=True)
class CreditControl:
    """Answers Credit-Control-Requests.

    Attributes:
        engine: its main loop runs elsewhere.
    """

    engine: Engine
    sessions: Sessions = field(default_factory=Sessions)
    _turns: Turns = field(init=False)
    _table: tuple[ActiveImage | None, ServiceTable | None] = None, None
    _busy: dict[str, deque[tuple[Turn[Any], Done]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Be told of what the desk answers."""
        self._turns = Turns(self.engine.charging)

    async def __call__(self, request: Request) -> Answer:
        """Answer a request of a peer.

        Raises:
            UnableToReadMessage: with what it is answered with.
        """
        require_credit(request)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.begin([(read_credit(request.said), partial(_settle, future))])
        answer = await future
        return Answer(answer.result, split_avps(answer.tail))

    def begin(self, credits: Sequence[tuple[Credit, Done]]) -> None:
        """Decide about requests that came together; each is told its `Answer`, of which everything is in the tail.

        A session is the business of one request at a time: a repetition finds the answer, or waits for it.
        """
        self._begin([(credit.session, self._take(credit), done) for credit, done in credits])

    def release(self, name: str, done: Done) -> None:
        """Release all that a session holds, which its network element does not know any more; done with how much that was."""
        self._begin([(name, self._release(name), done)])

    def _begin(self, begun: Sequence[tuple[str, Turn[Any], Done]]) -> None:
        turns: list[tuple[Turn[Any], Done]] = []
        for name, turn, done in begun:
            waiting = self._busy.get(name)
            if waiting is None:
                self._busy[name] = deque()
                turns.append(self._turn(name, turn, done))
            else:
                waiting.append((turn, done))
        self._turns.begin(turns)

    def _turn(self, name: str, turn: Turn[Any], done: Done) -> tuple[Turn[Any], Done]:
        def ended(answer: Any, error: BaseException | None) -> None:
            if error is not None:
                self.sessions.forget(name)  # half of it may be done: the log knows which half
            waiting = self._busy[name]
            if waiting:
                self._turns.begin([self._turn(name, *waiting.popleft())])
            else:
                del self._busy[name]
            done(answer, error)

        return turn, ended

    def _release(self, name: str) -> Turn[int]:
        session = self.sessions.get(name)
        if session is None:
            return 0
        left, session.groups = session.groups, {}
        session.held.clear()
        self.sessions.forget(name)
        yield [
            ChargingRequest(
                ChargingKind.CANCEL,
                request_name(name, group, number, "gone"),
                request_name(name, group, number, RESERVED),
            )
            for group, number in left.items()
        ]
        return len(left)

    def _take(self, credit: Credit) -> Turn[Answer]:
        session = self.sessions.get(credit.session)
        stored = None if session is None else session.answers.get((credit.type, credit.number))
        if stored is not None:
            return stored
        try:
            if credit.type is RequestType.EVENT:
                session, decided = session or Session(), list[Decided]()
                for part in credit.parts:
                    done = yield from decide_event(self, credit, part)
                    decided.append(done)
            else:
                session, remembered, follows = yield from self._session(credit, session)
                decided = yield from self._decide(credit, session, follows=follows)
                if not remembered:
                    return encode_credit(credit, decided, self.table.encoded)
                session.number = credit.number
        except UnableToRequest as error:
            raise UnableToReadMessage(_REFUSED[error.code], str(error)) from error
        answer = encode_credit(credit, decided, self.table.encoded)
        session.remember(credit.type, credit.number, answer)
        session.whose, session.peer = credit.whose if credit.whose.is_short else None, credit.peer
        self.sessions.put(credit.session, session)
        if credit.type is not RequestType.EVENT:
            self._note_short(credit, session, decided)
        return answer

    def _note_short(self, credit: Credit, session: Session, decided: Sequence[Decided]) -> None:
        """Note which groups would like to hear of money: those that asked last for more than they were granted."""
        for each in decided:
            if each.is_limited:
                session.short.add(each.part.group)
            elif each.part.requested is not None:
                session.short.discard(each.part.group)
        if credit.type is not RequestType.TERMINATION and session.short:
            self.sessions.limited[credit.session] = session.access_point
        else:
            self.sessions.limited.pop(credit.session, None)

    def _session(self, credit: Credit, session: Session | None) -> Turn[tuple[Session, bool, bool]]:
        """Return the session of a request, and whether it is the one that is remembered: an old request has its own.

        Third, whether the request follows the one before, so that reservations are as they are remembered.
        """
        if session is None or credit.number != session.number + 1:
            groups = [part.group for part in credit.parts]
            found: Session = Session(number=-1, known=set(groups))
            if credit.number:  # before the first one there is nothing
                found = yield Look(lambda engine: find_session(engine, credit, groups))
            if session is None:
                return found, True, False
            found.access_point = found.access_point or session.access_point
            if credit.number <= session.number:
                return found, False, False
            found.answers, found.short = session.answers, session.short
            return found, True, False
        unknown = [part.group for part in credit.parts if part.group not in session.known]
        if unknown:  # another front end may know them
            found = yield Look(lambda engine: find_session(engine, credit, unknown))
            session.groups.update(found.groups)
            session.known |= found.known
        return session, True, not unknown

    def _decide(self, credit: Credit, session: Session, *, follows: bool) -> Turn[list[Decided]]:
        if not session.access_point and not credit.subscription_ids and credit.type is not RequestType.INITIAL:
            raise UnableToReadMessage(Result.UNKNOWN_SESSION_ID, "nobody knows whose session it is")
        served = [self._serve(credit, session, part) for part in credit.parts]
        ends: list[ChargingRequest] = []
        last: list[int] = []
        prior = [session.groups.pop(each.part.group, None) if each.service is not None else None for each in served]
        for each, number in zip(served, prior, strict=True):
            if number is not None:
                ends.append(self._end_of(credit, each, number))
            last.append(len(ends) - 1 if number is not None and each.used else -1)
        if credit.type is RequestType.TERMINATION:  # nothing was reported of them
            ends += [_cancel(credit, group, number) for group, number in session.groups.items()]
            session.groups.clear()
            session.held.clear()
        asks = {
            place: self._ask_for(credit, each)
            for place, each in enumerate(served)
            if each.service is not None
            and each.part.requested is not None
            and credit.type is not RequestType.TERMINATION
        }
        # a frame ends reservations before it makes others, so what one group gives back is there for the others; usage above
        # what is held may find nothing left, and must be charged before anything is granted
        held = [session.held.pop(each.part.group, (0, 0)) for each in served]
        now = self.engine.now()
        covered = all(
            not each.used or (each.used <= most and until > now)
            for each, (most, until) in zip(served, held, strict=True)
        )
        if follows and ends and asks and covered:
            answers = yield [*ends, *asks.values()]
            ended, reserved = answers[: len(ends)], dict(zip(asks, answers[len(ends) :], strict=True))
        else:
            ended, reserved = (yield ends), {}
        debits: list[ChargingAnswer | None] = [ended[place] if place >= 0 else None for place in last]
        for place, each in enumerate(served):
            debit = debits[place]
            if each.used and (debit is None or debit.code in _GONE):
                debits[place] = yield from self._debit_unheld(credit, each)
        failed = {
            place for place, debit in enumerate(debits) if debit is not None and debit.code is not ChargingCode.DONE
        }
        if reserved:
            yield [_cancel(credit, served[place].part.group, credit.number, "g") for place in failed & reserved.keys()]
        else:
            asking = [place for place in asks if place not in failed]
            answers = yield [asks[place] for place in asking]
            reserved = dict(zip(asking, answers, strict=True))
        decided = []
        for place, each in enumerate(served):
            if each.service is None:
                decided.append(Decided(each.part, None, Result.RATING_FAILED))
            elif place in failed:
                debit = debits[place]
                assert debit is not None
                decided.append(Decided(each.part, each.service, RESULTS[debit.code]))
            elif place in reserved:
                if reserved[place].code is ChargingCode.DONE:
                    session.groups[each.part.group] = credit.number
                    session.held[each.part.group] = reserved[place].granted, reserved[place].expires_at
                decided.append(granted(each.part, each.service, asks[place].quantity, reserved[place]))
            else:
                decided.append(Decided(each.part, each.service, Result.SUCCESS))
        return decided

    def _serve(self, credit: Credit, session: Session, part: Part) -> _Served:
        """Return a part with what it is charged as.

        Raises:
            UnableToReadMessage: when one of them is not said as it should be; nothing was done yet.
        """
        service = self.table.find(credit.context, part.rating_group, part.identifiers)
        if service is None:
            return _Served(part, None, "", 0)
        return _Served(part, service, self.access_point(credit, service, session), service.used(part.used))

    def _ask_for(self, credit: Credit, each: _Served) -> ChargingRequest:
        assert each.service is not None
        assert each.part.requested is not None
        asked = each.service.asked(each.part.requested)
        return self.reservation(credit, each.service, each.part, each.whose, RESERVED, asked)

    @staticmethod
    def _end_of(credit: Credit, each: _Served, prior: int) -> ChargingRequest:
        """Return the request that ends a reservation: by what was used of it, or unused; one that expired may be either."""
        if not each.used:
            return _cancel(credit, each.part.group, prior)
        of = credit.name(each.part.group, prior, RESERVED)
        return _confirm(credit.name(each.part.group, credit.number, "u"), of, each.used)

    def _debit_unheld(self, credit: Credit, each: _Served) -> Turn[ChargingAnswer]:
        """Confirm what was used, however much was granted: without a reservation that is open, of one that holds nothing."""
        assert each.service is not None
        anchor = self.reservation(credit, each.service, each.part, each.whose, "a", 0)
        [answer] = yield [anchor]
        if answer.code is not ChargingCode.DONE:
            refused: ChargingAnswer = answer
            return refused
        [answer] = yield [_confirm(credit.name(each.part.group, credit.number, "b"), anchor.id, each.used)]
        debited: ChargingAnswer = answer
        return debited

    # ---- what events need as well

    @property
    def table(self) -> ServiceTable:
        """The services of the catalog in force.

        Raises:
            UnableToRequest: UNAVAILABLE before there is a catalog.
        """
        active = self.engine.active
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
        paths = service.terms.attributes
        attributes = {name: credit.attribute(path) for name, path in paths.items()} if paths else {}
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


def require_credit(request: Request) -> None:
    """Refuse what is not for credit control.

    Raises:
        UnableToReadMessage: APPLICATION_UNSUPPORTED or COMMAND_UNSUPPORTED.
    """
    if request.header.application != Application.CREDIT_CONTROL:
        raise UnableToReadMessage(Result.APPLICATION_UNSUPPORTED, "only credit control is served")
    if request.header.command != Command.CREDIT_CONTROL:
        raise UnableToReadMessage(Result.COMMAND_UNSUPPORTED, "only requests for credit are served")


def _settle(future: asyncio.Future[Answer], answer: Answer, error: BaseException | None) -> None:
    if future.done():  # whoever asked is gone
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)


def _confirm(name: str, of: str, quantity: int) -> ChargingRequest:
    return ChargingRequest(ChargingKind.CONFIRM, name, of, quantity=quantity)


def _cancel(credit: Credit, group: str, prior: int, step: str = "x") -> ChargingRequest:
    """Release a reservation of which nothing was used; one that expired is released already."""
    name, of = credit.name(group, credit.number, step), credit.name(group, prior, RESERVED)
    return ChargingRequest(ChargingKind.CANCEL, name, of)
