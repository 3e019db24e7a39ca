"""Generated CloudEvents: same bytes for a seed, valid JSON with the required attributes, redeliveries, bad ones."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from benchmarks.generate.cloud import TYPES, device_names, project_names, write_cloud

SHA_256 = "0d81bc62c98927835edc8129ea9631d1007585f67af013a632283b8329c207c4"


def _lines(paths: list[Path]) -> list[bytes]:
    return [line for path in paths for line in path.read_bytes().splitlines()]


def test_a_seed_gives_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    paths = write_cloud(tmp_path, records=5000, devices=90, projects=9, seed=7)
    assert hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest() == SHA_256


def test_events_are_valid(tmp_path: Path) -> None:
    lines = _lines(write_cloud(tmp_path, records=20_000, devices=90, projects=9, seed=7, duplicate_every=0))
    subjects = {*device_names(90), *project_names(9)}
    kinds: Counter[str] = Counter()
    for line in lines:
        event = json.loads(line, parse_float=Decimal)
        assert event["specversion"] == "1.0"
        assert event["subject"] in subjects
        assert datetime.fromisoformat(event["time"]).utcoffset() is not None
        assert event["data"]["quantity"] > 0
        assert event["data"]["region"] in {"eu", "us"}
        kinds[event["type"]] += 1
        decimals = -Decimal(event["data"]["quantity"]).as_tuple().exponent  # type: ignore[operator]
        assert decimals == {TYPES[0]: 0, TYPES[1]: 0, TYPES[2]: 3, TYPES[3]: 6}[event["type"]]
    assert set(kinds) == set(TYPES)
    assert len({(json.loads(line)["source"], json.loads(line)["id"]) for line in lines}) == 20_000


def test_one_event_in_a_hundred_is_a_redelivery(tmp_path: Path) -> None:
    lines = _lines(write_cloud(tmp_path, records=20_000, devices=90, projects=9, seed=7))
    assert len(lines) - len(set(lines)) == 199


def test_bad_events_are_few(tmp_path: Path) -> None:
    good = _lines(write_cloud(tmp_path / "good", records=20_000, devices=90, projects=9, seed=7))
    bad = _lines(write_cloud(tmp_path / "bad", records=20_000, devices=90, projects=9, seed=7, bad=True))
    spoilt = [line for line, was in zip(bad, good, strict=True) if line != was]
    assert 20 <= len(spoilt) <= 24
    assert sum(not _is_json(line) for line in spoilt) >= 4


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
