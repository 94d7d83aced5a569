"""What a model's signature vouches for, held against the OpenSSF program."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.bundle import keys, statement, tree
from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.envelope import pae, sealed
from edge_agent.bundle.signing import SIGNATURE_FILE, Signed, sign, verify
from edge_agent.bundle.trust import Trust
from edge_agent.errors import ModelRejected
from tests import peers
from tests.model import bundles
from tests.registry.signers import Signer, signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Json = dict[str, Any]

FILES = {
    "d.txt": b"sorts after the folder d",
    "d/b.bin": b"\x00" * 40,
    "model.onnx": b"weights",
    "größe.txt": b"12",
    "passport.yaml": b"passport: 1\n",
}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """The key that signs here."""
    return signer(tmp_path_factory.mktemp("keys"), "plant")


@pytest.fixture(scope="module")
def trust(plant: Signer) -> Trust:
    """Trust in that key."""
    return Trust.load([plant.public])


def write(folder: Path) -> Path:
    """`FILES` in a folder."""
    for name, body in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


@pytest.fixture
def folder(tmp_path: Path, plant: Signer) -> Path:
    """A signed folder, and a file beside it."""
    (tmp_path / "beside").write_bytes(b"beside")
    made = write(tmp_path / "pump-1.0.0")
    sign(made, plant.key)
    return made


def reference(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the OpenSSF program."""
    command = [str(peers.require("model_signing")), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=25, check=False
    )


def reference_signs(folder: Path, one: Signer) -> None:
    """Its ``sign key``, the signature inside the folder."""
    key = ("--private_key", one.private)
    ran = reference("sign", "key", folder, "--signature", folder / SIGNATURE_FILE, *key)
    assert ran.returncode == 0, ran.stderr


def reference_verifies(folder: Path, one: Signer, *more: str) -> bool:
    """Its ``verify key``."""
    named = ("--signature", folder / SIGNATURE_FILE, "--public_key", one.public)
    return reference("verify", "key", folder, *named, *more).returncode == 0


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_the_reference_accepts_ours(curve: ec.EllipticCurve, tmp_path: Path) -> None:
    """As it is by default and when it ignores nothing; a change it refuses."""
    one = signer(tmp_path, "one", curve)
    folder = write(tmp_path / "bundle")
    signed = sign(folder, one.key)

    assert signed.files.keys() == FILES.keys()
    assert reference_verifies(folder, one)
    assert reference_verifies(folder, one, "--no-ignore-git-paths")
    (folder / "d" / "b.bin").write_bytes(b"other")
    assert not reference_verifies(folder, one)


def test_the_reference_accepts_ours_as_a_library(folder: Path, plant: Signer) -> None:
    """There nobody tells it what to ignore: it reads that from the statement."""
    code = (
        "import sys, model_signing as m\n"
        "c = m.verifying.Config().use_elliptic_key_verifier(public_key=sys.argv[3])\n"
        "c.verify(sys.argv[1], sys.argv[2])\n"
    )
    places = (folder, folder / SIGNATURE_FILE, plant.public)
    command = [str(peers.require("python")), "-c", code, *map(str, places)]

    ran = subprocess.run(command, capture_output=True, timeout=25, check=False)

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_we_accept_the_references(curve: ec.EllipticCurve, tmp_path: Path) -> None:
    """The same key id, the same files; and what we write is what it writes."""
    one = signer(tmp_path, "one", curve)
    folder = write(tmp_path / "bundle")
    reference_signs(folder, one)
    theirs = inside(folder)

    signed = verify(folder, Trust.load([one.public]))

    assert signed.key_id == one.id
    assert signed.files == sign(folder, one.key).files
    ours = inside(folder)
    ignored = theirs["predicate"]["serialization"].pop("ignore_paths")
    assert set(ignored) >= set(ours["predicate"]["serialization"].pop("ignore_paths"))
    assert ours == theirs


def inside(folder: Path) -> Json:
    """The statement in a folder's signature."""
    found = json.loads((folder / SIGNATURE_FILE).read_text())
    statement: Json = json.loads(base64.b64decode(found["dsseEnvelope"]["payload"]))
    return statement


@pytest.mark.parametrize("name", [".git/hooks/x", ".gitignore", ".github/x"])
def test_what_the_reference_ignores_is_refused(
    name: str, tmp_path: Path, plant: Signer, trust: Trust
) -> None:
    """Its statement says that git's files are left out; we leave out nothing."""
    folder = write(tmp_path / "bundle")
    reference_signs(folder, plant)
    verify(folder, trust)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x")

    assert reference_verifies(folder, plant)
    with pytest.raises(ModelRejected, match=f"{name} is not covered by the signature"):
        verify(folder, trust)


def edit(name: str, body: bytes = b"other") -> Callable[[Path], None]:
    """Write a file, new or there already."""

    def tamper(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)

    return tamper


def renamed(folder: Path) -> None:
    """The same bytes under another name."""
    (folder / "model.onnx").rename(folder / "model2.onnx")


def swapped(folder: Path) -> None:
    """Two files change places."""
    (folder / "model.onnx").rename(folder / "x")
    (folder / "d.txt").rename(folder / "model.onnx")
    (folder / "x").rename(folder / "d.txt")


def linked(folder: Path) -> None:
    """The same bytes, but through a link."""
    (folder / "model.onnx").rename(folder.parent / "model.onnx")
    (folder / "model.onnx").symlink_to(folder.parent / "model.onnx")


def hard_linked(folder: Path) -> None:
    """The same bytes, but with another name outside."""
    (folder.parent / "model.onnx").hardlink_to(folder / "model.onnx")


def moved(folder: Path) -> None:
    """A folder that is a link to itself elsewhere."""
    (folder / "d").rename(folder.parent / "d")
    (folder / "d").symlink_to(folder.parent / "d")


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "changed": (edit("model.onnx"), "model.onnx was changed after signing"),
    "changed below": (edit("d/b.bin"), "d/b.bin was changed after signing"),
    "emptied": (edit("model.onnx", b""), "model.onnx was changed after signing"),
    "longer": (edit("model.onnx", b"weights\n"), "model.onnx was changed"),
    "passport": (edit("passport.yaml"), "passport.yaml was changed"),
    "added": (edit("more.bin"), "more.bin is not covered by the signature"),
    "added below": (edit("d/more.bin"), "d/more.bin is not covered"),
    "git": (edit(".git/x"), ".git/x is not covered by the signature"),
    "gitignore": (edit(".gitignore"), ".gitignore is not covered"),
    "signature below": (edit("d/model.sig"), "d/model.sig is not covered"),
    "missing": (lambda f: (f / "d.txt").unlink(), "d.txt was signed and is missing"),
    "folder missing": (lambda f: shutil.rmtree(f / "d"), "d/b.bin was signed and is"),
    "renamed": (renamed, "model.onnx was signed and is missing; model2.onnx is not"),
    "swapped": (swapped, "d.txt, model.onnx was changed after signing"),
    "link": (linked, "model.onnx is a symbolic link"),
    "link added": (lambda f: (f / "l").symlink_to("d.txt"), "l is a symbolic link"),
    "hard link": (hard_linked, "model.onnx is a hard link"),
    "folder link": (moved, "d is a symbolic link"),
    "pipe": (lambda f: os.mkfifo(f / "p"), "p is a pipe"),
    "case": (edit("Model.onnx"), "one name on some systems"),
    "signature's case": (edit("MODEL.SIG"), "one name on some systems"),
    "unsigned": (lambda f: (f / SIGNATURE_FILE).unlink(), "has no model.sig: it is"),
    "no signature": (edit(SIGNATURE_FILE, b""), "is not readable JSON"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_any_change_is_refused(what: str, folder: Path, trust: Trust) -> None:
    """Every file but the signature itself must be there, as it was signed."""
    tamper, said = TAMPERED[what]
    assert verify(folder, trust).files.keys() == FILES.keys()
    tamper(folder)

    with pytest.raises(ModelRejected, match=said) as caught:
        verify(folder, trust)
    assert str(caught.value).startswith(str(folder))


def test_a_signature_may_not_be_a_link(folder: Path, trust: Trust) -> None:
    """It is read with the same care as everything else."""
    (folder / SIGNATURE_FILE).rename(folder.parent / SIGNATURE_FILE)
    (folder / SIGNATURE_FILE).symlink_to(folder.parent / SIGNATURE_FILE)

    with pytest.raises(ModelRejected, match=r"model.sig is a symbolic link"):
        verify(folder, trust)


def test_the_folder_may_have_another_name(folder: Path, trust: Trust) -> None:
    """The name in the signature is a label: registries call folders as they like."""
    moved = folder.rename(folder.with_name("staging-42"))

    assert verify(moved, trust).files.keys() == FILES.keys()


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, plant: Signer) -> Path:
    """A signed folder for those who put everything back."""
    made = write(tmp_path_factory.mktemp("still") / "bundle")
    sign(made, plant.key)
    return made


@given(data=st.data())
@settings(max_examples=300)
def test_a_changed_byte_anywhere_is_refused(
    data: st.DataObject, still: Path, trust: Trust
) -> None:
    """In any file, in the signature, at any place."""
    name = data.draw(st.sampled_from([*FILES, SIGNATURE_FILE, SIGNATURE_FILE]))
    before = (still / name).read_bytes()
    body = bytearray(before)
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    (still / name).write_bytes(bytes(body))
    try:
        with pytest.raises(ModelRejected):
            verify(still, trust)
    finally:
        (still / name).write_bytes(before)
    assert verify(still, trust).files.keys() == FILES.keys()


def put(folder: Path, said: Json) -> None:
    """A signature file."""
    (folder / SIGNATURE_FILE).write_text(json.dumps(said))


def forge(folder: Path, payload: bytes, one: Signer) -> None:
    """Any text at all, signed by a trusted key."""
    said = json.loads((folder / SIGNATURE_FILE).read_text())
    made = sealed(payload, statement.PAYLOAD_TYPE, one.key)
    said["dsseEnvelope"] = msgspec.to_builtins(made)
    put(folder, said)


def at(said: Json, path: str, value: object) -> None:
    """Put a value at ``a.0.b``; `...` removes what is there."""
    *steps, last = path.split(".")
    inner: Any = said
    for step in steps:
        inner = inner[int(step) if isinstance(inner, list) else step]
    place = int(last) if isinstance(inner, list) else last
    if value is ...:
        del inner[place]
    else:
        inner[place] = value


SIGNATURE = "dsseEnvelope.signatures"
WRONG_BUNDLE: list[tuple[str, object, str]] = [
    ("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1", "enum"),
    ("mediaType", ..., "missing required field `mediaType`"),
    ("mediaType", 3, "Expected `str`, got `int`"),
    ("more", 1, "unknown field `more`"),
    ("a\nb", 1, r"unknown field `a\nb`"),
    ("verificationMaterial", [], "Expected `object`, got `array`"),
    ("verificationMaterial.publicKey", ..., "not made with a key"),
    ("verificationMaterial.publicKey", None, "got `null`"),
    ("verificationMaterial.publicKey.hint", 1, "Expected `str`"),
    ("verificationMaterial.publicKey.hint", "\ud800\n", "is not trusted here"),
    ("verificationMaterial.publicKey.hint", "0" * 64, "is not trusted here"),
    ("verificationMaterial.tlogEntries", {}, "Expected `array`"),
    ("dsseEnvelope", ..., "missing required field `dsseEnvelope`"),
    ("dsseEnvelope.payload", "", "not one of key"),
    ("dsseEnvelope.payload", "e30", "payload is not base64"),
    ("dsseEnvelope.payload", "e31=", "payload is not base64"),
    ("dsseEnvelope.payload", "e3\n0=", "payload is not base64"),
    ("dsseEnvelope.payload", "\u00fc", "payload is not base64"),
    ("dsseEnvelope.payloadType", "text/plain", "signs 'text/plain'"),
    ("dsseEnvelope.payloadType", "application/vnd.in-toto+json ", "signs 'appl"),
    (SIGNATURE, [], "has 0 signatures"),
    (SIGNATURE, {}, "Expected `array`"),
    (f"{SIGNATURE}.0.sig", "", "not one of key"),
    (f"{SIGNATURE}.0.sig", "AAAA", "not one of key"),
    (f"{SIGNATURE}.0.sig", 1.5, "Expected `str`"),
    (f"{SIGNATURE}.0.cert", "x", "unknown field `cert`"),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG_BUNDLE)
def test_a_strange_signature_file_is_refused(
    path: str, value: object, said: str, folder: Path, trust: Trust
) -> None:
    """Other types, other versions, keys nobody knows, base64 with slack."""
    found = json.loads((folder / SIGNATURE_FILE).read_text())
    at(found, path, value)
    put(folder, found)

    with pytest.raises(ModelRejected) as caught:
        verify(folder, trust)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_two_signatures_are_refused(folder: Path, trust: Trust) -> None:
    """Who of the two would vouch? The format has one."""
    found = json.loads((folder / SIGNATURE_FILE).read_text())
    found["dsseEnvelope"]["signatures"] *= 2
    put(folder, found)

    with pytest.raises(ModelRejected, match="has 2 signatures; exactly one is taken"):
        verify(folder, trust)


def test_a_certificate_is_refused_in_a_sentence(folder: Path, trust: Trust) -> None:
    """Keyless and certificate signatures need a world a plant does not have."""
    found = json.loads((folder / SIGNATURE_FILE).read_text())
    found["verificationMaterial"] = {"certificate": {"rawBytes": "e30="}}
    put(folder, found)

    with pytest.raises(ModelRejected, match="was not made with a key, and nothing"):
        verify(folder, trust)


@pytest.mark.parametrize("body", [b"[" * 500_000, b'{"a":' * 100_000, b" " * 2**20])
def test_a_deep_or_empty_signature_file_is_refused(
    body: bytes, folder: Path, trust: Trust
) -> None:
    """Half a million brackets end in a sentence."""
    (folder / SIGNATURE_FILE).write_bytes(body)

    with pytest.raises(ModelRejected, match="is not readable JSON"):
        verify(folder, trust)


def test_a_huge_signature_file_is_not_read(folder: Path, trust: Trust) -> None:
    """More than a MiB is no signature, whatever it says."""
    with (folder / SIGNATURE_FILE).open("ab") as file:
        file.truncate(10 * 2**30)

    with pytest.raises(ModelRejected, match="larger than 1048576 bytes"):
        verify(folder, trust)


def test_a_key_given_twice_is_refused(folder: Path, trust: Trust) -> None:
    """The reference and we might read different ones of the two."""
    text = (folder / SIGNATURE_FILE).read_text()
    (folder / SIGNATURE_FILE).write_text('{"dsseEnvelope":1,' + text[1:])

    with pytest.raises(ModelRejected, match="'dsseEnvelope' is given twice"):
        verify(folder, trust)


HOW = "predicate.serialization"
FIRST = "predicate.resources.0"
WRONG_STATEMENT: list[tuple[str, object, str]] = [
    ("_type", "https://in-toto.io/Statement/v0.1", "Invalid enum value"),
    ("predicateType", "https://model_signing/Digests/v0.1", "Invalid enum value"),
    ("predicateType", "https://slsa.dev/provenance/v1", "Invalid enum value"),
    ("predicateType", ..., "missing required field"),
    ("subject", [], "length >= 1"),
    ("subject.0.digest.sha256", "0" * 64, "is signed for other files"),
    ("subject.0.digest", {"sha512": "0" * 128}, "missing required field `sha256`"),
    ("subject", [{"name": "a", "digest": {"sha256": "0" * 64}}] * 2, "length <= 1"),
    (f"{HOW}.method", "shards", "Invalid enum value 'shards'"),
    (f"{HOW}.hash_type", "blake3", "Invalid enum value 'blake3'"),
    (f"{HOW}.hash_type", ..., "missing required field"),
    (f"{HOW}.allow_symlinks", "false", "Expected `bool`"),
    (f"{HOW}.ignore_paths", ".git", "Expected `array`"),
    ("predicate.resources", {}, "Expected `array`"),
    ("predicate.resources", [], "is signed for other files"),
    (FIRST, ..., "is signed for other files"),
    (f"{FIRST}.algorithm", "md5", "Invalid enum value 'md5'"),
    (f"{FIRST}.digest", "0" * 64, "is signed for other files"),
    (f"{FIRST}.digest", "0" * 63, "matching regex"),
    (f"{FIRST}.digest", "A" * 64, "matching regex"),
    (f"{FIRST}.digest", "0" * 64 + "\n", "matching regex"),
    (f"{FIRST}.name", "/etc/passwd", "'/etc/passwd', which no bundle may hold"),
    (f"{FIRST}.name", "../beside", "'../beside', which no bundle may hold"),
    (f"{FIRST}.name", "d/../d.txt", "which no bundle may hold"),
    (f"{FIRST}.name", "./d.txt", "which no bundle may hold"),
    (f"{FIRST}.name", "", "which no bundle may hold"),
    (f"{FIRST}.name", "a\nb", "which no bundle may hold"),
    (f"{FIRST}.name", "\ud800", "which no bundle may hold"),
    (f"{FIRST}.name", SIGNATURE_FILE, "which no bundle may hold"),
    (f"{FIRST}.name", "d/B.bin", "d/b.bin is not covered"),
    (f"{FIRST}.name", "passport.yaml", "lists a file twice"),
    (f"{FIRST}.name", 7, "Expected `str`"),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG_STATEMENT)
def test_a_strange_statement_is_refused_even_when_signed(
    path: str, value: object, said: str, folder: Path, plant: Signer, trust: Trust
) -> None:
    """Another predicate, hash or subject, names that lead elsewhere or come twice."""
    found = inside(folder)
    at(found, path, value)
    forge(folder, json.dumps(found).encode(), plant)

    with pytest.raises(ModelRejected) as caught:
        verify(folder, trust)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_too_many_files_in_a_statement(
    folder: Path, plant: Signer, trust: Trust
) -> None:
    """More than a bundle may hold is not compared at all."""
    found = inside(folder)
    one = found["predicate"]["resources"][0]
    many = [{**one, "name": f"{number}"} for number in range(tree.MAX_FILES + 1)]
    found["predicate"]["resources"] = many
    forge(folder, json.dumps(found).encode(), plant)

    with pytest.raises(ModelRejected, match="length <= 256"):
        verify(folder, trust)


@pytest.mark.parametrize(
    "ignored", [["model.onnx"], ["."], [""], [".git", "more.bin"], ["d"]]
)
def test_what_a_statement_wants_ignored_is_not(
    ignored: list[str], folder: Path, plant: Signer, trust: Trust
) -> None:
    """``ignore_paths`` widens nothing, and neither does ``allow_symlinks``."""
    found = inside(folder)
    found["predicate"]["serialization"] |= {
        "ignore_paths": ignored,
        "allow_symlinks": True,
    }
    found["later"] = {"format": 2}  # the format lets its signer add keys
    forge(folder, json.dumps(found).encode(), plant)

    assert verify(folder, trust).files.keys() == FILES.keys()
    (folder / "more.bin").write_bytes(b"")
    with pytest.raises(ModelRejected, match=r"more.bin is not covered"):
        verify(folder, trust)


def test_the_encoding_before_signing_is_that_of_dsse() -> None:
    """The example of the protocol's own text."""
    assert (
        pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def old_encoding(payload: bytes) -> bytes:
    """What model-signing 0.2 signed by mistake; the reference still takes it."""
    kind = statement.PAYLOAD_TYPE
    return f"DSSEV1 {len(kind)} {kind} {len(payload)} {payload!r}".encode()


@pytest.mark.parametrize("encode", [old_encoding, bytes])
def test_a_signature_over_another_encoding_is_refused(
    encode: Callable[[bytes], bytes], folder: Path, plant: Signer, trust: Trust
) -> None:
    """Over the text alone, or over the encoding of 0.2."""
    found = json.loads((folder / SIGNATURE_FILE).read_text())
    payload = base64.b64decode(found["dsseEnvelope"]["payload"])
    made = base64.b64encode(keys.signature_of(plant.key, encode(payload))).decode()
    at(found, f"{SIGNATURE}.0.sig", made)
    put(folder, found)

    assert reference_verifies(folder, plant) == (encode is old_encoding)
    with pytest.raises(ModelRejected, match="not one of key"):
        verify(folder, trust)


@given(body=st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode)))
def test_random_bytes_are_no_signature(body: bytes, still: Path, trust: Trust) -> None:
    """Refused in a sentence, never in a stack trace."""
    with put_back(still):
        (still / SIGNATURE_FILE).write_bytes(body)
        with pytest.raises(ModelRejected):
            verify(still, trust)


class put_back:  # noqa: N801  (reads as a verb)
    """Restore a folder's signature at the end."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / SIGNATURE_FILE
        self._body = self._file.read_bytes()

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, *_: object) -> None:
        self._file.write_bytes(self._body)


def places(value: object, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Every place in a JSON value as ``a.0.b``."""
    inner: Any = value
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield ".".join((*above, str(key)))
            yield from places(inner[key], (*above, str(key)))


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from(["", "sha256", "files", "a" * 64, "0" * 64, "../x", "\ud800"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text("abcäé_-", min_size=1, max_size=5), inner),
    ),
    max_leaves=5,
)


def verdict(folder: Path, trust: Trust) -> Signed | str:
    """What was found, or why it was refused."""
    try:
        return verify(folder, trust)
    except ModelRejected as why:
        return str(why)


@given(data=st.data(), inner=st.booleans())
@settings(max_examples=400)
def test_a_mutated_signature_never_breaks_the_reader(
    data: st.DataObject, inner: bool, still: Path, plant: Signer, trust: Trust
) -> None:
    """In envelope or statement: refused, or it meant the same files all along."""
    outer = json.loads((still / SIGNATURE_FILE).read_text())
    found = inside(still) if inner else deepcopy(outer)
    for _ in range(data.draw(st.integers(1, 2))):
        there = sorted(places(found))  # a first change may have left nothing to change
        if not there:
            break
        path = data.draw(st.sampled_from(there))
        at(found, path, data.draw(st.one_of(VALUES, st.just(...))))
    with put_back(still):
        if inner:
            forge(still, json.dumps(found).encode(), plant)
        else:
            put(still, found)
        outcome = verdict(still, trust)
    if isinstance(outcome, str):
        assert outcome.isprintable()
    else:
        files = {n: s for n, s in tree.listed(still).items() if n != SIGNATURE_FILE}
        assert outcome == Signed(plant.id, files)


@given(payload=st.binary(max_size=300))
def test_a_signed_text_that_is_no_statement(
    payload: bytes, still: Path, plant: Signer, trust: Trust
) -> None:
    """A trusted key under random bytes vouches for nothing."""
    with put_back(still):
        forge(still, payload, plant)
        with pytest.raises(ModelRejected):
            verify(still, trust)


def test_signing_again_replaces_the_signature(
    folder: Path, plant: Signer, trust: Trust
) -> None:
    """After a change; what a power cut left of an earlier attempt is not covered."""
    (folder / ".model.sig.new").write_bytes(b"half a sig")
    (folder / "model.onnx").write_bytes(b"better weights")

    sign(folder, plant.key)

    assert verify(folder, trust).files.keys() == FILES.keys()
    assert not (folder / ".model.sig.new").exists()


def test_what_no_gateway_would_take_is_not_signed(
    folder: Path, tmp_path: Path, plant: Signer
) -> None:
    """A link in it, or nothing at all."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelRejected, match="holds no file"):
        sign(tmp_path / "empty", plant.key)
    before = (folder / SIGNATURE_FILE).read_bytes()
    (folder / "link").symlink_to("d.txt")
    with pytest.raises(ModelRejected, match="symbolic link"):
        sign(folder, plant.key)
    assert (folder / SIGNATURE_FILE).read_bytes() == before


def test_a_bundle_swapped_after_the_check_is_noticed(
    tmp_path: Path, plant: Signer, trust: Trust
) -> None:
    """Verified, swapped for another valid bundle, opened: not the same."""
    bundle = bundles.make(tmp_path / "models")
    (bundle.path / "MODEL_CARD.md").write_text("# Small\n")
    sign(bundle.path, plant.key)

    signed = verify(bundle.path, trust)
    signed.check_same(open_bundle(bundle.path))

    assert {"MODEL_CARD.md", "passport.yaml"} < signed.files.keys()
    assert open_bundle(bundle.path).digest == bundle.digest
    bundles.rewrite(bundle.path, lambda text: text.update(owner="Somebody Else"))
    with pytest.raises(ModelRejected, match="was changed after its signature"):
        signed.check_same(open_bundle(bundle.path))
