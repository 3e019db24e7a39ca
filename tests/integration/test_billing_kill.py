"""A billing run whose processes die, at named boundaries and by `kill -9` at seeded moments: the same invoices and numbers."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from billing_world import documented, make_usage, plan, with_engine
from kill_points import DIED
from kill_world import Nursery, nursery

from sinks.clickhouse.store import Store

SOAK_KILLS = int(os.environ.get("OCTROI_SOAK_BILLING_KILLS", "30"))
DRAFTING = ("half keep drafts", "half keep .json of run")
ISSUING = (
    ("half keep invoices", 2), ("before journal files", 1), ("half journal files", 1), ("after journal files", 1),
    ("after insert fact_invoice_line", 1), ("after insert fact_billed", 1),
)  # fmt: skip
CREDITING = ("half journal invoices", "after journal invoices")
TABLES = {
    "fact_invoice": "invoice", "fact_invoice_line": "invoice, line", "fact_invoice_tax": "invoice, tax_rate",
    "fact_billed": "claim, record, branch, item",
}  # fmt: skip
STEPS = ("execute", "validate")


@pytest.fixture(scope="module")
def octroi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery")) as started:
        yield started


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October rated, and planned in three parts."""
    data = make_usage(tmp_path_factory.mktemp("planned"), documented(every=True))
    with_engine(data, lambda engine: plan(engine, part_rows=4))
    return data


def _copy(data: Path, to: Path) -> Path:
    return Path(shutil.copytree(data, to, symlinks=True))


def _commands(data: Path) -> list[tuple[Any, ...]]:
    run = [("bill", "run", step, "oct", "--data", data) for step in STEPS]
    why = ("--reason", "dispute", "--date", "2026-11-20", "--data", data)
    return [*run, ("bill", "credit", "INV-2026-11-0001", "--line", "1=0.11", *why)]


def _finished(octroi: Nursery, data: Path) -> Any:
    for command in _commands(data):
        ended = octroi.run(*command)
        assert ended.code == 0, ended
    store = Store.open(data / "store")
    try:
        assert store.balance_check() == []
        return {
            name: store.query(f"SELECT * EXCEPT (at, day) FROM {name} ORDER BY {order}").to_pylist()
            for name, order in TABLES.items()
        }
    finally:
        store.close()


@pytest.fixture(scope="module")
def undisturbed(octroi: Nursery, planned: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    data = _copy(planned, tmp_path_factory.mktemp("undisturbed") / "data")
    found = _finished(octroi, data)
    assert sorted(row["invoice"] for row in found["fact_invoice"]) == [
        "CN-2026-000001", *(f"INV-2026-11-{number:04}" for number in range(1, 5)),
    ]  # fmt: skip
    return found


def test_dying_at_a_boundary_of_a_run_changes_no_invoice(
    octroi: Nursery, planned: Path, undisturbed: Any, tmp_path: Path
) -> None:
    data = _copy(planned, tmp_path / "data")
    draft, issue, credit = _commands(data)
    points: list[tuple[tuple[Any, ...], str, int]] = [(draft, point, 1) for point in DRAFTING]
    points += [(issue, point, nth) for point, nth in ISSUING]
    points += [(credit, point, 1) for point in CREDITING]
    for place, (command, point, nth) in enumerate(points):
        if place and points[place - 1][0] is not command:
            assert octroi.run(*points[place - 1][0]).code == 0
        ended = octroi.run(*command, fault={"die_at": point, "nth": nth})
        if ended.code != DIED:  # what the process before it finished is not done twice
            assert ended.code == 0, (point, ended)
            assert command is not draft, point
    assert _finished(octroi, data) == undisturbed


def _killed(octroi: Nursery, planned: Path, expected: Any, root: Path, kills: int, seed: int) -> int:
    """Kill runs at seeded moments until there are so many kills; return how many data directories that took."""
    chance, killed, directories = random.Random(seed), 0, 0
    while killed < kills:
        directories += 1
        assert directories <= 2 * kills + 2, "runs end before they can be killed"
        data = _copy(planned, root / f"data{directories}")
        for command in _commands(data):
            for _ in range(3):
                ended = octroi.run(*command, kill_after_s=chance.uniform(0.05, 1.5))
                if ended.code != -signal.SIGKILL:
                    assert ended.code == 0, ended
                    break
                killed += 1
        assert _finished(octroi, data) == expected
        shutil.rmtree(data)
    return directories


@pytest.mark.soak
def test_killed_at_seeded_moments_a_run_has_the_same_invoices(
    octroi: Nursery, planned: Path, undisturbed: Any, tmp_path: Path
) -> None:
    print(_killed(octroi, planned, undisturbed, tmp_path, SOAK_KILLS, seed=1000))
