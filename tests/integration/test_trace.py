"""Usage is followed both ways: from whatever id of it, to all that it was, and what it never was is not invented."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, BOB, CATALOG, STRANGER, WITH_STRANGER, call, write_calls, write_catalog
from cli_octroi import octroi, query
from session_calls import PARTS, part, write_parts

from apps.embedded.access import reach
from apps.embedded.layout import DataDirectory
from apps.embedded.trace import trace
from apps.settings import load_settings

CHEAPER = ('price: "0.60"', 'price: "0.30"')
OCTOBER = ("--from", "2026-10-01", "--to", "2026-11-01")


def _traced(data: Path, wanted: str) -> dict[str, Any]:
    found: dict[str, Any] = octroi("trace", wanted, "--data", data, "--json").ok().json
    assert found.pop("wanted") == wanted
    return found


def _ids(found: dict[str, Any]) -> set[str]:
    """Return every id by which the usage may be asked for."""
    named = {row["id"] for name in ("edrs", "rated_items", "wallet_operations") for row in found[name]}
    refused = {f"{row['claim']}-{row['record']}" for row in found["rejections"]}
    return named | refused | {f"{row['claim']}-{row['record']}" for row in found["origins"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Entry 1 is the catalog, 2 a file; 3 corrects one of its records; 4 another catalog, 5 a retry, 6 another price, 7 a rerating."""
    root = tmp_path_factory.mktemp("trace")
    data = write_catalog(root / "data")
    lines = (call(1), call(2, "soon"), call(3, 30, STRANGER), call(1))
    octroi("ingest", write_calls(root / "calls.csv", *lines), "--source", "calls", "--data", data).ok()
    octroi("rejects", "correct", "2-1", "--set", "seconds=7", "--data", data).ok()
    write_catalog(data, WITH_STRANGER)
    octroi("rejects", "replay", "--all", "--data", data).ok()
    write_catalog(data, WITH_STRANGER.replace(*CHEAPER))
    octroi("rerate", *OCTOBER, "--reason", "cheaper", "--data", data).ok()
    return data


@pytest.mark.parametrize(
    ("wanted", "origins", "refused", "amounts"),
    [
        pytest.param("2-0", ["2-0"], [], ["0.6", "-0.6", "0.3"], id="rated again"),
        pytest.param("2-1", ["2-1", "3-0"], ["INVALID_QUANTITY"], ["0.07", "-0.07", "0.035"], id="corrected"),
        pytest.param("2-2", ["2-2"], ["UNKNOWN_ACCESS_POINT"], ["0.3", "-0.3", "0.15"], id="tried again"),
    ],
)
def test_every_id_of_some_usage_tells_the_same(
    data: Path, wanted: str, origins: list[str], refused: list[str], amounts: list[str]
) -> None:
    found = _traced(data, wanted)
    assert [f"{row['claim']}-{row['record']}" for row in found["origins"]] == origins
    assert found["origins"][0]["file"] == "calls.csv"
    assert [row["reason"] for row in found["rejections"]] == refused
    assert sorted(Decimal(row["amount"]) for row in found["rated_items"]) == sorted(map(Decimal, amounts))
    assert [row["cause"] for row in found["reversed_items"]] == ["rerated"]
    assert len(found["edrs"]) == 2
    assert sum(Decimal(row["amount"]) for row in found["wallet_operations"]) == -Decimal(amounts[2])
    ids = _ids(found)
    assert len(ids) >= 8
    assert ids >= {row["id"] for row in found["rated_items"]}
    with reach(DataDirectory(data), load_settings({"data_dir": data}), print) as access:  # opened once for all of them
        for each in ids:
            told = trace(access, DataDirectory(data), each)
            assert replace(told, wanted=wanted) == trace(access, DataDirectory(data), wanted)


def test_people_read_it_in_the_order_in_which_it_happened(data: Path) -> None:
    told = octroi("trace", "2-2", "--data", data).ok().out.splitlines()
    begins = ["record 2-2: file calls.csv (source calls), received ", "refused as 2-2 by the resource stage: UNKNOWN_ACCESS_POINT",
              "edr-6-2: 30 s of voice at 2026-10-05T12:00:00Z, subscription eve"]  # fmt: skip
    entry = told[2].split("-")[1]
    begins[2] = begins[2].replace("edr-6", f"edr-{entry}")
    assert [line[: len(start)] for line, start in zip(told, begins, strict=False)] == begins
    assert f"  ri-{entry}-2: 0.3 EUR, charge voice" in told[3]
    assert "wallet principal, balance afterwards -0.3" in told[4]
    assert "taken back by ri-" in told[5]
    assert "took its place" in told[5]


def test_what_only_came_again_is_told_and_what_never_came_is_refused(data: Path) -> None:
    assert "it was absorbed, a duplicate, superseded or filtered" in octroi("trace", "2-3", "--data", data).ok().out
    for wanted, why in (
        ("2-4", "nothing is known of 2-4"),
        ("ri-99-0", "the log has no entry 99"),
        ("tu-1-0", "is no id of usage"),
        ("4000000000-1", "the log has no entry"),
    ):
        told = octroi("trace", wanted, "--data", data)
        assert (told.code, why in told.err) == (2, True), told


def test_a_session_is_traced_to_all_its_parts(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    for name, lines in (("a.csv", [part(1, 1, "F"), part(2, 1, "S")]), ("b.csv", [part(1, 2, "L", 20)])):
        octroi("ingest", write_parts(tmp_path / name, *lines), "--source", "parts", "--data", data).ok()
    (edr,) = (row["id"] for row in query(data, "SELECT id FROM edr WHERE quantity = 30"))
    found = _traced(data, edr)
    assert [(row["file"], row["record"]) for row in found["origins"]] == [("a.csv", 0), ("b.csv", 0)]
    assert len(found["rated_items"]) == 1
    assert _traced(data, "2-0") == _traced(data, "3-0") == found


def test_what_was_charged_online_and_what_was_backed_out(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", CATALOG)
    octroi("ingest", write_calls(tmp_path / "x.csv", call(1), call(2)), "--source", "calls", "--data", data).ok()
    octroi("files", "back-out", "x.csv", "--reason", "wrong file", "--data", data).ok()
    found = _traced(data, "2-1")
    assert [row["cause"] for row in found["reversed_items"]] == ["back_out"]
    assert sum(Decimal(row["amount"]) for row in found["rated_items"]) == 0
    asked = ("--id", "c1", "-a", BOB, "-t", "voice", "-n", "60 s", "--at", "2026-10-05T13:00:00Z")
    octroi("charge", "event", *asked, "--data", data).ok()
    (item,) = (row["id"] for row in query(data, "SELECT id FROM rated_item WHERE account = 'bob'"))
    assert [row["entry"] for row in _traced(data, item)["origins"]] == ["charging"]
    assert ANA not in str(_traced(data, item))
