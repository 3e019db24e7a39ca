"""Taking the catalog directory into force, with all that waits for it."""

from __future__ import annotations

from apps.embedded.engine import Engine
from apps.embedded.renew_sessions import renew_sessions


def take_catalog(engine: Engine) -> None:
    """Activate the catalog directory when it differs from the active image, and let sessions that wait be read under it.

    The second may be left from a start that was killed between both.

    Raises:
        billing.catalog.store.UnableToLoadCatalog: when it is invalid; nothing changed.
    """
    engine.take_catalog()
    renew_sessions(engine)
