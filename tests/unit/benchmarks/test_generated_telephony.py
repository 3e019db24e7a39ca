"""Generated telephone usage: same bytes for a seed, readable by another parser, as many repetitions as promised."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.generate.period import MONTH_END_S, MONTH_START_S
from benchmarks.generate.telephony import BAD_KINDS, COLUMNS, write_telephony

RECORDS = 20_000
SHA_256 = "bfe9c32194b3b001056c16588c3fc8bf877d21dc308e3de00616e2ab6ceb39a7"


def _digest(paths: list[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _lines(paths: list[Path]) -> list[bytes]:
    return [line for path in paths for line in path.read_bytes().splitlines()[1:]]


def test_a_seed_gives_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    paths = write_telephony(tmp_path, records=RECORDS, subscribers=500, seed=7, files=3)
    assert _digest(paths) == SHA_256


def test_another_seed_gives_other_records(tmp_path: Path) -> None:
    one = _lines(write_telephony(tmp_path / "one", records=1000, subscribers=50, seed=1))
    two = _lines(write_telephony(tmp_path / "two", records=1000, subscribers=50, seed=2))
    assert not set(one) & set(two)


def test_the_number_of_files_does_not_change_the_records(tmp_path: Path) -> None:
    one = _lines(write_telephony(tmp_path / "one", records=5000, subscribers=50, seed=3, files=1))
    five = _lines(write_telephony(tmp_path / "five", records=5000, subscribers=50, seed=3, files=5))
    assert one == five


def test_rows_are_readable_and_add_up(tmp_path: Path) -> None:
    paths = write_telephony(tmp_path, records=RECORDS, subscribers=500, seed=7)
    rows = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            assert tuple(reader.fieldnames or ()) == COLUMNS
            rows += list(reader)
    assert len(rows) == RECORDS
    assert {len(row) for row in rows} == {len(COLUMNS)}
    kinds = Counter(row["record_type"] for row in rows)
    assert set(kinds) == {"voice", "sms", "data"}
    assert min(kinds.values()) > RECORDS // 10
    for row in rows:
        at = datetime.fromisoformat(row["start_time"]).timestamp()
        assert MONTH_START_S <= at < MONTH_END_S
        expected = {
            "voice": int(row["duration_s"]),
            "sms": 1,
            "data": int(row["bytes_up"]) + int(row["bytes_down"]),
        }[row["record_type"]]
        assert int(row["quantity"]) == expected
        assert len(row["msisdn"]) == 11
        assert row["msisdn"].isdigit()


def test_one_record_in_a_hundred_repeats_an_earlier_one_exactly(tmp_path: Path) -> None:
    lines = _lines(write_telephony(tmp_path, records=RECORDS, subscribers=500, seed=7))
    assert len(lines) - len(set(lines)) == RECORDS // 100 - 1
    ids = {line.split(b",")[0] for line in lines}
    assert len(ids) == len(set(lines))


def test_repetitions_reach_into_other_files(tmp_path: Path) -> None:
    paths = write_telephony(tmp_path, records=RECORDS, subscribers=500, seed=7, files=2)
    first, second = (set(path.read_bytes().splitlines()[1:]) for path in paths)
    assert first & second


def test_no_repetitions_when_none_are_wanted(tmp_path: Path) -> None:
    lines = _lines(write_telephony(tmp_path, records=RECORDS, subscribers=500, seed=7, duplicate_every=0))
    assert len(set(lines)) == RECORDS


def test_bad_records_are_few_and_of_every_kind(tmp_path: Path) -> None:
    good = _lines(write_telephony(tmp_path / "good", records=40_000, subscribers=500, seed=7))
    bad = _lines(write_telephony(tmp_path / "bad", records=40_000, subscribers=500, seed=7, bad=True))
    spoilt = [line for line, was in zip(bad, good, strict=True) if line != was]
    assert 40 <= len(spoilt) <= 45
    assert len(BAD_KINDS) == 13
    assert any(b"\0" in line for line in spoilt)
    assert any(line.count(b",") == 8 for line in spoilt)
    assert any(b"\xc3(" in line for line in spoilt)


def test_progress_counts_every_record(tmp_path: Path) -> None:
    told: list[int] = []
    write_telephony(tmp_path, records=70_000, subscribers=500, seed=7, files=2, on_records=told.append)
    assert sum(told) == 70_000
    assert len(told) > 2


def test_files_appear_whole_and_nothing_is_left_behind(tmp_path: Path) -> None:
    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_telephony(tmp_path, records=1000, subscribers=50, seed=7, files=1, on_records=fail)
    assert not list(tmp_path.glob("*.csv"))
    paths = write_telephony(tmp_path, records=1000, subscribers=50, seed=7, files=1)
    assert [path.name for path in tmp_path.iterdir()] == [paths[0].name]


def test_month_is_a_local_one() -> None:
    assert datetime.fromtimestamp(MONTH_START_S, UTC).isoformat() == "2026-09-30T22:00:00+00:00"
    assert datetime.fromtimestamp(MONTH_END_S, UTC).isoformat() == "2026-10-31T23:00:00+00:00"
