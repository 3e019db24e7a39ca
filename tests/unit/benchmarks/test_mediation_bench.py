"""`octroi bench mediation`: what is measured agrees with an independent recount, and a difference would show."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from apps import bench_mediation
from apps.bench_feed import measure_feed
from benchmarks.generate.fixed import WIDTHS, places, write_fixed
from benchmarks.generate.telephony import write_telephony
from benchmarks.mediation import FEEDS, SMALL
from benchmarks.recount.rules import read_rules
from benchmarks.recount.stages import count_intake

RECORDS = 12_000


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_is_measured_as_it_is_recounted(tmp_path: Path, name: str) -> None:
    feed = FEEDS[name]
    feed.write_catalog(tmp_path / "catalog", SMALL)
    files = feed.write(tmp_path / "input", RECORDS, SMALL, 7)
    rules = read_rules(tmp_path / "catalog")
    expected = asdict(count_intake(feed.decode(files, rules, feed.source), rules))
    found = measure_feed(tmp_path, feed.source, [str(path) for path in files], snapshot_records=5_000)
    assert {figure: found[figure] for figure in expected} == expected
    assert found["records"] == RECORDS
    assert found["duplicates"] > 0
    assert found["bytes"] == sum(path.stat().st_size for path in files)
    assert len(list((tmp_path / "state").iterdir())) > 0, "snapshots are part of what is measured"
    result = bench_mediation._feed_result(name, [found], expected, target=1, seed=7)
    assert result.recount_ok
    for figure in ("accepted", "duplicates"):
        wrong = expected | {figure: expected[figure] + 1}
        assert not bench_mediation._feed_result(name, [found], wrong, target=1, seed=7).recount_ok


def test_fixed_width_is_the_same_usage_as_csv(tmp_path: Path) -> None:
    lines = write_telephony(tmp_path / "csv", records=RECORDS, subscribers=SMALL, seed=3, files=2)
    files = write_fixed(tmp_path / "fixed", lines)
    FEEDS["csv"].write_catalog(tmp_path / "catalog", SMALL)
    rules = read_rules(tmp_path / "catalog")
    csv, fixed = FEEDS["csv"], FEEDS["fixed_width"]
    assert count_intake(csv.decode(lines, rules, csv.source), rules) == count_intake(
        fixed.decode(files, rules, fixed.source), rules
    )
    assert {len(line) for path in files for line in path.read_bytes().splitlines()} == {sum(WIDTHS.values())}
    last = places()[-1]
    assert last["start"] + last["width"] - 1 == sum(WIDTHS.values())  # type: ignore[operator]


def test_a_value_that_is_longer_than_its_column_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = write_telephony(tmp_path / "csv", records=10, subscribers=5, seed=3, files=1)
    monkeypatch.setitem(WIDTHS, "msisdn", 10)
    with pytest.raises(ValueError, match="longer than their columns: msisdn"):
        write_fixed(tmp_path / "fixed", lines)


def test_every_feed_is_a_suite_and_the_large_file_is_not_run_unless_asked_for() -> None:
    shown = [name for name, feed in FEEDS.items() if not feed.is_hidden]
    assert list(bench_mediation.SUITES) == [*shown, "dedup", "large_file"]
    assert "large_file" not in bench_mediation.DEFAULT
