"""Flows of French distributors as statements of one point, which can be split, joined, repeated and sent in any order."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enedis_world import HEAD, POINT, energy, r15, write_supplier

from billing.catalog.templates import find_template

Wrap = Callable[[str, Sequence[str]], str]


@dataclass(frozen=True)
class Flow:
    """What a distributor states of a point over time.

    Attributes:
        name: of the flow. source: where its files go. parts: (how the file begins, the fragments it may be split into).
        wrap: makes a file of a beginning and fragments.
    """

    name: str
    source: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    wrap: Wrap

    def arrivals(self, point: str, chance: random.Random) -> list[str]:
        """Return the files of a point in an order of their own: some split, some sent again."""
        files = []
        for begin, fragments in self.parts:
            left = list(fragments)
            chance.shuffle(left)
            while left:
                some = chance.randint(1, len(left))
                text = self.wrap(begin, left[:some]).replace(POINT, point)
                files += [text] * chance.randint(1, 2)
                left = left[some:]
        chance.shuffle(files)
        return files


def _xml(root: str, inside: str) -> Wrap:
    return lambda made, fragments: f"<{root}>{HEAD.format(made=made)}{inside.replace('…', ''.join(fragments))}</{root}>"


def _json(begin: str, measure: Callable[[str, list[Any]], dict[str, Any]]) -> Wrap:
    def wrap(said: str, fragments: Sequence[str]) -> str:
        stage, _, made = said.partition("|")
        more = {"echeances": {"horodateDebutPublication": made}} if made else {}
        found = measure(stage, [json.loads(one) for one in fragments])
        return json.dumps({"header": {"codeFlux": begin}, **more, "mesures": [{"idPrm": POINT, **found}]})

    return wrap


def _points(stage: str, unit: str, physical: str, points: list[Any]) -> dict[str, Any]:
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": physical, "unite": unit, "points": points}
    return {"etapeMetier": stage, "modeCalcul": "MESURE", "grandeur": [quantity]}


def _r17(status: str, kwh: int, lot: str = "426") -> str:
    return (
        f"<Corps_PRM><Id_PRM>{POINT}</Id_PRM><Num_Sous_Lot>{lot}</Num_Sous_Lot><Date_Sous_Lot>2026-02-03</Date_Sous_Lot><Donnees_Releve>"
        f"<Id_PRM>{POINT}</Id_PRM><Tarif_Souscrit>BTSUPCU4</Tarif_Souscrit><Code_Structure_Fournisseur>F4</Code_Structure_Fournisseur>"
        f"<Statut_Mesure>{status}</Statut_Mesure><Nature_Mesure>REEL</Nature_Mesure><Date_Debut_Mesure>2026-01-01</Date_Debut_Mesure>"
        "<Date_Fin_Mesure>2026-02-01</Date_Fin_Mesure><Donnees_Par_Type_Mesure_Fournisseur><Type_Mesure>EA</Type_Mesure>"
        "<Unite_Mesure>kWh</Unite_Mesure><Conso_Par_Classe_Temporelle><Classe_Temporelle>HPH</Classe_Temporelle>"
        f"<Quantite_Mesure>{kwh}</Quantite_Mesure></Conso_Par_Classe_Temporelle></Donnees_Par_Type_Mesure_Fournisseur>"
        "</Donnees_Releve></Corps_PRM>"
    )


def _r67(kwh: int, made: str, status: str, nature: str = "R", month: int = 1) -> str:
    return json.dumps(
        {"dateCreation": made, "dbtMesure": f"2026-0{month}-01", "finMesure": f"2026-0{month + 1}-01", "codeNature": nature,
         "codeStatut": status, "quantite": kwh * 1000}
    )  # fmt: skip


def _r67_measure(_stage: str, found: list[Any]) -> dict[str, Any]:
    held = {
        "codeGrille": "F",
        "codeCalendrier": "FC1",
        "classeTemporelle": [{"idClasseTemporelle": "BASE", "quantite": found}],
    }
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": "EA", "unite": "Wh", "calendrier": [held]}
    return {"contexte": [{"idMotifReleve": "CYCL", "grandeur": [quantity]}]}


def _pdc(hour: str, power: str, doubt: int = 0) -> str:
    said = f"<V>{power}</V>" if power else ""
    return f"<PDC><H>2026-01-31T{hour}+01:00</H>{said}<IV>{doubt}</IV></PDC>"


def _r63(hour: str, power: str, state: str = "B", step: str = "PT30M") -> str:
    return json.dumps({"v": power or None, "d": f"2026-01-31 {hour}", "p": step, "n": state})


def _r4x(said: str, fragments: Sequence[str]) -> str:
    stage, _, made = said.partition("|")
    return (
        f"<Courbe><Entete><Date_Creation>{made}T05:00:00+01:00</Date_Creation><Nature_De_Courbe_Demandee>{stage}"
        f"</Nature_De_Courbe_Demandee></Entete><Corps><Identifiant_PRM>{POINT}</Identifiant_PRM><Donnees_Courbe><Granularite>10"
        "</Granularite><Unite_Mesure>kW</Unite_Mesure><Grandeur_Metier>CONS</Grandeur_Metier><Grandeur_Physique>EA</Grandeur_Physique>"
        f"{''.join(fragments)}</Donnees_Courbe></Corps></Courbe>"
    )


def _step(hour: str, power: str, state: str) -> str:
    value = f' Valeur_Point ="{power}"' if power else ""
    return f'<Donnees_Point_Mesure Horodatage ="2026-01-31T{hour}+01:00"{value} Statut_Point="{state}"/>'


def _history(first: int, second: int) -> str:
    return (
        "Identifiant PRM;Type de donnees;Date de debut;Date de fin;Grandeur physique;Grandeur metier;Etape metier;Unite;Pas en minutes\n"
        f"{POINT};Courbe de charge;31/01/2026;01/02/2026;Energie active;Consommation;Comptage Brut;W;30\nHorodate;Valeur\n"
        f"2026-01-31T00:30:00+01:00;{first}\n2026-01-31T01:00:00+01:00;{second}\n"
    )


def _classes(kwh: int, rolled: int = 0) -> str:
    return (
        "<Classe_Temporelle><Id_Classe_Temporelle>BASE</Id_Classe_Temporelle><Classe_Mesure>1</Classe_Mesure><Unite_Mesure>kWh</Unite_Mesure>"
        f"<Sens_Mesure>0</Sens_Mesure><Valeur>{kwh}</Valeur><Nb_Chiffres_Cadran>5</Nb_Chiffres_Cadran>"
        f"<Indicateur_Passage_A_Zero>{rolled}</Indicateur_Passage_A_Zero></Classe_Temporelle>"
    )


def _r151(day: str, wh: int) -> str:
    return (
        f"<Donnees_Releve><Date_Releve>{day}</Date_Releve><Id_Calendrier_Fournisseur>FC1</Id_Calendrier_Fournisseur><Classe_Temporelle>"
        f"<Id_Classe_Temporelle>BASE</Id_Classe_Temporelle><Valeur>{wh}</Valeur></Classe_Temporelle></Donnees_Releve>"
    )


def _around(place: int, kwh: int, rolled: int = 0) -> str:
    return (
        f"<Donnees_Releve><Code_Qualification>{place}</Code_Qualification><Date_Releve>2026-02-10T10:00:00+01:00</Date_Releve>"
        f"<Id_Calendrier>FC1</Id_Calendrier><Nature_Index>REEL</Nature_Index>{_classes(kwh, rolled)}</Donnees_Releve>"
    )


def _r15_index(identity: str, day: str, kwh: int, status: str) -> str:
    return (
        f"<Donnees_Releve><Id_Releve>{identity}</Id_Releve><Date_Releve>{day}T00:00:00+01:00</Date_Releve><Id_Calendrier>FC1</Id_Calendrier>"
        f"<Statut_Releve>{status}</Statut_Releve><Nature_Index>REEL</Nature_Index>{_classes(kwh)}</Donnees_Releve>"
    )


def _r64_measure(_stage: str, found: list[Any]) -> dict[str, Any]:
    dial = {"idClasseTemporelle": "BASE", "codeCadran": "IDX_EAS_F1", "valeur": found}
    held = {"idCalendrier": "FC1", "libelleGrille": "Fournisseur", "classeTemporelle": [dial]}
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": "EA", "unite": "Wh", "calendrier": [held]}
    return {"contexte": [{"etapeMetier": "BRUT", "contexteReleve": "COL", "typeReleve": "AQ", "grandeur": [quantity]}]}


def _r171(_made: str, fragments: Sequence[str]) -> str:
    series = "".join(
        f"<serieMesuresDatees><prmId>{POINT}</prmId><type>INDEX</type><grandeurMetier>CONS</grandeurMetier><grandeurPhysique>EA"
        "</grandeurPhysique><typeCalendrier>F</typeCalendrier><codeClasseTemporelle>HCE</codeClasseTemporelle><unite>Wh</unite>"
        f"<mesuresDateesListe>{one}</mesuresDateesListe></serieMesuresDatees>"
        for one in fragments
    )
    return f"<R171><entete><dateHeureCreation>{_made}T01:00:00</dateHeureCreation></entete><serieMesuresDateesListe>{series}</serieMesuresDateesListe></R171>"


def _dated(day: str, wh: int) -> str:
    return f"<mesureDatee><dateFin>{day}T02:37:56</dateFin><valeur>{wh}</valeur></mesureDatee>"


def _event(made: str, fragments: Sequence[str]) -> str:
    return f"<C15>{HEAD.format(made=made)}{''.join(fragments)}</C15>"


def _mct(day: str, sequence: int, tariff: str, kva: int) -> str:
    return (
        f"<PRM><Id_PRM>{POINT}</Id_PRM><Evenement_Declencheur><Type_Evenement>CONTRAT</Type_Evenement><Date_Evenement>{day}T00:00:00+01:00"
        f"</Date_Evenement><Nature_Evenement>MCT</Nature_Evenement></Evenement_Declencheur><Situation_Contractuelle><Ref_Situation_Contractuelle>"
        f"1</Ref_Situation_Contractuelle><Num_Sequence>{sequence}</Num_Sequence><Structure_Tarifaire><Formule_Tarifaire_Acheminement>{tariff}"
        f"</Formule_Tarifaire_Acheminement><Puissance_Souscrite>{kva}</Puissance_Souscrite></Structure_Tarifaire></Situation_Contractuelle></PRM>"
    )


def _c68(_said: str, fragments: Sequence[str]) -> str:
    return json.dumps([{"idPrm": POINT, "situationsContractuelles": [json.loads(one) for one in fragments]}])


def _situation(since: str, tariff: str) -> str:
    return json.dumps(
        {"dateDebut": since, "nature": "SOUTIRAGE", "segment": "C5", "structureTarifaire": {"formuleTarifaireAcheminement": {"code": tariff}}}
    )  # fmt: skip


def _f15(said: str, fragments: Sequence[str]) -> str:
    number, _, made = said.partition("|")
    return (
        f"<F15_Detail_Facturation>{HEAD.format(made=made)}<Rappel_En_Tete><Num_Facture>{number}{POINT}</Num_Facture><Date_Facture>{made}"
        f"</Date_Facture><Devise>EUR</Devise></Rappel_En_Tete>{''.join(fragments)}</F15_Detail_Facturation>"
    )


def _valuation(number: int, kind: str, amount: str) -> str:
    return (
        f"<Donnees_Valorisation><Num_Valorisation>{number}</Num_Valorisation><Type_Facturation>{kind}</Type_Facturation><Donnees_PRM><Id_PRM>"
        f"{POINT}</Id_PRM></Donnees_PRM><Groupe_Valorise><Nature_EV>02</Nature_EV><Element_Valorise><Id_EV>F180-U</Id_EV><Libelle_EV>x</Libelle_EV>"
        f"<Date_Debut>2026-01-05</Date_Debut><Date_Fin>2026-01-05</Date_Fin><Montant_HT>{amount}</Montant_HT></Element_Valorise></Groupe_Valorise>"
        "</Donnees_Valorisation>"
    )


def _f12(said: str, fragments: Sequence[str]) -> str:
    return _f15(said, fragments).replace("F15_Detail_Facturation", "Detail_Facturation")


def _lot(number: int, kind: str, amount: str) -> str:
    return (
        f"<Sous_Lot><Num_Sous_Lot>{number}</Num_Sous_Lot><Type_Facturation>{kind}</Type_Facturation><Id_PRM>{POINT}</Id_PRM>"
        "<Element_Valorise><Id_EV>FCGE</Id_EV><Code_Recapitulatif>CGEST</Code_Recapitulatif><Acheminement><Date_Debut>2026-01-01</Date_Debut>"
        f"<Date_Fin>2026-01-31</Date_Fin><Montant_HT>{amount}</Montant_HT></Acheminement></Element_Valorise></Sous_Lot>"
    )


def _gas(kwh: int, state: str, first: str, last: str) -> str:
    return json.dumps(
        {"pce": {"id_pce": POINT}, "consommation": {
            "date_debut_consommation": f"{first}T06:00:00+01:00", "date_fin_consommation": f"{last}T06:00:00+01:00", "volume_brut": 10,
            "coeff_calcul": {"coeff_conversion": kwh / 10}, "energie": kwh, "type_qualif_conso": "Mesuré", "sens_flux_gaz": "Consommation",
            "statut_conso": state, "type_conso": "Publiée"}, "statut_restitution": None}
    )  # fmt: skip


INITIAL, ANNULLED = (energy("1", 121, "2026-01-01", "2026-02-01", status, "ESTIME") for status in ("INITIAL", "ANNULE"))
FLOWS = (
    Flow("R15", "enedis_r15", (
        ("2026-02-02", (INITIAL, energy("5", 40, "2026-02-01", "2026-02-02"))), ("2026-03-05", (ANNULLED,)),
        ("2026-03-06", (energy("2", 100, "2026-01-01", "2026-02-01", "RECTIFICATIF"), energy("3", -7, "2026-02-01", "2026-03-01", nature="REGULARISE"))),
        ("2026-03-09", (energy("5", 44, "2026-02-01", "2026-02-02"),)),
    ), lambda made, some: r15(*some, made=made)),
    Flow("R15 annulled", "enedis_r15", (("2026-02-02", (INITIAL,)), ("2026-03-05", (ANNULLED,))), lambda made, some: r15(*some, made=made)),
    Flow("R17", "enedis_r17", (
        ("2026-02-03", (_r17("INITIAL", 900), _r17("INITIAL", 7, "427"))), ("2026-03-03", (_r17("ANNULE", 900),)),
        ("2026-03-04", (_r17("RECTIFICATIF", 850, "428"),)),
    ), _xml("Index_C2_C3_C4", "…")),
    Flow("R17 annulled", "enedis_r17", (("2026-02-03", (_r17("INITIAL", 900),)), ("2026-03-03", (_r17("ANNULE", 900),))), _xml("Index_C2_C3_C4", "…")),
    Flow("R67", "enedis_r67", (
        ("", (_r67(121, "2026-02-02 05:00:00", "I", "E"), _r67(121, "2026-03-02 05:00:00", "A", "E"), _r67(90, "2026-03-02 05:00:00", "R"),
              _r67(33, "2026-03-03 05:00:00", "I", month=2))),
    ), _json("R67", _r67_measure)),
    Flow("R67 annulled", "enedis_r67", (("", (_r67(121, "2026-02-02 05:00:00", "I"), _r67(121, "2026-03-02 05:00:00", "A"))),), _json("R67", _r67_measure)),
    Flow("R50", "enedis_r50", (
        ("2026-02-01", (_pdc("22:30:00", ""), _pdc("23:00:00", "2000"), _pdc("23:30:00", "1001"))),
        ("2026-02-05", (_pdc("22:30:00", "3000"), _pdc("23:00:00", ""), _pdc("23:30:00", "1003"))),
    ), lambda made, some: (
        f"<R50>{HEAD.format(made=made)}<PRM><Id_PRM>{POINT}</Id_PRM><Donnees_Releve><Date_Releve>2026-01-31</Date_Releve>{''.join(some)}"
        "</Donnees_Releve></PRM></R50>")),
    Flow("R63", "enedis_curves", (
        ("BRUT|", (_r63("01:00:00", "400"), _r63("01:30:00", "500"))), ("BRUT|", (_r63("01:00:00", "420"), _r63("02:00:00", ""))),
        ("BRUT|2026-02-01 03:00:00", (_r63("02:00:00", "600"), _r63("01:30:00", "480"))),
        ("BRUT|2026-02-03 03:00:00", (_r63("02:00:00", "610"),)),
    ), _json("R63", lambda stage, found: _points(stage, "W", "PA", found))),
    Flow("R63 completed", "enedis_curves", (
        ("BRUT|2026-02-03 03:00:00", (_r63("01:00:00", "400", "R", "PT10M"), _r63("01:10:00", "500", "R", "PT10M"))),
        ("BEST|2026-02-02 03:00:00", (_r63("01:00:00", "390", "C", "PT10M"),)), ("BEST|", (_r63("01:10:00", "510", "C", "PT10M"),)),
    ), _json("R63", lambda stage, found: _points(stage, "W", "PA", found))),
    Flow("R4x", "enedis_curves", (
        ("Brute|2026-02-01", (_step("00:00:00", "60", "R"), _step("00:10:00", "", "S"))), ("Brute|2026-02-02", (_step("00:10:00", "72", "R"),)),
        ("Corrigee|2026-02-01", (_step("00:00:00", "66", "C"),)),
    ), _r4x),
    Flow("HDM", "enedis_curves", (("", (_history(1000, 2000),)), ("", (_history(1010, 1990),))), lambda _made, some: "".join(some)),
    Flow("R65", "enedis_r65", (
        ("BRUT|", (json.dumps({"v": "21705", "d": "2026-01-10"}), json.dumps({"v": "100", "d": "2026-01-11"}))), ("BRUT|", (json.dumps({"v": "21800", "d": "2026-01-10"}),)),
        ("BEST|2026-02-01 03:00:00", (json.dumps({"v": "99", "d": "2026-01-11"}),)),
    ), _json("R65", lambda stage, found: _points(stage, "Wh", "EA", found))),
    Flow("R66", "enedis_r66", (
        ("BRUT|2026-02-01 03:00:00", (json.dumps({"v": "5125", "d": "2026-01-10 07:18:09"}),)),
        ("BRUT|2026-02-02 03:00:00", (json.dumps({"v": "5130", "d": "2026-01-10 07:18:09"}), json.dumps({"v": "4000", "d": "2026-01-11 19:00:00"}))),
    ), _json("R66", lambda stage, found: _points(stage, "W", "PMA", found))),
    Flow("R151, C15, R15 and R64", "enedis_readings", (
        ("2026-02-11|r151", (_r151("2026-01-20", 99_985_100), _r151("2026-02-09", 99_990_900))), ("2026-03-15|r151", (_r151("2026-03-14", 243_200),)),
        ("2026-02-12|c15", (_around(1, 104, 1), _around(2, 40))),
        ("2026-02-20|r15", (_r15_index("i1", "2026-02-20", 93, "INITIAL"),)), ("2026-02-21|r15", (_r15_index("i1", "2026-02-20", 93, "ANNULE"),)),
        ("2026-02-22|r15", (_r15_index("i2", "2026-02-20", 90, "RECTIFICATIF"),)),
        ("2026-04-02|r64", (json.dumps({"d": "2026-04-01 00:00:00", "v": 300_000, "iv": 0}),)),
    ), lambda said, some: _mixed(said, some)),
    Flow("R171", "enedis_readings", (
        ("2026-01-11", (_dated("2026-01-11", 59_000_000),)), ("2026-01-13", (_dated("2026-01-13", 60_091_000),)), ("2026-01-12", (_dated("2026-01-12", 60_000_500),)),
        ("2026-01-14", (_dated("2026-01-13", 60_092_900),)),
    ), _r171),
    Flow("C15", "enedis_c15", (
        ("2026-01-11", (_mct("2026-01-10", 1, "BTINFCU4", 6), _mct("2026-02-10", 2, "BTINFCU4", 9))), ("2026-02-11", (_mct("2026-02-10", 2, "BTINFMU4", 9),)),
    ), _event),
    Flow("C68", "enedis_c68", (("", (_situation("2024-03-01", "BTINFCU4"), _situation("2025-03-01", "BTINFMU4"))),), _c68),
    Flow("F15", "enedis_f15", (("1|2026-02-01", (_valuation(1, "EVNT", "12.34"), _valuation(2, "CYCL", "1.01"))), ("2|2026-03-01", (_valuation(1, "ANNUL", "-12.34"),))), _f15),
    Flow("F12", "enedis_f15", (("3|2026-02-01", (_lot(1, "CYCL", "32.74"), _lot(2, "CYCL", "5.81"))), ("4|2026-03-01", (_lot(3, "ANNUL", "-32.74"),))), _f12),
    Flow("ADICT", "grdf_gas", (
        ("", (_gas(100, "Provisoire", "2026-01-01", "2026-02-01"), _gas(110, "Définitive", "2026-01-01", "2026-02-01"), _gas(50, "Définitive", "2026-02-01", "2026-03-01"))),
    ), lambda _made, some: "\n".join(some)),
)  # fmt: skip


def _mixed(said: str, some: Sequence[str]) -> str:
    made, _, flow = said.partition("|")
    if flow == "r64":
        return _json("R64", _r64_measure)(f"|{made} 03:00:00", some)
    if flow == "r15":
        return r15(*some, made=made)
    if flow == "c15":
        event = f"<Evenement_Declencheur><Nature_Evenement>CMAT</Nature_Evenement><Releves>{''.join(some)}</Releves></Evenement_Declencheur>"
        return f"<C15>{HEAD.format(made=made)}<PRM><Id_PRM>{POINT}</Id_PRM>{event}</PRM></C15>"
    head = HEAD.format(made=made).replace("<En_Tete_Flux>", "<En_Tete_Flux><Unite_Mesure_Index>Wh</Unite_Mesure_Index>")
    return f"<R151>{head}<PRM><Id_PRM>{POINT}</Id_PRM>{''.join(some)}</PRM></R151>"


R65 = (
    find_template("enedis_r67").text.replace("enedis_r67", "enedis_r65").replace("    - {field: grid, keep: [supplier]}\n", "")
)  # fmt: skip
MORE = """
{kind: unit, code: watt, decimals: 0}
---
{kind: event_type, code: peak, unit: watt}
---
kind: source
code: enedis_r66
format: enedis
records: readings
on_same_key: reverse
mapping:
  identity: [point, at, measure, direction]
  access_point: point
  time: {field: at}
  quantity: {field: value, unit: watt}
  version: version
  event_type: {constant: peak}
---
"""
TEMPLATES = (
    "enedis_differences",
    "enedis_r15",
    "enedis_r17",
    "enedis_r67",
    "enedis_r50",
    "enedis_curves",
    "enedis_c15",
    "enedis_f15",
    "grdf_gas",
)
PLANS = """
{kind: price_plan, code: counted, currency: EUR, versions: [{start: "2020-01-01T00:00:00Z", model: event, price: "1"}]}
---
{kind: price_plan, code: peaks, currency: EUR, versions: [{start: "2020-01-01T00:00:00Z", model: flat, per: 1 watt, price: "0.001"}]}
"""


def write_flows(data: Path, points: Sequence[str]) -> Path:
    """Write the catalog of a data directory that takes all flows of some points; return the directory."""
    write_supplier(data, TEMPLATES)
    sold = data / "catalog" / "sold.yaml"
    text = sold.read_text().replace(
        "event_type: contract_event, price_plan: energy", "event_type: contract_event, price_plan: counted"
    )
    head, _, rest = text.partition("{kind: subscription")
    buyers = "\n---\n".join(
        f'{{kind: subscription, code: s-{point}, account: anna, offer: home, access_points: [{{id: "{point}"}}]}}' for point in points
    )  # fmt: skip
    rest = rest.partition("\n")[2].replace("charges: [", "charges: [peak, ")
    peak = "\n---\n{kind: charge, code: peak, event_type: peak, price_plan: peaks}\n"
    sold.write_text(f"{head}{buyers}\n{rest}---{PLANS}{peak}")
    r65 = "---\n".join(part for part in R65.split("---\n") if "kind: event_type" not in part)
    c15 = find_template("enedis_c15").text.replace("enedis_c15", "enedis_c68")
    c68 = "---\n".join(part for part in c15.split("---\n") if "kind: event_type" not in part)
    (data / "catalog" / "more.yaml").write_text(f"{MORE}{r65}---\n{c68}")
    return data
