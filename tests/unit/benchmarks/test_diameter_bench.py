"""The benchmark of Diameter: its own encoding is Diameter, its load is what was drawn, and its recount can find fault."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from cli_octroi import octroi

from apps.bench_diameter import _against_draws
from benchmarks.gy import Drawn, Element, answer_of, avp, avps_of, message
from benchmarks.report import shape_problems
from pipelines.mediation.diameter.fields import Group, write_all
from pipelines.mediation.diameter.messages import Header, Message, decode_message, encode_message


def test_the_command_measures_and_agrees(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    octroi("bench", "diameter", "--records", 1000, "--runs", 1, "--json", out).ok()
    written = json.loads(out.read_text())
    (result,) = written["results"]
    assert shape_problems(written) == []
    assert (result["name"], result["recount_ok"], result["problems"]) == ("diameter.gy", True, [])
    assert result["requests"][0] > 900
    assert 0 < result["latency_p50_ms"] <= result["latency_p99_ms"]
    assert result["cpu_us_per_record"] > 0


def test_requests_are_diameter() -> None:
    services = avp(456, avp(437, avp(421, 7_000_000, 8)) + avp(446, avp(421, 3, 8)) + avp(432, 1))
    header, avps = decode_message(message(272, 4, (7, 8), avp(263, "a;1") + avp(416, 2) + services, 0xC0))
    group = Group(tuple(avps))
    assert header == Header(0xC0, 272, 4, 7, 8)
    assert (group.get("Session-Id"), group.get("CC-Request-Type")) == ("a;1", 2)
    asked = group.get("Multiple-Services-Credit-Control")
    assert asked.get("Requested-Service-Unit").get("CC-Total-Octets") == 7_000_000
    assert (asked.get("Used-Service-Unit").get("CC-Total-Octets"), asked.get("Rating-Group")) == (3, 1)


def test_answers_are_read() -> None:
    said = {
        "Session-Id": "odd",
        "Result-Code": 2001,
        "Multiple-Services-Credit-Control": [
            {"Granted-Service-Unit": {"CC-Total-Octets": 5}, "Rating-Group": 1, "Result-Code": 2001},
            {"Granted-Service-Unit": {"CC-Total-Octets": 2}, "Rating-Group": 2, "Result-Code": 4012},
        ],
    }
    body = encode_message(Message(Header(0x40, 272, 4, 1, 1), tuple(write_all(said))))[20:]
    assert next(avps_of(body)) == (263, b"odd")
    assert answer_of(body) == (4012, 7)


def test_a_load_that_did_less_than_was_drawn_is_found() -> None:
    drawn = Drawn.of(sessions=3, accounts=10, seed=1)
    assert drawn == Drawn.of(sessions=3, accounts=10, seed=1) != Drawn.of(sessions=3, accounts=10, seed=2)
    whole = Element("a", latency_s=[0.1] * drawn.requests, used_mb=sum(map(sum, drawn.used_mb)))
    assert _against_draws([whole], drawn) == []
    assert len(_against_draws([dataclasses.replace(whole, latency_s=[])], drawn)) == 1
    assert len(_against_draws([dataclasses.replace(whole, used_mb=0)], drawn)) == 1
