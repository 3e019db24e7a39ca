"""Sources and refused records over HTTP: what there is, for whoever may see it, and nothing of what records say for others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from api_world import Api
from cli_calls import ANA, STRANGER
from engine_world import REFUSED, api_with_engine

from apps.control.keys import new_key


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api_with_engine(tmp_path_factory.mktemp("rejections")) as (found, _):
        for name, sources in (("texter", ["texts"]), ("stranger", ["nothing"])):
            _, found.tokens[name] = new_key(
                found.settings,
                None,
                "test",
                name,
                roles=["viewer", "admin"],
                accounts=[],
                sources=sources,
                expires_at=None,
            )
        yield found


def listed(world: Api, query: str = "", key: str = "admin") -> list[dict[str, Any]]:
    answer = world.ask("GET", f"/v1/rejections{query}", key=key)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def test_sources_say_how_they_stand(world: Api) -> None:
    calls, texts = world.ask("GET", "/v1/sources").json()["data"]
    assert (calls["code"], calls["format"], calls["event_types"], calls["identity"]) == (
        "calls",
        "delimited",
        ["voice"],
        ["id"],
    )
    assert (calls["files"], calls["received"], calls["rejected"], calls["open_rejections"]) == (1, 5, 3, 3)
    assert (texts["files"], texts["received"], texts["rejected"], texts["quarantined"]) == (2, 3, 2, 0)
    shown = world.ask("GET", "/v1/sources/texts").json()
    assert shown.items() >= texts.items()
    assert shown["definition"]["mapping"]["access_point"] == "caller"
    assert [(one["problem"], one["number_from"], one["number_to"]) for one in shown["file_gaps"]] == [("missing", 2, 2)]
    assert (shown["gaps"], shown["more_gaps"]) == ([], False)
    assert world.ask("GET", "/v1/sources/nothing").status_code == 404


def test_rejections_come_in_pages_in_the_order_of_the_log(world: Api) -> None:
    whole = listed(world)
    assert sorted(one["source"] for one in whole) == REFUSED
    paged: list[dict[str, Any]] = []
    following: str | None = "/v1/rejections?limit=2&status=OPEN"
    while following:
        answer = world.ask("GET", following).json()
        paged += answer["data"]
        assert len(answer["data"]) <= 2
        following = answer["next"]
    assert paged == whole
    assert {one["reason"] for one in whole} >= {"UNKNOWN_ACCESS_POINT"}
    for one in whole:
        shown = world.ask("GET", f"/v1/rejections/{one['id']}").json()
        assert shown.items() >= one.items()
        assert bytes.fromhex(shown["record_hex"]).decode() == shown["record"]


def test_rejections_are_chosen(world: Api) -> None:
    whole = listed(world)
    for name, of in (("source", "source"), ("code", "reason"), ("stage", "stage"), ("status", "status")):
        for value in {one[of] for one in whole}:
            assert listed(world, f"?{name}={value}") == [one for one in whole if one[of] == value]
    assert len(listed(world, f"?access_point={STRANGER}")) == len(listed(world, f"?text={STRANGER}")) == 3
    assert listed(world, "?since=2026-10-05T12:00:01Z") == []
    dated = [one for one in whole if one["event_at"] is not None]
    assert listed(world, "?since=2026-10-05T12:00:00Z&until=2026-10-05T12:00:01Z") == dated
    assert dated
    claim = whole[0]["id"].split("-")[0]
    assert listed(world, f"?claim={claim}") == [one for one in whole if one["id"].startswith(f"{claim}-")]
    for wrong in (
        "status=x", "code=x", "stage=x", "claim=x", "claim=0", "claim=99999999999", "since=x", "starting_after=x",
        "starting_after=1-2-3-4", "limit=0", "since=0001-01-01&until=9999-12-31&code=x", "raw=x",
    ):  # fmt: skip
        assert world.ask("GET", f"/v1/rejections?{wrong}").status_code == 400, wrong
    assert listed(world, "?starting_after=9999999999-9999999999-999") == []


def test_nothing_of_what_a_record_says_is_shown_without_the_permission(world: Api) -> None:
    whole = listed(world, key="viewer")
    assert [one["id"] for one in whole] == [one["id"] for one in listed(world)]
    for one in whole:
        answer = world.ask("GET", f"/v1/rejections/{one['id']}", key="viewer")
        assert answer.json()["masked"]
        assert (answer.json()["record"], answer.json()["record_hex"], answer.json()["detail"]) == (None, None, None)
        for personal in (STRANGER, ANA, STRANGER.encode().hex(), "sixty"):
            assert personal not in answer.text + str(whole)
    for oracle in (f"access_point={STRANGER}", "text=3"):
        for key in ("viewer", "texter"):
            assert world.ask("GET", f"/v1/rejections?{oracle}", key=key).status_code == 403


def test_a_key_of_a_source_sees_that_source_alone(world: Api) -> None:
    mine = listed(world, key="texter")
    assert mine == [one for one in listed(world) if one["source"] == "texts"]
    assert not any(one["masked"] for one in mine)
    assert [one["code"] for one in world.ask("GET", "/v1/sources", key="texter").json()["data"]] == ["texts"]
    foreign = next(one["id"] for one in listed(world) if one["source"] == "calls")
    missing = world.ask("GET", "/v1/rejections/99-0", key="texter")
    for path in (f"/v1/rejections/{foreign}", "/v1/sources/calls"):
        answer = world.ask("GET", path, key="texter")
        assert (answer.status_code, answer.content) == (404, missing.content), path
    assert listed(world, "?source=calls", key="texter") == []
    for key in ("stranger", "boss"):
        assert listed(world, key=key) == []
        assert world.ask("GET", "/v1/sources", key=key).json()["data"] == []
    for deed in ("replay", "mark", "discard", "reopen"):
        body = {"ids": [mine[0]["id"]], "reason": "x"} if deed != "replay" else {"ids": [mine[0]["id"]]}
        assert world.ask("POST", f"/v1/rejections/{deed}", body, "texter").status_code == 403


@pytest.mark.parametrize(("role", "status"), [("viewer", 200), ("care", 403), ("auditor", 403), ("sender", 403)])
def test_roles(world: Api, role: str, status: int) -> None:
    first = listed(world)[0]["id"]
    for path in ("/v1/sources", "/v1/sources/calls", "/v1/rejections", f"/v1/rejections/{first}"):
        assert world.ask("GET", path, key=role).status_code == status, path
