"""What every test process does first: where kernels are cached, how hard properties are tried."""

from __future__ import annotations

from apps.jit import prepare_cache

prepare_cache()  # numba reads NUMBA_CACHE_DIR when it is imported, so nothing that imports it may come earlier

import importlib  # noqa: E402
import os  # noqa: E402
import pkgutil  # noqa: E402
import resource  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tracemalloc  # noqa: E402, F401 - pytest imports it while it reports, and again when that import collects garbage
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

sys.path.append(str(Path(__file__).parent / "support"))  # helpers that tests of several folders share

from compile_once import compile_once  # noqa: E402
from control_world import Databases, opened_databases  # noqa: E402
from shared_postgres import shared_postgres  # noqa: E402

from benchmarks.postgres.server import UnableToStartServer  # noqa: E402

compile_once()

# CI is deterministic: the same commit gives the same verdict. No deadline anywhere: the first example pays for compiling.
settings.register_profile(
    "ci",
    database=None,
    derandomize=True,
    deadline=None,
    max_examples=100,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("dev", database=None, deadline=None, max_examples=100)
settings.register_profile(
    "soak", database=None, deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow]
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
settings.load_profile(PROFILE)

if PROFILE == "ci":
    # Examples are drawn from the constants of the modules that are imported by then, too: whatever a worker ran before
    # would decide what the next test tries. With all of them imported, it does not.
    for room in ("apps", "benchmarks", "billing", "connectors", "pipelines", "rating", "schemas", "sinks"):
        for module in pkgutil.walk_packages([str(Path(__file__).parents[1] / room)], f"{room}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)

os.environ["OCTROI_DEDUP_WINDOW_DAYS"] = "unlimited"  # usage of tests is old, and their clocks are real

# A third of the suite's time is waiting for fsync. What a test writes may lie in memory: kills spare it as they
# spare a disk, and what a lost machine spares is tested by tearing files. Small or absent: the usual directory.
IN_MEMORY = Path("/dev/shm")
if IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= 6 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))

# Every thread that a store ever had keeps three files open, also once the store is closed, and a worker opens hundreds of
# stores: it needs all the files that it may have, and there are more workers than cores so that each has fewer stores.
_, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))


@pytest.fixture(scope="session")
def samples() -> Path:
    """Real public usage files; they lie beside the repository because their licences forbid copies in it."""
    found = Path(__file__).resolve().parents[2] / "shared" / "samples"
    assert found.is_dir(), f"the sample files are expected in {found}"
    return found


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the run's PostgreSQL server; each test has tenants, hence schemas, of its own."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    started = shared_postgres(root / "postgres")
    try:
        address = started.__enter__()
    except UnableToStartServer as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))  # not in CI, where a missing server is a failure
    try:
        yield address
    finally:
        started.__exit__(None, None, None)


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Databases of tenants, on each of the two kinds."""
    address = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with opened_databases(tmp_path, address) as found:
        yield found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The same, for all tests of a module."""
    address = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with opened_databases(tmp_path_factory.mktemp("databases"), address) as found:
        yield found
