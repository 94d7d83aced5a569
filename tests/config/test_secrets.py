"""Passwords come from guarded files or from systemd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.config.schema import MqttOutput
from edge_agent.config.secrets import password_of
from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def link(**settings: object) -> MqttOutput:
    """An output with some way to its password."""
    return MqttOutput.model_validate({"type": "mqtt", "host": "h", **settings})


def kept(path: Path, content: bytes, mode: int = 0o600) -> Path:
    """A password file."""
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [b"s3cret", b"s3cret\n", b"s3cret\r\n"])
def test_the_line_end_is_not_part_of_it(content: bytes, tmp_path: Path) -> None:
    """Editors end a file with a newline; passwords do not."""
    path = kept(tmp_path / "p", content, 0o640)
    assert password_of("scada", link(password_file=path)) == "s3cret"


def test_spaces_are_part_of_it(tmp_path: Path) -> None:
    """Only line ends are cut."""
    path = kept(tmp_path / "p", b" a b \n")
    assert password_of("scada", link(password_file=path)) == " a b "


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o604])
def test_a_file_open_to_everyone_is_refused(mode: int, tmp_path: Path) -> None:
    """The message has the command that closes it."""
    path = kept(tmp_path / "p", b"s3cret", mode)
    with pytest.raises(ConfigError, match=f"chmod o-rwx {path}"):
        password_of("scada", link(password_file=path))


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb", b"\xff", b"x" * 5000])
def test_no_password_in_the_file(content: bytes, tmp_path: Path) -> None:
    """Empty, several lines, no text: refused, and the content is not repeated."""
    path = kept(tmp_path / "p", content)
    with pytest.raises(ConfigError, match=r"^scada: ") as caught:
        password_of("scada", link(password_file=path))
    assert "xxx" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    """Which link, which file, why."""
    with pytest.raises(ConfigError, match=r"scada: .*gone cannot be read: no such"):
        password_of("scada", link(password_file=tmp_path / "gone"))


def test_a_credential_of_systemd(tmp_path: Path) -> None:
    """LoadCredential= puts it into a folder only this service sees."""
    kept(tmp_path / "scada-password", b"s3cret\n", 0o400)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    asked = link(password_credential="scada-password")
    assert password_of("scada", asked, environment) == "s3cret"


def test_a_credential_that_was_not_handed_over(tmp_path: Path) -> None:
    """The message has the line for the unit, with and without systemd."""
    asked = link(password_credential="other")
    for environment in ({}, {"CREDENTIALS_DIRECTORY": str(tmp_path)}):
        with pytest.raises(ConfigError, match="LoadCredential=other:/PATH"):
            password_of("scada", asked, environment)


def test_no_password_at_all() -> None:
    """Not every broker asks for one."""
    assert password_of("scada", link()) is None
