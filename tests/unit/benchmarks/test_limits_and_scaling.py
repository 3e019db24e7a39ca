"""The benchmarks of limits and of scaling: what is measured, and that a recount that differs is found."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import octroi

from apps import bench_scaling
from benchmarks import limits
from benchmarks.limits import UNITS
from benchmarks.report import Result, shape_problems


def test_limits_and_the_shares_of_stages_are_measured(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    octroi("bench", "limits", "--size", "smoke", "--json", out).ok()
    written = json.loads(out.read_text())
    results = {result["name"]: result for result in written["results"]}
    assert shape_problems(written) == []
    stages = ("decode", "resource", "account", "store")
    assert set(results) == {f"limits.{name}" for name in UNITS} | {f"limits.share.{stage}" for stage in stages}
    assert all(result["value"] > 0 for result in results.values())
    for stage in stages:
        share = results[f"limits.share.{stage}"]
        assert share["recount_ok"]
        assert share["limit"] in UNITS
        assert share["value"] == pytest.approx(share["records_per_s"] / share["limit_records_per_s"], rel=0.01)


def test_what_is_sent_and_written_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(limits.os, "fsync", lambda handle: written.append(os.fstat(handle).st_size))
    assert limits.disk_write(tmp_path, 5 << 20) > 0
    assert written == [8 << 20] * limits.PASSES
    assert list(tmp_path.iterdir()) == []
    assert limits.loopback(3 << 20) > 0


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let a run cost a µs a record, and what a test says; its store has what the recount says, or not."""
    told: dict[str, Any] = {"cpu_s": 1e-6, "problems": []}

    def run_once(directory: Any) -> dict[str, Any]:
        records = sum(path.read_bytes().count(b"\n") - 1 for path in (directory.root / "spool" / "telephony").iterdir())
        return {"process_cpu_s": told["cpu_s"] * records, "seconds": {"process": records / len(os.sched_getaffinity(0))},
                "peak_memory_mib": 1}  # fmt: skip

    monkeypatch.setattr(bench_scaling, "run_once", run_once)
    monkeypatch.setattr(bench_scaling, "read_back", lambda directory: {})
    monkeypatch.setattr(bench_scaling, "compare", lambda found, expected: told["problems"])
    return told


def _scaling(tmp_path: Path, part: str) -> tuple[int, dict[str, Any]]:
    out = tmp_path / "out.json"
    told = octroi("bench", "scaling", "--only", part, "--records", 16_000, "--runs", 1, "--json", out)
    (result,) = json.loads(out.read_text())["results"]
    return told.code, result


@pytest.mark.parametrize(("part", "at"), [("records", [1000, 4000, 16_000]), ("accounts", [100, 160, 1600])])
def test_a_cost_that_is_the_same_everywhere_is_flat(
    tmp_path: Path, costs: dict[str, Any], part: str, at: list[int]
) -> None:
    code, result = _scaling(tmp_path, part)
    assert (code, result["value"], result["flat"], result["recount_ok"]) == (0, 1.0, True, True)
    assert [(point["at"], point["cost_us"]) for point in result["points"]] == [(each, 1.0) for each in at]


def test_a_recount_that_differs_spoils_a_curve(tmp_path: Path, costs: dict[str, Any]) -> None:
    costs["problems"] = ["records: the store has 1, the recount 2"]
    code, result = _scaling(tmp_path, "records")
    assert (code, result["recount_ok"]) == (1, False)


def test_cores_are_given_back(tmp_path: Path, costs: dict[str, Any]) -> None:
    before = os.sched_getaffinity(0)
    code, result = _scaling(tmp_path, "cores")
    assert (code, os.sched_getaffinity(0)) == (0, before)
    assert [point["at"] for point in result["points"]][-1] == len(before) == result["value"]
    assert "flat" not in result


def test_the_cost_of_an_entry_is_that_of_loading_and_compiling_it(
    tmp_path: Path, costs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def images(*, size: int, seed: int, runs: int) -> list[Result]:
        each = {"image.load": 3.0, "image.compile": 1.0, "image.load_again": 9.0}
        return [Result(name, "s", [cost], 5.0, True, {"cpu_s": [cost * size / 1e3]}) for name, cost in each.items()]

    monkeypatch.setattr(bench_scaling, "measure_images", images)
    _, result = _scaling(tmp_path, "catalog")
    assert [point["cost_us"] for point in result["points"]] == [4000.0] * 3
    assert result["value"] == 1.0
