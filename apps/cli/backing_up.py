"""`octroi backup` and `octroi restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.failures import MISMATCH, WrongUsage, honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json, print_table
from apps.cli.progress import records_bar

if TYPE_CHECKING:
    from apps.embedded.backup import Manifest
    from apps.embedded.restore import Restored


@honest
def backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Directory to make; it must not hold anything.")],
    base: Annotated[
        Path | None,
        typer.Option(
            "--base", metavar="BACKUP", help="Link what an earlier backup on the same file system has unchanged."
        ),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Back a data directory up, also while octroi runs in it.

    While it runs, the logs are copied as of one moment, with what they need; store and snapshots are made again from them by a
    restore. Otherwise all is copied. Settings (octroi.toml) and keys of encrypted files are not in the data directory.
    """
    settings, directory = open_settings(data)
    from importlib.metadata import version

    from apps.clock import now_us
    from apps.embedded.access import reach
    from apps.embedded.backup import back_up

    with reach(directory, settings, say) as access, records_bar("copying", quiet=as_json, noun="bytes") as passed:
        made = back_up(directory, access, target, version=version("octroi"), now=now_us(), base=base, progress=passed)
    if as_json:
        print_json(_summary(made))
        return
    print(f"{target}: {_contents(made)}")
    waiting = [] if made.whole else directory.spool.waiting(_sources(directory.root / "spool"))
    if waiting:
        say(f"{count(len(waiting), 'file')} in the spool waited to be taken, and is not in the backup")


@honest
def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `octroi backup` made.")],
    again: Annotated[
        bool, typer.Option("--again", help="Make store and snapshots again from the logs, even if they are in it.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare the backup's files with their checksums; restore nothing.")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a data directory from a backup, and prove that it is right; exit with 1 when it is not.

    Every file is compared with its checksum, the logs are replayed, both balance sheets must close, and the facts must be those
    that were backed up, to the last column. The data directory must not be there yet.
    """
    if check and (again or data is not None):
        raise WrongUsage("--check restores nothing: leave out --again and --data")
    settings, directory = open_settings(data)
    from apps.embedded import restore as restoring

    with records_bar("checking" if check else "copying", quiet=as_json, noun="bytes") as passed:
        if check:
            manifest = restoring.check(source, passed)
        else:
            done = restoring.restore(source, directory, settings, again=again, say=say, progress=passed)
    if check:
        print_json(_summary(manifest)) if as_json else print(f"{source} is whole: {_contents(manifest)}")
        return
    if as_json:
        print_json(
            _summary(done.manifest)
            | {
                "restored": str(directory.root),
                "right": done.is_right,
                "differences": done.differences,
                "changed": {
                    table: {"saved": saved.model_dump(), "restored": now.model_dump()}
                    for table, (saved, now) in done.facts.items()
                },
            }
        )
    else:
        _print(done, directory.root)
    if not done.is_right:
        raise typer.Exit(MISMATCH)


def _print(done: Restored, root: Path) -> None:
    print(f"{root}: {_contents(done.manifest)}")
    if done.is_right:
        print("the facts are those that were backed up; balanced")
    if done.differences:
        columns = ("claim", "what", "expected", "found")
        print_table("Does not balance", columns, [[row[name] for name in columns] for row in done.differences])
    if done.facts:
        rows = [[table, saved.rows, now.rows, saved.hash == now.hash] for table, (saved, now) in done.facts.items()]
        print_table("Facts that differ", ("facts", "rows_saved", "rows", "same"), rows)


def _summary(manifest: Manifest) -> dict[str, object]:
    return {
        "version": manifest.version,
        "made_at": manifest.made_at,
        "tenant": manifest.tenant,
        "entries": manifest.before - 1,
        "files": len(manifest.files),
        "bytes": manifest.size,
        "store": manifest.whole,
        "facts": {table: fingerprint.rows for table, fingerprint in manifest.facts.items()},
    }


def _contents(manifest: Manifest) -> str:
    store = "with store and snapshots" if manifest.whole else "without store and snapshots, which are made again"
    rows = sum(fingerprint.rows for fingerprint in manifest.facts.values())
    return (
        f"{count(manifest.before - 1, 'entry', 'entries')} of the log, {count(rows, 'fact')}, "
        f"{count(len(manifest.files), 'file')}, {manifest.size:,} bytes, {store}"
    )


def _sources(spool: Path) -> list[str]:
    return [path.name for path in spool.iterdir() if path.is_dir()] if spool.is_dir() else []


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi backup /mnt/backups/2026-11-26 --base /mnt/backups/2026-11-25")(backup)
    app.command(epilog="Example: octroi restore /mnt/backups/2026-11-26 --data octroi-data")(restore)
