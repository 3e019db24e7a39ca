"""Installing Debian packages that tests start servers of, where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence


def _installer() -> list[str] | None:
    """Return what installs Debian packages here, None where nobody may."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return ["apt-get"]
    asked = shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n", "apt-get"] if asked and asked.returncode == 0 else None


def install(packages: Sequence[str], why: str) -> None:
    """Install packages, and say why; where nobody may, nothing happens, and whoever needs them says what is missing."""
    installer = _installer()
    if installer is None:
        return
    print(f"installing {' and '.join(packages)}, {why}", file=sys.stderr)
    subprocess.run([*installer, "-qq", "update"], check=False)
    command = [*installer, "-qq", "install", "--yes", "--no-install-recommends", *packages]
    subprocess.run(command, check=False, stdout=sys.stderr, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
