"""What a failure means to whoever called: one sentence on stderr and an honest exit code.

0 ok · 1 something does not balance · 2 wrong usage · 3 wrong configuration or catalog · 4 a file, the store or its owner is
not available · 5 partly done (a file was quarantined or could not be taken, or too many rejections) · 130 interrupted.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

OK, MISMATCH, USAGE, CONFIGURATION, UNAVAILABLE, PARTIAL, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

_EXIT_CODES = {
    "UnableToLoadCatalog": CONFIGURATION,
    "UnableToCopyCatalog": UNAVAILABLE,
    "UnableToCompileImage": CONFIGURATION,
    "UnableToCompileSource": CONFIGURATION,
    "ValidationError": CONFIGURATION,
    "TOMLDecodeError": CONFIGURATION,
    "UnableToUseDataDirectory": UNAVAILABLE,
    "UnableToReach": UNAVAILABLE,
    "UnableToReadJournal": UNAVAILABLE,
    "UnableToReadArchive": UNAVAILABLE,
    "UnableToOpenStore": UNAVAILABLE,
    "UnableToStore": UNAVAILABLE,
    "UnableToTalk": UNAVAILABLE,
    "UnableToClaim": UNAVAILABLE,
    "DirectoryIsOwned": UNAVAILABLE,
    "OwnerRefused": USAGE,
    "UnableToQuery": USAGE,
    "UnableToSelect": USAGE,
    "UnableToExplain": USAGE,
    "WrongUsage": USAGE,
}
"""By name, because importing the classes would import what they guard."""


class WrongUsage(Exception):
    """The command was called with arguments that cannot be right."""


def exit_code_of(error: BaseException) -> int | None:
    """Return the exit code that an exception stands for, None for one that nobody expected."""
    for kind in type(error).__mro__:
        if kind.__name__ in _EXIT_CODES:
            return _EXIT_CODES[kind.__name__]
    if isinstance(error, OSError):
        return UNAVAILABLE
    return None


def say(sentence: str) -> None:
    """Tell the operator something, on stderr."""
    print(f"octroi: {sentence}", file=sys.stderr, flush=True)


Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


def honest(command: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Turn expected failures of a command into a sentence and an exit code; unexpected ones stay visible."""

    @functools.wraps(command)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Returned:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            say("interrupted; the next run continues from the journal")
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            code = exit_code_of(error)
            if code is None:
                raise
            say(_in_words(error))
            raise typer.Exit(code) from None

    return wrapped


def _in_words(error: Exception) -> str:
    if type(error).__name__ == "ValidationError" and hasattr(error, "errors"):
        told = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']} (given {item['input']!r})"
            for item in error.errors()
        )
        return f"wrong setting: {told}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
