"""Whether journal, snapshot and store belong together: a restore from several backups may have mixed them."""

from __future__ import annotations

from collections.abc import Callable

from apps.embedded.ports import FactStore
from pipelines.snapshot import StageState
from pipelines.spool.journal import Journal, UnableToReadJournal

_STORED = """
SELECT max(claim) AS latest, countIf(claim < {next:UInt32}) AS finished FROM (SELECT DISTINCT claim FROM fact_claim)
"""


def agreed_state(journal: Journal, state: StageState, store: FactStore, report: Callable[[str], None]) -> StageState:
    """Return the state to go on from: the snapshot's, or the empty one when the store lacks what the snapshot counts on.

    Raises:
        UnableToReadJournal: when an entry was processed that the journal does not have: its number would be given to
            another file, whose blocks the store would take for stored.
    """
    last = journal.next_claim - 1
    found = store.query(_STORED, {"next": state.claim}).to_pylist()[0]
    blocks = store.query("SELECT max(claim) AS latest FROM fact_block").to_pylist()[0]
    processed = max(found["latest"], blocks["latest"], state.claim if state.block else state.claim - 1)
    if processed > last:
        raise UnableToReadJournal(
            f"the journal ends with entry {last}, but entry {processed} was processed: it is older than the rest of the "
            "data directory; restore the latest journal, or journal, archive, state and store from one backup"
        )
    if found["finished"] < state.claim - 1:
        report("the store lacks claims that the latest snapshot counts on; they are made again from the journal")
        return StageState.empty()
    return state
