"""`octroi bench guard` tells by ratios whether octroi became slower."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import octroi

from benchmarks.guard import GUARDS, Guard, guarded
from benchmarks.report import Result, write_report

TWO = (
    Guard("speed", "stage", "limit", 0.5),
    Guard("cost", "stage", "script", 3.0, "cpu_us_per_record", is_cost=True),
)


def _round(stage: float, cpu_us: float = 2.0) -> dict[str, dict[str, float]]:
    return {
        "stage": {"value": stage, "cpu_us_per_record": cpu_us},
        "limit": {"value": 100.0},
        "script": {"value": 1.0, "cpu_us_per_record": 6.0},
    }


def test_the_best_round_decides() -> None:
    speed, cost = guarded([_round(40.0, 4.0), _round(50.0, 2.0)], TWO)
    assert (speed.runs, speed.details) == ([0.4, 0.5], {"at_least": 0.5, "best": 0.5, "kept": True})
    assert (cost.runs, cost.details["kept"]) == ([1.5, 3.0], True)
    slower, dearer = guarded([_round(49.0, 2.1)], TWO)
    assert (slower.details["kept"], dearer.details["kept"]) == (False, False)


def test_a_result_that_is_missing_is_no_pass() -> None:
    with pytest.raises(KeyError):
        guarded([{"stage": {"value": 1.0}}], TWO)


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Let every benchmark find the rates that a test says, of all results that guards ask for."""
    told = {name: 1.0 for each in GUARDS for name in (each.of, each.against)}

    def apart(name: str, given: Mapping[str, Any]) -> int:
        mine = [one for one in told if one.split(".")[0] == name]
        results = [Result(one, "a second", [told[one]], details={"cpu_us_per_record": 1 / told[one]}) for one in mine]
        write_report(Path(given["--json"]), results)
        return 0 if told.get(f"{name} ends", 0.0) == 0.0 else 1

    monkeypatch.setattr("apps.bench_guard.run_apart", apart)
    return told


def _guard(tmp_path: Path) -> tuple[int, dict[str, Any]]:
    out = tmp_path / "guard.json"
    told = octroi("bench", "guard", "--runs", 2, "--json", out)
    return told.code, {result["name"]: result for result in json.loads(out.read_text())["results"]}


def test_what_became_slower_ends_with_1_and_is_named(tmp_path: Path, rates: dict[str, float]) -> None:
    for each in GUARDS:
        rates[each.of] = 1e6
    code, results = _guard(tmp_path)
    assert code == 0
    assert set(results) == {f"guard.{each.name}" for each in GUARDS}
    assert all(len(result["runs"]) == 2 for result in results.values())
    rates["store.insert"] = 1e-6
    code, results = _guard(tmp_path)
    assert (code, results["guard.store.insert"]["kept"]) == (1, False)


def test_a_recount_that_differs_ends_with_1(tmp_path: Path, rates: dict[str, float]) -> None:
    for each in GUARDS:
        rates[each.of] = 1e6
    rates["store ends"] = 1.0
    code, results = _guard(tmp_path)
    assert (code, all(result["kept"] for result in results.values())) == (1, True)
