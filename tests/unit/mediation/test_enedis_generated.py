"""Flows of Enedis of which no public sample exists, generated from the official schemas: R17, R63, R65, R66, R4M, C68 and CSV forms."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.mediation.enedis.decoder import read_rows
from pipelines.mediation.failures import UnableToDecodeFile
from schemas.energy import RECORDS, RecordKind

POINT = "09111642617347"
PARIS = ZoneInfo("Europe/Paris")


def rows_of(data: str, kind: RecordKind) -> list[dict[str, str]]:
    """Return the records of a file without what is empty; each is what its model says."""
    found = [{name: text for name, text in row.items() if text} for row in read_rows(io.BytesIO(data.encode()), kind)]
    for row in found:
        RECORDS[kind].model_validate(row)
    return found


def picked(rows: list[dict[str, str]], *names: str) -> list[tuple[str, ...]]:
    """Return some columns of records."""
    return [tuple(row.get(name, "") for name in names) for row in rows]


# ---- R17


def r17(*inside: str) -> str:
    """Return an R17 file with parts of one reading."""
    head = "<En_Tete_Flux><Date_Creation>2026-02-03T05:00:00+01:00</Date_Creation></En_Tete_Flux>"
    body = (
        f"<Corps_PRM><Id_PRM>{POINT}</Id_PRM><Num_Sous_Lot>426</Num_Sous_Lot><Date_Sous_Lot>2026-02-03</Date_Sous_Lot>"
    )
    return (
        f"<Index_C2_C3_C4>{head}{body}<Donnees_Releve>{''.join(inside)}</Donnees_Releve></Corps_PRM></Index_C2_C3_C4>"
    )


DATES = (
    f"<Id_PRM>{POINT}</Id_PRM><Tarif_Souscrit>BTSUPCU4</Tarif_Souscrit><Code_Structure_Fournisseur>F4</Code_Structure_Fournisseur>"
    "<Statut_Mesure>{status}</Statut_Mesure><Nature_Mesure>{nature}</Nature_Mesure><Motif_Rectif>FRAUDE</Motif_Rectif>"
    "<Motif_Releve_Nouveau>CYCLIQUE+MCT</Motif_Releve_Nouveau><Nature_Index_Nouveaux>REEL</Nature_Index_Nouveaux>"
    "<Date_Debut_Mesure>2026-01-01</Date_Debut_Mesure><Date_Fin_Mesure>2026-02-01</Date_Fin_Mesure>"
)
PER_CLASS = (
    "<Donnees_Par_Type_Mesure{grid}><Type_Mesure>{kind}</Type_Mesure><Unite_Mesure>{unit}</Unite_Mesure>"
    "<Index_Par_Classe_Temporelle><Classe_Temporelle>{name}</Classe_Temporelle>{index}</Index_Par_Classe_Temporelle>"
    "<Conso_Par_Classe_Temporelle><Classe_Temporelle>{name}</Classe_Temporelle><Quantite_Mesure>{value}</Quantite_Mesure>"
    "</Conso_Par_Classe_Temporelle></Donnees_Par_Type_Mesure{grid}>"
)
INDEX = "<Index><Index_Precedent>100</Index_Precedent><Index_Nouveau>350.25</Index_Nouveau></Index>"
PHASES = "<Index_Phase>" + "".join(
    f"<Index_Phase_{phase}_Precedent>{phase}0</Index_Phase_{phase}_Precedent><Index_Phase_{phase}_Nouveau>{phase}9</Index_Phase_{phase}_Nouveau>"
    for phase in (1, 2, 3)
) + "</Index_Phase>"  # fmt: skip


def test_r17_has_quantities_and_indexes_of_both_grids() -> None:
    file = r17(
        DATES.format(status="RECTIFICATIF", nature="REGULARISE"),
        PER_CLASS.format(grid="", kind="EA", unit="kWh", name="HPE", index=INDEX, value=-250),
        PER_CLASS.format(grid="", kind="DD", unit="h", name="HCH", index="<Valeur_Forfait>7</Valeur_Forfait>", value=3),
        PER_CLASS.format(grid="_Fournisseur", kind="EAAUTO", unit="kWh", name="EA1", index=PHASES, value=12),
    )
    quantities = rows_of(file, "quantities")
    assert picked(quantities, "id", "grid", "calendar", "time_class", "measure", "unit", "value", "net", "nature", "status") == [
        ("426", "distributor", "BTSUPCU4", "HPB", "consumption", "Wh", "-250000", "-250000", "G", "R"),
        ("426", "distributor", "BTSUPCU4", "HCH", "DD", "h", "3", "3", "G", "R"),
        ("426", "supplier", "F4", "EA1", "auto_produced", "Wh", "12000", "12000", "G", "R"),
    ]  # fmt: skip
    assert set(picked(quantities, "start", "end", "reason", "correction")) == {
        ("2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z", "CYCLIQUE+MCT", "FRAUDE")
    }
    readings = rows_of(file, "readings")
    assert picked(readings, "at", "time_class", "dial", "measure", "value", "truncated") == [
        ("2025-12-31T23:00:00Z", "HPB", "", "EA", "100000", "100000"),
        ("2026-01-31T23:00:00Z", "HPB", "", "EA", "350250", "350000"),
        *(("2025-12-31T23:00:00Z", "EA1", str(phase), "EAAUTO", f"{phase}0000", f"{phase}0000") for phase in (1, 2, 3)),
        *(("2026-01-31T23:00:00Z", "EA1", str(phase), "EAAUTO", f"{phase}9000", f"{phase}9000") for phase in (1, 2, 3)),
    ]  # fmt: skip


def test_r17_annuls_to_nothing() -> None:
    part = PER_CLASS.format(grid="", kind="EA", unit="kWh", name="Pointe", index=INDEX, value=250)
    (first,) = rows_of(r17(DATES.format(status="INITIAL", nature="REEL"), part), "quantities")
    (annulled,) = rows_of(r17(DATES.format(status="ANNULE", nature="REEL"), part), "quantities")
    assert (first["net"], annulled["net"]) == ("250000", "0")
    assert int(annulled["version"]) > int(first["version"])
    differ = {name for name in first if first[name] != annulled[name]}
    assert differ == {"net", "status", "version"}


# ---- R4H and R4M


@pytest.mark.parametrize(("frequency", "minutes"), [("H", 10), ("M", 5)])
def test_a_corrected_curve_stands_above_a_raw_one_made_later(frequency: str, minutes: int) -> None:
    def curve(stage: str, made: str, value: str) -> str:
        return (
            f"<Courbe><Entete><Date_Creation>{made}</Date_Creation><Frequence_Publication>{frequency}</Frequence_Publication>"
            f"<Nature_De_Courbe_Demandee>{stage}</Nature_De_Courbe_Demandee></Entete><Corps><Identifiant_PRM>{POINT}</Identifiant_PRM>"
            f"<Donnees_Courbe><Granularite>{minutes}</Granularite><Unite_Mesure>kW</Unite_Mesure><Grandeur_Metier>CONS</Grandeur_Metier>"
            f'<Grandeur_Physique>EA</Grandeur_Physique><Donnees_Point_Mesure Horodatage ="2026-10-25T02:00:00+01:00"{value}/>'
            "</Donnees_Courbe></Corps></Courbe>"
        )

    (raw,) = rows_of(curve("Brute", "2026-11-09T05:00:00+01:00", ' Valeur_Point ="120" Statut_Point="R"'), "intervals")
    (best,) = rows_of(
        curve("Corrigee", "2026-11-03T05:00:00+01:00", ' Valeur_Point ="60" Statut_Point="E"'), "intervals"
    )
    assert int(best["version"]) > int(raw["version"])
    assert (best["stage"], best["nature"], Decimal(best["value"])) == ("Corrigee", "E", Decimal(60_000 * minutes) / 60)
    assert (raw["start"], raw["end"]) == ("2026-10-25T01:00:00Z", f"2026-10-25T01:{minutes:02}:00Z")
    (missing,) = rows_of(curve("Brute", "2026-11-03T05:00:00+01:00", ' Statut_Point="T"'), "intervals")
    assert ("value" in missing, missing["quality"]) == (False, "T")
    with pytest.raises(UnableToDecodeFile, match="Granularite is"):
        rows_of(curve("Brute", "2026-11-03T05:00:00+01:00", "").replace(f">{minutes}<", ">0<"), "intervals")


# ---- R63


def measure(
    points: list[dict[str, Any]], *, stage: str = "BRUT", physical: str = "PA", unit: str = "W"
) -> dict[str, Any]:
    """Return a measure of R63, R65 or R66."""
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": physical, "unite": unit, "points": points}
    return {"idPrm": POINT, "etapeMetier": stage, "modeCalcul": "MESURE", "grandeur": [quantity]}


def document(*measures: dict[str, Any], **more: Any) -> str:
    """Return a file."""
    return json.dumps({"header": {"codeFlux": "R6X"}} | more | {"mesures": list(measures)})


@pytest.mark.parametrize(("step", "linky"), [(5, False), (10, False), (30, True), (60, True), (15, True)])
@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)])
def test_a_day_of_r63_has_all_its_steps_though_its_clock_has_no_offset(
    step: int, linky: bool, day: str, hours: int
) -> None:
    begin = datetime.fromisoformat(day).replace(tzinfo=PARIS).astimezone(UTC)
    count, chance = hours * 60 // step, random.Random(day)
    powers = [chance.randrange(9000) for _ in range(count)]
    points = [
        {"v": str(power), "d": (begin + timedelta(minutes=step * (place + linky))).astimezone(PARIS).strftime("%F %T"),
         "p": f"PT{step}M", "n": "B" if linky else "R"} | ({"iv": 0} if linky else {})
        for place, power in enumerate(powers)
    ]  # fmt: skip
    rows = rows_of(document(measure(points)), "intervals")
    assert [datetime.fromisoformat(row["start"]) for row in rows] == [
        begin + timedelta(minutes=step * place) for place in range(count)
    ]
    assert all(row["end"] == after["start"] for row, after in pairwise(rows))
    assert abs(sum(Decimal(row["value"]) for row in rows) - Decimal(sum(powers)) * step / 60) < Decimal("0.001")
    assert {(row["flow"], row["measure"], row["unit"], row["nature"]) for row in rows} == {("R63", "EA", "Wh", "R")}


def test_what_r63_says_of_its_points() -> None:
    points = [
        {"v": "10", "d": "2026-01-01 00:30:00", "p": "PT30M", "n": "B", "iv": 1, "ec": None},
        {"v": "10", "d": "2026-01-01 01:00:00", "p": "PT30M", "n": "B", "iv": 2, "ec": 8},
        {"v": None, "d": "2026-01-01 01:30:00", "p": "PT30M", "n": "B", "iv": 2, "ec": 1},
        {"v": "10", "d": "x", "p": "PT30M", "n": "B"},
    ]
    found = [dict(row) for row in read_rows(io.BytesIO(document(measure(points)).encode()), "intervals")]
    assert [row["doubt"] for row in found] == ["iv is 1", "ec is 8: the meter's clock is not synchronised", "", ""]
    assert (found[2]["value"], found[3]["start"]) == ("", "x")
    best = [{"v": "1", "d": "2026-01-01 00:00:00", "p": "PT10M", "n": "C", "tc": "K"}]
    (raw,) = rows_of(document(measure([best[0] | {"n": "R", "tc": None}])), "intervals")
    (row,) = rows_of(document(measure(best, stage="BEST")), "intervals")
    assert int(row["version"]) > int(raw["version"])
    assert (row["start"], row["quality"], row["nature"], row["stage"]) == ("2025-12-31T23:00:00Z", "C+K", "C", "BEST")
    (volts,) = rows_of(document(measure(best, physical="E", unit="V")), "intervals")
    assert (volts["value"], volts["unit"], "power" in volts) == ("1", "V", False)
    (reactive,) = rows_of(document(measure(best, physical="PRI", unit="VAr")), "intervals")
    assert (reactive["value"], reactive["unit"], reactive["measure"]) == ("0.166667", "VArh", "ERI")
    later = {"echeances": {"type": "REC", "horodateDebutPublication": "2026-02-01 03:00:00"}}
    (recurring,) = rows_of(document(measure(best), **later), "intervals")
    assert (recurring["created_at"], int(recurring["version"]) > int(raw["version"])) == ("2026-02-01T02:00:00Z", True)


def test_r65_r66_and_measures_without_points() -> None:
    days = [{"v": "21705", "d": "2026-03-29"}, {"v": "23000", "d": "2026-10-25 00:00:00"}, {"v": "1", "d": "x"}]
    found = list(read_rows(io.BytesIO(document(measure(days, physical="EA", unit="Wh")).encode()), "quantities"))
    assert picked(found, "start", "end", "value", "net", "measure", "grid") == [
        ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "21705", "21705", "consumption", ""),
        ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "23000", "23000", "consumption", ""),
        ("x", "x", "1", "1", "consumption", ""),
    ]  # fmt: skip
    powers = [{"v": "5125", "d": "2026-02-01 08:18:09"}]
    (largest,) = rows_of(document(measure(powers, physical="PMA", unit="VA")), "readings")
    assert (largest["at"], largest["measure"], largest["value"], largest["unit"]) == (
        "2026-02-01T07:18:09Z",
        "PMA",
        "5125",
        "VA",
    )
    assert rows_of(document({"idPrm": POINT, "grandeur": []}), "intervals") == []
    lacking, there = measure([]), measure([{"v": "1", "d": "2026-01-01 00:30:00", "p": "PT30M", "n": "B"}])
    assert rows_of(document(lacking), "intervals") == []
    both = lacking | {"grandeur": [*lacking["grandeur"], *there["grandeur"]]}
    assert rows_of(document(both), "intervals") == rows_of(document(there), "intervals")
    with pytest.raises(UnableToDecodeFile, match="the shape of R66"):
        rows_of(document(measure(powers, physical="PMA", unit="VA")), "intervals")


# ---- C68


def test_c68_says_how_a_point_stands_and_nothing_of_its_customer() -> None:
    situation = {
        "clientFinal": {"informationsClient": {"personnePhysique": {"nom": "SECRET"}, "coordonneesContact": {"telephoneFixe": "0612"}}},
        "dateDebut": "2024-03-01", "nature": "SOUTIRAGE", "segment": "C5",
        "informationsContractuelles": {"contrat": {"referenceContrat": "GRD-F001"}, "etatContractuel": "EN SERVICE"},
        "structureTarifaire": {
            "formuleTarifaireAcheminement": {"code": "BTINFCU4", "libelle": "SECRET"},
            "puissanceSouscrite": {"valeur": "6", "unite": "kVA"},
            "grilleTurpe": {"calendrier": {"code": "DI000003"}, "classesTemporelles": [{"code": "HPE", "puissance": {"valeur": "6"}}]},
            "grilleFournisseur": {"calendrier": {"code": "FC000165"}},
        },
    }  # fmt: skip
    point = {
        "idPrm": POINT, "donneesGenerales": {"adresseInstallationNonNormalisee": {"commune": "SECRET"}},
        "situationsContractuelles": [situation],
        "situationComptage": {"compteurs": [{"numeroSerie": "123", "parametresTeleAcces": {"numTelephone": "SECRET"}}],
                              "relais": {"plageHeuresCreuses": {"libelle": "HC (22H00-6H00 dÃ©calÃ©)"}}},
    }  # fmt: skip
    (row,) = rows_of(json.dumps([point]), "events")
    assert row == {
        "flow": "C68", "point": POINT, "line": "1", "version": "0", "at": "2024-02-29T23:00:00Z", "kind": "STATE",
        "nature": "SOUTIRAGE", "segment": "C5", "situation": "GRD-F001", "state": "EN SERVICE", "sequence_from": "2024-03-01",
        "tariff": "BTINFCU4", "power": "6", "power_unit": "kVA", "powers": "HPB=6", "distributor_calendar": "DI000003",
        "supplier_calendar": "FC000165", "off_peak": "HC (22H00-6H00 décalé)", "meter": "123",
    }  # fmt: skip


# ---- CSV forms


HEAD = f"{POINT};2026-01-01;2026-02-01;PA;CONS;BRUT;W;"
CURVE = (
    f"{HEAD}2026-01-01 00:30:00;100;B;30;0;\n{HEAD}2026-01-01 01:00:00;;B;30;2;1\n"
    f"30001642617347;2026-01-01;2026-02-01;PA;CONS;BRUT;W;2026-01-01 00:00:00;60;R;10;;\n"
)
ENERGY = f"{POINT};2026-01-01;2026-02-01;EA;CONS;BRUT;Wh;"
INDEXES = f"{ENERGY}2026-01-01 00:00:00;COL;AQ;;Fournisseur;FC000165;Base;BASE;Base;F1;1999;0\n{ENERGY}2026-01-01 00:00:00;COL;AQ;;;;;;;T;2000;2\n"
ENERGIES = f"{ENERGY}2026-02-02 00:00:00;2026-01-01 00:00:00;2026-02-01 00:00:00;CYCL;Cyclique;Distributeur;DI000001;BASE;Base;RÃ©elle;AnnulÃ©;121000\n"
TITLE = "Identifiant PRM;Date de début;Date de fin\n"


@pytest.mark.parametrize("title", ["", TITLE, "\ufeff" + TITLE], ids=["no title", "title", "mark"])
def test_csv_forms_are_read_with_or_without_a_title(title: str) -> None:
    curve = rows_of(title + CURVE, "intervals")
    assert picked(curve, "flow", "point", "start", "end", "value", "quality") == [
        ("R63", POINT, "2025-12-31T23:00:00Z", "2025-12-31T23:30:00Z", "50", "B"),
        ("R63", POINT, "2025-12-31T23:30:00Z", "2026-01-01T00:00:00Z", "", "B"),
        ("R63", "30001642617347", "2025-12-31T23:00:00Z", "2025-12-31T23:10:00Z", "10", "R"),
    ]  # fmt: skip
    assert picked(rows_of(title + INDEXES, "readings"), "flow", "at", "grid", "time_class", "dial", "value", "doubt") == [
        ("R64", "2025-12-31T23:00:00Z", "supplier", "BASE", "F1", "1999", ""),
        ("R64", "2025-12-31T23:00:00Z", "", "", "T", "2000", "iv is 2"),
    ]  # fmt: skip
    assert picked(rows_of(title + ENERGIES, "quantities"), "flow", "start", "grid", "value", "net", "nature", "status") == [
        ("R67", "2025-12-31T23:00:00Z", "distributor", "121000", "0", "R", "A")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "kind", "told"),
    [
        (CURVE, "quantities", "a table of the shape of R63"),
        (f"{POINT};1;2\n", "readings", "a table of 3 columns"),
        (CURVE + f"{HEAD}2026\n", "intervals", "columns instead of 13"),
        ("Identifiant PRM;Type de donnees\n", "readings", "nothing follows a description"),
        (f"Identifiant PRM;Type de donnees\n{POINT};Index\n", "intervals", "no history of Courbe de charge"),
        (f"Identifiant PRM;Type de donnees\n{POINT};Courbe de charge\n1;2\n", "intervals", "values without a header"),
        (f"Identifiant PRM;Type de donnees\n{POINT};Courbe de charge\nHorodate;Valeur\n2026-01-01T00:00:00Z;2\n", "intervals", "the step"),
    ],
)  # fmt: skip
def test_a_table_of_another_shape_is_refused(data: str, kind: RecordKind, told: str) -> None:
    with pytest.raises(UnableToDecodeFile, match=told):
        rows_of(data, kind)


# ---- what stands where none belongs


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("<R50><En_Tete_Flux><Pas_Publication>30</Pas_Publication></En_Tete_Flux><PRM><Id_PRM>1</Id_PRM><Donnees_Releve/><PRM/></PRM></R50>", "intervals"),
        ("<R50><En_Tete_Flux><Pas_Publication>30</Pas_Publication></En_Tete_Flux><PRM><Donnees_Releve><a><PDC/></a></Donnees_Releve></PRM></R50>", "intervals"),
        ("<R151><PRM><Donnees_Releve><a><Classe_Temporelle/></a></Donnees_Releve></PRM></R151>", "readings"),
        ("<R171><serieMesuresDateesListe><serieMesuresDatees><mesuresDateesListe><a><mesureDatee/></a></mesuresDateesListe>"
         "</serieMesuresDatees></serieMesuresDateesListe></R171>", "readings"),
    ],
    ids=["PRM in a PRM", "PDC", "class", "mesureDatee"],
)  # fmt: skip
def test_a_record_that_stands_where_none_belongs_is_not_passed_over(file: str, kind: RecordKind) -> None:
    with pytest.raises(UnableToDecodeFile, match="stands where no"):
        rows_of(file, kind)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_in_other_encodings_is_not_called_xml(encoding: str) -> None:
    with pytest.raises(UnableToDecodeFile) as failure:
        list(read_rows(io.BytesIO(document(measure([])).encode(encoding)), "intervals"))
    assert failure.value.code == "WRONG_ENCODING"


def test_an_energy_that_may_be_an_index_waits() -> None:
    """Without a Classe_Mesure, which R15 always has, nobody can tell: it is not passed over, and not billed either."""
    file = (
        "<R15><PRM><Donnees_Releve><Classe_Temporelle><Unite_Mesure>kWh</Unite_Mesure><Valeur>9</Valeur></Classe_Temporelle>"
        "</Donnees_Releve></PRM></R15>"
    )
    (row,) = read_rows(io.BytesIO(file.encode()), "quantities")
    assert (row["measure"], row["doubt"]) == ("consumption", "Classe_Mesure is missing")
    assert list(read_rows(io.BytesIO(file.encode()), "readings")) == []
