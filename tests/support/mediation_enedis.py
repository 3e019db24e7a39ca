"""A twin of the decoder of Enedis flows: whole documents, by ElementTree and json, with exact fractions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

Row = dict[str, str]
Xml = ElementTree.Element
PARIS = ZoneInfo("Europe/Paris")
UNKNOWN = {"INCONNU", "DN999999"}
GRIDS = (("distributor", "Classe_Temporelle_Distributeur", "_Distributeur"), ("supplier", "Classe_Temporelle", ""))
SENSE = {"0": "consumption", "1": "production", "CONS": "consumption", "PROD": "production"}
STATUS = {"INITIAL": "I", "RECTIFICATIF": "R", "ANNULE": "A"}


def at(text: str) -> datetime:
    """Return the instant of a text; what has no offset is Paris time."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=PARIS)


def utc(found: datetime) -> str:
    """Return an instant as records write it."""
    return found.astimezone(UTC).isoformat().replace("+00:00", "Z")


def exact(value: Fraction) -> str:
    """Return a fraction of at most six decimals, rounded half to even, as short as can be."""
    scaled = round(value * 10**6)
    sign, digits = "-" if scaled < 0 else "", f"{abs(scaled):07}"
    return f"{sign}{digits[:-6]}.{digits[-6:]}".rstrip("0").rstrip(".")


def wh(text: str, unit: str, coefficient: str = "1") -> str:
    """Return energy in Wh."""
    return exact(Fraction(text) * Fraction(coefficient) * {"Wh": 1, "kWh": 1000}[unit])


def kwh(value: str) -> str:
    """Return energy rounded down to whole kWh, in Wh."""
    return str(Fraction(value) // 1000 * 1000)


def made(text: str, status: str = "I") -> Row:
    """Return when a file was made, and the version that follows from it."""
    if not text:
        return {"version": str("IAR".index(status))}
    since = at(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return {"created_at": utc(at(text)), "version": str(since // timedelta(milliseconds=1) * 10 + "IAR".index(status))}


def text_of(xml: Xml, path: str) -> str:
    """Return the text at a path."""
    return (xml.findtext(path) or "").strip()


def _columns(xml: Xml, **paths: str) -> Row:
    return {name: text_of(xml, path) for name, path in paths.items()}


def _classes(xml: Xml) -> Iterator[tuple[str, str, Xml]]:
    """Yield (grid, calendar, time class) in the order of the file."""
    for found in xml:
        for grid, tag, suffix in GRIDS:
            if found.tag == tag:
                yield grid, f"Id_Calendrier{suffix}", found


def _index(xml: Xml, found: Xml, grid: str, calendar: str) -> Row:
    coefficient = text_of(found, "Coefficient_Lecture") or "1"
    value = wh(text_of(found, "Valeur"), text_of(found, "Unite_Mesure"), coefficient)
    code = text_of(xml, calendar)
    rolled = text_of(found, "Indicateur_Passage_A_Zero") == "1" and text_of(found, "Nb_Chiffres_Cadran")
    return {
        "at": utc(at(text_of(xml, "Date_Releve"))), "grid": grid, "calendar": code, "measure": "EA",
        "direction": SENSE[text_of(found, "Sens_Mesure")], "unit": "Wh", "value": value, "truncated": kwh(value),
        "rolls_over_at": wh(str(10 ** int(rolled)), text_of(found, "Unite_Mesure"), coefficient) if rolled else "",
        "nature": {"REEL": "R", "ESTIME": "E", "AUTO-RELEVE": "S", "": ""}[text_of(xml, "Nature_Index")],
        "doubt": f"the calendar is {code}" if code in UNKNOWN else "",
    } | _columns(found, time_class="Id_Classe_Temporelle", dial="Rang_Cadran", meter="Num_Serie")  # fmt: skip


def r15(root: Xml, kind: str) -> Iterator[Row]:
    """Yield readings or quantities of an R15 file."""
    for prm in root.findall("PRM"):
        for xml in prm.findall("Donnees_Releve"):
            status = STATUS[text_of(xml, "Statut_Releve")]
            common = {"flow": "R15", "status": status} | made(text_of(root, "En_Tete_Flux/Date_Creation"), status)
            common |= _columns(prm, point="Id_PRM")
            common |= _columns(xml, id="Id_Releve", reason="Motif_Releve", situation="Ref_Situation_Contractuelle")
            for grid, calendar, found in _classes(xml):
                measure = text_of(found, "Classe_Mesure")
                if kind == "readings" and measure == "1":
                    yield common | _index(xml, found, grid, calendar)
                if kind == "quantities" and measure != "1":
                    value, code = wh(text_of(found, "Valeur"), text_of(found, "Unite_Mesure")), text_of(xml, calendar)
                    before = text_of(xml, "Date_Releve_Precedent")
                    names = ["consumption", "auto_produced", "allo_produced", "self_consumed", "surplus"]
                    natures = {"REEL": "R", "ESTIME": "E", "REGULARISE": "G", "": ""}
                    yield common | {
                        "start": utc(at(before)) if before else "", "end": utc(at(text_of(xml, "Date_Releve"))),
                        "grid": grid, "calendar": code, "time_class": text_of(found, "Id_Classe_Temporelle"),
                        "measure": names[int(measure) - 2], "direction": SENSE[text_of(found, "Sens_Mesure")],
                        "unit": "Wh", "value": value, "net": "0" if status == "A" else value,
                        "nature": natures[text_of(xml, "Nature_Consommation")],
                        "doubt": f"the calendar is {code}" if code in UNKNOWN else "",
                    } | _columns(xml, previous_id="Id_Releve_Precedent", correction="Motif_Rectif")  # fmt: skip


def c15(root: Xml, kind: str) -> Iterator[Row]:
    """Yield events, or the readings around them, of a C15 file."""
    for prm in root.findall("PRM"):
        for event in prm.findall("Evenement_Declencheur"):
            common = {"flow": "C15"} | made(text_of(root, "En_Tete_Flux/Date_Creation"))
            common |= _columns(prm, point="Id_PRM", situation="Situation_Contractuelle/Ref_Situation_Contractuelle")
            nature = text_of(event, "Nature_Evenement")
            if kind == "readings":
                for xml in event.findall("Releves/Donnees_Releve"):
                    role = {"1": "before", "2": "after"}[text_of(xml, "Code_Qualification")]
                    for grid, calendar, found in _classes(xml):
                        if text_of(found, "Classe_Mesure") == "1":
                            known = {"status": "I", "role": role, "reason": nature}
                            yield common | known | _index(xml, found, grid, calendar)
                continue
            state, tariff = "Situation_Contractuelle/", "Situation_Contractuelle/Structure_Tarifaire/"
            row = common | _columns(
                prm, segment="Segment_Clientele", sequence=f"{state}Num_Sequence", state=f"{state}Etat_Contractuel",
                in_service_on=f"{state}Date_Mise_En_Service", ended_on=f"{state}Date_Resiliation",
                sequence_from=f"{state}Date_Debut_Num_Sequence", tariff=f"{tariff}Formule_Tarifaire_Acheminement",
                power=f"{tariff}Puissance_Souscrite", power_unit=f"{tariff}Unite_Puissance_Souscrite",
                distributor_calendar=f"{tariff}Id_Calendrier_Distributeur", supplier_calendar=f"{tariff}Id_Calendrier",
                off_peak=f"{tariff}Libelle_Plage_Heures_Creuses", meter="Dispositif_De_Comptage/Compteur/Num_Serie",
            ) | _columns(event, category="Type_Evenement", affair="Id_Affaire")  # fmt: skip
            kinds = {"CFNE": "CFN_IN", "CFNS": "CFN_OUT"}
            called = "CANCELLED" if nature == "AUTRE" and row["sequence"] == "0" else kinds.get(nature, nature)
            yield row | {"at": utc(at(text_of(event, "Date_Evenement"))), "kind": called, "nature": nature}


def f15(root: Xml, _: str) -> Iterator[Row]:
    """Yield the lines of an F15 file."""
    terms = {"E": "advance", "U": "arrears", "R": "taken_back", "A": "cancelled", "F": "billed_again"}
    for xml in root.findall("Donnees_Valorisation"):
        lines = [
            (group, line) for group in xml.findall("Groupe_Valorise") for line in group.findall("Element_Valorise")
        ]
        for rank, (group, line) in enumerate(lines, 1):
            element, vat = text_of(line, "Id_EV"), text_of(line, "Taux_TVA_Applicable")
            term = terms.get(element[-1], "") if element[-2:-1] == "-" and len(element) > 2 else ""
            digits = vat.replace(".", "", 1).isdigit()
            code = text_of(line, "Code_Type_TVA_Applicable") or ("" if digits else vat)
            yield {
                "flow": "F15", "rank": str(rank), "group": text_of(group, "Nature_EV"), "element": element,
                "stem": element[:-2] if term else element, "term": term, "vat_rate": vat if digits else "", "vat_code": code,
            } | made(text_of(root, "En_Tete_Flux/Date_Creation")) | _columns(
                root, invoice="Rappel_En_Tete/Num_Facture", invoiced_on="Rappel_En_Tete/Date_Facture",
                currency="Rappel_En_Tete/Devise",
            ) | _columns(
                xml, valuation="Num_Valorisation", kind="Type_Facturation", point="Donnees_PRM/Id_PRM",
                situation="Donnees_PRM/Ref_Situation_Contractuelle", affair="Id_Affaire", correction="Motif_Rectif_Facture",
                origin_invoice="Facture_Origine/Origine_Facture", origin_valuation="Facture_Origine/Origine_Valorisation",
            ) | _columns(
                line, label="Libelle_EV", start="Date_Debut", end="Date_Fin", quantity="Quantite", unit="Unite_Quantite",
                price="Prix_Unitaire", amount="Montant_HT", tariff="Formule_Tarifaire_Acheminement", power="Puissance_Souscrite",
            )  # fmt: skip


def r50(root: Xml, _: str) -> Iterator[Row]:
    """Yield the steps of an R50 file."""
    minutes = int(text_of(root, "En_Tete_Flux/Pas_Publication"))
    for prm in root.findall("PRM"):
        for xml in prm.findall("Donnees_Releve/PDC"):
            end, power, doubt = at(text_of(xml, "H")), text_of(xml, "V"), text_of(xml, "IV")
            yield {
                "flow": "R50", "point": text_of(prm, "Id_PRM"), "start": utc(end - timedelta(minutes=minutes)), "end": utc(end),
                "step_s": str(minutes * 60), "measure": "EA", "direction": "consumption", "power": power,
                "value": exact(Fraction(power) * minutes / 60) if power else "", "unit": "Wh", "quality": doubt,
                "doubt": f"IV is {doubt}" if doubt == "1" else "",
            } | made(text_of(root, "En_Tete_Flux/Date_Creation"))  # fmt: skip


def r151(root: Xml, _: str) -> Iterator[Row]:
    """Yield the indexes of an R151 file."""
    unit = text_of(root, "En_Tete_Flux/Unite_Mesure_Index")
    for prm in root.findall("PRM"):
        for xml in prm.findall("Donnees_Releve"):
            next_day = date.fromisoformat(text_of(xml, "Date_Releve")) + timedelta(days=1)
            for grid, _calendar, found in _classes(xml):
                code = text_of(xml, f"Id_Calendrier_{'Fournisseur' if grid == 'supplier' else 'Distributeur'}")
                value, doubt = text_of(found, "Valeur"), text_of(found, "Indice_Vraisemblance")
                energy = unit == "Wh"
                yield {
                    "flow": "R151", "point": text_of(prm, "Id_PRM"), "at": utc(datetime.combine(next_day, time(), PARIS)),
                    "grid": grid, "calendar": code, "measure": "EA", "direction": "consumption", "unit": unit, "value": value,
                    "truncated": kwh(value) if energy else "", "nature": "R", "status": "I",
                    "doubt": f"the calendar is {code}" if code in UNKNOWN else (doubt and doubt != "0"
                    and f"Indice_Vraisemblance is {doubt}") or "",
                } | _columns(found, time_class="Id_Classe_Temporelle", dial="Rang_Cadran") | made(
                    text_of(root, "En_Tete_Flux/Date_Creation")
                )  # fmt: skip


def json_rows(document: Any, kind: str) -> Iterator[Row]:
    """Yield the readings of an R64 document, or the quantities of R67 ones."""
    grids = {"Distributeur": "distributor", "Fournisseur": "supplier", "D": "distributor", "F": "supplier"}
    for measure in [
        measure for one in (document if isinstance(document, list) else [document]) for measure in one["mesures"]
    ]:
        for context in measure["contexte"]:
            for quantity in context["grandeur"]:
                common = {"point": measure["idPrm"], "direction": SENSE[quantity["grandeurMetier"]], "unit": "Wh"}
                total = quantity.get("cadranTotalisateur")
                calendars = quantity.get("calendrier", []) + ([{"classeTemporelle": [total]}] if total else [])
                for calendar in calendars:
                    code = calendar.get("idCalendrier") or calendar.get("codeCalendrier", "")
                    grid = calendar.get("libelleGrille", "")
                    for found in calendar["classeTemporelle"]:
                        row = common | {
                            "grid": grids.get(grid, grid), "calendar": code, "time_class": found.get("idClasseTemporelle", ""),
                            "doubt": f"the calendar is {code}" if code in UNKNOWN else "",
                        }  # fmt: skip
                        if kind == "readings":
                            yield from _json_readings(row, context, quantity, found)
                        else:
                            yield from (_json_quantity(row, context, item) for item in found["quantite"])


def _json_readings(row: Row, context: Any, quantity: Any, dial: Any) -> Iterator[Row]:
    roles = {"AV": "before", "AP": "after", "AS": "after"}
    for item in dial["valeur"]:
        doubt = "" if item["iv"] in (0, None) else f"iv is {item['iv']}"
        yield row | made("") | {
            "flow": "R64", "at": utc(at(item["d"])), "dial": dial["codeCadran"], "measure": quantity["grandeurPhysique"],
            "value": str(item["v"]), "truncated": str(item["v"] // 1000 * 1000), "nature": "R", "status": "I",
            "role": roles.get(context["typeReleve"], ""), "reason": context.get("motifReleve") or context["typeReleve"],
            "doubt": row["doubt"] or doubt,
        }  # fmt: skip


def _json_quantity(row: Row, context: Any, item: Any) -> Row:
    value = str(item["quantite"])
    return row | made(item["dateCreation"], item["codeStatut"]) | {
        "flow": "R67", "start": utc(at(item["dbtMesure"])), "end": utc(at(item["finMesure"])), "measure": "consumption",
        "value": value, "net": "0" if item["codeStatut"] == "A" else value, "nature": item["codeNature"],
        "status": item["codeStatut"], "reason": context["idMotifReleve"],
    }  # fmt: skip


READERS: dict[str, Callable[[Xml, str], Iterator[Row]]] = {
    "R15": r15, "C15": c15, "F15_Detail_Facturation": f15, "R50": r50, "R151": r151,
}  # fmt: skip


def read_twin(data: bytes, kind: str) -> list[Row]:
    """Return the records of one kind of a whole file, without columns that are empty, and without the line."""
    if data.lstrip()[:1] in (b"{", b"["):
        rows = json_rows(json.loads(data), kind)
    else:
        root = ElementTree.fromstring(data)
        rows = READERS[root.tag](root, kind)
    return [{name: text for name, text in row.items() if text} for row in rows]
