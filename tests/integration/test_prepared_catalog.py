"""A catalog is made ready beside a running engine, which charges meanwhile; then it takes effect between two entries."""

from __future__ import annotations

import io
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from charging_twin import CATALOG
from wallet_world import SOURCE, engine_of, take_calls, write_wallets

from apps.embedded.activation import take_catalog
from apps.embedded.beside import EndedBeside
from apps.embedded.charging_requests import ChargingAnswer, ChargingRequest
from apps.embedded.engine import Engine
from apps.embedded.facts import differences_as_json
from apps.embedded.images import prepare_activation
from apps.embedded.measures import UnableToActivate
from apps.embedded.preparing import Preparer, in_force, put_prepared
from apps.embedded.preparing_words import Wanted, write_wanted
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from rating.vocabulary import Vocabulary
from schemas.charging import ChargingKind

EURO = 10**9
MORE = """
---
{kind: account, code: new, currency: EUR, wallets: [{code: w, type: prepaid, opening_balance: "7"}]}
---
{kind: subscription, code: new, account: new, offer: talk, access_points: [{id: "77"}]}
"""
PATIENCE_S = 120


@dataclass
class Loop:
    """The main loop of an engine, in the hands of a test."""

    engine: Engine
    asked: queue.Queue[tuple[Callable[[Engine], Any], Future[Any]]] = field(default_factory=queue.Queue)

    def submit(self, action: Callable[[Engine], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self.asked.put((action, future))
        return future

    def turn(self) -> None:
        """Wait for one action, and run it."""
        action, future = self.asked.get(timeout=PATIENCE_S)
        try:
            future.set_result(action(self.engine))
        except Exception as error:
            future.set_exception(error)


@dataclass
class Activating:
    """An activation in a thread of its own."""

    loop: Loop
    preparer: Preparer = field(init=False)
    answer: Future[dict[str, Any]] = field(default_factory=Future)

    def __post_init__(self) -> None:
        self.preparer = Preparer(self.loop.engine.directory, self.loop.engine.store)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self.answer.set_result(self.preparer.activate(self.loop))
        except Exception as error:
            self.answer.set_exception(error)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_wallets(tmp_path / "data")


def charge(engine: Engine, name: str, access_point: str = "1") -> ChargingAnswer:
    answer = engine.charging.submit(ChargingRequest(ChargingKind.CHARGE, name, "", access_point, "call", 1))
    while not answer.done():
        engine.charging.serve(engine)
    return answer.result()


def change(data: Path, more: str = "") -> None:
    (data / "catalog" / "catalog.yaml").write_text(CATALOG % 2 + SOURCE + more)


def test_what_is_charged_meanwhile_costs_what_it_did_and_then_what_it_does(data: Path) -> None:
    with engine_of(data) as engine:
        assert charge(engine, "first").amount == EURO
        loop = Loop(engine)
        change(data, MORE)
        activating = Activating(loop)
        loop.turn()  # names are told; the catalog is made ready from here on
        assert charge(engine, "a").amount == EURO
        take_calls(engine, "calls.csv", ("1", 1))
        assert not activating.answer.done()
        loop.turn()
        answer = activating.answer.result(PATIENCE_S)
        assert answer == {"image": load_catalog(data / "catalog").content_hash, "entry": engine.state.claim - 1}
        assert charge(engine, "b").amount == 2 * EURO
        assert charge(engine, "c", "77").amount == 2 * EURO
        stored = engine.store.query("SELECT code FROM dim_image ORDER BY id").to_pylist()
        assert len(stored) == 2
        assert stored[1]["code"] == answer["image"]
        engine.flush()
        assert differences_as_json(engine.store) == []
        balances = [engine.state.account.balance(i) for i in range(len(engine.state.vocabulary.wallets))]
    shutil.rmtree(data / "state")
    with engine_of(data) as again:  # from the log alone
        assert [again.state.account.balance(i) for i in range(len(again.state.vocabulary.wallets))] == balances


def test_nothing_is_made_ready_of_what_is_in_force(data: Path) -> None:
    with engine_of(data) as engine:
        loop, entry = Loop(engine), engine.state.claim
        activating = Activating(loop)
        loop.turn()
        loop.turn()
        assert activating.answer.result(PATIENCE_S) == {"image": engine.state.image, "entry": entry - 1}
        (data / "catalog" / "more.yaml").write_text("# nothing\n")
        activating = Activating(loop)
        loop.turn()
        loop.turn()
        assert activating.answer.result(PATIENCE_S)["entry"] == entry  # other bytes are another catalog


def test_another_catalog_in_between_is_the_one_that_counts(data: Path) -> None:
    with engine_of(data) as engine:
        loop = Loop(engine)
        change(data)
        activating = Activating(loop)
        loop.turn()
        change(data, MORE)
        take_catalog(engine)
        entry = engine.state.claim - 1
        loop.turn()  # what was made ready is for other names
        loop.turn()
        loop.turn()
        found = activating.answer.result(PATIENCE_S)
        assert found == {"image": load_catalog(data / "catalog").content_hash, "entry": entry}


def test_names_that_came_in_between_make_it_begin_again(data: Path) -> None:
    with engine_of(data) as engine:
        loop = Loop(engine)
        change(data)
        activating = Activating(loop)
        loop.turn()
        charge(engine, "a")  # the first one ever names its source
        loop.turn()
        assert not activating.answer.done()
        loop.turn()
        loop.turn()
        assert activating.answer.result(PATIENCE_S)["entry"] == engine.state.claim - 1
        assert charge(engine, "b").amount == 2 * EURO


def test_a_wrong_catalog_is_told_and_changes_nothing(data: Path) -> None:
    with engine_of(data) as engine:
        loop, entry = Loop(engine), engine.state.claim
        change(data, "---\n{kind: offer, code: none, charges: [nothing]}\n")
        activating = Activating(loop)
        loop.turn()
        with pytest.raises(UnableToLoadCatalog) as told:
            activating.answer.result(PATIENCE_S)
        assert [problem.field for problem in told.value.problems] == ["charges.0"]
        assert engine.state.claim == entry
        assert charge(engine, "a").amount == EURO


def test_a_counter_that_was_away_comes_back_as_it_was(data: Path) -> None:
    with engine_of(data) as engine:
        assert charge(engine, "a").amount == EURO
        path = data / "catalog" / "catalog.yaml"
        said = path.read_text()
        assert "counter: monthly, tiers" in said
        without = said.replace(
            "{kind: counter, code: monthly, unit: event}", "{kind: counter, code: other, unit: event}"
        )
        path.write_text(without.replace("counter: monthly, tiers", "counter: other, tiers"))
        take_catalog(engine)
        path.write_text(said.replace("code: monthly, unit: event", "code: monthly, unit: event, first_day: 15"))
        with pytest.raises(UnableToActivate, match='the counter "monthly" began on day 1, not on day 15'):
            take_catalog(engine)
        activating = Activating(Loop(engine))
        activating.loop.turn()
        with pytest.raises(UnableToActivate, match="Give it another code"):
            activating.answer.result(PATIENCE_S)
        path.write_text(said)
        take_catalog(engine)


def test_a_process_that_is_killed_is_told_and_changes_nothing(data: Path) -> None:
    with engine_of(data) as engine:
        loop, entry = Loop(engine), engine.state.claim
        change(data)
        activating = Activating(loop)
        loop.turn()
        while activating.preparer._process is None and not activating.answer.done():
            pass
        activating.preparer.close()
        with pytest.raises(EndedBeside, match="status -9"):
            activating.answer.result(PATIENCE_S)
        assert engine.state.claim == entry
        assert not (data / "images").joinpath(load_catalog(data / "catalog").content_hash).exists()


def test_a_process_ends_with_whoever_asked_it(data: Path) -> None:
    command = [sys.executable, "-m", "apps.embedded.preparing_process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked = io.BytesIO()
        write_wanted(asked, Wanted(data, "", None), Vocabulary())
        process.stdin.write(asked.getvalue()[:-1])
        process.stdin.flush()
        assert process.poll() is None
        process.stdin.write(asked.getvalue()[-1:])
        process.stdin.close()
        assert process.wait(PATIENCE_S) in (0, 1)


def test_what_is_made_ready_beside_is_what_is_made_here(data: Path) -> None:
    with engine_of(data) as engine:
        change(data, MORE)
        beside = Preparer(engine.directory, engine.store).prepare(in_force(engine))
        assert engine.active is not None
        here = prepare_activation(
            load_catalog(data / "catalog"), engine.state.vocabulary, engine.active.catalog.access_points
        )
        _expect_same(beside, here)
        assert put_prepared(in_force(engine), beside, engine) is not None


def _expect_same(one: Any, other: Any, where: str = "") -> None:
    """Compare everything that two objects hold."""
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        assert one.flags.writeable == other.flags.writeable, where
        np.testing.assert_array_equal(one, other, where)
    elif isinstance(one, pl.DataFrame | pl.Series):
        assert one.equals(other), where
    elif is_dataclass(one):
        for item in fields(one):
            _expect_same(getattr(one, item.name), getattr(other, item.name), f"{where}.{item.name}")
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for name in one:
            _expect_same(one[name], other[name], f"{where}[{name!r}]")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for place, (mine, yours) in enumerate(zip(one, other, strict=True)):
            _expect_same(mine, yours, f"{where}[{place}]")
    else:
        assert one == other, where
