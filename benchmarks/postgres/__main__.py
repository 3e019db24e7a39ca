"""`python -m benchmarks.postgres`: make sure that a server can be started; install PostgreSQL where that is allowed.

In CI it is an error when none can; elsewhere it is said, and the tests that need one say so, too.
"""

from __future__ import annotations

import os
import sys

from benchmarks.debian import install
from benchmarks.postgres.server import UnableToStartServer, programs


def main() -> None:
    """Prepare what starts a server."""
    if os.environ.get("OCTROI_TEST_POSTGRES"):
        return
    try:
        programs()
        return
    except UnableToStartServer:
        install(("postgresql",), "with which the tests start a server")
    try:
        programs()
    except UnableToStartServer as error:
        if os.environ.get("CI"):
            sys.exit(str(error))
        print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
