"""Hostile BER: flipped, cut, inflated, nested and random bytes. Nothing crashes, hangs, or reads or writes out of bounds.

Many inputs go through the kernels in one process. Every input stands in the middle of bytes that must not matter, and
every output has a margin that must not change. What the kernels say is checked against what every format promises.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mediation_ber import constructed, integer, length_of, primitive

from pipelines.mediation.ber.tags import context, universal
from pipelines.mediation.ber.tree import TagTree, compile_tags
from pipelines.mediation.ber.ts32298.records import READABLE, record_kinds
from pipelines.mediation.kernels.ber import (
    BROKEN,
    DEPTH_MAX,
    INCOMPLETE,
    LEVELS_MAX,
    OTHER_FORMAT,
    count_records,
    walk_records,
)
from pipelines.mediation.kernels.ber_text import render
from schemas.rejection import Reason

ROOT = Path(__file__).resolve().parents[2]
FIELDS = (
    "recordType", "servedIMSI", "servedIMEI", "servedMSISDN", "servedMSISDN.international", "p-GWAddress", "chargingID",
    "servingNodeAddress", "accessPointNameNI", "servedPDPPDNAddress", "recordOpeningTime", "duration", "mSTimeZone",
    "servingNodePLMNIdentifier", "dynamicAddressFlag", "retransmission", "listOfServiceData.ratingGroup",
    "listOfServiceData.timeOfFirstUsage", "listOfServiceData.datavolumeFBCUplink", "listOfServiceData.serviceConditionChange",
    "listOfServiceData.servingNodeAddress", "listOfTrafficVolumes.dataVolumeGPRSUplink", "servedMNNAI.subscriptionIDData",
    "callingNumber", "calledNumber", "destinationNumber", "location.cellId", "basicService", "cAMELCallLegInformation.callDuration",
    "recipientInfo.recipientMSISDN",
)  # fmt: skip
EACH = ("listOfServiceData", "listOfTrafficVolumes", "recipientInfo", "cAMELCallLegInformation")
SIZE_MAX = 2_048
MARGIN = 64
REASONS = {
    int(reason) for reason in (Reason.NONE, Reason.RECORD_TOO_LONG, Reason.MALFORMED_RECORD, Reason.FILTERED_BY_SOURCE)
}
TREES = tuple(
    compile_tags(record_kinds(), FIELDS, wanted=tuple(READABLE), each=each)
    for each in ((), EACH, tuple(reversed(EACH)))
)


def seeds() -> list[bytes]:
    """Return whole records of several kinds, in definite and indefinite lengths."""
    stamp = bytes.fromhex("2605011000002b0200")
    address = constructed(context(4), primitive(context(0), b"\x0a\x00\x00\x01"))
    found = []
    for indefinite in (False, True):
        services = [
            constructed(
                universal(16),
                primitive(context(1), integer(group)),
                primitive(context(5), stamp),
                primitive(context(12), integer(1 << 33)),
                indefinite=indefinite,
            )
            for group in (10, 20, 30)
        ]
        parts = [
            primitive(context(0), b"\x55"),
            primitive(context(3), bytes.fromhex("02081132547698f0")),
            address,
            primitive(context(22), bytes.fromhex("91336103214365f7")),
            constructed(context(34), *services, indefinite=indefinite),
            primitive(context(31), b"\x80\x01"),
        ]
        found.append(constructed(context(79), *parts, indefinite=indefinite))
        volume = constructed(universal(16), primitive(context(3), integer(5)), primitive(context(6), stamp))
        found.append(
            constructed(context(78), parts[1], constructed(context(12), volume, volume), indefinite=indefinite)
        )
        found.append(
            constructed(
                context(0), *(primitive(context(n), b"\x91\x33\x16") for n in range(1, 12)), indefinite=indefinite
            )
        )
        found.append(
            constructed(
                context(93), constructed(context(3), constructed(universal(16), primitive(context(1), b"\x91\x33")))
            )
        )
    return found


SEEDS = seeds()


def hostile(chance: random.Random) -> bytes:
    """Return one input of at most SIZE_MAX bytes."""
    kind = chance.randrange(12)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:  # a nesting bomb, of definite or indefinite lengths
        depth = chance.choice((DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, 200, 900))
        tag = chance.choice((b"\x30", b"\xa2", b"\xbf\x22", b"\xbf\x4f"))
        return (chance.choice(SEEDS)[:3] + (tag + b"\x80") * depth + b"\x00\x00" * chance.choice((0, depth)))[:SIZE_MAX]
    if kind == 2:  # as many elements as fit
        return constructed(context(79), constructed(context(34), b"\x30\x00" * chance.randrange(900)))
    data = bytearray(b"".join(chance.choice(SEEDS) for _ in range(chance.choice((1, 1, 2)))))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        how = chance.randrange(6)
        if how == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif how == 1 and at < len(data):
            data[at] = chance.choice((0x00, 0x7F, 0x80, 0x81, 0x84, 0x88, 0x89, 0xFF, 0xBF, 0x1F))
        elif how == 2:
            data = data[:at]
        elif how == 3:  # an inflated length
            data[at : at + 1] = length_of(
                chance.choice((127, 128, 1 << 16, 1 << 31, (1 << 48) - 1)), chance.choice((0, 8))
            )
        elif how == 4:
            data[at:at] = chance.choice(SEEDS)[: chance.randrange(60)]
        else:
            del data[at : at + chance.randrange(20)]
    return bytes(data[:SIZE_MAX])


class Bench:
    """Arrays that are used again for every input, each with a margin around what may be touched."""

    def __init__(self) -> None:
        self.rows = SIZE_MAX // 2 + 1
        fields = len(FIELDS)
        self.buffer = np.zeros(MARGIN + SIZE_MAX + MARGIN, np.uint8)
        self.start = np.empty((fields, self.rows + 8), np.int32)
        self.end = np.empty((fields, self.rows + 8), np.int32)
        self.kind = np.empty((fields, self.rows + 8), np.uint8)
        self.origin = np.empty((LEVELS_MAX, self.rows), np.int32)
        self.choice = np.empty(self.rows, np.int32)
        self.raw_start, self.raw_end = np.empty(self.rows, np.int64), np.empty(self.rows, np.int64)
        self.reason = np.empty(self.rows, np.uint16)
        self.frames = np.zeros((DEPTH_MAX + 1, 3), np.int64)
        self.text = np.zeros(1 << 17, np.uint8)

    def walk(self, data: bytes, tree: TagTree, bytes_max: int, framed: bool) -> int:
        """Read one input and check what comes out; return how many rows have no objection."""
        size = len(data)
        self.buffer[:] = 0xAA  # what lies around an input must not matter
        self.buffer[MARGIN : MARGIN + size] = np.frombuffer(data, np.uint8)
        text = self.buffer[MARGIN:]
        rows, records, consumed, room, status = walk_records(
            text, size, bytes_max, framed, tree.base, tree.span, tree.table, tree.role, tree.level, tree.output,
            tree.out_slot, tree.out_kind, tree.slot_level, self.frames, self.start, self.end, self.kind, self.origin,
            self.choice, self.raw_start, self.raw_end, self.reason,
        )  # fmt: skip
        counted, end, expected = count_records(text, size, 1 << 40, framed)
        assert (records, consumed, status) == (counted, end, expected)
        assert status in (0, INCOMPLETE, BROKEN, OTHER_FORMAT)
        assert status != 0 or consumed == size
        assert records <= rows <= self.rows
        names = len(tree.names)
        self.text[: names + room + MARGIN] = 0xEE
        self.text[:names] = np.frombuffer(tree.names, np.uint8)
        render(
            text, rows, tree.slot_level, tree.slot_choice, self.kind, self.origin, self.choice, tree.name_start,
            tree.name_end, self.text, names, self.start, self.end,
        )  # fmt: skip
        assert (self.text[names + room : names + room + MARGIN] == 0xEE).all()
        starts, ends, reasons = self.start[:, :rows], self.end[:, :rows], self.reason[:rows]
        assert ((starts >= 0) & (starts <= ends) & (ends <= names + room)).all()
        assert set(reasons.tolist()) <= REASONS
        refused = np.flatnonzero(reasons != 0)
        assert (starts[1:, refused] == ends[1:, refused]).all()
        raw_start, raw_end = self.raw_start[:rows], self.raw_end[:rows]
        assert ((raw_start >= 0) & (raw_start <= raw_end) & (raw_end <= consumed)).all()
        assert (np.diff(raw_start) >= 0).all()
        assert len(np.unique(raw_start)) <= records
        return rows - len(refused)


def fuzz(seed: str, count: int) -> int:
    """Run many inputs; return how many rows had no objection."""
    chance, bench = random.Random(seed), Bench()
    good = 0
    for _ in range(count):
        good += bench.walk(hostile(chance), chance.choice(TREES), chance.choice((64, 1 << 20)), chance.random() < 0.1)
    return good


def test_hostile_bytes() -> None:
    assert fuzz("octroi ber", 4_000) > 2_000


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_many_hostile_bytes(seed: int) -> None:
    assert fuzz(f"octroi ber {seed}", 60_000) > 30_000


@pytest.mark.parametrize(("name", "count"), [("NUMBA_BOUNDSCHECK", 1_500), ("NUMBA_DISABLE_JIT", 300)])
def test_hostile_bytes_with_every_index_checked(name: str, count: int, tmp_path: Path) -> None:
    """Compiled with bounds checks, and as Python, the same kernels raise IndexError where they would read out of bounds."""
    code = f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'tests/support'), str(Path(__file__).parent)]!r}; "
    code += f"import test_mediation_ber_fuzz as fuzzer; print(fuzzer.fuzz('octroi ber checked', {count}))"
    environment = os.environ | {name: "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == fuzz("octroi ber checked", count) > 100
