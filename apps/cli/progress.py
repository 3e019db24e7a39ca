"""A progress line on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def records_bar(
    label: str, *, total: int | None = None, quiet: bool = False, noun: str = "records"
) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the records (or what `noun` says) that passed; draws on stderr when it is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda records: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(f"{{task.completed:,.0f}} {noun}"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total, rate=0.0)

        def passed(records: int) -> None:
            progress.advance(task, records)
            seen = progress.tasks[task]
            progress.update(task, rate=seen.completed / max(seen.elapsed or 0.0, 0.001))

        yield passed
