"""Keys, signatures and revocations in the hands of a person and of a script."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.bundle import keys
from edge_agent.bundle.signing import SIGNATURE_FILE, verify
from edge_agent.bundle.trust import Trust
from edge_agent.cli import model
from tests import peers
from tests.model import bundles

SHIPPED = Path(__file__).parents[2] / "models" / "pump-anomaly" / "1.0.0"


def run(*arguments: str | Path) -> int:
    """The command as the shell would start it."""
    parser = argparse.ArgumentParser()
    model.add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["model", *map(str, arguments)])
    code: int = parsed.run(parsed)
    return code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle nobody has signed."""
    return bundles.make(tmp_path / "models").path


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """A pair of keys, without its suffix."""
    assert run("key", "--out", tmp_path / "plant") == 0
    return tmp_path / "plant"


def private(stem: Path) -> Path:
    """The half that signs."""
    return stem.with_suffix(".key")


def public(stem: Path) -> Path:
    """The half that gateways have."""
    return stem.with_suffix(".pub")


def test_a_pair_is_made_once(
    tmp_path: Path, plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The private half is its owner's alone; a second time nothing is overwritten."""
    assert private(plant).stat().st_mode & 0o777 == 0o600
    before = private(plant).read_bytes()

    assert run("key", "--out", plant) == 78

    assert "exists and is not replaced" in capsys.readouterr().err
    assert private(plant).read_bytes() == before
    assert run("key", "--out", tmp_path / "v1.2") == 0
    identity = keys.key_id(keys.load_public(tmp_path / "v1.2.pub"))
    assert f"key id {identity}" in capsys.readouterr().out


def test_sign_and_verify(
    folder: Path, plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every check that passed has its line; the reference agrees."""
    (folder / "MODEL_CARD.md").write_text("# Small\n")
    (folder / "notes.txt").write_text("mine\n")
    capsys.readouterr()
    assert run("sign", folder, "--key", private(plant)) == 0
    said = capsys.readouterr().out
    assert "signed small@1.0.0, release 0" in said
    assert "of these the passport does not name: notes.txt\n" in said

    assert run("verify", folder, "--trusted-key", public(plant)) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "signature"],
        ["ok", "files"],
        ["ok", "golden"],
    ]
    assert "over 6 files" in lines[0]
    program = peers.require("model_signing")
    named = ("--signature", folder / SIGNATURE_FILE, "--public_key", public(plant))
    ran = subprocess.run(
        [str(program), "verify", "key", str(folder), *map(str, named)],
        capture_output=True,
        timeout=25,
        check=False,
    )
    assert ran.returncode == 0


def test_without_keys_the_signature_is_said_to_be_skipped(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A local folder may be unsigned, but nobody shall think it was checked."""
    assert run("verify", folder) == 0
    assert "skipped  signature    no --trusted-key is given" in capsys.readouterr().out
    assert run("verify", SHIPPED, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"]
    assert answer["skipped"] == {"signature": "no --trusted-key is given"}
    assert answer["checks"].keys() == {"files", "golden rows"}
    assert answer["model"]["name"] == "pump-anomaly"
    assert len(answer["model"]["digest"]) == 64


def test_a_tampered_bundle_is_refused(
    folder: Path, plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and the reason, for people and for machines."""
    run("sign", folder, "--key", private(plant))
    (folder / ".gitignore").write_text("x\n")
    capsys.readouterr()

    assert run("verify", folder, "--trusted-key", public(plant)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert ".gitignore is not covered by the signature" in said.err
    assert run("verify", folder, "--trusted-key", public(plant), "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert not answer["ok"]
    assert ".gitignore" in answer["refused"]


def test_a_signed_model_that_scores_wrong_is_refused(
    folder: Path, plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signature says who, the golden rows say whether."""
    wrong = bundles.graph(4, scale=2.0).SerializeToString()
    bundles.replace_file(folder, "model.onnx", wrong)
    assert run("sign", folder, "--key", private(plant)) == 0

    assert run("verify", folder, "--trusted-key", public(plant)) == 1

    said = capsys.readouterr()
    assert "ok       signature" in said.out
    assert "golden row 1 of 16" in said.err


def test_what_cannot_be_signed(
    folder: Path, plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken bundle is 1, a wrong key 78; no signature is left behind."""
    assert run("sign", folder, "--key", public(plant)) == 78
    assert "is not a private key" in capsys.readouterr().err
    (folder / "model.onnx").write_bytes(b"other")
    assert run("sign", folder, "--key", private(plant)) == 1
    assert "model.onnx is not the file the passport" in capsys.readouterr().err
    assert run("sign", folder / "nothing", "--key", private(plant)) == 1
    assert not (folder / SIGNATURE_FILE).exists()


def test_wrong_files_are_told_from_wrong_models(
    folder: Path, plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 78: the operator's files, not the bundle."""
    run("sign", folder, "--key", private(plant))
    assert run("verify", folder, "--trusted-key", private(plant)) == 78
    assert "is a private key" in capsys.readouterr().err
    assert run("verify", folder, "--revoked", plant) == 78
    assert "--revoked needs --trusted-key" in capsys.readouterr().err


def test_a_passphrase_guards_the_key(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Made with it, signs only with it; it is never shown."""
    words = tmp_path / "words"
    words.write_text("correct horse\n")
    words.chmod(0o600)
    stem = tmp_path / "safe"
    given = ("--passphrase-file", words)

    assert run("key", "--out", stem, *given) == 0
    assert run("sign", folder, "--key", private(stem)) == 78
    assert "needs its --passphrase-file" in capsys.readouterr().err
    assert run("sign", folder, "--key", private(stem), *given) == 0
    assert verify(folder, Trust.load([public(stem)])).files
    words.chmod(0o644)
    assert run("sign", folder, "--key", private(stem), *given) == 78
    said = capsys.readouterr()
    assert "chmod o-rwx" in said.err
    assert "horse" not in said.out + said.err


def test_a_lost_key_is_revoked(
    folder: Path, tmp_path: Path, plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two keys, one lost: the other revokes it and signs the model again."""
    spare, listed = tmp_path / "spare", tmp_path / "revoked.json"
    run("key", "--out", spare)
    run("sign", folder, "--key", private(plant))
    why = ("--reason", "laptop stolen", "--list", listed)
    trusted = ("--trusted-key", public(plant), "--trusted-key", public(spare))
    checked = ("verify", folder, *trusted, "--revoked", listed)

    assert run("revoke", public(plant), "--key", private(spare), *why) == 0
    assert f"{listed} is list 1, with 1 revoked" in capsys.readouterr().out
    assert run(*checked) == 1
    assert ": laptop stolen; have it signed again" in capsys.readouterr().err
    assert run("sign", folder, "--key", private(spare)) == 0
    assert run(*checked) == 0
    assert "not on list 1 of revoked keys" in capsys.readouterr().out


def test_a_list_is_extended_only_by_those_who_may(
    tmp_path: Path, plant: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not by a revoked key, and not when nobody vouches for what is on it."""
    spare, third, listed = tmp_path / "spare", tmp_path / "third", tmp_path / "r.json"
    for stem in (spare, third):
        run("key", "--out", stem)
    why = ("--reason", "lost", "--list", listed)
    run("revoke", public(plant), "--key", private(spare), *why)
    before = listed.read_bytes()
    capsys.readouterr()

    others = ("--trusted-key", public(spare))
    assert run("revoke", public(spare), "--key", private(plant), *why, *others) == 1
    assert "the signing key is key" in capsys.readouterr().err
    assert run("revoke", public(third), "--key", private(third), *why) == 1
    assert "not trusted here" in capsys.readouterr().err
    assert listed.read_bytes() == before
    assert run("revoke", public(spare), "--key", private(third), *why, *others) == 0
    found = Trust.load([public(third)], listed).revoked
    assert (found.number, len(found.keys)) == (2, 2)
    assert run("revoke", public(third), "--key", private(third), *why) == 0
    assert "this key has revoked itself" in capsys.readouterr().out
    long = ("--reason", "x" * 201, "--list", tmp_path / "other")
    assert run("revoke", public(third), "--key", private(spare), *long) == 78
    assert "one line of 1 to 200 characters" in capsys.readouterr().err


def test_the_commands_run_as_a_program(folder: Path, tmp_path: Path) -> None:
    """Key, signature and check through the installed entry point."""
    program = [sys.executable, "-m", "edge_agent", "model"]

    def ran(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [*program, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=25, check=False
        )

    assert ran("key", "--out", tmp_path / "k").returncode == 0
    assert ran("sign", folder, "--key", tmp_path / "k.key").returncode == 0
    assert ran("verify", folder, "--trusted-key", tmp_path / "k.pub").returncode == 0
    (folder / "more").write_bytes(b"")
    refused = ran("verify", folder, "--trusted-key", tmp_path / "k.pub")
    assert refused.returncode == 1
    assert "more is not covered" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_expired_model_does_not_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No gateway would let it score any more, so nobody should publish it."""
    made = bundles.make(tmp_path, {**bundles.passport(), "expires": "2026-01-03"})

    assert run("verify", made.path) == 1
    assert "small 1.0.0 expired on 2026-01-03" in capsys.readouterr().err
