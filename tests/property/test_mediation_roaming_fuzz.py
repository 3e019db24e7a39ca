"""Hostile TAP and RADIUS files: typed refusals or sound records; nothing crashes, hangs, or reads or writes out of bounds.

Many inputs go through the whole decoders in one process. What they say is checked against what every decoder promises; that no
index is out of bounds is checked by the same inputs with kernels that check every index, and as plain Python.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mediation_radius import attribute, packet, radius
from mediation_radius import decoder as radius_decoder
from mediation_tap import FEW, tap
from mediation_tap import decoder as tap_decoder
from mediation_world import expect_sound

from benchmarks.generate.roaming import audit_of, bcd, head_of, number, time_of, tlv
from pipelines.mediation.decode import Decoder, check_file, decode_blocks
from pipelines.mediation.extract import DecodedBlock
from pipelines.mediation.failures import UnableToDecodeFile
from schemas.rejection import Reason

ROOT = Path(__file__).resolve().parents[2]
SIZE_MAX = 4_096
CODES = {
    "WRONG_FLOW", "MALFORMED_BER", "MALFORMED_HEADER", "UNSUPPORTED_VERSION", "TEST_FILE", "AUDIT_MISMATCH", "AMOUNT_OVERFLOW",
    "RECORD_TOO_LONG", "MALFORMED_PACKET", "WRONG_ENCODING",
}  # fmt: skip
TOKENS = (
    b"\x00", b"\x7f", b"\x80", b"\xff", b"\x00\x00", b"\x84\x7f\xff\xff\xff", b"\x88" + b"\xff" * 8, b"\x7f\x3f\x80", b"\x5f\x2b\x01",
    b"\x61\x80", b"\x1f\xff\xff\xff\xff\x7f", b"\x69\x00", b"\n", b"\n\n", b"\t", b" = ", b'"', b"\\", b"\\000", b"\\3", b"\x1a\x06",
    b"\x04\x00\x10\x00", b"\x28\x06", b"0x", b"Acct-Input-Octets = ", b"18446744073709551616", b"Event-Timestamp = \"Jan 1 1970 ",
)  # fmt: skip


def tap_files() -> list[bytes]:
    """Return files in both forms of length, whose sums are right."""
    found = []
    for indefinite in (False, True):

        def held(tag: int, *parts: bytes, indefinite: bool = indefinite) -> bytes:
            return tlv(tag, *parts, held=True, indefinite=indefinite)

        detail = held(63, tlv(71, b"00"), number(62, 5), number(65, 7))
        charges = held(
            70, held(69, tlv(66, b"D"), number(105, 0), held(64, detail), held(214, held(213, number(397, 2))))
        )
        common = [held(427, held(199, bcd(129, "208010000000010"))), time_of(44, 1_777_000_000), number(223, 10)]
        events = [
            held(
                9,
                held(147, *common, held(89, bcd(407, "441632"))),
                held(138, held(156, number(184, 1), tlv(45, b"\1\2"))),
                charges,
            ),
            held(14, held(114, *common), number(250, 1 << 33), charges),
            held(17, held(352, number(344, 1), charges), tlv(339, "é".encode())),
            held(433, number(62, 9), time_of(447, 1_777_000_000)),
        ]
        refunds = number(355, 5) + number(353, 2)
        audit = audit_of(4, 19, 4, 1_776_990_000, 1_777_000_000)
        audit = tlv(15, audit[2:] + refunds, held=True)
        found.append(held(1, head_of("GBRAA", "FRAF1", 7), held(3, *events), audit))
    return found


def radius_files() -> dict[str, bytes]:
    """Return a file of each encoding."""
    stamp = (1_768_503_600).to_bytes(4, "big")
    whole = packet(
        attribute(40, b"\0\0\0\3"), attribute(4, bytes([192, 0, 2, 50])), attribute(44, b"A1B2"), attribute(31, b"33612"),
        attribute(42, stamp), attribute(52, b"\0\0\0\2"), attribute(43, stamp), attribute(55, stamp), attribute(95, bytes(16)),
        attribute(123, b"\0\x40\x20\x01\x0d\xb8"), attribute(18, b"20801", 10415), attribute(25, b"\1\2\3"),
    )  # fmt: skip
    detail = (
        b'Thu Jan 15 20:00:00 2026\n\tAcct-Status-Type = Alive\n\tNAS-IP-Address = 192.0.2.50\n\tAcct-Session-Id = "A\\303\\251"\n'
        b'\tCalling-Station-Id = "33612"\n\tAcct-Output-Octets = 3000\n\tAcct-Output-Gigawords = 2\n\tAcct-Delay-Time = 10\n'
        b'\tEvent-Timestamp = "Jan 15 2026 20:00:00 CET"\n\tTimestamp = 1768503600\n\n'
    )
    return {"packets": whole * 2, "hex": (whole.hex().encode() + b"\n") * 2, "detail": detail * 2}


SEEDS: list[tuple[Decoder, bytes]] = [
    *((tap_decoder(tap(*FEW, record_bytes_max=256, audit=audit)), data) for data in tap_files() for audit in (True, False)),
    *((radius_decoder(radius(encoding, record_bytes_max=512)), data) for encoding, data in radius_files().items()),
]  # fmt: skip


def hostile(chance: random.Random, data: bytes) -> bytes:
    """Return a file after a few mishaps, or nothing of it at all."""
    kind = chance.randrange(40)
    if kind == 0:
        return chance.randbytes(chance.randrange(300))
    if kind == 1:  # a nesting bomb
        tag = chance.choice((b"\x69", b"\x7f\x3f", b"\x63", b"\x61", b"\x64"))
        at = data.find(b"\x63") + 2
        return (data[: chance.choice((at, 2))] + (tag + b"\x80") * chance.choice((15, 16, 17, 31, 32, 33, 600)))[
            :SIZE_MAX
        ]
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(found) + 1)
        how = chance.randrange(7)
        if how == 0 and at < len(found):
            found[at] ^= 1 << chance.randrange(8)
        elif how == 1 and at < len(found):
            found[at] = chance.randrange(256)
        elif how == 2:
            found = found[: max(at, 1)]
        elif how == 3:
            found[at:at] = chance.choice(TOKENS)
        elif how == 4:
            found[at : at + 1] = chance.choice(TOKENS)
        elif how == 5:
            found[at:at] = found[max(0, at - chance.randrange(60)) : at]
        else:
            del found[at : at + chance.randrange(12)]
    return bytes(found[:SIZE_MAX])


def survive(compiled: Decoder, data: bytes, block_bytes: int) -> int:
    """Decode one file; return how many records have no objection to their bytes, -1 when it is refused whole."""
    try:
        check_file(compiled, io.BytesIO(data))
    except UnableToDecodeFile as failure:
        code = failure.code
    else:
        code = None
    if code is not None:
        assert code in CODES
        return -1
    blocks = list(decode_blocks(compiled, io.BytesIO(data), claim=7, block_bytes=block_bytes))
    expect_sound(blocks)
    good = 0
    for block in blocks:
        assert isinstance(block, DecodedBlock)
        matrix = block.matrix
        start, end = matrix.start[:, : len(block)], matrix.end[:, : len(block)]
        assert ((start >= 0) & (start <= end) & (end <= len(matrix.text))).all()
        refused = (block.reason > 0) & (block.reason < Reason.FIELD_MISSING)
        assert (start[:, refused] == end[:, refused]).all()
        assert (np.diff(block.raw_start) >= 0).all()
        good += len(block) - int(refused.sum())
    return good


def fuzz(seed: str, count: int) -> list[int]:
    """Run many inputs; return how many files were read, and how many records of them were good."""
    chance, read, good = random.Random(seed), 0, 0
    for _ in range(count):
        compiled, whole = chance.choice(SEEDS)
        found = survive(compiled, hostile(chance, whole), chance.choice((1, 100, 1 << 16)))
        read, good = read + (found >= 0), good + max(found, 0)
    return [read, good]


def test_whole_files_are_read() -> None:
    assert [survive(compiled, data, 1 << 16) for compiled, data in SEEDS] == [4, 4, 4, 4, 2, 2, 2]


def test_hostile_files() -> None:
    read, good = fuzz("octroi roaming", 3_000)
    assert read > 500
    assert good > 500


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_many_hostile_files(seed: int) -> None:
    assert fuzz(f"octroi roaming {seed}", 50_000)[0] > 10_000


@pytest.mark.parametrize(("name", "count"), [("NUMBA_BOUNDSCHECK", 1_000), ("NUMBA_DISABLE_JIT", 60)])
def test_hostile_files_with_every_index_checked(name: str, count: int, tmp_path: Path) -> None:
    """Compiled with bounds checks, and as Python, the same kernels raise IndexError where they would read out of bounds."""
    code = f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'tests/support'), str(Path(__file__).parent)]!r}; "
    code += f"import test_mediation_roaming_fuzz as fuzzer; print(fuzzer.fuzz('octroi roaming checked', {count}))"
    environment = os.environ | {name: "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(fuzz("octroi roaming checked", count))
