"""docker-compose.yml says what people rely on; where the client can, Docker itself checks it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from apps.cli.main import app
from apps.settings import Settings
from apps.workers.settings import StreamSettings

PATH = Path(__file__).resolve().parents[2] / "docker-compose.yml"
OFFICIAL = ("apache/kafka", "clickhouse/clickhouse-server", "postgres", "octroi")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load(PATH.read_text())


def test_profiles_are_those_that_are_documented(compose: dict[str, Any]) -> None:
    assert {name for service in compose["services"].values() for name in service["profiles"]} == {
        "core",
        "api",
        "bench",
        "test",
    }
    assert "version" not in compose


def test_every_service_is_bounded_checked_and_official(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        image, _, tag = service["image"].partition(":")
        assert image in OFFICIAL, name
        assert tag not in ("", "latest"), name
        assert {"mem_limit", "cpus", "healthcheck", "volumes"} <= service.keys(), name
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"], name


def test_what_is_waited_for_can_come(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert set(service["profiles"]) <= set(services[other]["profiles"]), (name, other)
            checked = "test" in services[other]["healthcheck"]
            assert checked == (how["condition"] == "service_healthy"), (name, other)


def test_commands_and_settings_are_octrois(compose: dict[str, Any]) -> None:
    known = {f"OCTROI_{name.upper()}" for name in StreamSettings.model_fields}
    known |= {"OCTROI_CACHE_DIR", "OCTROI_TEST_KAFKA"}
    assert Settings.model_fields.keys() <= StreamSettings.model_fields.keys()
    for name, service in compose["services"].items():
        if service["image"] != "octroi:local":
            continue
        assert set(service["environment"]) <= known, name
        if "entrypoint" in service:
            continue
        command: Any = get_command(app)
        for word in service["command"]:
            if word in getattr(command, "commands", {}):
                command = command.commands[word]
        assert not hasattr(command, "commands"), service["command"]


def test_compose_knows_everything_in_it(compose: dict[str, Any]) -> None:
    assert {key for key in compose if not key.startswith("x-")} == {"name", "services", "volumes"}
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        return  # the client here cannot look at it
    ended = subprocess.run(
        [docker, "compose", "-f", str(PATH), "config", "--quiet"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
