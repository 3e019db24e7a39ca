"""The account stage: rate a block of EDRs against the account state and write down everything that came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from pipelines.refusals import OUTCOME_OF, refused_records, unrated_edrs
from rating.rate import account_of, exact_sum, rate
from rating.state import AccountState
from rating.tariff_image import TariffImage
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array, UInt16Array
from schemas.cdr import CdrBlock
from schemas.edr import EdrBlock
from schemas.output import AssembledParts, BlockHeader, OutputBlock
from schemas.rated_item import WALLET_NONE, RatedBlock
from schemas.rejection import Outcome


@dataclass(frozen=True, slots=True)
class ClaimContext:
    """What every block of one claim shares.

    Attributes:
        tenant, source (id), received_at (microseconds UTC): where and when the claim came in.
        retry_count: 0 for fresh records, else how often they were tried before.
    """

    tenant: str
    source: int
    received_at: int
    retry_count: int = 0


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
    output = _finish(edrs, outcomes, refusals, image, state, vocabulary, context, assembled)
    runs = cdrs.runs
    return output if runs is None else replace(output, header=replace(output.header, run_rows=len(runs)), runs=runs)


def finish_sessions(
    edrs: EdrBlock,
    assembled: AssembledParts,
    image: TariffImage,
    state: AccountState,
    vocabulary: Vocabulary,
    context: ClaimContext,
) -> OutputBlock:
    """Rate the EDRs of sessions that timed out and return their output; their parts were counted as absorbed before."""
    return _finish(edrs, np.zeros(len(Outcome), np.int64), None, image, state, vocabulary, context, assembled)


def finish_edrs(
    edrs: EdrBlock, image: TariffImage, state: AccountState, vocabulary: Vocabulary, context: ClaimContext
) -> OutputBlock:
    """Rate a block of retried EDRs and return its output; their records were counted as accepted before."""
    outcomes = np.zeros(len(Outcome), np.int64)
    outcomes[Outcome.ACCEPTED] = len(edrs)
    return _finish(edrs, outcomes, None, image, state, vocabulary, context)


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
    rated = rate(edrs, image, state)
    account = account_of(edrs, image)
    unrated = int(np.count_nonzero(rated.reason))
    if unrated:
        names = vocabulary.access_points.names
        refused = unrated_edrs(
            edrs, rated.reason, lambda ids: names.gather(ids).to_arrow().cast(pa.string()), context.retry_count
        )
        refusals = refused if refusals is None else _concatenate(refusals, refused)
    elif refusals is None:
        refusals = unrated_edrs(edrs, rated.reason, lambda ids: pa.array([], pa.string()), context.retry_count)
    usage = len(edrs) - unrated
    counts = {outcome.name.lower(): int(outcomes[outcome]) for outcome in Outcome}
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
        edrs=len(edrs),
        rated=usage,
        unrated=unrated,
        cancelled=0,
        usage_rows=usage,
        operation_rows=len(rated.split_row),
        rejection_rows=refusals.num_rows,
        quantity=exact_sum(edrs.quantity[rated.reason == 0] if unrated else edrs.quantity),
        amounts=_amounts(rated, account, image),
        part_rows=0 if assembled is None else len(assembled),
        **counts,
    )
    return OutputBlock(header, edrs, account, rated, refusals, assembled=assembled)


def _concatenate(first: pa.RecordBatch, second: pa.RecordBatch) -> pa.RecordBatch:
    return pa.Table.from_batches([first, second]).combine_chunks().to_batches()[0] if first.num_rows else second


def _amounts(rated: RatedBlock, account: Int32Array, image: TariffImage) -> dict[int, int]:
    moved = np.flatnonzero((rated.reason == 0) & (rated.wallet != WALLET_NONE))
    if len(moved) == 0:
        return {}
    currency = image.account_currency[account[moved]]
    amounts = rated.amount[moved]
    return {int(code): exact_sum(amounts[currency == code]) for code in np.unique(currency)}
