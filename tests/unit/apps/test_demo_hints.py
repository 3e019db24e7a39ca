"""The demo ends with commands that can be pasted, whether or not octroi is on the path."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from apps.demo import _next_steps


@pytest.mark.parametrize("on_path", [True, False])
def test_the_commands_to_try_next_can_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], on_path: bool
) -> None:
    directory = tmp_path / "bin dir"
    directory.mkdir()
    (directory / "octroi").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(directory) if on_path else "")
    monkeypatch.setattr("sys.executable", str(directory / "python"))
    monkeypatch.chdir(tmp_path)
    _next_steps(Path("my demo"), "ri-3-1207", "INDEX_DECREASED")
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "Both sheets balance. Try next:"
    words = [shlex.split(line) for line in lines]
    assert {line[0] for line in words} == {"octroi" if on_path else "bin dir/octroi"}
    assert [line[1] for line in words] == ["explain", "rejects", "query"]
    assert all(line[-2:] == ["--data", "my demo"] for line in words)
