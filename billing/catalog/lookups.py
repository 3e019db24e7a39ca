"""The rows of lookup tables: keys that can be read and do not contradict each other, and the texts that they stand for."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import polars as pl

from billing.catalog.matrices import ANY, CODE_MAX, WRITE
from billing.catalog.tables import PLACE, Check, converted_texts
from schemas.catalog import LookupRows
from schemas.price_table import PREFIX_MAX, LookupTable
from schemas.values import VALUE_DECIMALS_MAX, cell_range

PREFIX = f"write up to {PREFIX_MAX} digits, or {ANY} for all"
BEYOND = 10**40


def lookup_rows(check: Check, document: LookupTable) -> LookupRows:
    """Return the rows of a lookup table, in the order of their keys; say which of them are wrong."""
    kind = document.key
    key, code = pl.col("key"), pl.col("code")
    check.refuse(
        "key", key.is_null(), "the key is empty", f"write it{f', or {ANY} for all' if kind == 'digits' else ''}"
    )
    check.refuse("code", code.is_null(), "the key stands for nothing", "write the text that is found")
    check.refuse(
        "code", code.str.len_chars() > CODE_MAX, "the text is too long", f"write at most {CODE_MAX} characters"
    )
    readable = converted_texts(check.frame["key"], lambda text: _is_key(text, kind))
    wrong = key.is_not_null() & pl.lit(readable).is_null()
    what, fix = ("text", WRITE["code"]) if kind == "code" else (kind, PREFIX if kind == "digits" else WRITE[kind])
    check.refuse("key", wrong, f'"{{}}" is no {what} that can be looked up', fix)
    twice = key.is_not_null() & ~key.is_first_distinct()
    check.refuse("key", twice, 'the key "{}" is there twice', "remove one of the rows")
    if kind not in ("code", "digits"):
        _check_overlaps(check, kind)
    frame = check.frame.select("key", "code").sort("key", "code")
    digest = sha256(kind.encode())
    digest.update(frame.write_csv().encode())
    return LookupRows(kind, frame, digest.hexdigest())


def _is_key(text: str, kind: str) -> int | None:
    if kind == "code":
        return 1 if len(text) <= CODE_MAX else None
    if kind == "digits":
        return 1 if text == ANY or (text.isascii() and text.isdecimal() and len(text) <= PREFIX_MAX) else None
    try:
        cell_range(text, kind)
    except ValueError:
        return None
    return 1


def _check_overlaps(check: Check, kind: str) -> None:
    """Say which ranges begin before the one before them ends."""
    distinct = check.frame.filter(pl.col("key").is_first_distinct())
    spans = []
    for text, place in zip(distinct["key"].to_list(), distinct[PLACE].to_list(), strict=True):
        if text is not None and _is_key(text, kind):
            spans.append((*cell_range(text, kind, VALUE_DECIMALS_MAX, BEYOND), place))
    spans.sort()
    over = [place for (_, end, _), (start, _, place) in pairwise(spans) if start < end]
    message = 'the key "{}" overlaps another one'
    check.refuse("key", pl.col(PLACE).is_in(over), message, "end one range where the next one begins")
