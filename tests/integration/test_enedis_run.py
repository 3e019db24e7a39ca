"""Flows of Enedis through the real command, to money: what is annulled, rectified, late, doubtful, sent twice, in any order."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import balanced, octroi, query
from enedis_world import HEAD, POINT, energy, r15, write_supplier

STANDS = """
SELECT toString(event_at) AS at, toString(quantity) AS quantity, toString(amount) AS amount
FROM rated_item WHERE status = 'rated' ORDER BY at, quantity
"""
SUMS = "SELECT toString(sum(quantity)) AS quantity, toString(sum(amount)) AS amount, count() AS items FROM rated_item"


def _take(data: Path, source: str, *files: tuple[str, str]) -> dict[str, Any]:
    paths = []
    for name, text in files:
        paths.append(data.parent / name)
        paths[-1].write_text(text)
    report: dict[str, Any] = octroi("ingest", *paths, "--source", source, "--data", data, "--json").ok().json
    return report["totals"]


def _stands(data: Path) -> list[tuple[str, Decimal, Decimal]]:
    return [(row["at"][:16], Decimal(row["quantity"]), Decimal(row["amount"])) for row in query(data, STANDS)]


def _sums(data: Path) -> tuple[Decimal, Decimal]:
    balanced(data)
    (row,) = query(data, SUMS)
    return Decimal(row["quantity"]), Decimal(row["amount"])


FIRST = r15(energy("1", 121, "2026-01-01", "2026-02-01", nature="ESTIME"), made="2026-02-02")
ANNULLED = r15(energy("1", 121, "2026-01-01", "2026-02-01", "ANNULE", "ESTIME"), made="2026-03-05")
RECTIFIED = r15(
    energy("2", 100, "2026-01-01", "2026-02-01", "RECTIFICATIF"),
    energy("3", -7, "2026-02-01", "2026-03-01", nature="REGULARISE"),
    made="2026-03-06",
)
SETTLED = [("2025-12-31 23:00", Decimal(0), Decimal(0)), ("2025-12-31 23:00", Decimal(100), Decimal(20)),
           ("2026-01-31 23:00", Decimal(-7), Decimal("-1.75"))]  # fmt: skip


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)], ids=lambda order: "".join(map(str, order)))
def test_annulled_and_rectified_energy_ends_the_same_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    """121 kWh estimated for January are annulled; 100 kWh are real, and 7 kWh too many of February are given back."""
    data = write_supplier(tmp_path / "data", ["enedis_r15"])
    files = [("first.xml", FIRST), ("annulled.xml", ANNULLED), ("rectified.xml", RECTIFIED)]
    for number in order:
        _take(data, "enedis_r15", files[number])
    assert _stands(data) == SETTLED
    assert _sums(data) == (Decimal(93), Decimal("18.25"))
    assert _take(data, "enedis_r15", ("again.xml", FIRST))["accepted"] == 0


def test_what_is_annulled_sums_to_nothing_and_says_what_it_takes_back(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_r15"])
    _take(data, "enedis_r15", ("first.xml", FIRST))
    ((at, quantity, amount),) = _stands(data)
    assert (at, quantity, amount) == ("2025-12-31 23:00", Decimal(121), Decimal("24.2"))
    _take(data, "enedis_r15", ("annulled.xml", ANNULLED))
    assert _sums(data) == (Decimal(0), Decimal(0))
    (reversed_item,) = query(data, "SELECT * FROM reversed_item")
    (original,) = query(data, "SELECT id FROM rated_item WHERE quantity > 0")
    assert original["id"] in [str(value) for value in reversed_item.values()]
    # what was never billed here, because it came before octroi did, is not given back either
    _take(data, "enedis_r15", ("alone.xml", ANNULLED.replace("<Id_Releve>1<", "<Id_Releve>0<")))
    assert _sums(data) == (Decimal(0), Decimal(0))


def test_another_value_without_a_status_corrects_the_first_even_when_it_is_billed(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_r15"])
    _take(data, "enedis_r15", ("first.xml", FIRST))
    (item,) = query(data, "SELECT id FROM rated_item")
    (tmp_path / "billed.csv").write_text(f"item,invoice\n{item['id']},INV-1\n")
    octroi("bill", "mark", tmp_path / "billed.csv", "--data", data).ok()
    later = FIRST.replace("<Valeur>121<", "<Valeur>90<").replace("2026-02-02", "2026-02-09")
    earlier = FIRST.replace("<Valeur>121<", "<Valeur>7<").replace("2026-02-02", "2026-01-31")
    _take(data, "enedis_r15", ("later.xml", later))
    assert _take(data, "enedis_r15", ("earlier.xml", earlier))["superseded"] == 1
    assert _stands(data) == [("2025-12-31 23:00", Decimal(90), Decimal(18))]
    assert _sums(data) == (Decimal(90), Decimal(18))
    statuses = query(data, "SELECT status, toString(amount) AS amount FROM rated_item ORDER BY amount")
    assert [(row["status"], Decimal(row["amount"])) for row in statuses] == [
        ("refund", Decimal("-24.2")), ("rated", Decimal(18)), ("billed", Decimal("24.2")),
    ]  # fmt: skip


def _curve(day: str, *steps: tuple[str, str, str], made: str) -> str:
    points = "".join(
        f"<PDC><H>{at}</H>{f'<V>{power}</V>' if power else ''}<IV>{doubt}</IV></PDC>" for at, power, doubt in steps
    )
    releve = f"<Donnees_Releve><Date_Releve>{day}</Date_Releve>{points}</Donnees_Releve>"
    return f"<R50>{HEAD.format(made=made)}<PRM><Id_PRM>{POINT}</Id_PRM>{releve}</PRM></R50>"


def test_a_curve_is_completed_and_corrected_and_nothing_erases_a_value(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_r50"])
    at = [f"2026-01-31T{hour}:00+01:00" for hour in ("22:30", "23:00", "23:30")] + ["2026-02-01T00:00:00+01:00"]
    first = _curve(
        "2026-01-31", (at[0], "", "0"), (at[1], "2000", "0"), (at[2], "9", "1"), (at[3], "1001", "0"), made="2026-02-01"
    )
    totals = _take(data, "enedis_r50", ("first.xml", first))
    assert (totals["accepted"], totals["filtered"], totals["parked"]) == (2, 1, 1)
    # the stamp is the end: the last step of January is priced as January is
    assert _stands(data) == [
        ("2026-01-31 21:30", Decimal(1), Decimal("0.2")),
        ("2026-01-31 22:30", Decimal("0.5005"), Decimal("0.1")),
    ]
    late = _curve(
        "2026-01-31",
        (at[0], "3000", "0"),
        (at[1], "", "0"),
        (at[2], "10", "0"),
        (at[3], "2001", "0"),
        made="2026-02-05",
    )
    _take(data, "enedis_r50", ("late.xml", late))
    assert [quantity for _, quantity, _ in _stands(data)] == [
        Decimal("1.5"),
        Decimal(1),
        Decimal("0.005"),
        Decimal("1.0005"),
    ]
    (row,) = query(data, "SELECT reason, detail FROM rejection WHERE reason = 'DOUBTFUL_READING'")
    assert row["detail"] == "line 1: IV is 1"
    octroi("rejects", "correct", "--code", "DOUBTFUL_READING", "--set", "doubt=", "--data", data).ok()
    balanced(data)
    assert query(data, "SELECT claim FROM rejection WHERE status = 'OPEN' AND reason = 'DOUBTFUL_READING'") == []
    assert len(_stands(data)) == 4  # an older statement than the one that came late


def test_lines_of_an_invoice_are_passed_on_to_the_cent(samples: Path, tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_f15"])
    text = (samples / "energy/fr_enedis_samples/electricore/f15.xml").read_text().replace("99510061232830", POINT)
    annulled = (
        text.replace("17381405504114786", "2")
        .replace("EVNT", "ANNUL")
        .replace("-48.00", "48.00")
        .replace("-24.0<", "24.0<")
    )
    _take(data, "enedis_f15", ("f15.xml", text))
    assert _stands(data) == [("2025-01-16 23:00", Decimal(-48), Decimal(-48))]
    _take(data, "enedis_f15", ("f15.xml", text), ("annulled.xml", annulled))
    assert _sums(data) == (Decimal(0), Decimal(0))


# ---- indexes: series, meters that are changed, dials that go through zero


def _index(kwh: int, tag: str = "Classe_Temporelle", rolled: str = "0", coefficient: str = "1.0") -> str:
    return (
        f"<{tag}><Id_Classe_Temporelle>BASE</Id_Classe_Temporelle><Classe_Mesure>1</Classe_Mesure>"
        f"<Unite_Mesure>kWh</Unite_Mesure><Sens_Mesure>0</Sens_Mesure><Valeur>{kwh}</Valeur>"
        f"<Nb_Chiffres_Cadran>5</Nb_Chiffres_Cadran><Indicateur_Passage_A_Zero>{rolled}</Indicateur_Passage_A_Zero>"
        f"<Coefficient_Lecture>{coefficient}</Coefficient_Lecture></{tag}>"
    )


def _around(qualification: int, at: str, *indexes: str) -> str:
    return (
        f"<Donnees_Releve><Code_Qualification>{qualification}</Code_Qualification><Date_Releve>{at}</Date_Releve>"
        f"<Id_Calendrier>FC022034</Id_Calendrier><Nature_Index>REEL</Nature_Index>{''.join(indexes)}</Donnees_Releve>"
    )


def _c15(nature: str, *readings: str) -> str:
    event = f"<Evenement_Declencheur><Nature_Evenement>{nature}</Nature_Evenement><Releves>{''.join(readings)}</Releves></Evenement_Declencheur>"
    return f"<C15>{HEAD.format(made='2026-02-12')}<PRM><Id_PRM>{POINT}</Id_PRM>{event}</PRM></C15>"


def _r151(day: str, wh: int) -> str:
    head = HEAD.format(made=day).replace("<En_Tete_Flux>", "<En_Tete_Flux><Unite_Mesure_Index>Wh</Unite_Mesure_Index>")
    return (
        f"<R151>{head}<PRM><Id_PRM>{POINT}</Id_PRM><Donnees_Releve><Date_Releve>{day}</Date_Releve>"
        "<Id_Calendrier_Fournisseur>FC022034</Id_Calendrier_Fournisseur><Classe_Temporelle>"
        f"<Id_Classe_Temporelle>BASE</Id_Classe_Temporelle><Valeur>{wh}</Valeur></Classe_Temporelle></Donnees_Releve></PRM></R151>"
    )


CHANGED = _c15(
    "CMAT",
    _around(1, "2026-02-10T10:00:00+01:00", _index(104, rolled="1"), _index(7, "Classe_Temporelle_Distributeur")),
    _around(2, "2026-02-10T10:00:00+01:00", _index(20, coefficient="2.0"), _index(9, "Classe_Temporelle_Distributeur")),
)
"""The old meter's dial of five digits went through zero; the new one begins at 20, which is 40 kWh by its coefficient."""


def test_a_meter_is_changed_after_its_dial_went_through_zero(tmp_path: Path) -> None:
    """99 990.9 kWh, then 104 (that is 114 more), then another meter at 40, and 43.2 kWh at the end of the day."""
    data = write_supplier(tmp_path / "data", ["enedis_indexes"])
    _take(data, "enedis_indexes", ("first.xml", _r151("2026-02-09", 99_990_900)), ("c15.xml", CHANGED))
    assert _take(data, "enedis_indexes", ("last.xml", _r151("2026-02-10", 43_200)))["accepted"] == 1
    assert _stands(data) == [
        ("2026-02-09 23:00", Decimal(114), Decimal("28.5")),
        ("2026-02-10 09:00", Decimal(3), Decimal("0.75")),
    ]


def test_a_reading_that_comes_before_its_c15_waits_for_it(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_indexes"])
    first, last = _r151("2026-02-09", 99_990_900), _r151("2026-02-10", 43_200)
    _take(data, "enedis_indexes", ("first.xml", first))
    assert _take(data, "enedis_indexes", ("last.xml", last))["rejected"] == 1
    _take(data, "enedis_indexes", ("c15.xml", CHANGED))
    octroi("rejects", "replay", "--code", "INDEX_DECREASED", "--data", data).ok()
    balanced(data)
    assert [quantity for _, quantity, _ in _stands(data)] == [Decimal(114), Decimal(3)]
    # all of it once more changes nothing
    again = _take(data, "enedis_indexes", ("1.xml", first), ("2.xml", CHANGED), ("3.xml", last))
    assert (again["accepted"], again["rejected"], again["parked"]) == (0, 0, 0)
    # the same day with another index: later ones are measured from the first, so that somebody has to look
    other = _take(data, "enedis_indexes", ("other.xml", _r151("2026-02-10", 44_200)))
    assert (other["duplicate"], other["rejected"]) == (0, 1)
