"""`octroi diameter decode` on the public captures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apps.cli.main import app


@pytest.fixture(scope="module")
def captures(samples: Path) -> Path:
    """Where the captures are."""
    return samples / "telco" / "diameter"


def _run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["diameter", "decode", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout


def test_messages_are_a_line_each(captures: Path) -> None:
    lines = _run(captures / "own_freediameter_relay_interop.pcap", "-c", "CCA").splitlines()
    assert len(lines) == 12
    assert lines[0] == (
        "2026-11-22T01:25:46.601016Z  10.9.9.1:3871 > 10.9.9.1:57358  CCA -P--  "
        "pgw1.epc.mnc001.mcc208.3gppnetwork.org;1736942400;1;gy  INITIAL_REQUEST 0 DIAMETER_SUCCESS"
    )


def test_every_avp_is_shown_with_its_groups(captures: Path) -> None:
    shown = _run(captures / "own_freediameter_relay_interop.pcap", "--command", "CCA", "--fields")
    assert (
        "\n    Rating-Group 20\n    Validity-Time 3600\n    Result-Code 2001 (DIAMETER_SUCCESS)\n  Route-Record"
        in shown
    )
    assert "\n  Multiple-Services-Credit-Control\n    Granted-Service-Unit\n      CC-Total-Octets " in shown


def test_a_line_of_json_for_each_message_of_a_session(captures: Path) -> None:
    file = captures / "gx_gy_combined_05_210505_133111-1.pcapng"
    found = [json.loads(line) for line in _run(file, "--json").splitlines()]
    assert len(found) == 70
    credit = [each for each in found if each["command"] == "CCR" and each["application"] == 4]
    assert len(credit) == 5
    of_session = _run(file, "--json", "--session", credit[0]["session"], "-c", "ccr").splitlines()
    mine = [each for each in map(json.loads, of_session) if each["application"] == 4]
    assert mine == credit
    assert len(mine) < len(of_session)  # Gx has the same Session-Id
    numbers = [next(avp["value"] for avp in each["avps"] if avp["name"] == "CC-Request-Number") for each in credit]
    assert numbers == [0, 1, 2, 3, 4]
    assert {each["transport"] for each in found} == {"SCTP"}


def test_a_cut_capture_and_a_stranger(captures: Path, tmp_path: Path) -> None:
    file = tmp_path / "cut.pcap"
    file.write_bytes((captures / "own_freediameter_relay_interop.pcap").read_bytes()[:9_001])
    assert len(_run(file, code=5).splitlines()) > 5
    file.write_bytes(b"no capture at all")
    _run(file, code=5)
    _run(tmp_path / "none.pcap", code=4)


def test_what_is_wrong_is_told_where_it_is(tmp_path: Path) -> None:
    from struct import pack

    def avp(code: int, data: bytes) -> bytes:
        return pack(">II", code, 0x40000000 | 8 + len(data)) + data

    body = avp(263, b"\xff;1\0") + avp(268, b"\0\0\0\0\0\0\0\0") + avp(456, pack(">II", 432, 7))
    message = b"\x01" + (20 + len(body)).to_bytes(3) + pack(">IIII", 0x40000110, 4, 1, 2) + body
    segment = pack(">HHIIBBHHH", 3868, 40000, 1, 0, 0x50, 0x10, 0, 0, 0) + message
    packet = pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0, bytes(4), bytes(4)) + segment
    file = tmp_path / "wrong.pcap"
    file.write_bytes(
        pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + pack("<IIII", 1, 0, len(packet), len(packet)) + packet
    )
    shown = _run(file, "--fields", code=5)
    assert "! Session-Id: it is not UTF-8" in shown
    assert "Result-Code 0000000000000000  ! Result-Code: 8 bytes where 4 are a number" in shown
    assert "! AVP 432 says 7 bytes" in shown
