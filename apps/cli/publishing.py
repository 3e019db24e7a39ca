"""`octroi catalog publish`: what the database says takes effect."""

from __future__ import annotations

from apps.cli.failures import honest, say
from apps.cli.options import AsJson, Data, Tenant, open_settings
from apps.cli.output import count, print_json


@honest
def publish(tenant: Tenant = None, data: Data = None, as_json: AsJson = False) -> None:
    """Write accounts and subscriptions of the database into the catalog, and let a running octroi take it into force.

    Documents that are written by hand say what is sold; both together must be a catalog, else nothing changes.
    """
    settings, _ = open_settings(data)
    from apps.control.places import opened, place_of
    from apps.control.publishing import publish as published

    with opened(settings, tenant) as database:
        found = published(database, place_of(settings, tenant), settings, say)
    told = {"accounts": found.accounts, "subscriptions": found.subscriptions, "image": found.image}
    if as_json:
        print_json(told)
        return
    effect = "takes effect at the first start" if found.image is None else f"in force: image {found.image[:12]}"
    print(f"{count(found.accounts, 'account')}, {count(found.subscriptions, 'subscription')} published; {effect}")
