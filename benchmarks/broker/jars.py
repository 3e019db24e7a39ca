"""The broker's jars: resolved once by Maven from pom.xml into a cache outside the tree."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from fcntl import LOCK_EX, flock
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
JAVA_MIN = 17
_VERSION = re.compile(r'version "(\d+)')


class UnableToStartBroker(Exception):
    """There is no Kafka here, and none can be started; the message says what is missing."""


def java() -> str:
    """Return the path of a Java that runs the broker.

    Raises:
        UnableToStartBroker: when there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME", "")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if found is None:
        raise UnableToStartBroker(_needed("java is not installed"))
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = _VERSION.search(said)
    if version is None or int(version[1]) < JAVA_MIN:
        raise UnableToStartBroker(_needed(f"{found} is older than Java {JAVA_MIN}"))
    return found


def jars() -> Path:
    """Return the directory of the broker's jars, resolved at the first call on a machine.

    Raises:
        UnableToStartBroker: when Maven is missing, or cannot resolve them.
    """
    name = hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "octroi-broker"
    target = root / name
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not target.is_dir():
            _resolve(root / f"{name}.tmp", target)
    return target


def _resolve(temporary: Path, target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UnableToStartBroker(_needed("Maven is not installed"))
    shutil.rmtree(temporary, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={temporary}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise UnableToStartBroker(f"Maven cannot resolve the broker's jars:\n{ended.stdout}{ended.stderr}")
    temporary.rename(target)


def _needed(missing: str) -> str:
    return (
        f"{missing}: the tests and benchmarks of the streaming mode need a Kafka: set OCTROI_TEST_KAFKA to the address of "
        f"one, or run a Docker daemon, or install Java {JAVA_MIN} and Maven (apt-get install default-jre-headless maven)"
    )
