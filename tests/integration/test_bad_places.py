"""Places that cannot be read or written, disks that are full, catalogs that are wrong: told, and nothing is lost."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from cli_calls import ANA, BOB, CATALOG, call, write_calls, write_catalog
from cli_octroi import COMMAND, TIMEOUT_S, Told, balanced, environment, octroi, query

LINES = 20_000
SECONDS = sum(number % 600 for number in range(LINES))


def _a_file(path: Path) -> None:
    path.write_text("in the way")


def _a_directory(path: Path) -> None:
    path.mkdir()


def _a_loop(path: Path) -> None:
    path.symlink_to(path)


def _nobody(path: Path) -> None:
    path.mkdir()
    path.chmod(0)


OBSTACLES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "the source's spool is a file": ("spool/calls", _a_file),
    "the source's spool is a link to itself": ("spool/calls", _a_loop),
    "the spool is a file": ("spool", _a_file),
    "the archive is a file": ("archive", _a_file),
    "the snapshots are a file": ("state", _a_file),
    "the images are a link to themselves": ("images", _a_loop),
    "the store is a file": ("store", _a_file),
    "the journal is a directory": ("journal.log", _a_directory),
    "the lock is a directory": ("owner.lock", _a_directory),
    "the secret is a directory": ("secret", _a_directory),
    # root may read everything
    **({"nobody may read the spool": ("spool/calls", _nobody)} if os.geteuid() else {}),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_place_that_cannot_be_used_is_named_and_nothing_is_taken(tmp_path: Path, obstacle: str) -> None:
    name, put = OBSTACLES[obstacle]
    data, file = write_catalog(tmp_path / "data"), write_calls(tmp_path / "calls.csv", call(1))
    (data / name).parent.mkdir(exist_ok=True)
    put(data / name)
    told = octroi("ingest", file, "--source", "calls", "--data", data)
    assert (told.code, told.out) == (4, "")
    (line,) = told.err.splitlines()
    assert str(data / name) in line
    assert not (data / "journal.log").is_file() or b'"file"' not in (data / "journal.log").read_bytes()


def test_named_files_that_cannot_be_read_are_told_and_the_others_processed(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    good = write_calls(tmp_path / "good.csv", call(1))
    told = octroi("run", data, tmp_path / "absent.csv", loop, good, tmp_path, "--source", "calls", "--json")
    assert (told.code, told.json["totals"]["rated"]) == (5, 1)
    assert told.json["failures"] == [
        f"cannot take {tmp_path}/absent.csv: No such file or directory",
        f"cannot take {loop}: Too many levels of symbolic links",
        f"cannot take {tmp_path}: Is a directory",
    ]
    assert all(f"octroi: {failure}\n" in told.err for failure in told.json["failures"])
    balanced(data)


WRONG_CATALOGS = {
    "unknown price plan": (
        CATALOG.replace("price_plan: voice}", "price_plan: voyce}"),
        19,
        'price_plan: the price plan "voyce" is unknown. Fix: did you mean "voice"?',
    ),
    "wrong price": (CATALOG.replace('price: "0.60"', 'price: "cheap"'), 17, "Fix: "),
    "not YAML": (CATALOG + "---\nkind: [offer\n", 32, "this is not YAML: "),
}


@pytest.mark.parametrize("wrong", WRONG_CATALOGS)
def test_a_wrong_catalog_is_told_by_file_line_and_fix_and_the_spool_waits(tmp_path: Path, wrong: str) -> None:
    text, line, told_of = WRONG_CATALOGS[wrong]
    data = write_catalog(tmp_path / "data", text)
    dropped = write_calls(data / "spool" / "calls" / "calls.csv", call(1), call(2))
    told = octroi("run", data)
    assert (told.code, told.out) == (3, "")
    assert told.err.startswith(f"octroi: {data}/catalog/catalog.yaml:{line}: ")
    assert told_of in told.err
    assert "Fix: " in told.err
    assert dropped.exists()

    write_catalog(data)
    assert octroi("run", data, "--json").ok().json["totals"]["rated"] == 2
    balanced(data)


def test_a_catalog_that_goes_bad_stops_the_next_start_and_loses_nothing(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    octroi("ingest", write_calls(tmp_path / "one.csv", call(1)), "--source", "calls", "--data", data).ok()
    write_catalog(data, CATALOG.replace("unit: s", "unit: parsec"))
    assert octroi("ingest", write_calls(tmp_path / "two.csv", call(2)), "--source", "calls", "--data", data).code == 3
    assert octroi("rejects", "discard", "--all", "--reason", "none", "--data", data).code == 3
    assert len(balanced(data)["records"]) == 1
    write_catalog(data)
    report = octroi("ingest", tmp_path / "two.csv", "--source", "calls", "--data", data, "--json").ok().json
    assert report["totals"]["rated"] == 1
    balanced(data)


def test_without_a_catalog_nothing_is_created(tmp_path: Path) -> None:
    told = octroi("run", tmp_path / "typo")
    assert told.code == 3
    assert "has no directory catalog/" in told.err
    assert not (tmp_path / "typo").exists()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with files in its spool: what they cost is known."""
    data = write_catalog(tmp_path_factory.mktemp("full") / "data")
    octroi("run", data).ok()
    lines = [call(number, number % 600, (ANA, BOB)[number % 2]) for number in range(LINES)]
    for part in range(2):
        write_calls(data / "spool" / "calls" / f"{part}.csv", *lines[part::2])
    return data


def _assert_complete(data: Path) -> None:
    (row,) = query(data, "SELECT count() AS n, sum(quantity_steps) AS ms, sum(amount) AS amount FROM rated_item")
    assert (row["n"], row["ms"], Decimal(row["amount"])) == (LINES, 1000 * SECONDS, Decimal(SECONDS) / 100)
    sheets = balanced(data)
    assert sum(record["received"] for record in sheets["records"]) == LINES


@pytest.mark.parametrize("bytes_max", [300_000])
def test_files_that_cannot_grow_end_the_run_with_4_and_the_next_run_is_exact(
    prepared: Path, tmp_path: Path, bytes_max: int
) -> None:
    """A limit on the size of files fails writes at other moments than a full disk does."""
    data = shutil.copytree(prepared, tmp_path / "data", symlinks=True)
    limited = subprocess.run(
        [*COMMAND, "run", str(data)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max)),
    )
    assert (limited.returncode, limited.stdout) == (4, "")
    assert "Traceback" not in limited.stderr
    assert "File too large" in limited.stderr
    assert "Nothing is lost: remove the cause and run again" in limited.stderr

    octroi("run", data).ok()
    _assert_complete(data)


_ON_A_SMALL_DISK = """
mount -t tmpfs -o size=64m none "$1" && cp -r --no-dereference "$2/." "$1/" || exit 99
free=$(df -k --output=avail "$1" | tail -1)
head -c "$((free - 200))k" /dev/zero > "$1/ballast"
"$3" -m apps.cli run "$1"; first=$?
rm "$1/ballast"
"$3" -m apps.cli run "$1"; second=$?
cp -r --no-dereference "$1/." "$4/"
echo "$first $second"
"""


def _may_mount() -> bool:
    """Whether this user may mount a disk of his own, in a namespace of his own."""
    try:
        probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
        return subprocess.run(probe, capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        return False


def _small_disk(prepared: Path, tmp_path: Path) -> Told:
    (tmp_path / "disk").mkdir()
    (tmp_path / "after").mkdir()
    places = [tmp_path / "disk", prepared, COMMAND[0], tmp_path / "after"]
    command = ["unshare", "-rm", "sh", "-c", _ON_A_SMALL_DISK, "sh", *map(str, places)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    return Told(done.returncode, done.stdout, done.stderr)


if _may_mount():  # elsewhere the disk is full by RLIMIT_FSIZE alone

    def test_a_full_disk_ends_the_run_with_4_and_the_next_run_is_exact(prepared: Path, tmp_path: Path) -> None:
        told = _small_disk(prepared, tmp_path)
        assert told.out.splitlines()[-1] == "4 0", told
        assert "Traceback" not in told.err
        assert "Nothing is lost: remove the cause and run again" in told.err
        _assert_complete(tmp_path / "after")
