"""CSV files of `subscription_table` documents, parsed and checked as columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import polars as pl

from billing.catalog.models import Fault, Problems
from billing.catalog.origins import Origins
from billing.catalog.rules_wallets import BALANCE_MAX
from billing.catalog.wording import CODE, INSTANT, choose
from schemas.catalog import TIME_MAX, TIME_MIN
from schemas.money import AMOUNT_DECIMALS, CURRENCY_DECIMALS, to_scaled
from schemas.price_plan import utc_microseconds

REQUIRED = ("account", "currency", "subscription", "offer", "access_point")
OF_ACCOUNTS = ("country", "tax_category", "tax_exemption", "billing_cycle")
RESOLD = ("reseller", "reseller_offer")
OF_WALLETS = ("prepaid_balance", "notify_below", "postpaid")
OPTIONAL = ("start", "end", *OF_WALLETS, "shared", "zone", "group", "parent", "discount", *RESOLD, *OF_ACCOUNTS)
IDENTIFIER_MAX = 255
PLACE = "(origin)"
"""The column with the origin of each row; no file has one of that name."""
_CODE_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$"
_RAGGED = "every line has as many fields as the header; quote values that contain commas"
_NUMBER = re.compile(r"[0-9]{1,10}(\.[0-9]{1,9})?")
_TRUTH = ("true", "false")


def read_table(data: bytes, file: str, origins: Origins, problems: Problems) -> pl.DataFrame | None:
    """Return the rows of one table, or None when its rows cannot be told apart.

    The columns are those of REQUIRED, then `start_at` and `end_at` (microseconds UTC, TIME_MIN and TIME_MAX when
    open), `prepaid_balance` (billionths; null: no prepaid wallet), `notify_below` (likewise; null: never),
    `postpaid`, `shared`, `zone`, `group`, `parent`, `discount` and the text of its `discount_start`, those of RESOLD and
    OF_ACCOUNTS, and `origin`. Rows with a problem are kept.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    columns = _header(data, file, problems)
    frame = parse_rows(data, len(columns), file, problems) if columns else None
    if columns is None or frame is None:
        return None
    frame = frame.with_columns(row_origins(frame, data, origins.table(file)))
    frame = frame.filter(pl.any_horizontal(pl.exclude(PLACE).is_not_null()))
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in columns)
    check = Check(frame, origins, problems)
    _check_names(check)
    _check_wallets(check)
    _check_resellers(check)
    check.tell()
    return _convert(check)


def _header(data: bytes, file: str, problems: Problems) -> list[str] | None:
    """Return the names of the columns, if they are those that a table has."""
    first = data.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    columns = next(csv.reader([first]), [])
    if not columns:
        problems.add(file, 1, "", "the file is empty", f"start it with the header {','.join(REQUIRED)}", Fault.MISSING)
        return None
    known = (*REQUIRED, *OPTIONAL)
    wrong = False
    for name in columns:
        if name not in known:
            problems.add(file, 1, name, f'the column "{name}" is unknown', choose(name, known), Fault.UNKNOWN_FIELD)
            wrong = True
    for name in REQUIRED:
        if name not in columns:
            problems.add(
                file,
                1,
                name,
                f'the column "{name}" is missing',
                f"add it; a table needs {', '.join(REQUIRED)}",
                Fault.MISSING,
            )
            wrong = True
    if len(set(columns)) != len(columns):
        problems.add(file, 1, "", "a column appears twice", "remove one of them", Fault.DECLARED_TWICE)
        wrong = True
    return None if wrong else columns


def parse_rows(data: bytes, width: int, file: str, problems: Problems) -> pl.DataFrame | None:
    """Return all columns as text, empty fields as null."""
    fault = None
    frame = None
    try:
        frame = pl.read_csv(data, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        fault = str(error).splitlines()[0]
    # polars refuses lines with too many fields and fills up those with too few, which the number of commas shows
    even = data.count(b",") == (width - 1) * (data.count(b"\n") + (not data.endswith(b"\n")))
    if fault is None and even and b'"' not in data:
        return frame
    found = _first_fault(data, width) or ((0, f"the file is not CSV: {fault}", _RAGGED) if fault else None)
    if found is None:
        return frame
    problems.add(file, found[0], "", found[1], found[2], Fault.UNREADABLE)
    return None


def _first_fault(data: bytes, width: int) -> tuple[int, str, str] | None:
    """Return (line, message, fix) of the first line that is not text, not CSV, or has not `width` fields."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1, "the file is not UTF-8 text", "save it in UTF-8"
    reader = csv.reader((line.decode("utf-8") for line in io.BytesIO(data)), strict=True)
    line = 1
    try:
        for fields in reader:
            if fields and len(fields) != width:
                return line, f"the line has {len(fields)} fields, the header {width}", _RAGGED
            line = reader.line_num + 1
    except csv.Error as error:
        return line, f"the line is not CSV: {error}", "close each quote; write quotes within quotes twice"
    return None


def row_origins(frame: pl.DataFrame, data: bytes, base: int) -> pl.Series:
    """Return the origin of each row: `base` plus the line on which it starts; the header is line 1."""
    lines = pl.int_range(base + 2, base + 2 + len(frame), dtype=pl.Int64, eager=True)
    if b'"' in data:  # quoted fields may contain line ends
        breaks = frame.select(
            pl.sum_horizontal(pl.all().str.count_matches("\n").fill_null(0)).cast(pl.Int64)
        ).to_series()
        lines = lines + breaks.cum_sum().shift(1, fill_value=0)
    return lines.alias(PLACE)


_Refusal = tuple[str, pl.Expr, str, str | Callable[[str], str]]
"""A column, where it is wrong, what is said of it, and the fix."""


@dataclass(frozen=True, slots=True)
class Check:
    """Rows with the columns of a table as text, and where problems go."""

    frame: pl.DataFrame
    origins: Origins
    problems: Problems
    asked: list[_Refusal] = field(default_factory=list)

    def refuse(self, column: str, wrong: pl.Expr, message: str, fix: str | Callable[[str], str]) -> None:
        """Let `tell` say so where `wrong` holds; "{}" in the message is the value; the fix may depend on it."""
        self.asked.append((column, wrong, message, fix))

    def tell(self) -> None:
        """Say what is refused. All is looked for at once: a catalog may have thousands of tables of a few rows."""
        found = self.frame.select(refusal[1].any().alias(str(number)) for number, refusal in enumerate(self.asked))
        for refusal, any_ in zip(self.asked, found.row(0), strict=True):
            if any_:
                self._tell(*refusal)
        self.asked.clear()

    def _tell(self, column: str, wrong: pl.Expr, message: str, fix: str | Callable[[str], str]) -> None:
        rows = self.frame.filter(wrong).select(
            pl.col(PLACE).alias("origin"), pl.col(column).fill_null("").alias("value")
        )
        self.origins.report(
            rows,
            self.problems,
            column=column,
            path=(column,),
            explain=lambda row: (message.format(row["value"]), fix if isinstance(fix, str) else fix(row["value"])),
        )


def _check_names(check: Check) -> None:
    for name in REQUIRED:
        check.refuse(name, pl.col(name).is_null(), "the value is empty", f"write the {name.replace('_', ' ')}")
    for name in ("account", "subscription", "group"):
        check.refuse(name, ~pl.col(name).str.contains(_CODE_PATTERN), '"{}" is not well formed', CODE)
    strange = ~pl.col("country").str.contains("^[A-Z]{2}$")
    check.refuse("country", strange, '"{}" is no country', 'write the two capital letters of ISO 3166, such as "FR"')
    point = pl.col("access_point")
    blank = point.str.strip_chars() != point
    check.refuse("access_point", blank, 'there are blanks around "{}"', "remove them")
    check.refuse("access_point", point.str.contains(r"[\x00-\x1f\x7f]"), "there are control characters", "remove them")
    too_long = point.str.len_chars() > IDENTIFIER_MAX
    check.refuse("access_point", too_long, "the identifier is too long", f"write at most {IDENTIFIER_MAX} characters")
    unlisted = ~pl.col("currency").is_in(list(CURRENCY_DECIMALS))
    message = 'octroi does not bill in the currency "{}"'
    check.refuse("currency", unlisted, message, lambda code: choose(code, CURRENCY_DECIMALS))


def _check_resellers(check: Check) -> None:
    one = pl.col("reseller").is_null() != pl.col("reseller_offer").is_null()
    check.refuse("reseller_offer", one, "a reseller is an account and its offer", "write both, or neither")
    own = pl.col("reseller") == pl.col("account")
    check.refuse("reseller", own, '"{}" resells the subscription to itself', "name the account that sold it, or none")


def _check_wallets(check: Check) -> None:
    postpaid = pl.col("postpaid")
    for name in ("postpaid", "shared"):
        check.refuse(name, ~pl.col(name).is_in(_TRUTH), '"{}" is neither true nor false', "write true or false")
    none = (postpaid == "false") & pl.col("prepaid_balance").is_null()
    check.refuse("postpaid", none, "an account without wallets cannot pay", "write a prepaid_balance, or true")


def _convert(check: Check) -> pl.DataFrame:
    """Return the rows with instants and amounts as integers."""
    frame = check.frame.with_columns(
        converted_texts(check.frame["start"], instant_us).alias("start_at"),
        converted_texts(check.frame["end"], instant_us).alias("end_at"),
        converted_texts(check.frame["prepaid_balance"], _balance).alias("balance"),
        converted_texts(check.frame["notify_below"], _balance).alias("level"),
    )
    converted = Check(frame, check.origins, check.problems)
    for name, into in (("start", "start_at"), ("end", "end_at")):
        wrong = pl.col(name).is_not_null() & pl.col(into).is_null()
        converted.refuse(name, wrong, '"{}" is not an instant with a zone', INSTANT)
    backwards = pl.col("start_at") >= pl.col("end_at")
    converted.refuse("end", backwards, "the period ends at {}, not after its start", "write a later end, or none")
    wrong = pl.col("prepaid_balance").is_not_null() & pl.col("balance").is_null()
    fix = f"write a number from 0 to {BALANCE_MAX} with at most {AMOUNT_DECIMALS} decimals"
    converted.refuse("prepaid_balance", wrong, '"{}" is not an opening balance', fix)
    wrong = pl.col("notify_below").is_not_null() & pl.col("level").is_null()
    converted.refuse("notify_below", wrong, '"{}" is not a balance', fix)
    homeless = pl.col("notify_below").is_not_null() & pl.col("prepaid_balance").is_null()
    converted.refuse("notify_below", homeless, "there is no prepaid wallet to fall to {}", "write a prepaid_balance")
    converted.tell()
    return frame.select(
        *REQUIRED,
        pl.col("start_at").fill_null(TIME_MIN),
        pl.col("end_at").fill_null(TIME_MAX),
        pl.col("balance").alias("prepaid_balance"),
        pl.col("level").alias("notify_below"),
        pl.col("postpaid").ne_missing("false"),
        pl.col("shared").eq_missing("true"),
        "zone",
        "group",
        "parent",
        "discount",
        pl.when(pl.col("discount").is_not_null()).then("start").alias("discount_start"),
        *RESOLD,
        *OF_ACCOUNTS,
        pl.col(PLACE).alias("origin"),
    )


def converted_texts(column: pl.Series, convert: Callable[[str], int | None]) -> pl.Series:
    """Return each text converted, null where it cannot be; every distinct text is converted once."""
    if column.null_count() == len(column):
        return column.cast(pl.Int64)
    distinct = column.drop_nulls().unique()
    values = pl.Series([convert(text) for text in distinct.to_list()], dtype=pl.Int64)
    return column.replace_strict(distinct, values, default=None, return_dtype=pl.Int64)


def instant_us(text: str) -> int | None:
    """Return an ISO 8601 instant with a zone in microseconds UTC, None when it is none."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return utc_microseconds(instant) if instant.tzinfo is not None else None


def _balance(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = Decimal(text)
    return to_scaled(value, AMOUNT_DECIMALS) if value <= BALANCE_MAX else None
