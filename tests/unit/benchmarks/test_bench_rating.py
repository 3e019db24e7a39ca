"""The rating benchmark prices what its names say, and its check of the twin can fail."""

from __future__ import annotations

import pytest

from benchmarks import bench_rating
from benchmarks.bench_rating import (
    CURVE,
    DURATIONS_S,
    SHAPES,
    measure,
    measure_all,
    measure_blocks,
    prepare,
    twin_agrees,
)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sample_of_each_shape_agrees_with_the_twin(shape: str) -> None:
    assert twin_agrees(shape, 7, None)
    bench = prepare(shape, subscriptions=10, records=50, seed=7)
    rated = bench_rating.rate(bench.blocks[0], bench.image, bench.state)
    assert (rated.reason == 0).all()


def test_long_calls_are_measured_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_rating, "SHAPES", {"per_second": SHAPES["per_second"]})
    monkeypatch.setattr(bench_rating, "CURVE", ("per_second",))
    monkeypatch.setattr(bench_rating, "BLOCKS", ("per_second",))
    results = list(measure_all(records=100, subscriptions=10, seed=7, runs=1))
    lengths = [f"rating.per_second.{seconds}s" for seconds in DURATIONS_S]
    assert [result.name for result in results] == ["rating.per_second", "rating.block.per_second", *lengths]
    assert all(result.recount_ok for result in results)
    assert set(results[0].details["memory_mib"]) == {"state", "image", "access_points", "names"}
    assert set(CURVE) <= set(SHAPES)


def test_a_kernel_that_errs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = bench_rating.rate

    def careless(block, image, state):  # type: ignore[no-untyped-def]
        rated = honest(block, image, state)
        rated.amount[3] += 1
        return rated

    monkeypatch.setattr(bench_rating, "rate", careless)
    result = measure("flat", subscriptions=10, records=100, seed=7, runs=1)
    assert result.recount_ok is False
    assert measure_blocks("flat", subscriptions=10, records=100, seed=7, runs=1).recount_ok is False
