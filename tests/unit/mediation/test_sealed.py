"""Encrypted files: what comes out is what was put in, from any place; a key that does not fit is never taken for one that does."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from pathlib import Path
from typing import Any, cast

import pytest
from containers import zip_of
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from sealed_world import KEY, LEADING, OTHER, SHARED, seal

from pipelines.mediation.container import open_archive
from pipelines.mediation.sealed import FlowKey, Unsealed, is_clear, unseal


def opened(content: bytes) -> Any:
    return cast(Any, io.BytesIO(content))


def test_the_cipher_is_that_of_the_standard() -> None:
    # NIST SP 800-38A, F.2.2: CBC-AES128.Decrypt, its first block; then a block of padding that this key makes
    key = FlowKey("nist", bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), bytes(range(16)))
    first = bytes.fromhex("7649abac8119b246cee98e9b12e9197d")
    last = Cipher(algorithms.AES(key.key), modes.CBC(first)).encryptor().update(bytes([16]) * 16)
    assert Unsealed(opened(first + last), 32, key).read(99) == bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")


@pytest.mark.parametrize("key", [SHARED, LEADING])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 4096, 70_001])
def test_what_was_sealed_is_read_from_any_place(key: FlowKey, size: int) -> None:
    chance = random.Random(size)
    plain = chance.randbytes(size)
    sealed = seal(plain, key)
    found = Unsealed(opened(sealed + b"appended later"), len(sealed), key)
    assert found.size == size
    assert found.read(-1) == plain
    assert found.read(1) == b""
    for _ in range(40):
        place, count = chance.randint(0, size), chance.choice((1, 7, 16, 33, 5000))
        assert found.seek(place) == found.tell() == place
        whence = chance.choice((io.SEEK_CUR, io.SEEK_END))
        found.seek(place - (found.tell() if whence == io.SEEK_CUR else size), whence)
        assert found.read(count) == plain[place : place + count]
        assert found.read(3) == plain[place + count :][:3]


def test_the_key_that_fits_is_found_among_others() -> None:
    plain = zip_of(("a.xml", b"<R151/>"))
    for key in (SHARED, LEADING):
        sealed = seal(plain, key)
        found = unseal(opened(sealed), len(sealed), [OTHER, SHARED, LEADING])
        assert found is not None
        assert (found[1], found[0].read(-1)) == (key, plain)
        assert unseal(opened(sealed), len(sealed), [OTHER]) is None
    assert unseal(opened(plain), len(plain), [OTHER, SHARED, LEADING]) is None
    for short in (b"", b"\0" * 15, b"\0" * 16, b"\0" * 33):
        assert unseal(opened(short), len(short), [SHARED, LEADING]) is None


def _tar(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_a_key_fits_whatever_text_or_archive_was_sealed() -> None:
    lines = "id;caller\n" + "1;é\n" * 40
    for plain in (
        b"",
        b"id\n1\n",
        lines.encode(),
        lines.encode("latin-1"),
        _tar(b"id\n1\n"),
        gzip.compress(b"id\n1\n"),
    ):
        sealed = seal(plain, LEADING)
        found = unseal(opened(sealed), len(sealed), [OTHER, LEADING])
        assert found is not None
        assert (found[1], found[0].read(-1)) == (LEADING, plain)


def test_a_sealed_file_that_begins_as_xml_by_chance_is_not_clear() -> None:
    for first in b"<{[":
        assert not is_clear(seal(b"<R151/>" * 90, LEADING, iv=bytes([first]) + bytes(15))[:512])


def test_what_does_not_begin_as_files_do_was_sealed_with_another_key() -> None:
    """A wrong key makes padding that looks right once in 256 times."""
    plain = b"<R151/>" + bytes(100)
    sealed = seal(plain, SHARED)
    chance = random.Random(3)
    wrong = [FlowKey("wrong", chance.randbytes(16), SHARED.iv) for _ in range(2000)]
    padded = 0
    for key in wrong:
        try:
            Unsealed(opened(sealed), len(sealed), key)
            padded += 1
        except ValueError:
            pass
    assert padded > 0
    assert unseal(opened(sealed), len(sealed), wrong) is None


def test_bytes_that_are_gone_are_an_error_not_an_end() -> None:
    sealed = seal(b"<" * 5000, SHARED)
    with pytest.raises(OSError, match="lost bytes"):
        Unsealed(opened(sealed[:-1]), len(sealed), SHARED)


def test_text_and_archives_are_clear_and_what_is_sealed_is_not() -> None:
    for clear in (b"", b"id,n\r\n1,2\n", "é;à\n".encode("latin-1"), b"<?xml", zip_of(("a", b"b")), b"\x1f\x8b\x08\x00"):
        assert is_clear(clear)
    for number in range(50):
        assert not is_clear(seal(bytes([number]) * 1000, LEADING)[:512])


def test_keys_are_not_shown() -> None:
    assert KEY.hex() not in repr(LEADING) + repr(SHARED)
    assert repr(LEADING) == "FlowKey(name='leading')"


def test_a_sealed_file_is_an_archive_of_what_is_in_it(tmp_path: Path) -> None:
    plain = zip_of(("a.xml", b"<R151/>" * 100))
    path = tmp_path / "flow.zip"
    path.write_bytes(seal(plain, LEADING))
    with open_archive(path, size=path.stat().st_size, bytes_max=1 << 20, ratio_max=9, keys=[LEADING]) as archive:
        assert archive is not None
        ((name, content),) = [(member.name, b"".join(archive.chunks())) for member in archive.members()]
    assert (name, content) == ("flow.zip", plain)
