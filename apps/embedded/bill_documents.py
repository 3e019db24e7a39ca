"""Documents of what billing runs issued: facts from the store, words from the catalog of the run, files written whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import polars as pl

from apps.embedded.access import Access
from apps.embedded.billing_files import RunFiles
from apps.embedded.images import archived_catalog
from apps.embedded.layout import DataDirectory
from billing.invoicing.rules_documents import Documents, Issued, UnableToDocument
from connectors.einvoice.containers import UnableToMakeFacturX
from connectors.einvoice.documents import BreaksRules, Form, checked_xml, paper
from connectors.einvoice.paper import UnableToRenderInvoice
from connectors.einvoice.terms import UnableToWriteInvoice
from connectors.einvoice.writing import Profile
from schemas.catalog import Catalog
from schemas.invoice import Invoice
from schemas.invoice_terms import InvoiceLanguage

TOGETHER = 200
"""Invoices that are read from the store at once."""
ALONE_MAX = 16
"""So many documents are written by one process."""
PROCESSES_MAX = 8
_NAMED = "SELECT * FROM invoice WHERE invoice = {invoice:String}"
_OF_RUN = "SELECT invoice FROM invoice WHERE run = {run:String} ORDER BY invoice"
_SEVERAL = "SELECT * FROM invoice WHERE invoice IN {invoices:Array(String)} ORDER BY invoice"
_LINES = "SELECT * FROM invoice_line WHERE invoice IN {invoices:Array(String)} ORDER BY invoice, line"
_TAXES = (
    "SELECT * FROM invoice_tax WHERE invoice IN {invoices:Array(String)} ORDER BY invoice, tax_status, tax, tax_rate"
)
Kind = Literal["facturx", "ubl", "cii", "json"]


class UnableToFindInvoice(Exception):
    """Nothing that was issued is called so."""


@dataclass(frozen=True, slots=True)
class Making:
    """How documents are made, and where to; `template` and `fonts` as `connectors.einvoice.documents.paper` takes them."""

    out: Path
    form: Kind = "facturx"
    profile: Profile = "en16931"
    language: InvoiceLanguage | None = None
    template: str | None = None
    fonts: Path | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """One invoice, and the files that are its documents; or why there are none."""

    invoice: str
    files: tuple[str, ...] = ()
    refused: str | None = None


def issued_numbers(access: Access, wanted: str) -> list[str]:
    """Return the numbers that a number, or the key of a run, means, in order.

    Raises:
        UnableToFindInvoice: when there is neither.
    """
    if access.query(_NAMED, {"invoice": wanted}).num_rows:
        return [wanted]
    with access.scan(_OF_RUN, {"run": wanted}) as found:
        numbers = [str(number) for some in found for number in some["invoice"].to_pylist()]
    if not numbers:
        raise UnableToFindInvoice(f'nothing was issued as "{wanted}": it is neither the number of an invoice nor a run')
    return numbers


def read_issued(access: Access, numbers: Sequence[str]) -> Iterator[Issued]:
    """Yield invoices with their lines and taxes, in the order of their numbers; a credit note with what it corrects."""
    rest = iter(numbers)
    while some := list(islice(rest, TOGETHER)):
        rows = _rows(access, _SEVERAL, some)
        corrected = {each["corrects"] for each in rows if each["corrects"]}
        before = {each["invoice"]: each for each in _rows(access, _SEVERAL, sorted(corrected))} if corrected else {}
        lines, taxes = _by_invoice(_rows(access, _LINES, some)), _by_invoice(_rows(access, _TAXES, some))
        for row in rows:
            number = row["invoice"]
            yield Issued(row, lines.get(number, []), taxes.get(number, []), before.get(row["corrects"]))


def _rows(access: Access, sql: str, numbers: list[str]) -> list[dict[str, Any]]:
    with access.scan(sql, {"invoices": numbers}) as found:
        return [row for some in found for row in some.to_pylist()]


def _by_invoice(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        told.setdefault(row["invoice"], []).append(row)
    return told


class CatalogsOfRuns:
    """The documents of invoices by what their run's catalog says; or by one catalog, whatever the run."""

    def __init__(self, directory: DataDirectory, language: InvoiceLanguage | None, only: Catalog | None) -> None:
        """Read no catalog yet but `only`."""
        self._directory, self._language = directory, language
        self._runs: dict[str, str] = {}
        self._images: dict[str, Documents] = {}
        self._only = Documents(only, language) if only is not None else None

    def of(self, issued: Issued) -> Documents:
        """Return what words an invoice; a credit note as what it corrects.

        Raises:
            UnableToBillRun: when the plan of its run is gone.
        """
        if self._only is not None:
            return self._only
        run = (issued.corrected or issued.invoice)["run"]
        if run not in self._runs:
            self._runs[run] = RunFiles.of(self._directory.billing, run).plan().image
        image = self._runs[run]
        if image not in self._images:
            self._images[image] = Documents(archived_catalog(self._directory, image), self._language)
        return self._images[image]


def make_documents(access: Access, numbers: Sequence[str], catalogs: CatalogsOfRuns, making: Making) -> Iterator[Made]:
    """Write the documents of invoices and yield what was made of each, in order; many are written by several processes.

    Raises:
        UnableToDocument: when two numbers would make files of one name.
    """
    stems = pl.Series([_stem(number) for number in numbers], dtype=pl.String)
    if stems.is_duplicated().any():
        raise UnableToDocument(f"two invoices would be written as {stems.filter(stems.is_duplicated())[0]}")
    making.out.mkdir(parents=True, exist_ok=True)
    asked = (_worded(each, catalogs, making) for each in read_issued(access, numbers))
    if len(numbers) <= ALONE_MAX:
        yield from map(partial(write_documents, making), asked)
        return
    workers = min(len(os.sched_getaffinity(0)), PROCESSES_MAX)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        while some := list(islice(asked, TOGETHER)):
            yield from pool.map(partial(write_documents, making), some, chunksize=max(1, len(some) // (4 * workers)))


def _worded(issued: Issued, catalogs: CatalogsOfRuns, making: Making) -> tuple[str, InvoiceLanguage, Invoice | str]:
    number = issued.invoice["invoice"]
    try:
        documents = catalogs.of(issued)
        return number, documents.language_of(issued.invoice), documents.document(issued)
    except UnableToDocument as error:
        return number, making.language or "fr", str(error)


def write_documents(making: Making, asked: tuple[str, InvoiceLanguage, Invoice | str]) -> Made:
    """Write the documents of one invoice: XML that keeps all rules first, then paper; nothing of an invoice that breaks one."""
    number, language, invoice = asked
    if isinstance(invoice, str):
        return Made(number, refused=invoice)
    stem = making.out / _stem(number)
    if making.form == "json":
        text = invoice.model_dump_json(indent=1, exclude_none=True, exclude_defaults=True)
        return Made(number, (_keep(stem, "json", text.encode() + b"\n"),))
    form: Form = making.form
    try:
        xml = checked_xml(invoice, form, making.profile)
        pdf = paper(invoice, form, language, xml=xml, template=making.template, fonts=making.fonts)
    except (BreaksRules, UnableToWriteInvoice) as error:
        return Made(number, refused=str(error))
    except (UnableToRenderInvoice, UnableToMakeFacturX) as error:  # no font for a name: one invoice's trouble
        return Made(number, refused=f"{number}: {error}")
    files = () if form == "facturx" else (_keep(stem, "xml", xml),)
    return Made(number, (*files, _keep(stem, "pdf", pdf)))


def _keep(stem: Path, ending: str, data: bytes) -> str:
    """Write a file, whole or not at all; it is made again at any time, so that it need not survive a crash."""
    path = stem.with_name(f"{stem.name}.{ending}")
    partial_ = stem.with_name(f".{stem.name}.{ending}.{os.getpid()}")
    partial_.write_bytes(data)
    partial_.replace(path)
    return path.name


def _stem(number: str) -> str:
    return number.replace("/", "_")
