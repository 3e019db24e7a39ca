"""Encrypted files through the real command: keys are tried, what no key fits is quarantined and kept, and keys show nowhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_calls import CATALOG, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query
from containers import zip_of
from sealed_world import KEY, LEADING, OTHER, SHARED, seal

ENCRYPTED = CATALOG.replace("code: calls\n", "code: calls\nencryption: aes_cbc\n", 1)
KEYS = {
    "new": {"key": LEADING.key.hex()},
    "old": {"key": SHARED.key.hex(), "iv": SHARED.iv.hex()},
    "elsewhere": {"key": OTHER.key.hex(), "sources": ["others"]},
}
COUNTS = "SELECT source, count() AS n FROM rated_item GROUP BY source"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert ENCRYPTED != CATALOG
    monkeypatch.setenv("OCTROI_DEDUP_WINDOW_DAYS", "unlimited")
    monkeypatch.setenv("OCTROI_FILE_KEYS", json.dumps(KEYS))
    return write_catalog(tmp_path / "data", ENCRYPTED)


def _csv(tmp_path: Path, *numbers: int) -> bytes:
    return write_calls(tmp_path / "made.csv", *map(call, numbers)).read_bytes()


def test_files_are_decrypted_and_the_archives_in_them_unpacked(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = data / "spool" / "calls"
    spool.mkdir(parents=True)
    inner = zip_of(("3.csv", _csv(tmp_path, 3)), ("4.csv", _csv(tmp_path, 4)))
    (spool / "a.zip").write_bytes(seal(zip_of(("1.csv", _csv(tmp_path, 1, 2))), LEADING))
    (spool / "b.zip").write_bytes(seal(zip_of(("in.zip", inner), ("5.csv", _csv(tmp_path, 5))), SHARED))
    (spool / "c.csv").write_bytes(_csv(tmp_path, 6))  # not encrypted after all
    named = tmp_path / "d.zip"
    named.write_bytes(seal(zip_of(("7.csv", _csv(tmp_path, 7))), SHARED))
    tried = octroi("ingest", named, "--source", "calls", "--data", data, "--dry-run", "--json").ok().json
    assert tried["totals"]["rated"] == 1
    told = octroi("run", data, named, "--source", "calls").ok()
    assert KEY.hex() not in told.out + told.err
    names = [row["name"] for row in query(data, "SELECT name FROM fact_claim WHERE kind = 'file' ORDER BY name")]
    assert names == ["a.zip", "b.zip!5.csv", "b.zip!in.zip!3.csv", "b.zip!in.zip!4.csv", "c.csv", "d.zip"]
    assert query(data, COUNTS) == [{"source": "calls", "n": 7}]
    balanced(data)
    # the log needs no key any more
    monkeypatch.setenv("OCTROI_FILE_KEYS", "{}")
    for lost in ("state", "store"):
        shutil.rmtree(data / lost)
    octroi("run", data).ok()
    assert query(data, COUNTS) == [{"source": "calls", "n": 7}]
    balanced(data)


def test_what_no_key_fits_is_quarantined_kept_and_taken_once_there_is_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = tmp_path / "a.zip"
    sealed.write_bytes(seal(zip_of(("1.csv", _csv(tmp_path, 1))), OTHER))
    for words in (
        ("run", data, sealed, "--source", "calls"),
        ("ingest", sealed, "--source", "calls", "--data", data, "--dry-run"),
    ):
        told = octroi(*words, "--json")
        assert told.code == 5
        (refused,) = told.json["files"]
        assert refused["quarantined"]["code"] == "NO_KEY"
        assert "file_keys" in refused["quarantined"]["message"]
    (kept,) = (data / "archive").iterdir()
    assert kept.read_bytes() == sealed.read_bytes()
    monkeypatch.setenv("OCTROI_FILE_KEYS", json.dumps({"late": {"key": OTHER.key.hex()}}))
    assert octroi("run", data, sealed, "--source", "calls", "--json").ok().json["totals"]["rated"] == 1
    shutil.rmtree(data / "state")
    assert octroi("run", data).code == 5  # what was decided stays decided
    assert query(data, COUNTS) == [{"source": "calls", "n": 1}]
    balanced(data)


def test_a_source_is_tried_on_an_encrypted_file(data: Path, tmp_path: Path) -> None:
    sealed = tmp_path / "a.zip"
    sealed.write_bytes(seal(zip_of(("1.csv", _csv(tmp_path, 1))), SHARED))
    assert "raw      1,33600000001" in octroi("sources", "test", sealed, "--source", "calls", "--data", data).ok().out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"key": "00" * 15}, "32 or 48 or 64 hexadecimal digits"),
        ({"key": "zz" * 16}, "32 or 48 or 64 hexadecimal digits"),
        ({"key": "00" * 16, "iv": "00" * 12}, "32 hexadecimal digits"),
        ({"key": "00" * 16, "vi": "00" * 16}, "vi"),
    ],
)
def test_keys_of_another_form_are_refused_and_not_repeated(
    data: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], words: str
) -> None:
    monkeypatch.setenv("OCTROI_FILE_KEYS", json.dumps({"mine": wrong}))
    told = octroi("run", data)
    assert (told.code, words in told.err) == (3, True), told
    assert wrong["key"] not in told.err
    monkeypatch.setenv("OCTROI_FILE_KEYS", json.dumps(KEYS))
    assert KEY.hex()[:20] not in octroi("config", "show").ok().out
