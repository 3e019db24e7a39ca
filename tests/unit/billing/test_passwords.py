"""Which passwords are taken, and what is kept of them."""

from __future__ import annotations

import pytest

from billing.access.passwords import (
    PasswordCost,
    UnableToSetPassword,
    check_password,
    hashed_password,
    is_outdated,
    is_password,
)

COST = PasswordCost(1, 8)
SALT = bytes(16)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "Zw3i Hunde bellen",
        "été à Besançon",
        "7f3kq9x2mvb8",
        "ana likes brown bread",
        "x" * 251 + "abcde",
    ],
)
def test_taken(password: str) -> None:
    check_password(password, "ana")


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("", "at least 12"),
        ("elevenchars", "at least 12"),
        ("a" * 12, "different"),
        ("abababababab", "different"),
        ("x" * 257, "at most 256"),
        ("password1234", "first that are tried"),
        ("PASSWORD!1234", "first that are tried"),
        ("motdepasse2026", "first that are tried"),
        ("qwertyuiop123", "first that are tried"),
        ("9876543210987", "first that are tried"),
        ("abcdefghijklm", "first that are tried"),
        ("correcthorsebatterystaple", "first that are tried"),
        ("ana.dupont@example.org!", "first that are tried"),
        ("ana.dupont2026", "first that are tried"),
    ],
)
def test_refused_without_repeating_it(password: str, told: str) -> None:
    with pytest.raises(UnableToSetPassword, match=told) as caught:
        check_password(password, "ana.dupont@example.org")
    assert not password or password not in str(caught.value)


def test_what_is_kept_is_argon2id_and_opens_for_its_password_alone() -> None:
    kept = hashed_password("correct horse battery", SALT, COST)
    assert kept.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert is_password(kept, "correct horse battery")
    for other in ("correct horse batterx", "", "correct horse battery ", "Correct horse battery"):
        assert not is_password(kept, other)
    assert hashed_password("correct horse battery", b"\1" * 16, COST) != kept
    assert not is_password("nothing", "nothing")
    assert not is_outdated(kept, COST)
    assert is_outdated(kept, PasswordCost(2, 8))


def test_keyboards_that_write_a_letter_in_another_way_are_one() -> None:
    assert is_password(
        hashed_password("re\u0301sume\u0301 de l\u2019e\u0301te\u0301", SALT, COST),
        "r\u00e9sum\u00e9 de l\u2019\u00e9t\u00e9",
    )
