"""Laws of wallets over random histories: every balance follows from the one before, credits less debits are balances, and what
expires is what the twin says."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import numpy as np
from charging_twin import CATALOG, POSTPAID, WALLETS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from lots_twin import Purse
from rating_world import Use, World, catalog_from, instant

from pipelines.account.charging_items import items_of
from pipelines.account.stage import with_reserved
from pipelines.account.wallets import HELD_AGAIN_US, Checker, apply_requests, expire, places_of
from pipelines.spool.journal import WalletRequest
from rating.lots import Lots
from rating.rate import rate
from rating.reversal import RatedItems, reverse
from schemas.rated_item import WALLET_SPLIT, RatedBlock
from schemas.wallets import MovementKind, WalletMovement

BILLION = 10**9
NAMES = sorted({name for names in WALLETS.values() for name in names if "#" not in name})
SUBSCRIPTIONS = sorted(WALLETS)
amounts = st.integers(1, 12 * BILLION).map(lambda n: n if n % 3 else n // BILLION * BILLION or BILLION)
lasting = st.sampled_from((0, 1, 1, 5, 40))


def scaled(amount: Decimal) -> int:
    return int(amount * BILLION)


class WalletHistory(RuleBasedStateMachine):
    """The stage beside purses of Decimals: top-ups, corrections, transfers, usage, back-outs, reservations, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(catalog_from(CATALOG % 1))
        self.lots = Lots()
        self.at = instant("2026-05-10T12:00:00Z")
        self.claim = 1
        self.ids = {name: self.world.vocabulary.wallets.id(name) for name in NAMES}
        self.purses = {name: Purse(Decimal(self.world.balance(name)) / BILLION) for name in NAMES}
        self.moved = {name: self.world.balance(name) for name in NAMES}  # credits less debits, as movements say
        for purse in self.purses.values():
            purse.seen = purse.balance
        self.items: list[RatedItems] = []
        self.held: list[tuple[str, int]] = []

    def follow(self, movements: Iterable[tuple[int, int, int]]) -> None:
        """Check that what movements (wallet, amount, balance after) say begins where those before ended."""
        names = {number: name for name, number in self.ids.items()}
        for wallet, amount, after in movements:
            name = names[wallet]
            self.moved[name] += amount
            assert after == self.moved[name]

    def ask(self, request: WalletRequest) -> list[WalletMovement]:
        """Ask for one change as an entry of the log does, after what is due expired; return what moved, nothing when refused."""
        self.claim += 1
        self.pass_time(0)
        world = self.world
        (place, to), currency = places_of([request], world.vocabulary)[0], world.vocabulary.currencies.id("EUR")
        if Checker(world.image, world.state, self.at).refuse(request, place, to, currency)[0]:
            return []
        done = apply_requests([request], self.claim, self.at, world.vocabulary, world.state, self.lots)
        self.follow((one.wallet, one.amount, one.balance_after) for one in done)
        return done

    def requested(self, kind: str, wallet: str, amount: int, expires_at: int = 0, to: str = "/") -> WalletRequest:
        account, code = wallet.split("/")
        to_account, to_wallet = to.split("/")
        return WalletRequest(
            id="x", kind=kind, account=account, wallet=code, amount=amount, currency="EUR",
            expires_at=expires_at, to_account=to_account, to_wallet=to_wallet,
        )  # fmt: skip

    @rule(wallet=st.sampled_from(NAMES), amount=amounts, minutes=lasting)
    def top_up(self, wallet: str, amount: int, minutes: int) -> None:
        expires_at = self.at + minutes * 60_000_000 if minutes else 0
        done = self.ask(self.requested("top_up", wallet, amount, expires_at))
        assert bool(done) == (wallet not in POSTPAID or not minutes)
        if done:
            self.purses[wallet].credit(Decimal(amount) / BILLION, expires_at or None)

    @rule(wallet=st.sampled_from(NAMES), amount=amounts)
    def take_away(self, wallet: str, amount: int) -> None:
        purse = self.purses[wallet]
        done = self.ask(self.requested("adjustment", wallet, -amount))
        enough = scaled(purse.balance - purse.reserved) >= amount
        assert bool(done) == (wallet in POSTPAID or enough)
        if done:
            purse.take(Decimal(amount) / BILLION)

    @rule(amount=amounts, back=st.booleans())
    def transfer(self, amount: int, back: bool) -> None:
        pair = ("two/b", "two/a") if back else ("two/a", "two/b")
        giving, getting = (self.purses[name] for name in pair)
        done = self.ask(self.requested("transfer", pair[0], amount, to=pair[1]))
        assert bool(done) == (scaled(giving.balance - giving.reserved) >= amount)
        if done:
            rest = Decimal(amount) / BILLION
            for expires_at, part in giving.take(rest):
                getting.credit(part, expires_at)
                rest -= part
            if rest:
                getting.credit(rest, None)

    @rule(subscription=st.sampled_from(SUBSCRIPTIONS), quantity=st.integers(1, 9))
    def use(self, subscription: str, quantity: int) -> None:
        edrs = self.world.block([Use(subscription, "call", self.at, quantity)])
        rated = with_reserved(rate(edrs, self.world.image, self.world.state), self.world.state)
        moves = list(self.moves(rated))
        self.follow(moves)
        self.drawn(moves)
        if moves:
            self.items.append(items_of(rated, edrs, self.world.image).rated())

    @precondition(lambda self: self.items)
    @rule(which=st.integers(0, 7))
    def back_out(self, which: int) -> None:
        items = self.items.pop(which % len(self.items))
        reverse(items, self.world.state)
        wallets = np.concatenate([items.wallet[items.wallet >= 0], items.split_wallet]).tolist()
        parts = np.concatenate([items.amount[items.wallet >= 0], items.split_amount]).tolist()
        moves = []
        for wallet, amount in zip(wallets, parts, strict=True):
            moves.append((wallet, amount, self.world.state.open_balances(np.array([wallet]))[wallet]))
        self.follow(moves)
        self.drawn(moves)

    @rule(wallet=st.sampled_from(NAMES), amount=amounts)
    def overshoot(self, wallet: str, amount: int) -> None:
        """Usage that was charged online must be paid, whatever the wallet holds."""
        ids = np.array([self.ids[wallet]], np.int32)
        self.world.state.credit(ids, np.array([-amount]))
        moves = [(self.ids[wallet], -amount, self.moved[wallet] - amount)]
        self.follow(moves)
        self.drawn(moves)

    @rule(wallet=st.sampled_from([name for name in NAMES if name not in POSTPAID]), part=st.integers(1, 4))
    def reserve(self, wallet: str, part: int) -> None:
        available = self.world.state.balance(self.ids[wallet])
        amount = available * part // 4
        if amount > 0:
            self.hold(wallet, amount)
            self.held.append((wallet, amount))

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 7))
    def give_back(self, which: int) -> None:
        wallet, amount = self.held.pop(which % len(self.held))
        self.hold(wallet, -amount)

    @rule(minutes=st.sampled_from((0, 1, 6, 45)))
    def pass_time(self, minutes: int) -> None:
        self.at += minutes * 60_000_000
        self.claim += 1
        gone = expire(self.claim, self.at, self.world.state, self.lots)
        assert {one.kind for one in gone} <= {MovementKind.EXPIRY}
        self.follow((one.wallet, one.amount, one.balance_after) for one in gone)
        found = {one.wallet: -one.amount for one in gone}
        for name, purse in self.purses.items():
            assert scaled(purse.expire(self.at, self.at + HELD_AGAIN_US)) == found.get(self.ids[name], 0)
        assert self.lots.next_due > self.at

    @rule()
    def restart(self) -> None:
        self.lots = Lots.from_array(self.lots.to_array())

    # ---- what moves

    def moves(self, rated: RatedBlock) -> Iterable[tuple[int, int, int]]:
        if rated.wallet[0] >= 0:
            yield (
                int(rated.wallet[0]),
                -int(rated.amount[0]),
                (int(rated.balance_hi[0]) << 64) | int(rated.balance_lo[0]),
            )
        elif rated.wallet[0] == WALLET_SPLIT:
            columns = (rated.split_wallet, rated.split_amount, rated.split_balance_hi, rated.split_balance_lo)
            for wallet, amount, hi, lo in zip(*(column.tolist() for column in columns), strict=True):
                yield wallet, -amount, (hi << 64) | lo

    def drawn(self, moves: list[tuple[int, int, int]]) -> None:
        for wallet, amount, _ in moves:
            (name,) = (name for name, number in self.ids.items() if number == wallet)
            self.purses[name].balance += Decimal(amount) / BILLION

    def hold(self, wallet: str, amount: int) -> None:
        ids = np.array([self.ids[wallet]], np.int32)
        self.world.state.credit(ids, np.array([-amount]))
        self.world.state.reserve(ids.astype(np.int64), np.array([amount]))
        self.purses[wallet].reserved += Decimal(amount) / BILLION

    # ---- what always holds

    @invariant()
    def credits_less_debits_are_balances(self) -> None:
        wallets = np.array(list(self.ids.values()), np.int64)
        opened = self.world.state.open_balances(wallets)
        for name, number in self.ids.items():
            assert opened[number] == self.moved[name] == scaled(self.purses[name].balance)

    @invariant()
    def what_is_left_to_expire_is_there(self) -> None:
        for name, number in self.ids.items():
            purse = self.purses[name]
            told = self.lots.of(number, self.moved[name])
            assert sum(left for _, left in told) <= max(self.moved[name], 0)
            fall = purse.seen - purse.balance
            wanted = []
            for expires_at, left in purse.lots:
                part = min(Decimal(left), max(fall, Decimal(0)))
                fall -= part
                if left > part:
                    wanted.append((expires_at, scaled(Decimal(left) - part)))
            assert told == wanted


TestWalletHistory = WalletHistory.TestCase
TestWalletHistory.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_usage_backed_out_before_the_next_look_gives_back_what_expires() -> None:
    history = WalletHistory()
    history.overshoot("both/bill", 1)
    history.reserve("both/gift", 1)
    history.top_up("some/all", 1, 40)
    history.use("some", 1)
    history.pass_time(0)
    history.back_out(0)
    history.what_is_left_to_expire_is_there()


# ---- how far below zero

OVERDRAFT = """
{kind: account, code: %s, currency: EUR, wallets: [%s]}
---
{kind: subscription, code: %s, account: %s, offer: talk, access_points: [{id: "%s"}]}
"""
KINDS_OF_WALLETS = {
    "poor": '{code: a, type: prepaid, opening_balance: "1", overdraft: "%s"}',
    "rich": '{code: a, type: prepaid, priority: 1, opening_balance: "3"}, '
    '{code: b, type: prepaid, priority: 2, opening_balance: "2", overdraft: "%s"}',
    "bill": '{code: a, type: prepaid, opening_balance: "3"}, {code: b, type: postpaid, overdraft: "%s"}',
}
uses = st.lists(st.tuples(st.sampled_from(sorted(KINDS_OF_WALLETS)), st.integers(1, 9)), max_size=12)


def overdrawn(limit: str) -> list[str]:
    """Return documents of an account of each kind."""
    return [OVERDRAFT % (name, wallets % limit, name, name, name + "1") for name, wallets in KINDS_OF_WALLETS.items()]


@settings(max_examples=25, deadline=None)
@given(limits=st.lists(st.sampled_from(("0", "0.5", "2.25", "7")), min_size=1, max_size=3), given_uses=st.data())
def test_usage_takes_wallets_so_far_below_zero_and_no_further(limits: list[str], given_uses: st.DataObject) -> None:
    world = None
    for limit in limits:
        world = World(catalog_from(CATALOG % 1, *overdrawn(limit)), world)
        asked = [Use(name, "call", instant("2026-05-10T12:00:00Z"), count) for name, count in given_uses.draw(uses)]
        assert world.items(world.rate(asked)) == world.rate_twin(asked)
        for wallet, balance in world.twin_state.balances.items():
            assert world.balance(wallet) == balance
        copy = type(world.state).from_arrays(world.state.to_arrays())
        assert copy.checksum() == world.state.checksum()
        assert copy.overdraft is None or (copy.overdraft == world.state.overdraft).all()
