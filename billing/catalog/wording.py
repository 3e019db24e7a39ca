"""What to do about a problem, in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import Enum
from itertools import islice
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from billing.catalog.models import Node

CHOICES_SHOWN = 12
WORD_MAX = 128
CANDIDATES_MAX = 10_000
"""How many known names are compared with an unknown one."""
INSTANT = 'write an instant with its zone, such as "2026-01-01T00:00:00Z"'
QUANTITY = 'write a number, one blank and a unit, such as "60 s"'
CODE = "use letters, digits and . _ : @ + - (at most 128, the first a letter or digit)"
_QUANTITY_FIELDS = frozenset({"per", "up_to", "first", "next", "index", "free", "minimum_quantity", "increment"})
_PATTERN_STARTS = (
    (r"^\d{1,18}(", 'write an exact number or ratio in quotes, such as "29.3001" or "1/3.6"'),
    (r"^\d+", QUANTITY),
    ("^[A-Z]{2}$", 'write the two capital letters of ISO 3166, such as "FR"'),
    ("^[A-Z]{3}", 'write the three capital letters of ISO 4217, such as "EUR"'),
    ("^(0[1-9]|1[0-2])-", 'write a day of every year as MM-DD, such as "12-25"'),
    (r"^([01]\d|2[0-3])", 'write HH:MM on a quarter of an hour, such as "22:00", "06:15", "24:00"'),
    ("^[A-Za-z0-9]", CODE),
    ("^[A-Za-z][", "use letters, digits and . _ / - (at most 32, the first a letter)"),
)
_TIME_ERRORS = ("datetime", "timezone", "date")


def choose(word: object, known: Iterable[str], *, otherwise: str = "declare it") -> str:
    """Return the fix for an unknown name: the known name most like it, or those there are."""
    names = list(dict.fromkeys(islice(known, CANDIDATES_MAX)))
    if not names:
        return otherwise
    text = str(word)[:WORD_MAX]
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(text.casefold(), folded, n=1)
    if close:
        return f'did you mean "{folded[close[0]]}"?'
    shown = ", ".join(f'"{name}"' for name in names[:CHOICES_SHOWN])
    return f"use one of {shown}{', …' if len(names) > CHOICES_SHOWN else ''}"


def describe_error(error: Any, model: type[BaseModel] | None, name: str, node: Node | None) -> tuple[str, str]:
    """Return (message, fix) for one error of pydantic.

    Args:
        error: one of `ValidationError.errors()`.
        model: the model that has, or lacks, the field; None when the value is no mapping at all.
        name: the field.
        node: what is written there, None when the field is missing.
    """
    kind: str = error["type"]
    if kind == "missing":
        return f'the field "{name}" is missing', f"add `{name}: …`{_about(model, name)}"
    if kind == "extra_forbidden":
        return f'the field "{name}" is unknown', choose(
            name, model.model_fields if model is not None else (), otherwise="remove it"
        )
    shown = _shown(node)
    if kind in ("literal_error", "enum"):
        return f"{shown} is not allowed", choose(node.text if node else "", _allowed(model, name, error))
    if node is not None and isinstance(node.value, bool | int | float) and kind in ("string_type", "value_error"):
        return _quoting(node, name, error)
    predicate, fix = _explain(error)
    return f"{shown} {predicate}", fix


def _quoting(node: Node, name: str, error: Any) -> tuple[str, str]:
    if name in _QUANTITY_FIELDS:
        return f"{node.text} has no unit", QUANTITY
    if "instant" in error["msg"]:
        return f"{node.text} is not an instant", INSTANT
    what = "a bare decimal is binary floating point" if isinstance(node.value, float) else f"{node.text} is not text"
    return what, f'write it in quotes: "{node.text}"'


def _explain(error: Any) -> tuple[str, str]:
    """Return (what the value is not, fix)."""
    kind: str = error["type"]
    context: dict[str, Any] = error.get("ctx") or {}
    if kind == "string_pattern_mismatch":
        fixes = (fix for start, fix in _PATTERN_STARTS if context["pattern"].startswith(start))
        return "is not well formed", next(fixes, f"match {context['pattern']}")
    if kind.startswith(_TIME_ERRORS) or "instant" in error["msg"]:
        return "is not an instant with a zone", INSTANT
    if "decimal_places" in context:
        return "has too many decimals", f"write at most {context['decimal_places']}"
    if kind.startswith("decimal") or kind == "finite_number":
        return "is not a number", 'write a number in quotes, such as "0.10"'
    if "max_length" in context or "min_length" in context:
        items = "characters" if kind.startswith("string") else "items"
        most = "max_length" in context
        limit = context["max_length" if most else "min_length"]
        return (
            f"is too {'long' if most else 'short'}",
            f"write {'at most' if most else 'at least'} {limit} {items}",
        )
    if "gt" in context:
        return "is too small", f"write more than {context['gt']}"
    if "ge" in context:
        return "is too small", f"write {context['ge']} or more"
    if "le" in context:
        return "is too large", f"write {context['le']} or less"
    message: str = error["msg"].removeprefix("Value error, ")
    expected = (found for start, found in _EXPECTED if kind.startswith(start))
    return next(expected, (f"is not valid: {message[:1].lower()}{message[1:]}", "write what it asks for"))


_EXPECTED = (
    ("tuple", ("is not a list", "write a list: [first, second]")),
    ("dict", ("is not a mapping", "write a mapping of `name: value`")),
    ("model", ("is not a mapping", "write a mapping of `name: value`")),
    ("int", ("is not a whole number", "write a whole number")),
    ("bool", ("is neither true nor false", "write true or false")),
    ("string", ("is not text", "write text")),
)


def _shown(node: Node | None) -> str:
    if node is None:
        return "nothing"
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    return "an empty value" if node.value is None else f'"{node.text[:64]}{"…" if len(node.text) > 64 else ""}"'


def _about(model: type[BaseModel] | None, name: str) -> str:
    """Return an example for the fields whose form is not obvious."""
    if name in ("start", "end", "at"):
        return ', such as "2026-01-01T00:00:00Z"'
    if name in _QUANTITY_FIELDS:
        return ', such as "60 s"'
    allowed = _allowed(model, name, {})
    return f", one of {', '.join(allowed)}" if allowed else ""


def _allowed(model: type[BaseModel] | None, name: str, error: Any) -> list[str]:
    """Return the values that a field accepts, if it is a choice."""
    field = model.model_fields.get(name) if model is not None else None
    found = _choices(field.annotation) if field is not None else []
    expected: str = (error.get("ctx") or {}).get("expected", "")
    return found or [part.strip("' ") for part in expected.replace(" or ", ", ").split(", ") if part]


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return [choice for argument in get_args(annotation) for choice in _choices(argument)]
