"""Bringing what the database says into force: files of the catalog directory, and an entry of the running engine's log."""

from __future__ import annotations

import fcntl
import gc
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apps.control.places import Place
from apps.embedded.beside import beside
from apps.embedded.packing import read_piece, write_piece
from apps.settings import Settings
from billing.access.store.database import Database
from billing.subscriptions.queries import compiled
from billing.subscriptions.rules_catalog import HEADER, NAME, UnableToPublish
from pipelines.spool.files import sync_directory, write_durably

_LEVELS = re.compile(rb"\b(user_account|billing_account|customer_account|customer|contract)\b")
"""Words without which no document shares anything among levels of accounts, or names an account."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published; `image` is in force, None where the engine has never run, and takes it at its first start."""

    accounts: int
    subscriptions: int
    image: str | None


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    with (root / "publish.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def publish(database: Database, place: Place, settings: Settings, say: Callable[[str], None]) -> Publication:
    """Write the catalog files of a tenant, once all of it loads, and let its engine take the catalog into force.

    What was written by hand in the catalog directory stays; the database's files are those that begin with `control`.

    Raises:
        UnableToPublish: when there is no catalog directory with what is sold, an account lacks something, or a file that was
            written by hand has the name of the database's.
        TenantDiffers: when the data directory is another tenant's.
        UnableToLoadCatalog: when both together are no catalog; nothing changed.
    """
    from apps.embedded.access import reach
    from billing.catalog.store import load_catalog

    directory = place.directory
    if not any(directory.catalog.glob("**/*.y*ml")):
        raise UnableToPublish(f"{directory.catalog} holds no documents that say what is sold: write them first")
    directory.bind(place.code)
    ours = directory.catalog / f"{NAME}.yaml"
    if ours.exists() and not ours.read_bytes().startswith(HEADER.encode()):
        raise UnableToPublish(f"{ours} was not made from the database, and would be lost: give it another name")
    with _alone(directory.root):
        gc.disable()  # a million small rows that all stay would be looked through again and again
        try:
            found = compiled(database, keep_levels=_keeps_levels(directory.catalog))
        finally:
            gc.enable()
        with _candidate(directory.catalog, found.files) as candidate:
            load_catalog(candidate)
        _replace(directory.catalog, found.files)
        image = None
        if directory.journal.exists():
            with reach(directory, settings, say) as access:
                image = access.command({"op": "activate"})["image"]
        return Publication(found.accounts, found.subscriptions, image)


def publish_beside(settings: Settings) -> Publication:
    """Do what `publish` does for the tenant of the settings in a process of its own: whoever asks has other things to do.

    Raises:
        EndedBeside: when the process was killed. Exception: as `publish` and `apps.control.places.open_tenant` do.
    """
    with beside("apps.control.publishing_process") as (asked, answer):
        write_piece(asked, settings)
        asked.flush()
        done: Publication | Exception = read_piece(answer)
    if isinstance(done, Exception):
        raise done
    return done


def _ours(path: Path, root: Path) -> bool:
    return path.parent == root and re.fullmatch(rf"{NAME}(-[0-9a-f]{{16}}\.csv|\.yaml)", path.name) is not None


def _keeps_levels(root: Path) -> bool:
    return any(_LEVELS.search(path.read_bytes()) for path in root.rglob("*.y*ml") if not _ours(path, root))


@contextmanager
def _candidate(root: Path, files: dict[str, bytes]) -> Iterator[Path]:
    """Yield a directory with what the catalog would be."""
    with tempfile.TemporaryDirectory(prefix=".candidate-", dir=root.parent) as name:
        candidate = Path(name) / root.name
        shutil.copytree(root, candidate, copy_function=_link, ignore=lambda folder, names: _left(folder, names, root))
        for file, data in files.items():
            (candidate / file).write_bytes(data)
        yield candidate


def copied(root: Path, target: Path, without: Collection[str]) -> None:
    """Make a directory with the files of a catalog but some, named relative to it; most are links: write to none of them."""

    def left(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if (Path(folder) / name).relative_to(root).as_posix() in without]

    shutil.copytree(root, target, copy_function=_link, ignore=left)


def _left(folder: str, names: list[str], root: Path) -> list[str]:
    return [name for name in names if _ours(Path(folder) / name, root)]


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system below, or one without links
        shutil.copy2(source, target)
    return target


def _replace(root: Path, files: dict[str, bytes]) -> None:
    """Write the tables, then the documents that name them: one rename brings all into force. Then drop older tables."""
    for name in sorted(files, key=lambda name: name.endswith(".yaml")):
        path = root / name
        if not path.exists() or path.read_bytes() != files[name]:
            write_durably(path, files[name])
    for path in root.iterdir():
        if _ours(path, root) and path.name not in files:
            path.unlink()
    sync_directory(root)
