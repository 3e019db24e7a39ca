"""The XML flows of large points (C2 to C4) as records: R17, R171, F12 and C12.

Only what is named here is read of a point: no name, telephone number or address of a customer comes any further.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.xml_elements import Element
from pipelines.mediation.enedis.xml_head import Head

ENERGY = {"EA": "consumption", "EAAUTO": "auto_produced", "EAALLO": "allo_produced"}
GRIDS = {"Donnees_Par_Type_Mesure": "distributor", "Donnees_Par_Type_Mesure_Fournisseur": "supplier"}
LETTER = {"D": "distributor", "F": "supplier"}
PHASES = ("1", "2", "3")
ENDS = (("Precedent", "start"), ("Nouveau", "end"))
CHOICES = ("Acheminement", "Prestations", "Option", "Frais_Divers")
GROUPS = {"PREST": "02", "FRAIS": "02", "REM": "03", "AUTRE": "03", "CSPE": "04"}
NETWORK = "01"
FLAGS = ("Contractuel", "Comptage", "Reseau", "Administratif")
EVENT = {"CFNE": "CFN_IN", "CFNS": "CFN_OUT"}
STATE = "STATE"


def r17_quantities(head: Head, body: Element) -> Iterator[Row]:
    """Yield what was measured in a period: energies, overruns, largest powers. It was read when its days began."""
    for reading in body.all("Donnees_Releve"):
        known = _r17(head, body, reading)
        status = known["status"]
        for data in reading.all(*GRIDS):
            kind, unit = data.said("Type_Mesure"), data.said("Unite_Mesure")
            for found in data.all("Conso_Par_Classe_Temporelle"):
                said = found.said("Quantite_Mesure")
                value, read = words.energy(said, unit) if kind in ENERGY else words.scaled(said, unit)
                yield (
                    known
                    | head.common("R17", found, status)
                    | {
                        "start": words.day_start(reading.said("Date_Debut_Mesure")),
                        "end": words.day_start(reading.said("Date_Fin_Mesure")),
                        "grid": GRIDS[data.name],
                        "calendar": _structure(reading, data),
                        "time_class": words.time_class(found.said("Classe_Temporelle")),
                        "measure": ENERGY.get(kind, kind),
                        "unit": read,
                        "value": value,
                        "net": "0" if status == "A" else value,
                        "nature": words.NATURE.get(said := reading.said("Nature_Mesure"), said),
                        "reason": reading.said("Motif_Releve_Nouveau"),
                        "correction": reading.said("Motif_Rectif"),
                    }
                )


def r17_readings(head: Head, body: Element) -> Iterator[Row]:
    """Yield the indexes at both ends of a period; of meters of three phases, those of each."""
    for reading in body.all("Donnees_Releve"):
        known = _r17(head, body, reading)
        for data in reading.all(*GRIDS):
            for found in data.all("Index_Par_Classe_Temporelle"):
                for ending, end in ENDS:
                    for dial, said in _indexes(found, ending):
                        value, read = words.scaled(said, data.said("Unite_Mesure"))
                        day = reading.said("Date_Debut_Mesure" if end == "start" else "Date_Fin_Mesure")
                        nature = reading.said("Nature_Index_Precedents" if end == "start" else "Nature_Index_Nouveaux")
                        yield (
                            known
                            | head.common("R17", found, known["status"])
                            | {
                                "at": words.day_start(day),
                                "grid": GRIDS[data.name],
                                "calendar": _structure(reading, data),
                                "time_class": words.time_class(found.said("Classe_Temporelle")),
                                "dial": dial,
                                "measure": data.said("Type_Mesure"),
                                "unit": read,
                                "value": value,
                                "truncated": words.truncated(value, read),
                                "nature": words.NATURE.get(nature, nature),
                                "reason": reading.said(
                                    "Motif_Releve_Precedent" if end == "start" else "Motif_Releve_Nouveau"
                                ),
                            }
                        )


def _r17(head: Head, body: Element, reading: Element) -> Row:
    status = reading.said("Statut_Mesure")
    return {
        "id": body.said("Num_Sous_Lot"),
        "point": reading.said("Id_PRM") or body.said("Id_PRM"),
        "status": words.STATUS.get(status, status),
        "direction": "consumption",
    }


def _structure(reading: Element, data: Element) -> str:
    return reading.said("Tarif_Souscrit" if GRIDS[data.name] == "distributor" else "Code_Structure_Fournisseur")


def _indexes(found: Element, ending: str) -> Iterator[tuple[str, str]]:
    """Yield (dial, index): "" for the only one."""
    if said := found.said("Index", f"Index_{ending}"):
        yield "", said
    for phase in PHASES:
        if said := found.said("Index_Phase", f"Index_Phase_{phase}_{ending}"):
            yield phase, said


def r171_readings(head: Head, series: Element) -> Iterator[Row]:
    """Yield the indexes of one register; instants are of Paris."""
    created = head.said("entete", "dateHeureCreation")
    unit, letter, sense = series.said("unite"), series.said("typeCalendrier"), series.said("grandeurMetier")
    for held in series.all("mesuresDateesListe"):
        for found in held.all("mesureDatee"):
            value, read = words.scaled(found.said("valeur"), unit)
            yield {
                "flow": "R171",
                "created_at": words.instant(created),
                "version": words.version(created),
                "line": str(found.line),
                "point": series.said("prmId"),
                "at": words.instant(found.said("dateFin")),
                "grid": LETTER.get(letter, letter),
                "time_class": words.time_class(series.said("codeClasseTemporelle")),
                "measure": series.said("grandeurPhysique"),
                "direction": words.DIRECTION.get(sense, sense),
                "unit": read,
                "value": value,
                "truncated": words.truncated(value, read),
                "nature": "R",
                "status": "I",
                "reason": series.said("type"),
            }


def f12_lines(head: Head, part: Element) -> Iterator[Row]:
    """Yield the lines of one part of an invoice. The sign is in price and amount; `Code_Debit_Credit` only repeats it."""
    invoice = {
        "invoice": head.said("Rappel_En_Tete", "Num_Facture"),
        "invoiced_on": head.said("Rappel_En_Tete", "Date_Facture"),
        "currency": head.said("Rappel_En_Tete", "Devise") or "EUR",
        "valuation": part.said("Num_Sous_Lot"),
        "kind": part.said("Type_Facturation"),
        "point": part.said("Id_PRM"),
        "tariff": part.said("Tarif_Souscrit"),
        "power": part.said("Puissance_Ponderee"),
        "correction": part.said("Motif_Rectif"),
        "origin_invoice": part.said("Orig_Facture") or part.said("Donnees_Rectif", "Facture_Originale"),
        "origin_valuation": part.said("Orig_Sous_Lot"),
    }
    for rank, found in enumerate(part.all("Element_Valorise"), 1):
        element, summary = found.said("Id_EV"), found.said("Code_Recapitulatif")
        priced = next(found.all(*CHOICES), Element("", found.line))
        start = priced.said("Date_Debut") or priced.said("Date_Effet")
        quantity, price, amount = priced.said("Quantite"), priced.said("Prix_Unitaire"), priced.said("Montant_HT")
        advance = len(element) > 4 and element.endswith("ECHO")
        yield (
            head.common("F12", found)
            | invoice
            | {
                "rank": str(rank),
                "group": GROUPS.get(summary, NETWORK),
                "summary": summary,
                "element": element,
                "stem": element[:-4] if advance else element,
                "term": "advance" if advance else "",
                "label": words.mended(found.said("Libelle_EV")),
                "start": start,
                "end": priced.said("Date_Fin") or start,
                "quantity": quantity,
                "unit": priced.said("Unite_Quantite"),
                "price": price,
                "amount": amount,
                "vat_rate": found.said("Taux_TVA_Applicable"),
                "affair": priced.said("Num_Dossier"),
                "warning": words.product(quantity, price, amount),
            }
        )


def c12_events(head: Head, prm: Element) -> Iterator[Row]:
    """Yield what happened to a contract, or how it stands: one for each nature of each situation."""
    for change in prm.all("Type_Evenement"):
        category = "+".join(flag for flag in FLAGS if change.said(flag) in ("true", "1"))
        meter = change.said("Dispositif_De_Comptage", "Compteur", "Numero_De_Serie")
        for situation in change.all("Situation_Contractuelle"):
            event = situation.first("Evenement") or Element("", situation.line)
            natures = [found.text for found in event.all("Nature_Evenement")] or [STATE]
            powers = _powers(situation.first("Option_Tarifaire_TURPE_Souscrite"))
            for nature in natures:
                yield head.common("C12", situation) | {
                    "point": prm.said("Identifiant"),
                    "at": words.day_start(situation.said("Date_Debut")),
                    "kind": EVENT.get(nature, nature),
                    "nature": nature,
                    "category": category,
                    "affair": event.said("Numero_Affaire"),
                    "sequence": situation.said("Numero_Sequence"),
                    "in_service_on": situation.said("Synthese_Contractuelle", "Date_De_Premiere_Mise_En_Service"),
                    "ended_on": situation.said("Date_Fin"),
                    "sequence_from": situation.said("Date_Debut"),
                    "tariff": situation.said("Option_Tarifaire_TURPE_Souscrite", "Option_Tarifaire_TURPE", "Libelle"),
                    "power": largest(powers),
                    "power_unit": "kW" if powers else "",
                    "powers": " ".join(f"{name}={power}" for name, power in powers),
                    "supplier_calendar": situation.said(
                        "Structure_Fournisseur_Souscrite", "Structure_Fournisseur", "Code"
                    ),
                    "profile": situation.said("Profil"),
                    "effective_on": change.said("Date_Evenement"),
                    "meter": meter,
                }


def _powers(option: Element | None) -> list[tuple[str, str]]:
    found = () if option is None else option.all("Classe_Temporelle_TURPE_Souscrite")
    return [(words.time_class(item.said("Libelle")), item.said("Puissance_Souscrite")) for item in found]


def largest(powers: list[tuple[str, str]]) -> str:
    """Return the largest of the powers of time classes, "" without any."""
    return max((power for _, power in powers), key=lambda power: words.number(power) or -1, default="")
