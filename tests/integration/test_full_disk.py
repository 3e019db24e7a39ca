"""A full disk ends `octroi run` with a sentence and exit code 4; once there is room again, the next run completes exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kill_world import Content, Ended, Nursery, content, fresh, make_usage, nursery

SETTINGS = {"block_bytes": 64 << 10, "flush_records": 800, "flush_ms": 60_000, "snapshot_records": 1500}
PARTLY, UNAVAILABLE = 5, 4

NO_ROOM, TOO_LARGE = "No space left on device", "File too large"
FULL = {
    "journal": ({"refuse_sync": "pipelines.spool.journal", "nth": 4}, f"cannot journal the claim of .*: {NO_ROOM}"),
    "archive": ({"refuse_sync": "pipelines.spool.files", "nth": 8}, f"cannot claim .*: {NO_ROOM}"),
    "snapshot": ({"refuse_sync": "pipelines.snapshot", "nth": 3}, f"/state/[0-9-]*: {NO_ROOM}"),
    "names": ({"fill_at": "before insert dim_account", "nth": 1}, f"cannot store: {TOO_LARGE}"),
    "facts": ({"fill_at": "before insert fact_usage", "nth": 2}, f"cannot store: {TOO_LARGE}"),
    "headers": ({"fill_at": "before insert fact_block", "nth": 2}, f"cannot store: {TOO_LARGE}"),
    "claims": ({"fill_at": "before insert fact_claim", "nth": 1}, TOO_LARGE),
    "everything": ({"fill_at": "before block", "nth": 5}, TOO_LARGE),
}
"""What meets the full disk: an fsync that is refused, or every write of the process from some boundary on."""


@pytest.fixture(scope="module")
def octroi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery"), **SETTINGS) as started:
        yield started


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("template")
    make_usage(directory, telephony=8000, subscribers=100, cloud=1500, days=1)
    return directory


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, octroi: Nursery, template: Path) -> Content:
    directory = fresh(template, tmp_path_factory.mktemp("undisturbed") / "data")
    assert octroi.run("run", directory).code == PARTLY  # one file is quarantined
    return content(directory)


def _expect_one_sentence(ended: Ended, sentence: str) -> None:
    assert ended.code == UNAVAILABLE, ended
    assert "Traceback" not in ended.out + ended.err
    told = [line for line in ended.err.splitlines() if line.startswith("octroi: ") and "kernels" not in line]
    assert len(told) == 1, ended
    assert re.search(sentence, told[0]), ended


@pytest.mark.parametrize(("fault", "sentence"), FULL.values(), ids=FULL.keys())
def test_a_full_disk_ends_the_run_and_the_next_one_completes_it(
    octroi: Nursery, template: Path, undisturbed: Content, tmp_path: Path, fault: dict[str, Any], sentence: str
) -> None:
    directory = fresh(template, tmp_path / "data")
    _expect_one_sentence(octroi.run("run", directory, fault=fault), sentence)
    assert octroi.run("run", directory).code in (0, PARTLY)
    assert content(directory) == undisturbed


def test_a_named_file_for_which_there_is_no_room_stays_where_it_is(
    octroi: Nursery, template: Path, undisturbed: Content, tmp_path: Path
) -> None:
    directory = fresh(template, tmp_path / "data")
    first = directory / "spool" / "events" / "events-0001.ndjson"
    named = first.rename(tmp_path / first.name)
    command = ("run", directory, named, "--source", "events")
    fault = {"refuse_sync": "pipelines.spool.files", "nth": 6}  # before: tenant, secret, journal
    _expect_one_sentence(octroi.run(*command, fault=fault), f"cannot take .*: {NO_ROOM}")
    assert list((directory / "archive").iterdir()) == []
    assert octroi.run(*command).code == PARTLY
    assert content(directory) == undisturbed
