"""Laws of cancelling: what was withdrawn is as if it had never been, and every sum over both is zero."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy

from cancellations import commands_of
from hypothesis import given, settings
from hypothesis import strategies as st
from resource_account import CALLS, OWNERS, Line
from resource_world import START_US, Row, cdr_block

from pipelines.account.cancel import cancel_block, keys_of
from pipelines.account.stage import ClaimContext
from pipelines.resource.release import release_keys
from schemas.cdr import BlockPosition
from schemas.output import OutputBlock

usage = st.lists(
    st.builds(
        Row,
        key=st.integers(1, 8),
        access=st.sampled_from([1, 2, 3, 4]),
        at=st.integers(START_US, START_US + 3),
        quantity=st.integers(0, 4),
        content=st.integers(1, 2),
        event_type=st.sampled_from([0, 0, 0, 1]),
    ),
    max_size=20,
)


def withdraw(line: Line, output: OutputBlock, rows: list[Row], claim: int) -> OutputBlock:
    """Withdraw a block of a line."""
    assert line.image is not None
    commands = commands_of(output, cdr_block(rows, output.edrs.position), line.image)
    release_keys(line.state.resource.dedup, *keys_of([commands]))
    return cancel_block(
        commands, BlockPosition(claim, 0, 0), line.state.account, ClaimContext("acme", 0, 1, 1), cause="back_out"
    )


def balances(line: Line) -> list[int]:
    return [line.state.account.balance(wallet) for wallet in range(line.state.account.wallet_count)]


@settings(max_examples=60)
@given(before=usage, withdrawn=usage, after=usage)
def test_what_was_withdrawn_is_as_if_it_had_never_been(
    before: list[Row], withdrawn: list[Row], after: list[Row]
) -> None:
    line, never = Line().activate(), Line().activate()
    line.take(before, claim=1)
    never.take(before, claim=1)
    held = balances(line)
    first = line.take(withdrawn, claim=2)
    undone = withdraw(line, first, withdrawn, claim=3)
    assert balances(line) == held == balances(never)
    assert line.state.account.counter_used.sum() == never.state.account.counter_used.sum()
    assert line.state.account.accumulated.tolist() == never.state.account.accumulated.tolist()
    # and so is what comes after it, that which was withdrawn included
    again, plain = line.take(withdrawn, claim=4), never.take(withdrawn, claim=4)
    for found, expected in ((again, plain), (line.take(after, claim=5), never.take(after, claim=5))):
        assert found.header.amounts == expected.header.amounts
        assert found.edrs.record.tolist() == expected.edrs.record.tolist()
        assert found.rated.amount.tolist() == expected.rated.amount.tolist()
        assert found.rated.counter_before.tolist() == expected.rated.counter_before.tolist()
    assert balances(line) == balances(never)
    assert undone.header.cancelled == first.header.edrs


@settings(max_examples=60)
@given(before=usage, withdrawn=usage)
def test_every_sum_over_an_item_and_its_reversal_is_zero(before: list[Row], withdrawn: list[Row]) -> None:
    line = Line().activate()
    line.take(before, claim=1)
    first = line.take(withdrawn, claim=2)
    held = deepcopy(balances(line))
    undone = withdraw(line, first, withdrawn, claim=3)
    header = undone.header
    assert header.quantity == -first.header.quantity
    assert Counter(header.amounts) == Counter({code: -amount for code, amount in first.header.amounts.items()})
    assert header.edrs == header.cancelled == first.header.rated + first.header.unrated
    assert header.usage_rows == header.reversal_rows == len(undone.edrs) == first.header.rated
    assert (header.received, header.rated, header.unrated) == (0, 0, 0)
    assert header.operation_rows == len(undone.rated.split_row) == first.header.operation_rows
    reversals = undone.reversals
    assert reversals is not None
    stored = first.rated.reason == 0
    assert reversals.claim.tolist() == [2] * int(stored.sum())
    assert reversals.record.tolist() == first.edrs.record[stored].tolist()
    for name in ("amount", "rated_quantity"):
        taken, given_back = getattr(first.rated, name)[stored], getattr(undone.rated, name)
        assert (taken + given_back == 0).all()
    # the balances that the rows tell end where the wallets are
    latest = dict(enumerate(held))
    for row in range(len(undone.edrs)):
        wallet = int(undone.rated.wallet[row])
        if wallet >= 0:
            latest[wallet] = (int(undone.rated.balance_hi[row]) << 64) | int(undone.rated.balance_lo[row])
        for part in (undone.rated.split_row == row).nonzero()[0]:
            moved = int(undone.rated.split_wallet[part])
            balance = int(undone.rated.split_balance_hi[part]) << 64
            latest[moved] = balance | int(undone.rated.split_balance_lo[part])
    assert list(latest.values()) == balances(line)


def test_a_counter_of_a_period_that_is_gone_is_left_and_told() -> None:
    line = Line(owners={**OWNERS}).activate(CALLS % "1")
    old = [Row(key=1, access=3, at=START_US, quantity=2)]
    first = line.take(old, claim=1)
    # four months later the cell of the counter counts another month
    line.take([Row(key=2, access=3, at=START_US + 130 * 86_400_000_000, quantity=3)], claim=2)
    used = line.state.account.counter_used.copy()
    undone = withdraw(line, first, old, claim=3)
    assert undone.reversals is not None
    assert undone.reversals.counter.tolist() == [2]
    assert (line.state.account.counter_used == used).all()
    assert undone.header.amounts == {code: -amount for code, amount in first.header.amounts.items()}
