"""`kill -9` at seeded random moments of `octroi run`, then `octroi run` again: everything is as if nothing had happened.

`make soak` kills 1,000 times; OCTROI_SOAK_KILLS says how often instead.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kill_world import Content, Nursery, content, fresh, make_usage, nursery

KILLS = 12
SOAK_KILLS = int(os.environ.get("OCTROI_SOAK_KILLS", "1000"))
SETTINGS = {"block_bytes": 64 << 10, "flush_records": 4000, "flush_ms": 50, "snapshot_records": 10_000}
"""Small, so that a run passes many boundaries: about a hundred blocks, ten inserts and four snapshots."""
AFTERWARDS = {
    "fact_rejection_event",
    "fact_reversal",
    "fact_claim_event",
    "fact_billed",
    "fact_invoice",
    "fact_invoice_line",
    "fact_invoice_tax",
    "fact_access_transfer",
    "fact_assembled_part",
    "fact_sequence_run",
    "fact_wallet_request",
}
"""What only commands, invoices, other catalogs, and sources that send parts or count their records fill."""
DONE, PARTLY = 0, 5
"""Exit codes of `octroi run`: in the run that takes the file which nobody can read, it is 5."""


@dataclass
class Undisturbed:
    """What a run that nothing disturbs makes, and how long it takes."""

    template: Path
    content: Content
    wall_s: float


@pytest.fixture(scope="module")
def octroi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery"), **SETTINGS) as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, octroi: Nursery) -> Undisturbed:
    root = tmp_path_factory.mktemp("undisturbed")
    received = make_usage(root / "template", telephony=30_000, subscribers=200, cloud=10_000, days=2)
    first = fresh(root / "template", root / "first")
    assert octroi.run("run", first).code == PARTLY  # it may also compile kernels
    timed = octroi.run("run", fresh(root / "template", root / "timed"))
    assert timed.code == PARTLY
    found = content(first)
    assert found == content(root / "timed")
    (outcomes,) = found.totals["outcomes"]
    assert outcomes["received"] == received
    assert min(outcomes[name] for name in ("accepted", "absorbed", "duplicate", "filtered", "rejected", "unrated")) > 0
    assert {name for name, (rows, _) in found.hashes.items() if not rows} == AFTERWARDS
    return Undisturbed(root / "template", found, timed.wall_s)


@dataclass
class Tally:
    """How many processes were killed behind their first boundary, where they had come to, and how many data directories that took."""

    kills: int = 0
    directories: int = 0
    phases: Counter[str] = field(default_factory=Counter)


def _kill_again_and_again(octroi: Nursery, undisturbed: Undisturbed, root: Path, kills: int, seed: int) -> Tally:
    """Run data directories to their end, killing most of the processes on the way; compare what each one holds."""
    chance = random.Random(seed)
    tally = Tally()
    while tally.kills < kills:
        tally.directories += 1
        assert tally.directories <= 2 * kills, "runs end before they can be killed"
        directory = fresh(undisturbed.template, root / "data")
        longest = undisturbed.wall_s
        for _ in range(chance.randint(6, 12)):
            ended = octroi.run("run", directory, kill_after_s=chance.uniform(0.1 * undisturbed.wall_s, longest))
            if ended.code != -signal.SIGKILL:
                assert ended.code in (DONE, PARTLY), ended
                break
            if ended.phase:
                tally.kills += 1
                tally.phases[ended.phase] += 1
            longest = max(longest * 0.7, 0.3 * undisturbed.wall_s)  # what is left takes less
        last = octroi.run("run", directory)
        assert last.code in (DONE, PARTLY), last
        assert octroi.run("balance", "--data", directory).code == DONE
        found = content(directory)
        assert found.totals == undisturbed.content.totals
        assert found.hashes == undisturbed.content.hashes
        assert not [path for path in (directory / "spool").rglob("*") if path.is_file()]
        shutil.rmtree(directory)
    return tally


def test_killed_at_random_moments_a_run_ends_as_if_undisturbed(
    octroi: Nursery, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    tally = _kill_again_and_again(octroi, undisturbed, tmp_path, KILLS, seed=1)
    assert len(tally.phases) > 1, tally


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_killed_many_times(octroi: Nursery, undisturbed: Undisturbed, tmp_path: Path, part: int) -> None:
    tally = _kill_again_and_again(octroi, undisturbed, tmp_path, -(-SOAK_KILLS // 10), seed=1000 + part)
    print(tally)
