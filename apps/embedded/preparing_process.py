"""`python -m apps.embedded.preparing_process`: loads, checks and compiles a catalog, for `apps.embedded.preparing`."""

from __future__ import annotations

from typing import IO

from apps.jit import prepare_cache

prepare_cache()

from apps.embedded.beside import end_with, serve  # noqa: E402
from apps.embedded.images import PreparedActivation, prepare_activation  # noqa: E402
from apps.embedded.layout import DataDirectory  # noqa: E402
from apps.embedded.preparing_words import Wanted, read_wanted, write_prepared  # noqa: E402
from apps.embedded.release import RELEASE, OtherRelease  # noqa: E402
from apps.embedded.source_check import check_sources  # noqa: E402
from billing.catalog.store import load_catalog  # noqa: E402
from rating.vocabulary import Vocabulary  # noqa: E402


def prepared(wanted: Wanted, words: Vocabulary) -> PreparedActivation | None:
    """Load, check and compile the catalog of a data directory; None when it is the one in force.

    Raises:
        OtherRelease: when octroi was replaced since whoever asks began.
        UnableToLoadCatalog, UnableToCompileSource, UnableToUsePlugin, UnableToCompileImage: when it
            cannot take effect.
    """
    if wanted.release != RELEASE:
        raise OtherRelease("octroi was replaced while it runs; start it again, which takes the catalog into force")
    directory = DataDirectory(wanted.root)
    catalog = load_catalog(directory.catalog)
    if catalog.content_hash == wanted.known:
        return None
    check_sources(catalog)
    return prepare_activation(catalog, words, wanted.points)


def main(asked: IO[bytes], answer: IO[bytes]) -> None:
    """Answer what is asked on one stream on the other one."""
    wanted, words = read_wanted(asked)
    end_with(asked)
    made: PreparedActivation | Exception | None
    try:
        made = prepared(wanted, words)
    except Exception as error:
        made = error
    write_prepared(answer, made)


if __name__ == "__main__":
    serve(main)
