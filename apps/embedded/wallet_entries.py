"""What entries of the log do to wallets without any usage: requests that were checked, and credit that expires before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.account.notify import notifications_of_movements
from pipelines.account.wallets import KINDS, apply_requests, expire, places_of
from pipelines.spool.journal import JournalEntry, WalletChange
from schemas.notification import OF_EXPIRY, OF_REQUEST
from schemas.wallets import WalletMovement
from sinks.clickhouse.store import StoredRequest

if TYPE_CHECKING:
    from apps.embedded.engine import Engine


def expire_credit(engine: Engine, entry: JournalEntry) -> None:
    """Let credit expire that is due when an entry comes, before anything else of it; store what moved."""
    state, tenant = engine.state, engine.settings.tenant
    if not state.block:  # of an entry that goes on in its middle, it was done at its beginning
        gone = expire(entry.claim, entry.received_at, state.account, state.lots)
        engine.store.write_movements(gone, tenant=tenant)
        _tell(engine, gone, OF_EXPIRY)


def change_wallets(engine: Engine, entry: WalletChange) -> None:
    """Apply the requests of an entry, and store them and what moved."""
    state, tenant = engine.state, engine.settings.tenant
    words = state.vocabulary
    done = apply_requests(entry.requests, entry.claim, entry.received_at, words, state.account, state.lots)
    for kind in sorted(KINDS.values()):
        engine.store.write_movements([movement for movement in done if movement.kind is kind], tenant=tenant)
    stored = [
        StoredRequest(
            entry.claim,
            row,
            asked.id,
            KINDS[asked.kind],
            place.account,
            place.wallet,
            asked.reason,
            asked.expires_at,
            entry.received_at,
        )
        for row, (asked, (place, _)) in enumerate(zip(entry.requests, places_of(entry.requests, words), strict=True))
    ]
    engine.store.write_wallet_requests(stored, tenant=tenant)
    _tell(engine, done, OF_REQUEST)
    after: dict[int, list[int]] = {}
    for movement in done:
        after.setdefault(movement.row, []).append(movement.balance_after)
    engine.wallets.after = after


def _tell(engine: Engine, movements: Sequence[WalletMovement], branch: int) -> None:
    """Store which levels the movements of an entry crossed."""
    if engine.active is None or not movements:
        return
    image = engine.active.image
    found = notifications_of_movements(movements, branch, image, engine.state.vocabulary)
    if found is not None:
        claim, at = movements[0].claim, movements[0].at
        engine.store.write_notices(found, claim, at, image.image_id, tenant=engine.settings.tenant)
