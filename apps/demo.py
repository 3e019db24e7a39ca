"""`octroi demo`: three industries, a million records, from generated files to money."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.cli.failures import INTERRUPTED, MISMATCH, OK, WrongUsage, say
from apps.cli.options import open_settings
from apps.cli.output import print_json, print_table, rows_of
from apps.cli.processing import process_files
from apps.cli.progress import records_bar
from apps.embedded.access import reach, take_over
from apps.embedded.layout import DataDirectory
from apps.embedded.rehearse import rehearse
from apps.embedded.session import RunReport
from apps.jit import is_cold
from apps.settings import Settings
from benchmarks.catalogs.write import write_cloud_catalog, write_electricity_catalog, write_telephony_catalog
from benchmarks.generate.cloud import write_cloud
from benchmarks.generate.meters import write_meters
from benchmarks.generate.telephony import write_telephony

MARKER = ".octroi-demo"
REGISTERS = 6
METER_DAYS = 31
REHEARSED_RECORDS = 3_000
INDUSTRIES = {"telephony": "telephony", "meters": "electricity", "events": "cloud and IoT"}
"""Source -> industry."""

_STAGES = """
SELECT source, sum(received) AS received, sum(accepted) AS edrs, sum(absorbed) AS absorbed, sum(duplicate) AS duplicate,
  sum(filtered) AS filtered, sum(rejected) AS rejected, sum(parked) AS parked, sum(e.rated) AS rated,
  sum(e.unrated) AS unrated
FROM record_sheet AS r LEFT JOIN (SELECT claim, rated, unrated FROM edr_sheet) AS e ON e.claim = r.claim
GROUP BY source ORDER BY source
"""
_MONEY = """
SELECT source, charge, count() AS items, sum(quantity) AS quantity, unit, sum(amount) AS amount, currency
FROM rated_item GROUP BY source, charge, unit, currency ORDER BY source, charge
"""
_LARGEST = """
SELECT account, count() AS items, sum(r.amount) AS amount, any(r.currency) AS currency
FROM rated_item AS r GROUP BY account ORDER BY sum(r.amount) DESC, account LIMIT 5
"""
_ONE_ITEM = "SELECT id FROM rated_item WHERE tier > 0 ORDER BY amount DESC, id LIMIT 1"
_ONE_REJECTION = "SELECT min(reason) AS reason FROM rejection WHERE stage = 'resource'"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many records and customers each industry has."""

    telephony: int
    subscribers: int
    meters: int
    cloud: int
    devices: int
    projects: int

    @classmethod
    def of(cls, records: int) -> Sizes:
        """Share `records`: about half telephony, a quarter readings, a quarter events."""
        meters = max(records // 4 // (REGISTERS * (METER_DAYS + 1)), 10)
        rest = max(records - meters * REGISTERS * (METER_DAYS + 1), 300)
        telephony = rest * 2 // 3
        return cls(
            telephony=telephony,
            subscribers=max(telephony // 20, 100),
            meters=meters,
            cloud=rest - telephony,
            devices=max(rest // 60, 50),
            projects=max(rest // 600, 10),
        )


def run_demo(root: Path, *, records: int, seed: int, as_json: bool) -> int:
    """Generate, process and show; the data directory stays for queries. Return the exit code.

    Raises:
        WrongUsage: when `root` exists and was not made by a demo.
        DirectoryIsOwned: when a process works on an earlier demo's.
    """
    settings, directory = open_settings(root)
    settings = settings.model_copy(update={"dedup_window_days": "unlimited"})  # its usage is always of the same days
    _clear(directory)
    sizes = Sizes.of(records)
    _write_catalogs(root / "catalog", sizes)
    _say("Compiling kernels, once per machine …", quiet=as_json or not is_cold())
    _rehearse(directory, settings, seed)
    _say("Generating usage of three industries …", quiet=as_json)
    _generate(root / "spool", sizes, seed, quiet=as_json)
    report = process_files(directory, settings, [], follow=False, quiet=as_json)
    with reach(directory, settings, say) as access:
        shown = {
            "stages": rows_of(access.query(_STAGES)),
            "money": rows_of(access.query(_MONEY)),
            "largest_accounts": rows_of(access.query(_LARGEST)),
        }
        item = access.query(_ONE_ITEM).to_pylist()
        reason = access.query(_ONE_REJECTION).to_pylist()
        differences = access.command({"op": "balance"})
    if as_json:
        print_json(report.as_dict() | shown | {"differences": differences})
    else:
        _show(report, shown)
    if report.interrupted:
        say(f"interrupted; `octroi run {root}` does the rest, `octroi demo` starts again")
        return INTERRUPTED
    if differences:
        say(f"the demo does not balance: {differences}")
        return MISMATCH
    if not as_json:
        _next_steps(root, item[0]["id"] if item else "", reason[0]["reason"] if reason else "")
    return OK


def _clear(directory: DataDirectory) -> None:
    root = directory.root
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise WrongUsage(f"{root} is no directory; choose another with --data")
    if root.exists():
        if not (root / MARKER).exists() and any(root.iterdir()):
            raise WrongUsage(f"{root} exists and is not an earlier demo's; choose another with --data")
        with take_over(directory):
            shutil.rmtree(root)
    root.mkdir(parents=True)
    (root / MARKER).touch()


def _say(sentence: str, *, quiet: bool) -> None:
    if not quiet:
        print(sentence, file=sys.stderr)


def _write_catalogs(catalog: Path, sizes: Sizes) -> None:
    write_telephony_catalog(catalog, subscribers=sizes.subscribers)
    write_electricity_catalog(catalog, meters=sizes.meters)
    write_cloud_catalog(catalog, devices=sizes.devices, projects=sizes.projects)


def _rehearse(directory: DataDirectory, settings: Settings, seed: int) -> None:
    """Take a few records of each industry through every stage and keep nothing, so that no compiler is timed later."""
    with tempfile.TemporaryDirectory(prefix="octroi-demo-") as temporary:
        spool = Path(temporary)
        _generate(spool, Sizes.of(REHEARSED_RECORDS), seed, quiet=True)
        files = [(path.parent.name, path) for path in sorted(spool.glob("*/*"))]
        rehearse(directory, settings, files, say=lambda sentence: None)


def _generate(spool: Path, sizes: Sizes, seed: int, *, quiet: bool) -> None:
    total = sizes.telephony + sizes.cloud + sizes.meters * REGISTERS * (METER_DAYS + 1)
    lock = threading.Lock()
    with records_bar("generating", total=total, quiet=quiet) as progress:

        def passed(records: int) -> None:
            with lock:
                progress(records)

        write_telephony(
            spool / "telephony",
            records=sizes.telephony,
            subscribers=sizes.subscribers,
            seed=seed,
            bad=True,
            on_records=passed,
        )
        write_meters(spool / "meters", meters=sizes.meters, days=METER_DAYS, seed=seed, on_records=passed)
        write_cloud(
            spool / "events",
            records=sizes.cloud,
            devices=sizes.devices,
            projects=sizes.projects,
            seed=seed,
            bad=True,
            on_records=passed,
        )


def _show(report: RunReport, shown: dict[str, Any]) -> None:
    figures = report.as_dict()
    columns = ["received", "edrs", "absorbed", "duplicate", "filtered", "rejected", "parked", "rated", "unrated"]
    rows = [[INDUSTRIES.get(row["source"], row["source"]), *(int(row[c]) for c in columns)] for row in shown["stages"]]
    rows.append(["all", *(sum(row[index] for row in rows) for index in range(1, len(columns) + 1))])
    print_table("Records: what became of them", ["industry", *columns], rows)
    print_table(
        "Money: rated items by charge",
        ["industry", "charge", "items", "quantity", "unit", "amount", ""],
        [
            [
                INDUSTRIES.get(r["source"], r["source"]),
                r["charge"],
                r["items"],
                r["quantity"],
                r["unit"],
                r["amount"],
                r["currency"],
            ]
            for r in shown["money"]
        ],
    )
    print_table(
        "The largest accounts",
        ["account", "items", "amount", ""],
        [[r["account"], r["items"], r["amount"], r["currency"]] for r in shown["largest_accounts"]],
    )
    seconds, totals = figures["seconds"], figures["totals"]
    stages = ("decode", "resource", "account", "store")
    print_table(
        "Throughput",
        ["stage", "seconds", "records/s"],
        [[s, f"{seconds[f'stage_{s}']:.2f}", _rate(totals["received"], seconds[f"stage_{s}"])] for s in stages]
        + [["end to end (stages overlap)", f"{seconds['process']:.2f}", _rate(totals["received"], seconds["process"])]],
    )


def _rate(records: int, seconds: float) -> int:
    return round(records / max(seconds, 0.001))


def _command() -> str:
    """Return how this octroi is called from here: by its name when the path knows it, which `make demo` does not need."""
    beside = Path(sys.executable).with_name("octroi")
    return "octroi" if shutil.which("octroi") or not beside.exists() else shlex.quote(os.path.relpath(beside))


def _next_steps(root: Path, item: str, reason: str) -> None:
    print("Both sheets balance. Try next:")
    octroi, data = _command(), shlex.quote(str(root))
    print(f"  {octroi} explain {item} --data {data}")
    print(f"  {octroi} rejects list --code {reason or 'UNKNOWN_ACCESS_POINT'} --data {data}")
    sql = "SELECT event_day, sum(amount) FROM revenue GROUP BY event_day ORDER BY event_day"
    print(f'  {octroi} query "{sql}" --data {data}')
