"""`python -m benchmarks.broker`: make sure that a broker can be started; install Java and Maven where that is allowed.

In CI it is an error when none can; elsewhere it is said, and the tests that need one say so, too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from benchmarks.broker.jars import UnableToStartBroker, jars, java

PACKAGES = ("default-jre-headless", "maven")


def _installable() -> list[str] | None:
    """Return what installs Debian packages here, None where nobody may."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return ["apt-get"]
    asked = shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n", "apt-get"] if asked and asked.returncode == 0 else None


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
    installer = None if _is_there() else _installable()
    if installer is not None:
        print(f"installing {' and '.join(PACKAGES)}, with which the tests start a Kafka broker", file=sys.stderr)
        subprocess.run([*installer, "-qq", "update"], check=False)
        command = [*installer, "-qq", "install", "--yes", "--no-install-recommends", *PACKAGES]
        subprocess.run(command, check=False, stdout=sys.stderr, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    try:
        java()
        jars()
    except UnableToStartBroker as error:
        if os.environ.get("CI"):
            sys.exit(str(error))
        print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
