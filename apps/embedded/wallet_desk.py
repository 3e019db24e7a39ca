"""The desk of wallets: top-ups, adjustments and transfers that wait, one entry of the log for all that are taken together.

An id is known for ever: the journal has it. What was answered is told again from what is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from apps.embedded.charging_requests import UnableToRequest
from apps.embedded.wallet_words import in_unit_held, read_wallet_request, told
from pipelines.account.wallets import Checker, places_of
from pipelines.spool.journal import Tick, WalletChange, WalletRequest
from schemas.catalog import Catalog
from schemas.money import AMOUNT_DECIMALS, to_scaled
from schemas.wallets import MovementKind

if TYPE_CHECKING:
    from apps.embedded.engine import Engine

REQUESTS_PER_ENTRY = 500
WAITING_MAX = 100_000
Waiting = tuple[WalletRequest, "Future[dict[str, Any]]"]
"""A request, and who waits for its answer."""
_AFTER = """
SELECT part, balance_after FROM fact_wallet_operation
WHERE claim = {claim:UInt32} AND record = {row:UInt32} AND kind = {kind:UInt8} ORDER BY part
"""


@dataclass(slots=True)
class WalletDesk:
    """What waits, and which ids were taken: by id, entry and place in it.

    Attributes:
        changed: told the requests of an entry, once it is processed.
        after: balances after the movements of each request of the latest entry, billionths.
    """

    _waiting: deque[Waiting] = field(default_factory=deque)
    _known: dict[str, tuple[int, int]] = field(default_factory=dict)
    _read: int = 0
    after: dict[int, list[int]] = field(default_factory=dict)
    changed: list[Callable[[Engine, Sequence[WalletRequest]], None]] = field(default_factory=list)

    def submit(self, kind: str, body: dict[str, Any]) -> Future[dict[str, Any]]:
        """Ask, from any thread; the future has the answer once it is durable, after a `take`.

        Raises:
            UnableToRequest: when the request cannot be taken as it is, or too many wait; the future raises it, too.
        """
        request = read_wallet_request(kind, body)
        if len(self._waiting) >= WAITING_MAX:
            raise UnableToRequest("UNAVAILABLE", f"{WAITING_MAX} requests are waiting")
        future: Future[dict[str, Any]] = Future()
        self._waiting.append((request, future))
        return future

    def take(self, engine: Engine) -> None:
        """Take all that waits, between two entries of the log.

        Raises:
            Exception: what stopped it after its entry was written: the process must end.
        """
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), REQUESTS_PER_ENTRY))]
            later: list[Waiting] = []
            try:
                self._take(engine, [one for one in taken if one[1].set_running_or_notify_cancel()], later)
            except BaseException:
                for _, future in taken:
                    if not future.done():
                        future.set_exception(
                            UnableToRequest(
                                "UNAVAILABLE",
                                "octroi stopped before it could answer; ask again: the answer is the same",
                            )
                        )
                raise
            for request, first in later:  # another request of the same id was taken
                self._repeat(engine, request, first)

    def _take(self, engine: Engine, taken: list[Waiting], later: list[Waiting]) -> None:
        self._read_journal(engine)
        active, journal = engine.active, engine.journal
        at = max(journal.stage_time(engine.now()), engine.state.charging.at)
        if active is not None and engine.state.lots.next_due <= at:
            tick = Tick(claim=journal.next_claim, received_at=at)
            try:
                journal.append(tick)
            except OSError as error:
                _refuse(taken, error)
                return
            engine.process(tick)
        taken = taken if active is None else _as_held(taken, active.catalog)
        places = places_of([request for request, _ in taken], engine.state.vocabulary)
        checker = None if active is None else Checker(active.image, engine.state.account, at)
        chosen: list[Waiting] = []
        ids: set[str] = set()
        for one, (place, to) in zip(taken, places, strict=True):
            request, future = one
            if request.id in self._known:
                self._repeat(engine, request, future)
            elif request.id in ids:
                later.append(one)
            elif checker is None:
                future.set_exception(UnableToRequest("UNAVAILABLE", "no catalog is in force"))
            else:
                code, why = checker.refuse(request, place, to, engine.state.vocabulary.currencies.id(request.currency))
                if code:
                    future.set_exception(UnableToRequest(code, why))
                else:
                    ids.add(request.id)
                    chosen.append(one)
        if not chosen:
            return
        entry = WalletChange(claim=journal.next_claim, received_at=at, requests=tuple(request for request, _ in chosen))
        try:
            journal.append(entry)
        except OSError as error:
            _refuse(chosen + later, error)
            later.clear()
            return
        engine.process(entry)
        after = self.after
        for row, (request, future) in enumerate(chosen):
            future.set_result(told(request, entry.claim, row, at, after[row]))
        for changed in self.changed:
            changed(engine, entry.requests)

    def _repeat(self, engine: Engine, request: WalletRequest, future: Future[dict[str, Any]]) -> None:
        self._read_journal(engine)
        claim, row = self._known[request.id]
        entry = engine.journal.entries[claim - 1]
        assert isinstance(entry, WalletChange)
        if entry.requests[row] != request:
            future.set_exception(
                UnableToRequest(
                    "ANOTHER_REQUEST", f"another request had the id {request.id!r}: take a new one, or repeat that one"
                )
            )
            return
        kind = int(MovementKind[request.kind.upper()])
        rows = engine.store.query(_AFTER, {"claim": claim, "row": row, "kind": kind}).to_pylist()
        after = [to_scaled(found["balance_after"], AMOUNT_DECIMALS) for found in rows]
        future.set_result(told(request, claim, row, entry.received_at, after))

    def _read_journal(self, engine: Engine) -> None:
        """Learn the ids of entries that came since."""
        for entry in engine.journal.entries[self._read :]:
            if isinstance(entry, WalletChange):
                for row, request in enumerate(entry.requests):
                    self._known[request.id] = (entry.claim, row)
        self._read = len(engine.journal.entries)


def _as_held(taken: list[Waiting], catalog: Catalog) -> list[Waiting]:
    """Return requests in the units that wallets hold; refuse those that cannot be said in them."""
    found: list[Waiting] = []
    for request, future in taken:
        try:
            found.append((in_unit_held(request, catalog), future))
        except UnableToRequest as refusal:
            future.set_exception(refusal)
    return found


def _refuse(waiting: list[Waiting], error: OSError) -> None:
    for _, future in waiting:
        future.set_exception(UnableToRequest("UNAVAILABLE", f"the journal cannot be written: {error.strerror}"))
