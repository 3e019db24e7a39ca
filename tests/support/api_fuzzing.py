"""What schemathesis asks the HTTP interface by its description, and what every answer is checked by."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import quote

import schemathesis
from api_world import Api
from hypothesis import HealthCheck, Phase, assume, settings
from jsonschema import Draft202012Validator
from login_world import logged_in
from schemathesis.generation import GenerationMode

from apps.api.openapi import document

DESCRIBED: dict[str, Any] = json.loads(document())
OPERATIONS = {found.ok().label: found.ok() for found in schemathesis.openapi.from_dict(DESCRIBED).get_all_operations()}
NAMES = {
    "account": "ana", "subscription": "ana-line", "id": "con_1", "kind": "customer", "key": "nobody", "role": "desk",
    "query": "revenue", "user": "nobody", "session": "ses_1", "source": "calls", "rejection": "3-1", "code": "mobile",
}  # fmt: skip
_users = (f"fuzz{number}" for number in itertools.count())


def tried(factor: int) -> settings:
    """Return how hard a property is tried: `HYPOTHESIS_PROFILE=soak` tries a hundred times as much."""
    return settings(
        max_examples=factor * (100 if settings().max_examples > 1000 else 1),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def sent(world: Api, operation: Any, case: Any, mode: GenerationMode) -> Any:
    """Send a request, by who may: with the names that there are, where all of it is as described."""
    asked = case.as_transport_kwargs(base_url="http://octroi")
    url = asked["url"]
    if mode is GenerationMode.POSITIVE:
        url = "http://octroi" + operation.path.format(**{name: quote(one) for name, one in NAMES.items()})
    described = DESCRIBED["paths"][operation.path][operation.method.lower()]
    headers = {name: str(one) for name, one in dict(asked.get("headers") or {}).items()}
    if described.get("security") == [{"session": []}]:
        browser = logged_in(world, next(_users))
        headers |= {"Cookie": f"__Host-octroi={browser.cookie}", "X-CSRF-Token": str(browser.proof)}
    else:
        headers["Authorization"] = f"Bearer {world.tokens['admin']}"
    body: dict[str, Any] = {}
    if "json" in asked:
        body["json"] = asked["json"]
    elif asked.get("data") is not None:
        data = asked["data"]
        body["content"] = data if isinstance(data, bytes | str) else json.dumps(data)
    try:
        encoded = [(name.encode("ascii"), one.encode("latin-1")) for name, one in headers.items()]
    except UnicodeEncodeError:
        assume(False)  # no client can send it
    return world.client.request(asked["method"], url, params=asked.get("params"), headers=encoded, **body)


def check(operation: Any, answer: Any) -> None:
    """Check an answer by the description: its status, its kind of body and what it holds."""
    responses = DESCRIBED["paths"][operation.path][operation.method.lower()]["responses"]
    told = (answer.status_code, answer.text[:500])
    assert answer.status_code != 500, told
    assert str(answer.status_code) in responses, told
    contents = responses[str(answer.status_code)].get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert kind in contents or (not contents and not answer.content), told
    if kind.endswith("json") and "schema" in contents.get(kind, {}):
        schema = contents[kind]["schema"] | {"components": DESCRIBED["components"]}
        Draft202012Validator(schema).validate(answer.json())
