"""`octroi demo` shows the main job on three industries; `octroi bench` measures it and believes only a recount."""

from __future__ import annotations

import dataclasses
import json
import shlex
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import Told, balanced, octroi, octroi_process, query

from apps import bench
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import OwnerLock
from benchmarks.recount import Recount, recount_cloud, recount_meters, recount_telephony
from benchmarks.report import shape_problems

RECORDS = 4000


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    """A small demo in a directory whose name needs quotes."""
    data = tmp_path_factory.mktemp("demo") / "octroi demo"
    return data, octroi("demo", "--records", RECORDS, "--data", data).ok()


def test_the_demo_ends_with_commands_that_work(shown: tuple[Path, Told]) -> None:
    data, told = shown
    after = told.out.partition("Both sheets balance. Try next:\n")[2]
    commands = [shlex.split(line) for line in after.splitlines()]
    assert {Path(command[0]).name for command in commands} == {"octroi"}
    assert [command[1] for command in commands] == ["explain", "rejects", "query"]
    for command in commands:
        assert str(data) in command
        assert octroi(*command[1:]).ok().out


def test_the_demo_shows_every_industry_and_its_money(shown: tuple[Path, Told]) -> None:
    data, told = shown
    for words in (
        "telephony",
        "electricity",
        "cloud and IoT",
        "Money: rated items by charge",
        "The largest accounts",
        "records/s",
    ):
        assert words in told.out
    (total,) = query(data, "SELECT sum(received) AS n FROM record_sheet")
    row = next(line.split() for line in told.out.splitlines() if line.split()[:1] == ["all"])
    assert row[1].replace(",", "") == str(total["n"])
    assert RECORDS * 0.9 < int(total["n"]) < RECORDS * 1.2
    balanced(data)


def test_the_demo_agrees_with_the_independent_recount(shown: tuple[Path, Told]) -> None:
    data, _ = shown
    files = {source: sorted((data / "archive").glob(f"*~{source}~*")) for source in ("telephony", "meters", "events")}
    catalog = data / "catalog"
    recounts: dict[str, Recount] = {
        "telephony": recount_telephony(files["telephony"], catalog),
        "meters": recount_meters(files["meters"], catalog),
        "events": recount_cloud(files["events"], catalog),
    }
    rows = query(
        data, "SELECT source, charge, count() AS n, sum(amount) AS amount FROM rated_item GROUP BY source, charge"
    )
    for source, recount in recounts.items():
        mine = [row for row in rows if row["source"] == source]
        assert {row["charge"]: row["n"] for row in mine} == recount.rated_by_charge
        assert {row["charge"]: int(Decimal(row["amount"]) * 10**9) for row in mine} == recount.amount_by_charge
    sheet = query(data, "SELECT source, sum(received) AS n, sum(duplicate) AS twice FROM record_sheet GROUP BY source")
    assert {row["source"]: (int(row["n"]), int(row["twice"])) for row in sheet} == {
        source: (recount.records, recount.duplicates) for source, recount in recounts.items()
    }


def test_a_demo_replaces_an_earlier_one_and_nothing_else(shown: tuple[Path, Told], tmp_path: Path) -> None:
    data, _ = shown
    (tmp_path / "precious").touch()
    told = octroi("demo", "--records", RECORDS, "--data", tmp_path)
    assert (told.code, "is not an earlier demo's" in told.err, (tmp_path / "precious").exists()) == (2, True, True)
    (tmp_path / "link").symlink_to(data)
    for place in ("link", "precious"):
        told = octroi("demo", "--records", RECORDS, "--data", tmp_path / place)
        assert (told.code, "is no directory" in told.err) == (2, True)


def test_a_demo_that_somebody_works_on_is_left_alone(shown: tuple[Path, Told], monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = shown
    monkeypatch.setattr("apps.embedded.access.STARTING_S", 0.2)
    with OwnerLock(DataDirectory(data).lock):
        told = octroi("demo", "--records", RECORDS, "--data", data)
    assert (told.code, "owns" in told.err) == (4, True)
    balanced(data)


def test_a_demo_that_does_not_balance_says_so_in_its_one_document_and_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [{"claim": 2, "what": "rows of fact_usage", "expected": "2", "found": "1"}]
    monkeypatch.setattr("apps.embedded.access.differences_as_json", lambda store: wrong)
    told = octroi("demo", "--records", 1000, "--data", tmp_path / "demo", "--json")
    assert (told.code, told.json["differences"]) == (1, wrong)
    assert {row["source"] for row in told.json["stages"]} == {"telephony", "meters", "events"}
    assert told.json["totals"]["received"] == sum(int(row["received"]) for row in told.json["stages"])
    assert "the demo does not balance" in told.err


def test_a_benchmark_file_has_the_agreed_shape(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = ("bench", "end_to_end", "--records", 20_000, "--seed", 7, "--runs", 1, "--json", out)
    told = octroi_process(*arguments)
    assert (told.code, told.out) == (0, "")
    written = json.loads(out.read_text())
    assert set(written) == {"environment", "results"}
    assert written["environment"]["cores"] >= 1
    (result,) = written["results"]
    assert (result["name"], result["unit"], result["recount_ok"], result["problems"]) == (
        "end_to_end.csv",
        "records/s",
        True,
        [],
    )
    assert result["runs"] == [result["value"]]
    assert result["value"] > 0
    assert 100 < result["peak_memory_mib"] < 2048
    assert (result["records"], result["seed"], len(result["checksums"])) == (20_000, 7, 1)
    assert (shape_problems(written), result["bytes_per_record"] > 100) == ([], True)
    assert 0 < result["block_latency_p50_ms"] <= result["block_latency_p99_ms"]
    assert 0 < result["cpu_us_per_record"] < result["cpu_s"] / 20_000 * 1e6
    assert set(result["seconds"]) >= {"stage_decode", "stage_resource", "stage_account", "stage_store", "process"}


RIGHT = Recount(
    records=4,
    accepted=3,
    duplicates=1,
    rated=2,
    unrated_by_reason={"NO_MATCHING_CHARGE": 1},
    rated_by_charge={"voice": 2},
    quantity_by_charge={"voice": 7},
    rated_quantity_by_charge={"voice": 7},
    amount_by_charge={"voice": 900},
    amount_by_currency={"EUR": 900},
)


def _store_says(**changed: Any) -> dict[str, Any]:
    said: dict[str, Any] = {
        "sheet": {"records": 4, "accepted": 3, "duplicates": 1, "filtered": 0, "rejected": 0, "parked": 0},
        "rated": {"voice": 2},
        "quantity": {"voice": 7},
        "amount": {"voice": 900},
        "reasons": {"NO_MATCHING_CHARGE": 1},
        "checksum": "1",
        "differences": [],
    }
    return said | changed


def _bench(monkeypatch: pytest.MonkeyPatch, out: Path, recount: Recount, said: dict[str, Any]) -> Told:
    """Run the benchmark with a measured run and a store of the test's."""
    seconds = dict.fromkeys(("process", "stage_decode", "stage_resource", "stage_account", "stage_store"), 1.0)
    run = {"seconds": seconds, "totals": {"received": 4}, "cpu_s": 1.0, "wall_s": 1.0, "peak_memory_mib": 300}
    run |= {"process_cpu_s": 0.5, "latency_s": [0.1, 0.3], "files": [{"bytes": 400}]}
    monkeypatch.setattr(bench, "run_once", lambda directory: run)
    monkeypatch.setattr(bench, "read_back", lambda directory: said)
    monkeypatch.setattr(bench, "recount_telephony", lambda files, catalog, parts: recount)
    return octroi("bench", "--records", 1000, "--runs", 1, "--json", out)


@pytest.mark.parametrize(
    ("recount", "said", "words"),
    [
        (dataclasses.replace(RIGHT, records=5), {}, "records: the store has 4, the recount 5"),
        (dataclasses.replace(RIGHT, amount_by_charge={"voice": 901}), {}, "amount by charge"),
        (dataclasses.replace(RIGHT, quantity_by_charge={"voice": 8}), {}, "quantity by charge"),
        (RIGHT, {"reasons": {"NO_PRICE_VERSION": 1}}, "refusals by reason"),
        (RIGHT, {"differences": [{"claim": 2}]}, "balance differences"),
    ],
)
def test_a_recount_that_differs_ends_with_1_and_is_written_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recount: Recount, said: dict[str, Any], words: str
) -> None:
    told = _bench(monkeypatch, tmp_path / "out.json", recount, _store_says(**said))
    (result,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert (told.code, result["recount_ok"]) == (1, False)
    assert words in told.err
    assert [words in problem for problem in result["problems"]] == [True]


def test_a_recount_that_agrees_ends_with_0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = _bench(monkeypatch, tmp_path / "out.json", RIGHT, _store_says()).ok()
    (result,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert (result["recount_ok"], result["runs"], "recount ok" in told.err) == (True, [4], True)


def test_a_measured_run_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(directory: object) -> None:
        raise bench.UnableToMeasure("a measured run failed with 4: no space")

    monkeypatch.setattr(bench, "run_once", fail)
    told = octroi("bench", "--records", 1000, "--runs", 1)
    assert (told.code, told.out) == (4, "")
    assert "a measured run failed with 4: no space" in told.err
