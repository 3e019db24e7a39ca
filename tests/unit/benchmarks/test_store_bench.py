"""What `octroi bench store` measures is what its recount says, and its recount sees what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from apps.bench_store_job import follow, insert, keep, month_end, point
from apps.embedded.layout import DataDirectory
from benchmarks.store import INSERT_ROWS, START_US, Usage, recount

ROWS, SEED, ACCOUNTS = INSERT_ROWS, 3, 300
ALWAYS = (0, 1 << 62)


@pytest.fixture(scope="module")
def usage() -> Usage:
    """One write of usage."""
    return Usage(ROWS, SEED, ACCOUNTS)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, usage: Usage) -> DataDirectory:
    """A data directory whose store has the usage."""
    directory = DataDirectory(tmp_path_factory.mktemp("bench"))
    found = insert(directory, usage, 0)
    assert found["stored"] == found["rows"] == ROWS
    assert tuple(found["totals"]) == recount(usage, *ALWAYS).totals
    assert 20 < found["bytes_per_row"] < 60
    return directory


def test_a_write_can_be_made_again(usage: Usage) -> None:
    (first,), (again,) = (list(Usage(ROWS, SEED, ACCOUNTS).writes()) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one.header == other.header
        assert (one.rated.amount == other.rated.amount).all()
    rows = sum(len(block.edrs) for block in first)
    amount = sum(sum(map(int, block.rated.amount)) for block in first)
    assert (rows, amount) == (recount(usage, *ALWAYS).totals[0], recount(usage, *ALWAYS).totals[2])


def test_a_period_is_recounted_by_when_the_usage_was(usage: Usage) -> None:
    half = START_US + 4 * 3_600_000_000
    parts = recount(usage, 0, half), recount(usage, half, 1 << 62)
    assert all(part.items.sum() > 0 for part in parts)
    assert (parts[0].amount + parts[1].amount == recount(usage, *ALWAYS).amount).all()


def test_what_is_looked_up_is_what_was_drawn(written: DataDirectory, usage: Usage) -> None:
    assert point(written, usage, 1)["agreed"]
    assert follow(written, usage, 1)["agreed"]


def test_a_month_is_the_same_with_and_without_sums_that_are_kept(written: DataDirectory, usage: Usage) -> None:
    before = month_end(written, usage, cold=True)
    assert keep(written, usage)["agreed"]
    after = month_end(written, usage, cold=False)
    assert before["agreed"]
    assert after["agreed"]
    assert before["groups"] == after["groups"] == np.count_nonzero(recount(usage, *ALWAYS).items)


def test_the_recount_sees_usage_that_is_not_there(written: DataDirectory, usage: Usage) -> None:
    more = Usage(ROWS + 1, SEED, ACCOUNTS)
    assert recount(more, *ALWAYS).totals[0] == recount(usage, *ALWAYS).totals[0] + 1
    assert not month_end(written, more, cold=False)["agreed"]
