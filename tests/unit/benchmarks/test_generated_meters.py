"""Generated meter readings: same bytes for a seed, well-formed XML in the R151 shape, indexes that grow."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.generate.meters import DISTRIBUTOR_CLASSES, METERS_PER_FILE, SUPPLIER_CLASSES, write_meters

SHA_256 = "f681cc87b83eb5093c5fd4d315636c0cabe4bdad94a9dbf45691a2b694f880da"
REAL_SAMPLE = (
    Path(__file__).resolve().parents[3] / ".." / "shared/samples/energy/fr_enedis_samples/electricore/r151.xml"
)


def test_a_seed_gives_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    paths = write_meters(tmp_path, meters=40, seed=7, days=5)
    assert hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest() == SHA_256


@pytest.mark.parametrize("pretty", [False, True])
def test_both_layouts_say_the_same(tmp_path: Path, *, pretty: bool) -> None:
    paths = write_meters(tmp_path, meters=300, seed=7, days=3, pretty=pretty)
    assert [path.name for path in paths] == [f"R151_{day:03d}_00001.xml" for day in range(4)]
    last: dict[tuple[str, str], int] = {}
    for path in paths:
        root = ET.parse(path).getroot()
        assert root.tag == "R151"
        for prm in root.iter("PRM"):
            assert len(prm.findtext("Id_PRM", "")) == 14
            for register in prm.iter("Classe_Temporelle"):
                if register.findtext("Indice_Vraisemblance") == "1":
                    continue
                key = (prm.findtext("Id_PRM", ""), register.findtext("Id_Classe_Temporelle", ""))
                assert int(register.findtext("Valeur", "")) >= last.get(key, 0)
                last[key] = int(register.findtext("Valeur", ""))
    assert len(last) == 300 * len(SUPPLIER_CLASSES)


def test_elements_are_those_of_a_real_file(tmp_path: Path) -> None:
    path = write_meters(tmp_path, meters=2, seed=7, days=1, pretty=True)[0]
    real = {element.tag for element in ET.parse(REAL_SAMPLE).iter()}
    ours = {element.tag for element in ET.parse(path).iter()}
    assert ours - real == {"Puissance_Maximale"}
    assert real - ours == {"Id_Affaire"}


def test_faults_are_doubtful_missing_and_decreasing_indexes(tmp_path: Path) -> None:
    paths = write_meters(tmp_path, meters=2500, seed=7, days=8)
    counts: Counter[str] = Counter()
    for path in paths:
        for prm in ET.parse(path).iter("PRM"):
            registers = list(prm.iter("Classe_Temporelle"))
            counts["missing"] += not registers
            counts["present"] += len(registers)
            counts["doubtful"] += sum(register.findtext("Indice_Vraisemblance") == "1" for register in registers)
    assert 30 < counts["missing"] < 100
    assert 100 < counts["doubtful"] < 250
    assert counts["present"] == (2500 * 9 - counts["missing"]) * len(SUPPLIER_CLASSES)


def test_without_faults_every_reading_is_there(tmp_path: Path) -> None:
    for path in write_meters(tmp_path, meters=700, seed=7, days=2, faults=False):
        root = ET.parse(path).getroot()
        assert sum(1 for _ in root.iter("Classe_Temporelle")) == 700 * len(SUPPLIER_CLASSES)
        assert sum(1 for _ in root.iter("Classe_Temporelle_Distributeur")) == 700 * len(DISTRIBUTOR_CLASSES)
        assert all(mark.text == "0" for mark in root.iter("Indice_Vraisemblance"))


def test_a_file_holds_no_more_meters_than_the_flow_allows(tmp_path: Path) -> None:
    told: list[int] = []
    paths = write_meters(tmp_path, meters=METERS_PER_FILE + 1, seed=7, days=1, on_records=told.append)
    assert [path.name for path in paths[:2]] == ["R151_000_00001.xml", "R151_000_00002.xml"]
    counts = [path.read_bytes().count(b"<Id_PRM>") for path in paths]
    assert counts == [METERS_PER_FILE, 1] * 2
    assert sum(told) == (METERS_PER_FILE + 1) * 6 * 2
