"""Users of a tenant: logging in, passwords and second factors, with the chance and the clock of this machine.

Whoever asks learns from no answer, and from no answer's time, whether there is a user of a name: an attempt is counted and a
password is compared in any case.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from apps.clock import now_us
from apps.control.places import making, opened, place_of
from apps.settings import Settings
from billing.access import logins
from billing.access.passwords import (
    SALT_BYTES,
    PasswordCost,
    check_password,
    hashed_password,
    is_outdated,
    is_password,
)
from billing.access.permissions import UnableToGrant
from billing.access.second_factor import (
    NONCE_BYTES,
    RECOVERY_BYTES,
    RECOVERY_CODES,
    address_of,
    recovery_codes,
    sealed,
    sealing_key,
)
from billing.access.second_factor import SECRET_BYTES as FACTOR_BYTES
from billing.access.store.changes import ChangedMeanwhile
from billing.access.store.database import Database, UnknownTenant
from billing.access.users import SECRET_BYTES, Session, User
from billing.accounts.queries import chain_of_ids

_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000


class NotProven(Exception):
    """Name, password or code are not right, or too many were not: which of these is not said."""


class CodeNeeded(Exception):
    """The password is right, and a code of the second factor is needed."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session that began, whose it is, and what the browser keeps."""

    user: User
    session: Session
    token: str


def cost_of(settings: Settings) -> PasswordCost:
    """Return what a guess costs."""
    return PasswordCost(settings.password_passes, settings.password_memory_kib)


def idle_us(settings: Settings) -> int:
    """Return how long a session may be left alone, microseconds."""
    return settings.session_idle_minutes * _MINUTE_US


@lru_cache(maxsize=4)
def _nobodys(cost: PasswordCost) -> str:
    """Return what is compared for names that nobody has: the hash of what nobody knows."""
    return hashed_password(secrets.token_urlsafe(32), secrets.token_bytes(SALT_BYTES), cost)


def kept_of(settings: Settings, password: str) -> str:
    """Return what is kept of a password; it takes as long as a guess costs."""
    return hashed_password(password, secrets.token_bytes(SALT_BYTES), cost_of(settings))


def key_of(settings: Settings) -> bytes:
    """Return the key that seals second factors; it is not in the database."""
    return sealing_key(place_of(settings).directory.secret())


def _compared(settings: Settings, database: Database, named: str, password: str) -> User:
    """Return a user whose password this is; the attempt counts as failed until `proven`.

    Raises:
        NotProven: when it is not, or attempts are not looked at for now.
    """
    user, looked_at = logins.attempted(database, named, now_us())
    held = None if user is None else user.password_hash
    right = is_password(held or _nobodys(cost_of(settings)), password)
    if user is None or held is None or not looked_at or not right or user.disabled_at is not None:
        raise NotProven
    return user


def log_in(
    settings: Settings, database: Database, named: str, password: str, code: str | None, before: str | None
) -> LoggedIn:
    """Begin a session of who knows a password and, with a second factor, a code.

    Args:
        before: the cookie that the browser sent: its session ends.

    Raises:
        NotProven: when they do not.
        CodeNeeded: when a code is missing.
    """
    user = _compared(settings, database, named.lower(), password)
    fresh = kept_of(settings, password) if is_outdated(user.password_hash or "", cost_of(settings)) else None
    if user.has_factor and code is None:
        with database.writing() as connection:
            logins.uncounted(connection, user)
        raise CodeNeeded
    held = None if before is None else logins.session_of(database, before, now_us(), idle_us(settings))
    with making(database, f"user {user.name}") as changes:
        now = logins.unchanged(changes, user)
        if user.has_factor:
            assert code is not None
            if not logins.passes_factor(changes, user, code, key_of(settings)):
                raise NotProven
        logins.proven(changes, user)
        if fresh is not None:
            logins.keep_hash(changes, now, fresh)
        lifetime = settings.session_hours * _HOUR_US
        session, token = logins.start_session(
            changes,
            user,
            secret=secrets.token_bytes(SECRET_BYTES),
            lifetime_us=lifetime,
            before=None if held is None else held[0],
        )
    return LoggedIn(user, session, token)


def set_password(settings: Settings, database: Database, token: str, password: str) -> User:
    """Set a password by a token, once; no session is left.

    Raises:
        NotProven: when the token sets none.
        UnableToSetPassword: when the password is too easily guessed; the token still sets another one.
    """
    found = logins.reset_of(database, token, now_us())
    if found is None:
        raise NotProven
    reset, user = found
    check_password(password, user.name)
    kept = kept_of(settings, password)
    try:
        with making(database, f"user {user.name}") as changes:
            logins.redeem(changes, reset, user, kept)
    except ChangedMeanwhile as error:  # the token was used, or the user was changed
        raise NotProven from error
    return user


def change_password(settings: Settings, database: Database, user: User, password: str, new: str) -> LoggedIn:
    """Change the password of who is logged in and knows the one before; every session ends, and another one begins.

    Raises:
        NotProven: when they do not know it.
        UnableToSetPassword: when the new one is too easily guessed.
    """
    check_password(new, user.name)
    found = _compared(settings, database, user.id, password)
    kept = kept_of(settings, new)
    with making(database, f"user {user.name}") as changes:
        logins.set_password(changes, found, kept)
        if found.has_factor:  # or who knows the password alone could guess codes without end
            logins.uncounted(changes.connection, found)
        else:
            logins.proven(changes, found)
        session, token = logins.start_session(
            changes,
            found,
            secret=secrets.token_bytes(SECRET_BYTES),
            lifetime_us=settings.session_hours * _HOUR_US,
        )
    return LoggedIn(found, session, token)


def begin_factor(settings: Settings, database: Database, user: User, password: str) -> tuple[str, str]:
    """Begin a second factor of who knows their password; return its secret (base32) and an address, shown once.

    Raises:
        NotProven: when they do not know it.
        UnableToGrant: when there is one already.
    """
    found = _compared(settings, database, user.id, password)
    secret = secrets.token_bytes(FACTOR_BYTES)
    text = sealed(secret, key_of(settings), secrets.token_bytes(NONCE_BYTES), found.id)
    with making(database, f"user {found.name}") as changes:
        logins.begin_factor(changes, found, text)
        logins.proven(changes, found)
    return base64.b32encode(secret).decode(), address_of(secret, found.name, settings.tenant)


def confirm_factor(settings: Settings, database: Database, user: User, code: str) -> list[str]:
    """Ask for codes from now on; return recovery codes, shown once.

    Raises:
        NotProven: when the code is not right.
        UnableToGrant: when none was begun.
    """
    codes = new_codes()
    if user.factor is None:  # or asking for nothing would be counted as guessing
        raise UnableToGrant("no second factor was begun")
    found, looked_at = logins.attempted(database, user.id, now_us())  # or a stolen session could try all codes
    if found is None or not looked_at:
        raise NotProven
    with making(database, f"user {found.name}") as changes:
        if not logins.confirm_factor(changes, found, code, key_of(settings), codes):
            raise NotProven
        logins.proven(changes, found)
    return codes


def remove_factor(settings: Settings, database: Database, user: User, password: str, code: str) -> None:
    """Ask for no codes any more, of who knows password and code.

    Raises:
        NotProven: when they do not.
        UnableToGrant: when there is no second factor.
    """
    _with_code(settings, database, user, password, code, logins.remove_factor)


def renew_codes(settings: Settings, database: Database, user: User, password: str, code: str) -> list[str]:
    """Return other recovery codes, for who knows password and code; those before open nothing any more.

    Raises:
        NotProven: when they do not.
        UnableToGrant: when there is no second factor.
    """
    codes, key = new_codes(), key_of(settings)
    _with_code(
        settings, database, user, password, code, lambda changes, found: logins.renew_codes(changes, found, key, codes)
    )
    return codes


def _with_code(
    settings: Settings, database: Database, user: User, password: str, code: str, act: Callable[..., None]
) -> None:
    found = _compared(settings, database, user.id, password)
    with making(database, f"user {found.name}") as changes:
        logins.require_factor(found)
        if not logins.passes_factor(changes, found, code, key_of(settings)):
            raise NotProven
        logins.proven(changes, found)
        act(changes, logins.unchanged(changes, found))


def new_codes() -> list[str]:
    """Return recovery codes of this machine's chance."""
    return recovery_codes(secrets.token_bytes(RECOVERY_CODES * RECOVERY_BYTES))


# ---- what whoever runs the installation does


def has_users(settings: Settings) -> bool:
    """Return whether the tenant of the settings has a user; False where it has no database.

    Raises:
        UnableToOpenDatabase: when its database does not answer, or is of another version.
    """
    try:
        with opened(settings) as database:
            return logins.has_users(database)
    except UnknownTenant:
        return False


def new_user(
    settings: Settings, tenant: str | None, by: str | None, name: str, *, roles: Sequence[str], accounts: Sequence[str]
) -> tuple[User, str]:
    """Make a user, also of a suspended tenant; return them, and the token with which they set their password.

    Args:
        accounts: by code, id or external id; none: they are limited to nothing.

    Raises:
        UnableToGrant, UnableToKeepAccount: when it cannot be.
    """
    with opened(settings, tenant) as database:
        limited = [chain_of_ids(database, account)[0] for account in accounts]
        with making(database, by) as changes:
            user = logins.add_user(changes, name, roles=roles, accounts=limited or None)
            _, token = logins.issue_reset(
                changes,
                user,
                secret=secrets.token_bytes(SECRET_BYTES),
                lifetime_us=settings.password_reset_hours * _HOUR_US,
            )
    return user, token


def change_user(settings: Settings, tenant: str | None, by: str | None, named: str, **becomes: Any) -> User:
    """Change `roles` of a user, or whether they are `disabled`; who is disabled is logged out, here and on servers that run.

    Whoever runs the installation may do all that anybody may, so nobody here may do more than they.

    Raises:
        UnableToGrant: when there is no such user, or a role is unknown.
    """
    with opened(settings, tenant) as database:
        user = logins.find_user(database, named)
        with making(database, by) as changes:
            return logins.change_user(changes, user, **becomes)


def reset_user(
    settings: Settings, tenant: str | None, by: str | None, named: str, *, drop_factor: bool
) -> tuple[User, str]:
    """Return a token with which a user sets a new password; with `drop_factor` no code is asked for from now on.

    Raises:
        UnableToGrant: when there is no such user, or they are disabled.
    """
    with opened(settings, tenant) as database:
        user = logins.find_user(database, named)
        with making(database, by) as changes:
            _, token = logins.issue_reset(
                changes,
                user,
                secret=secrets.token_bytes(SECRET_BYTES),
                lifetime_us=settings.password_reset_hours * _HOUR_US,
                drop_factor=drop_factor,
            )
    return user, token
