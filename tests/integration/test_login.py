"""People log in over HTTP: sessions, stolen cookies, guesses, second factors, and what nobody may ever learn."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from api_world import Api, api
from login_world import PASSWORD, Browser, Clock, Telephone, logged_in, person
from sqlalchemy import text

from apps.api import login
from apps.api.access_log import AccessLog
from apps.api.desk import Desk
from apps.api.problems import Problem
from apps.control import logins as control
from apps.control.logins import new_user, reset_user
from apps.control.places import making, opened
from billing.access import logins
from billing.access.queries import audit_log
from billing.access.store.columns import METADATA
from billing.access.users import FIRST_LOCK_US, FREE_FAILURES, LOCK_MAX_US, SESSIONS_MAX

_names = (f"user{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("login")) as found:
        yield found


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("other"), "other") as found:
        yield found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def name() -> str:
    return next(_names)


def forget(world: Api) -> None:
    """Let nothing be at hand: as FRESH_S later."""
    for route in world.app.routes:
        served = getattr(route, "endpoint", None)
        for cell in getattr(served, "__closure__", None) or ():
            keys = getattr(cell.cell_contents, "_keys", None)
            if keys is not None and hasattr(keys, "forget"):
                keys.forget()
                return
    raise AssertionError("no route has keys")


def told(answer: Any) -> tuple[int, bytes, dict[str, str]]:
    return answer.status_code, answer.content, dict(answer.headers)


# ---- sessions


def test_from_an_invitation_to_a_change_that_the_audit_log_says_who_made(world: Api, name: str) -> None:
    _, token = new_user(world.settings, None, "test", name, roles=["care"], accounts=[])
    browser = Browser(world)
    assert browser.log_in(name).status_code == 401
    assert browser.ask("POST", "/v1/password-resets", {"token": token, "password": PASSWORD}).status_code == 204
    answer = browser.log_in(name)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-octroi=")
    for attribute in ("Path=/", "HttpOnly", "SameSite=Strict", "Secure", "Max-Age=43200"):
        assert f"; {attribute}" in cookie
    assert "Domain" not in cookie
    who = browser.ask("GET", "/v1/session")
    assert (who.json()["name"], who.json()["roles"]) == (name, ["care"])
    assert who.json()["csrf_token"] == browser.proof
    assert browser.ask("GET", "/v1/accounts").status_code == 200
    assert browser.ask("GET", "/v1/keys").status_code == 403
    made = browser.ask("POST", "/v1/accounts/ana/notes", {"text": "called"})
    assert made.status_code == 201, made.text
    with opened(world.settings) as database:
        assert audit_log(database, entity="note")[-1].by == f"user {name}"


def test_a_user_is_limited_as_a_key_is(world: Api, name: str) -> None:
    browser = logged_in(world, name, "care", "ana")
    assert browser.ask("GET", "/v1/accounts/ana-ba").status_code == 200
    assert browser.ask("GET", "/v1/accounts/bob").status_code == 404
    why = browser.ask("GET", "/v1/why?action=audit:list").json()["why"]
    assert why == f"no role of the user '{name}' (care) permits audit:list"


def test_a_cookie_is_stolen(world: Api, other: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    cookie, proof = browser.cookie, browser.proof
    assert cookie is not None
    thief = Browser(world, cookie)
    refused = [
        thief.ask("POST", "/v1/accounts/ana/notes", {"text": "x"}),
        thief.ask("POST", "/v1/accounts/ana/notes", {"text": "x"}, X_CSRF_Token="0" * 64),
        thief.ask("POST", "/v1/accounts/ana/notes", {"text": "x"}, X_CSRF_Token=cookie),
        thief.ask("POST", "/v1/accounts/ana/notes", {"text": "x"}, X_CSRF_Token="é"),
        thief.ask("POST", "/v1/accounts/ana/notes", {"text": "x"}, X_CSRF_Token=logged_in(world, next(_names)).proof),
        browser.ask("POST", "/v1/accounts/ana/notes", {"text": "x"}, Sec_Fetch_Site="cross-site"),
        browser.ask("POST", "/v1/accounts/ana/notes", {"text": "x"}, Sec_Fetch_Site="same-site"),
        thief.ask("DELETE", "/v1/session"),
        thief.ask("POST", "/v1/queries/revenue", {}),
    ]
    assert {(one.status_code, one.json()["type"]) for one in refused} == {(403, "urn:octroi:problem:cross-site")}
    # who has both may do what the user may, but becomes nobody else and stays no longer: each of these needs the password
    thief.proof = proof
    for method, path, body in (
        ("PUT", "/v1/session/password", {"password": "wrong horse", "new_password": PASSWORD}),
        ("POST", "/v1/session/second-factor", {"password": "wrong horse"}),
    ):
        assert thief.ask(method, path, body).json()["type"] == "urn:octroi:problem:not-proven"
    # what is changed of it, or asked elsewhere, opens nothing
    last = "A" if cookie[-1] != "A" else "B"
    wrong = [
        cookie[:-1] + last,
        cookie[:-1],
        cookie + "A",
        cookie.lower(),
        cookie.replace(".", ""),
        "",
        "x",
        cookie[:26],
    ]
    for one in wrong:
        assert Browser(world, one).ask("GET", "/v1/session").status_code == 401, one
    assert Browser(other, cookie, proof).ask("GET", "/v1/session").status_code == 401
    assert world.client.request("GET", "/v1/session", headers={"Cookie": f"octroi={cookie}"}).status_code == 401
    # it ends with the session
    assert browser.ask("DELETE", "/v1/session").status_code == 204
    assert browser.cookie is None
    assert Browser(world, cookie, proof).ask("GET", "/v1/session").status_code == 401


def test_a_session_that_was_planted_is_not_the_one_that_a_login_begins(world: Api, name: str) -> None:
    planted = logged_in(world, next(_names))
    victim = person(world, name)
    victim.cookie, victim.proof = planted.cookie, None
    assert victim.log_in(name).status_code == 200
    assert victim.cookie != planted.cookie
    assert planted.ask("GET", "/v1/session").status_code == 401
    own = victim.cookie
    assert victim.log_in(name).status_code == 200
    assert Browser(world, own).ask("GET", "/v1/session").status_code == 401


def test_a_session_ends_when_it_is_left_alone_and_at_its_age(world: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    clock.wait(30 * 60 - 5)
    forget(world)
    assert browser.ask("GET", "/v1/session").status_code == 200
    used = logged_in(world, next(_names))
    clock.wait(30 * 60 + 5)
    forget(world)
    assert used.ask("GET", "/v1/session").status_code == 401
    lasting = logged_in(world, next(_names))
    session = lasting.ask("GET", "/v1/session").json()["id"]
    for _ in range(24):
        clock.wait(29 * 60)
        with opened(world.settings) as database:  # what a server does aside
            found = logins.session_of(database, str(lasting.cookie), clock.now(), control.idle_us(world.settings))
            assert found is not None
            assert found[0].id == session
            logins.note_use(database, found[0], clock.now())
    forget(world)
    assert lasting.ask("GET", "/v1/session").status_code == 200
    clock.wait(25 * 60)
    forget(world)
    assert lasting.ask("GET", "/v1/session").status_code == 401


def test_own_sessions_are_listed_and_ended_and_nobody_else_s(world: Api, name: str) -> None:
    first = logged_in(world, name)
    second, stranger = Browser(world), logged_in(world, next(_names))
    assert second.log_in(name).status_code == 200
    rows = first.ask("GET", "/v1/sessions").json()["data"]
    assert [row["this"] for row in rows] == [True, False]
    for identifier in (rows[1]["id"], "ses_nobody"):
        assert stranger.ask("DELETE", f"/v1/sessions/{identifier}").status_code == 404
    assert first.ask("DELETE", f"/v1/sessions/{rows[1]['id']}").status_code == 204
    assert second.ask("GET", "/v1/session").status_code == 401
    assert len(first.ask("GET", "/v1/sessions").json()["data"]) == 1
    for _ in range(SESSIONS_MAX + 2):
        assert Browser(world).log_in(name).status_code == 200
    assert first.ask("GET", "/v1/session").status_code == 401
    with opened(world.settings) as database:
        user = logins.find_user(database, name)
        found = logins.open_sessions(database, user.id, control.now_us(), control.idle_us(world.settings))
    assert len(found) == SESSIONS_MAX


def test_a_key_goes_before_a_cookie_and_needs_no_proof(world: Api, name: str) -> None:
    browser = logged_in(world, name, "viewer")
    key = f"Bearer {world.tokens['admin']}"
    answer = browser.ask("POST", "/v1/accounts/ana/notes", {"text": "x"}, Authorization=key, X_CSRF_Token=None)
    assert answer.status_code == 201
    assert browser.ask("GET", "/v1/accounts", Authorization="Bearer nobody").status_code == 401
    # one is not taken for the other, not even while it is remembered
    for method, body in (("GET", None), ("POST", {"text": "x"})):
        swapped = {"Authorization": f"Bearer {browser.cookie}"}
        path = "/v1/accounts/ana/notes"
        assert browser.ask(method, path, body, **swapped).status_code == 401
        assert Browser(world, world.tokens["admin"]).ask(method, path, body).status_code == 401
    assert world.ask("GET", "/v1/session").status_code == 401


def test_a_new_password_ends_every_other_session(world: Api, name: str) -> None:
    browser, elsewhere = logged_in(world, name), Browser(world)
    assert elsewhere.log_in(name).status_code == 200
    before = browser.cookie
    weak = browser.ask("PUT", "/v1/session/password", {"password": PASSWORD, "new_password": "password1234"})
    assert weak.status_code == 422
    assert "password1234" not in weak.text
    answer = browser.ask("PUT", "/v1/session/password", {"password": PASSWORD, "new_password": "another horse battery"})
    assert answer.status_code == 200
    assert browser.cookie != before
    assert browser.ask("GET", "/v1/session").status_code == 200
    assert elsewhere.ask("GET", "/v1/session").status_code == 401
    assert Browser(world, before).ask("GET", "/v1/session").status_code == 401
    assert Browser(world).log_in(name).status_code == 401
    assert Browser(world).log_in(name, "another horse battery").status_code == 200


# ---- tokens that set passwords


def test_a_token_sets_a_password_once_and_not_for_long(world: Api, name: str, clock: Clock) -> None:
    browser = logged_in(world, name)
    _, first = reset_user(world.settings, None, "test", name, drop_factor=False)
    _, second = reset_user(world.settings, None, "test", name, drop_factor=False)

    def reset(token: str, password: str = "yet another battery") -> int:
        return int(
            Browser(world).ask("POST", "/v1/password-resets", {"token": token, "password": password}).status_code
        )

    assert browser.ask("GET", "/v1/session").status_code == 200
    assert reset(first) == 401  # the newer one is in its place
    assert reset(second, "password1234") == 422  # and still sets a better one
    for wrong in (second[:-1] + "!", second[:26], "x", str(browser.cookie)):
        assert reset(wrong) == 401
    assert reset(second) == 204
    assert reset(second) == 401
    assert browser.ask("GET", "/v1/session").status_code == 401
    assert Browser(world).log_in(name, "yet another battery").status_code == 200
    _, late = reset_user(world.settings, None, "test", name, drop_factor=False)
    clock.wait(24 * 3600 + 1)
    assert reset(late) == 401
    _, open_ = reset_user(world.settings, None, "test", name, drop_factor=False)
    assert browser.log_in(name, "yet another battery").status_code == 200
    changed = browser.ask(
        "PUT", "/v1/session/password", {"password": "yet another battery", "new_password": "a battery of mine"}
    )
    assert changed.status_code == 200, changed.text
    assert reset(open_) == 401  # who chose a password ends what others may still hold


# ---- guesses


def test_no_answer_says_whether_there_is_a_user(world: Api, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    is_password = control.is_password

    def counted(kept: str, password: str) -> bool:
        compared.append(kept.rpartition("$")[0].rpartition("$")[0])
        return is_password(kept, password)

    monkeypatch.setattr(control, "is_password", counted)
    person(world, name)
    invited, disabled, locked = next(_names), next(_names), next(_names)
    new_user(world.settings, None, "test", invited, roles=["care"], accounts=[])
    for one in (disabled, locked):
        person(world, one)
    with opened(world.settings) as database:
        with making(database, "test") as changes:
            logins.change_user(changes, logins.find_user(database, disabled), disabled=True)
        for _ in range(FREE_FAILURES):
            logins.attempted(database, locked, control.now_us())
    tries = [(name, "wrong"), ("nobody", "wrong"), (invited, PASSWORD), (disabled, PASSWORD), (locked, PASSWORD)]
    tries += [("' OR 1=1 --", "x"), ("x" * 1024, "x"), ("ANA\u0001", "x"), (logins.NOBODY, PASSWORD)]
    answers = [told(Browser(world).log_in(*one)) for one in tries]
    assert answers[0][0] == 401
    assert all(one == answers[0] for one in answers)
    assert len(compared) == len(tries)
    assert set(compared) == {compared[0]}  # as dear, whoever it is


def test_guesses_lock_out_for_longer_and_longer(world: Api, name: str, clock: Clock) -> None:
    person(world, name)
    clock.wait(1)
    for _ in range(FREE_FAILURES):
        assert Browser(world).log_in(name, "wrong").status_code == 401
    lock_s = FIRST_LOCK_US / 1e6
    while True:
        assert Browser(world).log_in(name).status_code == 401  # the right one, too
        clock.wait(lock_s + 1)
        if lock_s * 1e6 >= LOCK_MAX_US:
            break
        assert Browser(world).log_in(name, "wrong").status_code == 401
        lock_s = min(2 * lock_s, LOCK_MAX_US / 1e6)
    assert Browser(world).log_in(name).status_code == 200
    assert Browser(world).log_in(name, "wrong").status_code == 401
    assert Browser(world).log_in(name).status_code == 200  # counted from the start again


def test_a_token_lifts_a_lock(world: Api, name: str) -> None:
    person(world, name)
    for _ in range(FREE_FAILURES):
        Browser(world).log_in(name, "wrong")
    assert Browser(world).log_in(name).status_code == 401
    _, token = reset_user(world.settings, None, "test", name, drop_factor=False)
    Browser(world).ask("POST", "/v1/password-resets", {"token": token, "password": PASSWORD})
    assert Browser(world).log_in(name).status_code == 200


def test_a_stolen_session_guesses_no_password(world: Api, name: str) -> None:
    browser = logged_in(world, name)
    for _ in range(FREE_FAILURES):
        answer = browser.ask("POST", "/v1/session/second-factor", {"password": "wrong"})
        assert answer.status_code == 401
    assert browser.ask("POST", "/v1/session/second-factor", {"password": PASSWORD}).status_code == 401


def test_few_passwords_are_compared_at_once(world: Api, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = logged_in(world, name)
    monkeypatch.setattr(login, "WAITING_MAX", 0)
    assert browser.ask("GET", "/v1/session").status_code == 200
    assert browser.ask("DELETE", "/v1/session").status_code == 204  # held up by nobody
    answer = Browser(world).log_in(name)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "2"


def test_who_is_not_known_takes_no_room_of_others(world: Api, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = logged_in(world, name)
    monkeypatch.setattr(login, "OPEN_OF_ADDRESS_MAX", 0)
    answer = Browser(world).log_in(name)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert browser.ask("GET", "/v1/session").status_code == 200
    monkeypatch.undo()
    monkeypatch.setattr(Desk, "admit", _full)  # a body is read, and refused, before there has to be room
    assert Browser(world).ask("POST", "/v1/session", {"nonsense": 1}).status_code == 429
    wrong = world.client.request("POST", "/v1/session", content=b"x", headers={"Content-Type": "text/plain"})
    assert wrong.status_code == 415


@contextmanager
def _full(desk: Desk) -> Iterator[None]:
    raise Problem("too-many-requests", "full")
    yield


def test_costs_that_rise_are_kept_at_the_next_login(world: Api, name: str) -> None:
    person(world, name)
    dearer = world.settings.model_copy(update={"password_passes": 2})
    with opened(world.settings) as database:
        control.log_in(dearer, database, name, PASSWORD, None, None)
        assert "t=2" in str(logins.find_user(database, name).password_hash)
        control.log_in(dearer, database, name.upper(), PASSWORD, None, None)


def test_a_login_that_another_site_begins_is_refused(world: Api, name: str) -> None:
    browser = person(world, name)
    body = {"name": name, "password": PASSWORD}
    assert browser.ask("POST", "/v1/session", body, Sec_Fetch_Site="cross-site").status_code == 403
    form = world.client.request(
        "POST", "/v1/session", content=b'{"name":"a","password":"b"}', headers={"Content-Type": "text/plain"}
    )
    assert form.status_code == 415  # a form of another site can send nothing else without asking first


# ---- what is kept and logged


def test_no_secret_is_kept_or_logged(world: Api, name: str, clock: Clock) -> None:
    lines: list[str] = []
    logged = replace(world, client=type(world.client)(AccessLog(world.app, lines.append, quiet=False)))  # type: ignore[arg-type]
    _, token = new_user(world.settings, None, "test", name, roles=["care"], accounts=[])
    browser = Browser(logged)
    browser.ask("POST", "/v1/password-resets", {"token": token, "password": PASSWORD})
    browser.log_in(name, "a wrong horse battery")
    browser.log_in(name)
    begun = browser.ask("POST", "/v1/session/second-factor", {"password": PASSWORD}).json()
    secret = begun["secret"]
    code = Telephone(secret, clock).code()
    codes = browser.ask("PUT", "/v1/session/second-factor", {"code": code}).json()["recovery_codes"]
    browser.ask("GET", "/v1/session")
    browser.ask("DELETE", "/v1/nothing")
    user = browser.ask("GET", "/v1/session").json()["user"]
    logged.client.close()
    assert len(lines) == 8
    assert any(f"user={user}" in line for line in lines)
    private = [PASSWORD, "a wrong horse battery", token.partition(".")[2], str(browser.cookie).partition(".")[2]]
    private += [str(browser.proof), secret, *codes, *(one.replace("-", "") for one in codes)]
    for one in [*private, name, code]:
        assert not any(one in line for line in lines), one
    with opened(world.settings) as database, database.reading() as connection:
        held = [
            str(row) for table in METADATA.tables for row in connection.execute(text(f'SELECT * FROM "{table}"')).all()
        ]
    for one in private:
        assert not any(one in row for row in held), one


def test_a_body_is_bounded_and_slow_ones_end(world: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    large = world.client.request(
        "POST",
        "/v1/session",
        content=b'{"name": "' + b"x" * (1 << 20) + b'"}',
        headers={"Content-Type": "application/json"},
    )
    assert large.status_code == 413
    deep = b'{"name": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    bomb = world.client.request("POST", "/v1/session", content=deep, headers={"Content-Type": "application/json"})
    assert bomb.status_code == 400
    monkeypatch.setattr(login, "OPEN_TIMEOUT_S", 0.01)

    async def slowly() -> Any:
        yield b'{"name"'
        await asyncio.Event().wait()

    slow = world.client.request("POST", "/v1/session", content=slowly(), headers={"Content-Type": "application/json"})
    assert slow.status_code == 408
