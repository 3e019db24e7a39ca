"""What a failure means to whoever called: one sentence on stderr and an honest exit code.

0 ok · 1 something does not balance · 2 wrong usage · 3 wrong configuration or catalog · 4 a file, the store or its owner is
not available · 5 partly done (a file was quarantined or could not be taken, or too many rejections) · 70 a defect of octroi,
with its traceback · 130 interrupted.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

from apps.cli.output import printable

OK, MISMATCH, USAGE, CONFIGURATION, UNAVAILABLE, PARTIAL, DEFECT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130

_EXIT_CODES = {
    "NoCatalog": CONFIGURATION,
    "NoApiKeys": CONFIGURATION,
    "NoDiameterSettings": CONFIGURATION,
    "UnableToLoadCatalog": CONFIGURATION,
    "UnableToCopyCatalog": UNAVAILABLE,
    "UnableToActivate": CONFIGURATION,
    "UnableToCompileImage": CONFIGURATION,
    "UnableToCompileSource": CONFIGURATION,
    "UnableToRetry": CONFIGURATION,
    "UnableToBackOut": USAGE,
    "UnableToBackUp": UNAVAILABLE,
    "UnableToRestore": UNAVAILABLE,
    "UnableToAbandon": USAGE,
    "UnableToAccount": CONFIGURATION,
    "UnableToRerate": USAGE,
    "UnableToBill": USAGE,
    "UnableToBillRun": USAGE,
    "UnableToCredit": USAGE,
    "UnableToKeepJournal": USAGE,
    "UnableToDocument": USAGE,
    "UnableToFindInvoice": USAGE,
    "UnableToChargeFees": USAGE,
    "UnableToOperate": USAGE,
    "UnableToRequest": USAGE,
    "UnableToFindCatalog": USAGE,
    "UnableToReadEdrs": USAGE,
    "TenantDiffers": CONFIGURATION,
    "UnableToReadSettings": CONFIGURATION,
    "UnableToUseDataDirectory": UNAVAILABLE,
    "UnableToReach": UNAVAILABLE,
    "NoPeers": UNAVAILABLE,
    "UnableToReadCapture": PARTIAL,
    "NobodyNamed": USAGE,
    "UnableToReadChargingLog": UNAVAILABLE,
    "UnableToReadJournal": UNAVAILABLE,
    "UnableToWriteChargingLog": UNAVAILABLE,
    "UnableToWriteJournal": UNAVAILABLE,
    "UnableToReadImage": UNAVAILABLE,
    "EndedBeside": UNAVAILABLE,
    "OtherRelease": UNAVAILABLE,
    "UnableToReadArchive": UNAVAILABLE,
    "DamagedKeys": UNAVAILABLE,
    "UnableToOpenStore": UNAVAILABLE,
    "UnableToStore": UNAVAILABLE,
    "UnableToTalk": UNAVAILABLE,
    "UnableToClaim": UNAVAILABLE,
    "UnableToMeasure": UNAVAILABLE,
    "DirectoryIsOwned": UNAVAILABLE,
    "OSError": UNAVAILABLE,
    "UnableToHandOver": USAGE,
    "UnableToExport": USAGE,
    "UnableToQuery": USAGE,
    "UnableToSelect": USAGE,
    "UnableToDecide": USAGE,
    "UnableToCorrect": USAGE,
    "UnableToFindSource": USAGE,
    "UnableToFindTemplate": USAGE,
    "UnableToExplain": USAGE,
    "UnableToTrace": USAGE,
    "UnableToReadUsage": USAGE,
    "UnableToReadCounters": USAGE,
    "NoImage": CONFIGURATION,
    "NoKafka": CONFIGURATION,
    "UnableToStream": CONFIGURATION,
    "UnableToRepartition": CONFIGURATION,
    "UnableToApplyTopics": UNAVAILABLE,
    "UnableToReadShelf": UNAVAILABLE,
    "UnableToReplay": UNAVAILABLE,
    "UnableToSend": UNAVAILABLE,
    "KafkaException": UNAVAILABLE,
    "TwinDiffers": MISMATCH,
    "UnableToOpenDatabase": UNAVAILABLE,
    "UnableToCopyDatabase": USAGE,
    "UnableToManageTenant": USAGE,
    "TenantIsSuspended": USAGE,
    "UnableToChange": USAGE,
    "UnableToGrant": USAGE,
    "UnableToSetPassword": USAGE,
    "UnableToKeepAccount": USAGE,
    "UnableToKeepSubscription": USAGE,
    "UnableToPublish": CONFIGURATION,
    "UnableToReadSheet": USAGE,
    "UnableToReadInvoice": USAGE,
    "UnableToRenderInvoice": CONFIGURATION,
    "UnableToWriteInvoice": USAGE,
    "UnableToMakeFacturX": CONFIGURATION,
    "BreaksRules": MISMATCH,
    "WrongUsage": USAGE,
}
"""By name, because importing the classes would import what they guard."""


class WrongUsage(Exception):
    """The command was called with arguments that cannot be right."""


def exit_code_of(error: BaseException) -> int | None:
    """Return the exit code that an exception stands for, None for one that nobody expected.

    An owner's refusal (`OwnerRefused`) stands for what the owner's own exception stands for.
    """
    names = [*getattr(error, "kinds", ()), *(kind.__name__ for kind in type(error).__mro__)]
    return next((_EXIT_CODES[name] for name in names if name in _EXIT_CODES), None)


def say(sentence: str) -> None:
    """Tell the operator something, on stderr."""
    print(f"octroi: {printable(sentence, newlines=True)}", file=sys.stderr, flush=True)


Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


def honest(command: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Turn expected failures of a command into a sentence and an exit code; unexpected ones stay visible."""

    @functools.wraps(command)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Returned:
        try:
            returned = command(*args, **kwargs)
            sys.stdout.flush()
            return returned
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # whoever read our output has seen enough (`octroi query … | head`)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(OK) from None
        except typer.Exit:
            raise
        except Exception as error:
            code = exit_code_of(error)
            if code is None:
                _report_defect()
                raise typer.Exit(DEFECT) from error
            say(_in_words(error))
            raise typer.Exit(code) from None

    return wrapped


def _report_defect() -> None:
    import traceback

    traceback.print_exc()
    say(
        "this is a defect of octroi: please report the lines above. Nothing is lost: the next run goes on from the journal"
    )


def _in_words(error: Exception) -> str:
    told = str(error)
    if isinstance(error, OSError):
        told = error.strerror or told
        told = f"{os.fsdecode(error.filename)}: {told}" if error.filename else f"cannot read or write: {told}"
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if full or getattr(error, "transient", False):
        told += ". Nothing is lost: remove the cause and run again"
    for note in getattr(error, "__notes__", ()):
        told = f"{told.removesuffix('.')}. {note}"
    return told
