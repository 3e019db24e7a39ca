"""`octroi serve` in a process of its own, and a client that sends to it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cli_calls import CATALOG, write_catalog
from cli_octroi import COMMAND, environment, until

KEY, LIMITED_KEY = "a-key-that-may-send-anything", "a-key-for-calls-only"
EVENTS = """\
---
{kind: event_type, code: traffic, unit: B}
---
kind: source
code: events
format: cloudevents
mapping:
  identity: [source, id]
  access_point: data.caller
  time: {field: time}
  quantity: {field: data.bytes}
  event_type: {constant: traffic}
---
kind: price_plan
code: traffic
currency: EUR
versions:
  - {start: "2026-01-01T00:00:00Z", model: flat, per: "1 kB", price: "0.01"}
---
{kind: charge, code: traffic, event_type: traffic, price_plan: traffic}
---
{kind: offer, code: traffic, charges: [traffic]}
---
{kind: subscription, code: traffic, account: ana, offer: traffic, access_points: [{id: "device-1"}]}
"""
HTTP_CATALOG = CATALOG + EVENTS


def api_keys() -> str:
    """The setting `api_keys`, as the environment gives it."""
    hashed = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in (("all", KEY), ("calls", LIMITED_KEY))}
    return json.dumps({"all": {"sha256": hashed["all"]}, "calls": {"sha256": hashed["calls"], "sources": ["calls"]}})


def event(identity: object, size: object = 1000, device: str = "device-1") -> dict[str, Any]:
    """One CloudEvent."""
    return {
        "specversion": "1.0",
        "id": str(identity),
        "source": "/test",
        "type": "traffic",
        "time": "2026-10-05T12:00:00Z",
        "data": {"caller": device, "bytes": size},
    }


@dataclass
class Server:
    """A server that runs."""

    data: Path
    process: subprocess.Popen[str]
    log: Path
    client: httpx.Client

    def post(
        self, body: bytes | str, kind: str, source: str | None = "calls", key: str = KEY, **headers: str
    ) -> httpx.Response:
        """Send a body."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            "/v1/events",
            params={} if source is None else {"source": source},
            content=body,
            headers={"Authorization": f"Bearer {key}", "Content-Type": kind, **given},
        )

    def post_events(self, *events: dict[str, Any], **headers: str) -> httpx.Response:
        """Send a batch of CloudEvents."""
        return self.post(json.dumps(list(events)), "application/cloudevents-batch+json", "events", **headers)


def write_http_catalog(data: Path) -> Path:
    """Write a catalog of calls and events; return the data directory."""
    return write_catalog(data, HTTP_CATALOG)


@contextmanager
def serving(data: Path, scratch: Path, *, port: int = 0, **settings: object) -> Iterator[Server]:
    """Yield a server on a free port; what is left of it is killed at the end."""
    log = scratch / "serve.log"
    chosen = {f"OCTROI_{name.upper()}": str(value) for name, value in ({"api_keys": api_keys()} | settings).items()}
    with log.open("w") as told:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--data", str(data), "--port", str(port)],
            env=environment(**chosen),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        until(lambda: _address(log) or process.poll() is not None, "the server's address")
        address = _address(log)
        assert address, log.read_text()
        with httpx.Client(base_url=address, timeout=120, trust_env=False) as client:
            until(lambda: process.poll() is not None or _is_ready(client), "the server")
            assert process.poll() is None, log.read_text()
            yield Server(data, process, log, client)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=60)


def _address(log: Path) -> str:
    found = re.search(r"listening on (http://\S+)", log.read_text())
    return found[1] if found else ""


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
