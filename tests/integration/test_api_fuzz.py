"""What schemathesis makes of the description: every operation answers as it says, whatever it is sent, and never by a defect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from api_fuzzing import DESCRIBED, OPERATIONS, check, sent, tried
from api_world import Api, api
from hypothesis import given
from hypothesis.strategies import SearchStrategy
from schemathesis.generation import GenerationMode

EXAMPLES = {GenerationMode.POSITIVE: 3, GenerationMode.NEGATIVE: 2}
"""Few, so that the suite stays short; `HYPOTHESIS_PROFILE=soak` tries a hundred times as many."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("fuzz")) as found:
        yield found


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
