"""Two peers that others wrote: freeDiameter as a relay that fails over, Erlang/OTP as a network element that is strict."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from diameter_gateway import LEFT
from diameter_run import OURS, serve_beside
from diameter_world import balance, engine_of, write_world

SUPPORT = Path(__file__).parents[1] / "support"
ENVIRONMENT = os.environ | {
    "PATH": os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]),
    "PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path]),
}


@pytest.fixture(scope="module")
def relayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What was seen through a relay in a network of its own, and what the relay wrote down."""
    work = tmp_path_factory.mktemp("relay")
    data = write_world(work / "data")
    command = ["unshare", "--net", sys.executable, str(SUPPORT / "diameter_relay.py"), str(data), str(work)]
    if os.geteuid():
        command.insert(1, "--map-root-user")
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    log = (work / "relay.log").read_text(errors="replace") if (work / "relay.log").exists() else ""
    assert done.returncode == 0, done.stderr + log[-4000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen, log


def test_a_session_through_a_relay(relayed: tuple[dict[str, Any], str]) -> None:
    seen, _ = relayed
    assert (seen["hello"], seen["alive"], seen["bye"], seen["relay"]) == (2001, 2001, 2001, 0)
    assert seen["answers"] == [
        [2001, [1, 2001, 2000, False], [9, 2001, 1000, False]],
        [2001, [1, 2001, 2000, False]],
        [2001, [1, 2001, None, False], [7, 2001, 2000, False], [9, 2001, 1000, False]],
        [2001, [1, 2001, 2000, False], [9, 2001, 980, True]],
        [2001, [1, 2001, None, False]],
    ]
    assert seen["after"] == [str(LEFT), "0"]
    assert seen["quiet"] == [0]  # the second front end had nothing to do


def test_a_request_whose_server_died_is_charged_once(relayed: tuple[dict[str, Any], str]) -> None:
    """The first front end charged it and went without an answer; the relay asks the second again, with the T flag."""
    seen, _ = relayed
    assert seen["failover"] == ["ocs2.test", 901, [2001, 500, False]]
    assert seen["again"] == [[False, 901], [True, 901]]
    assert Decimal(seen["left"][0]) == LEFT - Decimal("0.1") - Decimal("0.05")
    assert seen["left"][1] == "0"


def test_a_relay_finds_nothing_wrong_with_us(relayed: tuple[dict[str, Any], str]) -> None:
    _, log = relayed
    said = [line for line in log.splitlines() if not re.search(r"\bNOTI\b|Initiating freeDiameter shutdown", line)]
    assert said == []
    assert "Credit-Control-Answer" in log
    assert "'Volume-Quota-Threshold'(869)" in log
    assert "Unknown AVP" not in log


STRICT = """credit 1 0: 2001, group [1]: [2001] granted [2000] final 0, errors []
credit 2 1: 2001, group [1]: [2001] granted [2000] final 0, errors []
credit 2 2: 2001, group [1]: [2001] granted [1500] final 1, errors []
credit 3 3: 2001, group [1]: [2001] granted [] final 0, errors []
debit: 2001, errors []
balance: 2001, errors []
account 2 0: 2001, errors []
account 3 1: 2001, errors []
account 4 2: 2001, errors []
over
"""


def test_a_strict_network_element(tmp_path: Path) -> None:
    """Its decoder checks every answer against the grammar of RFC 8506 and 6733: M bits, lengths, what is needed and how often."""
    for file in ("credit.dia", "gateway.erl"):
        (tmp_path / file).write_text((SUPPORT / "diameter_strict" / file).read_text())
    for command in (["diameterc", "credit.dia"], ["erlc", "credit.erl", "gateway.erl"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    data = write_world(tmp_path / "data")
    printed: list[str] = []

    async def element(address: str, stop: threading.Event) -> None:
        process = await asyncio.create_subprocess_exec(
            *("erl", "-noshell", "-pa", str(tmp_path), "-run", "gateway", "start", address.rpartition(":")[2]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 240)
        finally:
            if process.returncode is None:
                process.kill()
        printed.append(out.decode(errors="replace"))
        assert process.returncode == 0, printed

    serve_beside(data, element, settings=OURS.model_copy(update={"accounting": "rf"}))
    (said,) = printed
    watchdogs = re.search(r"^watchdogs (\d+) asked, (\d+) answered\n", said, re.MULTILINE)
    assert watchdogs, said  # how many fit in depends on how fast the rest went
    assert watchdogs[1] == watchdogs[2] != "0"
    assert said.replace(watchdogs[0], "") == STRICT
    with engine_of(data) as engine:
        assert balance(engine) == (Decimal("7.5") - Decimal("1.5") - Decimal("4.5") - Decimal("1") - Decimal("0.5"), 0)
