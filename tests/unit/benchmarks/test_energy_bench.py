"""What `octroi bench energy` measures is what another reading of the same generated files says."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.bench_abroad import ABROAD, NEM12
from apps.bench_abroad import measure as measure_abroad
from apps.bench_energy import measure
from benchmarks.energy import FLOWS, STEPS, recount_r63, write_large, write_r63
from benchmarks.energy_abroad import recount_espi, recount_nem12, write_espi, write_nem12


@pytest.mark.parametrize("suite", ABROAD)
def test_files_of_other_countries_are_recounted(suite: str, tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    path = tmp_path / "file"
    if suite == NEM12:
        write_nem12(path, 3000, 7)
        job = {"suite": suite, "file": str(path), "few": str(path), "passes": 1}
        found, recounted = measure_abroad(job, tmp_path / "catalog"), recount_nem12(path)
        assert (found["values"], found["total"]) == tuple(found["usage"]) == recounted
        assert recounted[0] == 11 * 288
    else:
        written = write_espi(path, 40_000, 7)
        found = measure_abroad({"suite": suite, "file": str(path), "few": str(path)}, tmp_path / "catalog")
        count, total = recount_espi(path)
        assert (count, total) == written
        assert found["usage"] == [count, 1000 * total]


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
