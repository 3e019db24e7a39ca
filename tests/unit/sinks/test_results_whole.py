"""A result that was cut short, as a full disk does it, is told from a whole one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from sinks.clickhouse.results import batches_of, check_whole


def test_a_result_that_was_cut_between_two_batches_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "result"
    table = pa.table({"number": list(range(1000))})
    ends = [0]
    with path.open("wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=100):
            writer.write_batch(batch)
            ends.append(file.tell())
    whole = path.read_bytes()
    check_whole(path)
    assert sum(batch.num_rows for batch in batches_of(path)) == 1000
    for end in (*ends, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(OSError, match="cut short"):
            check_whole(path)
    path.write_bytes(whole[: ends[5]])
    assert sum(batch.num_rows for batch in batches_of(path)) == 500  # which is why it is checked
