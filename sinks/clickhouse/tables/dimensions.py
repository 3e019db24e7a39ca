"""dim_*: what ids stand for. Ids come from the vocabulary, never change their meaning, and only grow."""

from __future__ import annotations

from sinks.clickhouse.table import DATABASE, NAME, TIMESTAMP, Column, Table, quoted

_ID = Column("id", "UInt32", "dense id, from 0")


def _dimension(name: str, comment: str, *columns: Column) -> Table:
    return Table(f"dim_{name}", comment, (_ID, *columns), order_by="id", partitioned=False)


def _code(comment: str) -> Column:
    return Column("code", "String", comment)


DIM_TENANT = _dimension("tenant", "Tenants.", _code("the tenant's name"))
DIM_ACCOUNT = _dimension(
    "account", "Billing accounts.", _code("the account's code"), Column("currency", NAME, "ISO 4217 code")
)
DIM_SUBSCRIPTION = _dimension(
    "subscription",
    "Subscriptions, as they were when first seen.",
    _code("the subscription's code"),
    Column("account", "UInt32", "id in dim_account"),
    Column("offer", NAME, "the offer's code"),
)
DIM_ACCESS_POINT = _dimension("access_point", "What usage names.", _code("the identifier in usage records"))
DIM_CHARGE_VERSION = _dimension(
    "charge_version",
    "Charges, each priced by one version of its price plan.",
    _code("charge/plan@start#hash"),
    Column("charge", NAME, "the charge's code"),
    Column("price_plan", NAME, "the price plan's code"),
    Column("version_start", TIMESTAMP, "from when the version is in force"),
    Column("model", NAME, "flat or graduated"),
    Column("event_type", NAME, "the event type's code"),
    Column("unit", NAME, "the event type's unit"),
    Column("step_count", "UInt64", "base steps in one unit"),
    Column("currency", NAME, "ISO 4217 code"),
)
DIM_SOURCE = _dimension("source", "Sources of usage.", _code("the source's code"))
DIM_EVENT_TYPE = _dimension(
    "event_type",
    "Event types.",
    _code("the event type's code"),
    Column("unit", NAME, "the unit of its quantities"),
    Column("step_count", "UInt64", "base steps in one unit"),
)
DIM_WALLET = _dimension(
    "wallet",
    "Wallets of accounts.",
    _code("the wallet's code"),
    Column("account", "UInt32", "id in dim_account"),
    Column("prepaid", "UInt8", "1 prepaid, 0 postpaid"),
)
DIM_CURRENCY = _dimension("currency", "Currencies.", _code("ISO 4217 code"))
DIM_IMAGE = _dimension(
    "image",
    "Tariff images.",
    _code("hash of the catalog's content"),
    Column("claim", "UInt32", "the journal entry that activated it first"),
    Column("at", TIMESTAMP, "when that was journaled"),
)

DIMENSIONS: dict[str, Table] = {
    table.name: table
    for table in (
        DIM_TENANT,
        DIM_ACCOUNT,
        DIM_SUBSCRIPTION,
        DIM_ACCESS_POINT,
        DIM_CHARGE_VERSION,
        DIM_SOURCE,
        DIM_EVENT_TYPE,
        DIM_WALLET,
        DIM_CURRENCY,
        DIM_IMAGE,
    )
}
"""Every dimension table by name. `DIMENSIONS[name].schema` is what `Store.write_names` takes."""


def dictionary_name(table: Table) -> str:
    """Return the name of the dictionary over a dimension: `account_names` for dim_account."""
    return f"{DATABASE}.{table.name.removeprefix('dim_')}_names"


def dictionary_ddl(table: Table) -> str:
    """Return the statement that creates the in-memory dictionary through which views read a dimension.

    dictGet costs an array look-up per row and nothing for columns that a query does not use, where a join would always
    build its hash table. LIFETIME(0): reloaded only when `write_names` adds something.
    """
    attributes = ", ".join(
        f"`{column.name}` {'String' if column.type == NAME else column.type}"
        + (" DEFAULT 1" if column.name == "step_count" else "")
        for column in table.columns[1:]
    )
    return (
        f"CREATE DICTIONARY IF NOT EXISTS {dictionary_name(table)} (`id` UInt64, {attributes}) PRIMARY KEY id "
        f"SOURCE(CLICKHOUSE(DB {quoted(DATABASE)} TABLE {quoted(table.name)})) "
        "LAYOUT(FLAT(INITIAL_ARRAY_SIZE 1024 MAX_ARRAY_SIZE 1000000000)) LIFETIME(0)"
    )


def looked_up(dimension: str, attribute: str, id_expression: str) -> str:
    """Return the SQL expression of an attribute of the dimension row that `id_expression` names."""
    return f"dictGet({quoted(f'{DATABASE}.{dimension}_names')}, {quoted(attribute)}, {id_expression})"


def wallet_code(wallet: str) -> str:
    """Return the SQL expression of a wallet's code, where the dimension has it with the unit that it holds."""
    return f"splitByChar('#', {looked_up('wallet', 'code', wallet)})[1]"


def wallet_holds(of: str) -> str:
    """Return the SQL expression of what the wallet of a table's rows holds: its unit, or the currency of the account."""
    named, money = looked_up("wallet", "code", f"{of}.wallet"), looked_up("account", "currency", f"{of}.account")
    return f"if(position({named}, '#') > 0, splitByChar('#', {named})[2], {money})"


_VERSION = looked_up("charge_version", "code", "f.charge_version")
_PRICED_IN = f"extract({_VERSION}, '[*]([A-Z]{{3}})/[A-Z]{{3}}@')"
PRICE_CURRENCY = f"if({_PRICED_IN} = '', {looked_up('charge_version', 'currency', 'f.charge_version')}, {_PRICED_IN})"
"""The SQL expression of the currency of the price of an item: the names of charge versions say which they convert."""
EXCHANGE_RATE = f"extract({_VERSION}, '[*][A-Z]{{3}}/[A-Z]{{3}}@(.+)$')"
