"""The shape of benchmark files."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from benchmarks.environment import describe_environment
from benchmarks.report import Result, write_report


def test_file_has_the_agreed_shape(tmp_path: Path) -> None:
    result = Result(
        "end_to_end.csv", "records/s", [3.0, 1.0, 2.5], peak_memory_mib=900.5, recount_ok=True, details={"records": 10}
    )
    write_report(tmp_path / "out.json", [result, Result("help", "s", [0.2])])
    written = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert set(written) == {"environment", "results"}
    assert written["results"][0] == {
        "name": "end_to_end.csv",
        "unit": "records/s",
        "value": 2.5,
        "spread": 0.8,
        "runs": [3.0, 1.0, 2.5],
        "peak_memory_mib": 900.5,
        "recount_ok": True,
        "records": 10,
    }
    assert written["results"][1] == {"name": "help", "unit": "s", "value": 0.2, "spread": 0.0, "runs": [0.2]}


def test_environment_says_enough_and_names_no_machine() -> None:
    found = describe_environment()
    assert found["cores"] >= 1
    assert found["cpu"]
    assert found["memory_mib"] > 0
    assert found["python"].endswith(platform.python_version())
    assert all(found["libraries"][name] for name in ("numpy", "polars", "pyarrow"))
    text = json.dumps(found)
    assert platform.node() not in text
    assert str(Path.home()) not in text
