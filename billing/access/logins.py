"""Writes and reads of users: who may log in, whether they did, and what that began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from billing.access import second_factor
from billing.access.permissions import ROLES, Policies, UnableToGrant, check_roles
from billing.access.store import keys as key_store
from billing.access.store import users as store
from billing.access.store.changes import ChangedMeanwhile, Changes
from billing.access.store.database import Database
from billing.access.users import (
    RESET,
    SESSION,
    SESSIONS_MAX,
    USER,
    Attempts,
    Reset,
    Session,
    User,
    check_name,
    digest_of,
    is_same,
    read_token,
    token_of,
    tried,
)

ACCOUNTS_MAX = 1000
KEPT_US = 30 * 86_400_000_000
"""How long sessions and tokens are kept after their end."""
NOBODY = "-"
"""Whose attempts those are that name nobody."""


def add_user(changes: Changes, name: str, *, roles: Sequence[str], accounts: Sequence[str] | None = None) -> User:
    """Keep a new user, who has no password yet.

    Args:
        roles: codes. accounts: ids of accounts that they are limited to, which the room above has found.

    Raises:
        UnableToGrant: when there is such a user, or a role is unknown.
    """
    check_name(name)
    _check(changes, roles, accounts)
    if store.find_user(changes.connection, name) is not None:
        raise UnableToGrant(f"there is a user {name} already")
    user = User(
        changes.ids.new(USER),
        name,
        tuple(dict.fromkeys(roles)),
        None if accounts is None else tuple(dict.fromkeys(accounts)),
        None,
        None,
        None,
        changes.recorded_at,
        None,
    )
    store.insert_user(changes, user)
    return user


def _check(changes: Changes, roles: Sequence[str], accounts: Sequence[str] | None) -> None:
    check_roles(roles, {**ROLES, **key_store.roles(changes.connection)})
    if len(accounts or ()) > ACCOUNTS_MAX:
        raise UnableToGrant(f"a user is limited to at most {ACCOUNTS_MAX} accounts")


def find_user(database: Database, named: str) -> User:
    """Return a user by name or id.

    Raises:
        UnableToGrant: when there is none.
    """
    with database.reading() as connection:
        user = store.find_user(connection, named)
    if user is None:
        raise UnableToGrant(f"there is no user {named}")
    return user


def list_users(database: Database, *, after: str = "", limit: int = 1000) -> list[tuple[User, Attempts]]:
    """Return users with how their logins went, the first one first, behind the id `after`."""
    with database.reading() as connection:
        return [(one, store.attempts(connection, one.id)) for one in store.users(connection, after=after, limit=limit)]


def has_users(database: Database) -> bool:
    """Return whether somebody may log in."""
    with database.reading() as connection:
        return bool(store.users(connection, limit=1))


def change_user(changes: Changes, user: User, **becomes: Any) -> User:
    """Change `roles`, `accounts` or `disabled` of a user as they were read; who is disabled is logged out.

    Raises:
        UnableToGrant: when a role is unknown.
        ChangedMeanwhile: when they are something else by now.
    """
    roles, accounts = becomes.get("roles", user.roles), becomes.get("accounts", user.accounts)
    _check(changes, roles, accounts)
    disabled_at = user.disabled_at
    if "disabled" in becomes and becomes["disabled"] != (user.disabled_at is not None):
        disabled_at = changes.recorded_at if becomes["disabled"] else None
    new = replace(user, roles=tuple(roles), accounts=accounts and tuple(accounts), disabled_at=disabled_at)
    row = store.to_row_user(new)
    store.update_user(changes, user, **{name: row[name] for name in ("roles", "accounts", "disabled_at")})
    if disabled_at is not None:
        store.end_resets(changes, user.id)
        end_all(changes, user)
    found = store.select_user(changes.connection, user.id)
    assert found is not None
    return found


def remove_user(changes: Changes, user: User) -> None:
    """Remove a user, and log them out."""
    store.delete_user(changes, user)


def issue_reset(
    changes: Changes, user: User, *, secret: bytes, lifetime_us: int, drop_factor: bool = False
) -> tuple[Reset, str]:
    """Keep a token that sets a user's password once; return it, and what they send, which is not kept.

    Tokens before it set nothing any more. With `drop_factor` no code is asked for from now on: for who lost everything.

    Raises:
        UnableToGrant: when the user is disabled.
    """
    if user.disabled_at is not None:
        raise UnableToGrant(f"the user {user.name} is disabled")
    identifier = changes.ids.new(RESET)
    token = token_of(identifier, secret)
    at = changes.recorded_at
    digest = digest_of(token.partition(".")[2])
    reset = Reset(identifier, user.id, digest, at, at + lifetime_us, None)
    store.insert_reset(changes, reset)
    if drop_factor and user.factor is not None:
        remove_factor(changes, user)
        end_all(changes, user)
    return reset, token


def reset_of(database: Database, token: str, now: int) -> tuple[Reset, User] | None:
    """Return the token that somebody sends, and whose password it sets; None when it sets none."""
    read = read_token(token, RESET)
    if read is None:
        return None
    with database.reading() as connection:
        reset = store.select_reset(connection, read[0])
        user = None if reset is None else store.select_user(connection, reset.user_id)
    if not is_same(None if reset is None else reset.secret_sha256, read[1]) or reset is None or user is None:
        return None
    if reset.used_at is not None or now >= reset.expires_at or user.disabled_at is not None:
        return None
    return reset, user


def redeem(changes: Changes, reset: Reset, user: User, password_hash: str) -> None:
    """Set a password by a token, as both were read: it sets none any more, every session ends, and locks are lifted.

    Raises:
        ChangedMeanwhile: when one of them is something else by now, such as a token that was used.
    """
    store.use_reset(changes, reset)
    set_password(changes, user, password_hash)
    known = store.attempts(changes.connection, user.id)
    store.set_attempts(changes.connection, user.id, replace(known, failures=0, locked_until=0, refused=0))


def set_password(changes: Changes, user: User, password_hash: str) -> None:
    """Keep a password of a user as they were read, and end every session.

    Raises:
        ChangedMeanwhile: when they are something else by now.
    """
    store.update_user(changes, user, password_hash=password_hash)
    store.end_resets(changes, user.id)
    end_all(changes, user)


def attempted(database: Database, named: str, now: int) -> tuple[User | None, bool]:
    """Count an attempt of somebody; return who they are, and whether it may be looked at.

    Known or not, locked or not: the same is read and written, so that it takes the same time.
    """
    with database.writing() as connection:
        user = store.find_user(connection, named)
        who = NOBODY if user is None else user.id
        free, known = tried(store.attempts(connection, who), now)
        store.set_attempts(connection, who, known)
    return user, free and user is not None


def passes_factor(changes: Changes, user: User, code: str, key: bytes) -> bool:
    """Return whether a code is one of a user's telephone or a recovery code; it opens nothing any more then.

    Raises:
        UnableToUnseal: when the secret was sealed by another installation.
    """
    assert user.factor is not None
    known = store.attempts(changes.connection, user.id)
    secret = second_factor.unsealed(user.factor, key, user.id)
    step = second_factor.step_of(secret, code.strip(), changes.recorded_at, known.step)
    if step is not None:
        store.set_attempts(changes.connection, user.id, replace(known, step=step))
        return True
    return store.use_code(changes, user.id, second_factor.recovery_digest(code, key, user.id))


def unchanged(changes: Changes, user: User) -> User:
    """Return a user whose password, factor and end are what they were when they were read; codes that opened count for nothing.

    Raises:
        ChangedMeanwhile: when they are not.
    """
    found = store.select_user(changes.connection, user.id)
    if found is None or replace(found, roles=user.roles, accounts=user.accounts, revision=user.revision) != user:
        raise ChangedMeanwhile(f"the user {user.name} was changed meanwhile")
    return found


def require_factor(user: User) -> None:
    """Check that a user has a second factor.

    Raises:
        UnableToGrant: when they have none.
    """
    if not user.has_factor:
        raise UnableToGrant("there is no second factor")


def keep_hash(changes: Changes, user: User, password_hash: str) -> None:
    """Keep the same password at another cost."""
    store.update_user(changes, user, password_hash=password_hash)


def proven(changes: Changes, user: User) -> None:
    """Forget the failures of a user who has proven who they are."""
    known = store.attempts(changes.connection, user.id)
    at = changes.recorded_at
    store.set_attempts(
        changes.connection, user.id, replace(known, failures=0, locked_until=0, refused=0, succeeded_at=at)
    )


def uncounted(connection: Any, user: User) -> None:
    """Take back the count of an attempt whose password was right and that told no code; guesses before it still count.

    Its lock is its own: where one is due before it, it is not looked at.
    """
    known = store.attempts(connection, user.id)
    failures = max(0, known.failures - 1)
    store.set_attempts(connection, user.id, replace(known, failures=failures, locked_until=0))


def start_session(
    changes: Changes, user: User, *, secret: bytes, lifetime_us: int, before: Session | None = None
) -> tuple[Session, str]:
    """Keep a new session; return it, and what a browser keeps, which is not kept here.

    Args:
        before: the one that the browser had, which ends: what somebody planted there opens nothing after a login.
    """
    store.drop_sessions(changes, changes.recorded_at - KEPT_US)
    held = [one for one in store.sessions(changes.connection, user.id) if before is None or one.id != before.id]
    store.end_sessions(changes, held[: max(0, len(held) - SESSIONS_MAX + 1)])
    if before is not None and before.ended_at is None:
        store.end_sessions(changes, [before])
    identifier = changes.ids.new(SESSION)
    token = token_of(identifier, secret)
    at = changes.recorded_at
    session = Session(identifier, user.id, digest_of(token.partition(".")[2]), at, at + lifetime_us, None)
    store.insert_session(changes, session)
    return session, token


def session_of(database: Database, token: str, now: int, idle_us: int) -> tuple[Session, User, Policies] | None:
    """Return the open session of a token, whose it is, and the policies of now; None when it opens nothing."""
    read = read_token(token, SESSION)
    if read is None:
        return None
    with database.reading() as connection:
        session = store.select_session(connection, read[0])
        if not is_same(None if session is None else session.secret_sha256, read[1]) or session is None:
            return None
        user = store.select_user(connection, session.user_id)
        if user is None or user.disabled_at is not None or not session.is_open(now, idle_us):
            return None
        return session, user, Policies({**ROLES, **key_store.roles(connection)})


def open_sessions(database: Database, user: str, now: int, idle_us: int) -> list[Session]:
    """Return a user's sessions that open, oldest first."""
    with database.reading() as connection:
        return [one for one in store.sessions(connection, user) if one.is_open(now, idle_us)]


def end_session(changes: Changes, user: str, identifier: str) -> bool:
    """End a session of a user; return whether there was one of theirs."""
    session = store.select_session(changes.connection, identifier)
    if session is None or session.user_id != user or session.ended_at is not None:
        return False
    store.end_sessions(changes, [session])
    return True


def end_all(changes: Changes, user: User) -> None:
    """End every session of a user."""
    store.end_sessions(changes, store.sessions(changes.connection, user.id))


def note_use(database: Database, session: Session, now: int) -> None:
    """Keep when a session was used last."""
    with database.writing() as connection:
        if store.select_session(connection, session.id) is not None:
            store.note_session(connection, session.id, now)


def begin_factor(changes: Changes, user: User, sealed: str) -> None:
    """Keep the sealed secret of a telephone that is yet to show that it has it.

    Raises:
        UnableToGrant: when the user has a second factor.
    """
    if user.has_factor:
        raise UnableToGrant("there is a second factor already: remove it first")
    store.update_user(changes, user, factor=sealed, factor_since=None)
    known = store.attempts(changes.connection, user.id)
    store.set_attempts(changes.connection, user.id, replace(known, step=0))  # of another secret


def confirm_factor(changes: Changes, user: User, code: str, key: bytes, codes: Sequence[str]) -> bool:
    """Ask for codes from now on, when a code shows that the telephone has the secret; return whether it did.

    Args:
        codes: recovery codes, which are kept as digests.

    Raises:
        UnableToGrant: when none was begun.
    """
    if user.factor is None or user.has_factor:
        raise UnableToGrant("there is no second factor that waits for its first code")
    secret = second_factor.unsealed(user.factor, key, user.id)
    known = store.attempts(changes.connection, user.id)
    step = second_factor.step_of(secret, code.strip(), changes.recorded_at, known.step)
    if step is None:
        return False
    store.set_attempts(changes.connection, user.id, replace(known, step=step))
    store.update_user(changes, user, factor_since=changes.recorded_at)
    renew_codes(changes, user, key, codes)
    return True


def renew_codes(changes: Changes, user: User, key: bytes, codes: Sequence[str]) -> None:
    """Keep other recovery codes in the place of those that a user has."""
    store.set_codes(changes, user.id, [second_factor.recovery_digest(one, key, user.id) for one in codes])


def remove_factor(changes: Changes, user: User) -> None:
    """Ask a user for no codes any more."""
    store.update_user(changes, user, factor=None, factor_since=None)
    store.set_codes(changes, user.id, [])


def codes_left(database: Database, user: str) -> int:
    """Return how many recovery codes a user has left."""
    with database.reading() as connection:
        return store.codes_left(connection, user)
