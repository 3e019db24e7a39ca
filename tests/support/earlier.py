"""A small data directory as one revision writes it, with what it holds: later revisions have to go on with it.

`python tests/support/earlier.py NAME` packs one of the revision at hand into tests/integration/earlier/NAME.tar.xz. A revision that
changes a form on disk (journal, charging log, archive, snapshot, store) adds one of its parent before; none is ever made anew.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from charging_twin import CATALOG
from cli_octroi import balanced, octroi, query
from session_calls import HEADER, part

from apps.clock import now_us
from apps.jit import prepare_cache

EARLIER = Path(__file__).resolve().parents[1] / "integration" / "earlier"
SOURCES = """
---
kind: source
code: calls
format: delimited
on_same_key: supersede
mapping: {identity: [id], access_point: caller, time: {field: at}, quantity: {field: n}, event_type: {constant: call}}
---
kind: source
code: parts
format: delimited
mapping:
  identity: [call, number, kind]
  assembly:
    key: [call]
    sequence: number
    part: {field: kind, first: [F], middle: [I], last: [L], single: [S]}
    time_out: PT9H
  access_point: caller
  time: {field: at}
  quantity: {field: seconds}
  event_type: {constant: call}
"""
HELD = {
    "kind": "reserve",
    "id": "held",
    "access_point": "2",
    "event_type": "call",
    "quantity": "2 event",
    "validity_s": 9000,
}
CHARGED = {"kind": "charge", "id": "charged", "access_point": "3", "event_type": "call", "quantity": "1 event"}
FACTS = {
    "items": "SELECT id, subscription, charge, toString(quantity) AS quantity, toString(amount) AS amount FROM rated_item ORDER BY id",
    "wallets": "SELECT account, wallet, toString(balance) AS balance, operations FROM account_balance ORDER BY account, wallet",
    "rejections": "SELECT claim, record, reason, status FROM rejection ORDER BY claim, record",
    "claims": "SELECT claim, kind, status FROM fact_claim ORDER BY claim",
}


def facts(data: Path) -> dict[str, Any]:
    """Return what a store says in words that do not change."""
    return {name: query(data, sql) for name, sql in FACTS.items()}


def calls(path: Path, first: int, count: int, *more: str) -> Path:
    """Write a file of calls of three subscriptions, numbered from `first` on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        f"{number},{1 + number % 3},2026-05-0{1 + number % 9}T10:00:00Z,1" for number in range(first, first + count)
    )
    path.write_text("\n".join(["id,caller,at,n", *lines, *more, ""]))
    return path


def parts(path: Path, *lines: str) -> Path:
    """Write a file of parts of calls."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *lines, ""]))
    return path


def charge(data: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Charge online; return the answers."""
    asked = data / "asked.jsonl"
    asked.write_text("".join(json.dumps(request) + "\n" for request in requests))
    try:
        return [json.loads(line) for line in octroi("charge", "send", asked, "--data", data).out.splitlines()]
    finally:
        asked.unlink()


def live(data: Path) -> dict[str, Any]:
    """Take one of everything that is written down; the state is left behind the log."""
    catalog = data / "catalog" / "catalog.yaml"
    catalog.parent.mkdir(parents=True)
    catalog.write_text(CATALOG % 1 + SOURCES)
    octroi("run", data).ok()
    calls(
        data / "spool" / "calls" / "first.csv",
        0,
        12,
        "3,1,2026-05-04T10:00:00Z,2",
        "90,77,2026-05-04T10:00:00Z,1",
        "x,1,now,1",
    )
    parts(data / "spool" / "parts" / "1.csv", part(1, 1, "F", 1, "2"), part(2, 1, "F", 1, "2"), part(2, 2, "L", 1, "2"))
    octroi("run", data)
    answers = charge(
        data,
        HELD,
        CHARGED,
        {"kind": "reserve", "id": "used", "access_point": "1", "event_type": "call", "quantity": "2 event"},
        {"kind": "confirm", "id": "confirmed", "of": "used", "quantity": "1 event"},
    )
    octroi("rejects", "correct", "--all", "--set", "caller=3", "--data", data)
    calls(data / "spool" / "calls" / "wrong.csv", 50, 4)
    octroi("run", data)
    octroi("files", "back-out", "wrong.csv", "--reason", "sent by mistake", "--data", data).ok()
    catalog.write_text(CATALOG % 2 + SOURCES)
    period = ("--from", "2026-05-05T00:00:00Z", "--to", "2026-05-07T00:00:00Z")
    octroi("rerate", *period, "--reason", "dearer", "--data", data).ok()
    kept = data.with_name("state")
    shutil.copytree(data / "state", kept)
    calls(data / "spool" / "calls" / "last.csv", 100, 5)
    octroi("run", data)
    answers += charge(data, {"kind": "refund", "id": "refunded", "of": "confirmed"})
    shutil.rmtree(data / "state")
    kept.rename(data / "state")
    balanced(data)
    return {"at": now_us(), "answers": answers, "facts": facts(data)}


def pack(into: Path, name: str, live: Callable[[Path], object], left_out: Sequence[str]) -> None:
    """Pack a data directory of this revision, with what `live` expects of it; some of what is in it is not needed."""
    prepare_cache()
    with (
        tempfile.TemporaryDirectory() as scratch,
        mock.patch.dict("os.environ", {"OCTROI_DEDUP_WINDOW_DAYS": "unlimited"}),
    ):
        root = Path(scratch) / name
        root.mkdir()
        (root / "expected.json").write_text(json.dumps(live(root / "data"), indent=1))
        for left in left_out:
            shutil.rmtree(root / "data" / left, ignore_errors=True)
        (root / "data" / "owner.lock").unlink(missing_ok=True)
        into.mkdir(exist_ok=True)
        with tarfile.open(into / f"{name}.tar.xz", "w:xz", preset=9) as packed:
            packed.add(root, name, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    pack(EARLIER, sys.argv[1], live, ["spool"])
