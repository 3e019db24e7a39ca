"""Users in a database, on SQLite and on PostgreSQL: attempts at once, tokens, sessions, removal, and what the audit log has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from control_world import NOW, Databases, made

from billing.access import logins
from billing.access.permissions import UnableToGrant
from billing.access.queries import audit_log
from billing.access.second_factor import sealed, sealing_key
from billing.access.store.changes import ChangedMeanwhile
from billing.access.store.copying import copy_database
from billing.access.store.database import Database
from billing.access.users import FREE_FAILURES, SECRET_BYTES, User

SECRET = bytes(range(SECRET_BYTES))
HOUR = 3_600_000_000


def made_user(database: Database, name: str = "ana") -> User:
    with made(database) as changes:
        return logins.add_user(changes, name, roles=["care", "care"], accounts=["cus_1"])


def test_guesses_at_once_are_no_more_than_one_after_another(databases: Databases) -> None:
    database = databases.tenant()
    user = made_user(database)
    with ThreadPoolExecutor(8) as threads:
        looked_at = list(threads.map(lambda _: logins.attempted(database, "ana", NOW)[1], range(3 * FREE_FAILURES)))
    assert sum(looked_at) == FREE_FAILURES
    ((_, known),) = logins.list_users(database)
    assert (known.failures, known.refused) == (FREE_FAILURES, 2 * FREE_FAILURES)
    assert logins.attempted(database, user.id, known.locked_until - 1) == (user, False)
    assert logins.attempted(database, "ana", known.locked_until) == (user, True)
    assert logins.attempted(database, "bob", NOW) == (None, False)
    with made(database, known.locked_until) as changes:
        logins.proven(changes, user)
    ((_, after),) = logins.list_users(database)
    assert (after.failures, after.locked_until, after.succeeded_at) == (0, 0, known.locked_until)


def test_a_token_is_used_once_even_at_once(databases: Databases) -> None:
    database = databases.tenant()
    user = made_user(database)
    with made(database) as changes:
        _, token = logins.issue_reset(changes, user, secret=SECRET, lifetime_us=HOUR)
    assert logins.reset_of(database, token, NOW + HOUR) is None
    found = logins.reset_of(database, token, NOW + HOUR - 1)
    assert found is not None
    with made(database) as changes:
        logins.redeem(changes, *found, "$argon2id$one")
    with pytest.raises(ChangedMeanwhile), made(database) as changes:
        logins.redeem(changes, *found, "$argon2id$two")
    assert logins.find_user(database, "ana").password_hash == "$argon2id$one"
    assert logins.reset_of(database, token, NOW) is None


def test_a_session_opens_until_it_ends(databases: Databases) -> None:
    database = databases.tenant()
    user = made_user(database)
    with made(database) as changes:
        session, token = logins.start_session(changes, user, secret=SECRET, lifetime_us=10 * HOUR)
    opened = logins.session_of(database, token, NOW, HOUR)
    assert opened is not None
    assert opened[:2] == (session, user)
    assert opened[1].principal().within == {("Account", "cus_1")}
    assert logins.session_of(database, token, NOW + HOUR, HOUR) is None
    logins.note_use(database, session, NOW + HOUR - 1)
    logins.note_use(database, session, NOW + HOUR)
    assert logins.session_of(database, token, NOW + 2 * HOUR - 1, HOUR) is not None
    assert logins.session_of(database, token, NOW + 10 * HOUR, 99 * HOUR) is None
    with made(database) as changes:
        assert not logins.end_session(changes, "usr_other", session.id)
        assert logins.end_session(changes, user.id, session.id)
        assert not logins.end_session(changes, user.id, session.id)
    assert logins.session_of(database, token, NOW, HOUR) is None
    before = len(audit_log(database, entity="session"))
    with made(database, NOW + 10 * HOUR + logins.KEPT_US + 1) as changes:
        logins.start_session(changes, user, secret=SECRET, lifetime_us=HOUR)
    assert len(audit_log(database, entity="session")) == before + 1
    logins.note_use(database, session, NOW)  # it was forgotten meanwhile


def test_the_audit_log_says_who_and_no_secret(databases: Databases) -> None:
    database = databases.tenant()
    user = made_user(database)
    key = sealing_key(b"k" * 16)
    factor = sealed(b"s" * 20, key, bytes(12), user.id)
    with made(database, by="user ana") as changes:
        session, token = logins.start_session(changes, user, secret=SECRET, lifetime_us=HOUR)
        logins.set_password(changes, user, "$argon2id$v=19$m=8$abcdefgh")
        with pytest.raises(ChangedMeanwhile):
            logins.unchanged(changes, user)
    with made(database, by="user ana") as changes:
        logins.begin_factor(changes, logins.find_user(database, "ana"), factor)
    entries = audit_log(database, entity="local_user", key=user.id)
    assert [entry.deed.value for entry in entries] == ["CREATED", "CHANGED", "CHANGED"]
    told = str(audit_log(database))
    for private in ("$argon2id", factor, session.secret_sha256, token.partition(".")[2]):
        assert private not in told
    with made(database) as changes:
        logins.remove_user(changes, logins.find_user(database, "ana"))
    assert logins.list_users(database) == []
    assert audit_log(database, entity="local_user", key=user.id)[-1].deed.value == "REMOVED"
    with pytest.raises(UnableToGrant, match="no user ana"):
        logins.find_user(database, "ana")


@pytest.mark.parametrize("name", ["", "Ana", "a b", "x" * 64, "usr_01m8", "-ana", "é", "ana\n", "a/b"])
def test_what_names_no_user(databases: Databases, name: str) -> None:
    database = databases.tenant()
    with made(database) as changes, pytest.raises(UnableToGrant, match="small letters"):
        logins.add_user(changes, name, roles=["care"])


def test_users_move_with_their_database(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = databases.tenant()
    user = made_user(source)
    with made(source) as changes:
        _, token = logins.start_session(changes, user, secret=SECRET, lifetime_us=HOUR)
        logins.issue_reset(changes, user, secret=SECRET, lifetime_us=HOUR)
    logins.attempted(source, "nobody", NOW)
    target = Databases(tmp_path_factory.mktemp("copy"), None).new(source.tenant)
    copied = {one.table: one.rows for one in copy_database(source, target)}
    assert [copied[one] for one in ("local_user", "session", "password_reset", "login_attempt")] == [1, 1, 1, 1]
    assert logins.session_of(target, token, NOW, HOUR) is not None
    target.close()
