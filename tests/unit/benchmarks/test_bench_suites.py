"""`octroi bench all` measures everything there is, in one shape, and what goes wrong in one benchmark is said and hides nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from subprocess import CompletedProcess
from typing import Any

import pytest
from cli_octroi import octroi

from apps import bench_suites
from apps.bench_suites import SUITES, keep_to
from apps.cli.failures import WrongUsage
from benchmarks.report import Result, shape_problems, write_report


@pytest.mark.parametrize("name", SUITES)
def test_every_benchmark_can_be_asked(name: str) -> None:
    suite = SUITES[name]
    assert callable(resolve_name(suite.measure))
    known = resolve_name(suite.parts) if suite.parts else ()
    assert set(suite.smoke_parts) <= set(known)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Let the benchmarks be done by a function from a name to an exit code, with a result where that is 0 or 1."""

    def by(code_of: Callable[[str], int], name_of: Callable[[str], str] = str) -> list[list[str]]:
        asked: list[list[str]] = []

        def run(command: list[str], *, check: bool) -> CompletedProcess[bytes]:
            asked.append(command[command.index("bench") + 1 :])
            name, code = asked[-1][0], code_of(asked[-1][0])
            if code < 2:
                path = Path(command[command.index("--json") + 1])
                write_report(path, [Result(name_of(name), "records/s", [1.0, 3.0, 2.0], recount_ok=not code)])
            return CompletedProcess(command, code)

        monkeypatch.setattr("apps.bench_all.subprocess.run", run)
        return asked

    return by


def test_all_is_every_benchmark_in_one_file(tmp_path: Path, children: Callable[..., list[list[str]]]) -> None:
    asked = children(lambda name: 0)
    octroi("bench", "all", "--size", "smoke", "--seed", 9, "--json", tmp_path / "all.json").ok()
    written = json.loads((tmp_path / "all.json").read_text())
    wanted = [name for name in SUITES if name != "guard"]
    assert [result["name"] for result in written["results"]] == wanted == [words[0] for words in asked]
    assert shape_problems(written) == []
    assert written["results"][0]["spread"] == 1.0
    for words in asked:
        given = dict(zip(words[1::2], words[2::2], strict=True))
        assert (given["--seed"], given["--size"], given["--runs"], "--records" in given) == ("9", "smoke", "1", False)


def test_all_ends_with_1_when_one_recount_differs(tmp_path: Path, children: Callable[..., list[list[str]]]) -> None:
    asked = children(lambda name: name == "rating")
    told = octroi("bench", "all", "--only", "rating,store", "--records", 5000, "--json", tmp_path / "all.json")
    assert (told.code, [words[0] for words in asked]) == (1, ["rating", "store"])
    assert all("5000" in words for words in asked)


def test_what_one_benchmark_could_not_do_hides_nothing_of_the_others(
    tmp_path: Path, children: Callable[..., list[list[str]]]
) -> None:
    children(lambda name: 4 if name == "stream" else 0)
    told = octroi("bench", "all", "--json", tmp_path / "all.json")
    assert (told.code, "stream ended with 4" in told.err) == (4, True)
    written = json.loads((tmp_path / "all.json").read_text())
    assert {result["name"] for result in written["results"]} == set(SUITES) - {"stream", "guard"}


def test_one_name_for_two_results_is_told(tmp_path: Path, children: Callable[..., list[list[str]]]) -> None:
    children(lambda name: 0, lambda name: "twin")
    told = octroi("bench", "all", "--only", "rating,store", "--json", tmp_path / "all.json")
    assert (told.code, "twin is there twice" in told.err) == (4, True)


def test_parts_that_there_are_not_are_refused() -> None:
    for words in (("all", "--only", "nonsense"), ("rating", "--only", "nonsense"), ("end_to_end", "--only", "csv")):
        assert octroi("bench", *words).code == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"value": "2"}, "value is '2'"),
        ({"runs": None}, "runs is None"),
        ({"spread": True}, "spread is True"),
        ({"value": 1.5}, "not the median"),
        ({"cpu_us_per_record": [1.0]}, "cpu_us_per_record is [1.0]"),
    ],
)
def test_another_shape_is_told(changed: dict[str, Any], words: str) -> None:
    result = Result("a", "s", [1.0, 3.0, 2.0], details={"block_latency_p50_ms": 3}).as_dict()
    assert shape_problems({"environment": {}, "results": [result]}) == []
    assert words in "; ".join(shape_problems({"environment": {}, "results": [result | changed]}))


@pytest.fixture
def _same_cores() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("_same_cores")
def test_cores_are_those_of_the_process_and_its_children() -> None:
    keep_to(1)
    assert len(os.sched_getaffinity(0)) == 1
    with pytest.raises(WrongUsage, match="this process may use 1 cores, not 2"):
        keep_to(2)


def test_size_smoke_is_small_unless_a_number_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    def measure(**asked: Any) -> bool:
        given.append(asked)
        return True

    monkeypatch.setattr(bench_suites, "resolve_name", lambda name: measure)
    for words in (("--size", "smoke"), ("--size", "smoke", "--records", 1234), ("--runs", 2), ()):
        octroi("bench", "end_to_end", *words).ok()
    smoke = SUITES["end_to_end"].smoke_records
    assert [(asked["records"], asked["runs"]) for asked in given] == [(smoke, 1), (1234, 1), (None, 2), (None, 3)]
