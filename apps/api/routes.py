"""All routes of what a tenant keeps."""

from __future__ import annotations

from apps.api import access, accounts, catalogs, rejections, sources, store, subscriptions, users

ROUTES = [
    *accounts.ROUTES,
    *subscriptions.ROUTES,
    *access.ROUTES,
    *users.ROUTES,
    *store.ROUTES,
    *sources.ROUTES,
    *rejections.ROUTES,
    *catalogs.ROUTES,
]
