"""Who may do what, said slowly: the union of what roles grant, cut by what a key is limited to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from billing.access.permissions import PERMISSIONS


def grants(grant: str, action: str) -> bool:
    """Whether a grant stands for an action."""
    if grant == "*":
        return True
    wanted, _, deed = grant.partition(":")
    entity, _, done = action.partition(":")
    return wanted in ("*", entity) and deed in ("*", done) and done in PERMISSIONS[entity]


def is_permitted(
    roles: Sequence[str],
    known: Mapping[str, Sequence[str]],
    within: frozenset[tuple[str, str]] | None,
    action: str,
    chain: Sequence[tuple[str, str]],
) -> bool:
    """Whether a key with roles and limits may do something to the first of a chain, each part of the next."""
    if not any(grants(grant, action) for role in roles for grant in known.get(role, ())):
        return False
    return within is None or any(one in within for one in chain)
