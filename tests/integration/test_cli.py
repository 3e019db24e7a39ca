"""The command line as a whole: help, JSON, exit codes, settings, and what a terminal must never be sent."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from cli_calls import STRANGER, call, write_calls, write_catalog
from cli_octroi import COMMAND, environment, octroi, octroi_process, query
from pydantic import SecretStr

from apps import settings
from apps.cli import failures
from apps.cli.main import app
from apps.cli.output import plain, printable


def _commands() -> Iterator[tuple[str, ...]]:
    """Every command, as it is typed."""
    yield from _within(typer.main.get_command(app), ())


def _within(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words
    else:
        for name, each in inner.items():
            yield from _within(each, (*words, name))


COMMANDS = sorted(_commands())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three calls: two rated, one refused."""
    directory = tmp_path_factory.mktemp("cli")
    data = write_catalog(directory / "data")
    file = write_calls(directory / "calls.csv", call(1), call(2, 30), call(3, caller=STRANGER))
    octroi("ingest", file, "--source", "calls", "--data", data).ok()
    return data


def test_the_commands_are_those_of_the_manual() -> None:
    assert [" ".join(command) for command in COMMANDS] == [
        "account add",
        "account attach",
        "account change",
        "account detach",
        "account export",
        "account fields",
        "account import",
        "account list",
        "account show",
        "backup",
        "balance",
        "bench",
        "bill credit",
        "bill document",
        "bill explain",
        "bill journal",
        "bill mark",
        "bill run cancel",
        "bill run execute",
        "bill run plan",
        "bill run report",
        "bill run review",
        "bill run validate",
        "catalog activate",
        "catalog diff",
        "catalog list",
        "catalog publish",
        "catalog schema",
        "catalog template",
        "charge balance",
        "charge cancel",
        "charge confirm",
        "charge event",
        "charge price",
        "charge refund",
        "charge reserve",
        "charge send",
        "config show",
        "db copy",
        "db current",
        "db upgrade",
        "demo",
        "diameter abort",
        "diameter decode",
        "diameter peers",
        "diameter reauthorise",
        "diameter serve",
        "energy abandon",
        "energy create",
        "energy errors",
        "energy evenements",
        "energy execute",
        "energy frais",
        "energy logs",
        "energy pod",
        "energy profile",
        "energy reconcile",
        "energy releve",
        "energy retry",
        "energy traitement",
        "energy yearly",
        "explain",
        "export",
        "fees",
        "files abandon",
        "files back-out",
        "files fill",
        "files gaps",
        "files list",
        "files show",
        "files warnings",
        "ingest",
        "invoice check",
        "invoice render",
        "invoice schema",
        "key add",
        "key list",
        "key revoke",
        "key why",
        "notifications list",
        "query",
        "rate",
        "rejects correct",
        "rejects discard",
        "rejects list",
        "rejects mark",
        "rejects reopen",
        "rejects replay",
        "rejects show",
        "rejects summary",
        "rerate",
        "restore",
        "role list",
        "role remove",
        "role set",
        "run",
        "serve",
        "simulate",
        "sources gaps",
        "sources list",
        "sources show",
        "sources template",
        "sources test",
        "stream activate",
        "subscription activate",
        "subscription add",
        "subscription cancel",
        "subscription change-offer",
        "subscription close",
        "subscription due",
        "subscription import",
        "subscription list",
        "subscription reason",
        "subscription resume",
        "subscription show",
        "subscription suspend",
        "subscription terminate",
        "tenant add",
        "tenant audit",
        "tenant clock",
        "tenant config",
        "tenant delete",
        "tenant export",
        "tenant list",
        "tenant resume",
        "tenant suspend",
        "topics apply",
        "topics plan",
        "trace",
        "user add",
        "user disable",
        "user enable",
        "user list",
        "user remove",
        "user reset",
        "user roles",
        "version",
        "wallet adjust",
        "wallet send",
        "wallet show",
        "wallet top-up",
        "wallet transfer",
        "worker collect",
        "worker sink",
        "worker stages",
    ]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example_and_offers_json(command: tuple[str, ...]) -> None:
    told = octroi(*command, "--help").ok()
    assert f"Example: octroi {' '.join(command)}" in told.out.replace("OCTROI_FLUSH_MS=200 ", "")
    never = command in {("serve",), ("diameter", "serve"), ("rate",)}  # which says `--out json`
    always = command[0] in ("charge", "worker")  # says nothing but JSON, or nothing
    assert ("--json" in told.out) == (not never and not always)
    assert octroi(*command, "-h").out == told.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["version"],
        ["config", "show"],
        ["config", "show", "--origin"],
        ["query", "SELECT * FROM rated_item"],
        ["query", "SELECT 1 WHERE 0"],
        ["balance"],
        ["balance", "--by", "hour"],
        ["rejects", "list"],
        ["rejects", "show", "2-2"],
        ["explain", "ri-2-0"],
        ["ingest", "{calls}", "--source", "calls", "--dry-run"],
    ],
    ids=" ".join,
)
def test_json_is_one_document_and_nothing_else(data: Path, arguments: list[str]) -> None:
    filled = [argument.format(calls=data.parent / "calls.csv") for argument in arguments]
    where = [] if arguments[0] == "version" else ["--data", data]
    told = octroi(*filled, *where, "--json").ok()
    assert json.loads(told.out) is not None
    assert told.err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "No such command"),
        (["version", "--nonsense"], 2, "No such option"),
        (["run"], 2, "DATA_DIR"),
        (["run", "{data}", "calls.csv"], 2, "named files need --source NAME"),
        (["run", "{data}", "--source", "calls"], 2, "none is named"),
        (["ingest", "calls.csv", "--data", "{data}"], 2, "--source"),
        (["ingest", "calls.csv", "--source", "calls", "--data", "{data}"], 5, "cannot take calls.csv: No such file"),
        (["ingest", "calls.csv", "--source", "calls", "--data", "{data}", "--dry-run"], 4, "cannot take calls.csv"),
        (["query", "SELECT 1", "--data", "{data}-absent"], 4, "holds no octroi data"),
        (["query", "SELECT nothing FROM rated_item", "--data", "{data}"], 2, "Unknown expression identifier"),
        (["balance", "--by", "colour", "--data", "{data}"], 2, "--by takes file, hour, tenant, source"),
        (
            ["rejects", "list", "--status", "new", "--data", "{data}"],
            2,
            "--status takes OPEN, TO_REPROCESS, REPLAYED, DISCARDED, CANCELLED or ALL",
        ),
        (
            ["rejects", "list", "--code", "UNKNOWN_ACCES_POINT", "--data", "{data}"],
            2,
            "did you mean UNKNOWN_ACCESS_POINT?",
        ),
        (["rejects", "show", "--data", "{data}"], 2, "say which rejections"),
        (["rejects", "show", "2-²", "--data", "{data}"], 2, "'2-²' is no rejection"),
        (["rejects", "show", "99-0", "--data", "{data}"], 2, "no rejection 99-0"),
        (["rejects", "replay", "--data", "{data}"], 2, "another criterion, or --all"),
        (["rejects", "replay", "--all", "--claim", "2", "--data", "{data}"], 2, "exclude each other"),
        (["rejects", "discard", "--all", "--data", "{data}"], 2, "--reason"),
        (["rejects", "discard", "--all", "--reason", " ", "--data", "{data}"], 2, "a discard needs a reason"),
        (["explain", "2-0", "--data", "{data}"], 2, "they look like ri-12-3456"),
        (["explain", "ri-2-2", "--data", "{data}"], 2, "there is no rated item ri-2-2"),
        (["bench", "nonsense"], 2, "there is no benchmark 'nonsense'; there is all, end_to_end"),
        (["demo", "--records", "1"], 2, "--records"),
        (["demo", "--data", "{data}"], 2, "is not an earlier demo's"),
    ],
    ids=lambda value: " ".join(value).replace("{data}", "DIR") if isinstance(value, list) else "",
)
def test_exit_codes_say_whose_fault_it_is(data: Path, arguments: list[str], code: int, words: str) -> None:
    told = octroi(*(argument.format(data=data) for argument in arguments))
    assert (told.code, told.out) == (code, told.out if code == 5 else "")
    assert words in " ".join(told.err.replace("│", " ").split())
    assert (data / "catalog").is_dir()


WRITES = (
    "INSERT INTO fact_usage SELECT * FROM fact_usage",
    "DROP TABLE fact_usage",
    "ALTER TABLE fact_usage DELETE WHERE 1",
    "TRUNCATE TABLE fact_usage",
    "SET readonly = 0",
    "SYSTEM SHUTDOWN",
    "SELECT 1; DROP TABLE fact_usage",
    "SELECT * FROM rated_item INTO OUTFILE '{out}'",
    "SELECT * FROM rated_item SETTINGS readonly = 0",
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1', 'system.one')",
    "SELECT * FROM executable('x.sh', 'TSV', 'a String')",
    "EXPLAIN ALTER TABLE fact_usage DELETE WHERE 1",
    "WITH 1 AS x INSERT INTO fact_usage SELECT * FROM fact_usage",
    "",
)


def test_a_query_only_reads_and_only_the_store(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = {sql: octroi("query", sql.format(out=out), "--data", data) for sql in WRITES}
    assert {sql: (each.code, each.out) for sql, each in told.items()} == dict.fromkeys(WRITES, (2, ""))
    assert not out.exists()
    assert query(data, "SELECT count() AS n FROM fact_usage") == [{"n": 2}]


def test_what_records_say_is_shown_but_never_obeyed(data: Path) -> None:
    sql = (
        r"SELECT '[/b] [red]x[/red] :smile:' AS markup, concat('a\x1b[31mb\tc', unhex('e280ae'), 'd') AS controls, 1, 1"
    )
    told = octroi("query", sql, "--data", data).ok()
    assert "[/b] [red]x[/red] :smile:" in told.out
    assert r"a\x1b[31mb\tc\u202ed" in told.out
    assert "\x1b" not in told.out
    (row,) = octroi("query", sql, "--data", data, "--json").ok().json
    assert (row["controls"], row["1"], row["1_2"]) == ("a\x1b[31mb\tc\u202ed", 1, 1)


def test_queries_that_have_a_name_are_listed_and_asked(data: Path, tmp_path: Path) -> None:
    listed = octroi("query", "--names", "--json").ok().json
    assert {"name": "account", "type": "text", "meaning": "billing account", "required": True} in next(
        each["parameters"] for each in listed if each["name"] == "wallet-history"
    )
    assert "rejections-by-reason" in octroi("query", "--names").ok().out
    named = (
        "query",
        "--name",
        "usage-by-day",
        "--param",
        "from=2020-01-01",
        "--param",
        "to=2030-01-01",
        "--data",
        data,
    )
    rows = octroi(*named, "--json").ok().json
    assert sum(row["items"] for row in rows) == 2
    told = octroi("export", "SELECT * FROM rated_item", "--to", tmp_path / "a.xlsx", "--data", data).ok().out
    assert told.startswith("2 rows, ")
    for wrong, why in (
        (("query", "--data", data), "--names lists"),
        (("query", "SELECT 1", "--name", "revenue", "--data", data), "--names lists"),
        (("query", "SELECT 1", "--param", "a=b", "--data", data), "for queries that have a name"),
        (("query", "--name", "revenue", "--param", "from", "--data", data), "NAME=VALUE"),
        (("query", "--name", "nothing", "--data", data), "there is no query 'nothing'"),
        (("export", "SELECT 1", "--to", "a.txt", "--data", data), "ends in .parquet, .arrow, .csv, .xlsx"),
        (("export", "--to", "a.csv", "--data", data), "say what to write"),
    ):
        refused = octroi(*wrong)
        assert (refused.code, why in refused.err) == (2, True), refused.err


def test_json_holds_whatever_a_column_holds(data: Path) -> None:
    sql = (
        "SELECT 1/0 AS infinite, nan AS nan, toIntervalSecond(3) AS seconds, map('a', toDecimal64(1.5, 2)) AS map, "
        "[toDate('2026-10-05')] AS days, NULL AS nothing, true AS yes, unhex('ff') AS bytes, 0.25 AS quarter"
    )
    (row,) = octroi("query", sql, "--data", data, "--json").ok().json
    assert row == {
        "infinite": None,
        "nan": None,
        "seconds": "0:00:03",
        "map": [["a", "1.50"]],
        "days": ["2026-10-05"],
        "nothing": None,
        "yes": True,
        "bytes": "/w==",
        "quarter": 0.25,
    }
    assert plain({1: (2, b"x")}) == {"1": [2, "eA=="]}
    octroi("query", sql, "--data", data).ok()


def test_printable_writes_controls_out() -> None:
    assert printable("é\x00\x9b\n€") == r"é\x00\x9b\n€"
    assert printable("a\nb\x07", newlines=True) == "a\nb\\x07"


def test_version_is_the_distributions() -> None:
    assert octroi("version").ok().out == "octroi 0.1.0\n"
    assert octroi_process("version", "--json").ok().json == {"octroi": "0.1.0"}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, without settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("OCTROI_")]:
        monkeypatch.delenv(name)
    return tmp_path


def test_settings_say_where_they_come_from(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "octroi.toml").write_text('poll_ms = 50\nflush_ms = 60\ntenant = "toml"\n')
    (elsewhere / ".env").write_text("OCTROI_FLUSH_MS=70\nOCTROI_TENANT=dotenv\nUNRELATED=1\n")
    monkeypatch.setenv("OCTROI_TENANT", "environment")
    shown = octroi("config", "show", "--data", "here", "--origin", "--json").ok().json
    found = {
        name: (shown[name]["value"], shown[name]["origin"]) for name in ("data_dir", "tenant", "flush_ms", "poll_ms")
    }
    assert found == {
        "data_dir": ("here", "command line"),
        "tenant": ("environment", "environment"),
        "flush_ms": (70, ".env"),
        "poll_ms": (50, "octroi.toml"),
    }
    assert shown["flush_records"] == {"value": 500_000, "origin": "default"}
    lines = octroi("config", "show", "--origin").ok().out.splitlines()
    assert any(line.split()[:3] == ["poll_ms", "50", "octroi.toml"] for line in lines)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("flush_ms = ", "octroi.toml: Invalid value"),
        ("flush_ms = -1", "wrong setting: flush_ms: Input should be greater than or equal to 1 (given -1)"),
        ("fush_ms = 1", "octroi.toml: there is no setting fush_ms; there are data_dir, tenant, "),
        ('tenant = "../x"', "wrong setting: tenant: "),
    ],
)
def test_a_wrong_setting_ends_with_3(elsewhere: Path, toml: str, words: str) -> None:
    (elsewhere / "octroi.toml").write_text(toml)
    for command in (["config", "show"], ["query", "SELECT 1"]):
        told = octroi(*command)
        assert (told.code, told.out) == (3, "")
        assert words in told.err


class _WithSecret(settings.Settings):
    password: SecretStr | None = None


def test_a_secret_is_masked_wherever_settings_are_shown(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = settings.load_settings
    monkeypatch.setattr(settings, "load_settings", lambda given: load(given, _WithSecret))
    monkeypatch.setenv("OCTROI_PASSWORD", "hunter2")
    for arguments in (["--origin"], ["--json"]):
        told = octroi("config", "show", *arguments).ok()
        assert "hunter2" not in told.out
        assert "password" in told.out
        assert "**********" in told.out
    monkeypatch.setattr(settings, "load_settings", lambda given: load(given | {"password": ["hunter2"]}, _WithSecret))
    told = octroi("config", "show")
    assert (told.code, "password" in told.err, "hunter2" in told.err) == (3, True, False)


def test_a_defect_shows_its_traceback_and_ends_with_70(capsys: pytest.CaptureFixture[str]) -> None:
    @failures.honest
    def broken() -> None:
        raise ZeroDivisionError("unexpected")

    with pytest.raises(typer.Exit) as ended:
        broken()
    assert ended.value.exit_code == 70
    assert "ZeroDivisionError: unexpected" in capsys.readouterr().err


def test_output_that_is_no_terminal_has_no_colour_and_no_progress(data: Path) -> None:
    told = octroi_process("run", data, TERM="xterm-256color", COLORTERM="truecolor")
    assert told.code == 0
    assert "\x1b" not in told.out + told.err
    assert "\r" not in told.out + told.err
    assert told.err == ""


def test_a_reader_that_has_seen_enough_is_no_failure(data: Path) -> None:
    """`octroi query … | head`: the pipe is closed before anything is written."""
    for form in (["--json"], []):
        reading, writing = os.pipe()
        os.close(reading)
        command = [*COMMAND, "query", "SELECT * FROM rated_item", "--data", str(data), *form]
        done = subprocess.run(
            command, env=environment(), stdout=writing, stderr=subprocess.PIPE, check=False, timeout=120
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_that_knows_ascii_alone_is_no_failure(data: Path) -> None:
    told = octroi_process("query", "SELECT 'é' AS letter", "--data", data, PYTHONIOENCODING="ascii").ok()
    assert r"\xe9" in told.out
