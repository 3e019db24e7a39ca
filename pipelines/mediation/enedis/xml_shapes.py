"""How XML flows are made, as far as records are read of them: what is otherwise is odd, and refuses nothing.

Written from the public guides: what each element holds (`?` may lack, `+` at least once, `*` any number), and forms of texts.
`…` says that an element holds more than is named here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pipelines.mediation.enedis.xml_elements import Element

_CLASS_R15 = (
    "Id_Classe_Temporelle Libelle_Classe_Temporelle? Rang_Cadran? Classe_Mesure Unite_Mesure Sens_Mesure Valeur …"
)
_CLASS_R151 = "Id_Classe_Temporelle Libelle_Classe_Temporelle? Rang_Cadran Valeur Indice_Vraisemblance?"
_PRICED = "Quantite Unite_Quantite Prix_Unitaire Montant_HT …"
_TYPE_R17 = "Type_Mesure Unite_Mesure Index_Par_Classe_Temporelle* Conso_Par_Classe_Temporelle+"
SHAPES: dict[str, dict[str, str]] = {
    "R15": {
        "PRM": "Id_PRM Type_Injection? Donnees_Releve+",
        "Donnees_Releve": "Id_Releve Date_Releve Statut_Releve Motif_Releve Classe_Temporelle+ …",
        "Classe_Temporelle": _CLASS_R15,
        "Classe_Temporelle_Distributeur": _CLASS_R15,
    },
    "R151": {
        "PRM": "Id_PRM Donnees_Releve+",
        "Donnees_Releve": "Date_Releve Id_Calendrier_Fournisseur? Libelle_Calendrier_Fournisseur? Id_Calendrier_Distributeur? "
        "Libelle_Calendrier_Distributeur? Id_Affaire? Classe_Temporelle_Distributeur* Classe_Temporelle* Puissance_Maximale?",
        "Classe_Temporelle": _CLASS_R151,
        "Classe_Temporelle_Distributeur": _CLASS_R151,
        "Puissance_Maximale": "Valeur",
    },
    "R50": {
        "PRM": "Id_PRM Donnees_Releve+",
        "Donnees_Releve": "Date_Releve Id_Affaire? PDC*",
        "PDC": "H V? IV?",
    },
    "R171": {
        "serieMesuresDatees": "prmId type grandeurMetier grandeurPhysique typeCalendrier codeClasseTemporelle "
        "libelleClasseTemporelle unite mesuresDateesListe",
        "mesuresDateesListe": "mesureDatee+",
        "mesureDatee": "dateFin valeur",
    },
    "Courbe": {
        "Corps": "Identifiant_PRM Donnees_Courbe+",
        "Donnees_Courbe": "Horodatage_Debut Horodatage_Fin Granularite Unite_Mesure Grandeur_Metier Grandeur_Physique "
        "Donnees_Point_Mesure+",
    },
    "Index_C2_C3_C4": {
        "Corps_PRM": "Id_PRM Num_Sous_Lot Date_Sous_Lot Segment Donnees_Releve+ …",
        "Donnees_Releve": "Id_PRM Statut_Mesure Nature_Mesure Motif_Releve_Nouveau Date_Debut_Mesure Date_Fin_Mesure "
        "Donnees_Par_Type_Mesure+ …",
        "Donnees_Par_Type_Mesure": _TYPE_R17,
        "Donnees_Par_Type_Mesure_Fournisseur": _TYPE_R17,
        "Conso_Par_Classe_Temporelle": "Classe_Temporelle Correspondance_Index? Quantite_Mesure",
    },
    "Detail_Facturation": {
        "Sous_Lot": "Num_Sous_Lot Type_Facturation Date_Sous_Lot Element_Valorise+ Sous_Total …",
        "Element_Valorise": "Id_EV Libelle_EV Code_Debit_Credit Taux_TVA_Applicable Code_Recapitulatif …",
        "Acheminement": f"Date_Debut {_PRICED}",
        "Prestations": f"Date_Effet Num_Dossier {_PRICED}",
        "Option": f"Date_Debut {_PRICED}",
        "Frais_Divers": f"Date_Debut {_PRICED}",
    },
    "C15": {
        "PRM": "Id_PRM Segment_Clientele Evenement_Declencheur+ …",
        "Evenement_Declencheur": "Type_Evenement Date_Evenement Nature_Evenement …",
    },
    "C12": {
        "PRM": "Identifiant Type_Evenement+ …",
        "Type_Evenement": "Date_Evenement Situation_Contractuelle+ …",
        "Situation_Contractuelle": "Date_Debut Option_Tarifaire_TURPE_Souscrite Profil …",
    },
    "F15_Detail_Facturation": {
        "Donnees_Valorisation": "Num_Valorisation Type_Facturation Groupe_Valorise+ …",
        "Groupe_Valorise": "Nature_EV Element_Valorise+ …",
        "Element_Valorise": "Id_EV Libelle_EV Date_Debut Date_Fin Montant_HT …",
    },
}
_PRM = r"\d{14}"
_DAY = r"\d{4}-\d\d-\d\d([Z+-].*)?"
_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d+)?(Z|[+-]\d\d:\d\d)?"
FORMS = {
    name: re.compile(form, re.ASCII)
    for form, names in {
        _PRM: ("Id_PRM", "prmId", "Identifiant_PRM"),
        _DAY: ("Date_Debut", "Date_Fin", "Date_Debut_Mesure", "Date_Fin_Mesure", "Date_Sous_Lot"),
        _INSTANT: ("H", "dateFin", "Horodatage_Debut", "Horodatage_Fin"),
        rf"{_DAY}|{_INSTANT}": ("Date_Releve", "Date_Evenement"),
        r"-?\d+": ("V", "valeur", "Quantite_Mesure"),
        r"[01]": ("IV", "Indice_Vraisemblance"),
        r"-?\d+([.]\d+)?": ("Valeur", "Quantite", "Prix_Unitaire", "Montant_HT"),
    }.items()
    for name in names
}
"""Forms of texts; of what is empty nothing is asked."""


def odd_of(root: str, holder: Element) -> Iterator[tuple[int, str]]:
    """Yield (line, what is odd) of a holder of records and of everything in it. No text of a customer is told."""
    shape = SHAPES.get(root, {})
    around = [holder]
    while around:
        element = around.pop()
        if element.name in shape and element.inside:
            yield from _odd_inside(element, shape[element.name].split())
        elif element.name in shape:
            yield element.line, f"{element.name} holds nothing"
        form = FORMS.get(element.name)
        if form is not None and element.text and form.fullmatch(element.text) is None:
            yield element.line, f"{element.name} is {element.text[:40]!r}"
        around += reversed(element.inside)


def _odd_inside(element: Element, wanted: list[str]) -> Iterator[tuple[int, str]]:
    found = Counter(item.name for item in element.inside)
    for term in wanted:
        name = term.rstrip("?+*")
        count = found.pop(name, 0)
        if not count and term[-1] not in "?*…":
            yield element.line, f"{element.name} has no {name}"
        elif count > 1 and term[-1] not in "+*":
            yield element.line, f"{element.name} has {name} {count} times"
    if "…" not in wanted:
        for name in found:
            yield element.line, f"{element.name} holds {name[:40]}, which is not known there"
