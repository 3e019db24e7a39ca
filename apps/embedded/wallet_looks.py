"""What an account has now: its wallets and the counters of its subscriptions, as the stage knows them between two blocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.embedded.charging_looks import account_number, money
from apps.embedded.images import ActiveImage
from apps.embedded.virtual_counters import KINDS
from rating.image_accounts import UNLIMITED
from rating.image_accumulators import counter_of
from rating.image_charges import COMPANION
from rating.kernels.layout import ACCOUNT, PERIODS_KEPT
from rating.levels import unit_of
from rating.periods import slots_of
from rating.reference import period_at, period_local
from rating.vocabulary import NameTable
from schemas.account import wallet_parts
from schemas.arrays import Int32Array, Int64Array
from schemas.price_plan import Counter

if TYPE_CHECKING:
    from apps.embedded.engine import Engine

EXACT_ENOUGH = Context(prec=60, rounding=ROUND_HALF_UP)
_PLACES = Decimal(1).scaleb(-12)
_FORMS = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y", "ever": ""}


def show_account(engine: Engine, account: str) -> dict[str, Any]:
    """Return what the wallets of an account hold, in drawing order, and what its subscriptions' counters have in this period.

    `as_of` is the position of the log before which everything is in it: entry and block that come next, and the frame of online
    charging.

    Raises:
        UnableToRequest: UNKNOWN_ACCOUNT, or UNAVAILABLE before there is a catalog.
    """
    active, number = account_number(engine, account)
    state = engine.state
    claim, block = state.position
    now = max(engine.journal.stage_time(engine.now()), state.charging.at)
    at = datetime.fromtimestamp(now // 1_000_000, UTC)
    return {
        "account": account,
        "as_of": {
            "entry": claim,
            "block": block,
            "segment": state.charging.segment,
            "frame": state.charging.frame,
            "at": at.isoformat(),
        },
        "wallets": list(_wallets(engine, active, number)),
        "counters": list(_counters(engine, active, number, at)),
    }


def _wallets(engine: Engine, active: ActiveImage, number: int) -> Iterator[dict[str, Any]]:
    state, words, image = engine.state.account, engine.state.vocabulary, active.image
    first, end = image.account_wallet_ptr[number : number + 2].tolist()
    wallets = image.account_wallet[first:end].astype("int64")
    currencies = [words.currencies.name(each) for each in image.wallet_currency[first:end].tolist()]
    opened = state.open_balances(wallets)
    prepaid = image.wallet_prepaid[first:end].tolist()
    limits = image.wallet_overdraft[first:end].tolist()
    for wallet, paid_before, overdraft, currency in zip(wallets.tolist(), prepaid, limits, currencies, strict=True):
        owner, code, _ = wallet_parts(words.wallets.name(wallet))
        terms = active.catalog.wallet_terms.get(f"{owner}/{code}")
        yield {
            "wallet": code,
            "account": owner,
            "type": "prepaid" if paid_before else "postpaid",
            "currency": currency,
            "balance": money(opened[wallet]),
            "reserved": money(0 if state.reserved is None else int(state.reserved[wallet])),
            "available": money(state.balance(wallet)),
            "overdraft": None if overdraft == UNLIMITED else money(overdraft),
            "pays_for": [one.model_dump(exclude_none=True) for one in terms.pays_for] if terms is not None else [],
            "expiring": [
                {"amount": money(left), "expires_at": datetime.fromtimestamp(expires_at / 1_000_000, UTC).isoformat()}
                for expires_at, left in engine.state.lots.of(wallet, opened[wallet])
            ],
        }


def _counters(engine: Engine, active: ActiveImage, number: int, at: datetime) -> Iterator[dict[str, Any]]:
    """Yield each counter once, in the order of names; what was never used in this period has 0."""
    state, words = engine.state.account, engine.state.vocabulary
    subscriptions = np.flatnonzero(active.image.tariff.subscription_row[:, ACCOUNT] == number)
    slots = slots_of(active.image.tariff, subscriptions)
    found: list[tuple[int, Int32Array, Int64Array | None, NameTable]] = [
        (slot, state.counter_period, state.counter_used, words.counters) for slot in slots.tolist()
    ]
    tables = active.image.accumulators
    if tables is not None:
        grown = {
            slot
            for one in subscriptions.tolist()
            for slot in tables.slot[tables.slot_ptr[one] : tables.slot_ptr[one + 1]].tolist()
        }
        found += [(slot, state.accumulated_period, None, words.accumulators) for slot in sorted(grown)]
    told = []
    for slot, periods, used, table in found:
        holder, called, counter = _named(table, slot, active)
        if counter is None:
            continue
        local = period_local(counter, at)
        period = period_at(counter.period, local)
        cell = period % PERIODS_KEPT
        steps = 0
        if int(periods[slot, cell]) == period * PERIODS_KEPT + KINDS[counter.period]:
            steps = state.accumulator(slot, cell) if used is None else int(used[slot, cell])
        unit = unit_of(counter, active.catalog.units)
        told.append(
            {
                "counter": called,
                "holder": holder,
                "period": local.strftime(_FORMS[counter.period]),
                "zone": counter.zone,
                "used": _in_units(steps, unit.step_count),
                "unit": unit.code,
                "used_steps": steps,
            }
        )
    yield from sorted(told, key=lambda row: (row["counter"], row["holder"]))


def _in_units(steps: int, step_count: int) -> str:
    """Return a quantity in units, rounded where they cannot say it exactly."""
    return f"{EXACT_ENOUGH.divide(steps, step_count).quantize(_PLACES, context=EXACT_ENOUGH).normalize():f}"


def _named(table: NameTable, slot: int, active: ActiveImage) -> tuple[str, str, Counter | None]:
    """Return the holder of a slot, what it is called there, and its counter; None of a companion, which is no counter."""
    holder, _, code = table.name(slot).rpartition("/")
    name = code.partition("#")[0]
    return holder, name, None if code.endswith(COMPANION) else active.catalog.counters.get(counter_of(name))
