"""What README and docs/operations.md say about usage over HTTP, and what the interface says about itself, is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from document_texts import blocks, named_files, rows, sections, write_files
from fastapi import FastAPI
from shell_run import free_port, run_shell

from apps.api.answers import Answer
from apps.api.app import make_app
from apps.api.gate import Gate
from apps.api.login import LOGIN_ROUTES
from apps.api.media import BY_FORMAT
from apps.api.problems import KINDS
from apps.api.routes import ROUTES
from apps.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
OPERATIONS = sections((ROOT / "docs" / "operations.md").read_text())["Take usage over HTTP"]
EVERY_FORMAT = "every other one"


@pytest.fixture
def app() -> FastAPI:
    return make_app(Settings(), Gate(Settings()), version="1")


def test_the_tour_over_http_ends_as_readme_says(tmp_path: Path) -> None:
    section = sections(README)["Send events over HTTP"]
    (script,), (expected,) = blocks(section, "sh"), blocks(section, "json")
    write_files(named_files(README), tmp_path)
    out, err = run_shell(script.replace("8080", str(free_port())), tmp_path, 900)
    told = next(line for line in out.replace('{"status":"ready"}', "").splitlines() if line.startswith("{"))
    answer, shown = json.loads(told), json.loads(expected)
    assert shown["claim"] == 8  # after the tour; here nothing came before but the catalog
    for record in shown["rejected"]:
        record["id"] = record["id"].replace("8-", f"{answer['claim']}-")
    assert answer == shown | {"claim": answer["claim"]}
    assert "POST /v1/events 202 key=gateway source=calls" in err
    assert (tmp_path / "octroi-data" / "archive").is_dir()


def test_every_problem_is_told(app: FastAPI) -> None:
    told = {(row[0], row[1]) for row in rows(OPERATIONS) if row[0].isdigit()}
    assert told == {(str(kind.status), name) for name, kind in KINDS.items()}
    (listed,) = [app.openapi()["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]]
    assert listed == [f"urn:octroi:problem:{name}" for name in KINDS]


def test_every_kind_of_body_is_told() -> None:
    told = {row[0]: row[1].split(", ") for row in rows(OPERATIONS) if "/" in row[1]}
    assert told.pop(EVERY_FORMAT) == ["application/octet-stream"]
    for name, kinds in BY_FORMAT.items():
        assert set(told.pop(name)) == set(kinds) - {"application/ndjson", "application/jsonl"}, name
    assert told == {}


def test_the_interface_describes_itself_completely(app: FastAPI) -> None:
    described = app.openapi()
    charging = {f"/v1/charging/{name}" for name in ("reserve", "confirm", "cancel", "charge", "refund")}
    accounts = {f"/v1/accounts/{{account}}/{name}" for name in ("balance", "wallets")}
    changes = {f"/v1/wallets/{name}" for name in ("top-up", "adjustment", "transfer")}
    resources = {route.path for route in [*ROUTES, *LOGIN_ROUTES]}
    assert set(described["paths"]) == {"/v1/events", "/healthz", "/readyz"} | charging | accounts | changes | resources
    for path in charging:
        assert described["paths"][path]["post"]["security"] == [{"key": []}, {"session": []}]
        assert {"200", "422", "503"} <= set(described["paths"][path]["post"]["responses"])
    operation = described["paths"]["/v1/events"]["post"]
    assert {str(kind.status) for name, kind in KINDS.items() if kind.status not in (404, 405, 412, 428)} | {
        "202"
    } == set(operation["responses"])
    assert {parameter["name"] for parameter in operation["parameters"]} == {
        "source", "octroi-source", "Idempotency-Key", "Content-Encoding",
    }  # fmt: skip
    Answer.model_validate(operation["responses"]["202"]["content"]["application/json"]["example"], extra="forbid")
    problem = described["components"]["schemas"]["Problem"]
    for status, response in operation["responses"].items():
        if status == "202":
            continue
        examples = response["content"]["application/problem+json"]["examples"]
        assert examples
        for example in examples.values():
            value: dict[str, Any] = example["value"]
            assert set(problem["required"]) <= set(value) <= set(problem["properties"])
            assert value["status"] == int(status)
    assert operation["security"] == [{"key": []}, {"session": []}]
    _resolve(described, described)


def _resolve(part: Any, root: dict[str, Any]) -> None:
    """Follow every reference in a description."""
    if isinstance(part, dict):
        if "$ref" in part:
            found: Any = root
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]
        for inner in part.values():
            _resolve(inner, root)
    elif isinstance(part, list):
        for inner in part:
            _resolve(inner, root)
