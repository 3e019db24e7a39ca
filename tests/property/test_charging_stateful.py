"""Online charging against dictionaries and Decimals, through anything that can happen to it."""

from __future__ import annotations

import os
import zlib
from decimal import Decimal
from typing import Any, ClassVar, cast
from unittest import mock

import numpy as np
from charging_twin import ACCOUNTS, CATALOG, OPENING, Ask, Told, Twin
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from rating_world import Use, World, catalog_from, instant

from pipelines.account import kept as kept_module
from pipelines.account import request_index
from pipelines.account.charging import ChargingState, Ground, take_frame
from pipelines.account.kept import KeptRequests
from pipelines.account.stage import ClaimContext, finish_edrs
from rating.following import Following
from rating.state import AccountState
from schemas.charging import REQUEST, ChargingCode, ChargingKind, Standing
from schemas.output import OutputBlock
from schemas.rated_item import WALLET_SPLIT
from schemas.values import VALUE_ABSENT

MONTHS = [instant(f"2026-{month:02}-01T00:00:00Z") for month in range(1, 13)]
FIRST_AT = instant("2026-05-10T12:00:00Z")
BILLION = 10**9
KEEP_S = 7200
EARLIER, KINDS = 24, ("reserve", "reserve", "confirm", "confirm", "cancel", "charge", "refund")

asked = st.tuples(
    st.sampled_from(KINDS),
    st.integers(0, EARLIER),  # how long ago what it ends, or repeats, was asked
    st.sampled_from(sorted(ACCOUNTS)),
    st.sampled_from(("call", "call", "fax", "text")),
    st.integers(0, 12),
    st.sampled_from((0, 0, 1, 3)),
    st.sampled_from((1, 60, 7200)),
    st.sampled_from((0, 0, 0, 1)),
    st.sampled_from((False,) * 9 + (True,)),
)


def request_of(ask: Ask, world: World, at: int) -> Any:
    """Return a request as the stage takes it."""
    row = np.zeros((), REQUEST)
    row["hi"], row["lo"] = 7, int(ask.id[1:])
    if ask.of:
        row["of_hi"], row["of_lo"] = 7, int(ask.of[1:])
    row["kind"] = ChargingKind[ask.kind.upper()]
    row["quantity"], row["increment"], row["validity_s"] = ask.quantity, ask.increment, ask.validity_s
    row["content"] = zlib.crc32(repr(ask).encode())
    row["values"] = VALUE_ABSENT
    row["subscription"] = -1
    if ask.subscription:
        row["subscription"] = world.vocabulary.subscriptions.id(ask.subscription)
        row["event_type"] = world.vocabulary.event_types.id(ask.event_type)
        row["event_at"] = MONTHS[month_of(at) - 1] if ask.month else 0
    return row


def month_of(at: int) -> int:
    """Return which month of the year it is, from 0."""
    return sum(at >= start for start in MONTHS) - 1


class ChargingMachine(RuleBasedStateMachine):
    """The stage and its twin. `steps` counts those of all machines."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).steps -= 1  # invariants are checked before the first step, too
        self.world = World(_catalogs()[1])
        self.twin = Twin()
        self.state = ChargingState()
        self.state.open_segment(3)
        self.at = FIRST_AT
        self.asked: list[Ask] = []
        self.chain = {name: Decimal(opening) for name, opening in OPENING.items()}
        self.copied, self.following = KeptRequests(), cast("Following | None", None)

    @property
    def ground(self) -> Ground:
        return Ground(self.world.image, self.world.state, self.world.vocabulary, "acme", 0, KEEP_S)

    def ask(self, row: tuple[Any, ...]) -> Ask:
        """Return a request of which some things were drawn."""
        kind, ago, subscription, event_type, quantity, increment, validity_s, month, repeated = row
        earlier = self.asked[-1 - ago % len(self.asked)] if self.asked else None
        name = f"r{len(self.asked)}"
        if repeated and earlier is not None:
            if ago % 2:
                return earlier
            name = earlier.id
        if kind in ("confirm", "cancel", "refund"):
            return Ask(kind, name, earlier.id if earlier else "r99999", quantity=quantity if kind == "confirm" else 0)
        return Ask(kind, name, "", subscription, event_type, quantity, increment, validity_s, month)

    @rule(rows=st.lists(asked, max_size=14), later_us=st.sampled_from((1000, 1000, 2_000_000, 61_000_000)))
    def frame(self, rows: list[tuple[Any, ...]], later_us: int) -> None:
        self.at += later_us
        asks: list[Ask] = []
        names: set[str] = set()
        for row in rows:
            ask = self.ask(row)
            if {ask.id, ask.of} & names:
                continue  # it waits for the next frame
            names |= {ask.id, ask.of} - {""}
            asks.append(ask)
            self.asked.append(ask)
        requests = np.array([request_of(ask, self.world, self.at) for ask in asks], REQUEST)
        answers, blocks = take_frame(requests, self.at, self.state, self.ground)
        expected = self.twin.frame(asks, self.at, month_of(self.at))
        found = [
            Told(
                ChargingCode(int(answer["code"])).name,
                int(answer["granted"]),
                Decimal(int(answer["amount"])) / BILLION,
                int(answer["expires_at"]),
            )
            for answer in answers
        ]
        assert found == expected
        self.follow(blocks)
        self.forget()

    def forget(self) -> None:
        """What the stage has forgotten was old enough."""
        names = list(self.twin.held)
        keys = np.full(len(names), 7, np.uint64), np.array([int(name[1:]) for name in names], np.uint64)
        for name, place in zip(names, self.state.kept.index.find(*keys).tolist(), strict=True):
            if place < 0:
                assert self.twin.held.pop(name).at < self.at - KEEP_S * 1_000_000

    def follow(self, blocks: list[OutputBlock]) -> None:
        """Check that the balances of facts chain."""
        names = self.world.vocabulary.wallets
        for block in blocks:
            rated = block.rated
            moves: list[tuple[int, int, int, int, int]] = []
            for row in range(len(rated.amount)):
                if rated.wallet[row] == WALLET_SPLIT:
                    moves += [
                        (rated.split_wallet[part], rated.split_amount[part], rated.split_balance_hi[part],
                         rated.split_balance_lo[part], row)
                        for part in np.flatnonzero(rated.split_row == row)
                    ]  # fmt: skip
                elif rated.wallet[row] >= 0:
                    moves.append(
                        (rated.wallet[row], rated.amount[row], rated.balance_hi[row], rated.balance_lo[row], row)
                    )
            for wallet, amount, hi, lo, _ in moves:
                name = names.name(int(wallet))
                self.chain[name] -= Decimal(int(amount)) / BILLION
                assert self.chain[name] == Decimal((int(hi) << 64) | int(lo)) / BILLION
            self.follow_items(block)
            assert block.header.usage_rows == int(np.count_nonzero(rated.reason == 0))

    def follow_items(self, block: OutputBlock) -> None:
        """Check that the items of a usage say what it was, and which of them they are."""
        rest = np.zeros(len(block.edrs), np.int64) if block.rest is None else block.rest
        usages: dict[int, list[tuple[int, int]]] = {}
        for row, record in enumerate(block.edrs.record.tolist()):
            number = 0 if block.rated.items is None else int(block.rated.items.number[row])
            usages.setdefault(record, []).append((number, int(block.edrs.quantity[row] + rest[row])))
        for items in usages.values():
            assert [number for number, _ in items] == list(range(len(items)))
            assert len({whole for _, whole in items}) == 1

    @rule(subscription=st.sampled_from(sorted(ACCOUNTS)), quantity=st.integers(0, 8))
    def use(self, subscription: str, quantity: int) -> None:
        """Usage of a file comes between two frames."""
        edrs = self.world.block([Use(subscription, "call", self.at, quantity)])
        context = ClaimContext("acme", 0, self.at)
        output = finish_edrs(edrs, self.world.image, self.world.state, self.world.vocabulary, context)
        self.twin.use(subscription, quantity, month_of(self.at))
        self.follow([output])

    @rule()
    def restart(self) -> None:
        """A snapshot is all that is left."""
        arrays = self.state.kept.to_arrays()
        self.state.kept = KeptRequests.from_arrays(arrays)
        state = AccountState.from_arrays(self.world.state.to_arrays())
        self.state.kept.reserve_in(state)
        self.world.state = state

    @rule()
    def copy(self) -> None:
        """What was copied beside all this, since the last time or since prices changed, is the state of now."""
        state, kept, following = self.world.state, self.copied, self.following
        if following is not None and state.following is following:
            kept.copy_pages(self.state.kept)
            assert state.followed(following.finish()).checksum() == state.checksum()
            found, expected = kept.to_arrays(), self.state.kept.to_arrays()
            assert {name: array.tobytes() for name, array in found.items()} == {
                name: array.tobytes() for name, array in expected.items()
            }
        self.copied, self.following = KeptRequests(), state.follow()
        self.following.run(lambda: True)
        self.copied.copy_pages(self.state.kept)

    @rule(version=st.integers(1, 2))
    def activate(self, version: int) -> None:
        """Another price takes effect."""
        self.world = World(_catalogs()[version], self.world)
        self.twin.version = version

    @rule()
    def wait(self) -> None:
        """A month passes."""
        self.at = MONTHS[min(month_of(self.at) + 1, 11)] + 1_000_000 if month_of(self.at) < 11 else self.at

    @invariant()
    def balances_are_those_of_the_twin(self) -> None:
        state, names = self.world.state, self.world.vocabulary.wallets
        wallets = np.arange(len(names))
        for name, expected in self.twin.balances.items():
            assert Decimal(state.balance(names.id(name))) / BILLION == expected, name
        opened = state.open_balances(wallets)
        assert {names.name(wallet): Decimal(held) / BILLION for wallet, held in opened.items()} == (
            self.twin.open_balances()
        ) == self.chain  # fmt: skip
        counted = {
            (code, name, month): int(state.counter_used[self.world.vocabulary.counters.id(f"{name}/{code}"), cell])
            for (code, name, month) in self.twin.counters
            for cell in range(4)
            if state.counter_period[self.world.vocabulary.counters.id(f"{name}/{code}"), cell] >> 2
            == (2026 - 1970) * 12 + month
        }
        assert counted == {key: used for key, used in self.twin.counters.items() if key in counted}

    @invariant()
    def count_the_step(self) -> None:
        type(self).steps += 1

    @invariant()
    def open_ones_are_open(self) -> None:
        kept = self.state.kept
        opened = kept.rows(kept.open_places())
        assert {f"r{lo}" for lo in opened["request"]["lo"].tolist()} == {
            name for name, held in self.twin.held.items() if held.standing == "open"
        }
        assert (opened["standing"] == Standing.OPEN).all()


_CATALOGS: dict[int, Any] = {}


def _catalogs() -> dict[int, Any]:
    if not _CATALOGS:
        _CATALOGS.update({version: catalog_from(CATALOG % version) for version in (1, 2)})
    return _CATALOGS


class SmallPages(ChargingMachine):
    """Pages and tables that are full at once."""

    def __init__(self) -> None:
        self.patches = [
            mock.patch.object(kept_module, "PAGE_BITS", 3),
            mock.patch.object(kept_module, "PAGE_ROWS", 8),
            mock.patch.object(request_index, "CAPACITY_MIN", 4),
        ]
        for patch in self.patches:
            patch.start()
        super().__init__()

    def teardown(self) -> None:
        for patch in self.patches:
            patch.stop()


STEPS = 100
STEPS_MIN = 10_000
EXAMPLES = {"soak": 1000}.get(os.environ.get("HYPOTHESIS_PROFILE", ""), 115)


def test_charging_is_that_of_its_twin_for_ten_thousand_steps() -> None:
    SmallPages.steps = 0
    run_state_machine_as_test(SmallPages, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS))
    assert SmallPages.steps >= STEPS_MIN
