"""The account stage: rate a block of EDRs against the account state and write down everything that came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.account.before import Before
from pipelines.account.notify import notifications
from pipelines.refusals import NOTHING_REFUSED, OUTCOME_OF, refused_records, unrated_edrs
from rating.rate import account_of, exact_sum, rate
from rating.refusal_words import RefusalWords
from rating.state import AccountState
from rating.tariff_image import TariffImage
from rating.vocabulary import Vocabulary
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt16Array, UInt64Array
from schemas.cdr import ATTRIBUTE_UNREAD, CdrBlock
from schemas.edr import EdrBlock, select_edrs
from schemas.output import AssembledParts, BlockHeader, OutputBlock
from schemas.rated_item import WALLET_NONE, RatedBlock, usage_of
from schemas.rejection import Outcome, Reason
from schemas.rerating import SEVERAL_SOURCES

_OUTCOMES = tuple(outcome.name.lower() for outcome in Outcome)


@dataclass(frozen=True, slots=True)
class ClaimContext:
    """What every block of one claim shares.

    Attributes:
        tenant, source (id), received_at (microseconds UTC): where and when the claim came in.
        retry_count: 0 for fresh records, else how often they were tried before.
        before: what was there before the claim, where it takes items back and rates them again, and there are levels.
    """

    tenant: str
    source: int
    received_at: int
    retry_count: int = 0
    before: Before | None = None


def finish_records(
    cdrs: CdrBlock,
    reason: UInt16Array,
    edrs: EdrBlock,
    image: TariffImage,
    state: AccountState,
    vocabulary: Vocabulary,
    context: ClaimContext,
    describe: Callable[[CdrBlock, int], str],
    assembled: AssembledParts | None = None,
) -> OutputBlock:
    """Rate the EDRs of a block of records and return the block's output; updates `state`.

    `assembled` are the records of which EDRs of the block were put together.
    """
    outcomes = np.bincount(OUTCOME_OF[reason], minlength=len(Outcome))
    refusals = refused_records(cdrs, reason, describe, context.retry_count)
    if assembled is None:
        output = _finish(edrs, outcomes, refusals, image, state, vocabulary, context)
    else:
        unread = _unread(edrs)
        output = _finish_but(unread, edrs, outcomes, refusals, image, state, vocabulary, context, assembled)
    runs = cdrs.runs
    return output if runs is None else replace(output, header=replace(output.header, run_rows=len(runs)), runs=runs)


def finish_sessions(
    edrs: EdrBlock,
    incomplete: BoolArray,
    assembled: AssembledParts,
    image: TariffImage,
    state: AccountState,
    vocabulary: Vocabulary,
    context: ClaimContext,
) -> OutputBlock:
    """Rate the EDRs of sessions that timed out and return their output; their parts were counted as absorbed before.

    Those that are `incomplete`, (n,), stay unrated (SESSION_INCOMPLETE).
    """
    outcomes = np.zeros(len(Outcome), np.int64)
    reason = np.where(incomplete, np.uint16(Reason.SESSION_INCOMPLETE), _unread(edrs))
    return _finish_but(reason, edrs, outcomes, None, image, state, vocabulary, context, assembled)


def _unread(edrs: EdrBlock) -> UInt16Array:
    """Return (n,) USAGE_UNREAD where what the record says could not be read again, else 0."""
    reason: UInt16Array = np.where(edrs.attributes[:, 0] == ATTRIBUTE_UNREAD, Reason.USAGE_UNREAD, 0).astype(np.uint16)
    return reason


def _finish_but(
    reason: UInt16Array,
    edrs: EdrBlock,
    outcomes: Int64Array,
    refusals: pa.RecordBatch | None,
    image: TariffImage,
    state: AccountState,
    vocabulary: Vocabulary,
    context: ClaimContext,
    assembled: AssembledParts | None = None,
) -> OutputBlock:
    """Finish a block of EDRs of which those with a reason, (n,), are not to be rated."""
    kept = select_edrs(edrs, np.flatnonzero(reason == 0))
    output = _finish(kept, outcomes, refusals, image, state, vocabulary, context, assembled)
    refused = np.flatnonzero(reason)
    if not len(refused):
        return output
    return _with_refused(output, select_edrs(edrs, refused), reason[refused], vocabulary, context.retry_count)


def _with_refused(
    output: OutputBlock, edrs: EdrBlock, reason: UInt16Array, vocabulary: Vocabulary, retry_count: int
) -> OutputBlock:
    """Add EDRs that are not to be rated; where nobody owns one, it has no access point either."""
    count = len(edrs)
    names = pl.concat([pl.Series("name", [""], pl.String), vocabulary.access_points.names])
    refused = unrated_edrs(edrs, reason, lambda ids: names.gather(ids + 1).to_arrow().cast(pa.string()), retry_count)
    header = output.header
    header = replace(
        header,
        edrs=header.edrs + count,
        unrated=header.unrated + count,
        rejection_rows=header.rejection_rows + count,
    )
    return replace(output, header=header, rejections=_concatenate(output.rejections, refused))


def finish_attributed(
    edrs: EdrBlock, image: TariffImage, state: AccountState, vocabulary: Vocabulary, context: ClaimContext
) -> OutputBlock:
    """Rate a block of EDRs whose records were counted where they were attributed, and return its output; updates `state`."""
    outcomes = np.zeros(len(Outcome), np.int64)
    return _finish_but(_unread(edrs), edrs, outcomes, None, image, state, vocabulary, context)


def finish_edrs(
    edrs: EdrBlock, image: TariffImage, state: AccountState, vocabulary: Vocabulary, context: ClaimContext
) -> OutputBlock:
    """Rate a block of retried EDRs and return its output; their records were counted as accepted before.

    An incomplete session is rated with what is known of it, unless nobody owns it.
    """
    outcomes = np.zeros(len(Outcome), np.int64)
    outcomes[Outcome.ACCEPTED] = len(edrs)
    reason = np.where(edrs.subscription < 0, np.uint16(Reason.SESSION_INCOMPLETE), _unread(edrs))
    return _finish_but(reason, edrs, outcomes, None, image, state, vocabulary, context)


def finish_rerated(
    edrs: EdrBlock,
    sources: Int32Array,
    image: TariffImage,
    past: AccountState,
    vocabulary: Vocabulary,
    context: ClaimContext,
) -> OutputBlock:
    """Rate a block of EDRs again and return its output; their records were counted when they came.

    Args:
        edrs: in the order of events, after those of all blocks before it. sources: (n,) ids, of each EDR's record.
        past: what `rating.history.begin` returned.
    """
    output = _finish(edrs, np.zeros(len(Outcome), np.int64), None, image, past, vocabulary, context)
    several = len(sources) > 0 and bool((sources != sources[0]).any())
    header = replace(output.header, source=SEVERAL_SOURCES if several else int(sources[0]))
    if several and output.rated.items is not None:
        sources = sources[output.rated.items.row]
    return replace(output, header=header, sources=sources if several else None)


def _finish(
    edrs: EdrBlock,
    outcomes: Int64Array,
    refusals: pa.RecordBatch | None,
    image: TariffImage,
    state: AccountState,
    vocabulary: Vocabulary,
    context: ClaimContext,
    assembled: AssembledParts | None = None,
) -> OutputBlock:
    rated = with_reserved(rate(edrs, image, state), state)
    return finish_rated(edrs, rated, outcomes, refusals, image, vocabulary, context, assembled)


def with_reserved(rated: RatedBlock, state: AccountState) -> RatedBlock:
    """Return items with open balances after them: what reservations hold is not spent yet, an overdraft is nobody's."""
    if state.reserved is None and state.overdraft is None:
        return rated
    beside, split_beside = state.beside(np.maximum(rated.wallet, 0)), state.beside(rated.split_wallet)
    hi, lo = _raised(rated.balance_hi, rated.balance_lo, np.where(rated.wallet >= 0, beside, 0))
    split_hi, split_lo = _raised(rated.split_balance_hi, rated.split_balance_lo, split_beside)
    return replace(rated, balance_hi=hi, balance_lo=lo, split_balance_hi=split_hi, split_balance_lo=split_lo)


def _raised(hi: Int64Array, lo: UInt64Array, more: Int64Array) -> tuple[Int64Array, UInt64Array]:
    """Return 128-bit balances plus amounts, all (n,)."""
    raised = lo + more.view(np.uint64)
    return hi + (more >> 63) + (raised < lo), raised


def finish_rated(
    edrs: EdrBlock,
    rated: RatedBlock,
    outcomes: Int64Array,
    refusals: pa.RecordBatch | None,
    image: TariffImage,
    vocabulary: Vocabulary,
    context: ClaimContext,
    assembled: AssembledParts | None = None,
) -> OutputBlock:
    """Return the output of a block of EDRs, each once, and of how they were rated; their records ended in `outcomes`, (7,)."""
    rest, count = None, len(edrs)
    if rated.items is not None:
        triggered = rated.items.triggered
        whole = edrs.quantity[rated.items.row] if triggered is None else triggered.usage.quantity + triggered.rest
        rest = whole - rated.items.quantity
        edrs = usage_of(edrs, rated.items)
    account = account_of(edrs, image)
    unrated = int(np.count_nonzero(rated.reason))
    if unrated:
        names = vocabulary.access_points.names
        refused = unrated_edrs(
            edrs,
            rated.reason,
            lambda ids: names.gather(ids).to_arrow().cast(pa.string()),
            context.retry_count,
            RefusalWords(image, edrs, rated, vocabulary),
        )
        refusals = refused if refusals is None else _concatenate(refusals, refused)
    elif refusals is None:
        refusals = NOTHING_REFUSED
    usage = len(edrs) - unrated
    notified = notifications(edrs, rated, account, image, vocabulary, context.before)
    counts = dict(zip(_OUTCOMES, outcomes.tolist(), strict=True))
    header = BlockHeader(
        claim=edrs.position.claim,
        block=edrs.position.block,
        first_record=edrs.position.first_record,
        tenant=context.tenant,
        source=context.source,
        image=image.image_id,
        received_at=context.received_at,
        retry=context.retry_count > 0,
        received=int(outcomes.sum()),
        edrs=count,
        rated=count - unrated,
        unrated=unrated,
        cancelled=0,
        usage_rows=usage,
        operation_rows=len(rated.split_row),
        rejection_rows=refusals.num_rows,
        quantity=exact_sum(edrs.quantity[rated.reason == 0] if unrated else edrs.quantity),
        amounts=_amounts(rated, account, image),
        part_rows=0 if assembled is None else len(assembled),
        notification_rows=0 if notified is None else notified.num_rows,
        **counts,
    )
    return OutputBlock(header, edrs, account, rated, refusals, assembled=assembled, notifications=notified, rest=rest)


def _concatenate(first: pa.RecordBatch, second: pa.RecordBatch) -> pa.RecordBatch:
    return pa.Table.from_batches([first, second]).combine_chunks().to_batches()[0] if first.num_rows else second


def _amounts(rated: RatedBlock, account: Int32Array, image: TariffImage) -> dict[int, int]:
    moved = np.flatnonzero((rated.reason == 0) & (rated.wallet != WALLET_NONE))
    if len(moved) == 0:
        return {}
    currency = image.currencies(account[moved], rated.charge_version[moved])
    amounts = rated.amount[moved]
    if (currency == currency[0]).all():
        return {int(currency[0]): exact_sum(amounts)}
    return {int(code): exact_sum(amounts[currency == code]) for code in np.unique(currency)}
