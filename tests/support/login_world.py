"""People before the HTTP interface: a browser that keeps a cookie and a proof, and a clock that a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyotp
import pytest
from api_world import Api

from apps.clock import now_us
from apps.control.logins import new_user

PASSWORD = "correct horse battery"
CLOCKS = ("apps.control.logins", "apps.control.places", "apps.api.keys", "apps.api.login", "apps.api.users")


class Clock:
    """Shows the time, and how much later it is made."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.later_us = 0
        for module in CLOCKS:
            patch.setattr(f"{module}.now_us", self.now)

    def now(self) -> int:
        """The time, microseconds."""
        return now_us() + self.later_us

    def wait(self, seconds: float) -> None:
        """Let it be later."""
        self.later_us += int(seconds * 1_000_000)


@dataclass
class Browser:
    """Sends what a browser does: a cookie, and its page's proof."""

    world: Api
    cookie: str | None = None
    proof: str | None = None
    said: list[Any] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Any:
        """Send a request; headers are named with _ for -, None leaves one out."""
        given = {"Cookie": None if self.cookie is None else f"__Host-octroi={self.cookie}", "X-CSRF-Token": self.proof}
        given |= {name.replace("_", "-"): one for name, one in headers.items()}
        kept = {name: one.encode("latin-1") for name, one in given.items() if one is not None}
        more = {} if body is None else {"json": body}
        answer = self.world.client.request(method, path, headers=kept, **more)
        self._keep(answer)
        return answer

    def _keep(self, answer: Any) -> None:
        # read as it is written: a jar would keep no Secure cookie of a test's http address
        self.world.client._client.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            self.cookie = line.partition(";")[0].removeprefix("__Host-octroi=") or None
        if answer.headers.get("content-type") == "application/json" and isinstance(answer.json(), dict):
            self.proof = answer.json().get("csrf_token", self.proof)

    def log_in(self, name: str, password: str = PASSWORD, code: str | None = None) -> Any:
        """Log in."""
        body = {"name": name, "password": password} | ({} if code is None else {"code": code})
        return self.ask("POST", "/v1/session", body)


def person(world: Api, name: str, role: str = "care", *accounts: str) -> Browser:
    """Make a user who has a password, and return their browser, which has not logged in."""
    _, token = new_user(world.settings, None, "test", name, roles=[role], accounts=accounts)
    browser = Browser(world)
    assert browser.ask("POST", "/v1/password-resets", {"token": token, "password": PASSWORD}).status_code == 204
    return browser


def logged_in(world: Api, name: str, role: str = "care", *accounts: str) -> Browser:
    """Make a user, and return their browser, which has logged in."""
    browser = person(world, name, role, *accounts)
    answer = browser.log_in(name)
    assert answer.status_code == 200, answer.text
    return browser


class Telephone:
    """Shows codes, each step's once."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._totp = pyotp.TOTP(secret)
        self._clock = clock

    def code(self, *, steps: int = 0) -> str:
        """The code of now, or of so many steps later."""
        return str(self._totp.generate_otp(self._clock.now() // 30_000_000 + steps))


def with_factor(browser: Browser, clock: Clock) -> tuple[Telephone, list[str]]:
    """Give a user who has logged in a second factor; return the telephone and the recovery codes."""
    begun = browser.ask("POST", "/v1/session/second-factor", {"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    telephone = Telephone(begun.json()["secret"], clock)
    answer = browser.ask("PUT", "/v1/session/second-factor", {"code": telephone.code()})
    assert answer.status_code == 200, answer.text
    return telephone, answer.json()["recovery_codes"]
