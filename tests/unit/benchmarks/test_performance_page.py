"""docs/performance.md is what its result file says: pages and plots are made of it, and differ when a figure does."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from apps.bench_scaling import WHY, _verdict
from benchmarks.performance import PROFILES, RESULTS, name_of, page_of, plots_of, write_performance
from benchmarks.report import Result, report, shape_problems

ROOT = Path(__file__).parents[3]
PNG = b"\x89PNG\r\n\x1a\n"


def test_the_page_is_what_its_file_says() -> None:
    page = (ROOT / "docs/performance.md").read_text("utf-8")
    found = re.search(r"\((\.\./benchmarks/results/([^)]+)\.json)\)", page)
    assert found is not None
    written = json.loads((ROOT / "docs" / found[1]).read_text("utf-8"))
    assert shape_problems(written) == []
    profiles = sorted(path.name for path in (ROOT / PROFILES).glob("*.txt"))
    assert page == page_of(written, found[2], profiles)
    for plot in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page):
        assert (ROOT / "docs" / plot).read_bytes().startswith(PNG)
    assert all(result.get("recount_ok") is not False for result in written["results"])


def _points(*costs: float) -> list[dict[str, Any]]:
    """Return points at which a further record costs so much, and the first 1,000 records 50 µs each."""
    spent, points = 50_000.0, [{"at": 1000, "cost_us": 50.0, "per_s": 0.02, "agreed": True}]
    for more, cost in enumerate(costs, 1):
        spent += 1000 * cost
        cost_us = spent / (1000 * (more + 1))
        points.append({"at": 1000 * (more + 1), "cost_us": cost_us, "per_s": 1 / cost_us, "agreed": True})
    return points


def _written(last_cost: float = 2.5) -> dict[str, Any]:
    results = [
        Result("end_to_end.csv", "records/s", [9e5, 1.1e6, 1e6], 900.0, True, {"cpu_us_per_record": 1.9}),
        Result("limits.memory_read", "bytes/s", [1e10]),
        Result("limits.share.decode", "of its limit", [0.09], None, True,
               {"limit": "memory_read", "why": "it reads", "records_per_s": 9e6, "limit_records_per_s": 10**8}),
        *(Result(f"baselines.{name}", "records/s", [rate], 50.0, True, {"measures": "…", "cpu_us_per_record": 1e6 / rate,
                 "octroi_times_quicker": 9e5 / rate, "octroi_times_less_cpu": 2.0}) for name, rate in (("octroi", 9e5), ("a", 1e5))),
        _verdict("records", _points(2.0, 2.2, last_cost)),
    ]  # fmt: skip
    return report(results)


def test_a_page_tells_targets_limits_baselines_and_where_cost_is_not_flat(tmp_path: Path) -> None:
    (tmp_path / PROFILES).mkdir(parents=True)
    (tmp_path / PROFILES / "store.txt").write_text("…")
    for last_cost, words in ((2.5, "Flat: the last costs 1.25 times the cost of a further one at first"), (2.7, f"**Not flat**: the last costs 1.35 times the cost of a further one at first; {WHY['records']}")):  # fmt: skip
        write_performance(tmp_path, _written(last_cost), "2026-01-02-a-cpu-2-cores")
        page = (tmp_path / "docs/performance.md").read_text("utf-8")
        assert words in page
    assert (
        "| end_to_end.csv | records/s of calls, prepaid wallets among them, from files to rows | 1,000,000 | 1,000,000 | met |"
        in page
    )
    assert "| decode | 9,000,000 | memory_read | it reads | 100,000,000 | 9.0% |" in page
    assert "| a | … | 100,000 | 10.00 | 50 | 9.00 | 2.00 |" in page
    assert "- [store.txt](../benchmarks/results/profiles/store.txt)" in page
    assert {path.name for path in (tmp_path / "docs/performance").iterdir()} == {
        "baselines.png",
        "limits.png",
        "scaling-records.png",
    }
    kept = json.loads((tmp_path / RESULTS / "2026-01-02-a-cpu-2-cores.json").read_text("utf-8"))
    assert kept["results"][-1]["flat"] is False


def test_a_plot_follows_the_figures() -> None:
    one, other = ({result["name"]: result for result in _written(cost)["results"]} for cost in (2.5, 9.0))
    assert plots_of(one)["baselines.png"] == plots_of(other)["baselines.png"]
    assert plots_of(one)["scaling-records.png"] != plots_of(other)["scaling-records.png"]


def test_a_point_that_differs_from_its_recount_spoils_the_curve() -> None:
    points = _points(1.0, 1.0)
    points[1]["agreed"] = False
    assert not _verdict("records", points).recount_ok
    assert _verdict("cores", [{"at": 1, "cost_us": 1, "per_s": 10, "agreed": True}, {"at": 2, "cost_us": 1, "per_s": 19, "agreed": True}]).value == 1.9  # fmt: skip


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    written = _written()
    written["results"][0]["value"] = 7
    with pytest.raises(ValueError, match="not the median"):
        write_performance(tmp_path, written, "x")
    assert list(tmp_path.iterdir()) == []


def test_a_name_tells_the_machine_by_what_it_is() -> None:
    environment = {"cpu": "Intel(R) Xeon(R) Processor @ 2.50GHz", "cores": 2}
    assert name_of({"environment": environment}, date(2026, 11, 27)) == "2026-11-27-intel-xeon-2.50ghz-2-cores"
