"""Sharing out a whole so that the parts add up to it: largest remainder."""

from __future__ import annotations

from collections.abc import Sequence


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Return the shares of a whole number in proportion to weights; their sum is exactly the whole.

    Each share is the exact one, cut off; what is left goes by ones to the largest remainders, of equal ones to the first. A
    negative whole mirrors a positive one. Where all weights are zero, the first has everything.

    Raises:
        ValueError: when there are no weights, or one is negative.
    """
    if not weights or min(weights) < 0:
        raise ValueError("a whole is shared out by weights of zero or more, at least one")
    whole = sum(weights)
    if whole == 0:
        return [total, *[0] * (len(weights) - 1)]
    sign = -1 if total < 0 else 1
    shares, remainders = [], []
    for place, weight in enumerate(weights):
        share, remainder = divmod(abs(total) * weight, whole)
        shares.append(share)
        remainders.append((-remainder, place))
    for _, place in sorted(remainders)[: abs(total) - sum(shares)]:
        shares[place] += 1
    return [sign * share for share in shares]
