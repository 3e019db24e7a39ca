"""Worked lines of French bills, from flows through operations to cents, each figure worked out by hand from the published tables."""

from __future__ import annotations

import shutil
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from unittest import mock

import pytest
from cli_octroi import balanced, octroi, query
from french_world import energy, invoice, lines, operations, r15, subscription, take, write_french

from apps.embedded import energy as energy_module

VAT, OVER, BELOW, ANNUL = "01000000000001", "01000000000002", "01000000000003", "01000000000004"
POWER, MOVED, METER, PLANT = "01000000000005", "01000000000006", "01000000000007", "01000000000008"
GAS, LATE, NETWORK, LARGE = "01000000000009", "01000000000010", "01000000000011", "01000000000012"
STRANGER = "01000000000099"
SUBSCRIPTIONS = [
    subscription("vat", "blue-6", VAT, "2025-01-01T00:00:00+01:00", "2025-09-01T00:00:00+02:00"),
    subscription("over", "blue-6", OVER, "2025-03-01T00:00:00+01:00", "2025-05-01T00:00:00+02:00"),
    subscription("below", "blue-6", BELOW, "2025-03-01T00:00:00+01:00", "2025-05-01T00:00:00+02:00"),
    subscription("annul", "blue-6", ANNUL, "2025-03-01T00:00:00+01:00", "2025-05-01T00:00:00+02:00"),
    subscription("power-6", "blue-6", POWER, "2025-03-01T00:00:00+01:00", "2025-03-16T00:00:00+01:00"),
    subscription("power-9", "blue-9", POWER, "2025-03-16T00:00:00+01:00", "2025-04-01T00:00:00+02:00", "kVA: 9"),
    subscription("moved", "blue-6", MOVED, "2025-03-10T00:00:00+01:00", "2025-03-25T00:00:00+01:00"),
    subscription("meter", "blue-6", METER, "2025-03-01T00:00:00+01:00", "2025-04-01T00:00:00+02:00"),
    subscription("plant", "plant", PLANT, "2025-11-01T00:00:00+01:00", "2025-12-01T00:00:00+01:00",
                 "kVA-HPH: 60, kVA-HCH: 60, kVA-HPB: 80, kVA-HCB: 80"),
    subscription("heating", "heating", GAS, "2025-06-15T00:00:00+02:00", "2025-08-15T00:00:00+02:00"),
    subscription("network", "network", NETWORK, "2025-03-01T00:00:00+01:00", "2025-04-01T00:00:00+02:00", "kVA: 9"),
    subscription("large", "large-network", LARGE, "2025-11-01T00:00:00+01:00", "2025-12-01T00:00:00+01:00",
                 "kVA-HPH: 60, kVA-HCH: 60, kVA-HPB: 80, kVA-HCB: 80"),
    subscription("late", "blue-6", LATE, "2024-02-01T00:00:00+01:00", "2025-09-10T00:00:00+02:00"),
]  # fmt: skip
MARCH, APRIL, MAY = "2025-03-01T00:00:00+01:00", "2025-04-01T00:00:00+02:00", "2025-05-01T00:00:00+02:00"
JULY, AUGUST, SEPTEMBER = "2025-07-01T00:00:00+02:00", "2025-08-01T00:00:00+02:00", "2025-09-01T00:00:00+02:00"
FIRST = r15(
    "2025-09-10",
    {
        VAT: [
            energy("v1", "2025-01-15T00:00:00+01:00", "2025-02-15T00:00:00+01:00", supplier={"BASE": 310}, distributor={"HCH": 310}),
            energy("v2", JULY, AUGUST, supplier={"BASE": 200}),
            energy("v3", AUGUST, SEPTEMBER, supplier={"BASE": 210}),
        ],
        OVER: [
            energy("o1", MARCH, APRIL, nature="ESTIME", supplier={"BASE": 100}),
            energy("o2", APRIL, MAY, nature="REGULARISE", supplier={"BASE": 140}),
        ],
        BELOW: [
            energy("b1", MARCH, APRIL, nature="ESTIME", supplier={"BASE": 100}),
            energy("b2", APRIL, MAY, nature="REGULARISE", supplier={"BASE": -20}),
        ],
        ANNUL: [energy("a1", MARCH, APRIL, supplier={"BASE": 500})],
        POWER: [
            energy("p1", MARCH, "2025-03-16T00:00:00+01:00", supplier={"BASE": 90}),
            energy("p2", "2025-03-16T00:00:00+01:00", APRIL, supplier={"BASE": 110}),
        ],
        MOVED: [energy("m1", "2025-03-10T00:00:00+01:00", "2025-03-25T00:00:00+01:00", supplier={"BASE": 75})],
        PLANT: [
            energy("c4", "2025-11-01T00:00:00+01:00", "2025-12-01T00:00:00+01:00", supplier={"HPH": 9000, "HCH": 4000},
                   distributor={"HPH": 9000, "HCH": 4000, "HPB": 0, "HCB": 0})
        ],
        LATE: [energy("l1", "2024-02-10T00:00:00+01:00", "2025-09-10T00:00:00+02:00", supplier={"BASE": 5780})],
        STRANGER: [energy("s1", MARCH, APRIL, supplier={"BASE": 1})],
    },
)  # fmt: skip
ANNULLED = r15(
    "2025-09-11",
    {
        ANNUL: [
            energy("a1", MARCH, APRIL, status="ANNULE", supplier={"BASE": 500}),
            energy("a2", MARCH, APRIL, status="RECTIFICATIF", supplier={"BASE": 50}),
        ]
    },
)
_INDEX = (
    "<Classe_Temporelle><Id_Classe_Temporelle>BASE</Id_Classe_Temporelle><Classe_Mesure>1</Classe_Mesure><Unite_Mesure>kWh</Unite_Mesure>"
    "<Sens_Mesure>0</Sens_Mesure><Valeur>{kwh}</Valeur><Nb_Chiffres_Cadran>5</Nb_Chiffres_Cadran>"
    "<Indicateur_Passage_A_Zero>{rolled}</Indicateur_Passage_A_Zero></Classe_Temporelle>"
)
CHANGED = (
    f"<C15><En_Tete_Flux><Date_Creation>2025-03-12T05:00:00+01:00</Date_Creation></En_Tete_Flux><PRM><Id_PRM>{METER}</Id_PRM>"
    "<Nom_Client>DUPONT Jeanne</Nom_Client>"
    "<Evenement_Declencheur><Date_Evenement>2025-03-11T10:00:00+01:00</Date_Evenement><Nature_Evenement>CMAT</Nature_Evenement><Releves>"
    + "".join(
        f"<Donnees_Releve><Code_Qualification>{place}</Code_Qualification><Date_Releve>2025-03-11T10:00:00+01:00</Date_Releve>"
        f"<Id_Calendrier>FC022034</Id_Calendrier>{_INDEX.format(kwh=kwh, rolled=rolled)}</Donnees_Releve>"
        for place, kwh, rolled in ((1, 104, 1), (2, 40, 0))
    )
    + "</Releves></Evenement_Declencheur></PRM></C15>"
)
GAZ = (
    f'{{"pce": {{"id_pce": "{GAS}"}}, "consommation": {{"date_debut_consommation": "2025-06-15T06:00:00+02:00", '
    '"date_fin_consommation": "2025-08-15T06:00:00+02:00", "volume_brut": 54, "coeff_calcul": {"coeff_conversion": 11.3}, '
    '"energie": 610, "type_qualif_conso": "Mesuré", "sens_flux_gaz": "Consommation", "statut_conso": "Définitive", "type_conso": "Publiée"}, '
    '"statut_restitution": null}'
)


def _r151(day: str, wh: int) -> str:
    return (
        f"<R151><En_Tete_Flux><Date_Creation>{day}T05:00:00+01:00</Date_Creation><Unite_Mesure_Index>Wh</Unite_Mesure_Index></En_Tete_Flux>"
        f"<PRM><Id_PRM>{METER}</Id_PRM><Donnees_Releve><Date_Releve>{day}</Date_Releve><Id_Calendrier_Fournisseur>FC022034"
        "</Id_Calendrier_Fournisseur><Classe_Temporelle><Id_Classe_Temporelle>BASE</Id_Classe_Temporelle>"
        f"<Valeur>{wh}</Valeur></Classe_Temporelle></Donnees_Releve></PRM></R151>"
    )


def _f15() -> str:
    """The distributor invoices management for March by two of its months, too much withdrawal, and no metering."""
    lines = (("ASGA-E", "2025-03-01", "2025-03-10", "0.45"), ("ASGA-E", "2025-03-11", "2025-03-31", "0.96"),
             ("ASSFCU4-0009-E", "2025-03-01", "2025-03-31", "9.00"))  # fmt: skip
    elements = "".join(
        f"<Element_Valorise><Id_EV>{element}</Id_EV><Libelle_EV>x</Libelle_EV><Date_Debut>{first}</Date_Debut><Date_Fin>{last}</Date_Fin>"
        f"<Montant_HT>{amount}</Montant_HT></Element_Valorise>"
        for element, first, last, amount in lines
    )
    return (
        "<F15_Detail_Facturation><En_Tete_Flux><Date_Creation>2025-04-02T05:00:00+02:00</Date_Creation></En_Tete_Flux>"
        "<Rappel_En_Tete><Num_Facture>1</Num_Facture><Date_Facture>2025-04-02</Date_Facture><Devise>EUR</Devise></Rappel_En_Tete>"
        "<Donnees_Valorisation><Num_Valorisation>1</Num_Valorisation><Type_Facturation>CYCL</Type_Facturation>"
        f"<Donnees_PRM><Id_PRM>{NETWORK}</Id_PRM></Donnees_PRM><Groupe_Valorise><Nature_EV>01</Nature_EV>{elements}</Groupe_Valorise>"
        "</Donnees_Valorisation></F15_Detail_Facturation>"
    )


def _f12() -> str:
    """The distributor invoices management for November as we do, and less metering than we billed."""
    elements = "".join(
        f"<Element_Valorise><Id_EV>{element}</Id_EV><Code_Recapitulatif>{heading}</Code_Recapitulatif><Acheminement><Date_Debut>2025-11-01"
        f"</Date_Debut><Date_Fin>2025-11-30</Date_Fin><Montant_HT>{amount}</Montant_HT></Acheminement></Element_Valorise>"
        for element, heading, amount in (("FCGE", "CGEST", "18.15"), ("FCCO", "CCOMP", "20.00"))
    )
    return (
        "<Detail_Facturation><En_Tete_Flux><Date_Creation>2025-12-02T05:00:00Z</Date_Creation></En_Tete_Flux><Rappel_En_Tete><Num_Facture>12"
        "</Num_Facture><Date_Facture>2025-12-02</Date_Facture><Devise>EUR</Devise></Rappel_En_Tete><Sous_Lot><Num_Sous_Lot>1</Num_Sous_Lot>"
        f"<Type_Facturation>CYCL</Type_Facturation><Id_PRM>{LARGE}</Id_PRM>{elements}</Sous_Lot></Detail_Facturation>"
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All flows of the supplier, taken in and executed, and its fees until September 2025."""
    data = write_french(tmp_path_factory.mktemp("french") / "data", SUBSCRIPTIONS)
    octroi("run", data).ok()
    take(data, "enedis_r15_operations", ("1-r15.xml", FIRST), ("2-r15.xml", ANNULLED))
    take(data, "enedis_indexes", ("1-r151.xml", _r151("2025-03-10", 99_990_900)), ("2-c15.xml", CHANGED),
         ("3-r151.xml", _r151("2025-03-31", 240_200)))  # fmt: skip
    take(data, "enedis_c15", ("c15.xml", CHANGED))
    take(data, "overruns", ("overruns.csv", f"point,at,hours\n{PLANT},2025-11-01T00:00:00+01:00,7\n"))
    take(data, "enedis_f15", ("f15.xml", _f15()), ("f12.xml", _f12()))
    take(data, "grdf_gas", ("gas.json", GAZ))
    made = octroi("energy", "create", "--until", "2025-12-01", "--data", data, "--json").ok().json
    counts = {(row["kind"], row["status"]): row["operations"] for row in made["counts"]}
    assert counts["conso", "à traiter"] == 38
    assert counts["abo", "à traiter"] > 100
    assert lines(data).keys() == {"heating", "meter", "plant"}  # what is not held
    octroi("energy", "execute", "--until", "2025-12-01", "--data", data).ok()
    return data


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _of(data: Path, subscription: str, *charges: str) -> dict[tuple[str, str], Decimal]:
    """Return the lines of some charges, in cents."""
    return {key: _cents(value) for key, value in lines(data)[subscription].items() if key[0] in charges}


def test_a_month_before_and_after_vat_on_subscriptions_changed(data: Path) -> None:
    """July: 134.16 / 12, CTA 21.894912 / 12 at 5.5 %; 200 kWh at 0.1343 + 0.0337 at 20 %. August: all at 20 %."""
    july, august = (
        invoice(data, "vat", *days) for days in (("2025-07-01", "2025-08-01"), ("2025-08-01", "2025-09-01"))
    )
    told = [
        (line.tax, Decimal(line.rate) / 10**6, Decimal(line.base) / 10**9, Decimal(line.amount) / 10**9)
        for line in july.lines
    ]
    assert told == [
        ("vat", 20, Decimal("33.60"), Decimal("6.72")),
        ("vat-subscription", Decimal("5.5"), Decimal("13.00"), Decimal("0.72")),
    ]
    assert Decimal(july.gross) / 10**9 == Decimal("54.04")
    told = [
        (line.tax, Decimal(line.rate) / 10**6, Decimal(line.base) / 10**9, Decimal(line.amount) / 10**9)
        for line in august.lines
    ]
    # 210 x 0.1327 + 210 x 0.02998 = 34.1628; 132.84 / 12 + 0.2193 x 99.46 / 12 = 12.8876
    assert told == [
        ("vat", 20, Decimal("34.16"), Decimal("6.83")),
        ("vat-subscription", 20, Decimal("12.89"), Decimal("2.58")),
    ]


def test_a_period_over_a_change_of_excise_is_split_by_days(data: Path) -> None:
    """310 kWh of 15 January to 15 February: 170 of 17 days at 21.00 per MWh, 140 of 14 days at 33.70."""
    found = _of(data, "vat", "excise-electricity-households", "trve-base-energy")
    assert found["excise-electricity-households", "2024-02-01"] == Decimal("3.57")
    assert found["excise-electricity-households", "2025-02-01"] == _cents(Decimal("4.718") + Decimal("6.74"))
    assert found["trve-base-energy", "2024-02-01"] == Decimal("32.08")  # 170 x 0.1887 = 32.079
    assert found["trve-base-energy", "2025-02-01"] == _cents(140 * Decimal("0.1343") + 200 * Decimal("0.1343"))
    assert lines(data)["vat"]["network-included", "2014-01-01"] == 0


def test_a_meter_changed_after_its_dial_went_through_zero(data: Path) -> None:
    """99 990 to 100 104 is 114 kWh; the new meter went from 40 to 240: 314 kWh at 0.1343 and 0.0337."""
    found = _of(data, "meter", "trve-base-energy", "excise-electricity-households")
    assert list(found.values()) == [Decimal("10.58"), Decimal("42.17")]


def test_estimated_then_real_above_and_below(data: Path) -> None:
    """240 kWh in all above the estimate, 80 below: what was estimated too high is given back."""
    assert _of(data, "over", "trve-base-energy") == {("trve-base-energy", "2025-02-01"): Decimal("32.23")}
    assert _of(data, "below", "trve-base-energy") == {("trve-base-energy", "2025-02-01"): Decimal("10.74")}
    amounts = query(
        data,
        "SELECT amount FROM rated_item WHERE subscription = 'below' AND charge = 'trve-base-energy' ORDER BY amount",
    )
    assert [Decimal(str(row["amount"])) for row in amounts] == [Decimal("-2.686"), Decimal("13.43")]


def test_annulled_and_rectified(data: Path) -> None:
    """500 kWh are annulled in every charge; 50 stand."""
    assert _of(data, "annul", "trve-base-energy", "excise-electricity-households") == {
        ("excise-electricity-households", "2025-02-01"): Decimal("1.69"),  # 50 x 0.0337 = 1.685
        ("trve-base-energy", "2025-02-01"): Decimal("6.72"),  # 6.715
    }
    mine = [one for one in operations(data, "--point", ANNUL) if one["kind"] == "conso"]
    assert [(one["status"], one["annulled"], Decimal(one["amount"])) for one in mine] == [
        ("traité", True, Decimal(0)), ("traité", False, Decimal(0)), ("traité", False, Decimal("8.4")),
    ]  # fmt: skip


def test_power_changed_in_the_middle_of_a_month(data: Path) -> None:
    """15 of 31 days of 134.16 / 12, then 16 of 31 days of 167.88 / 12; CTA on 6 kVA, then on 9."""
    assert _of(data, "power-6", "trve-base-6", "trve-base-energy", "cta-cs-cu4") == {
        ("cta-cs-cu4", "2025-02-01"): Decimal("0.53"),  # 0.2193 x 60.48 / 12 x 15/31 = 0.5348
        ("trve-base-6", "2025-02-01"): Decimal("5.41"),
        ("trve-base-energy", "2025-02-01"): Decimal("12.09"),
    }
    assert _of(data, "power-9", "trve-base-9", "trve-base-energy", "cta-cs-cu4") == {
        ("cta-cs-cu4", "2025-02-01"): Decimal("0.86"),  # 0.2193 x 90.72 / 12 x 16/31 = 0.8557
        ("trve-base-9", "2025-02-01"): Decimal("7.22"),
        ("trve-base-energy", "2025-02-01"): Decimal("14.77"),
    }


def test_moved_in_and_out_within_a_month(data: Path) -> None:
    """10 to 24 March, 15 of 31 days: 134.16 / 12 x 15/31 = 5.41; 75 kWh."""
    assert _of(data, "moved", "trve-base-6", "trve-base-energy") == {
        ("trve-base-6", "2025-02-01"): Decimal("5.41"),
        ("trve-base-energy", "2025-02-01"): Decimal("10.07"),
    }


def test_four_classes_above_36_kva_with_overrun(data: Path) -> None:
    """b x P by increasing powers: 17.61 x 60 + 14.56 x 20 = 1347.80 a year; 7 hours of overrun at 12.41."""
    fixed = sum(value for (charge, _), value in lines(data)["plant"].items() if "-cs-" in charge)
    assert _cents(fixed) == Decimal("112.32")
    assert _of(
        data,
        "plant",
        "turpe-sup-cg",
        "turpe-sup-cc",
        "turpe-sup-cu-cv",
        "turpe-sup-cmdps",
        "excise-electricity-business",
    ) == {
        ("excise-electricity-business", "2025-08-01"): Decimal("335.27"),
        ("turpe-sup-cc", "2025-08-01"): Decimal("23.61"),
        ("turpe-sup-cg", "2025-08-01"): Decimal("18.15"),
        ("turpe-sup-cmdps", "2025-08-01"): Decimal("86.87"),
        ("turpe-sup-cu-cv", "2025-08-01"): Decimal("790.30"),  # 9000 x 0.0691 + 4000 x 0.0421
    }


def test_gas_over_changes_of_the_network_and_of_excise(data: Path) -> None:
    """610 kWh, the distributor's own, of 61 gas days: 160 in June, 310 in July, 140 in August."""
    assert _of(data, "heating", "excise-gas", "atrd-t2-energy", "gas-energy") == {
        ("atrd-t2-energy", "2024-07-01"): Decimal("1.82"),  # 0.160 x 11.39
        ("atrd-t2-energy", "2025-07-01"): Decimal("5.44"),  # 0.450 x 12.08
        ("excise-gas", "2025-01-01"): Decimal("8.07"),  # 0.470 x 17.16 = 8.0652
        ("excise-gas", "2025-08-01"): Decimal("2.16"),  # 0.140 x 15.43
        ("gas-energy", "2024-01-01"): Decimal("30.50"),
    }


def test_energy_of_more_than_fourteen_months_waits_with_a_code(data: Path) -> None:
    mine = [one for one in operations(data, "--point", LATE) if one["kind"] == "conso"]
    refused = [one for one in mine if one["status"] == "rejet"]
    assert {one["code"] for one in refused} == {"ERR_REL_005"}
    assert len(refused) == 6  # 10 February to 10 July 2024
    assert refused[0]["french"].startswith("La consommation date de plus de quatorze mois")
    assert {one["status"] for one in mine} == {"rejet", "traité"}


def test_an_unknown_point_has_a_code_and_can_be_abandoned_with_a_reason_and_taken_back(data: Path) -> None:
    (one,) = operations(data, "--point", STRANGER)
    assert (one["status"], one["code"], one["retries"]) == ("rejet", "ERR_ORD_001", 1)
    again = octroi("energy", "retry", one["id"], "--data", data, "--json").ok().json
    assert again == {"retried": 1, "rated": 0}
    octroi("energy", "abandon", one["id"], "--reason", "not ours", "--data", data).ok()
    (one,) = operations(data, "--point", STRANGER, "--status", "abandonne")
    assert (one["code"], one["why"], one["retries"]) == ("ERR_ORD_001", "not ours", 2)
    assert "no operation that waits" in octroi("energy", "retry", "op-9999-1", "--data", data).err


def test_what_was_executed_stays_so_whatever_comes_again(data: Path, tmp_path: Path) -> None:
    before = lines(data)
    # files that come again are operations, too, which other tests would see
    data = shutil.copytree(data, tmp_path / "data", symlinks=True, ignore=shutil.ignore_patterns("owner.sock"))
    take(data, "enedis_r15_operations", ("2-again.xml", ANNULLED), ("3-again.xml", FIRST))
    octroi("energy", "create", "--data", data).ok()
    octroi("energy", "execute", "--until", "2025-12-01", "--data", data).ok()
    octroi("energy", "execute", "--until", "2025-12-01", "--data", data).ok()
    assert lines(data) == before
    balanced(data)
    copy = tmp_path / "copy"
    shutil.copytree(data, copy, ignore=shutil.ignore_patterns("owner.sock"))
    shutil.rmtree(copy / "state")
    shutil.rmtree(copy / "store")
    octroi("run", copy).ok()
    assert lines(copy) == before


def test_a_point_tells_its_whole_story_without_names(data: Path) -> None:
    told = octroi("energy", "pod", METER, "--data", data, "--json").ok()
    story = told.json
    assert [one["subscription"] for one in story["subscriptions"]] == ["meter"]
    assert [one["kind"] for one in story["events"]] == ["CMAT"]
    # what only opened a series is not billed
    assert [one["truncated"] for one in story["readings"]] == ["104000", "240000"]
    assert {one["kind"] for one in story["operations"]} == {"conso", "abo"}
    assert {one["point"] for one in story["operations"]} == {METER}
    for command in (["pod", METER], ["evenements"], ["releve"], ["logs"], ["traitement"], ["frais"]):
        out = octroi("energy", *command, "--data", data).ok().out
        assert "DUPONT" not in out
    assert "DUPONT" not in told.out
    with mock.patch.object(energy_module, "ROWS_MAX", 5):  # points in several parts
        found = octroi("energy", "yearly", "--at", "2026-10-01", "--data", data, "--json").ok().json
    since = {one["point"]: one["since"] for one in found}
    assert since[ANNUL] == "2025-04-01"  # of the one that is rectified
    assert len(since) == len(found)
    assert {VAT, OVER, BELOW, MOVED, LATE} <= since.keys()


def test_the_distributors_invoice_is_compared_by_component_and_day(data: Path) -> None:
    """Management is 16.92 / 12 for March on both sides; 90.72 / 12 = 7.56 of withdrawal; 22.44 / 12 = 1.87 of metering."""
    told = (
        octroi("energy", "reconcile", "--from", "2025-03-01", "--to", "2025-04-01", "--data", data, "--json").ok().json
    )
    mine = [
        (row["component"], row["distributor"], row["ours"], row["difference"], row["why"])
        for row in told
        if row["point"] == NETWORK
    ]
    assert mine == [
        ("fixed withdrawal", "9.00", "7.56", "-1.44", "another amount"),
        ("metering", "0.00", "1.87", "1.87", "not invoiced by the distributor"),
    ]
    assert (
        "does not lie before"
        in octroi("energy", "reconcile", "--from", "2025-04-01", "--to", "2025-04-01", "--data", data).err
    )


def test_the_invoice_of_a_large_point_is_compared_too(data: Path) -> None:
    """Of November: 217.80 / 12 = 18.15 of management on both sides; 283.27 / 12 = 23.61 of metering; 1347.80 / 12 = 112.32 of power."""
    told = (
        octroi("energy", "reconcile", "--from", "2025-11-01", "--to", "2025-12-01", "--data", data, "--json").ok().json
    )
    mine = [
        (row["component"], row["distributor"], row["ours"], row["difference"], row["why"])
        for row in told
        if row["point"] == LARGE
    ]
    assert mine == [
        ("fixed withdrawal", "0.00", "112.32", "112.32", "not invoiced by the distributor"),
        ("metering", "20.00", "23.61", "3.61", "another amount"),
    ]
