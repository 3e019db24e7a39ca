"""The slow, obvious version of `rating.reversal`: one item after the other, in Python integers. No part of the product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Books:
    """Counters, (slot, cell) -> [period, used], and balances in billionths."""

    counters: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    balances: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One rated item: the counter that it consumed (None without), and what it drew, wallet by wallet."""

    quantity: int
    counter: tuple[int, int, int] | None
    drawn: tuple[tuple[int, int], ...]


def take_back(items: Sequence[Item], books: Books) -> list[tuple[str, int, list[int]]]:
    """Return of each item what became of its counter, the counter before, and the balances afterwards."""
    told = []
    for item in items:
        fate, before = "none", 0
        if item.counter is not None:
            slot, cell, period = item.counter
            kept = books.counters.get((slot, cell))
            if kept is None or kept[0] != period:
                fate = "left"
            else:
                fate, before = "lowered", kept[1]
                kept[1] -= item.quantity
        balances = []
        for wallet, amount in item.drawn:
            books.balances[wallet] += amount
            balances.append(books.balances[wallet])
        told.append((fate, before, balances))
    return told
