"""Accounts, subscriptions, keys and the audit log over HTTP: by the same rules as everywhere, in pages, once, and by revision."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from api_world import Api, api, client_of

from apps.api.app import make_app
from apps.api.desk import THREADS
from apps.api.gate import Gate
from apps.api.json_bodies import BODY_BYTES_MAX
from apps.control.places import opened
from billing.access.queries import audit_log

IBAN = "FR1420041010050500013M02606"


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("api")) as found:
        yield found


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()["type"].removeprefix("urn:octroi:problem:")


def test_an_account_from_its_making_to_its_change(world: Api) -> None:
    body = {
        "kind": "customer",
        "code": "cléo",
        "parent": "acme",
        "name": "Cléo",
        "external_id": "crm 9",
        "country": "FR",
    }
    body["code"] = "cleo"
    made = world.ask("POST", "/v1/accounts", body)
    assert made.status_code == 201
    assert made.headers["etag"] == '"1"'
    assert made.headers["location"] == f"/v1/accounts/{made.json()['id']}"
    assert made.json()["holds"]["currency"] == {"value": "EUR", "of": "acme"}
    for named in ("cleo", "crm 9", made.json()["id"]):
        read = world.ask("GET", f"/v1/accounts/{named}")
        assert (read.status_code, read.json(), read.headers["etag"]) == (200, made.json(), '"1"')
    changed = world.ask("PATCH", "/v1/accounts/cleo", {"name": None, "language": "fr"}, If_Match='"1"')
    assert (changed.status_code, changed.headers["etag"], changed.json()["name"]) == (200, '"2"', None)
    assert problem(world.ask("PATCH", "/v1/accounts/cleo", {"name": "x"}, If_Match='"1"')) == (
        412,
        "precondition-failed",
    )
    assert problem(world.ask("PATCH", "/v1/accounts/cleo", {"name": "x"}, If_Match='W/"2"')) == (
        412,
        "precondition-failed",
    )
    assert problem(world.ask("PATCH", "/v1/accounts/cleo", {"name": "x"})) == (428, "precondition-required")
    assert world.ask("PATCH", "/v1/accounts/cleo", {"name": "x"}, If_Match="*").json()["revision"] == 3
    assert problem(world.ask("POST", "/v1/accounts", body)) == (422, "refused")
    assert problem(world.ask("PATCH", "/v1/accounts/cleo", {"code": "x"}, If_Match="*")) == (422, "refused")
    assert problem(world.ask("PATCH", "/v1/accounts/cleo", {"parent": ["x"]}, If_Match="*")) == (422, "refused")
    assert problem(world.ask("PATCH", "/v1/accounts/cleo", [1], If_Match="*")) == (400, "bad-request")
    told = world.ask("GET", f"/v1/audit-log?entity=account&key={made.json()['id']}").json()["data"]
    assert [(one["by"], one["deed"]) for one in told] == [("key admin", "CREATED")] + [("key admin", "CHANGED")] * 2


def test_wrong_fields_are_told_by_pointer_and_not_repeated(world: Api) -> None:
    refused = world.ask(
        "POST", "/v1/accounts", {"kind": "customer", "code": "x", "currency": "secret", "wallets": [{}]}
    )
    assert problem(refused) == (422, "invalid-body")
    assert {one["pointer"] for one in refused.json()["errors"]} >= {"/currency", "/wallets/0/code"}
    assert "secret" not in refused.text


def test_lists_come_in_pages(world: Api) -> None:
    found: list[str] = []
    following: str | None = "/v1/accounts?limit=2"
    while following:
        answer = world.ask("GET", following).json()
        found += [one["code"] for one in answer["data"]]
        assert len(answer["data"]) <= 2
        assert answer["has_more"] is (answer["next"] is not None)
        following = answer["next"]
    assert found == ["acme", "ana", "ana-ba", "ana-ca", "bob", "bob-ba", "bob-ca"]
    assert [one["code"] for one in world.ask("GET", "/v1/accounts?kind=customer").json()["data"]] == ["ana", "bob"]
    assert [one["code"] for one in world.ask("GET", "/v1/accounts?below=ana").json()["data"]] == ["ana-ca"]
    assert world.ask("GET", "/v1/accounts?below=nobody").json()["data"] == []
    for wrong in (
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=²",
        "kind=x",
        "fly=1",
        "kind=seller&kind=seller",
        "limit=00001",
    ):
        assert problem(world.ask("GET", f"/v1/accounts?{wrong}")) == (400, "bad-request"), wrong


def test_attachments(world: Api) -> None:
    method = {"type": "DIRECTDEBIT", "reference": IBAN, "holder": "Ana", "preferred": True}
    made = world.ask("POST", "/v1/accounts/ana-ba/payment-methods", method)
    assert made.status_code == 201
    listed = world.ask("GET", "/v1/accounts/ana-ba/payment-methods").json()["data"]
    assert (listed[0]["id"], listed[0]["reference"], listed[0]["preferred"]) == (made.json()["id"], "…2606", True)
    assert problem(world.ask("DELETE", f"/v1/accounts/bob-ba/payment-methods/{made.json()['id']}")) == (
        404,
        "not-found",
    )
    assert problem(world.ask("DELETE", f"/v1/accounts/ana-ba/contacts/{made.json()['id']}")) == (404, "not-found")
    gone = world.ask("DELETE", f"/v1/accounts/ana-ba/payment-methods/{made.json()['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert world.ask("GET", "/v1/accounts/ana-ba/payment-methods").json()["data"] == []
    for plural, body in (
        ("contacts", {"name": "Ana", "email": "ana@example.org"}),
        ("addresses", {"line1": "1 rue X", "city": "Paris"}),
        ("notes", {"text": "likes mornings"}),
    ):
        assert world.ask("POST", f"/v1/accounts/ana-ba/{plural}", body, key="limited").status_code == 201
        (one,) = world.ask("GET", f"/v1/accounts/ana-ba/{plural}", key="limited").json()["data"]
        assert one.items() >= body.items()
    card = {"type": "CARD", "reference": "4111 1111 1111 1111"}
    refused = world.ask("POST", "/v1/accounts/ana-ba/payment-methods", card)
    assert problem(refused) == (422, "refused")
    assert "4111" not in refused.text


def test_custom_fields(world: Api) -> None:
    definition = {"type": "object", "properties": {"size": {"type": "integer"}}, "additionalProperties": False}
    assert world.ask("PUT", "/v1/custom-fields/customer", {"definition": definition}).status_code == 200
    assert world.ask("GET", "/v1/custom-fields").json()["data"] == [{"kind": "customer", "definition": definition}]
    assert world.ask("PATCH", "/v1/accounts/ana", {"custom": {"size": 3}}, If_Match="*").json()["custom"] == {"size": 3}
    assert problem(world.ask("PATCH", "/v1/accounts/ana", {"custom": {"size": "x"}}, If_Match="*")) == (422, "refused")
    assert problem(world.ask("PUT", "/v1/custom-fields/dog", {"definition": {}})) == (404, "not-found")


def test_a_subscription_lives(world: Api) -> None:
    line = {"code": "one", "account": "ana-ba", "offer": "mobile", "activate": False, "access_points": [{"id": "+331"}]}
    made = world.ask("POST", "/v1/subscriptions", line | {"term": {"months": 12}})
    assert (made.status_code, made.json()["status"], made.json()["term"]) == (201, "CREATED", {"months": 12})
    assert made.json()["access_points"][0]["identifier"] == "+331"
    assert problem(world.ask("POST", "/v1/subscriptions/one/suspend")) == (422, "refused")
    active = world.ask("POST", "/v1/subscriptions/one/activate", {"at": "2026-01-01T00:00:00Z"}, If_Match='"1"')
    assert (active.json()["status"], active.json()["start_at"]) == ("ACTIVE", "2026-01-01T00:00:00Z")
    assert active.json()["term_end_at"].startswith("2027-01-01")
    assert problem(world.ask("POST", "/v1/subscriptions/one/suspend", If_Match='"1"')) == (412, "precondition-failed")
    assert world.ask("POST", "/v1/subscriptions/one/suspend").json()["status"] == "SUSPENDED"
    later = world.ask("POST", "/v1/subscriptions/one/resume", {"at": "2998-12-31T23:00:00Z"})
    assert [one["due_at"] for one in later.json()["planned"]] == ["2998-12-31T23:00:00Z"]
    plan = {"at": "2999-01-01T00:00:00Z"}
    stale = world.ask("POST", "/v1/subscriptions/one/suspend", plan, If_Match='"3"')  # what is planned is a change, too
    assert problem(stale) == (412, "precondition-failed")
    assert [one["code"] for one in world.ask("GET", "/v1/subscriptions?account=ana").json()["data"]] == []
    listed = world.ask("GET", "/v1/subscriptions?account=ana-ba&limit=1").json()
    assert ([one["code"] for one in listed["data"]], listed["has_more"]) == (["ana-line"], True)
    (whose,) = world.ask("GET", "/v1/access-points?identifier=%2B331").json()["data"]
    assert (whose["subscription"], whose["account"]) == ("one", "ana-ba")
    ended = world.ask("POST", "/v1/subscriptions/one/terminate", {"at": "2998-12-31T23:00:00.000001Z"})
    assert [one["action"] for one in ended.json()["planned"]] == ["RESUME", "TERMINATE"]
    moved = world.ask("POST", "/v1/subscriptions/ana-line/change-offer", {"offer": "big", "code": "ana-line-2"})
    assert (moved.status_code, moved.json()["offer"]) == (201, "big")
    assert world.ask("GET", "/v1/subscriptions/ana-line").json()["status"] == "TERMINATED"
    assert problem(world.ask("POST", "/v1/subscriptions/ana-line-2/terminate", {"reason": "none"})) == (422, "refused")


def test_a_request_with_an_idempotency_key_is_done_once(world: Api) -> None:
    body = {"kind": "customer", "code": "dan", "parent": "acme"}
    first = world.ask("POST", "/v1/accounts", body, Idempotency_Key="k1")
    again = world.ask("POST", "/v1/accounts", body, Idempotency_Key='"k1"')
    assert (again.status_code, again.content, again.headers["etag"]) == (201, first.content, '"1"')
    assert again.headers["location"] == first.headers["location"]
    other = world.ask("POST", "/v1/accounts", body | {"code": "eve"}, Idempotency_Key="k1")
    assert problem(other) == (422, "idempotency-key-reused")
    assert problem(world.ask("POST", "/v1/subscriptions/ana-line/suspend", Idempotency_Key="k1")) == (
        422,
        "idempotency-key-reused",
    )
    limited = world.ask("POST", "/v1/accounts/ana/notes", {"text": "x"}, "limited", Idempotency_Key="k1")
    assert limited.status_code == 201  # another caller's key is another key
    assert problem(world.ask("POST", "/v1/accounts", body, Idempotency_Key="k2")) == (422, "refused")
    done = world.ask("POST", "/v1/accounts", body | {"code": "fay"}, Idempotency_Key="k2")
    assert done.status_code == 201  # a refusal changed nothing, and is not kept
    assert problem(world.ask("POST", "/v1/accounts", body, Idempotency_Key="")) == (400, "bad-request")
    for _ in range(2):
        gone = world.ask("DELETE", f"/v1/accounts/ana/notes/{limited.json()['id']}", Idempotency_Key="k3")
        assert gone.status_code == 204
    with api_again(world) as fresh:
        assert fresh.ask("POST", "/v1/accounts", body, Idempotency_Key="k1").content == first.content


def api_again(world: Api) -> Any:
    """The same database behind another application, as after a restart."""
    from contextlib import contextmanager

    from apps.api.app import make_app
    from apps.api.gate import Gate

    @contextmanager
    def restarted() -> Iterator[Api]:
        app = make_app(world.settings, Gate(world.settings), version="1")
        with client_of(app) as client:
            yield Api(app, client, world.settings, world.ids, world.tokens)

    return restarted()


def test_a_limited_key_sees_its_own(world: Api) -> None:
    def ask(method: str, path: str, body: Any = None, **headers: str) -> Any:
        return world.ask(method, path, body, "limited", **headers)

    assert [one["code"] for one in ask("GET", "/v1/accounts").json()["data"]] == ["ana", "ana-ba", "ana-ca"]
    assert [one["code"] for one in ask("GET", "/v1/subscriptions").json()["data"]] == ["ana-line"]
    ana = ask("GET", "/v1/accounts/ana").json()
    assert (ana["parent"], ana["above"], ana["holds"]["currency"]) == (None, [], {"value": "EUR", "of": None})
    assert ask("GET", "/v1/accounts").json()["data"][0]["parent"] is None
    assert ask("GET", "/v1/accounts/ana-ba").json()["above"] == ["ana-ca", "ana"]
    foreign = [
        "/v1/accounts/bob",
        f"/v1/accounts/{world.ids['bob']}",
        "/v1/accounts/acme",
        "/v1/subscriptions/bob-line",
    ]
    missing = ask("GET", "/v1/accounts/nobody")
    assert problem(missing) == (404, "not-found")
    for path in foreign:
        assert (ask("GET", path).status_code, ask("GET", path).content) == (404, missing.content)
    assert ask("GET", "/v1/access-points?identifier=%2B33-bob").json()["data"] == []
    assert len(ask("GET", "/v1/access-points?identifier=%2B33-ana").json()["data"]) == 1
    for field, value in (("parent", "bob-ba"), ("parent", "nobody-ba")):
        refused = ask("POST", "/v1/accounts", {"kind": "user_account", "code": "u", field: value})
        assert problem(refused) == (422, "refused")
        assert refused.json()["detail"] == f"parent: there is no account {value}"
    assert problem(ask("PATCH", "/v1/accounts/ana-ba", {"parent": "bob-ca"}, If_Match="*")) == (422, "refused")
    for guess in ("acme", "nobody"):  # nothing tells whether a guess is right
        refused = ask("PATCH", "/v1/accounts/ana", {"parent": guess}, If_Match="*")
        assert (problem(refused), refused.json()["detail"]) == (
            (422, "refused"),
            f"parent: there is no account {guess}",
        )
    assert ask("PATCH", "/v1/accounts/ana", {"parent": None}, If_Match="*").json()["parent"] is None  # as it was told
    assert world.ask("GET", "/v1/accounts/ana").json()["parent"] == "acme"
    assert problem(ask("PATCH", "/v1/accounts/ana-ca", {"parent": None}, If_Match="*")) == (403, "forbidden")
    assert ask("PATCH", "/v1/accounts/ana", {"name": "Anna"}, If_Match="*").json()["name"] == "Anna"
    assert ask("POST", "/v1/accounts", {"kind": "user_account", "code": "u", "parent": "ana-ba"}).status_code == 201
    for account in ("bob-ba", "nobody"):
        line = {"code": "s", "account": account, "offer": "mobile"}
        assert ask("POST", "/v1/subscriptions", line).json()["detail"] == f"account: there is no account {account}"


def test_keys_and_roles(world: Api) -> None:
    made = world.ask("POST", "/v1/keys", {"name": "shop", "roles": ["care"], "accounts": ["bob"]})
    assert made.status_code == 201
    world.tokens["shop"] = made.json()["key"]
    assert [one["code"] for one in world.ask("GET", "/v1/accounts?kind=customer", key="shop").json()["data"]] == ["bob"]
    listed = {one["name"]: one for one in world.ask("GET", "/v1/keys").json()["data"]}
    assert listed["shop"]["accounts"] == [world.ids["bob"]]
    assert made.json()["key"] not in json.dumps(listed)
    assert problem(world.ask("POST", "/v1/keys", {"name": "x", "roles": ["care"]}, Idempotency_Key="k")) == (
        400,
        "bad-request",
    )
    role = {"description": "Makes keys", "grants": ["api_key:*", "role:*", "account:read"]}
    assert world.ask("PUT", "/v1/roles/minter", role).json()["own"] is True
    world.tokens["minter"] = world.ask("POST", "/v1/keys", {"name": "minter", "roles": ["minter"]}).json()["key"]
    assert problem(world.ask("POST", "/v1/keys", {"name": "y", "roles": ["admin"]}, "minter")) == (422, "refused")
    assert problem(world.ask("PUT", "/v1/roles/all", {"description": "x", "grants": ["*"]}, "minter")) == (
        422,
        "refused",
    )
    assert world.ask("POST", "/v1/keys", {"name": "z", "roles": ["minter"]}, "minter").status_code == 201
    assert problem(world.ask("POST", "/v1/keys", {"name": "q", "roles": ["care"]}, "boss")) == (403, "forbidden")
    assert world.ask("POST", "/v1/keys/shop/revoke").json()["name"] == "shop"
    assert problem(world.ask("POST", "/v1/keys/shop/revoke")) == (422, "refused")
    assert problem(world.ask("POST", "/v1/keys/nobody/revoke")) == (404, "not-found")
    assert problem(world.ask("DELETE", "/v1/roles/admin")) == (404, "not-found")
    assert world.ask("DELETE", "/v1/roles/minter").status_code == 204
    why = world.ask("GET", "/v1/why?action=account:read&account=ana", key="limited").json()
    assert why == {"allowed": True, "roles": ["care"], "why": "the role care permits account:read"}
    assert world.ask("GET", "/v1/why?action=audit:list", key="limited").json()["allowed"] is False


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"{", (400, "bad-request")),
        (b"[" * 100_000, (400, "bad-request")),
        (b'{"a":' * 33 + b"1" + b"}" * 33, (400, "bad-request")),
        (b'{"kind":"seller","kind":"seller"}', (400, "bad-request")),
        (b'{"code":"\\ud800"}', (400, "bad-request")),
        (b'{"code":"\\u0000"}', (400, "bad-request")),
        (b'{"custom":{"a":NaN}}', (400, "bad-request")),
        (b'{"custom":{"a":1e999}}', (400, "bad-request")),
        (b'{"custom":{"a":' + b"9" * 5000 + b"}}", (400, "bad-request")),
        (b"\xff\xfe", (400, "bad-request")),
        (b" " * (BODY_BYTES_MAX + 1), (413, "body-too-large")),
        (b"null", (422, "invalid-body")),
    ],
    ids=range(12),
)
def test_bodies_that_bite(world: Api, raw: bytes, told: tuple[int, str]) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['admin']}", "Content-Type": "application/json"}
    assert problem(world.client.request("POST", "/v1/accounts", content=raw, headers=headers)) == told

    async def chunks() -> AsyncIterator[bytes]:  # without a length
        for start in range(0, len(raw), 100_000):
            yield raw[start : start + 100_000]

    assert problem(world.client.request("POST", "/v1/accounts", content=chunks(), headers=headers)) == told


def test_names_that_bite(world: Api) -> None:
    bites = [
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "' OR '1'='1",
        "ana'--",
        "x" * 300,
        "%F0%9F%98%80",
        '";DROP TABLE account;',
        "%25",
        "%ff",
    ]
    for bite in bites:
        assert problem(world.ask("GET", f"/v1/accounts/{bite}"))[0] == 404, bite
        answer = world.ask("GET", f"/v1/accounts?below={bite}&starting_after={bite}")
        assert answer.status_code in (200, 400), bite
        assert answer.status_code == 400 or answer.json()["data"] == []
    assert len(world.ask("GET", "/v1/accounts").json()["data"]) == 7
    media = world.client.request(
        "POST",
        "/v1/accounts",
        content=b"{}",
        headers={"Authorization": f"Bearer {world.tokens['admin']}", "Content-Type": "text/csv"},
    )
    assert problem(media) == (415, "unsupported-media-type")


def test_a_suspended_tenant_is_read_and_not_changed(world: Api) -> None:
    from apps.control.places import making, opened
    from billing.access.models import TenantStatus
    from billing.access.operations import set_status

    with opened(world.settings) as database:
        with making(database, "test") as changes:
            set_status(changes, database, TenantStatus.SUSPENDED)
        before = len(audit_log(database))
    assert world.ask("GET", "/v1/accounts/ana").status_code == 200
    assert problem(world.ask("POST", "/v1/accounts/ana/notes", {"text": "x"})) == (409, "conflict")
    with opened(world.settings) as database:
        assert len(audit_log(database)) == before


def test_queries_are_listed_and_need_the_engine(world: Api) -> None:
    names = {one["name"]: one for one in world.ask("GET", "/v1/queries", key="viewer").json()["data"]}
    assert names["revenue"]["parameters"][0].items() >= {"name": "from", "type": "date", "required": True}.items()
    assert problem(world.ask("POST", "/v1/queries/nothing", {})) == (404, "not-found")
    assert problem(world.ask("POST", "/v1/queries/revenue", {"limit": 0})) == (422, "invalid-body")
    assert problem(world.ask("POST", "/v1/queries/revenue", {"limit": 1})) == (503, "unavailable")  # nothing runs here
    assert problem(world.ask("POST", "/v1/catalog/publish", {})) == (503, "unavailable")


def test_a_code_does_not_stand_for_the_id_of_another_row(world: Api) -> None:
    foreign = world.ids["bob-ba"]
    account = {"kind": "customer_account", "code": foreign, "parent": "ana"}
    assert problem(world.ask("POST", "/v1/accounts", account, "limited")) == (422, "refused")
    line = world.ask("GET", "/v1/subscriptions/bob-line").json()["id"]
    own = {"code": line, "account": "ana-ba", "offer": "mobile"}
    assert world.ask("POST", "/v1/subscriptions", own, "limited").status_code == 201
    for path in (f"accounts/{foreign}", "subscriptions/bob-line", f"subscriptions/{line}"):
        assert problem(world.ask("GET", f"/v1/{path}", key="limited")) == (404, "not-found"), path
    assert problem(world.ask("POST", "/v1/subscriptions/bob-line/terminate", {}, "limited")) == (404, "not-found")
    assert world.ask("GET", f"/v1/accounts/{foreign}").json()["code"] == "bob-ba"
    assert world.ask("GET", f"/v1/subscriptions/{line}").json()["code"] == "bob-line"


def test_who_asks_is_known_while_all_others_wait_for_the_writer(world: Api) -> None:
    def sent(method: str, path: str, key: str, **more: Any) -> httpx.Request:
        return client.build_request(method, path, headers={"Authorization": f"Bearer {world.tokens[key]}"}, **more)

    async def asked() -> tuple[int, list[int]]:
        await client.send(sent("GET", "/v1/why?action=account:read", "admin"))
        with opened(world.settings) as database, database.writing():
            notes = [sent("POST", "/v1/accounts/ana/notes", "admin", json={"text": "x"}) for _ in range(THREADS)]
            waiting = [asyncio.create_task(client.send(one)) for one in notes]
            await asyncio.sleep(0.2)
            refused = await asyncio.wait_for(client.send(sent("GET", "/v1/accounts", "sender")), 10)
            assert not any(one.done() for one in waiting)
        return refused.status_code, [one.status_code for one in await asyncio.gather(*waiting)]

    client = httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url="http://octroi", trust_env=False)
    assert asyncio.run(asked()) == (403, [201] * THREADS)


def test_a_database_that_cannot_be_used_makes_no_key_unknown(world: Api) -> None:
    with sqlite3.connect(world.settings.data_dir / "control.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    with client_of(make_app(world.settings, Gate(world.settings), version="1")) as client:
        headers = {"Authorization": f"Bearer {world.tokens['admin']}"}
        answer = client.request("GET", "/v1/accounts", headers=headers)
        assert problem(answer) == (503, "unavailable")
        assert answer.headers["retry-after"] == "5"
        nobody = client.request("GET", "/v1/accounts", headers={"Authorization": "Bearer x"})
        assert problem(nobody) == (401, "unauthorized")


def test_a_key_that_expires_makes_none_that_opens_for_longer(world: Api) -> None:
    at = "2998-01-01T00:00:00Z"
    made = world.ask("POST", "/v1/keys", {"name": "short", "roles": ["admin"], "expires_at": at})
    world.tokens["short"] = made.json()["key"]
    body = {"name": "heir", "roles": ["sender"]}
    for more in ({}, {"expires_at": "2998-01-01T00:00:00.000001Z"}):
        assert problem(world.ask("POST", "/v1/keys", body | more, "short")) == (422, "refused")
    assert world.ask("POST", "/v1/keys", body | {"expires_at": at}, "short").status_code == 201


def test_no_address_sends_keys_elsewhere(world: Api) -> None:
    assert problem(world.ask("GET", "/v1/accounts/")) == (404, "not-found")
    assert problem(world.ask("POST", "/v1/accounts/", {}, Host="elsewhere")) == (404, "not-found")


def test_a_limited_key_sells_nothing_that_others_have(world: Api) -> None:
    family = {"code": "bob-2", "account": "bob-ba", "offer": "mobile", "group": "bobs"}
    assert world.ask("POST", "/v1/subscriptions", family).status_code == 201
    line = {"code": "ana-2", "account": "ana-ba", "offer": "mobile"}
    for more in (
        {"access_points": [{"id": "+33-bob"}]},
        {"access_points": [{"id": "+33-bob", "end": "2001-01-01T00:00:00Z"}]},
        {"group": "bobs"},
    ):
        assert problem(world.ask("POST", "/v1/subscriptions", line | more, "limited")) == (422, "refused")
    more = {"access_points": [{"id": "+33-ana-2"}], "group": "anas"}
    assert world.ask("POST", "/v1/subscriptions", line | more, "limited").status_code == 201


def test_only_so_many_requests_are_on_their_way(world: Api) -> None:
    most = 8
    app = make_app(
        world.settings.model_copy(update={"http_waiting_requests_max": most}), Gate(world.settings), version="1"
    )
    headers = {"Authorization": f"Bearer {world.tokens['admin']}"}

    async def asked() -> list[int]:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://octroi", trust_env=False)
        await client.get("/v1/accounts", headers=headers)  # who asks is known from here on
        with opened(world.settings) as database, database.writing():
            sent = [
                asyncio.create_task(client.post("/v1/accounts/ana/notes", headers=headers, json={"text": "x"}))
                for _ in range(most + 3)
            ]
            await asyncio.sleep(0.5)
            done = [one.result() for one in sent if one.done()]
            assert [problem(one) for one in done] == [(429, "too-many-requests")] * 3
        return [one.status_code for one in await asyncio.gather(*sent)]

    assert sorted(asyncio.run(asked())) == [201] * most + [429] * 3
