"""Conditions over the codes of what is sold and to whom: CEL, compiled to expressions over columns of codes.

They say which tax or discount goes with what; they never see an amount. CEL itself is the twin of what is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from billing.catalog.wording import choose
from rating.reference_conditions import cel_accepts
from schemas.expressions import Apply, Items, Name, Node, Text, Truth, UnableToParse, parse_expression

CODES = ("account", "subscription", "offer", "charge", "event_type")
"""What such a condition may name, each a column of texts."""
_TEXT_TESTS: dict[str, Callable[[pl.Expr, str], pl.Expr]] = {
    "startsWith": lambda text, part: text.str.starts_with(part),
    "endsWith": lambda text, part: text.str.ends_with(part),
    "contains": lambda text, part: text.str.contains(part, literal=True),
}


class WrongCondition(ValueError):
    """A condition asks for what there is not, or compares what cannot be compared; the message names the column."""


def compile_code_condition(text: str) -> pl.Expr:
    """Return the expression, over columns of `CODES`, that says where a condition holds.

    Raises:
        WrongCondition: when it is no such condition.
    """
    try:
        return _truth(parse_expression(text))
    except UnableToParse as error:
        raise WrongCondition(str(error)) from error


def check_code_condition(ctx: Context, entry: Entry[Any], path: Path, text: str | None) -> None:
    """Check that a condition, where there is one, can be compiled, and is CEL."""
    if text is None:
        return
    try:
        compile_code_condition(text)
    except WrongCondition as error:
        ctx.problems.at(entry, path, str(error), "correct the expression")
        return
    refused = cel_accepts(text)
    if refused is not None:
        ctx.problems.at(entry, path, refused, "correct the expression")


def _truth(node: Node) -> pl.Expr:
    if isinstance(node, Truth):
        return pl.lit(node.value)
    if not isinstance(node, Apply):
        raise _wrong(node, "a comparison is expected here")
    sign, arguments = node.operator, node.arguments
    if sign in ("&&", "||"):
        left, right = map(_truth, arguments)
        return left & right if sign == "&&" else left | right
    if sign == "!":
        return ~_truth(arguments[0])
    if sign == "?:":
        asked, then, otherwise = map(_truth, arguments)
        return (asked & then) | (~asked & otherwise)
    if sign in ("==", "!="):
        left, right = map(_text, arguments)
        return left == right if sign == "==" else left != right
    if sign == "in" and isinstance(arguments[1], Items):
        return _text(arguments[0]).is_in([_written(item) for item in arguments[1].items])
    if sign in _TEXT_TESTS and len(arguments) == 2:
        return _TEXT_TESTS[sign](_text(arguments[0]), _written(arguments[1]))
    raise _wrong(node, f"{sign!r} is not for codes: compare them by ==, !=, in, startsWith, endsWith and contains")


def _text(node: Node) -> pl.Expr:
    if isinstance(node, Text):
        return pl.lit(node.value)
    if isinstance(node, Name):
        if node.name not in CODES:
            raise _wrong(node, f'there is no "{node.name}" here; {choose(node.name, CODES)}')
        return pl.col(node.name)
    raise _wrong(node, "a code or a text in quotes is expected here")


def _written(node: Node) -> str:
    if not isinstance(node, Text):
        raise _wrong(node, "a text in quotes is expected here")
    return node.value


def _wrong(node: Node, message: str) -> WrongCondition:
    return WrongCondition(f"column {node.column}: {message}")
