"""The catalog over HTTP: what is in force, and what is wrong with documents; nothing changes by either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_fuzzing import OPERATIONS, check, sent, tried
from api_world import Api
from cli_calls import CATALOG
from document_texts import rows, sections
from engine_world import api_with_engine
from hypothesis import given
from schemathesis.generation import GenerationMode

from apps.api.json_bodies import BODY_BYTES_MAX
from apps.api.openapi import document
from apps.api.routes import ROUTES
from billing.catalog.models import Fault

OF_ENGINE = [f"{route.method} {route.path}" for route in ROUTES if route.engine and not route.changes]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api_with_engine(tmp_path_factory.mktemp("catalogs")) as (found, _):
        yield found


def files_of(world: Api) -> dict[str, bytes]:
    """Every file of the data directory but what the engine and the database write by themselves."""
    root = world.settings.data_dir
    kept = ("catalog", "images", "spool", "archive")
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for name in kept
        for path in (root / name).rglob("*")
        if path.is_file()
    } | {"journal.log": (root / "journal.log").read_bytes()}


def test_documents_in_force_are_listed_in_pages_and_shown(world: Api) -> None:
    whole = world.ask("GET", "/v1/catalog/documents").json()["data"]
    found: list[dict[str, Any]] = []
    following: str | None = "/v1/catalog/documents?limit=1"
    while following:
        answer = world.ask("GET", following).json()
        found += answer["data"]
        assert len(answer["data"]) == 1
        following = answer["next"]
    assert found == whole == sorted(whole, key=lambda row: (row["kind"], row["code"]))
    assert {(row["kind"], row["code"]) for row in whole} >= {
        ("charge", "voice"),
        ("event_type", "voice"),
        ("offer", "mobile"),
        ("price_plan", "voice"),
        ("source", "calls"),
        ("source", "texts"),
    }
    assert [row["code"] for row in world.ask("GET", "/v1/catalog/documents?kind=offer").json()["data"]] == ["mobile"]
    shown = [world.ask("GET", f"/v1/catalog/documents/{row['kind']}/{row['code']}") for row in whole]
    assert [(one.status_code, one.json()["kind"], one.json()["code"]) for one in shown] == [
        (200, row["kind"], row["code"]) for row in whole
    ]
    plan = world.ask("GET", "/v1/catalog/documents/price_plan/voice").json()
    assert plan["document"]["versions"][0]["price"] == "0.60"
    for missing in (
        "offer/nothing",
        "account/ana",
        "subscription/ana",
        "nothing/voice",
        "offer/mobile%2F..",
        "content_hash/x",
    ):
        assert world.ask("GET", f"/v1/catalog/documents/{missing}").status_code == 404, missing
    for wrong in ("kind=account", "kind=content_hash", "limit=0", "code=x"):
        assert world.ask("GET", f"/v1/catalog/documents?{wrong}").status_code == 400, wrong
    assert world.ask("GET", "/v1/catalog/documents?starting_after=zzz").json()["data"] == []


def test_documents_are_tried_and_nothing_changes(world: Api) -> None:
    before = files_of(world)
    dearer = CATALOG.replace("0.60", "0.70")
    good = world.ask("POST", "/v1/catalog/validate", {"files": {"catalog.yaml": dearer}, "alone": True})
    assert (good.status_code, good.json()["valid"], good.json()["findings"]) == (200, True, [])
    assert len(good.json()["content_hash"]) == 64
    wrong = world.ask(
        "POST", "/v1/catalog/validate", {"files": {"new/x.yaml": "\n{kind: offer, code: x, charges: [calls]}"}}
    )
    assert wrong.json()["valid"] is False
    (finding,) = wrong.json()["findings"]
    assert finding.items() >= {
        "code": Fault.UNKNOWN_NAME.value, "file": "new/x.yaml", "line": 2, "field": "charges.0",
    }.items()  # fmt: skip
    assert str(world.settings.data_dir) not in wrong.text
    assert files_of(world) == before


def test_what_cannot_be_tried_is_refused(world: Api) -> None:
    for name in ("../x.yaml", "/etc/x.yaml", "a/../../x.yaml", ".x.yaml", "x.json"):
        answer = world.ask("POST", "/v1/catalog/validate", {"files": {name: ""}})
        assert answer.status_code == 422, name
    for body in ({}, {"files": {}}, {"files": []}, {"files": {"x.yaml": 1}}, {"files": {"x.yaml": ""}, "alone": "no"}):
        assert world.ask("POST", "/v1/catalog/validate", body).json()["type"].endswith("invalid-body"), body
    many = {"files": {f"x{number}.yaml": "" for number in range(101)}}
    assert world.ask("POST", "/v1/catalog/validate", many).status_code == 422
    large = world.ask("POST", "/v1/catalog/validate", {"files": {"x.yaml": "#" * BODY_BYTES_MAX}})
    assert large.status_code == 413
    assert world.ask("POST", "/v1/catalog/validate", {"files": {"x.yaml": "a: \0"}}).status_code == 400
    for key in ("viewer", "care", "boss"):
        assert world.ask("POST", "/v1/catalog/validate", {"files": {"x.yaml": ""}}, key).status_code == 403, key


def test_every_code_of_a_finding_is_described() -> None:
    schemas = json.loads(document())["components"]["schemas"]
    assert schemas["Fault"]["enum"] == [one.value for one in Fault]


@pytest.mark.parametrize("label", OF_ENGINE)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: str(mode.value))
def test_with_an_engine_an_operation_answers_as_it_is_described(world: Api, label: str, mode: GenerationMode) -> None:
    operation = OPERATIONS[label]

    @tried(6)
    @given(operation.as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        check(operation, sent(world, operation, case, mode))

    answers()


def test_every_code_of_a_finding_is_told() -> None:
    page = sections((Path(__file__).resolve().parents[2] / "docs" / "http-api.md").read_text())
    assert [row[0] for row in rows(page["Try documents first"])][-len(Fault) :] == [one.value for one in Fault]
