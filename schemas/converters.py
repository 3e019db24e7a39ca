"""Converters: what is done to the text of a field before anything else reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.price_plan import Document

Affix = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,8}$")]


class E164(Document):
    """Telephone numbers as the digits of E.164, country code first.

    Blanks, `-`, `.`, `/` and parentheses are removed. Then a number that starts with one of `international` loses it; one
    that starts with `trunk` (unless that is empty) gets `country` in its place; another one gets `country` in front when
    `bare` is `national`. Numbers of at most `short_max` digits without such a prefix (emergency and service numbers), and
    texts that hold anything but digits, stay as they are.
    """

    country: Digits
    trunk: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,8}$")] = "0"
    international: tuple[Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{0,7}$", min_length=1)], ...] = ("+", "00")
    bare: Literal["international", "national"] = "international"
    short_max: Annotated[int, Field(ge=0, le=15)] = 6


class Substring(Document):
    """Characters `start` (the first is 1) and following, at most `width`."""

    start: Annotated[int, Field(ge=1, le=65_536)]
    width: Annotated[int, Field(ge=1, le=65_536)] | None = None


class PadLeft(Document):
    """Put `fill` in front until the text has `width` characters."""

    width: Annotated[int, Field(ge=1, le=64)]
    fill: Annotated[str, StringConstraints(pattern=r"^[ -~]$")] = "0"


class Split(Document):
    """Part number `part` (the first is 1) of a text that `separator` divides; nothing where there are fewer."""

    separator: Annotated[str, StringConstraints(pattern=r"^[ -~]$")]
    part: Annotated[int, Field(ge=1, le=64)]


class Converter(Document):
    """One step; exactly one of its fields is given. An empty text stays empty, unless `map` names it.

    `strip_prefix` removes the first of the texts that the field begins with; `case` changes the letters A to Z; `map`
    replaces whole texts, others by `default` if there is one.
    """

    strip_prefix: Annotated[tuple[Affix, ...], Field(min_length=1, max_length=32)] | None = None
    add_prefix: Affix | None = None
    e164: E164 | None = None
    case: Literal["upper", "lower"] | None = None
    substring: Substring | None = None
    split: Split | None = None
    pad_left: PadLeft | None = None
    map: dict[str, str] | None = None
    default: str | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps that are given: more or less than one is an error."""
        names = ("strip_prefix", "add_prefix", "e164", "case", "substring", "split", "pad_left", "map")
        return tuple(name for name in names if getattr(self, name) is not None)
