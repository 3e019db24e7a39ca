"""`python -m benchmarks.broker`: make sure that a broker can be started; install Java and Maven where that is allowed.

In CI it is an error when none can; elsewhere it is said, and the tests that need one say so, too.
"""

from __future__ import annotations

import os
import shutil
import sys

from benchmarks.broker.jars import UnableToStartBroker, jars, java
from benchmarks.debian import install

PACKAGES = ("default-jre-headless", "maven")


def _is_there() -> bool:
    try:
        java()
    except UnableToStartBroker:
        return False
    return shutil.which("mvn") is not None


def main() -> None:
    """Prepare what starts a broker."""
    if os.environ.get("OCTROI_TEST_KAFKA"):
        return
    if not _is_there():
        install(PACKAGES, "with which the tests start a Kafka broker")
    try:
        java()
        jars()
    except UnableToStartBroker as error:
        if os.environ.get("CI"):
            sys.exit(str(error))
        print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
