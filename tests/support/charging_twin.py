"""The slow, obvious version of online charging: one request after the other, in dictionaries and Decimals. No part of the product.

It knows one catalog: calls of subscriptions are 1 EUR each for the first five of a month and 0.5 after that, counted; fax costs
0.3 EUR, and more than 100 of them at once have no price. A text is 0.1 EUR as a levy, nothing more for the first four of a
month and 0.7 EUR more after that: two or three items. `card` is prepaid, `both` has a prepaid gift before a bill, `bill` pays
later; `some` has credit for texts, which is drawn first, and pays later for fax alone; `pack`
has 15 fax, which go before money. A second version of the catalog doubles the price of the first five calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

CATALOG = """
{kind: event_type, code: call, unit: event}
---
{kind: event_type, code: fax, unit: event}
---
{kind: event_type, code: text, unit: event}
---
{kind: counter, code: monthly, unit: event}
---
{kind: counter, code: bundle, unit: event, ceiling: "4 event"}
---
{kind: price_plan, code: levy, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "0.1"}]}
---
{kind: price_plan, code: bundle, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "0",
  counter: bundle}]}
---
{kind: price_plan, code: text, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "0.7"}]}
---
{kind: charge, code: levy, event_type: text, price_plan: levy, priority: 1, then_next: true}
---
{kind: charge, code: bundle, event_type: text, price_plan: bundle, priority: 2, when_used_up: next}
---
{kind: charge, code: text, event_type: text, price_plan: text, priority: 3}
---
{kind: price_plan, code: calls, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: graduated,
  per: 1 event, counter: monthly, tiers: [{up_to: 5 event, price: "%s"}, {price: "0.5"}]}]}
---
{kind: price_plan, code: fax, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "0.3"}]}
---
{kind: price_plan, code: pack, currency: event, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "1"}]}
---
{kind: charge, code: pack, event_type: fax, price_plan: pack, priority: 1, when_used_up: next}
---
{kind: charge, code: call, event_type: call, price_plan: calls}
---
{kind: charge, code: fax, event_type: fax, price_plan: fax}
---
{kind: offer, code: talk, charges: [call, pack, fax, levy, bundle, text]}
---
{kind: account, code: card, currency: EUR, wallets: [{code: card, type: prepaid, opening_balance: "10"}]}
---
{kind: account, code: both, currency: EUR, wallets: [{code: gift, type: prepaid, opening_balance: "3"},
  {code: bill, type: postpaid}]}
---
{kind: account, code: two, currency: EUR, wallets: [{code: a, type: prepaid, priority: 1, opening_balance: "2"},
  {code: b, type: prepaid, priority: 2, opening_balance: "4.25"}]}
---
{kind: account, code: some, currency: EUR, wallets: [{code: all, type: prepaid, opening_balance: "4"},
  {code: texts, type: prepaid, opening_balance: "1.5", pays_for: [{event_type: text}]},
  {code: fax, type: postpaid, pays_for: [{charge: fax}]}]}
---
{kind: account, code: pack, currency: EUR, wallets: [{code: card, type: prepaid, opening_balance: "2"},
  {code: pack, type: prepaid, unit: event, opening_balance: "15"}]}
---
{kind: subscription, code: pack, account: pack, offer: talk, access_points: [{id: "6"}]}
---
{kind: subscription, code: some, account: some, offer: talk, access_points: [{id: "5"}]}
---
{kind: subscription, code: card, account: card, offer: talk, access_points: [{id: "1"}]}
---
{kind: subscription, code: card2, account: card, offer: talk, access_points: [{id: "4"}]}
---
{kind: subscription, code: both, account: both, offer: talk, access_points: [{id: "2"}]}
---
{kind: subscription, code: two, account: two, offer: talk, access_points: [{id: "3"}]}
"""
ACCOUNTS = {"card": "card", "card2": "card", "both": "both", "two": "two", "some": "some", "pack": "pack"}
WALLETS = {
    "card": ["card/card"],
    "both": ["both/gift", "both/bill"],
    "two": ["two/a", "two/b"],
    "some": ["some/texts", "some/all", "some/fax"],
    "pack": ["pack/pack#event", "pack/card"],
}
OPENING = {
    "card/card": "10",
    "both/gift": "3",
    "both/bill": "0",
    "two/a": "2",
    "two/b": "4.25",
    "some/texts": "1.5",
    "some/all": "4",
    "some/fax": "0",
    "pack/pack#event": "15",
    "pack/card": "2",
}
POSTPAID = {"both/bill", "some/fax"}
PACK = "pack/pack#event"
ONLY = {"some/texts": "text", "some/fax": "fax", PACK: "what is covered"}
_COUNTERS = {"call": "monthly", "text": "bundle"}
SECOND = 1_000_000


@dataclass(frozen=True)
class Ask:
    """One request in words; `of` is the id of another one; `day` is when it happened, None for now."""

    kind: str
    id: str
    of: str = ""
    subscription: str = ""
    event_type: str = "call"
    quantity: int = 0
    increment: int = 0
    validity_s: int = 60
    month: int = 0


@dataclass(frozen=True)
class Told:
    """One answer in words."""

    code: str
    granted: int = 0
    amount: Decimal = Decimal(0)
    expires_at: int = 0


@dataclass
class Held:
    """A request that is remembered, with what it drew and counted."""

    ask: Ask
    told: Told
    standing: str
    at: int
    version: int
    drawn: list[tuple[str, Decimal]] = field(default_factory=list)
    counted: int = 0
    usage: Ask | None = None
    month: int = 0


@dataclass
class Twin:
    """Everything by name. `final` is what items came to, by wallet."""

    version: int = 1
    balances: dict[str, Decimal] = field(
        default_factory=lambda: {name: Decimal(sum_) for name, sum_ in OPENING.items()}
    )
    counters: dict[tuple[str, str, int], int] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)

    def frame(self, asks: Sequence[Ask], now: int, month: int) -> list[Told]:
        """Take the requests of a frame: what is given back first, then what is confirmed, whatever it costs, then what begins."""
        for held in self.held.values():
            if held.standing == "open" and -(-held.told.expires_at // SECOND) <= now // SECOND:
                self._release(held)
                held.standing = "expired"
        told: dict[str, Told] = {}
        again: dict[str, Told] = {}
        rating: list[tuple[Ask, Ask, int]] = []
        for ask in asks:
            if ask.id in self.held:
                same = self.held[ask.id].ask == ask
                again[ask.id] = self.held[ask.id].told if same else Told("ANOTHER_REQUEST")
                continue
            ended = self.held.get(ask.of)
            if ask.kind in ("reserve", "charge"):
                rating.append((ask, ask, month - ask.month))
            elif (
                ended is None
                or ended.standing == "none"
                or (ask.kind == "refund" and ended.standing in ("open", "expired", "confirmed", "cancelled"))
            ):
                told[ask.id] = Told("UNKNOWN_RESERVATION")
            elif (
                ended.standing
                not in {"confirm": ("open", "expired"), "cancel": ("open",), "refund": ("charged",)}[ask.kind]
            ):
                told[ask.id] = Told("NOT_OPEN")
            elif ask.kind == "confirm":
                equal = (
                    ended.standing == "open" and ended.told.granted == ask.quantity and ended.version == self.version
                )
                assert ended.usage is not None
                if equal:
                    told[ask.id] = Told("DONE", ask.quantity, ended.told.amount)
                    self._hold(ask, told[ask.id], "charged", now, ended.drawn, ended.counted, ended.usage, ended.month)
                else:
                    if ended.standing == "open":
                        self._release(ended)
                    rating.append((ask, ended.usage, ended.month))
                ended.standing = "confirmed"
            else:
                amount = sum((part for wallet, part in ended.drawn if wallet != PACK), Decimal(0))
                self._release(ended)
                ended.standing = "cancelled" if ask.kind == "cancel" else "refunded"
                told[ask.id] = Told("DONE", ended.told.granted if ask.kind == "refund" else 0, amount)
        # whoever grants by money that is owed for what was used grants too much: that is paid first, even on credit
        for is_paid in (True, False):
            short: list[tuple[Ask, Ask, int]] = []
            for ask, usage, when in [item for item in rating if (item[0].kind == "confirm") is is_paid]:
                if not self._rate(ask, usage, when, ask.quantity, now, told, must_pay=False):
                    short.append((ask, usage, when))
            for ask, usage, when in short:
                if is_paid:
                    self._rate(ask, usage, when, ask.quantity, now, told, must_pay=True)
                    continue
                steps = ask.quantity // ask.increment if ask.increment and ask.kind == "reserve" else 0
                while steps and not self._rate(ask, usage, when, steps * ask.increment, now, told, must_pay=False):
                    steps -= 1
                if not steps:
                    told[ask.id] = Told("CREDIT_LIMIT_REACHED")
        for ask in asks:
            if ask.id in told and ask.id not in self.held:
                self._hold(ask, told[ask.id], "none", now, [], 0, None, month)
        return [again.get(ask.id) or told[ask.id] for ask in asks]

    def use(self, subscription: str, quantity: int, month: int) -> None:
        """Rate calls that come in a file."""
        ask = Ask("charge", "", subscription=subscription, quantity=quantity)
        drawn = self._draw(ask, self._price(ask, quantity, month), must_pay=False)
        if drawn is not None:
            self._count(ask, quantity, month)

    def open_balances(self) -> dict[str, Decimal]:
        """Return what each wallet holds when all that is reserved came back."""
        found = dict(self.balances)
        for held in self.held.values():
            if held.standing == "open":
                for wallet, part in held.drawn:
                    found[wallet] += part
        return found

    def _rate(
        self, ask: Ask, usage: Ask, month: int, quantity: int, now: int, told: dict[str, Told], *, must_pay: bool
    ) -> bool:
        if self._is_closed(usage, month):
            told[ask.id] = Told("RATING_FAILED")
            return True
        covered = self._covered(usage, quantity)
        price = self._price(usage, quantity - covered, month)
        drawn = self._draw(usage, price, must_pay=must_pay)
        if drawn is None:
            return False
        if covered:
            self.balances[PACK] -= covered
            drawn.append((PACK, Decimal(covered)))
        counted = self._count(usage, quantity, month)
        reserve = ask.kind == "reserve"
        told[ask.id] = Told("DONE", quantity, price, now + ask.validity_s * SECOND if reserve else 0)
        self._hold(ask, told[ask.id], "open" if reserve else "charged", now, drawn, counted, usage, month)
        return True

    def _hold(
        self,
        ask: Ask,
        told: Told,
        standing: str,
        now: int,
        drawn: list[tuple[str, Decimal]],
        counted: int,
        usage: Ask | None,
        month: int,
    ) -> None:
        self.held[ask.id] = Held(ask, told, standing, now, self.version, drawn, counted, usage, month)

    def _covered(self, usage: Ask, quantity: int) -> int:
        mine = usage.event_type == "fax" and PACK in WALLETS[ACCOUNTS[usage.subscription]]
        return min(quantity, max(0, int(self.balances[PACK]))) if mine else 0

    def _price(self, usage: Ask, quantity: int, month: int) -> Decimal:
        if usage.event_type == "fax":
            return quantity * Decimal("0.3")
        if usage.event_type == "text":
            return quantity * Decimal("0.1") + (quantity - self._fits(usage, quantity, month)) * Decimal("0.7")
        before = self.counters.get(("monthly", usage.subscription, month), 0)
        dear = max(0, min(before + quantity, 5) - min(before, 5))
        return dear * Decimal(self.version) + (quantity - dear) * Decimal("0.5")

    def _count(self, usage: Ask, quantity: int, month: int) -> int:
        if usage.event_type == "fax":
            return 0
        if usage.event_type == "text":
            quantity = self._fits(usage, quantity, month)
        key = (_COUNTERS[usage.event_type], usage.subscription, month)
        self.counters[key] = self.counters.get(key, 0) + quantity
        return quantity

    def _is_closed(self, usage: Ask, month: int) -> bool:
        """Return whether a counter keeps a later month where this one was: it keeps four."""
        code = _COUNTERS.get(usage.event_type, "")
        kept = [at for counter, of, at in self.counters if (counter, of) == (code, usage.subscription)]
        return any(at > month and (at - month) % 4 == 0 for at in kept)

    def _fits(self, usage: Ask, quantity: int, month: int) -> int:
        return min(quantity, 4 - self.counters.get(("bundle", usage.subscription, month), 0))

    def _draw(self, usage: Ask, amount: Decimal, *, must_pay: bool) -> list[tuple[str, Decimal]] | None:
        mine = WALLETS[ACCOUNTS[usage.subscription]]
        wallets = [name for name in mine if ONLY.get(name, usage.event_type) == usage.event_type]
        drawn = []
        rest = amount
        for wallet in wallets:
            without_end = wallet in POSTPAID or (must_pay and wallet == wallets[-1])
            part = rest if without_end else min(rest, max(Decimal(0), self.balances[wallet]))
            if part:
                drawn.append((wallet, part))
            rest -= part
        if rest:
            return None
        for wallet, part in drawn:
            self.balances[wallet] -= part
        return drawn

    def _release(self, held: Held) -> None:
        for wallet, part in held.drawn:
            self.balances[wallet] += part
        if held.counted and held.usage is not None:
            self.counters[_COUNTERS[held.usage.event_type], held.usage.subscription, held.month] -= held.counted
