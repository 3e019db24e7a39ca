"""`python -m apps.control.publishing_process`: publishes what a database says, for an engine that goes on meanwhile."""

from __future__ import annotations

from typing import IO

from apps.jit import prepare_cache

prepare_cache()

from apps.control.places import opened, place_of  # noqa: E402
from apps.control.publishing import Publication, publish  # noqa: E402
from apps.embedded.beside import end_with, serve  # noqa: E402
from apps.embedded.packing import read_piece, write_piece  # noqa: E402


def main(asked: IO[bytes], answer: IO[bytes]) -> None:
    """Publish with the settings that are asked with; answer what was published, or why nothing was."""
    settings = read_piece(asked)
    end_with(asked)
    done: Publication | Exception
    try:
        with opened(settings) as database:
            done = publish(database, place_of(settings), settings, lambda _: None)
    except Exception as error:
        done = error
    write_piece(answer, done)


if __name__ == "__main__":
    serve(main)
