"""What `octroi bench energy` measures is what another reading of the same generated files says."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.bench_energy import measure
from benchmarks.energy import FLOWS, STEPS, recount_r63, write_large, write_r63


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_recounted(name: str, tmp_path: Path) -> None:
    flow = FLOWS[name]
    files = flow.write(tmp_path / "files", 100, 7)
    count, total = flow.recount(files)
    (tmp_path / "catalog").mkdir()
    found = measure({"source": flow.source, "files": [str(path) for path in files], "passes": 1}, tmp_path / "catalog")
    assert count >= 100
    assert (found["days"] if name == "r151" else found["records"], found["total"]) == (count, total)
    assert len(found["cpu_s"]) == len(found["check_cpu_s"]) == 1


def test_a_seed_gives_the_same_bytes_and_a_large_file_is_the_same_measures_again(tmp_path: Path) -> None:
    first, again, other = (write_r63(tmp_path / name, 10, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert recount_r63(first) == recount_r63(again) != recount_r63(other)
    count, _ = write_large(tmp_path / "large.json", 1, 3)
    assert count == 50 * STEPS
