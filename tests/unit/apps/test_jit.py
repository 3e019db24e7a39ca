"""The cache of compiled kernels: another one for every change of any kernel, one's own, and not for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from apps import clock, jit

ROOT = Path(jit.__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this process its cache back."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.environ["NUMBA_CACHE_DIR"])


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for the repository."""
    root = tmp_path / "root"
    for name in ("rating/kernels/a.py", "pipelines/x/kernels/b.py", "rating/rate.py"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    monkeypatch.setattr(jit, "_ROOT", root)
    return root


@pytest.mark.parametrize(
    ("name", "content", "changes"),
    [
        ("rating/kernels/a.py", "x = 2\n", True),
        ("pipelines/x/kernels/b.py", "x = 2\n", True),
        ("pipelines/y/kernels/c.py", "x = 1\n", True),
        ("rating/kernels/a.py", "x = 1\n", False),
        ("rating/rate.py", "x = 2\n", False),
    ],
)
def test_the_name_of_the_cache_is_a_hash_over_all_kernels(
    sources: Path, name: str, content: str, changes: bool
) -> None:
    before = jit.kernel_fingerprint()
    assert len(before) == 16
    path = sources / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    assert (jit.kernel_fingerprint() != before) is changes


def test_moving_a_kernel_is_a_change(sources: Path) -> None:
    before = jit.kernel_fingerprint()
    (sources / "rating/kernels/a.py").rename(sources / "rating/kernels/z.py")
    assert jit.kernel_fingerprint() != before


def test_every_kernel_of_the_product_is_in_a_room_that_is_hashed() -> None:
    rooms = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("*/**/kernels/*.py") if ".venv" not in path.parts}
    assert rooms == {"rating", "pipelines"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"OCTROI_CACHE_DIR": "{tmp}/mine", "XDG_CACHE_HOME": "{tmp}/xdg", "HOME": "{tmp}/home"}, "mine/kernels"),
        ({"XDG_CACHE_HOME": "{tmp}/xdg", "HOME": "{tmp}/home"}, "xdg/octroi/kernels"),
        ({"HOME": "{tmp}/home"}, "home/.cache/octroi/kernels"),
    ],
)
def test_the_cache_lies_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: str
) -> None:
    for name in ("OCTROI_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    chosen = jit.prepare_cache()
    assert chosen == tmp_path / expected / jit.kernel_fingerprint()
    assert chosen.stat().st_mode & 0o777 == 0o700
    assert os.environ["NUMBA_CACHE_DIR"] == str(chosen)


def test_without_a_home_the_cache_is_a_temporary_directory_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OCTROI_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(tmp_path))
    assert jit.prepare_cache().parent == tmp_path / f"octroi-{os.getuid()}" / "kernels"


def test_a_directory_that_cannot_be_made_falls_back_to_one_that_is_removed_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    removed = []
    monkeypatch.setattr(jit.atexit, "register", lambda remove, path, **_: removed.append(path))
    monkeypatch.setenv("OCTROI_CACHE_DIR", str(tmp_path / "file"))
    chosen = jit.prepare_cache()
    assert chosen.is_dir()
    assert removed == [chosen]
    chosen.rmdir()


@pytest.mark.parametrize("fault", ["owner", "world"])
def test_a_cache_that_others_may_have_filled_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """What is in a cache is run as code."""
    monkeypatch.setenv("OCTROI_CACHE_DIR", str(tmp_path))
    planted = jit.prepare_cache()
    if fault == "owner":
        monkeypatch.setattr(jit.os, "getuid", lambda: planted.stat().st_uid + 1)
    else:
        planted.chmod(0o777)
    chosen = jit.prepare_cache()
    assert chosen != planted
    assert chosen.is_dir()
    chosen.rmdir()


def test_only_the_latest_caches_are_kept(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTROI_CACHE_DIR", str(tmp_path / "cache"))
    made = []
    for version in range(6):
        (sources / "rating/kernels/a.py").write_text(f"x = {version}\n")
        chosen = jit.prepare_cache()
        os.utime(chosen, (version, version))
        made.append(chosen.name)
    kept = {path.name for path in (tmp_path / "cache" / "kernels").iterdir()}
    assert kept == set(made[-4:])  # the three before, and the one in use


def test_the_clock_counts_microseconds() -> None:
    before = time.time()
    assert before - 1 <= clock.now_us() / 1_000_000 <= time.time() + 1
