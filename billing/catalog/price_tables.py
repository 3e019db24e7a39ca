"""Price tables: their rows, from documents and CSV files, checked and converted as columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any

import polars as pl
import polars.selectors as cs

from billing.catalog.exchange import rate_rows
from billing.catalog.files import CatalogFiles
from billing.catalog.lookups import lookup_rows
from billing.catalog.matrices import check_ambiguity, matrix_conditions
from billing.catalog.models import Documents, Entry, Fault, Problems
from billing.catalog.origins import Origins
from billing.catalog.rules_tables import PRICE_MAX, price_table_entries
from billing.catalog.tables import PLACE, Check, converted_texts, instant_us, parse_rows, row_origins
from billing.catalog.wording import INSTANT, QUANTITY, choose
from schemas.catalog import TIME_MAX, TIME_MIN, ExchangeTable, LookupRows, PriceRows
from schemas.exchange import ExchangeRates
from schemas.money import AMOUNT_DECIMALS, PRICE_DECIMALS_MAX
from schemas.price_table import PREFIX_MAX, DestinationTable, LookupTable, PriceMatrix, PriceTable
from schemas.quantity import Unit, parse_quantity

OPTIONAL = ("start", "end", "first", "next", "minimum_quantity", "connection_fee")
QUANTITIES = ("first", "next", "minimum_quantity")
BANDS_MAX = 16
ALL = "*"
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)? .+")
_PICO = 10**PRICE_DECIMALS_MAX


@dataclass(frozen=True, slots=True)
class ReadTables:
    """The price tables that could be read, and the documents that they are from.

    Attributes:
        rows: by code; lookups, rates: those of lookup tables and of exchange rates.
        origins: (n,) place of each of a table's rows, for people.
        broken: codes of tables of which not every row could be read; what refers to them is no second problem.
    """

    rows: dict[str, PriceRows] = field(default_factory=dict)
    lookups: dict[str, LookupRows] = field(default_factory=dict)
    rates: dict[str, ExchangeTable] = field(default_factory=dict)
    origins: dict[str, pl.Series] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    @property
    def sound(self) -> dict[str, PriceRows]:
        """Return the tables without a problem."""
        return {code: rows for code, rows in self.rows.items() if code not in self.broken}

    @property
    def sound_rates(self) -> dict[str, ExchangeTable]:
        """Return the exchange rates without a problem."""
        return {code: table for code, table in self.rates.items() if code not in self.broken}


def read_price_tables(
    files: CatalogFiles, units: Mapping[str, Unit], origins: Origins, problems: Problems
) -> ReadTables:
    """Return the rows of every price table, letting go of the bytes of their files."""
    found = ReadTables()
    lookups: dict[str, Entry[Any]] = {**files.documents.of(LookupTable)}
    for code, lookup in lookups.items():
        _check_code(code, lookup, files.documents, problems)
        texts = _texts(code, lookup, files, origins, problems)
        if texts is not None:
            found.lookups[code] = lookup_rows(with_periods(Check(texts, origins, problems)), lookup.document)
    written: dict[str, Entry[Any]] = {**files.documents.of(ExchangeRates)}
    for code, rates in written.items():
        _check_code(code, rates, files.documents, problems)
        before, texts = problems.count, _texts(code, rates, files, origins, problems)
        if texts is not None:
            found.rates[code] = rate_rows(with_periods(Check(texts, origins, problems)), rates.document)
        if texts is None or problems.count > before:
            found.broken.add(code)
    for code, entry in sorted(price_table_entries(files.documents).items()):
        before = problems.count
        _check_code(code, entry, files.documents, problems)
        _check_columns(entry, problems)
        frame = _texts(code, entry, files, origins, problems)
        if frame is not None:
            check = Check(frame, origins, problems)
            rows = _convert(entry, check, units)
            if rows.kind == "price_matrix" and problems.count == before:
                check_ambiguity(check, rows)
            found.rows[code], found.origins[code] = rows, frame[PLACE]
        if frame is None or problems.count > before:
            found.broken.add(code)
    return found


def _check_code(code: str, entry: Entry[PriceTable], documents: Documents, problems: Problems) -> None:
    if isinstance(entry.document, LookupTable | ExchangeRates) and code in price_table_entries(documents):
        place = price_table_entries(documents)[code].place(("code",))
        problems.at(
            entry,
            ("code",),
            f'there is a price table "{code}" (at {place})',
            "rename one of them",
            Fault.DECLARED_TWICE,
        )
    lookup = documents.of(LookupTable).get(code)
    if isinstance(entry.document, ExchangeRates) and lookup is not None:
        message = f'there is a lookup table "{code}" (at {lookup.place(("code",))})'
        problems.at(entry, ("code",), message, "rename one of them", Fault.DECLARED_TWICE)
    other = documents.of(DestinationTable).get(code)
    if isinstance(entry.document, PriceMatrix) and other is not None:
        message = f'there is a destination table "{code}" (at {other.place(("code",))})'
        problems.at(entry, ("code",), message, "rename one of them", Fault.DECLARED_TWICE)


def _check_columns(entry: Entry[PriceTable], problems: Problems) -> None:
    """Check that no cell says both what a row asks for and what it brings."""
    document = entry.document
    if not isinstance(document, PriceMatrix):
        return
    for name in document.columns:
        if name in ("priority", "price", *OPTIONAL) or name.startswith("price."):
            message = f'every matrix has a column "{name}" of its own'
            problems.at(entry, ("columns", name), message, "rename the attribute or the value", key=True)


def _texts(
    code: str, entry: Entry[PriceTable], files: CatalogFiles, origins: Origins, problems: Problems
) -> pl.DataFrame | None:
    """Return the rows as text, null where a column is empty, with their origin in the column `PLACE`."""
    document = entry.document
    if (document.file is None) == (document.rows is None):
        problems.at(entry, (), "the rows are in the document or in a file", "write either `rows: …`, or `file: …`")
        return None
    if document.rows is not None:
        names = list(dict.fromkeys(name for row in document.rows for name in row))
        place = origins.value(entry, ("rows",))
        if not _check_header(document, names, origins.place(place, "", ()), problems):
            return None
        columns = {name: pl.Series([row.get(name) or None for row in document.rows], dtype=pl.String) for name in names}
        places = [origins.value(entry, ("rows", index)) for index in range(len(document.rows))]
        return pl.DataFrame({**columns, PLACE: places})
    if code not in files.price_tables:
        return None  # said where the file was read
    shown, name = files.price_tables[code]
    data = files.data[name].removeprefix(b"\xef\xbb\xbf")
    first = data.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    header = next(csv.reader([first]), [])
    if not _check_header(document, header, (shown, 1, ""), problems):
        return None
    frame = parse_rows(data, len(header), shown, problems)
    if frame is None:
        return None
    frame = frame.with_columns(row_origins(frame, data, origins.table(shown)))
    return frame.filter(pl.any_horizontal(pl.exclude(PLACE).is_not_null()))


def _own_columns(document: PriceTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (required, optional) columns of a kind of table besides OPTIONAL and prices."""
    if isinstance(document, DestinationTable):
        return ("prefix",), ("destination",)
    if isinstance(document, LookupTable):
        return ("key", "code"), ("start", "end")
    if isinstance(document, ExchangeRates):
        return ("pair", "rate", "start"), ("end",)
    return tuple(document.columns) if isinstance(document, PriceMatrix) else (), ("priority",)


def _check_header(document: PriceTable, names: list[str], place: tuple[str, int, str], problems: Problems) -> bool:
    """Check the names of the columns; return whether they are those that such a table has."""
    file, line, _ = place
    required, optional = _own_columns(document)
    priced = not isinstance(document, LookupTable | ExchangeRates)
    bands = [name for name in names if name.startswith("price.") and len(name) > len("price.")]
    known = (*required, *optional, *(("price", *OPTIONAL) if priced else ()))
    faults = [
        (name, f'the column "{name}" is unknown', choose(name, known), Fault.UNKNOWN_FIELD)
        for name in names
        if name not in known and not (priced and name in bands)
    ]
    faults += [
        (name, f'the column "{name}" is missing', f"add it; the table needs {', '.join(required)}", Fault.MISSING)
        for name in required
        if name not in names
    ]
    if priced and not bands and "price" not in names:
        faults.append(
            (
                "price",
                "there is no column with prices",
                "add `price`, or `price.BAND` for every time band",
                Fault.MISSING,
            )
        )
    if bands and "price" in names:
        faults.append(
            (
                "price",
                "prices for all bands and for single ones",
                "remove the column `price`, or the others",
                Fault.BREAKS_RULE,
            )
        )
    if len(set(names)) != len(names):
        faults.append(("", "a column appears twice", "remove one of them", Fault.DECLARED_TWICE))
    if len(bands) > BANDS_MAX:
        faults.append(
            (bands[-1], f"there are prices for more than {BANDS_MAX} bands", "remove columns", Fault.BREAKS_RULE)
        )
    for name, message, fix, fault in faults:
        problems.add(file, line, name, message, fix, fault)
    return not faults


def _convert(entry: Entry[PriceTable], check: Check, units: Mapping[str, Unit]) -> PriceRows:
    """Return the rows with numbers, instants and conditions as rating reads them; say which of them are wrong."""
    document = entry.document
    missing = [name for name in (*OPTIONAL, *_own_columns(document)[1]) if name not in check.frame.columns]
    check = Check(
        check.frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing), check.origins, check.problems
    )
    bands = tuple(name.removeprefix("price.") for name in check.frame.columns if name.startswith("price."))
    priced = [f"price.{band}" for band in bands] or ["price"]
    for name in (*priced, "connection_fee"):
        _check_price(check, name, AMOUNT_DECIMALS if name == "connection_fee" else PRICE_DECIMALS_MAX)
    if bands:
        some = pl.any_horizontal(pl.col(priced).is_null()) & pl.any_horizontal(pl.col(priced).is_not_null())
        check.refuse(priced[0], some, "some bands have a price and others none", "write a price for each, or for none")
    _check_quantities(check, units)
    check.tell()
    dated = with_periods(check)
    frame = dated.frame.with_columns(
        *(_pico(name).alias(f"price.{place}") for place, name in enumerate(priced)),
        _pico("connection_fee").alias("fee"),
    )
    common = frame.select(
        pl.col("start_at").fill_null(TIME_MIN),
        pl.col("end_at").fill_null(TIME_MAX),
        *QUANTITIES,
        pl.col("fee").alias("connection_fee"),
        *(f"price.{place}" for place in range(len(priced))),
    )
    columns: dict[str, str] = {}
    if isinstance(document, DestinationTable):
        own = _destinations(Check(frame, check.origins, check.problems))
        kind, value = "destination_table", document.value
    else:
        assert isinstance(document, PriceMatrix)
        own = matrix_conditions(check, document)
        kind, value, columns = "price_matrix", "", dict(document.columns)
    whole = pl.concat([own, common], how="horizontal")
    digest = sha256(repr((kind, value, columns, bands)).encode())
    whole.write_csv(written := BytesIO())
    digest.update(written.getbuffer())
    return PriceRows(kind, value, columns, bands, whole, digest.hexdigest())


def _check_price(check: Check, name: str, decimals: int) -> None:
    text = pl.col(name)
    fix = f'write a number such as "0.10", at most {PRICE_MAX} with {decimals} decimals'
    digits = rf"^[0-9]{{1,7}}(\.[0-9]{{1,{decimals}}}0*)?$"
    wrong = ~text.str.contains(digits)
    check.refuse(name, wrong, '"{}" is not a price', fix)
    # seven digits before the point are at most 9 999 999
    check.refuse(name, text.str.extract(r"^([0-9]{7})").cast(pl.Int64) >= int(PRICE_MAX), "{} is too large", fix)


def _pico(name: str) -> pl.Expr:
    """Return prices in 10**-12 units, null where there is none or it is no number."""
    digits = rf"^[0-9]{{1,7}}(\.[0-9]{{1,{PRICE_DECIMALS_MAX}}}0*)?$"
    exact = pl.when(pl.col(name).str.contains(digits)).then(pl.col(name)).cast(pl.Decimal(38, PRICE_DECIMALS_MAX))
    pico = exact.to_physical()
    return pl.when(pico < int(PRICE_MAX) * _PICO).then(pico).cast(pl.Int64)


def _check_quantities(check: Check, units: Mapping[str, Unit]) -> None:
    def steps(text: str) -> int | None:
        try:
            return parse_quantity(text, units)[0] or None if _QUANTITY.fullmatch(text) else None
        except (KeyError, ValueError):
            return None

    for name in QUANTITIES:
        counted = converted_texts(check.frame[name], steps)
        wrong = pl.col(name).is_not_null() & pl.lit(counted).is_null()
        check.refuse(name, wrong, '"{}" is no quantity above zero', QUANTITY)
    one = pl.col("first").is_null() != pl.col("next").is_null()
    check.refuse("next", one, "increments are a first and a next one", "write both, or neither")


def with_periods(check: Check) -> Check:
    """Return rows with `start_at` and `end_at` in microseconds UTC, null where open; say which of them are wrong."""
    missing = [name for name in ("start", "end") if name not in check.frame.columns]
    frame = check.frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    frame = frame.with_columns(
        converted_texts(frame["start"], instant_us).alias("start_at"),
        converted_texts(frame["end"], instant_us).alias("end_at"),
    )
    dated = Check(frame, check.origins, check.problems)
    _check_periods(dated)
    return dated


def _check_periods(check: Check) -> None:
    for name, into in (("start", "start_at"), ("end", "end_at")):
        wrong = pl.col(name).is_not_null() & pl.col(into).is_null()
        check.refuse(name, wrong, '"{}" is not an instant with a zone', INSTANT)
    backwards = pl.col("start_at") >= pl.col("end_at")
    check.refuse("end", backwards, "the period ends at {}, not after its start", "write a later end, or none")
    check.tell()


def _destinations(check: Check) -> pl.DataFrame:
    """Return the columns of DESTINATION_FRAME; say which prefixes are wrong, or have two prices at a time."""
    prefix = pl.col("prefix")
    check.refuse("prefix", prefix.is_null(), "the prefix is empty", f"write it, or {ALL} for all numbers")
    wrong = (prefix != ALL) & ~prefix.str.contains(rf"^[0-9]{{1,{PREFIX_MAX}}}$")
    check.refuse("prefix", wrong, '"{}" is not a prefix', f"write up to {PREFIX_MAX} digits, or {ALL} for all numbers")
    priced = check.frame.with_row_index("row").filter(pl.any_horizontal(cs.matches(r"^price\.[0-9]+$").is_not_null()))
    digits = pl.when(prefix != ALL).then(prefix)
    ordered = priced.select(
        "row",
        digits.cast(pl.Int64, strict=False).fill_null(0).alias("number"),
        digits.str.len_bytes().fill_null(0).alias("length"),
        pl.col("start_at").fill_null(TIME_MIN),
        pl.col("end_at").fill_null(TIME_MAX),
    ).sort("number", "length", "start_at", "end_at", "row")
    same = (pl.col("number") == pl.col("number").shift(1)) & (pl.col("length") == pl.col("length").shift(1))
    twice = ordered.filter(same & (pl.col("start_at") < pl.col("end_at").shift(1)))["row"]
    check.refuse(
        "prefix",
        pl.int_range(pl.len()).is_in(twice.implode()),
        'the prefix "{}" has another price at that time',
        "end one before the other",
    )
    check.tell()
    return check.frame.select(pl.when(prefix == ALL).then(pl.lit("")).otherwise(prefix).alias("prefix"), "destination")
