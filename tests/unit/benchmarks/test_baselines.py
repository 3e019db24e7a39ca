"""What users would write instead says what octroi says, and a baseline that says something else is found."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import octroi

import benchmarks.baselines
from apps import bench_baselines
from apps.bench_baselines import SCRIPTS
from benchmarks.recount import recount_telephony
from benchmarks.report import shape_problems

ROOMS = {"apps", "billing", "connectors", "pipelines", "rating", "schemas", "sinks"}


def test_no_baseline_imports_the_product() -> None:
    for path in Path(benchmarks.baselines.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert ROOMS.isdisjoint(name.split(".")[0] for name in names), path.name


@pytest.fixture
def _a_run_without_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let octroi's own run say what the recount of its files says."""

    def read_back(directory: Path) -> dict[str, Any]:
        found = recount_telephony(sorted((directory / "spool" / "telephony").iterdir()), directory / "catalog")
        return {"rated": found.rated_by_charge, "amount": found.amount_by_charge}

    run = {"seconds": {"process": 0.001}, "process_cpu_s": 0.001, "peak_memory_mib": 1}
    monkeypatch.setattr(bench_baselines, "run_once", lambda directory: run)
    monkeypatch.setattr(bench_baselines, "read_back", lambda directory: read_back(directory.root))


@pytest.mark.usefixtures("_a_run_without_a_store")
def test_scripts_agree_to_the_millionth_with_each_other_and_the_recount(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    names = ["octroi", *SCRIPTS]
    octroi("bench", "baselines", "--only", ",".join(names), "--records", 20_000, "--runs", 1, "--json", out).ok()
    written = json.loads(out.read_text())
    assert shape_problems(written) == []
    assert [result["name"] for result in written["results"]] == [f"baselines.{name}" for name in names]
    for result in written["results"]:
        assert (result["recount_ok"], result["problems"]) == (True, [])
        assert result["octroi_times_quicker"] >= 1


def test_a_baseline_that_says_something_else_is_found() -> None:
    run = {"totals": {"sms": [2, 9], "voice": [1, 5]}, "seconds": 2.0, "cpu_s": 1.0, "peak_memory_mib": 3}
    for wanted, problems in (
        ({"sms": (2, 9), "voice": (1, 5)}, []),
        ({"sms": (2, 8), "voice": (1, 5)}, ["sms: (2, 9) instead of (2, 8)"]),
        ({"sms": (2, 9)}, ["voice: (1, 5) instead of None"]),
        ({"sms": (2, 9), "voice": (1, 5), "data": (1, 1)}, ["data: () instead of (1, 1)"]),
    ):
        result = bench_baselines._result("x", [run], wanted, 10, 7, "nothing")
        assert (result.recount_ok, result.details["problems"], result.value) == (not problems, problems, 5)
