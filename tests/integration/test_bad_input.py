"""Bad files and bad records through the command line: a typed refusal, everything counted, no traceback."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, HEADER, NOON, STRANGER, WITH_STRANGER, call, calls, write_calls, write_catalog
from cli_octroi import COMMAND, TIMEOUT_S, Told, balanced, environment, octroi, query
from containers import zip_of, zip_repeated, zipped, zstd_frame

from pipelines.spool.claims import Spool
from pipelines.spool.journal import FileClaim

GZIPPED = gzip.compress(calls(call(f"gz-{number}") for number in range(2000)).encode())
ZIPPED = zipped(calls(call(f"zip-{number}") for number in range(2000)).encode())
ZSTD = zstd_frame(calls(call(f"zst-{number}") for number in range(2000)).encode())
MEMORY_MAX_MIB = 900
_MEASURE = """
import os, sys
_, status, used = os.wait4(os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:]), 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


BAD_FILES = {
    "truncated.gz": (GZIPPED[:-20], "CORRUPT_ARCHIVE"),
    "damaged.gz": (GZIPPED[:2000] + b"!" * 8 + GZIPPED[2008:], "CORRUPT_ARCHIVE"),
    "utf-16.csv": (calls([call("u16")]).encode("utf-16"), "WRONG_ENCODING"),
    "only NULs.csv": (b"\0" * 5000, "WRONG_ENCODING"),
    "no column.csv": (b"id,caller,at\n1,2,3\n", "MISSING_COLUMN"),
    "column twice.csv": (b"id,caller,at,seconds,id\n1,2,3,4,5\n", "DUPLICATE_COLUMN"),
    "two files.zip": (zip_of(("a.csv", calls([call("za")]).encode()), ("../b.csv", calls([call("zb")]).encode())),
                      "UNSUPPORTED_ARCHIVE"),
    "truncated.zip": (ZIPPED[:-20], "CORRUPT_ARCHIVE"),
    "truncated.zst": (ZSTD[:-20], "CORRUPT_ARCHIVE"),
    "bomb.gz": (gzip.compress(b"\0" * (1 << 24)) * 16, "ARCHIVE_BOMB"),
    "bomb.zst": (zstd_frame(b"\0" * (1 << 24)) * 16, "ARCHIVE_BOMB"),
    "bomb.zip": (zip_repeated(b"\0" * (1 << 24), 16), "ARCHIVE_BOMB"),
}  # fmt: skip


def _around(name: str, bad: bytes) -> bytes:
    """A file with a bad record between two good ones."""
    first, last = call(f"{name}-1").encode(), call(f"{name}-3").encode()
    return HEADER.encode() + b"\n" + first + b"\n" + bad + b"\n" + last + b"\n"


BAD_RECORDS = {
    "NUL_BYTE": b"nul,33600000001\0," + NOON.encode() + b",60",
    "RECORD_TOO_LONG": b"x" * 10_000_000,
    "INVALID_ENCODING": call("é").encode("latin-1"),
    "FIELD_COUNT": b"fields,33600000001",
    "MALFORMED_RECORD": b'"quote"s,33600000001,' + NOON.encode() + b",60",
    "FIELD_MISSING": call("missing", "").encode(),
    "IDENTITY_MISSING": call("").encode(),
    "INVALID_QUANTITY": call("sixty", "sixty").encode(),
    "NEGATIVE_QUANTITY": call("negative", "-1").encode(),
    "QUANTITY_PRECISION": call("precision", "0.00001").encode(),
    "QUANTITY_OVERFLOW": call("overflow", 10**25).encode(),
    "TIMESTAMP_WITHOUT_ZONE": call("zone", at="2026-10-05T12:00:00").encode(),
    "INVALID_TIMESTAMP": call("time", at="yesterday").encode(),
    "TIMESTAMP_OUT_OF_RANGE": call("range", at="1999-12-31T23:59:59Z").encode(),
    "UNKNOWN_ACCESS_POINT": call("unknown", caller=STRANGER).encode(),
}


PACKED_FILES = {
    "packed.gz": gzip.compress(calls([call("packed-1", 10), call("packed-2", 20)]).encode()),
    "packed.zst": zstd_frame(calls([call("packed-3", 10), call("packed-4", 20)]).encode()),
    "packed.zip": zipped(calls([call("packed-5", 10), call("packed-6", 20)]).encode()),
}
EMPTY_FILES = {"no byte.csv": b"", "no line.csv": HEADER.encode(), "header only.csv": HEADER.encode() + b"\n"}

CUT = calls(call(f"cut-{number}") for number in range(3)).encode()
TWICE = calls(call(f"twice-{number}", 10) for number in range(5)).encode()
OTHER_FILES = {
    "cut.csv": CUT[: CUT.rindex(b",") - 5],
    "monday.csv": TWICE,
    "tuesday.csv": TWICE,
    "conflict.csv": calls([call("conflict", 10), call("conflict", 11)]).encode(),
}


@dataclass(frozen=True)
class Taken:
    """What one command made of all the files above."""

    data: Path
    told: Told
    files: dict[str, Any]
    rejections: dict[int, list[dict[str, Any]]]
    sheets: dict[str, Any]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Everything bad at once: no file knows the identities of another."""
    directory = tmp_path_factory.mktemp("bad")
    data = write_catalog(directory / "data")
    contents = {name: content for name, (content, _) in BAD_FILES.items()} | PACKED_FILES | EMPTY_FILES | OTHER_FILES
    contents |= {f"{reason}.csv": _around(reason, bad) for reason, bad in BAD_RECORDS.items()}
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    told = octroi("ingest", *(directory / name for name in contents), "--source", "calls", "--data", data, "--json")
    rejections: dict[int, list[dict[str, Any]]] = {}
    for row in query(
        data, "SELECT *, concat(toString(claim), '-', toString(record)) AS id FROM rejection ORDER BY record"
    ):
        rejections.setdefault(row["claim"], []).append(row)
    return Taken(data, told, {file["name"]: file for file in told.json["files"]}, rejections, balanced(data))


def test_good_files_are_processed_beside_bad_ones(taken: Taken) -> None:
    assert taken.told.code == 5
    totals = taken.told.json["totals"]
    assert totals["rated"] == 2 * len(BAD_RECORDS) + 2 * len(PACKED_FILES) + 2 + 5 + 1
    assert totals["duplicate"] == 5
    assert totals["rejected"] == len(BAD_RECORDS) + 1 + 1
    assert totals["received"] == totals["accepted"] + totals["duplicate"] + totals["rejected"]
    cents = 60 * 2 * len(BAD_RECORDS) + (10 + 20) * len(PACKED_FILES) + 60 * 2 + 10 * 5 + 10
    assert {code: Decimal(amount) for code, amount in taken.told.json["amounts"].items()} == {
        "EUR": Decimal(cents) / 100
    }


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_quarantined_whole_and_loudly(taken: Taken, name: str) -> None:
    _, code = BAD_FILES[name]
    file = taken.files[name]
    assert (file["quarantined"]["code"], file["received"]) == (code, 0)
    assert f"{name} (calls) is quarantined: {code}: " in taken.told.err
    listed = [row for row in taken.sheets["quarantined"] if row["claim"] == file["claim"]]
    assert [(row["file"], row["source"], row["code"]) for row in listed] == [(name, "calls", code)]


@pytest.mark.parametrize("reason", BAD_RECORDS)
def test_a_bad_record_is_refused_alone_with_its_reason(taken: Taken, reason: str) -> None:
    file, bad = taken.files[f"{reason}.csv"], BAD_RECORDS[reason]
    assert [file[column] for column in ("received", "accepted", "rated", "rejected")] == [3, 2, 2, 1]
    (row,) = taken.rejections[file["claim"]]
    assert (row["id"], row["reason"], row["status"]) == (f"{file['claim']}-1", reason, "OPEN")
    kept = bytes.fromhex(row["raw_hex"])
    assert bad.startswith(kept)
    assert (len(kept), row["raw_truncated"]) == (min(len(bad), 65_536), len(bad) > 65_536)


@pytest.mark.parametrize("name", PACKED_FILES)
def test_a_packed_file_is_rated(taken: Taken, name: str) -> None:
    file = taken.files[name]
    counts = [file[column] for column in ("received", "accepted", "rated", "rejected")]
    assert (counts, file["quarantined"]) == ([2, 2, 2, 0], None)


@pytest.mark.parametrize("name", EMPTY_FILES)
def test_an_empty_file_is_taken_and_counted_as_nothing(taken: Taken, name: str) -> None:
    file = taken.files[name]
    assert (file["received"], file["quarantined"], file["claim"] in taken.rejections) == (0, None, False)


def test_a_file_cut_off_in_its_last_record_keeps_the_others(taken: Taken) -> None:
    file = taken.files["cut.csv"]
    assert [file[column] for column in ("received", "accepted", "rejected")] == [3, 2, 1]
    (refused,) = taken.rejections[file["claim"]]
    assert (refused["record"], refused["reason"], refused["detail"]) == (2, "FIELD_COUNT", "3 fields instead of 4")


def test_the_same_file_under_another_name_brings_only_duplicates(taken: Taken) -> None:
    monday, tuesday = taken.files["monday.csv"], taken.files["tuesday.csv"]
    assert (monday["accepted"], monday["duplicate"], monday["duplicate_of"]) == (5, 0, 0)
    assert (tuesday["accepted"], tuesday["duplicate"], tuesday["duplicate_of"]) == (0, 5, monday["claim"])


def test_the_same_identity_with_another_content_is_a_conflict(taken: Taken) -> None:
    file = taken.files["conflict.csv"]
    (refused,) = taken.rejections[file["claim"]]
    assert (file["rated"], refused["record"], refused["reason"]) == (1, 1, "SAME_KEY_OTHER_CONTENT")


def test_people_see_what_became_of_every_file(taken: Taken, tmp_path: Path) -> None:
    (tmp_path / "nothing.csv").write_bytes(b"")
    file = write_calls(tmp_path / "twice.csv", *(call(f"twice-{number}", 10) for number in range(5)))
    told = octroi("ingest", tmp_path / "nothing.csv", file, "--source", "calls", "--data", taken.data).ok()
    remarks = {line.split()[2]: line.rstrip() for line in told.out.splitlines() if ".csv" in line}
    assert remarks["nothing.csv"].endswith("no record in it")
    assert remarks["twice.csv"].endswith(f"same bytes as claim {taken.files['monday.csv']['claim']}")


def test_too_many_refusals_end_with_5_when_a_limit_is_given(taken: Taken, tmp_path: Path) -> None:
    file = write_calls(tmp_path / "half bad.csv", call("limit-1"), call("limit-2", "sixty"))
    arguments = ("--source", "calls", "--data", taken.data, "--dry-run", "--rejects-max")
    assert octroi("ingest", file, *arguments, 50).code == 0
    told = octroi("ingest", file, *arguments, 49.9)
    assert told.code == 5
    assert "50.00 % of the records were refused, more than 49.9 %" in told.err


def test_an_access_point_that_becomes_known_is_rated_by_a_replay(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    file = write_calls(tmp_path / "calls.csv", call(1, 60), call(2, 60, STRANGER))
    octroi("ingest", file, "--source", "calls", "--data", data).ok()
    write_catalog(data, WITH_STRANGER)
    result = octroi("rejects", "replay", "--code", "UNKNOWN_ACCESS_POINT", "--data", data, "--json").ok().json
    assert (result["replayed"], result["rated"], result["left"]) == (1, 1, 0)
    sums = query(
        data, "SELECT account, count() AS items, sum(amount) AS amount FROM rated_item GROUP BY account ORDER BY 1"
    )
    assert [(row["account"], row["items"], Decimal(row["amount"])) for row in sums] == [
        ("ana", 1, Decimal("0.60")),
        ("eve", 1, Decimal("0.60")),
    ]
    balanced(data)


TOO_LONG = b"x" * (1 << 24)
BOMBS: dict[str, Callable[[], bytes]] = {
    "bomb.gz": lambda: gzip.compress(HEADER.encode() + b"\n") + gzip.compress(TOO_LONG) * 32,
    "bomb.zst": lambda: zstd_frame(HEADER.encode() + b"\n") + zstd_frame(TOO_LONG) * 32,
    "bomb.zip": lambda: zip_repeated(TOO_LONG, 32, head=HEADER.encode() + b"\n"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_in_bounded_memory(tmp_path: Path, name: str) -> None:
    """The expansion is allowed here, so that all of it is read: half a gibibyte that is one record."""
    data = write_catalog(tmp_path / "data")
    bomb = tmp_path / name
    bomb.write_bytes(BOMBS[name]())
    command = [*COMMAND, "ingest", str(bomb), "--source", "calls", "--data", str(data)]
    # by way of a small process: what is forked from this one begins with the peak of this one
    measured = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command],
        env=environment(OCTROI_EXPANSION_MAX="1000000"),
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    assert int(measured.stdout.splitlines()[-1]) / 1024 < MEMORY_MAX_MIB
    (row,) = octroi("rejects", "list", "--data", data, "--json").ok().json["rejections"]
    assert (row["id"], row["reason"]) == ("2-0", "RECORD_TOO_LONG")


def test_wallets_are_charged_what_the_items_cost(taken: Taken) -> None:
    (sums,) = query(taken.data, f"SELECT sum(amount) AS paid FROM rated_item WHERE access_point = '{ANA}'")
    (wallet,) = query(taken.data, "SELECT balance FROM account_balance WHERE account = 'ana'")
    assert Decimal(wallet["balance"]) == -Decimal(sums["paid"]) != 0


def test_what_is_written_after_a_file_was_taken_is_told_and_comes_with_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that writes on under the final name: every replay reads what the first run read."""
    data, whole = write_catalog(tmp_path / "data"), calls(call(n, 10) for n in range(5))
    dropped = data / "spool" / "calls" / "growing.csv"
    dropped.parent.mkdir(parents=True)
    dropped.write_text(calls([call(0, 10), call(1, 10)]))
    claim = Spool.claim

    def claim_early(self: Spool, *arguments: Any, **keywords: Any) -> FileClaim:
        entry = claim(self, *arguments, **keywords)
        (self.archive / entry.stored).write_text(whole)
        return entry

    with monkeypatch.context() as patched:
        patched.setattr(Spool, "claim", claim_early)
        told = octroi("run", data, "--json").ok()
    assert told.json["totals"]["rated"] == 2
    assert f"growing.csv (calls) was still being written when it was taken: {3 * 38} bytes that came later" in told.err
    dropped.write_text(whole)
    again = octroi("run", data, "--json").ok().json["totals"]
    assert (again["rated"], again["duplicate"]) == (3, 2)
