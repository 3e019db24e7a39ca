"""Sources are compiled before their catalog takes effect: what only a decoder knows of its format is told then, not at the
first file.
"""

from __future__ import annotations

from pipelines.mediation.context import SECRET_BYTES, DecodeContext
from pipelines.mediation.decode import make_decoder
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.plugins import check_plugins
from schemas.catalog import Catalog


def check_sources(catalog: Catalog) -> None:
    """Check that every source of a catalog can be decoded: its plug-ins are there, its format has the fields that it names.

    Raises:
        UnableToUsePlugin: when a plug-in is not installed in its version, or returns not what it should.
        UnableToCompileSource: with all sources that cannot be compiled, and why.
    """
    check_plugins(catalog.sources)
    told = []
    for code, source in sorted(catalog.sources.items()):
        context = DecodeContext(
            tenant="",
            source=source,
            event_types=catalog.event_types,
            event_type_codes={name: number for number, name in enumerate(catalog.event_types)},
            units=catalog.units,
            attribute_codes={"": 0},
            secret=bytes(SECRET_BYTES),
        )
        try:
            make_decoder(context)
        except UnableToCompileSource as error:
            told.append(f"source {code!r}: {error}")
    if told:
        raise UnableToCompileSource("\n".join(told))
