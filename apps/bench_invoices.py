"""`octroi bench invoices`: documents of invoices per second, XML checked by schema and schematron, in a process for each core.

Recounted: what is read back from the XML is what the invoices say, and each PDF is one of a page or more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from apps.bench_results import hand_over, tell
from benchmarks.generate.invoices import make_invoices
from benchmarks.report import Result
from schemas.invoice import Invoice

INVOICE_SUITES = ("einvoice", "einvoice_ubl", "pdf")
INVOICES = 1_000
WORKERS_MAX = 8
CHUNK = 10


def bench_invoices(*, only: Sequence[str], records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run the suites and print them; return whether all documents say what their invoices do."""
    invoices = make_invoices(records or INVOICES, seed)
    payable = sum((each.totals.payable for each in invoices), Decimal(0))
    workers = min(len(os.sched_getaffinity(0)), WORKERS_MAX)
    results = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for suite in only or INVOICE_SUITES:
            make = partial(_measured, suite)
            list(pool.map(make, invoices[: workers * CHUNK], chunksize=CHUNK))  # rules and fonts are loaded once
            rates, sums, seconds = [], [], 0.0
            for _ in range(runs):
                started = time.perf_counter()
                made = list(pool.map(make, invoices, chunksize=CHUNK))
                rates.append(len(invoices) / (time.perf_counter() - started))
                sums.append(sum((paid for paid, _ in made), Decimal(0)))
                seconds += sum(cpu for _, cpu in made)
            cpu_ms = round(1000 * seconds / (runs * len(invoices)), 2)
            details: dict[str, Any] = {"invoices": len(invoices), "seed": seed, "workers": workers, "cpu_ms": cpu_ms}
            results.append(
                Result(f"billing.{suite}", "documents/s", rates, recount_ok=set(sums) == {payable}, details=details)
            )
    return hand_over([tell(result) for result in results], json_file)


def _measured(suite: str, invoice: Invoice) -> tuple[Decimal, float]:
    """Return what a document says is to be paid, and the CPU seconds that it took."""
    started = time.process_time()
    return _MAKERS[suite](invoice), time.process_time() - started


def _payable(xml: bytes) -> Decimal:
    from lxml import etree

    (found,) = etree.fromstring(xml).xpath("//*[local-name() = 'DuePayableAmount' or local-name() = 'PayableAmount']")
    return Decimal(found.text)


def _einvoice(invoice: Invoice) -> Decimal:
    from connectors.einvoice.documents import checked_xml

    return _payable(checked_xml(invoice))


def _einvoice_ubl(invoice: Invoice) -> Decimal:
    from connectors.einvoice.documents import checked_xml

    return _payable(checked_xml(invoice, "ubl"))


def _pdf(invoice: Invoice) -> Decimal:
    from connectors.einvoice.documents import paper
    from connectors.einvoice.writing import write_xml

    pdf = paper(invoice, xml=write_xml(invoice))
    return invoice.totals.payable if pdf.startswith(b"%PDF-") and b"/Type/Page" in pdf else Decimal(0)


_MAKERS: dict[str, Callable[[Invoice], Decimal]] = {"einvoice": _einvoice, "einvoice_ubl": _einvoice_ubl, "pdf": _pdf}
