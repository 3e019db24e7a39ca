"""One process owns a data directory; others ask it over its socket, whatever they send, and however it ends."""

from __future__ import annotations

import csv
import json
import signal
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import STRANGER, call, write_calls, write_catalog
from cli_octroi import balanced, end, octroi, query, running, until

from apps.embedded import access
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import OwnerLock
from apps.embedded.owner import REQUEST_BYTES_MAX, REQUEST_TIMEOUT_S
from apps.embedded.protocol import receive_frame, send_frame


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory whose owner follows the spool."""
    data = write_catalog(tmp_path_factory.mktemp("owned") / "data")
    write_calls(data / "spool" / "calls" / "first.csv", call("a"), call("b", caller=STRANGER), call("c", "sixty"))
    with running("run", data, "--follow") as process:
        until(lambda: (data / "owner.sock").exists() or process.poll() is not None, "the owner's socket")
        until(
            lambda: query(data, "SELECT count() AS n FROM fact_claim WHERE kind = 'file'") == [{"n": 1}],
            "the first file",
        )
        yield data
        assert process.poll() is None
        assert end(process, signal.SIGTERM).code == 0


def test_only_its_user_may_ask_the_owner(owned: Path) -> None:
    assert stat.S_IMODE((owned / "owner.sock").stat().st_mode) == 0o600


def test_reading_commands_answer_while_the_owner_runs(owned: Path) -> None:
    (item,) = query(owned, "SELECT id, amount FROM rated_item WHERE claim = 2")
    assert Decimal(item["amount"]) == Decimal("0.60")
    explained = octroi("explain", item["id"], "--data", owned, "--json").ok().json
    assert explained["agrees"] is True
    listed = octroi("rejects", "list", "--claim", 2, "--status", "all", "--data", owned, "--json").ok().json
    assert {row["reason"] for row in listed["rejections"]} == {"UNKNOWN_ACCESS_POINT", "INVALID_QUANTITY"}
    assert balanced(owned)["records"][0]["received"] == 3


def test_a_query_that_has_a_name_is_not_asked_of_another_tenant(
    owned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTROI_TENANT", "somebody")
    named = ["--name", "usage-by-day", "--param", "from=2026-01-01", "--param", "to=2027-01-01"]
    for command in (["query"], ["export", "--to", tmp_path / "none.csv"]):
        told = octroi(*command, *named, "--data", owned)
        assert (told.code, "belongs to tenant" in told.err) == (3, True)
    assert list(tmp_path.iterdir()) == []


def test_results_of_any_size_are_written_while_the_owner_runs(owned: Path, tmp_path: Path) -> None:
    named = ["--name", "usage-by-day", "--param", "from=2026-01-01", "--param", "to=2027-01-01"]
    rows = octroi("query", *named, "--data", owned, "--json").ok().json  # more of them after other tests
    assert sum(Decimal(row["amount"]) for row in rows) >= Decimal("0.60")
    path = tmp_path / "usage.csv"
    told = octroi("export", *named, "--to", path, "--data", owned, "--json").ok().json
    assert (told["rows"], told["bytes"]) == (len(rows), path.stat().st_size)
    written = [(row["items"], Decimal(row["amount"])) for row in csv.DictReader(path.read_text().splitlines())]
    assert sorted(written) == sorted((str(row["items"]), Decimal(row["amount"])) for row in rows)
    many = octroi("export", "SELECT number FROM numbers(1500000)", "--to", tmp_path / "many.parquet", "--data", owned)
    assert "1,500,000 rows" in many.ok().out
    wrong = octroi("export", "SELECT nothing", "--to", tmp_path / "no.csv", "--data", owned)
    assert (wrong.code, "Unknown expression identifier" in wrong.err) == (2, True)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "many.parquet", "many.parquet.sha256", "usage.csv", "usage.csv.sha256",
    ]  # fmt: skip
    assert [each for each in owned.iterdir() if each.name.startswith(".scan")] == []


def test_files_handed_to_the_owner_are_all_taken_whatever_their_names(owned: Path, tmp_path: Path) -> None:
    files = [
        write_calls(tmp_path / str(number) / "same.csv", call(f"h{number}", 8_000_000 + number)) for number in range(3)
    ]
    told = [octroi("ingest", file, "--source", "calls", "--data", owned, "--json").ok().json for file in files[:2]]
    assert all(each["failures"] == [] for each in told)
    assert "is in spool/calls" in octroi("ingest", files[2], "--source", "calls", "--data", owned).ok().out

    def all_rated() -> bool:
        balanced(owned)  # at every moment
        return query(owned, "SELECT count() AS n FROM rated_item WHERE quantity >= 8000000") == [{"n": 3}]

    until(all_rated, "the files that were handed over")
    assert list((owned / "spool" / "calls").iterdir()) == []


def test_what_cannot_be_handed_over_is_told(owned: Path, tmp_path: Path) -> None:
    file = write_calls(tmp_path / "calls.csv", call("never"))
    for source in ("callz", "..", "."):
        told = octroi("ingest", file, "--source", source, "--data", owned)
        assert (told.code, told.out) == (2, "")
        assert f"the running catalog defines no source {source!r}; it has calls" in told.err
    told = octroi("ingest", tmp_path / "absent.csv", "--source", "calls", "--data", owned, "--json")
    assert (told.code, told.json["handed_over"]) == (5, [])
    assert "cannot hand over" in told.err


def test_rejections_are_answered_through_the_owner(owned: Path, tmp_path: Path) -> None:
    lines = [call("r1", caller=STRANGER), call("r2", caller=STRANGER)]
    octroi("ingest", write_calls(tmp_path / "strangers.csv", *lines), "--source", "calls", "--data", owned).ok()
    claims = "SELECT max(claim) AS claim FROM fact_claim WHERE name = 'strangers.csv'"
    until(lambda: query(owned, claims)[0]["claim"], "the file")
    claim = query(owned, claims)[0]["claim"]
    replayed = octroi("rejects", "replay", f"{claim}-0", "--data", owned, "--json").ok().json
    assert (replayed["replayed"], replayed["rejected"], replayed["rated"]) == (1, 1, 0)
    again = octroi("rejects", "replay", f"{claim}-0", "--data", owned)
    assert (again.code, "is replayed: only what is open" in again.err) == (2, True)
    discarded = octroi("rejects", "discard", f"{claim}-1", "--reason", "test call", "--data", owned, "--json").ok().json
    assert discarded == {"discarded": 1, "left": 0}
    balanced(owned)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["query", "DROP TABLE fact_usage"], "only SELECT"),
        (["query", "SELECT nothing FROM rated_item"], "Unknown expression identifier"),
        (["explain", "ri-999-0"], "there is no rated item ri-999-0"),
        (["rejects", "discard", "--claim", "999", "--reason", "x"], "no rejection that is open"),
    ],
)
def test_the_owners_refusals_end_as_ones_own_do(owned: Path, arguments: list[str], words: str) -> None:
    told = octroi(*arguments, "--data", owned)
    assert (told.code, told.out) == (2, "")
    assert words in told.err


def _send(data: Path, sent: bytes) -> tuple[bytes, str]:
    """Send bytes to the owner; return what it answered, and its error."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(60)
        connection.connect(str(data / "owner.sock"))
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        got = b""
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                got += chunk
    return got, json.loads(got[4:])["error"] if got else ""


def _frame(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", ""),
        (b"\x00\x00", ""),
        (b"GET / HTTP/1.1\r\n\r\n", ""),
        (struct.pack(">I", 0xFFFFFFFF) + b"x", ""),
        (struct.pack(">I", REQUEST_BYTES_MAX + 1) + b"x" * 70_000, ""),
        (struct.pack(">I", 100) + b"{}", ""),
        (_frame(b"\xff\xfe"), "this is none of our requests"),
        (_frame(b"not JSON"), "this is none of our requests"),
        (_frame(b"[]"), "this is none of our requests"),
        (_frame(b"{}"), "this is none of our requests"),
        (_frame(b'{"op": "shutdown"}'), "this is none of our requests"),
        (_frame(b'{"op": "query", "sql": 7}'), "'int' object has no attribute"),
        (_frame(b'{"op": "replay"}'), "selection"),
        (_frame(b'{"op": "discard", "selection": null}'), "reason"),
    ],
    ids=range(14),
)
def test_nonsense_on_the_socket_is_refused_and_changes_nothing(owned: Path, sent: bytes, error: str) -> None:
    answered = "SELECT count() AS n FROM fact_rejection_event"
    before = query(owned, answered)
    got, told = _send(owned, sent)
    assert error in told
    assert bool(got) == bool(error)
    assert query(owned, answered) == before


def test_a_request_that_announces_too_much_is_not_waited_for(owned: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REQUEST_TIMEOUT_S / 2)
        connection.connect(str(owned / "owner.sock"))
        connection.sendall(struct.pack(">I", REQUEST_BYTES_MAX + 1))
        assert connection.recv(1) == b""


def test_a_catalog_takes_effect_while_the_owner_runs(owned: Path) -> None:
    before = octroi("catalog", "list", "--data", owned, "--json").ok().json[-1]["image"]
    more = owned / "catalog" / "more.yaml"
    more.write_text("{kind: offer, code: more, charges: [nothing]}\n")
    told = octroi("catalog", "activate", "--data", owned)
    assert (told.code, '"nothing"' in told.err) == (3, True)
    more.write_text("{kind: account, code: zoe, currency: EUR}\n")
    found = octroi("catalog", "activate", "--data", owned, "--json").ok().json
    listed = octroi("catalog", "list", "--data", owned, "--json").ok().json
    assert [row["image"] for row in listed][-2:] == [before, found["image"]]
    assert query(owned, "SELECT count() AS n FROM dim_account WHERE code = 'zoe'") == [{"n": 1}]
    again = octroi("catalog", "activate", "--data", owned).ok().out
    assert again == f"in force: image {found['image'][:12]}\n"
    assert octroi("catalog", "list", "--data", owned, "--json").ok().json == listed
    balanced(owned)


def test_a_second_owner_is_refused_by_name(owned: Path) -> None:
    told = octroi("run", owned)
    assert (told.code, told.out) == (4, "")
    pid = (owned / "owner.lock").read_text().strip()
    assert told.err == f"octroi: another octroi process (pid {pid}) owns {owned}\n"


# ---- owners that are gone, going, or silent


def test_a_killed_owner_leaves_a_socket_that_stops_nobody(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    with running("run", data, "--follow") as process:
        until(lambda: (data / "journal.log").exists() and (data / "owner.sock").exists(), "the owner's socket")
        write_calls(data / "spool" / "calls" / "calls.csv", *(call(number) for number in range(10)))
        until(lambda: list((data / "archive").glob("*calls.csv")), "the claim")
        process.kill()
        process.wait(timeout=60)
    assert (data / "owner.sock").exists()
    assert octroi("query", "SELECT 1 AS one", "--data", data, "--json").ok().json == [{"one": 1}]
    octroi("run", data).ok()
    assert query(data, "SELECT count() AS n, sum(quantity_steps) AS ms FROM rated_item") == [{"n": 10, "ms": 600_000}]
    balanced(data)
    assert not (data / "owner.sock").exists()


def _locked(data: Path) -> OwnerLock:
    (write_catalog(data) / "journal.log").touch()
    return OwnerLock(DataDirectory(data).lock)


def test_a_command_that_is_soon_done_turns_nobody_away(tmp_path: Path) -> None:
    """`octroi query` without an owner holds the lock for a moment; `octroi run` waits for it."""
    lock = _locked(tmp_path)
    release = threading.Timer(0.3, lock.release)
    release.start()
    octroi("run", tmp_path).ok()
    release.join()


def test_an_owner_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "STARTING_S", 0.2)
    with _locked(tmp_path):
        told = octroi("query", "SELECT 1", "--data", tmp_path)
        assert (told.code, "and it does not answer on its socket" in told.err) == (4, True)
        assert octroi("run", tmp_path).code == 4


def test_an_owner_that_ends_in_the_middle_is_told(tmp_path: Path) -> None:
    def accept_and_leave(listener: socket.socket) -> None:
        for _ in range(2):  # the first connection only looks whether somebody answers
            listener.accept()[0].close()

    with _locked(tmp_path), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "owner.sock"))
        listener.listen()
        leaving = threading.Thread(target=accept_and_leave, args=(listener,))
        leaving.start()
        told = octroi("query", "SELECT 1", "--data", tmp_path)
        leaving.join(timeout=60)
    assert (told.code, "ended before it answered; try again" in told.err) == (4, True)


def test_an_owners_failure_keeps_its_exit_code(tmp_path: Path) -> None:
    """What stops the owner from doing it, not the asking, is wrong: 4, not 2."""

    def refuse(listener: socket.socket) -> None:
        listener.accept()[0].close()
        connection = listener.accept()[0]
        with connection:
            receive_frame(connection)
            answer: dict[str, Any] = {"error": "cannot store: No space left", "kinds": ["UnableToStore", "Exception"]}
            send_frame(connection, json.dumps(answer | {"arrow": False}).encode())

    with _locked(tmp_path), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "owner.sock"))
        listener.listen()
        refusing = threading.Thread(target=refuse, args=(listener,))
        refusing.start()
        told = octroi("rejects", "replay", "--all", "--data", tmp_path)
        refusing.join(timeout=60)
    assert (told.code, told.err) == (4, "octroi: cannot store: No space left\n")
