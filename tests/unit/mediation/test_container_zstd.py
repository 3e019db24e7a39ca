"""Zstandard files (RFC 8878): whole, cut, damaged, in many frames, with windows and dictionaries of any size."""

from __future__ import annotations

from pathlib import Path

import pytest
from containers import (
    TEXT,
    check,
    code_of,
    flip,
    places,
    read_all,
    refusal,
    text_or_refusal,
    write,
    zstd_frame,
    zstd_skippable,
)

from pipelines.mediation import unpack
from pipelines.mediation.container import ContainerInfo
from pipelines.mediation.unpack import zstd

WHOLE = zstd_frame(TEXT)
FRAMES = [zstd_frame(part) for part in (TEXT[:50], b"", TEXT[50:])]


def _streamed(data: bytes, **parameters: int) -> bytes:
    """A frame of a sender that does not know its size, so that it names its window."""
    options = {zstd.CompressionParameter[name]: value for name, value in parameters.items()}
    packer = zstd.ZstdCompressor(options=options)
    return packer.compress(data) + packer.flush()


GOOD = {
    "usual": (WHOLE, TEXT),
    "without a checksum": (zstd_frame(TEXT, checksum=False), TEXT),
    "strong": (zstd_frame(TEXT, compression_level=19), TEXT),
    "fast": (zstd_frame(TEXT, compression_level=-5), TEXT),
    "size unknown": (_streamed(TEXT), TEXT),
    "empty": (zstd_frame(b""), b""),
    "frames": (b"".join(FRAMES), TEXT),
    "skippable before": (zstd_skippable(b"pzstd", 15) + WHOLE, TEXT),
    "skippable between": (FRAMES[0] + zstd_skippable(bytes(70_000)) + FRAMES[2], TEXT),
    "skippable after": (WHOLE + zstd_skippable(b"", 7), TEXT),
    "only skippable": (zstd_skippable(WHOLE), b""),
    "window of 128 MiB": (_streamed(TEXT, window_log=27), TEXT),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("read_bytes", [1, 1 << 16])
def test_a_zstandard_file_is_expanded_to_its_last_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, read_bytes: int
) -> None:
    monkeypatch.setattr(unpack, "READ_BYTES", read_bytes)
    data, text = GOOD[name]
    path = write(tmp_path, data)
    assert check(path) == ContainerInfo("zstandard", len(data), len(text))
    assert read_all(path) == text


@pytest.mark.parametrize("data", [WHOLE, WHOLE + FRAMES[1] + zstd_skippable(b"12345678")], ids=["one", "frames"])
def test_a_truncated_zstandard_file_is_refused(tmp_path: Path, data: bytes) -> None:
    ends = {len(WHOLE), len(WHOLE) + len(FRAMES[1]), len(data)}
    cuts = [cut for cut in places(data) if cut >= 4 and cut not in ends]
    assert len(cuts) > 100
    assert {code_of(write(tmp_path, data[:cut])) for cut in cuts} == {"CORRUPT_ARCHIVE"}


def test_a_damaged_zstandard_file_is_refused_or_holds_the_same(tmp_path: Path) -> None:
    """What no checksum covers is the header: there a bit may matter to nobody (RFC 8878 §3.1.1.1.1.4)."""
    found = [text_or_refusal(write(tmp_path, flip(WHOLE, at, bits))) for at in places(WHOLE)[4:] for bits in (1, 0x80)]
    assert set(found) <= {TEXT, "CORRUPT_ARCHIVE", "ARCHIVE_BOMB", "UNSUPPORTED_ARCHIVE"}
    assert found.count("CORRUPT_ARCHIVE") > len(found) - 10


@pytest.mark.parametrize("at", [-4, -1])
def test_the_checksum_itself_counts(tmp_path: Path, at: int) -> None:
    refused = refusal(write(tmp_path, flip(WHOLE, len(WHOLE) + at)))
    assert (refused.code, refused.message) == ("CORRUPT_ARCHIVE", refused.message)
    assert "damaged" in refused.message


@pytest.mark.parametrize("junk", [b"junk", b"\n", bytes(512), WHOLE[:-1], b"\x1f\x8b\x08\x00"])
def test_what_follows_the_last_frame_must_be_a_frame(tmp_path: Path, junk: bytes) -> None:
    assert code_of(write(tmp_path, WHOLE + junk)) == "CORRUPT_ARCHIVE"


@pytest.mark.parametrize("window_log", [28, 30])
def test_a_window_of_more_than_128_mib_is_refused(tmp_path: Path, window_log: int) -> None:
    refused = refusal(write(tmp_path, _streamed(TEXT, window_log=window_log)))
    assert refused.code == "ARCHIVE_BOMB"
    assert refused.message == "a zstandard frame needs a window of more than 128 MiB: compress with --long=27 at most"


def test_a_window_of_terabytes_is_refused(tmp_path: Path) -> None:
    """A frame by hand: descriptor 0x00, window descriptor 0xff, an empty last block (RFC 8878 §3.1.1)."""
    frame = b"\x28\xb5\x2f\xfd" + b"\x00\xff" + b"\x01\x00\x00"
    assert code_of(write(tmp_path, frame)) == "ARCHIVE_BOMB"
    assert read_all(write(tmp_path, frame.replace(b"\xff", b"\x00"))) == b""


def test_a_frame_that_needs_a_dictionary_is_refused(tmp_path: Path) -> None:
    dictionary = zstd.train_dict([b"%d,2026-05-01 10:00:00,%d" % (n, n * 7) for n in range(1000)], 2000)
    refused = refusal(write(tmp_path, zstd.compress(TEXT, zstd_dict=dictionary)))
    assert refused.code == "UNSUPPORTED_ARCHIVE"
    assert "compress without one" in refused.message
