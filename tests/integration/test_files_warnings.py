"""`octroi files warnings`: what is odd about files that were taken, and that they are taken all the same."""

from __future__ import annotations

from pathlib import Path

from cli_octroi import octroi
from enedis_world import energy, r15, write_supplier


def test_files_that_are_odd_are_taken_and_told_of(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_r15"])
    file = tmp_path / "odd.xml"
    file.write_text(r15(energy("1", 121, "2026-01-01", "2026-02-01"), made="2026-02-02").replace("><", ">\n<"))
    totals = octroi("ingest", file, "--source", "enedis_r15", "--data", data, "--json").ok().json["totals"]
    assert totals["accepted"] == 1
    told = octroi("files", "warnings", "odd.xml", "--data", data, "--json").ok().json
    assert [(row["name"], row["line"], row["warning"]) for row in told] == [
        ("odd.xml", 8, "Donnees_Releve has no Motif_Releve")
    ]
    assert octroi("files", "warnings", "other.xml", "--data", data).ok().out.strip() == "nothing is odd"
    assert octroi("files", "warnings", "--source", "nobody", "--data", data).code == 2
