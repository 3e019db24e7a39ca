"""`octroi user`: what it prints, and that whoever it makes logs in."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_octroi import octroi

from apps.clock import now_us
from apps.control import logins as control
from apps.control.places import opened
from apps.settings import Settings
from billing.access import logins
from billing.access.queries import audit_log


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("users")
    octroi("tenant", "add", "main", "--data", found).ok()
    return found


def test_a_user_from_their_making_to_their_end(data: Path) -> None:
    settings = Settings(data_dir=data, password_passes=1, password_memory_kib=8)
    assert "octroi user add" in octroi("user", "list", "--data", data).ok().out
    first = octroi("user", "add", "ana", "--role", "care", "--data", data, "--json").ok().json
    token = octroi("user", "reset", "ana", "--second-factor", "--data", data).ok().out.strip()
    assert first["token"] != token
    with opened(settings) as database:
        with pytest.raises(control.NotProven):
            control.set_password(settings, database, first["token"], "correct horse battery")
        control.set_password(settings, database, token, "correct horse battery")
        begun = control.log_in(settings, database, "ana", "correct horse battery", None, None)
    (row,) = octroi("user", "list", "--data", data, "--json").ok().json
    assert (row["user"], row["status"], row["roles"], row["failures"], row["id"]) == (
        "ana",
        "ACTIVE",
        "care",
        0,
        begun.user.id,
    )
    assert row["logged_in_at"] is not None
    assert octroi("user", "add", "ana", "-r", "care", "--data", data).code == 2
    assert octroi("user", "add", "bob", "-r", "nothing", "--data", data).code == 2
    told = str(octroi("tenant", "audit", "--data", data, "--json").ok().json)
    assert token.partition(".")[2] not in told
    assert octroi("user", "remove", "ana", "--data", data).ok().out == "user ana is removed\n"
    assert octroi("user", "remove", "ana", "--data", data).code == 2
    assert octroi("user", "reset", "ana", "--data", data).code == 2


def test_what_a_user_may_do_is_changed_and_taken_away(tmp_path: Path) -> None:
    data = tmp_path
    octroi("tenant", "add", "main", "--data", data).ok()
    settings = Settings(data_dir=data, password_passes=1, password_memory_kib=8)
    token = octroi("user", "add", "cleo", "-r", "viewer", "--data", data).ok().out.strip()
    with opened(settings) as database:
        control.set_password(settings, database, token, "correct horse battery")
        begun = control.log_in(settings, database, "cleo", "correct horse battery", None, None)

        def has_session() -> tuple[str, ...] | None:
            found = logins.session_of(database, begun.token, now_us(), control.idle_us(settings))
            return None if found is None else found[1].roles

        assert has_session() == ("viewer",)
        told = octroi("user", "roles", "cleo", "-r", "care", "-r", "auditor", "--by", "eve", "--data", data).ok().out
        assert told == "user cleo has the roles care, auditor\n"
        assert has_session() == ("care", "auditor")
        assert octroi("user", "disable", begun.user.id, "--data", data, "--json").ok().json == {
            "id": begun.user.id,
            "name": "cleo",
            "status": "DISABLED",
        }
        assert has_session() is None
        with pytest.raises(control.NotProven):
            control.log_in(settings, database, "cleo", "correct horse battery", None, None)
        assert octroi("user", "reset", "cleo", "--data", data).code == 2
        assert octroi("user", "enable", "cleo", "--data", data).ok().out == "user cleo is active\n"
        assert has_session() is None
        assert control.log_in(settings, database, "cleo", "correct horse battery", None, None).user.id == begun.user.id
        by = [one.by for one in audit_log(database, entity="local_user", key=begun.user.id) if "roles" in one.before]
    assert by == ["eve"]
    assert octroi("user", "roles", "cleo", "-r", "nothing", "--data", data).code == 2
    assert octroi("user", "roles", "cleo", "--data", data).code == 2
    for command in (["roles", "nobody", "-r", "care"], ["disable", "nobody"], ["enable", "nobody"]):
        assert octroi("user", *command, "--data", data).code == 2
