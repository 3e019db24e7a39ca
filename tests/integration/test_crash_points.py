"""The process dies at every named boundary, one after another in the same data directory: the end is as if undisturbed."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from kill_points import DIED
from kill_world import Content, Nursery, content, fresh, make_usage, nursery

SETTINGS = {"block_bytes": 64 << 10, "flush_records": 800, "flush_ms": 60_000, "snapshot_records": 600}
LATE = """{{kind: subscription, code: late, account: mobile-account-00000000, offer: mobile-essential,
  access_points: [{{id: "{number}"}}]}}
"""
"""Makes the one number that nobody owned somebody's."""

FIRST_START = (
    "before statement CREATE DATABASE", "after statement CREATE TABLE", "after statement CREATE DICTIONARY",
    "before statement INSERT INTO", "after statement CREATE VIEW", "after keep catalog", "half journal image",
    "after journal image", "after insert dim_account", "after insert fact_wallet_operation",
)  # fmt: skip
CLAIMING = (
    "before journal file", "half journal file", "after journal file", "before process file", "before block",
)  # fmt: skip
STORING = (
    "before insert fact_usage", "after insert fact_usage", "before insert fact_rejection", "after insert fact_rejection",
    "before insert fact_block", "after insert fact_block", "before insert fact_claim", "after insert fact_claim",
)  # fmt: skip
BESIDE = ("before copy", "after copy", "before place", "after place", "before settle", "after settle")
"""Of a snapshot that is made beside the main loop."""
SNAPSHOTS = (
    "before snapshot", "half array", "before unnamed snapshot", "after unnamed snapshot", "before named snapshot",
    "after named snapshot", "half remove from state", "after remove from state", "after snapshot",
)  # fmt: skip
MIDDLE = (("after snapshot", 2),)
"""The second snapshot in the middle of one file: no end of a claim says what the store has to hold."""
RECOVERING = (
    "before insert fact_block", "before recover", "before insert fact_block", "before snapshot", "after recover",
)  # fmt: skip
"""The first one leaves something to recover; the others meet the recovery."""


@pytest.fixture(scope="module")
def octroi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery"), **SETTINGS) as started:
        yield started


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("template")
    make_usage(directory, telephony=6000, subscribers=100, cloud=1000, days=1)
    return directory


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, octroi: Nursery, template: Path) -> Content:
    directory = fresh(template, tmp_path_factory.mktemp("undisturbed") / "data")
    assert octroi.run("run", directory).code == 5  # one file is quarantined
    return content(directory)


def _die(octroi: Nursery, directory: Path, points: Sequence[str | tuple[str, int]], *arguments: object) -> None:
    for item in points:
        point, nth = (item, 1) if isinstance(item, str) else item
        ended = octroi.run(*(arguments or ("run", directory)), fault={"die_at": point, "nth": nth})
        assert ended.code == DIED, (point, ended)


def _finish(octroi: Nursery, directory: Path) -> Content:
    assert octroi.run("run", directory).code in (0, 5)
    assert octroi.run("balance", "--data", directory).code == 0
    return content(directory)


def _expect(found: Content, expected: Content) -> None:
    assert found.totals == expected.totals
    assert {name: rows for name, rows in found.hashes.items() if rows != expected.hashes[name]} == {}


@pytest.mark.parametrize(
    "points",
    [FIRST_START, CLAIMING, STORING, BESIDE, SNAPSHOTS, MIDDLE, RECOVERING],
    ids=["first start", "claiming", "storing", "beside", "snapshots", "middle of a file", "recovering"],
)
def test_dying_at_a_boundary_changes_nothing(
    octroi: Nursery, template: Path, undisturbed: Content, tmp_path: Path, points: Sequence[str | tuple[str, int]]
) -> None:
    directory = fresh(template, tmp_path / "data")
    _die(octroi, directory, points)
    _expect(_finish(octroi, directory), undisturbed)


def test_a_named_file_is_taken_whole_or_not_at_all(
    octroi: Nursery, template: Path, undisturbed: Content, tmp_path: Path
) -> None:
    directory = fresh(template, tmp_path / "data")
    first = directory / "spool" / "events" / "events-0001.ndjson"
    named = first.rename(tmp_path / first.name)
    command = ("run", directory, named, "--source", "events")
    _die(octroi, directory, ["half copy"], *command)
    _die(octroi, directory, ["after copy"], *command)  # not journaled, but in the archive whole: the next run adopts it
    assert named.exists()
    _expect(_finish(octroi, directory), undisturbed)
    assert not list((directory / "archive").glob(".*"))


# ---- retries, discards and another catalog


def _correct_catalog(directory: Path) -> None:
    usage = gzip.decompress(next((directory / "archive").glob("*.csv.gz")).read_bytes())
    (number,) = set(re.findall(rb",(337\d{8}),", usage))
    (directory / "catalog" / "late.yaml").write_text(LATE.format(number=number.decode()))


def _commands(directory: Path) -> list[tuple[object, ...]]:
    data = ("--data", directory)
    return [
        ("rejects", "replay", "--code", "UNKNOWN_ACCESS_POINT", "--source", "telephony", *data),
        ("rejects", "replay", "--code", "INSUFFICIENT_BALANCE", *data),
        ("rejects", "discard", "--code", "INVALID_QUANTITY", "--reason", "the switch was tested", *data),
    ]


def test_dying_while_a_file_is_backed_out_changes_nothing(octroi: Nursery, template: Path, tmp_path: Path) -> None:
    plain, dying = (fresh(template, tmp_path / name) for name in ("plain", "dying"))
    for directory in (plain, dying):
        assert octroi.run("run", directory).code == 5
    (name,) = {path.name.split("~")[2] for path in (plain / "archive").glob("*telephony-0001*")}
    command = ("files", "back-out", name, "--reason", "rated twice", "--data")
    assert octroi.run(*command, plain).code == 0
    expected = content(plain)
    assert expected.hashes["fact_reversal"][0] > 1000
    assert expected.hashes["fact_claim_event"][0] == 1
    _die(octroi, dying, ["half keep commands", "after keep commands", "half journal cancel"], *command, dying)
    assert content(dying).hashes["fact_reversal"][0] == 0
    _die(octroi, dying, ["after journal cancel"], *command, dying)
    _die(octroi, dying, ["before insert fact_claim_event", "after insert fact_claim_event"])
    _die(octroi, dying, ["before insert fact_usage", "after insert fact_usage", "before insert fact_reversal"])
    _die(octroi, dying, ["after insert fact_reversal", "before insert fact_block", "after insert fact_block"])
    _die(octroi, dying, ["before snapshot"])
    _expect(_finish(octroi, dying), expected)
    # and what is lost is made again from the log
    for lost in ("store", "state"):
        shutil.rmtree(dying / lost)
    assert _finish(octroi, dying) == expected


def test_dying_while_usage_is_rated_again_changes_nothing(octroi: Nursery, template: Path, tmp_path: Path) -> None:
    plain, dying = (fresh(template, tmp_path / name) for name in ("plain", "dying"))
    for directory in (plain, dying):
        assert octroi.run("run", directory).code == 5
        catalog = directory / "catalog" / "telephony.yaml"
        catalog.write_text(catalog.read_text().replace('connection_fee: "0.02"', 'connection_fee: "0.03"'))
    command = (
        "rerate",
        "--from",
        "2026-01-01",
        "--to",
        "2027-01-01",
        "--source",
        "telephony",
        "--reason",
        "wrong fee",
        "--data",
    )
    assert octroi.run(*command, plain).code == 0
    expected = content(plain)
    assert expected.hashes["fact_reversal"][0] > 500
    _die(octroi, dying, ["half keep reratings", ("after keep reratings", 2), "half journal rerate"], *command, dying)
    assert content(dying).hashes["fact_reversal"][0] == 0
    _die(octroi, dying, ["after journal rerate"], *command, dying)
    _die(octroi, dying, ["before process rerate", "before insert fact_usage", "after insert fact_usage"])
    _die(octroi, dying, ["before insert fact_reversal", "after insert fact_block", "before snapshot"])
    _expect(_finish(octroi, dying), expected)
    # and what is lost is made again from the log
    for lost in ("store", "state"):
        shutil.rmtree(dying / lost)
    assert _finish(octroi, dying) == expected


def test_dying_while_records_are_corrected_changes_nothing(octroi: Nursery, template: Path, tmp_path: Path) -> None:
    plain, dying = (fresh(template, tmp_path / name) for name in ("plain", "dying"))
    for directory in (plain, dying):
        assert octroi.run("run", directory).code == 5
    values = ("quantity=60", "start_time=2026-10-05T10:00:00Z", "record_type=voice")
    chosen = ("--stage", "decode", "--source", "telephony")
    command = ("rejects", "correct", *chosen, *(word for value in values for word in ("--set", value)), "--data")
    assert octroi.run(*command, plain).code == 0
    expected = content(plain)
    answered = {(row["reason"], row["status"]) for row in expected.totals["rejections"]}
    assert {("INVALID_QUANTITY", "REPLAYED"), ("UNKNOWN_EVENT_TYPE", "REPLAYED"), ("FIELD_COUNT", "OPEN")} <= answered
    corrected = [path.name for path in (plain / "archive").glob("corrected-*")]
    assert len(corrected) > 1  # records of several files: all are corrected, or none
    _die(octroi, dying, ["half keep corrections", "after keep corrections", "before journal files"], *command, dying)
    assert octroi.run("run", dying).code == 0
    _die(octroi, dying, ["after journal files"], *command, dying)
    _die(octroi, dying, ["before block", "after insert fact_rejection_event", "before insert fact_usage"])
    _die(octroi, dying, ["after insert fact_usage", "before insert fact_block", "before snapshot"])
    _expect(_finish(octroi, dying), expected)
    assert octroi.run(*command, dying).code == 2  # there is nothing left of it
    # and what is lost is made again from the log
    for lost in ("store", "state"):
        shutil.rmtree(dying / lost)
    assert _finish(octroi, dying) == expected


def test_dying_while_rejections_are_answered_changes_nothing(octroi: Nursery, template: Path, tmp_path: Path) -> None:
    plain, dying = (fresh(template, tmp_path / name) for name in ("plain", "dying"))
    for directory in (plain, dying):
        assert octroi.run("run", directory).code == 5
        _correct_catalog(directory)
    for command in _commands(plain):
        assert octroi.run(*command).code == 0
    expected = content(plain)
    answered = {(row["reason"], row["status"]) for row in expected.totals["rejections"]}
    assert {("UNKNOWN_ACCESS_POINT", "REPLAYED"), ("INSUFFICIENT_BALANCE", "REPLAYED")} <= answered
    assert {("INSUFFICIENT_BALANCE", "OPEN"), ("INVALID_QUANTITY", "DISCARDED")} <= answered
    # what is not in the journal has not happened, and is asked for again; what is in it ends by itself
    records, edrs, discard = _commands(dying)
    _die(octroi, dying, ["after keep catalog", "half journal image", "after journal image"], *records)
    _die(octroi, dying, ["after insert dim_subscription", "before journal retry_records"], *records)
    _die(octroi, dying, ["half journal retry_records", "after journal retry_records"], *records)
    _die(octroi, dying, ["after insert fact_rejection_event", "before insert fact_usage", "before insert fact_block"])
    assert octroi.run("run", dying).code == 0
    _die(octroi, dying, ["half keep EDRs", "after keep EDRs", "after journal retry_edrs"], *edrs)
    _die(octroi, dying, ["after insert fact_rejection", "before snapshot"])
    assert octroi.run("run", dying).code == 0
    _die(octroi, dying, ["half journal discard", "after journal discard"], *discard)
    _die(octroi, dying, ["before insert fact_rejection_event", "after insert fact_rejection_event"])
    _expect(_finish(octroi, dying), expected)
