"""Deduplication alone, measured: what is said of every row is checked, and a wrong answer would show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from apps.bench_dedup import results_of
from apps.bench_keys import BATCH, LOOKED_UP, Measured, measure_dedup, measure_restore
from pipelines.resource.dedup import DedupWindow


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    root = tmp_path_factory.mktemp("keys")
    keys = 11 * BATCH
    return (
        measure_dedup(root, keys, seed=5),
        measure_restore(root, keys, seed=5),
        measure_restore(root, keys, seed=5, cold=True),
    )


def test_every_key_is_taken_once_and_every_row_is_told_rightly(
    measured: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    found, restored, cold = measured
    assert found["keys"] == restored["keys"] == cold["keys"] == 11 * BATCH
    assert {kind: (found[kind]["rows"], found[kind]["wrong"]) for kind in ("new", "mixed", "known")} == {
        "new": (9 * BATCH + 2 * BATCH // 100, 0),
        "mixed": (2 * BATCH, 0),
        "known": (BATCH, 0),
    }
    assert (restored["known"]["rows"], restored["known"]["wrong"]) == (LOOKED_UP * BATCH, 0)
    assert found["bytes_per_key_counted"] < 50
    results = results_of("mediation.dedup", 11 * BATCH, 1, 5, [found], [restored], [cold])
    assert [result.name.removeprefix("mediation.dedup") for result in results] == [
        "",
        ".mixed",
        ".known",
        ".memory",
        ".restore",
        ".restore.cold",
    ]
    assert all(result.recount_ok for result in results)


@pytest.mark.parametrize(
    ("what", "change", "differs"),
    [
        (0, {"keys": 1}, {"", ".mixed", ".known", ".memory"}),
        (0, {"new": {"wrong": 1}}, {""}),
        (0, {"mixed": {"wrong": 1}}, {".mixed"}),
        (0, {"known": {"wrong": 1}}, {".known"}),
        (1, {"keys": 1}, {".restore"}),
        (1, {"known": {"wrong": 1}}, {".restore"}),
        (2, {"fresh": {"wrong": 1}}, {".restore.cold"}),
    ],
)
def test_a_wrong_answer_makes_its_figure_differ(
    measured: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
    what: int,
    change: dict[str, Any],
    differs: set[str],
) -> None:
    runs = list(measured)
    for name, value in change.items():
        runs[what] = runs[what] | {name: runs[what][name] | value if isinstance(value, dict) else value}
    results = results_of("mediation.dedup", 11 * BATCH, 1, 5, *([run] for run in runs))
    assert {result.name.removeprefix("mediation.dedup") for result in results if not result.recount_ok} == differs


def test_bytes_that_are_not_counted_make_the_memory_differ(
    measured: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    found, restored, cold = measured
    found = found | {"keys": 2_000_000, "bytes_per_key": 44.0, "bytes_per_key_counted": 40.0}
    results = results_of("mediation.dedup.2M", 2_000_000, 1, 5, [found], [restored], [cold])
    assert [result.recount_ok for result in results if result.name.endswith(".memory")] == [False]


def test_rows_are_told_by_their_numbers_alone() -> None:
    window, rows = DedupWindow(), Measured()
    rows.take(window, np.arange(100), 0, 5)
    rows.take(window, np.array([100, 7, -8, 99, 101]), 100, 5)
    assert (rows.rows, rows.wrong) == (105, 0)
    rows.take(window, np.array([102, 7, -9, 8]), 200, 5)  # 102 was not there, though it is said to have been
    assert rows.wrong == 1
    rows.take(window, np.array([7, 200]), 0, 5)  # 7 was
    assert rows.wrong == 2
