"""The rows of lookup tables: keys that can be read and do not contradict each other, and the texts that they stand for."""

from __future__ import annotations

from hashlib import sha256

import polars as pl

from billing.catalog.matrices import ANY, CODE_MAX, WRITE
from billing.catalog.tables import PLACE, Check, converted_texts
from schemas.catalog import LOOKUP_ROW_FRAME, TIME_MAX, TIME_MIN, LookupRows
from schemas.price_table import PREFIX_MAX, LookupTable
from schemas.values import VALUE_DECIMALS_MAX, cell_range

PREFIX = f"write up to {PREFIX_MAX} digits, or {ANY} for all"
BEYOND = 10**40


def lookup_rows(check: Check, document: LookupTable) -> LookupRows:
    """Return the rows of a lookup table, in the order of their keys; say which of them are wrong.

    `check` has its rows with `start_at` and `end_at`, null where open.
    """
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
    check.tell()
    frame = check.frame.with_columns(pl.col("start_at").fill_null(TIME_MIN), pl.col("end_at").fill_null(TIME_MAX))
    dated = bool(frame.select(((pl.col("start_at") > TIME_MIN) | (pl.col("end_at") < TIME_MAX)).any()).item())
    _check_twice(Check(frame, check.origins, check.problems))
    if kind not in ("code", "digits"):
        _check_overlaps(Check(frame, check.origins, check.problems), kind)
    frame = frame.select(LOOKUP_ROW_FRAME.names()).sort("key", "start_at", "code")
    digest = sha256(kind.encode())
    digest.update((frame if dated else frame.select("key", "code")).write_csv().encode())
    return LookupRows(kind, frame, dated, digest.hexdigest())


def _check_twice(check: Check) -> None:
    """Say which keys stand for two texts at a time."""
    ordered = check.frame.select("key", "start_at", "end_at", PLACE).sort("key", "start_at", PLACE)
    again = (pl.col("key") == pl.col("key").shift(1)) & (pl.col("start_at") < pl.col("end_at").shift(1))
    twice = ordered.filter(again)[PLACE]
    undated = (pl.col("start_at") == TIME_MIN) & (pl.col("end_at") == TIME_MAX)
    for when, message, fix in (
        (undated, 'the key "{}" is there twice', "remove one of the rows"),
        (~undated, 'the key "{}" stands for another text at that time', "end one before the other"),
    ):
        check.refuse("key", pl.col(PLACE).is_in(twice.implode()) & when, message, fix)
    check.tell()


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
    """Say which ranges begin before another one ends that is in force at the same time."""
    spans = []
    for text, start, end, place in check.frame.select("key", "start_at", "end_at", PLACE).iter_rows():
        if text is not None and _is_key(text, kind):
            spans.append((*cell_range(text, kind, VALUE_DECIMALS_MAX, BEYOND), start, end, place, text))
    spans.sort()
    over, open_spans = [], spans[:0]
    for span in spans:
        low, _, start, end, place, text = span
        open_spans = [other for other in open_spans if other[1] > low]
        # the same key at the same time is said elsewhere
        if any(other[2] < end and start < other[3] and other[5] != text for other in open_spans):
            over.append(place)
        open_spans.append(span)
    message = 'the key "{}" overlaps another one'
    check.refuse("key", pl.col(PLACE).is_in(over), message, "end one range where the next one begins")
    check.tell()
