"""Options that say which rejections are meant, shared by all commands over rejections."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from apps.cli.failures import WrongUsage

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[CLAIM-RECORD[-BRANCH]]…", help="Rejections, as `list` shows them.")
]
Code = Annotated[str | None, typer.Option("--code", help="Reason, such as UNKNOWN_ACCESS_POINT.")]
OfSource = Annotated[str | None, typer.Option("--source", help="Source of the record.")]
OfClaim = Annotated[
    int | None, typer.Option("--claim", min=1, max=2**32 - 1, help="Journal entry that brought the record.")
]
OfFile = Annotated[str | None, typer.Option("--file", help="Name of the file that brought the record.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Event time from (ISO 8601; UTC without an offset).")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Event time before.")]
OfAccessPoint = Annotated[str | None, typer.Option("--access-point", help="The identifier in the record.")]
OfStage = Annotated[str | None, typer.Option("--stage", help="decode, resource or account.")]
RetriesMin = Annotated[int | None, typer.Option("--retries-min", min=0, max=65535, help="Tried again so often.")]
Text = Annotated[str | None, typer.Option("--text", help="What the record's text holds, in any case.")]
OfStatus = Annotated[str | None, typer.Option("--status", help="Only of this status.")]
Everything = Annotated[bool, typer.Option("--all", help="Every rejection with which it may be done.")]
STATUSES = ("OPEN", "TO_REPROCESS", "REPLAYED", "DISCARDED", "CANCELLED", "ALL")
AnyStatus = Annotated[str, typer.Option("--status", help=f"{', '.join(STATUSES[:-1])} or {STATUSES[-1]}.")]
CRITERIA: dict[str, Any] = {
    "code": Code, "source": OfSource, "claim": OfClaim, "file": OfFile, "since": Since, "until": Until,
    "access_point": OfAccessPoint, "stage": OfStage, "retries_min": RetriesMin, "text": Text,
}  # fmt: skip
"""The option of each criterion, by its name in `apps.embedded.selection.Selection`."""
_ID = re.compile(r"([0-9]{1,10})-([0-9]{1,10})(?:-([0-9]{1,3}))?")
ID_TEXT = "concat(toString(claim), '-', toString(record), if(branch = 0, '', concat('-', toString(branch))))"


def places(ids: list[str] | None) -> list[list[int]]:
    """Return claim, record and branch of rejections as they are typed.

    Raises:
        WrongUsage: when one is no rejection.
    """
    found = []
    for text in ids or []:
        match = _ID.fullmatch(text)
        if match is None:
            raise WrongUsage(
                f"{text!r} is no rejection; `octroi rejects list` shows them as CLAIM-RECORD, such as 3-1207"
            )
        found.append([int(match[1]), int(match[2]), int(match[3] or 0)])
    return found


def reason_name(code: str | None) -> str | None:
    """Return a reason's name, however it was typed.

    Raises:
        WrongUsage: when it is none.
    """
    from schemas.rejection import Reason

    if code is None:
        return None
    known = [reason.name for reason in Reason if reason is not Reason.NONE]
    if code.upper() in known:
        return code.upper()
    near = get_close_matches(code.upper(), known, 1)
    raise WrongUsage(f"{code} is no reason code" + (f"; did you mean {near[0]}?" if near else ""))


def status_name(status: str | None) -> str | None:
    """Return a status's name, None for ALL.

    Raises:
        WrongUsage: when it is none.
    """
    if status is None:
        return None
    if status.upper() not in STATUSES:
        raise WrongUsage(f"--status takes {', '.join(STATUSES[:-1])} or {STATUSES[-1]}")
    return None if status.upper() == STATUSES[-1] else status.upper()


def listing(*names: str, status: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command that shows rejections the options of the criteria `names`, and `--status` where it has a default.

    The command is called with `found`, what was given as `criteria` returns it, before its own parameters.
    """
    options: dict[str, tuple[Any, Any]] = {name: (CRITERIA[name], None) for name in names}
    if status is not None:
        options["status"] = (AnyStatus, status)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def called(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in options}
            command(criteria(None, chosen.pop("code", None), chosen.pop("status", None), **chosen), **given)

        return _with_options(called, command, options)

    return decorate


def selecting(*, status: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command that changes rejections everything that selects some, and `--status` where several are allowed.

    The command is called with `chosen`, what was given as `selection` returns it, before its own parameters.
    """
    options: dict[str, tuple[Any, Any]] = {"ids": (Ids, None)} | {name: (kind, None) for name, kind in CRITERIA.items()}
    if status:
        options["status"] = (OfStatus, None)
    options["everything"] = (Everything, False)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def called(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in options}
            ids, everything = chosen.pop("ids"), chosen.pop("everything")
            found = criteria(ids, chosen.pop("code"), chosen.pop("status", None), **chosen)
            command(selection(found, everything=everything), **given)

        return _with_options(called, command, options)

    return decorate


def _with_options(
    called: Callable[..., None], command: Callable[..., None], options: dict[str, tuple[Any, Any]]
) -> Callable[..., None]:
    """Return `called` with the name and the text of a command, and as parameters the options and the command's own."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(name, keyword, default=default, annotation=kind) for name, (kind, default) in options.items()
    ]
    parameters += [item.replace(kind=keyword) for item in own]
    called.__name__, called.__qualname__, called.__doc__ = command.__name__, command.__qualname__, command.__doc__
    called.__module__ = command.__module__
    called.__annotations__ = {item.name: item.annotation for item in parameters} | {"return": None}
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return called


def criteria(ids: list[str] | None, code: str | None, status: str | None, **others: Any) -> dict[str, Any]:
    """Return what is given, as `apps.embedded.selection.Selection` takes it; empty when nothing is.

    Raises:
        WrongUsage: when an id, a code or a status is none.
    """
    given: dict[str, Any] = {"code": reason_name(code), "status": status_name(status), **others}
    if given.get("stage") is not None:
        given["stage"] = given["stage"].lower()
    found = {name: value for name, value in given.items() if value is not None}
    return found | ({"ids": places(ids)} if ids else {})


def selection(found: dict[str, Any], *, everything: bool) -> dict[str, Any] | None:
    """Return the selection of a command that changes something; None means all.

    Raises:
        WrongUsage: when nothing is selected, or `--all` stands beside a selection.
    """
    if everything and found:
        raise WrongUsage("--all and a selection exclude each other")
    if everything:
        return None
    if not found:
        raise WrongUsage("say which rejections: CLAIM-RECORD, --code, --source, --claim, another criterion, or --all")
    return found
