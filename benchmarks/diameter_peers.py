"""`python -m benchmarks.diameter_peers`: make sure that peers of Diameter that others wrote can be started.

freeDiameter as a relay in a network namespace, Erlang/OTP as a network element. They are installed where that is allowed; in
CI it is an error when they are missing, elsewhere it is said, and the tests that need them say so, too.
"""

from __future__ import annotations

import os
import shutil
import sys

from benchmarks.debian import install

PROGRAMS = {
    "freeDiameterd": ("freediameterd", "freediameter-extensions"),
    "diameterc": ("erlang-diameter", "erlang-dev", "erlang-base"),
    "ip": ("iproute2",),
    "unshare": ("util-linux",),
}
"""Programs, and the packages that have them."""


def _missing() -> list[str]:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


def main() -> None:
    """Prepare what starts them."""
    missing = _missing()
    if missing:
        packages = [package for name in missing for package in PROGRAMS[name]]
        install(packages, "with which the tests meet other peers of Diameter")
        missing = _missing()
    if missing:
        words = f"no {', no '.join(missing)}: the tests with other peers of Diameter cannot run"
        if os.environ.get("CI"):
            sys.exit(words)
        print(words, file=sys.stderr)


if __name__ == "__main__":
    main()
