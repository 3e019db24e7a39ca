"""Indexes that are kept: corrected by hand, bounded, backed out; and a crash while operations are created and executed."""

from __future__ import annotations

import shutil
import threading
from decimal import Decimal
from pathlib import Path

from cli_octroi import balanced, octroi, query
from enedis_world import HEAD, POINT, write_supplier
from kill_points import DIED
from kill_world import content, nursery

from apps.embedded.lock import OwnerLock

STANDS = "SELECT toString(event_at) AS at, toString(quantity) AS quantity FROM rated_item WHERE status = 'rated' AND quantity != 0 ORDER BY at"


def _index(day: str, kwh: int, doubt: int = 0, made: str = "2026-03-02") -> str:
    head = HEAD.format(made=made).replace("<En_Tete_Flux>", "<En_Tete_Flux><Unite_Mesure_Index>Wh</Unite_Mesure_Index>")
    return (
        f"<R151>{head}<PRM><Id_PRM>{POINT}</Id_PRM><Donnees_Releve><Date_Releve>{day}</Date_Releve><Id_Calendrier_Fournisseur>FC1"
        "</Id_Calendrier_Fournisseur><Classe_Temporelle><Id_Classe_Temporelle>BASE</Id_Classe_Temporelle>"
        f"<Valeur>{kwh}000</Valeur><Indice_Vraisemblance>{doubt}</Indice_Vraisemblance></Classe_Temporelle></Donnees_Releve></PRM></R151>"
    )


def _settle(data: Path) -> list[tuple[str, Decimal]]:
    octroi("energy", "create", "--data", data).ok()
    octroi("energy", "execute", "--data", data).ok()
    balanced(data)
    return [(row["at"][:10], Decimal(row["quantity"])) for row in query(data, STANDS)]


def test_what_is_doubted_is_released_by_hand_and_what_is_backed_out_counts_no_more(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_differences"], **{"power_w: 36000": "power_w: 3000"})
    folder = data / "spool" / "enedis_readings"
    folder.mkdir(parents=True)
    for name, text in (
        ("1", _index("2026-01-31", 100)), ("2", _index("2026-02-09", 130, doubt=1)), ("3", _index("2026-02-10", 140)),
        ("4", _index("2026-02-11", 44_140)),
    ):  # fmt: skip
        (folder / name).write_text(text)
    # the doubted index is not counted; 44 MWh in a day wait
    assert _settle(data) == [("2026-01-31", Decimal(40))]
    reasons = {
        row["reason"]: row["detail"]
        for row in query(data, "SELECT reason, detail FROM rejection WHERE status = 'OPEN'")
    }
    assert list(reasons) == ["DOUBTFUL_READING"]
    (beyond,) = query(data, "SELECT detail FROM rejection WHERE source = 'enedis_differences' AND status = 'OPEN'")
    assert beyond["detail"] == "44000000 Wh are more than 3900 W can be from 2026-02-10T23:00:00Z"
    waits = octroi("energy", "traitement", "--status", "rejet", "--data", data, "--json").ok().json["operations"]
    assert [one["code"] for one in waits] == ["ERR_REL_004", "ERR_REL_004"]
    octroi(
        "rejects",
        "correct",
        "--source",
        "enedis_readings",
        "--code",
        "DOUBTFUL_READING",
        "--set",
        "doubt=",
        "--data",
        data,
    ).ok()
    assert _settle(data) == [("2026-01-31", Decimal(30)), ("2026-02-09", Decimal(10))]
    octroi(
        "rejects",
        "correct",
        "--source",
        "enedis_differences",
        "--code",
        "DOUBTFUL_READING",
        "--set",
        "doubt=",
        "--data",
        data,
    ).ok()
    assert _settle(data)[-1] == ("2026-02-10", Decimal(44_000))
    # another index of the last day: what was released is stated again
    (folder / "5").write_text(_index("2026-02-11", 155, made="2026-03-03"))
    assert _settle(data) == [("2026-01-31", Decimal(30)), ("2026-02-09", Decimal(10)), ("2026-02-10", Decimal(15))]
    claim = query(data, "SELECT claim FROM record_sheet WHERE source = 'enedis_readings' ORDER BY claim")[0]["claim"]
    octroi("files", "back-out", claim, "--reason", "of another point", "--data", data).ok()
    assert _settle(data) == [("2026-02-09", Decimal(10)), ("2026-02-10", Decimal(15))]
    told = octroi("sources", "show", "enedis_readings", "--data", data).ok().out
    assert "enedis_differences" in told
    told = octroi("sources", "show", "enedis_differences", "--data", data).ok().out
    assert "AWAITS_EXECUTION" in told
    assert "at the first of every month" in told
    assert "3000 W times 1.3" in told


def test_all_that_lies_in_the_spool_is_counted_though_somebody_owns_the_directory_for_a_moment(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_differences"])
    octroi("run", data).ok()
    folder = data / "spool" / "enedis_readings"
    folder.mkdir(parents=True, exist_ok=True)
    for day in (1, 2):
        (folder / str(day)).write_text(_index(f"2026-02-0{day}", 100 * day))
    lock = OwnerLock(data / "owner.lock")
    threading.Timer(1.5, lock.release).start()
    counts = octroi("energy", "create", "--data", data, "--json").ok().json["counts"]
    assert [row["operations"] for row in counts if (row["kind"], row["status"]) == ("conso", "à traiter")] == [1]


def test_what_was_discarded_or_corrected_is_not_taken_up_by_a_later_catalog(tmp_path: Path) -> None:
    # readings are refused for want of a situation, until a catalog no longer asks for one
    data = write_supplier(tmp_path / "data", ["enedis_differences"])
    [path] = [path for path in (data / "catalog").iterdir() if "differences_to" in path.read_text()]
    usual = path.read_text()
    path.write_text(usual.replace("  filters:", "  required: [situation]\n  filters:"))
    folder = data / "spool" / "enedis_readings"
    folder.mkdir(parents=True)
    for name, text in (
        ("1", _index("2026-02-08", 100)),
        ("2", _index("2026-02-09", 160)),
        ("3", _index("2026-02-10", 130)),
    ):
        (folder / name).write_text(text)
    assert _settle(data) == []
    refused = query(
        data, "SELECT claim, record FROM rejection WHERE reason = 'FIELD_MISSING' AND status = 'OPEN' ORDER BY claim"
    )
    _, wrong, last = (f"{row['claim']}-{row['record']}" for row in refused)
    octroi("rejects", "discard", wrong, "--reason", "of another meter", "--data", data).ok()
    octroi("rejects", "correct", last, "--set", "situation=1", "--set", "truncated=150000", "--data", data).ok()
    path.write_text(usual)
    assert _settle(data) == [("2026-02-08", Decimal(50))]
    octroi("rejects", "reopen", wrong, "--data", data).ok()
    assert _settle(data) == [("2026-02-08", Decimal(60))]  # and from 160 to 150, which is doubted


def test_a_catalog_in_between_does_not_let_a_source_bill_its_indexes_again(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_indexes"])
    catalog = data / "catalog"
    for path in list(catalog.iterdir()):  # the source that counts on has the code of the one that would keep
        path.write_text(path.read_text().replace("enedis_indexes", "enedis_readings"))
    octroi("run", data).ok()
    sources = {path: path.read_text() for path in catalog.iterdir() if "kind: source" in path.read_text()}
    for path in sources:
        path.unlink()
    octroi("catalog", "activate", "--data", data).ok()
    keeping = write_supplier(tmp_path / "other", ["enedis_differences"]) / "catalog"
    shutil.rmtree(catalog)
    shutil.copytree(keeping, catalog)
    told = octroi("catalog", "activate", "--data", data)
    assert told.code == 3
    assert 'the source "enedis_readings" made usage of what its indexes differ by' in told.err


CREATING = (
    "before journal files",
    "half journal files",
    "after journal files",
    "before insert fact_rejection",
    "before insert fact_claim",
)
EXECUTING = (
    "before journal retry_records", "half journal retry_records", "after journal retry_records", "before block", "before insert fact_usage",
    "after insert fact_usage", "before insert fact_block", "before insert fact_claim",
)  # fmt: skip


def test_killed_anywhere_while_operations_are_created_and_executed_the_end_is_the_same(tmp_path: Path) -> None:
    """Differences of five days wait, a late index states two of them again, and both are executed."""
    plain = write_supplier(tmp_path / "plain", ["enedis_differences"])
    folder = plain / "spool" / "enedis_readings"
    folder.mkdir(parents=True)
    for day in (1, 2, 4, 5):
        (folder / f"{day}.xml").write_text(_index(f"2026-02-0{day}", 100 + day * day))
    (tmp_path / "nursery").mkdir()
    with nursery(
        tmp_path / "nursery", block_bytes=4096, flush_records=100, flush_ms=60_000, snapshot_records=100
    ) as octroi:

        def run(*command: object, die_at: str = "") -> None:
            fault = {"die_at": die_at, "nth": 1} if die_at else None
            ended = octroi.run("energy", *command, "--data", data, fault=fault)
            assert ended.code == (DIED if die_at else 0), (command, die_at, ended)

        data = plain
        assert octroi.run("run", data).code == 0
        shutil.copytree(plain, tmp_path / "dying", symlinks=True, ignore=shutil.ignore_patterns("owner.sock"))
        ends = []
        for data in (plain, tmp_path / "dying"):
            dies = data != plain
            for point in CREATING if dies else ():
                run("create", die_at=point)
            run("create")
            for point in EXECUTING if dies else ():
                run("execute", die_at=point)
            run("execute")
            (data / "spool" / "enedis_readings" / "3.xml").write_text(_index("2026-02-03", 106))
            run("create")
            for point in ("after journal retry_records", "before insert fact_reversal") if dies else ():
                run("execute", die_at=point)
            run("execute")
            run("execute")
            ends.append(content(data))
        plain_end, dying_end = ends
        assert dying_end == plain_end
        assert [int(row["quantity"]) for row in plain_end.totals["money"]] == [24 * 1_000_000]
