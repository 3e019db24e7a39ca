"""A crash in the middle of an append loses that entry and nothing else, wherever it cuts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from resource_journal import entries_in, every_kind, file_claim, journal_of

from pipelines.spool.journal import Journal, UnableToReadJournal


def test_a_torn_last_entry_is_cut_off_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    journal_of(path, every_kind()).close()
    whole = path.read_bytes()
    ends = [offset + 1 for offset, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        complete = sum(end <= size for end in ends)
        journal = Journal(path)
        assert list(journal.entries) == every_kind()[:complete]
        assert path.stat().st_size == (ends[complete - 1] if complete else 0)
        journal.append(file_claim(complete + 1, at=every_kind()[-1].received_at))
        journal.close()
        assert len(entries_in(path)) == complete + 1


@given(data=st.data())
def test_no_damage_passes_unseen(data: st.DataObject) -> None:
    """Any bytes may change: what is read then are the first entries as they were, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.log")
        journal_of(path, every_kind()).close()
        content = bytearray(path.read_bytes())
        for offset in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3, unique=True)):
            content[offset] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        try:
            found = entries_in(path)
        except UnableToReadJournal:
            assert path.read_bytes() == bytes(content)
        else:
            assert found == every_kind()[: len(found)]
            assert len(found) >= len(every_kind()) - 1
