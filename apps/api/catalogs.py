"""Routes of the catalog: what is in force, by kind, and what is wrong with documents before anybody puts them there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import nsmallest
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from apps.api.problems import Problem
from apps.api.resources import Ask, Reply, Route, missing, page
from apps.api.views import View
from apps.control.places import place_of
from apps.control.validating import FILES_MAX, NAME_MAX, Trial, UnableToValidate, validate
from billing.catalog.models import Fault
from schemas.catalog import Catalog
from schemas.document import Document

_ATTRIBUTES = {
    "billing_cycle": "billing_cycles",
    "calendar": "calendars",
    "charge": "charges",
    "charging_service": "charging_services",
    "contract": "contracts",
    "counter": "counters",
    "date_list": "date_lists",
    "discount_plan": "discount_plans",
    "event_type": "event_types",
    "invoice_wording": "invoice_wordings",
    "minimum_charge": "minimum_charges",
    "offer": "offers",
    "one_shot_charge": "one_shot_charges",
    "price_plan": "price_plans",
    "product_charge": "product_charges",
    "purchase": "purchases",
    "recurring_charge": "recurring_charges",
    "seller": "sellers",
    "source": "sources",
    "tax": "taxes",
    "tax_category": "tax_categories",
    "tax_class": "tax_classes",
    "tax_mapping": "tax_mappings",
}
"""What of a catalog in force are documents of each kind; tables, and whom something is sold to, are rows."""
_Name = Annotated[str, Field(min_length=5, max_length=NAME_MAX)]


class Drafts(BaseModel):
    """Files of a catalog to be tried: their text by name, such as `prices.yaml` or `tables/prices.csv`.

    They take the place of those with the same names in the catalog directory, and all others of it are there, too; `alone`:
    they are the whole catalog.
    """

    model_config = ConfigDict(extra="forbid")

    files: Annotated[dict[_Name, str], Field(min_length=1, max_length=FILES_MAX)]
    alone: Annotated[bool, Field(strict=True)] = False


class Finding(View):
    """Something to correct. `code` is for programs and stays; message and fix are for people."""

    code: Fault
    file: str
    line: int = Field(description="from 1; 0 when the file itself is meant")
    field: str = Field(description="path of the value, such as versions.0.price, or a column; empty for all of it")
    message: str
    fix: str


class Validated(View):
    """Whether a catalog would load, the hash that it would have, and everything that is wrong with it."""

    valid: bool
    content_hash: str | None
    findings: list[Finding]


class DocumentRow(View):
    """A document of the catalog in force."""

    kind: str
    code: str


class DocumentView(DocumentRow):
    """A document of the catalog in force as it was loaded, defaults included; of a price plan what is no draft."""

    image: str = Field(description="hash of the catalog")
    document: dict[str, Any]


def _validate(ask: Ask) -> Reply:
    said = ask.read(Drafts)
    directory = place_of(ask.settings).directory
    try:
        found = validate(Trial(said.files, None if said.alone else directory.catalog, directory.root))
    except UnableToValidate as error:
        raise Problem("refused", str(error)) from error
    except OSError as error:
        told = "the catalog directory was changed meanwhile, or there is no room"
        raise Problem("unavailable", told, headers={"Retry-After": "5"}) from error
    return Reply({"valid": not found.findings, "content_hash": found.content_hash, "findings": found.findings})


def _catalog(ask: Ask) -> Catalog | None:
    active = ask.engine().active
    return None if active is None else active.catalog


def _documents(catalog: Catalog, kind: str) -> Mapping[str, Document]:
    found: Mapping[str, Document] = getattr(catalog, _ATTRIBUTES[kind])
    return found


def _list(ask: Ask) -> Reply:
    kind = ask.query.get("kind")
    if kind is not None and kind not in _ATTRIBUTES:
        raise Problem("bad-request", f"kind is one of {', '.join(_ATTRIBUTES)}")
    catalog = _catalog(ask)
    kinds = [] if catalog is None else sorted(_ATTRIBUTES) if kind is None else [kind]
    after_kind, _, after_code = ask.after.partition("/")
    rows: list[dict[str, str]] = []
    for one in kinds:
        if one < after_kind or len(rows) > ask.limit:
            continue
        assert catalog is not None
        more = _behind(_documents(catalog, one), after_code if one == after_kind else "")
        rows += [{"kind": one, "code": code} for code in nsmallest(ask.limit + 1 - len(rows), more)]
    told = page(
        ask, [{**row, "place": f"{row['kind']}/{row['code']}"} for row in rows], "/v1/catalog/documents", "place"
    )
    for row in told.body["data"]:
        del row["place"]
    return told


def _behind(documents: Mapping[str, Document], code: str) -> Iterator[str]:
    return (one for one in documents if one > code)


def _read(ask: Ask) -> Reply:
    kind, code, catalog = ask.path["kind"], ask.path["code"], _catalog(ask)
    found = None if catalog is None or kind not in _ATTRIBUTES else _documents(catalog, kind).get(code)
    if found is None or catalog is None:
        raise missing()
    document = found.model_dump(mode="json", exclude_none=True)
    return Reply({"kind": kind, "code": code, "image": catalog.content_hash, "document": document})


ROUTES = [
    Route(
        "POST", "/v1/catalog/validate", "catalog:validate", "Say what is wrong with catalog documents; nothing is kept",
        _validate, Validated, body=Drafts, whole=True, reads=True, slow=True,
    ),
    Route(
        "GET", "/v1/catalog/documents", "catalog:list", "List documents of the catalog in force, by kind and code", _list,
        DocumentRow, is_list=True, has_pages=True, whole=True, engine=True, query={"kind": "only of this kind, such as offer"},
    ),
    Route(
        "GET", "/v1/catalog/documents/{kind}/{code}", "catalog:read", "Show a document of the catalog in force", _read,
        DocumentView, whole=True, engine=True,
    ),
]  # fmt: skip
