"""Whatever tenants do in whatever order, each finds what it wrote and nothing of another one's."""

from __future__ import annotations

from control_world import Databases, made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.access.queries import audit_log, configuration
from billing.access.store.changes import UnableToChange
from billing.access.store.tables import CONFIGURATION

DEED = st.tuples(
    st.integers(0, 2), st.sampled_from(["set", "remove", "fail"]), st.sampled_from("abc"), st.integers(0, 3)
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEED, max_size=12))
def test_tenants_never_meet(shared_databases: Databases, deeds: list[tuple[int, str, str, int]]) -> None:
    tenants = [shared_databases.tenant() for _ in range(3)]
    expected: list[dict[str, str]] = [{} for _ in tenants]
    traces = [1, 1, 1]
    for who, deed, name, value in deeds:
        held = expected[who]
        try:
            with made(tenants[who], by=f"tenant {who}") as changes:
                if deed == "remove":
                    changes.remove(CONFIGURATION, [name])
                elif name in held:
                    changes.update(CONFIGURATION, [{"name": name, "value": str(value)}])
                else:
                    changes.insert(CONFIGURATION, [{"name": name, "value": str(value)}])
                if deed == "fail":
                    raise UnableToChange("on the way")
        except UnableToChange:
            assert deed == "fail" or name not in held
            continue
        traces[who] += held.get(name) != (str(value) if deed == "set" else None)
        if deed == "remove":
            del held[name]
        else:
            held[name] = str(value)
    for who, database in enumerate(tenants):
        found = {name: str(one.value) for name, one in configuration(database, {}, {}).items()}
        assert found == expected[who]
        log = audit_log(database)
        assert len(log) == traces[who]
        assert {entry.by for entry in log} <= {"ana", f"tenant {who}"}
        database.close()
