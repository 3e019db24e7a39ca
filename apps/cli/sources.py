"""`octroi sources list|show|test`: which sources there are, what they do, and what they make of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.failures import PARTIAL, honest, say
from apps.cli.options import AsJson, Data, open_settings, require_catalog, say_when_cold
from apps.cli.output import count, decimal_text, print_json, print_result, print_table, printable
from apps.cli.progress import records_bar
from apps.cli.templates import show_template, show_templates

if TYPE_CHECKING:
    from schemas.catalog import Catalog

sources = typer.Typer(help="Where usage comes from: definitions, and what they make of a file.", no_args_is_help=True)
CHARACTERS_SHOWN = 600
RECORDS_MAX = 1000


def _catalog(data: Path | None) -> Catalog:
    _, directory = open_settings(data)
    require_catalog(directory)
    from billing.catalog.store import load_catalog

    return load_catalog(directory.catalog)


@sources.command("list", epilog="Example: octroi sources list --json")
@honest
def show_list(data: Data = None, as_json: AsJson = False) -> None:
    """List the sources of the catalog that takes effect at the next start."""
    catalog = _catalog(data)
    from apps.embedded.source_words import access_point_of, event_types_of, identity_of

    rows = [
        {
            "code": code,
            "format": source.format,
            "event_types": event_types_of(source),
            "identity": identity_of(source),
            "access_point": access_point_of(source),
            "on_same_key": source.on_same_key,
            "place": catalog.source_places.get(code, ""),
        }
        for code, source in sorted(catalog.sources.items())
    ]
    if as_json:
        print_json(rows)
    elif rows:
        columns = [name.replace("_", " ") for name in rows[0]]
        print_table("", columns, [[_words(value) for value in row.values()] for row in rows])
    else:
        print("the catalog defines no source")


@sources.command(epilog="Example: octroi sources show calls")
@honest
def show(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A source that the catalog defines.", show_default=False)],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show a source's definition, defaults included, and what is done with its records in words."""
    catalog = _catalog(data)
    from apps.embedded.preview import find_source
    from apps.embedded.source_words import definition, describe_source

    source = find_source(catalog, code)
    words, place = describe_source(source, catalog), catalog.source_places.get(code, "")
    if as_json:
        told = [{"what": what, "how": how} for what, how in words]
        print_json({"definition": definition(source), "place": place, "words": told})
        return
    print(printable(f"# {place}"))
    print(_as_yaml(definition(source)))
    width = max(len(what) for what, _ in words)
    for what, how in words:
        print(printable(f"# {what:{width}}  {how}"))


@sources.command(epilog="Example: octroi sources template asterisk > octroi-data/catalog/asterisk.yaml")
@honest
def template(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A ready-made source.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List the ready-made sources, or print one with the event types it needs, ready to be saved and adapted."""
    from billing.catalog.templates import find_template, source_templates

    if name is None:
        show_templates(source_templates(), as_json=as_json)
    else:
        show_template(find_template(name), as_json=as_json)


def _as_yaml(document: dict[str, Any]) -> str:
    """Return a document in YAML; in ASCII when it holds what could command a terminal."""
    import yaml

    def dumped(*, allow_unicode: bool) -> str:
        text: str = yaml.safe_dump(
            document, sort_keys=False, default_flow_style=None, allow_unicode=allow_unicode, width=120
        )
        return text

    text = dumped(allow_unicode=True)
    return text if printable(text, newlines=True) == text else dumped(allow_unicode=False)


@sources.command("test", epilog="Example: octroi sources test calls.csv --source calls --records 3")
@honest
def try_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A usage file.", show_default=False)],
    source: Annotated[str, typer.Option("--source", "-s", help="Source that the catalog defines.")],
    records: Annotated[
        int, typer.Option("--records", "-n", min=0, max=RECORDS_MAX, help="How many of the first records to show.")
    ] = 5,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Try a file on a source and keep nothing: its first records raw, decoded and rated, and a profile of all of it.

    It goes through every stage on the latest snapshot's state, as with `octroi ingest --dry-run`; so does each of the files in
    a tar or zip archive. Exit code 5 when one is refused whole.
    """
    settings, directory = open_settings(data)
    require_catalog(directory)
    from apps.embedded.preview import preview_file

    say_when_cold(quiet=as_json)
    with records_bar("testing", quiet=as_json) as progress:
        told = preview_file(directory, settings, file, source, records=records, say=say, progress=progress).as_dict()
    if as_json:
        print_json(told)
    else:
        _show_test(told)
    if told["quarantined"] or any(item["quarantined"] for item in told["files"]):
        raise typer.Exit(PARTIAL)


@sources.command(epilog="Example: octroi sources gaps --source calls")
@honest
def gaps(
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only of this source.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List which numbers of which streams nobody saw, for sources whose mapping has a `sequence`."""
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    where, parameters = ("1", {}) if source is None else ("source = {source:String}", {"source": source})
    with reach(directory, settings, say) as access:
        found = access.query(
            "SELECT source, stream, missing_from, missing_to, missing, seen_before, seen_after FROM sequence_gap "
            f"WHERE {where} ORDER BY source, stream, missing_from LIMIT {limit}",
            parameters,
        )
    print_result(found, as_json=as_json, title=f"{count(found.num_rows, 'gap')}", empty="no number is missing")


def _show_test(told: dict[str, Any]) -> None:
    profile, refusal = told["profile"], told["quarantined"]
    print(printable(f"{told['file']} as source {told['source']} ({told['format']}); nothing is kept"))
    if refusal:
        print(printable(f"refused whole: {refusal['code']}: {refusal['message']}"))
        return
    for item in told["files"]:
        refused = item["quarantined"]
        what = (
            f"refused whole: {refused['code']}: {refused['message']}" if refused else count(item["records"], "record")
        )
        print(printable(f"in it {item['name']}: {what}"))
    for record in told["records"]:
        print(printable(f"record {record['record']}{' of ' + record['file'] if 'file' in record else ''}"))
        for what, how in _record_words(record):
            print(f"  {what:8} {_shortened(printable(how))}")
    more = profile["records"] - len(told["records"])
    if told["records"] and more:
        print(f"… and {count(more, 'more record')}; --records shows more of them")
    _show_profile(profile)


def _record_words(record: dict[str, Any]) -> list[tuple[str, str]]:
    raw, cdr = record["raw"], record["cdr"]
    fields = ", ".join(f"{name} {value!r}" for name, value in record["fields"].items())
    return [
        ("raw", raw["text"] if "text" in raw else bytes.fromhex(raw["hex"]).hex(" ")),
        *([("decoded", fields)] if fields else []),
        *([("CDR", _cdr_words(cdr))] if cdr else []),
        ("result", _result_words(record)),
    ]


def _cdr_words(cdr: dict[str, Any]) -> str:
    steps = "" if cdr["quantity_steps"] is None else f" ({cdr['quantity_steps']:,} steps)"
    amount = "" if cdr["quantity"] is None else f"{decimal_text(cdr['quantity'])} {cdr['unit']}{steps}"
    attributes = (f"{name} {'-' if value is None else repr(value)}" for name, value in cdr["attributes"].items())
    said = [
        cdr["event_at"],
        f"index {amount}" if amount and cdr["is_reading"] else amount,
        cdr["event_type"],
        f"access point {cdr['access_point']}",
        *attributes,
        *(f"{name} {'-' if value is None else value}" for name, value in cdr.get("values", {}).items()),
        f"key {cdr['identity_key']}",
    ]
    return ", ".join(part for part in said if part)


def _result_words(record: dict[str, Any]) -> str:
    edr, rated = record["edr"], record["rated"]
    why = f": {record['reason']}: {record['detail']}" if record["reason"] else ""
    if edr is None:
        return f"{record['outcome']}{why}"
    whose = (
        f"{decimal_text(edr['quantity'])} {edr['unit']} of subscription {edr['subscription']}, account {edr['account']}"
    )
    if rated is None:
        return f"{record['outcome']}, {whose}; not rated{why}"
    price = f"{decimal_text(rated['amount'])} {rated['currency']}"
    return f"{record['outcome']}, {whose}; {price} by charge {rated['charge']}, price plan {rated['price_plan']}"


def _show_profile(profile: dict[str, Any]) -> None:
    points = profile["access_points"]
    money = ", ".join(f"{decimal_text(amount)} {code}" for code, amount in profile["amounts"].items()) or "nothing"
    told = (
        f"{count(profile['records'], 'record')}, {count(profile['bytes'], 'byte')}, {profile['rated']:,} rated: {money}"
    )
    print(f"\nThe whole file: {told}")
    if profile["first_event_at"]:
        print(f"event times from {profile['first_event_at']} to {profile['last_event_at']}")
    if points["distinct"]:
        bound = "" if points["exact"] else "more than "
        share = f"{points['unknown']:,} unknown ({points['unknown_percent']} %)"
        print(f"{bound}{count(points['distinct'], 'access point')}, {share}")
    outcomes = [[name, number] for name, number in profile["outcomes"].items() if number]
    if outcomes:
        print_table("Outcomes", ["outcome", "records"], outcomes)
    if profile["reasons"]:
        columns = ["reason", "counts as", "records", "first record"]
        print_table("Reasons", columns, [list(row.values()) for row in profile["reasons"]])
    if profile["event_types"]:
        columns = ["event type", "records", "quantity", "EDRs", "quantity of EDRs", "unit"]
        names = ("event_type", "records", "quantity", "edrs", "edr_quantity", "unit")
        print_table("Usage", columns, [[row[name] for name in names] for row in profile["event_types"]])


def _words(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _shortened(text: str) -> str:
    more = len(text) - CHARACTERS_SHOWN
    return text if more <= 0 else f"{text[:CHARACTERS_SHOWN]}… {more:,} more; --json prints all"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(sources, name="sources")
