"""People and their second factors over HTTP, and who manages users."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from api_world import Api, api
from login_world import PASSWORD, Browser, Clock, Telephone, logged_in, with_factor

from apps.api.views import instant
from apps.clock import now_us
from apps.control.logins import reset_user
from apps.control.places import making, opened
from billing.access.keys import define_role
from billing.access.permissions import Role
from billing.access.users import FREE_FAILURES

_names = (f"user{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("factors")) as found:
        yield found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def name() -> str:
    return next(_names)


# ---- second factors


def test_a_second_factor_from_its_beginning_to_its_end(world: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    telephone, codes = with_factor(browser, clock)
    assert len(set(codes)) == 10
    again = browser.ask("POST", "/v1/session/second-factor", {"password": PASSWORD})
    assert again.status_code == 422
    login_ = Browser(world)
    needed = login_.log_in(name)
    assert needed.json()["type"] == "urn:octroi:problem:code-needed"
    assert login_.cookie is None
    assert login_.log_in(name, "wrong", telephone.code(steps=1)).json()["type"] == "urn:octroi:problem:not-proven"
    assert login_.log_in(name, PASSWORD, telephone.code()).status_code == 401  # it was used to confirm
    used = telephone.code(steps=1)
    assert login_.log_in(name, PASSWORD, used).status_code == 200
    assert Browser(world).log_in(name, PASSWORD, used).status_code == 401  # replayed
    clock.wait(60)
    assert login_.log_in(name, PASSWORD, "000000x").status_code == 401
    assert login_.log_in(name, PASSWORD, telephone.code()).status_code == 200
    assert login_.log_in(name, PASSWORD, codes[0].lower()).status_code == 200
    assert login_.log_in(name, PASSWORD, codes[0]).status_code == 401
    clock.wait(60)
    fresh = login_.ask("POST", "/v1/session/recovery-codes", {"password": PASSWORD, "code": telephone.code()})
    assert fresh.status_code == 200
    assert login_.log_in(name, PASSWORD, codes[1]).status_code == 401
    assert login_.log_in(name, PASSWORD, fresh.json()["recovery_codes"][0]).status_code == 200
    clock.wait(60)
    body = {"password": PASSWORD, "code": telephone.code()}
    assert login_.ask("POST", "/v1/session/second-factor/remove", body | {"code": "1"}).status_code == 401
    assert login_.ask("POST", "/v1/session/second-factor/remove", body).status_code == 204
    assert Browser(world).log_in(name).status_code == 200
    assert login_.ask("POST", "/v1/session/second-factor/remove", body).status_code == 422


def test_codes_are_guessed_no_more_than_passwords(world: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    _, codes = with_factor(browser, clock)
    for number in range(FREE_FAILURES):
        assert Browser(world).log_in(name, PASSWORD, f"{number:06d}x").status_code == 401
    assert Browser(world).log_in(name, PASSWORD, codes[0]).status_code == 401
    # nor is the first code of a second factor that somebody else began
    other = logged_in(world, next(_names))
    begun = other.ask("POST", "/v1/session/second-factor", {"password": PASSWORD}).json()
    for number in range(FREE_FAILURES):
        assert other.ask("PUT", "/v1/session/second-factor", {"code": f"{number:06d}x"}).status_code == 401
    right = Telephone(begun["secret"], clock).code()
    assert other.ask("PUT", "/v1/session/second-factor", {"code": right}).status_code == 401


def test_guesses_of_others_keep_nobody_from_the_step_of_the_code(world: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    telephone, _ = with_factor(browser, clock)
    for _ in range(FREE_FAILURES - 1):
        assert Browser(world).log_in(name, "wrong password").status_code == 401
    for _ in range(3):
        mine = Browser(world)
        assert mine.log_in(name).json()["type"] == "urn:octroi:problem:code-needed"
    clock.wait(60)
    assert mine.log_in(name, PASSWORD, telephone.code()).status_code == 200


def test_a_new_password_forgets_no_guesses_of_codes(world: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    telephone, _ = with_factor(browser, clock)
    for number in range(FREE_FAILURES - 1):
        assert Browser(world).log_in(name, PASSWORD, f"{number:06d}x").status_code == 401
    new = "a battery of a thief"
    changed = browser.ask("PUT", "/v1/session/password", {"password": PASSWORD, "new_password": new})
    assert changed.status_code == 200, changed.text
    assert Browser(world).log_in(name, new, "000000x").status_code == 401
    clock.wait(20)
    assert Browser(world).log_in(name, new, telephone.code(steps=1)).status_code == 401  # locked


def test_a_telephone_may_be_replaced_within_a_step(world: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    _, codes = with_factor(browser, clock)
    removed = browser.ask("POST", "/v1/session/second-factor/remove", {"password": PASSWORD, "code": codes[0]})
    assert removed.status_code == 204
    with_factor(browser, clock)


def test_asking_for_a_factor_that_nobody_began_is_no_guess(world: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    for _ in range(FREE_FAILURES + 1):
        assert browser.ask("PUT", "/v1/session/second-factor", {"code": "000000"}).status_code == 422
    assert Browser(world).log_in(name).status_code == 200


def test_who_lost_everything_is_let_in_by_the_operator(world: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    with_factor(browser, clock)
    _, token = reset_user(world.settings, None, "test", name, drop_factor=True)
    assert Browser(world).ask("POST", "/v1/password-resets", {"token": token, "password": PASSWORD}).status_code == 204
    assert Browser(world).log_in(name).status_code == 200


# ---- who manages users


def test_a_key_that_expires_lets_in_nobody(world: Api, name: str) -> None:
    boss = logged_in(world, name, "admin")
    soon = instant(now_us() + 3_600_000_000)
    made = boss.ask("POST", "/v1/keys", {"name": f"soon-{name}", "roles": ["admin"], "expires_at": soon})
    assert made.status_code == 201, made.text
    key = Browser(world)
    for method, path, body in (
        ("POST", "/v1/users", {"name": next(_names), "roles": ["admin"]}),
        ("POST", f"/v1/users/{name}/reset", {}),
        ("PATCH", f"/v1/users/{name}", {"roles": ["care"]}),
        ("PUT", f"/v1/roles/more-{name}", {"description": "x", "grants": ["account:read"]}),
    ):
        answer = key.ask(method, path, body, Authorization=f"Bearer {made.json()['key']}", If_Match="*" if method == "PATCH" else None)  # fmt: skip
        assert answer.status_code == 422, (path, answer.text)
        assert "expires" in answer.json()["detail"]


def test_users_are_managed_by_nobody_who_may_do_less(world: Api, name: str) -> None:
    grants = ("user:*", "account:read")
    with opened(world.settings) as database, making(database, "test") as changes:
        define_role(changes, Role(f"staff-{name}", "x", grants))
    boss, staff = logged_in(world, name, "admin"), logged_in(world, next(_names), f"staff-{name}")
    user = boss.ask("GET", "/v1/session").json()["user"]
    for method, path, body in (
        ("POST", "/v1/users", {"name": "evil", "roles": ["admin"]}),
        ("POST", f"/v1/users/{user}/reset", {}),
        ("PATCH", f"/v1/users/{user}", {"disabled": True}),
        ("DELETE", f"/v1/users/{user}", None),
    ):
        more = {"If_Match": "*"} if method == "PATCH" else {}
        answer = staff.ask(method, path, body, **more)
        assert answer.status_code == 422, (method, answer.text)
        assert "cannot be given" in answer.json()["detail"]
    mine = staff.ask("GET", "/v1/session").json()["user"]
    assert staff.ask("PATCH", f"/v1/users/{mine}", {"roles": ["admin"]}, If_Match="*").status_code == 422
    assert boss.ask("GET", "/v1/session").status_code == 200
    made = staff.ask("POST", "/v1/users", {"name": next(_names), "roles": [f"staff-{name}"]})
    assert made.status_code == 201


def test_what_outlasts_a_session_is_made_soon_after_a_login(world: Api, name: str, clock: Clock) -> None:
    boss = logged_in(world, name, "admin")
    asks = [
        ("POST", "/v1/keys", {"name": f"key-{name}", "roles": ["care"]}),
        ("POST", "/v1/users", {"name": f"new-{name}", "roles": ["care"]}),
        ("POST", f"/v1/users/{name}/reset", {}),
        ("PATCH", f"/v1/users/{name}", {"roles": ["admin"]}),
        ("PUT", f"/v1/roles/role-{name}", {"description": "x", "grants": ["account:read"]}),
        ("DELETE", f"/v1/roles/role-{name}", None),
    ]
    clock.wait(15 * 60 + 1)
    for method, path, body in asks:
        answer = boss.ask(method, path, body, **({"If_Match": "*"} if method == "PATCH" else {}))
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:octroi:problem:login-too-old"), path
    assert boss.ask("GET", "/v1/users").status_code == 200
    assert boss.log_in(name).status_code == 200
    for method, path, body in asks:
        answer = boss.ask(method, path, body, **({"If_Match": "*"} if method == "PATCH" else {}))
        assert answer.status_code in (200, 201, 204), (path, answer.text)
        assert answer.headers["cache-control"] == "no-store"


def test_a_user_over_http(world: Api, name: str) -> None:
    boss = logged_in(world, name, "admin")
    new = next(_names)
    made = boss.ask("POST", "/v1/users", {"name": new, "roles": ["care"], "accounts": ["ana"]})
    assert made.status_code == 201
    token, user = made.json()["token"], made.json()["id"]
    assert boss.ask("POST", "/v1/users", {"name": new, "roles": ["care"]}).status_code == 422
    for wrong in (
        {"name": "Ana", "roles": ["care"]},
        {"name": user, "roles": ["care"]},
        {"name": "x", "roles": ["no"]},
    ):
        assert boss.ask("POST", "/v1/users", wrong).status_code == 422
    browser = Browser(world)
    assert browser.ask("POST", "/v1/password-resets", {"token": token, "password": PASSWORD}).status_code == 204
    assert browser.log_in(new).status_code == 200
    listed = {one["name"]: one for one in boss.ask("GET", "/v1/users?limit=1000").json()["data"]}
    assert (listed[new]["status"], listed[new]["accounts"]) == ("ACTIVE", [world.ids["ana"]])
    assert boss.ask("PATCH", f"/v1/users/{user}", {"roles": ["viewer"]}).status_code == 428
    assert boss.ask("PATCH", f"/v1/users/{user}", {"roles": ["viewer"]}, If_Match='"77"').status_code == 412
    changed = boss.ask(
        "PATCH", f"/v1/users/{user}", {"roles": ["viewer"], "accounts": None}, If_Match=f'"{listed[new]["revision"]}"'
    )
    assert (changed.json()["roles"], changed.json()["accounts"]) == (["viewer"], None)
    assert browser.ask("GET", "/v1/accounts/bob").status_code == 200
    assert boss.ask("PATCH", f"/v1/users/{user}", {"disabled": True}, If_Match="*").json()["status"] == "DISABLED"
    assert browser.ask("GET", "/v1/session").status_code == 401
    assert boss.ask("POST", f"/v1/users/{user}/reset", {}).status_code == 422
    assert boss.ask("PATCH", f"/v1/users/{user}", {"disabled": False}, If_Match="*").json()["status"] == "ACTIVE"
    assert browser.log_in(new).status_code == 200
    assert boss.ask("POST", f"/v1/users/{user}/reset", {}).status_code == 201
    assert boss.ask("DELETE", f"/v1/users/{user}").status_code == 204
    assert browser.ask("GET", "/v1/session").status_code == 401
    assert boss.ask("DELETE", f"/v1/users/{user}").status_code == 404
