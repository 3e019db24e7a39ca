"""What schemathesis makes of the description: every operation answers as it says, whatever it is sent, and never by a defect."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from api_world import Api, api
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.strategies import SearchStrategy
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
EXAMPLES = {GenerationMode.POSITIVE: 3, GenerationMode.NEGATIVE: 2}
"""Few, so that the suite stays short; `HYPOTHESIS_PROFILE=soak` tries a hundred times as many."""
_users = (f"fuzz{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("fuzz")) as found:
        yield found


def tried(factor: int) -> settings:
    return settings(
        max_examples=factor * (100 if settings().max_examples > 1000 else 1),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def test_all_operations_are_tried() -> None:
    described = {f"{method.upper()} {path}" for path, methods in DESCRIBED["paths"].items() for method in methods}
    assert set(OPERATIONS) == described
    assert len(described) > 60


@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.parametrize("mode", EXAMPLES, ids=lambda mode: str(mode.value))
def test_an_operation_answers_as_it_is_described(world: Api, label: str, mode: GenerationMode) -> None:
    operation = OPERATIONS[label]
    if mode is GenerationMode.NEGATIVE and operation.path in ("/healthz", "/readyz"):
        return  # there is nothing to say wrongly
    cases: SearchStrategy[Any] = operation.as_strategy(generation_mode=mode)

    @tried(EXAMPLES[mode])
    @given(cases)
    def answers(case: Any) -> None:
        check(operation, sent(world, operation, case, mode))

    answers()


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
