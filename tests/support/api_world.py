"""The HTTP interface in this process, before the database of a tenant with a few customers, and keys of all kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from apps.api.app import make_app
from apps.api.gate import Gate
from apps.control.keys import new_key
from apps.control.places import business, create, opened
from apps.settings import Settings
from billing.accounts.models import Account
from billing.accounts.operations import add_account, add_all_levels
from billing.accounts.queries import list_accounts
from billing.subscriptions.models import Subscription
from billing.subscriptions.operations import add_subscription

CHEAP: dict[str, Any] = {
    "password_passes": 1, "password_memory_kib": 8, "http_address_rate": 10**6, "http_user_rate": 10**6,
}  # fmt: skip
"""A guess of a password costs nearly nothing in tests, and they may ask as often as they like."""
ROLES = ("admin", "care", "viewer", "auditor", "sender", "charger")


class Client:
    """Asks an application in this process, one request after another."""

    def __init__(self, app: FastAPI) -> None:
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://octroi", trust_env=False
        )

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request."""
        return self._runner.run(self._client.request(method, path, **more))

    def close(self) -> None:
        """Let go of it."""
        self._runner.run(self._client.aclose())
        self._runner.close()


@contextmanager
def client_of(app: FastAPI) -> Iterator[Client]:
    """Yield what asks an application."""
    client = Client(app)
    try:
        yield client
    finally:
        client.close()


@dataclass
class Api:
    """An application and its keys: one by role, and one of Ana's care by `limited`."""

    app: FastAPI
    client: Client
    settings: Settings
    ids: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, key: str = "admin", **headers: str) -> Any:
        """Send a request with a key; headers are named with _ for -."""
        given = {"Authorization": f"Bearer {self.tokens[key]}"} | {
            name.replace("_", "-"): one for name, one in headers.items()
        }
        return self.client.request(method, path, headers=given, **({} if body is None else {"json": body}))


@contextmanager
def api(data: Path, code: str = "main", **more: Any) -> Iterator[Api]:
    """Yield the interface of a tenant: Acme sells to Ana and Bob, both on all levels, and Ana has a line."""
    settings = Settings(data_dir=data, tenant=code, **(CHEAP | more))
    create(settings, code, code, "test")
    with business(settings, None, "test") as (_, changes):
        add_account(
            changes, Account.model_validate({"kind": "seller", "code": "acme", "currency": "EUR"}), reseller_levels=1
        )
        for name in ("ana", "bob"):
            customer = Account.model_validate(
                {"kind": "customer", "code": name, "parent": "acme", "name": name.title()}
            )
            add_all_levels(changes, customer, reseller_levels=1)
            line = {
                "code": f"{name}-line",
                "account": f"{name}-ba",
                "offer": "mobile",
                "access_points": [{"id": f"+33-{name}"}],
            }
            add_subscription(changes, Subscription.model_validate(line), activate=True)
    with opened(settings) as database:
        ids = {row["code"]: row["id"] for row in list_accounts(database)}
    app = make_app(settings, Gate(settings), version="1")
    with client_of(app) as client:
        found = Api(app, client, settings, ids)
        for name, role, accounts in [(role, role, []) for role in ROLES] + [
            ("limited", "care", ["ana"]),
            ("boss", "admin", ["ana"]),
        ]:
            _, found.tokens[name] = new_key(
                settings, None, "test", name, roles=[role], accounts=accounts, sources=[], expires_at=None
            )
        yield found
