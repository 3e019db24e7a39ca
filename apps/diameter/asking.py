"""Requests of our own to network elements: ask again, because there is money now (RAR), and end a session (ASR).

Sessions are those that this server remembers; elements are asked over the connection by which the session came last (RFC 8506
§5.5, RFC 6733 §8.5). What an element does not know any more holds nothing any longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.diameter.charging import CreditControl
from apps.diameter.credit import session_name
from apps.diameter.sessions import Session
from apps.embedded.charging_looks import account_number
from apps.embedded.charging_requests import UnableToRequest
from connectors.diameter.connection import Connection, UnableToAsk
from connectors.diameter.hub import Hub
from pipelines.mediation.diameter.codes import Application, Command, Result
from pipelines.mediation.diameter.fields import Group, write_all
from pipelines.mediation.diameter.messages import UnableToReadMessage
from pipelines.resource.attribution import attribute
from pipelines.spool.journal import WalletRequest
from rating.image_access import hash_texts
from rating.kernels.layout import ACCOUNT
from rating.tariff_image import TariffImage

if TYPE_CHECKING:
    from apps.embedded.engine import Engine

ANSWER_S = 10.0
ANSWERED_S = 60.0
"""How long an element has for an answer, and whoever asked us for all of what they asked."""
TOGETHER = 32
"""How many requests one element has at a time: one that does not answer keeps nobody else waiting."""
LOOK_AGAIN_S = 1.0
"""Limited sessions are looked through so often at most, however many wallets get money: it takes time with each of them."""
AUTHORIZE_ONLY = 0


class Asking:
    """Asks network elements, in the loop of peers."""

    def __init__(self, hub: Hub, credit: CreditControl, loop: asyncio.AbstractEventLoop) -> None:
        """Take who is connected, and who knows the sessions."""
        self.hub, self.credit, self.loop = hub, credit, loop
        self._few: dict[str, asyncio.Semaphore] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waking: set[str] = set()
        self._more: set[int] = set()
        self._look: asyncio.TimerHandle | None = None
        self._look_at = 0.0

    # ---- other threads

    def requested(self, request: dict[str, Any]) -> Any:
        """Do what an operator asks for, of any thread.

        Raises:
            ValueError: when it is none of ours.
            UnableToRequest: UNAVAILABLE when it takes too long, or the server stops.
        """
        match request["step"]:
            case "peers":
                found: Future[Any] = asyncio.run_coroutine_threadsafe(self.peers(), self.loop)
            case "reauthorise" | "abort" as step:
                names = [session_name(str(session), None) for session in request["sessions"]]
                every = bool(request.get("every"))
                found = asyncio.run_coroutine_threadsafe(
                    self.tell(Command.RE_AUTH if step == "reauthorise" else Command.ABORT_SESSION, names, every=every),
                    self.loop,
                )
            case other:
                raise ValueError(f"unknown step {other!r}")
        try:
            return found.result(ANSWERED_S)
        except (TimeoutError, asyncio.CancelledError) as error:
            found.cancel()
            raise UnableToRequest("UNAVAILABLE", f"not all was answered within {ANSWERED_S:g} s") from error

    def changed(self, engine: Engine, requests: Sequence[WalletRequest]) -> None:
        """Have sessions that were granted less than they asked for ask again, when there is more; called by the main loop."""
        accounts = {request.to_account or request.account for request in requests if request.amount > 0}
        if not self.credit.sessions.limited or not accounts or engine.active is None:
            return
        at = max(engine.journal.stage_time(engine.now()), engine.state.charging.at)
        numbers = set(_numbers(engine, accounts))
        with suppress(RuntimeError):  # the loop is over
            self.loop.call_soon_threadsafe(self._note_more, engine.active.image, numbers, at)

    # ---- the loop of peers

    def _note_more(self, image: TariffImage, accounts: set[int], at: int) -> None:
        """Look for whose sessions are limited, at once when that was not done a short while ago."""
        self._more |= accounts
        if self._look is not None:
            self._look.cancel()
        self._look = self.loop.call_at(max(self._look_at, self.loop.time()), self._look_for_limited, image, at)

    def _look_for_limited(self, image: TariffImage, at: int) -> None:
        self._look, self._look_at = None, self.loop.time() + LOOK_AGAIN_S
        accounts, self._more = self._more, set()
        limited = self.credit.sessions.limited
        if not limited:
            return
        groups = {int(image.charge_group[number]) for number in accounts}
        hi, lo = hash_texts(list(limited.values()))
        owners = attribute(image.access, hi, lo, np.full(len(hi), at), np.ones(len(hi), np.bool_)).subscription
        account = image.tariff.subscription_row[np.maximum(owners, 0), ACCOUNT]
        self._begin(
            [
                name
                for name, owner, group in zip(
                    limited, owners.tolist(), image.charge_group[account].tolist(), strict=True
                )
                if owner >= 0 and group in groups
            ]
        )

    def _begin(self, names: list[str]) -> None:
        fresh = [name for name in names if name not in self._waking]  # the others are to ask again already
        if not fresh:
            return
        self._waking.update(fresh)
        for name in fresh:
            task = self.loop.create_task(self._wake(name))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _wake(self, name: str) -> None:
        try:
            await self._tell(Command.RE_AUTH, name)
        finally:
            self._waking.discard(name)

    async def peers(self) -> list[dict[str, Any]]:
        """Return who is connected, and what was counted of each."""
        found = sorted(self.hub.peers.values(), key=lambda peer: peer.host)
        return [_told(peer) for peer in found if isinstance(peer, Connection)]

    async def tell(self, command: Command, names: Sequence[str], *, every: bool = False) -> list[dict[str, Any]]:
        """Ask the elements of sessions, and return what became of each; `every`: of all that hold something."""
        sessions = self.credit.sessions
        chosen = names if not every else [name for name in sessions.names() if _holds(sessions.get(name))]
        return list(await asyncio.gather(*(self._tell(command, name) for name in chosen)))

    async def _tell(self, command: Command, name: str) -> dict[str, Any]:
        async with self._turn_at(name):
            session = self.credit.sessions.get(name)
            if session is None or session.whose is None:
                return {"session": None, "outcome": "UNKNOWN_SESSION", "released": 0}
            told: dict[str, Any] = {"session": session.whose.id, "element": session.whose.host, "released": 0}
            connection = self._connection(session)
            if connection is None:
                return told | {"outcome": "NOT_CONNECTED"}
            try:
                answer = await connection.ask(
                    command, _asked(command, session), application=Application.CREDIT_CONTROL, within_s=ANSWER_S
                )
                result = Group(answer.avps).get("Result-Code")
            except (UnableToAsk, UnableToReadMessage):
                return told | {"outcome": "NO_ANSWER"}
            if result == Result.UNKNOWN_SESSION_ID:
                told["released"] = await self._release(name)
            if command is Command.RE_AUTH and result in (Result.SUCCESS, Result.LIMITED_SUCCESS):
                self.credit.sessions.limited.pop(name, None)
            known = result in set(Result)
            return told | {"outcome": Result(result).name if known else f"RESULT_{result}"}

    def _turn_at(self, name: str) -> asyncio.Semaphore:
        """Return what those wait for who are asked over the connection that a session came by."""
        session = self.credit.sessions.get(name)
        host = "" if session is None else session.peer.lower()
        known = host if host in self.hub.peers else ""
        return self._few.setdefault(known, asyncio.Semaphore(TOGETHER))

    def _connection(self, session: Session) -> Connection | None:
        whose = session.whose
        assert whose is not None
        for host in (session.peer, whose.host):
            peer = self.hub.peers.get(host.lower())
            if isinstance(peer, Connection) and not peer.leaving:
                return peer
        return None

    async def _release(self, name: str) -> int:
        future: asyncio.Future[int] = self.loop.create_future()

        def done(released: int, error: BaseException | None) -> None:
            if not future.done():
                future.set_result(0 if error is not None else released)

        self.credit.release(name, done)
        return await future


def _numbers(engine: Engine, accounts: Iterable[str]) -> Iterable[int]:
    for account in accounts:
        with suppress(UnableToRequest):  # the catalog in force has it no more
            yield account_number(engine, account)[1]


def _holds(session: Session | None) -> bool:
    return session is not None and session.whose is not None and bool(session.groups)


def _asked(command: Command, session: Session) -> list[Any]:
    whose = session.whose
    assert whose is not None
    is_again = command is Command.RE_AUTH
    return write_all({
        "Session-Id": whose.id,
        "Destination-Realm": whose.realm,
        "Destination-Host": whose.host,
        "Auth-Application-Id": int(Application.CREDIT_CONTROL),
        "Re-Auth-Request-Type": AUTHORIZE_ONLY if is_again else None,
        "CC-Sub-Session-Id": whose.sub if is_again else None,
    })  # fmt: skip


def _told(peer: Connection) -> dict[str, Any]:
    sheet = peer.sheet
    return {
        "host": peer.host,
        "address": peer.address,
        "suspect": peer.suspect,
        "leaving": peer.leaving,
        "in_flight": peer.in_flight,
        "requests": sheet.requests,
        "answers": sheet.answers,
        "busy": sheet.busy,
        "errors": sheet.errors,
        "bytes_in": sheet.bytes_in,
        "bytes_out": sheet.bytes_out,
        "results": {str(result): count for result, count in sorted(sheet.by_result.items())},
    }
