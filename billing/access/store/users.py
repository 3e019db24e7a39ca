"""Rows of users, their sessions, tokens, recovery codes, and of how logins went."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, select

from billing.access.store.changes import Changes
from billing.access.store.columns import to_json
from billing.access.store.tables import (
    LOCAL_USER,
    LOGIN_ATTEMPT,
    PASSWORD_RESET,
    RECOVERY_CODE,
    SESSION,
    SESSION_USE,
)
from billing.access.users import Attempts, Reset, Session, User

_SESSIONS = select(SESSION, SESSION_USE.c.used_at).outerjoin(SESSION_USE, SESSION_USE.c.session_id == SESSION.c.id)


def to_row_user(user: User) -> dict[str, Any]:
    """Return the row of a user."""
    accounts = None if user.accounts is None else to_json(list(user.accounts))
    return asdict(user) | {"roles": to_json(list(user.roles)), "accounts": accounts}


def from_row_user(row: Mapping[Any, Any]) -> User:
    """Return the user of a row."""
    accounts = None if row["accounts"] is None else tuple(json.loads(row["accounts"]))
    return User(**{**row, "roles": tuple(json.loads(row["roles"])), "accounts": accounts})


def insert_user(changes: Changes, user: User) -> None:
    """Keep a new user.

    Raises:
        UnableToChange: when there is one of this name.
    """
    changes.insert(LOCAL_USER, [to_row_user(user)])


def update_user(changes: Changes, user: User, **becomes: Any) -> None:
    """Keep what a user becomes, as they were read.

    Raises:
        ChangedMeanwhile: when they are something else by now.
    """
    changes.update(LOCAL_USER, [{"id": user.id, "revision": user.revision, **becomes}])


def select_user(connection: Connection, identifier: str) -> User | None:
    """Return a user by id, None when there is none."""
    row = connection.execute(select(LOCAL_USER).where(LOCAL_USER.c.id == identifier)).mappings().first()
    return None if row is None else from_row_user(row)


def find_user(connection: Connection, named: str) -> User | None:
    """Return a user by name or id, None when there is none."""
    row = connection.execute(select(LOCAL_USER).where(LOCAL_USER.c.name == named)).mappings().first()
    return select_user(connection, named) if row is None else from_row_user(row)


def users(connection: Connection, *, after: str = "", limit: int) -> list[User]:
    """Return users, the first one first, behind the id `after`."""
    asked = select(LOCAL_USER).where(LOCAL_USER.c.id > after).order_by(LOCAL_USER.c.id).limit(limit)
    return [from_row_user(row) for row in connection.execute(asked).mappings()]


def delete_user(changes: Changes, user: User) -> None:
    """Remove a user with everything of theirs; the audit log keeps who they were."""
    for table in (SESSION, PASSWORD_RESET, RECOVERY_CODE):
        found = select(table.c.id).where(table.c.user_id == user.id)
        keys = [str(one) for one in changes.connection.execute(found).scalars()]
        if table is SESSION:  # by a question: there may be more than a statement has room for
            changes.connection.execute(SESSION_USE.delete().where(SESSION_USE.c.session_id.in_(found)))
        changes.remove(table, keys) if keys else None
    changes.connection.execute(LOGIN_ATTEMPT.delete().where(LOGIN_ATTEMPT.c.who == user.id))
    changes.remove(LOCAL_USER, [user.id])


def _to_session(row: Mapping[Any, Any]) -> Session:
    kept = {name: value for name, value in row.items() if name != "used_at"}
    return Session(**kept, seen_at=row["used_at"])


def insert_session(changes: Changes, session: Session) -> None:
    """Keep a new session."""
    row = asdict(session)
    row.pop("seen_at")
    changes.insert(SESSION, [row])


def select_session(connection: Connection, identifier: str) -> Session | None:
    """Return a session by id, None when there is none."""
    row = connection.execute(_SESSIONS.where(SESSION.c.id == identifier)).mappings().first()
    return None if row is None else _to_session(row)


def sessions(connection: Connection, user: str) -> list[Session]:
    """Return a user's sessions that were not ended, oldest first."""
    asked = _SESSIONS.where(SESSION.c.user_id == user, SESSION.c.ended_at.is_(None)).order_by(SESSION.c.id)
    return [_to_session(row) for row in connection.execute(asked).mappings()]


def end_sessions(changes: Changes, found: Sequence[Session]) -> None:
    """Keep that sessions have ended."""
    rows = [{"id": one.id, "revision": one.revision, "ended_at": changes.recorded_at} for one in found]
    changes.update(SESSION, rows)


def drop_sessions(changes: Changes, before: int) -> None:
    """Forget sessions and tokens that could open nothing since an instant: the audit log has them."""
    old = select(SESSION.c.id).where(SESSION.c.expires_at < before)
    changes.connection.execute(SESSION_USE.delete().where(SESSION_USE.c.session_id.in_(old)))
    changes.connection.execute(SESSION.delete().where(SESSION.c.expires_at < before))
    changes.connection.execute(PASSWORD_RESET.delete().where(PASSWORD_RESET.c.expires_at < before))


def note_session(connection: Connection, identifier: str, at: int) -> None:
    """Keep when a session was used last."""
    done = connection.execute(SESSION_USE.update().where(SESSION_USE.c.session_id == identifier).values(used_at=at))
    if not done.rowcount:
        connection.execute(SESSION_USE.insert(), [{"session_id": identifier, "used_at": at}])


def insert_reset(changes: Changes, reset: Reset) -> None:
    """Keep a new token, and that those before it open nothing any more."""
    end_resets(changes, reset.user_id)
    changes.insert(PASSWORD_RESET, [asdict(reset)])


def end_resets(changes: Changes, user: str) -> None:
    """Keep that a user's tokens set nothing any more."""
    asked = select(PASSWORD_RESET).where(PASSWORD_RESET.c.user_id == user, PASSWORD_RESET.c.used_at.is_(None))
    for row in changes.connection.execute(asked).mappings().all():
        use_reset(changes, Reset(**row))


def select_reset(connection: Connection, identifier: str) -> Reset | None:
    """Return a token by id, None when there is none."""
    row = connection.execute(select(PASSWORD_RESET).where(PASSWORD_RESET.c.id == identifier)).mappings().first()
    return None if row is None else Reset(**row)


def use_reset(changes: Changes, reset: Reset) -> None:
    """Keep that a token sets nothing any more."""
    changes.update(PASSWORD_RESET, [{"id": reset.id, "revision": reset.revision, "used_at": changes.recorded_at}])


def set_codes(changes: Changes, user: str, digests: Sequence[str]) -> None:
    """Keep recovery codes in the place of those that a user has."""
    held = select(RECOVERY_CODE.c.id).where(RECOVERY_CODE.c.user_id == user)
    keys = [str(one) for one in changes.connection.execute(held).scalars()]
    if keys:
        changes.remove(RECOVERY_CODE, keys)
    rows = [
        {"id": changes.ids.new("rec"), "user_id": user, "digest": one, "used_at": None, "revision": 1}
        for one in digests
    ]
    changes.insert(RECOVERY_CODE, rows)


def use_code(changes: Changes, user: str, digest: str) -> bool:
    """Return whether a recovery code opens, which it does not any more then."""
    asked = select(RECOVERY_CODE.c.id, RECOVERY_CODE.c.revision).where(
        RECOVERY_CODE.c.user_id == user, RECOVERY_CODE.c.digest == digest, RECOVERY_CODE.c.used_at.is_(None)
    )
    row = changes.connection.execute(asked).mappings().first()
    if row is None:
        return False
    changes.update(RECOVERY_CODE, [{**row, "used_at": changes.recorded_at}])
    return True


def codes_left(connection: Connection, user: str) -> int:
    """Return how many recovery codes a user has left."""
    asked = select(RECOVERY_CODE.c.id).where(RECOVERY_CODE.c.user_id == user, RECOVERY_CODE.c.used_at.is_(None))
    return len(connection.execute(asked).all())


def attempts(connection: Connection, who: str) -> Attempts:
    """Return how logins went."""
    row = connection.execute(select(LOGIN_ATTEMPT).where(LOGIN_ATTEMPT.c.who == who)).mappings().first()
    return Attempts() if row is None else Attempts(**{name: one for name, one in row.items() if name != "who"})


def set_attempts(connection: Connection, who: str, known: Attempts) -> None:
    """Keep how logins went."""
    row = asdict(known)
    done = connection.execute(LOGIN_ATTEMPT.update().where(LOGIN_ATTEMPT.c.who == who).values(**row))
    if not done.rowcount:
        connection.execute(LOGIN_ATTEMPT.insert(), [{"who": who, **row}])
