"""Usage over HTTP: what is sent, what is answered, and that the answer is true."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from backports import zstd
from cli_calls import ANA, NOON, STRANGER, call, calls
from cli_octroi import TIMEOUT_S, balanced, query
from http_world import KEY, LIMITED_KEY, Server, event, serving, write_http_catalog
from mediation_columns import column_file

from apps.api.problems import KINDS

CSV, BATCH = "text/csv", "application/cloudevents-batch+json"
BODY_MAX, EXPANDED_MAX = 100_000, 1_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("http")
    data = write_http_catalog(root / "data")
    bounds = {"http_body_bytes_max": BODY_MAX, "http_expanded_bytes_max": EXPANDED_MAX}
    with serving(data, root, **bounds) as running:
        yield running
        assert running.process.poll() is None, running.log.read_text()


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert (found["type"], found["title"], found["status"]) == (f"urn:octroi:problem:{name}", KINDS[name].title, status)
    assert found["detail"]
    return found


def accepted(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def stored(server: Server, claim: int) -> list[dict[str, Any]]:
    return query(server.data, f"SELECT id, quantity, amount FROM rated_item WHERE claim = {claim} ORDER BY id")


# ---- what is taken


def test_each_record_is_told_by_its_place(server: Server) -> None:
    lines = [call("p1", 60), call("p1", 60), call("p2", "sixty"), call("p3", caller=STRANGER), "", call("p4", 30)]
    told = accepted(server.post(calls(lines), CSV))
    counts = {
        name: told[name] for name in ("source", "received", "accepted", "duplicates", "rated", "omitted", "unrated")
    }
    assert counts == {
        "source": "calls", "received": 5, "accepted": 2, "duplicates": 1, "rated": 2, "omitted": 0, "unrated": [],
    }  # fmt: skip
    assert [(item["index"], item["code"], item["stage"], item["outcome"]) for item in told["rejected"]] == [
        (2, "INVALID_QUANTITY", "decode", "rejected"),
        (3, "UNKNOWN_ACCESS_POINT", "resource", "rejected"),
    ]
    assert told["rejected"][0]["detail"] == "seconds is 'sixty'"
    assert told["rejected"][0]["id"] == f"{told['claim']}-2"
    assert [Decimal(item["amount"]) for item in stored(server, told["claim"])] == [Decimal("0.60"), Decimal("0.30")]
    balanced(server.data)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/cloudevents+json", json.dumps(event("k1"), indent=2)),
        ("application/json; charset=utf-8", json.dumps(event("k2"))),
        ("application/json", json.dumps([event("k3"), event("k4")], indent=1)),
        (BATCH, json.dumps([event("k5"), event("k6")])),
        ("application/x-ndjson", f"{json.dumps(event('k7'))}\n\n{json.dumps(event('k8'))}"),
    ],
)
def test_events_come_in_every_shape(server: Server, kind: str, body: str) -> None:
    told = accepted(server.post(body, kind, "events"))
    assert told["received"] == told["rated"] == body.count("specversion")
    assert len(stored(server, told["claim"])) == told["received"]


def test_an_empty_batch_is_nothing(server: Server) -> None:
    assert accepted(server.post("[ ]", BATCH, "events"))["received"] == 0


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "x-gzip"])
def test_bodies_come_compressed(server: Server, encoding: str) -> None:
    text = calls([call(f"{encoding}-{number}") for number in range(50)]).encode()
    body = zstd.compress(text) if encoding == "zstd" else gzip.compress(text)
    assert accepted(server.post(body, CSV, content_encoding=encoding))["rated"] == 50


def test_the_source_may_be_named_in_a_header(server: Server) -> None:
    assert accepted(server.post(calls([call("h1")]), CSV, None, octroi_source="calls"))["source"] == "calls"


def test_records_sent_again_are_duplicates(server: Server) -> None:
    body = calls([call("again")])
    first, second = accepted(server.post(body, CSV)), accepted(server.post(body, CSV))
    assert (first["accepted"], second["accepted"], second["duplicates"]) == (1, 0, 1)
    assert second["claim"] > first["claim"]


def test_files_in_the_spool_are_taken_meanwhile(server: Server) -> None:
    spool = server.data / "spool" / "calls"
    (spool / ".dropped.csv").write_text(calls([call("dropped", 77)]))
    (spool / ".dropped.csv").rename(spool / "dropped.csv")
    for number in range(200):
        accepted(server.post(calls([call(f"beside-{number}")]), CSV))
        if query(server.data, "SELECT count() AS n FROM rated_item WHERE quantity = 77") == [{"n": 1}]:
            break
    else:
        pytest.fail("the file waited for requests to end")


# ---- idempotency


def test_a_key_and_its_body_are_answered_as_the_first_time(server: Server) -> None:
    body = calls([call("i1"), call("i2", "x"), call("i3", caller=STRANGER)])
    first = server.post(body, CSV, idempotency_key='"key 1"')
    again = server.post(gzip.compress(body.encode()), CSV, idempotency_key="key 1", content_encoding="gzip")
    assert accepted(first) == accepted(again)
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    rows = query(server.data, "SELECT count() AS n FROM fact_claim WHERE kind = 'file'")
    accepted(server.post(body, CSV, idempotency_key="key 1"))
    assert query(server.data, "SELECT count() AS n FROM fact_claim WHERE kind = 'file'") == rows


def test_a_key_with_another_body_is_refused(server: Server) -> None:
    accepted(server.post(calls([call("o1")]), CSV, idempotency_key="once"))
    problem(server.post(calls([call("o2")]), CSV, idempotency_key="once"), 422, "idempotency-key-reused")
    told = accepted(server.post(calls([call("o2")]), CSV, key=LIMITED_KEY, idempotency_key="once"))
    assert told["accepted"] == 1  # another caller's key is another key


def test_an_undecodable_body_is_answered_again_too(server: Server) -> None:
    bodies = [server.post("no,such\n1,2\n", CSV, idempotency_key="bad") for _ in range(2)]
    first, again = (problem(answer, 422, "undecodable-body") for answer in bodies)
    assert first == again
    assert first["code"] == "MISSING_COLUMN"


def test_a_key_that_is_none_is_refused(server: Server) -> None:
    problem(server.post(calls([call("n")]), CSV, idempotency_key="x" * 256), 400, "bad-request")


# ---- what is refused


def test_who_has_no_key_may_do_nothing(server: Server) -> None:
    for given in (None, "", "Bearer", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x"):
        headers = {} if given is None else {"Authorization": given}
        answer = server.client.post("/v1/events?source=calls", content=b"x", headers=headers)
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer realm="octroi"'


def test_a_key_is_for_its_sources(server: Server) -> None:
    problem(server.post("[]", BATCH, "events", key=LIMITED_KEY), 403, "source-not-permitted")
    problem(server.post("[]", BATCH, "nonsense", key=LIMITED_KEY), 403, "source-not-permitted")
    assert accepted(server.post(calls([call("limited")]), CSV, key=LIMITED_KEY))["accepted"] == 1


def test_a_source_is_named_once_and_known(server: Server) -> None:
    problem(server.post("x", CSV, None), 400, "bad-request")
    problem(server.post("x", CSV, "calls", octroi_source="events"), 400, "bad-request")
    assert "'callz'" in problem(server.post("x", CSV, "callz"), 422, "unknown-source")["detail"]


@pytest.mark.parametrize(
    ("kind", "source", "headers"),
    [
        ("application/json", "calls", {}),
        ("", "calls", {}),
        (CSV, "events", {}),
        ("text/csv; charset=iso-8859-1", "calls", {}),
        (CSV, "calls", {"content_encoding": "br"}),
        (CSV, "calls", {"content_encoding": "gzip, gzip"}),
    ],
)
def test_what_the_source_does_not_read_is_refused(
    server: Server, kind: str, source: str, headers: dict[str, str]
) -> None:
    answer = server.post("x", kind, source, **headers)
    problem(answer, 415, "unsupported-media-type")
    named = answer.headers["accept-encoding" if headers else "accept-post"].split(", ")
    assert named == (["gzip", "zstd"] if headers else answer.json()["accepted"])


def test_a_body_that_is_too_large_is_refused(server: Server) -> None:
    for body in (b"x" * (BODY_MAX + 1), iter([b"x" * BODY_MAX, b"x"])):
        answer = server.client.post(
            "/v1/events?source=calls", content=body, headers={"Authorization": f"Bearer {KEY}", "Content-Type": CSV}
        )
        assert problem(answer, 413, "body-too-large")["bytes_max"] == BODY_MAX
    for packed in (gzip.compress(b"x" * (EXPANDED_MAX + 1)), zstd.compress(b"x" * (EXPANDED_MAX + 1))):
        encoding = "gzip" if packed.startswith(b"\x1f") else "zstd"
        answer = server.post(packed, CSV, content_encoding=encoding)
        assert problem(answer, 413, "body-too-large")["bytes_max"] == EXPANDED_MAX


@pytest.mark.parametrize(
    ("body", "kind", "source", "headers", "code"),
    [
        (b"a,b\n1,2\n", CSV, "calls", {}, "MISSING_COLUMN"),
        (b"\xff\xfei\x00", CSV, "calls", {}, "WRONG_ENCODING"),
        (b"x", CSV, "calls", {"content_encoding": "gzip"}, "CORRUPT_ARCHIVE"),
        (gzip.compress(b"id", mtime=0)[:-3], CSV, "calls", {"content_encoding": "gzip"}, "CORRUPT_ARCHIVE"),
        (b"x", CSV, "calls", {"content_encoding": "zstd"}, "CORRUPT_ARCHIVE"),
        (b"[{}", BATCH, "events", {}, "MALFORMED_JSON"),
        (b"[{}] x", BATCH, "events", {}, "MALFORMED_JSON"),
    ],
)
def test_what_cannot_be_decoded_changes_nothing(
    server: Server, body: bytes, kind: str, source: str, headers: dict[str, str], code: str
) -> None:
    facts = "SELECT count() AS n FROM fact_block"
    before = query(server.data, facts)
    told = problem(server.post(body, kind, source, **headers), 422, "undecodable-body")
    assert told["code"] == code
    assert query(server.data, facts) == before
    assert not list((server.data / "spool" / ".http").iterdir())


def test_an_empty_body_is_refused(server: Server) -> None:
    problem(server.post(b"", CSV), 400, "bad-request")


def test_other_addresses_and_methods_are_problems_too(server: Server) -> None:
    problem(server.client.get("/docs"), 404, "not-found")
    answer = server.client.get("/v1/events")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


def test_a_body_that_ends_early_leaves_nothing(server: Server) -> None:
    host, port = server.client.base_url.host, server.client.base_url.port
    head = f"POST /v1/events?source=calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: {CSV}\r\n"
    with socket.create_connection((host, port)) as connection:
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\nid,".encode())
    assert accepted(server.post(calls([call("after-the-broken-one")]), CSV))["accepted"] == 1
    assert not list((server.data / "spool" / ".http").iterdir())


# ---- what is told beside


def test_the_log_has_a_line_per_request_and_nothing_personal(server: Server) -> None:
    answer = server.post(calls([call("logged", caller=STRANGER)]), CSV, x_request_id="my-request-7")
    assert answer.headers["x-request-id"] == "my-request-7"
    server.client.get("/secret-path?token=hidden", headers={"x-request-id": "not\\valid"})
    end = time.monotonic() + 60
    while "GET (other) 404" not in (lines := server.log.read_text()) and time.monotonic() < end:
        time.sleep(0.01)  # a line is written once its answer is on its way
    (line,) = [line for line in lines.splitlines() if "my-request-7" in line]
    assert (
        f"POST /v1/events 202 key=all source=calls bytes={len(calls([call('logged', caller=STRANGER)]))} claim=" in line
    )
    assert "GET (other) 404" in lines
    for private in (KEY, LIMITED_KEY, STRANGER, "hidden", "secret-path", "127.0.0.1:5", "not\\valid"):
        assert private not in lines.replace("listening on http://127.0.0.1", "")


def test_many_senders_at_once_are_each_told_of_their_own(server: Server) -> None:
    answers: dict[int, dict[str, Any]] = {}

    def send(sender: int) -> None:
        body = calls([call(f"s{sender}-{number}", 1) for number in range(sender)] + [call("bad", "x")])
        answers[sender] = accepted(server.post(body, CSV))

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=TIMEOUT_S)
    assert {sender: told["accepted"] for sender, told in answers.items()} == {sender: sender for sender in range(1, 17)}
    assert all([item["index"] for item in told["rejected"]] == [sender] for sender, told in answers.items())
    assert len({told["claim"] for told in answers.values()}) == 16
    balanced(server.data)


# ---- starting and stopping


def test_it_ends_well_and_goes_on_where_it_was(tmp_path: Path) -> None:
    data = write_http_catalog(tmp_path / "data")
    body = calls([call("kept"), call("bad", "x")])
    with serving(data, tmp_path) as first:
        told = accepted(first.post(body, CSV, idempotency_key="across"))
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(timeout=TIMEOUT_S) == 0
    with serving(data, tmp_path) as second:
        assert accepted(second.post(body, CSV, idempotency_key="across")) == told
        assert accepted(second.post(body, CSV))["duplicates"] == 1
    assert "Traceback" not in second.log.read_text()


def test_a_request_that_waits_for_its_turn_is_bounded(tmp_path: Path) -> None:
    data = write_http_catalog(tmp_path / "data")
    with serving(data, tmp_path, http_waiting_requests_max=1, http_waiting_bytes_max=1000) as server:
        host, port = server.client.base_url.host, server.client.base_url.port
        head = f"POST /v1/events?source=calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: {CSV}\r\n"
        body = calls([call("slow")])
        with socket.create_connection((host, port)) as slow:
            slow.sendall(f"{head}Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            assert slow.recv(65536).startswith(b"HTTP/1.1 100")  # its body is being waited for
            answer = server.post(calls([call("refused")]), CSV)
            problem(answer, 429, "too-many-requests")
            assert int(answer.headers["retry-after"]) >= 1
            slow.sendall(body.encode())
            assert slow.recv(65536).startswith(b"HTTP/1.1 202")
        larger = calls([call(f"large-{number}") for number in range(100)])
        assert accepted(server.post(larger, CSV))["accepted"] == 100  # alone, it always has room


# ---- columns


@pytest.mark.parametrize("layout", ["stream", "file", "parquet"])
def test_columns_come_over_http(tmp_path: Path, layout: str) -> None:
    kind = "parquet" if layout == "parquet" else "arrow"
    data = write_http_catalog(tmp_path / "data")
    catalog = data / "catalog" / "catalog.yaml"
    catalog.write_text(catalog.read_text().replace("format: delimited", f"format: {kind}"))
    table = pa.table({"id": [1, 2, 2], "caller": [ANA, STRANGER, ANA], "at": [NOON] * 3, "seconds": [60, 1, 30]})
    with serving(data, tmp_path) as server:
        name = f"application/vnd.apache.{kind}" + ("" if kind == "parquet" else f".{layout}")
        told = accepted(server.post(column_file(layout, table), name))
        assert (told["received"], told["accepted"], [item["index"] for item in told["rejected"]]) == (3, 2, [1])
        assert problem(server.post(b"no columns", name), 422, "undecodable-body")["code"] == "MALFORMED_COLUMNS"
        problem(server.post(b"x", CSV), 415, "unsupported-media-type")
        (row,) = query(data, f"SELECT raw FROM rejection WHERE claim = {told['claim']}")
        assert json.loads(row["raw"]) == {"id": 2, "caller": STRANGER, "at": NOON, "seconds": 1}


# ---- wallets


def test_wallets_are_topped_up_once_and_shown(server: Server) -> None:
    def send(name: str, body: dict[str, Any], key: str = KEY) -> httpx.Response:
        return server.client.post(f"/v1/wallets/{name}", json=body, headers={"Authorization": f"Bearer {key}"})

    credit = {"id": "payment-1", "account": "ana", "wallet": "principal", "amount": "10 EUR"}
    first = send("top-up", credit)
    assert first.status_code == 200, first.text
    told = first.json()
    assert Decimal(told["balance_after"]) == Decimal(told["balance_before"]) + 10
    assert send("top-up", credit).json() == told
    problem(send("top-up", credit | {"amount": "11 EUR"}), 422, "id-reused")
    problem(send("top-up", credit | {"id": "payment-2", "account": "nobody"}), 422, "unknown-name")
    problem(send("adjustment", credit | {"id": "payment-3"}), 400, "bad-request")
    problem(send("top-up", credit, LIMITED_KEY), 403, "source-not-permitted")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: send("top-up", credit | {"id": f"many-{number}"}), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    balances = sorted(Decimal(answer.json()["balance_after"]) for answer in answers)
    assert balances == [Decimal(told["balance_after"]) + 10 * (number + 1) for number in range(24)]
    shown = server.client.get("/v1/accounts/ana/wallets", headers={"Authorization": f"Bearer {KEY}"}).json()
    assert Decimal(shown["wallets"][0]["balance"]) == balances[-1]
    balanced(server.data)
