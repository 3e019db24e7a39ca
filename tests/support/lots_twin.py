"""The slow, obvious version of wallets whose credit expires: a list of lots each, every coin where it is. No part of the product."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass
class Purse:
    """One wallet: its open balance, what reservations hold of it, and what of it expires.

    Attributes:
        lots: [expires_at, left] in the order in which they are drawn. seen: the balance at the last look.
    """

    balance: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    lots: list[list[int | Decimal]] = field(default_factory=list)
    seen: Decimal = Decimal(0)

    def look(self) -> None:
        """Take what the balance fell by since the last look from the lots, coin by coin in the order of expiry."""
        fall = self.seen - self.balance
        for lot in self.lots:
            part = min(Decimal(lot[1]), max(fall, Decimal(0)))
            lot[1] -= part
            fall -= part
        self.lots = [lot for lot in self.lots if lot[1] > 0]
        self.seen = self.balance

    def credit(self, amount: Decimal, expires_at: int | None) -> None:
        """Credit an amount, perhaps until it expires; what pays a debt does not expire any more."""
        self.look()
        self.balance += amount
        self.seen = self.balance
        left = min(amount, self.balance)
        if expires_at is not None and left > 0:
            self.lots.append([expires_at, left])
            self.lots.sort(key=lambda lot: lot[0])

    def take(self, amount: Decimal) -> list[tuple[int, Decimal]]:
        """Debit an amount by hand and return what of it would have expired."""
        self.look()
        before = {place: lot[1] for place, lot in enumerate(self.lots)}
        times = [int(lot[0]) for lot in self.lots]
        self.balance -= amount
        fall, drawn = amount, []
        for place, left in before.items():
            part = min(Decimal(left), fall)
            fall -= part
            if part:
                drawn.append((times[place], part))
        self.look()
        return drawn

    def expire(self, at: int, again_at: int) -> Decimal:
        """Let what is due expire, but for what is reserved; return how much.

        A wallet of which nothing is due is not looked at: what usage drew of its lots comes back to them when the usage is backed
        out before the next look.
        """
        if all(lot[0] > at for lot in self.lots):
            return Decimal(0)
        self.look()
        gone = Decimal(0)
        for lot in self.lots:
            if lot[0] <= at:
                part = min(Decimal(lot[1]), max(self.balance - self.reserved - gone, Decimal(0)))
                gone += part
                lot[1] -= part
                lot[0] = again_at
        self.lots = sorted((lot for lot in self.lots if lot[1] > 0), key=lambda lot: lot[0])
        self.balance -= gone
        self.seen = self.balance
        return gone
