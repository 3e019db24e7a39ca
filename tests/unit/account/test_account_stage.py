"""The account stage: every EDR rated or refused, every record counted once."""

from __future__ import annotations

import numpy as np
import pytest
from resource_account import CALLS, EURO, Line, facts
from resource_world import START_US, Row

from pipelines.account.stage import ClaimContext, finish_edrs
from schemas.cdr import BlockPosition
from schemas.edr import PACKED_WORDS, unpack
from schemas.output import OutputBlock
from schemas.rejection import OUTCOMES, REJECTION_SCHEMA, Outcome, Reason, Stage

CARD, BOTH, BILL, NOBODY = 1, 2, 3, 9
FAX = 1


@pytest.fixture
def line() -> Line:
    return Line().activate()


def calls(*quantities: int, access: int = BILL, first: int = 1) -> list[Row]:
    return [Row(key=first + index, access=access, quantity=count) for index, count in enumerate(quantities)]


def retry(line: Line, output: OutputBlock, claim: int = 2) -> OutputBlock:
    """Send the unrated EDRs of a block again, as they were packed."""
    packed = b"".join(row["edr"] for row in output.rejections.to_pylist() if row["stage"] == Stage.ACCOUNT)
    edrs = unpack(np.frombuffer(packed, np.int64).reshape(-1, PACKED_WORDS), BlockPosition(claim, 0, 0))
    assert line.image is not None
    context = ClaimContext("acme", 0, START_US, retry_count=1)
    return finish_edrs(edrs, line.image, line.state.account, line.state.vocabulary, context)


def test_a_block_is_rated_and_its_sheet_adds_up(line: Line) -> None:
    rows = [
        *calls(2, 4, 1),
        Row(key=1, access=BILL, quantity=2),
        Row(key=9, access=NOBODY),
        Row(key=8, access=BILL, event_type=FAX),
    ]
    output = line.take(rows, claim=7, block=3, first_record=100)
    header = output.header
    assert (header.claim, header.block, header.first_record, header.tenant, header.retry) == (7, 3, 100, "acme", False)
    assert (header.received, header.accepted, header.duplicate, header.rejected) == (6, 4, 1, 1)
    assert (header.edrs, header.rated, header.unrated, header.cancelled) == (4, 3, 1, 0)
    assert (header.usage_rows, header.rejection_rows, header.operation_rows) == (3, 2, 0)
    # tiers of the month: five events at 1 EUR, then 0.5
    assert output.rated.amount.tolist() == [2 * EURO, 3 * EURO + EURO // 2, EURO // 2, 0]
    assert header.amounts == {line.state.vocabulary.currencies.id("EUR"): 6 * EURO}
    assert header.quantity == 7  # of the rated ones
    assert line.balance("bill/principal") == -6 * EURO
    assert output.edrs.record.tolist() == [100, 101, 102, 105]
    assert len(output.account) == len(output.rated.amount) == 4


def test_every_reason_ends_in_one_outcome_and_the_sheet_adds_up(line: Line) -> None:
    given = [reason for reason in Reason if reason is not Reason.NONE and reason < 200]
    rows = [Row(key=100 + index, access=BILL, reason=reason) for index, reason in enumerate(given)]
    rows += [
        *calls(1, 1),
        Row(key=1, access=BILL),  # duplicate
        Row(key=2, access=BILL, content=2),  # same key, other content
        Row(key=3, access=NOBODY),
        Row(key=4, access=BILL, series=5, quantity=10),  # opens
        Row(key=5, access=BILL, series=5, quantity=9, at=START_US + 1),  # decreased
        Row(key=6, access=BILL, series=5, quantity=11, at=START_US),  # not later
    ]
    header = line.take(rows).header
    counted = {outcome: getattr(header, outcome.name.lower()) for outcome in Outcome}
    expected = dict.fromkeys(Outcome, 0)
    for reason in given:
        expected[OUTCOMES[reason]] += 1
    expected[Outcome.ACCEPTED] += 2
    expected[Outcome.DUPLICATE] += 1
    expected[Outcome.REJECTED] += 3
    expected[Outcome.ABSORBED] += 1
    expected[Outcome.PARKED] += 1
    assert counted == expected
    assert header.received == sum(counted.values()) == len(rows)
    assert header.rejection_rows == counted[Outcome.REJECTED] + counted[Outcome.PARKED]


def test_what_a_prepaid_wallet_cannot_pay_is_unrated_and_can_be_retried(line: Line) -> None:
    output = line.take(calls(4, 1, 12, 2, access=CARD))  # 4 + 1, then 6 of 5 left, then 1
    assert output.rated.reason.tolist() == [0, 0, Reason.INSUFFICIENT_BALANCE, 0]
    assert line.balance("card/card") == 4 * EURO
    (refused,) = output.rejections.to_pylist()
    assert (refused["stage"], refused["outcome"], refused["record"]) == (Stage.ACCOUNT, Outcome.ACCEPTED, 2)
    assert refused["access_point"] == "1"
    again = retry(line, output)
    assert (again.header.rated, again.header.unrated) == (0, 1)  # still nothing to pay it with
    wallet = line.state.vocabulary.wallets.id("card/card")
    line.state.account.credit(np.array([wallet], np.int32), np.array([2 * EURO], np.int64))
    paid = retry(line, output, claim=3)
    assert (paid.header.retry, paid.header.received, paid.header.accepted, paid.header.rated) == (True, 1, 1, 1)
    assert paid.header.amounts == {line.state.vocabulary.currencies.id("EUR"): 6 * EURO}
    assert line.balance("card/card") == 0
    assert paid.rejections.num_rows == 0
    assert paid.rejections.schema == REJECTION_SCHEMA


def test_an_item_paid_by_two_wallets_has_two_operations(line: Line) -> None:
    output = line.take(calls(2, 2, 1, access=BOTH))
    assert output.header.operation_rows == len(output.rated.split_row) == 2
    assert output.rated.split_amount.tolist() == [EURO, EURO]
    assert (line.balance("both/gift"), line.balance("both/bill")) == (0, -2 * EURO)


def test_a_new_image_prices_the_next_block_and_keeps_counters_and_wallets(line: Line) -> None:
    before = line.take(calls(2, access=CARD))
    line.activate(CALLS % "2")
    after = line.take(calls(2, 2, access=CARD, first=10), block=1)
    assert before.rated.amount.tolist() == [2 * EURO]
    assert after.rated.amount.tolist() == [4 * EURO, 2 * EURO + EURO // 2]  # the fifth of the month, then the sixth
    assert after.header.image == before.header.image + 1
    assert line.balance("card/card") == 10 * EURO - 8 * EURO - EURO // 2  # its opening balance came once
    line.activate(CALLS % "1")
    assert line.take(calls(1, access=BILL, first=20), block=2).header.image == before.header.image


def test_an_edr_whose_subscription_is_gone_stays_unrated_and_moves_nothing(line: Line) -> None:
    output = line.take([Row(key=1, access=BILL, event_type=FAX)])
    assert output.rated.reason.tolist() == [Reason.NO_MATCHING_CHARGE]
    line.activate(
        "{kind: event_type, code: call, unit: event}\n---\n{kind: account, code: zoe, currency: EUR}\n"
        "---\n{kind: price_plan, code: p, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, "
        'per: 1 event, price: "1"}]}\n---\n{kind: charge, code: c, event_type: call, price_plan: p}\n'
        "---\n{kind: offer, code: o, charges: [c]}\n---\n{kind: subscription, code: zoe, account: zoe, offer: o}"
    )
    before = line.state.account.checksum()
    again = retry(line, output)
    assert again.rated.reason.tolist() == [Reason.NO_MATCHING_CHARGE]
    assert again.account.tolist() == [-1]
    assert (again.header.rated, again.header.unrated, again.header.amounts) == (0, 1, {})
    assert line.state.account.checksum() == before


def test_amounts_are_summed_by_currency() -> None:
    line = Line().activate(CALLS % "1" + """
---
{kind: price_plan, code: francs, currency: CHF, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "3"}]}
---
{kind: charge, code: francs, event_type: call, price_plan: francs}
---
{kind: offer, code: swiss, charges: [francs]}
---
{kind: account, code: chris, currency: CHF}
---
{kind: subscription, code: chris, account: chris, offer: swiss, access_points: [{id: "4"}]}
""")  # fmt: skip
    line.owners[4] = "chris"
    header = line.take([*calls(1, 1), *calls(2, access=4, first=10)]).header
    names = line.state.vocabulary.currencies
    assert header.amounts == {names.id("EUR"): 2 * EURO, names.id("CHF"): 6 * EURO}


def test_an_empty_block_is_a_header_of_zeros(line: Line) -> None:
    output = line.take([])
    assert (output.header.received, output.header.edrs, output.header.amounts) == (0, 0, {})
    assert output.rejections.num_rows == 0
    assert output.rejections.schema == REJECTION_SCHEMA


def test_a_block_of_refusals_alone_rates_nothing(line: Line) -> None:
    before = line.state.account.checksum()
    output = line.take([Row(key=1, access=NOBODY), Row(key=2, reason=Reason.FIELD_COUNT)])
    assert (output.header.edrs, output.header.rejected, output.header.rejection_rows) == (0, 2, 2)
    assert line.state.account.checksum() == before
    assert facts([output])["amount"] == []
