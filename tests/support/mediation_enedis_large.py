"""Twin of the decoder of Enedis for flows of large points, requests and histories: another reader, for comparison."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

from mediation_enedis import PARIS, SENSE, Row, Xml, at, exact, kwh, made, text_of, utc

CLASSES = {"HPE": "HPB", "HCE": "HCB"}
NATURE = dict(zip("RBDEKCHPSTFG", "RRREECCCCCCC", strict=True))


def midnight(text: str) -> str:
    """Return when a day begins in Paris."""
    return utc(datetime.combine(date.fromisoformat(text[:10]), time(), PARIS))


def r171(root: Xml) -> Iterator[Row]:
    """Yield readings."""
    space = "{*}"
    created = root.findtext(f"{space}entete/{space}dateHeureCreation") or ""
    for series in root.iter("serieMesuresDatees"):
        for item in series.iter("mesureDatee"):
            unit, value = text_of(series, "unite"), text_of(item, "valeur")
            yield made(created) | {
                "flow": "R171", "point": text_of(series, "prmId"), "at": utc(at(text_of(item, "dateFin"))),
                "grid": {"D": "distributor", "F": "supplier"}[text_of(series, "typeCalendrier")],
                "time_class": CLASSES.get(text_of(series, "codeClasseTemporelle"), text_of(series, "codeClasseTemporelle")),
                "measure": text_of(series, "grandeurPhysique"), "direction": SENSE[text_of(series, "grandeurMetier")],
                "unit": unit, "value": value, "truncated": kwh(value) if unit == "Wh" else "", "nature": "R", "status": "I",
                "reason": text_of(series, "type"),
            }  # fmt: skip


def r4x(root: Xml) -> Iterator[Row]:
    """Yield intervals."""
    stage = text_of(root, "Entete/Nature_De_Courbe_Demandee")
    version = made(text_of(root, "Entete/Date_Creation"))
    if stage == "Corrigee":
        version["version"] = str(int(version["version"]) + 10**15)
    for curve in root.findall("Corps/Donnees_Courbe"):
        minutes = int(text_of(curve, "Granularite"))
        unit = "Wh" if text_of(curve, "Unite_Mesure") == "kW" else "VArh"
        for item in curve.findall("Donnees_Point_Mesure"):
            start, value = at(item.attrib["Horodatage"]), item.get("Valeur_Point", "")
            yield version | {
                "flow": "R4x", "point": text_of(root, "Corps/Identifiant_PRM"), "start": utc(start),
                "end": utc(start + timedelta(minutes=minutes)), "step_s": str(minutes * 60), "stage": stage, "unit": unit,
                "measure": text_of(curve, "Grandeur_Physique"), "direction": SENSE[text_of(curve, "Grandeur_Metier")],
                "power": exact(Fraction(value) * 1000) if value else "", "nature": NATURE[item.attrib["Statut_Point"]],
                "value": exact(Fraction(value) * 1000 * minutes / 60) if value else "", "quality": item.attrib["Statut_Point"],
            }  # fmt: skip


def f12(root: Xml) -> Iterator[Row]:
    """Yield lines."""
    groups = {"PREST": "02", "FRAIS": "02", "REM": "03", "AUTRE": "03", "CSPE": "04"}
    for part in root.findall("Sous_Lot"):
        for rank, line in enumerate(part.findall("Element_Valorise"), 1):
            priced = next(
                item for item in line if item.tag in ("Acheminement", "Prestations", "Option", "Frais_Divers")
            )
            element = text_of(line, "Id_EV")
            start = text_of(priced, "Date_Debut") or text_of(priced, "Date_Effet")
            product = Fraction(text_of(priced, "Quantite")) * Fraction(text_of(priced, "Prix_Unitaire"))
            odd = abs(product - Fraction(text_of(priced, "Montant_HT"))) > Fraction(15, 1000)
            yield made(text_of(root, "En_Tete_Flux/Date_Creation")) | {
                "flow": "F12", "invoice": text_of(root, "Rappel_En_Tete/Num_Facture"), "rank": str(rank),
                "invoiced_on": text_of(root, "Rappel_En_Tete/Date_Facture"), "currency": "EUR",
                "valuation": text_of(part, "Num_Sous_Lot"), "kind": text_of(part, "Type_Facturation"),
                "point": text_of(part, "Id_PRM"), "tariff": text_of(part, "Tarif_Souscrit"),
                "power": text_of(part, "Puissance_Ponderee"), "correction": text_of(part, "Motif_Rectif"),
                "origin_invoice": text_of(part, "Orig_Facture"), "origin_valuation": text_of(part, "Orig_Sous_Lot"),
                "group": groups.get(text_of(line, "Code_Recapitulatif"), "01"), "summary": text_of(line, "Code_Recapitulatif"),
                "element": element, "stem": element.removesuffix("ECHO"), "term": "advance" if element.endswith("ECHO") else "",
                "label": text_of(line, "Libelle_EV"), "start": start, "end": text_of(priced, "Date_Fin") or start,
                "quantity": text_of(priced, "Quantite"), "unit": text_of(priced, "Unite_Quantite"),
                "price": text_of(priced, "Prix_Unitaire"), "amount": text_of(priced, "Montant_HT"),
                "vat_rate": text_of(line, "Taux_TVA_Applicable"), "affair": text_of(priced, "Num_Dossier"),
                "warning": "odd" if odd else "",
            }  # fmt: skip


def c12(root: Xml) -> Iterator[Row]:
    """Yield events."""
    for prm in root.findall("Contrat/PRM"):
        for change in prm.findall("Type_Evenement"):
            for situation in change.findall("Situation_Contractuelle"):
                path = "Option_Tarifaire_TURPE_Souscrite/"
                powers = [(CLASSES.get(text_of(item, "Libelle"), text_of(item, "Libelle")), int(text_of(item, "Puissance_Souscrite")))
                          for item in situation.findall(f"{path}Classe_Temporelle_TURPE_Souscrite")]  # fmt: skip
                nature = text_of(situation, "Evenement/Nature_Evenement") or "STATE"
                flags = [
                    flag
                    for flag in ("Contractuel", "Comptage", "Reseau", "Administratif")
                    if text_of(change, flag) == "true"
                ]
                yield made(text_of(root, "En_Tete_Flux/Date_Creation")) | {
                    "flow": "C12", "point": text_of(prm, "Identifiant"), "at": midnight(text_of(situation, "Date_Debut")),
                    "kind": nature, "nature": nature, "category": "+".join(flags),
                    "affair": text_of(situation, "Evenement/Numero_Affaire"), "sequence": text_of(situation, "Numero_Sequence"),
                    "in_service_on": text_of(situation, "Synthese_Contractuelle/Date_De_Premiere_Mise_En_Service"),
                    "ended_on": text_of(situation, "Date_Fin"), "sequence_from": text_of(situation, "Date_Debut"),
                    "tariff": text_of(situation, f"{path}Option_Tarifaire_TURPE/Libelle"), "power_unit": "kW",
                    "power": str(max(power for _, power in powers)),
                    "powers": " ".join(f"{name}={power}" for name, power in powers),
                    "profile": text_of(situation, "Profil"), "effective_on": text_of(change, "Date_Evenement"),
                    "meter": text_of(change, "Dispositif_De_Comptage/Compteur/Numero_De_Serie"),
                    "supplier_calendar": text_of(situation, "Structure_Fournisseur_Souscrite/Structure_Fournisseur/Code"),
                }  # fmt: skip


def affairs(root: Xml) -> Iterator[Row]:
    """Yield steps of requests."""
    for affair in root.findall("affaire"):
        general = affair.find("donneesGenerales")
        asked = affair.find("demande/donneesGenerales/objet")
        assert general is not None
        assert asked is not None
        for step in general.findall("jalons/jalon"):
            yield made(text_of(root, "enteteFlux/dateCreation")) | {
                "flow": text_of(root, "enteteFlux/idFlux"), "point": text_of(general, "donneesPoint/id"),
                "at": utc(at(text_of(step, "dateHeure"))), "kind": "MILESTONE", "nature": asked.attrib["code"],
                "category": general.find("statut").attrib["code"], "state": step.find("affaireEtat").attrib["code"],  # type: ignore[union-attr]
                "affair": affair.attrib["id"], "milestone": text_of(step, "num"), "segment": text_of(general, "segment"),
                "effective_on": text_of(step, "affaireDateEffet")[:10],
            }  # fmt: skip


def undated(value: str) -> Row:
    """Return the version of what is not dated: the larger the value, the higher."""
    return {"version": f"{value.lstrip('0')}001" if value.strip("0") else "1"}


def history(text: str, kind: str) -> Iterator[Row]:
    """Yield the records of a history: of the sample with a curve every 10 minutes, or of that with indexes and powers."""
    rows = list(csv.reader(text.splitlines(), delimiter=";"))
    common = {"flow": "HDM", "point": rows[1][0], "direction": "consumption", "nature": "R"}
    if kind == "intervals":
        for stamp, value in rows[3:]:
            start = at(stamp)
            yield common | undated(value) | {
                "measure": "EA", "start": utc(start), "end": utc(start + timedelta(minutes=10)), "step_s": "600",
                "power": value, "value": exact(Fraction(value or 0) / 6) if value else "", "unit": "Wh",
            }  # fmt: skip
        return
    header, end = rows[2], next(n for n, row in enumerate(rows) if row[0] == "Periode")
    for row in rows[3:end]:
        day = row[0][:10]
        for name, value in zip(header[2:], row[2:], strict=True):
            if value:
                code = {"F": "FC000165", "D": "DI000001", "T": ""}[name[4]]
                time_class = "BASE" if name[4:] in ("F1", "D1") else ""
                if code and day < "2021-01-08":
                    code, time_class = "INCONNU", ""
                yield common | undated(value) | {
                    "measure": "EA", "at": midnight(day), "grid": {"F": "supplier", "D": "distributor", "T": ""}[name[4]],
                    "calendar": code, "time_class": time_class, "dial": name[4:], "unit": "Wh", "value": value,
                    "truncated": kwh(value), "status": "I", "reason": row[1],
                    "doubt": "the calendar is INCONNU" if code == "INCONNU" else "",
                }  # fmt: skip
    for stamp, value in rows[end + 6 :]:
        if value:
            yield (
                common
                | undated(value)
                | {"measure": "PMA", "at": utc(at(stamp)), "unit": "W", "value": value, "status": "I"}
            )


READERS: dict[str, Callable[[Xml], Iterator[Row]]] = {
    "R171": r171, "Courbe": r4x, "Detail_Facturation": f12, "C12": c12, "affaires": affairs,
}  # fmt: skip


def read_large(data: bytes, kind: str) -> list[Row]:
    """Return the records of one kind of a whole file, without columns that are empty, and without the line."""
    if not data.lstrip().startswith(b"<"):
        rows: Any = history(data.decode("utf-8-sig"), kind)
    else:
        root = ElementTree.fromstring(data)
        rows = READERS[root.tag.rpartition("}")[2]](root)
    return [{name: text for name, text in row.items() if text} for row in rows]
