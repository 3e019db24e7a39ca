"""Taking the catalog directory into force, with all that waits for it."""

from __future__ import annotations

from functools import partial
from typing import Any

from apps.embedded.engine import Engine
from apps.embedded.images import archive_catalog, former_catalog, former_sources, prepare_activation
from apps.embedded.measures import check_measures
from apps.embedded.renew_sessions import renew_sessions
from billing.catalog.store import is_copy, load_catalog


def told(engine: Engine) -> dict[str, Any]:
    """Return the image that is in force, and the latest entry, once directories of new sources are there."""
    engine.directory.spool.prepare(engine.sources)
    return {"image": engine.state.image, "entry": engine.state.claim - 1}


def take_catalog(engine: Engine) -> None:
    """Activate the catalog directory when it differs from the active image, and let sessions that wait be read under it.

    The second may be left from a start that was killed between both. Nothing else is done meanwhile:
    `apps.embedded.preparing` does it beside whatever goes on.

    Raises:
        billing.catalog.store.UnableToLoadCatalog, UnableToCompileImage: when it is invalid; nothing changed.
        UnableToActivate: when it measures something otherwise than before; nothing changed.
    """
    directory, state, active = engine.directory, engine.state, engine.active
    if not (state.image and is_copy(directory.catalog, directory.images / state.image)):
        catalog = load_catalog(directory.catalog)
        if catalog.content_hash != state.image:
            engine.flush()  # the store knows what the catalogs before measured
            former = partial(former_catalog, directory, state.vocabulary)
            sources = partial(former_sources, directory, state.vocabulary)
            check_measures(catalog, active.catalog if active else None, engine.store, former, sources)
            archive_catalog(directory, catalog)
            points = active.catalog.access_points if active else None
            engine.put_into_force(prepare_activation(catalog, state.vocabulary, points))
    renew_sessions(engine)
