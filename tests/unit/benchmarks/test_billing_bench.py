"""What `octroi bench billing` drafts is what its recount says, and its recount sees what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from apps.bench_billing import PHASES, compare, drafted, execute, fees, opened, prepare
from apps.bench_run import measured_run
from apps.embedded.layout import DataDirectory
from benchmarks.billing import accounts_of, write_billing
from benchmarks.recount.billing import recount_billing

RECORDS = 6_000


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataDirectory, dict[str, Any], pl.DataFrame]:
    """A data directory with a run that is drafted in several parts, what it says, and the recount."""
    root = tmp_path_factory.mktemp("billing")
    write_billing(root / "input", records=RECORDS, seed=3)
    directory = prepare(root)
    assert measured_run(directory.root)["totals"]["rated"] == RECORDS
    with opened(directory) as engine:
        assert fees(engine)["refused"] == 0
        told = execute(engine, "run-1", part_rows=RECORDS // 3)
    return directory, told, recount_billing(root / "input")


def test_all_drafts_are_as_recounted(billed: tuple[DataDirectory, dict[str, Any], pl.DataFrame]) -> None:
    directory, told, expected = billed
    assert compare(drafted(directory, "run-1"), told, expected) == []
    assert told["parts"] > 2
    assert set(told["phases"]) == set(PHASES)
    assert min(told["phases"].values()) > 0
    assert len(expected) == accounts_of(RECORDS)
    # each of the features is met
    kept = expected.filter("invoiced")
    assert 0 < len(kept) < len(expected)
    for name in ("discount", "tax", "paid"):
        assert kept[name].n_unique() > 2, name
    assert (kept["tax"] == 0).any()
    assert (kept["gross"] - kept["paid"] != kept["to_pay"]).any()
    least = 25 * 10**9
    assert (expected["rated"] == least).any()


def test_a_wrong_draft_is_seen(billed: tuple[DataDirectory, dict[str, Any], pl.DataFrame]) -> None:
    directory, told, expected = billed
    found = drafted(directory, "run-1")
    first = pl.col("account") == found["account"][0]
    assert "1 drafts differ" in compare(found, told, expected.with_columns(tax=pl.col("tax") + first))[0]
    assert "1 drafts differ" in compare(found.with_columns(lines=pl.col("lines") + first), told, expected)[0]
    assert "1 drafts differ" in compare(found.filter(~first), told, expected)[0]
    assert "left out" in compare(found, told | {"left": []}, expected)[0]


def test_a_seed_makes_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_billing(tmp_path / name, records=1_000, seed=5)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.csv")]
    assert len(files) == 2
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes() for path in files)
