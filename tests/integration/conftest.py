"""The broker that tests of the streaming mode share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from shared_broker import SharedBroker, locked, shared_broker

from benchmarks.broker.jars import UnableToStartBroker


@pytest.fixture(scope="session")
def _broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedBroker]:
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    try:
        started = shared_broker(root / "broker")
        found = started.__enter__()
    except UnableToStartBroker as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))  # not in CI, where a missing broker is a failure
    try:
        yield found
    finally:
        started.__exit__(None, None, None)


@pytest.fixture
def broker(_broker: SharedBroker) -> Iterator[SharedBroker]:
    """A broker without topics, this test's alone: topics have one name each."""
    with locked(_broker.directory / "use.lock"):
        _broker.clean()
        yield _broker
