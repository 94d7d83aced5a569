"""The systemd files: accepted by systemd, and as closed as we say."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import peers

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "edge-agent.service"


def settings() -> dict[str, list[str]]:
    """Every setting of the unit with its values, in order."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text("utf-8").splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    command = [peers.require("systemd-analyze"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """`verify` finds nothing to say about the unit with its drop-in."""
    unit = UNIT.read_text("utf-8").replace(
        "/opt/edge-agent/venv/bin/edge-agent", "/bin/true"
    )
    (tmp_path / UNIT.name).write_text(unit, "utf-8")
    drop_in = tmp_path / f"{UNIT.name}.d" / "credentials.conf"
    drop_in.parent.mkdir()
    drop_in.write_bytes((FOLDER / "credentials.conf").read_bytes())

    done = analyze("verify", tmp_path / UNIT.name)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_verify_would_find_a_mistake(tmp_path: Path) -> None:
    """The check above can fail: a misspelt setting is a complaint."""
    wrong = UNIT.read_text("utf-8").replace("ProtectHome=", "ProtectHomes=")
    (tmp_path / UNIT.name).write_text(wrong, "utf-8")

    done = analyze("verify", tmp_path / UNIT.name)

    assert "ProtectHomes" in done.stderr


@pytest.mark.parametrize(("threshold", "accepted"), [(15, True), (5, False)])
def test_exposure_stays_below_one_and_a_half(threshold: int, *, accepted: bool) -> None:
    """`systemd-analyze security` rates the unit at 1.5 or better, of 10."""
    done = analyze("security", "--offline=true", f"--threshold={threshold}", UNIT)

    assert accepted == (done.returncode == 0), done.stdout


def test_the_unit_keeps_what_the_agent_relies_on() -> None:
    """Restarted for ever, watched, and never blind to its processor."""
    unit = settings()

    assert unit["Type"] == ["notify"]
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert unit["WatchdogSec"] == ["30s"]
    assert "ProcSubset" not in unit
    assert "RestartPreventExitStatus" not in unit


def allowed_calls() -> set[str]:
    """System calls that the unit's filters leave, as this systemd knows its groups."""
    first, *others = settings()["SystemCallFilter"]
    left = members(first)
    for words in others:
        left = (
            left - members(words.removeprefix("~"))
            if words.startswith("~")
            else left | members(words)
        )
    return left


def members(words: str) -> set[str]:
    """Calls and, recursively, calls of groups."""
    found: set[str] = set()
    for word in words.split():
        if not word.startswith("@"):
            found.add(word)
            continue
        listed = analyze("syscall-filter", word).stdout.splitlines()[1:]
        found |= members(" ".join(line.strip() for line in listed if "#" not in line))
    return found


def test_a_model_can_be_confined_inside_the_unit() -> None:
    """What the vetting of models needs to limit and to end a process is left to it."""
    left = allowed_calls()

    assert {"prlimit64", "prctl", "setsid", "kill", "wait4", "pidfd_open"} <= left
    assert not {"setrlimit", "sched_setaffinity", "mount", "reboot"} & left


def test_a_model_that_takes_too_much_memory_ends_alone() -> None:
    """The kernel ends the process that runs it; the agent beside it goes on."""
    assert settings()["OOMPolicy"] == ["continue"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_user_and_folders_can_be_made(tmp_path: Path) -> None:
    """The user, then its folders: what systemd makes of the two files."""
    peers.require("systemd-analyze")  # the same package brings both programs
    (tmp_path / "etc").mkdir()
    for tool, *options in [
        ("systemd-sysusers", FOLDER / "edge-agent.sysusers"),
        ("systemd-tmpfiles", "--create", FOLDER / "edge-agent.tmpfiles"),
    ]:
        words = [tool, f"--root={tmp_path}", *options]
        subprocess.run(words, capture_output=True, check=True)

    assert (tmp_path / "etc" / "passwd").read_text("utf-8").startswith("edge-agent:")
    secrets = tmp_path / "etc" / "edge-agent" / "secrets"
    assert secrets.stat().st_mode & 0o777 == 0o750
