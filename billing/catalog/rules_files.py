"""Rules of what the names of files say."""

from __future__ import annotations

import re
from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry
from billing.catalog.wording import choose
from schemas.source_files import COUNTED, FileNames


def check_file_names(ctx: Context, entry: Entry[Any], names: FileNames | None) -> None:
    """Check that the pattern is one, and that it says by what files are counted."""
    if names is None:
        return
    path = ("file_names", "pattern")
    try:
        groups = names.compiled.groupindex
    except re.error as error:
        ctx.problems.at(entry, path, f"this is no regular expression: {error}", "correct it")
        return
    if "sequence" not in groups and "parts" not in groups:
        message = "nothing in it counts files, so none could be missing"
        ctx.problems.at(entry, path, message, r"name a group: `(?P<sequence>\d+)`, or `part` and `parts`")
    if ("part" in groups) != ("parts" in groups):
        message = "a part is one of so many: there are `part` and `parts`, or neither"
        ctx.problems.at(entry, path, message, "name the other group, too")
    ctx.unique(entry, ("file_names", "per"), names.per, "group")
    others = [name for name in groups if name not in COUNTED]
    for index, name in enumerate(names.per):
        if name not in others:
            fix = choose(name, others, otherwise=f"name it in the pattern: `(?P<{name}>…)`")
            ctx.problems.at(entry, ("file_names", "per", index), f'no group "{name}" tells streams apart', fix)
