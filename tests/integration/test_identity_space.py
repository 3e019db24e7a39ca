"""Two feeds see the same calls: each call is billed once, whichever comes first."""

from __future__ import annotations

from pathlib import Path

from cli_calls import CATALOG, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

START = CATALOG.index("kind: source")
DOCUMENT = CATALOG[START : CATALOG.index("---", START)]
SHARED = DOCUMENT.replace("code: calls\n", "code: calls\nidentity_space: calls-of-both\non_same_key: duplicate\n")
LEG = SHARED.replace("code: calls\n", "code: legs\n").replace("access_point: caller", "access_point: called").replace(
    "quantity: {field: seconds}", "quantity: {field: duration}"
)  # fmt: skip


def test_a_call_that_two_sources_see_is_billed_once(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", CATALOG.replace(DOCUMENT, f"{SHARED}---\n{LEG}"))
    ours = write_calls(tmp_path / "a.csv", call(1), call(2))
    octroi("ingest", ours, "--source", "calls", "--data", data).ok()
    theirs = tmp_path / "b.csv"
    theirs.write_text(
        "id,called,at,duration\n2,33600000002,2026-10-05T12:00:01Z,61\n3,33600000002,2026-10-05T12:00:02Z,5\n"
    )
    octroi("ingest", theirs, "--source", "legs", "--data", data).ok()
    items = query(data, "SELECT source, claim, record FROM rated_item ORDER BY claim, record")
    assert [tuple(row.values()) for row in items] == [("calls", 2, 0), ("calls", 2, 1), ("legs", 3, 1)]
    sheets = balanced(data)
    assert [row["duplicate"] for row in sheets["records"]] == [0, 1]
    shown = octroi("sources", "show", "legs", "--data", data).ok().out
    assert "calls-of-both: known to all sources with this space" in shown


def test_records_around_midnight_are_one_usage_within_the_tolerance(tmp_path: Path) -> None:
    near = "identity_space: calls-of-both\nidentity_tolerance: PT2M\n"
    both = [document.replace("identity_space: calls-of-both\n", near) for document in (SHARED, LEG)]
    data = write_catalog(tmp_path / "data", CATALOG.replace(DOCUMENT, "---\n".join(both)))
    evening, night = "2026-10-05T23:59:59Z", "2026-10-06T00:00:01Z"
    ours = write_calls(
        tmp_path / "a.csv",
        call(1, at=evening),
        call(2, at=night),
        call(3, at="2026-10-05T23:57:00Z"),
        call(4, at=evening),
    )
    octroi("ingest", ours, "--source", "calls", "--data", data).ok()
    theirs = tmp_path / "b.csv"
    lines = [f"1,33600000002,{night},61", f"2,33600000002,{evening},61", f"3,33600000002,{night},61"]
    theirs.write_text("\n".join(["id,called,at,duration", *lines, ""]))
    octroi("ingest", theirs, "--source", "legs", "--data", data).ok()
    items = query(data, "SELECT claim, record FROM rated_item WHERE status = 'rated' ORDER BY claim, record")
    assert [tuple(row.values()) for row in items] == [
        (2, 0),
        (2, 1),
        (2, 2),
        (2, 3),
        (3, 2),
    ]  # the third is too far away
    # what is backed out is not known any more, on either side
    octroi("files", "back-out", "a.csv", "--reason", "wrong", "--data", data).ok()
    report = octroi("ingest", theirs, "--source", "legs", "--data", data, "--json").ok().json
    assert (report["totals"]["accepted"], report["totals"]["duplicate"]) == (2, 1)
    balanced(data)


def test_a_space_that_is_not_trusted_as_a_whole_is_refused(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", CATALOG.replace(DOCUMENT, f"{SHARED}---\n{LEG}trusted: false\n"))
    told = octroi("run", data)
    assert told.code == 3
    assert '"calls" and "legs" share the identity space "calls-of-both", but only "calls" is trusted' in told.err
