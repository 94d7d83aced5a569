"""Whose signatures count, and whose no longer."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.bundle import keys
from edge_agent.bundle.envelope import sealed
from edge_agent.bundle.revocation import PAYLOAD_TYPE, RevokedKeys, revocation
from edge_agent.bundle.signing import SIGNATURE_FILE, sign, verify
from edge_agent.bundle.trust import Trust
from edge_agent.errors import ConfigError, ModelRejected
from tests.certificates import make_certificates
from tests.registry.signers import DAY, Signer, signer, write_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.bundle.revocation import Revocation

PEM = serialization.Encoding.PEM


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the keys of this module lie."""
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def old(place: Path) -> Signer:
    """The key in use so far."""
    return signer(place, "old")


@pytest.fixture(scope="module")
def new(place: Path) -> Signer:
    """The key that comes after it."""
    return signer(place, "new")


@pytest.fixture(scope="module")
def stranger(place: Path) -> Signer:
    """A key nobody here trusts."""
    return signer(place, "stranger")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to sign."""
    made = tmp_path / "bundle"
    made.mkdir()
    (made / "model.onnx").write_bytes(b"weights")
    return made


def public_pem(key: Any) -> bytes:  # noqa: ANN401
    """A private key's other half, of any kind."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    text: bytes = key.public_key().public_bytes(PEM, form)
    return text


def test_any_trusted_key_may_have_signed(
    folder: Path, old: Signer, new: Signer, stranger: Signer
) -> None:
    """While keys change over both count; a third does not, and the text names it."""
    both = Trust.load([old.public, new.public])

    for one in (old, new):
        sign(folder, one.key)
        assert verify(folder, both).key_id == one.id
    assert Trust.load([old.public, old.public]).keys.keys() == {old.id}
    sign(folder, stranger.key)
    with pytest.raises(
        ModelRejected, match=f"key {stranger.id[:16]}…, which is not trusted here"
    ):
        verify(folder, both)


def test_a_signature_that_names_no_key_is_tried_with_all(
    folder: Path, old: Signer, new: Signer, stranger: Signer
) -> None:
    """Older signatures have no hint; one of a stranger is still refused."""
    both = Trust.load([old.public, new.public])
    for one, fine in ((new, True), (stranger, False)):
        sign(folder, one.key)
        said = json.loads((folder / SIGNATURE_FILE).read_text())
        said["verificationMaterial"]["publicKey"] = {}
        (folder / SIGNATURE_FILE).write_text(json.dumps(said))
        if fine:
            assert verify(folder, both).key_id == one.id
        else:
            with pytest.raises(ModelRejected, match="not one of key"):
                verify(folder, both)


def test_whoever_claims_another_key_is_refused(
    folder: Path, old: Signer, new: Signer
) -> None:
    """The hint is only a hint: the signature must be that key's."""
    sign(folder, old.key)
    text = (folder / SIGNATURE_FILE).read_text().replace(old.id, new.id)
    (folder / SIGNATURE_FILE).write_text(text)

    with pytest.raises(ModelRejected, match=f"not one of key {new.id[:16]}…: "):
        verify(folder, Trust.load([old.public, new.public]))


def test_a_revoked_key_counts_no_more(
    folder: Path, tmp_path: Path, old: Signer, new: Signer
) -> None:
    """What it signed before is refused with day and reason; the other key signs on."""
    listed = write_list(tmp_path / "revoked.json", 3, new, old)
    trust = Trust.load([old.public, new.public], listed)

    sign(folder, old.key)
    with pytest.raises(
        ModelRejected,
        match=f"key {old.id[:16]}…, revoked on 2026-05-01: laptop stolen; have it",
    ):
        verify(folder, trust)
    sign(folder, new.key)
    assert verify(folder, trust).key_id == new.id
    assert trust.revoked.number == 3
    assert Trust.load([new.public]).revoked.number == 0


def test_a_revoked_key_is_found_without_its_hint(
    folder: Path, tmp_path: Path, old: Signer, new: Signer
) -> None:
    """Leaving out whose signature it is does not help."""
    listed = write_list(tmp_path / "revoked.json", 3, new, old)
    sign(folder, old.key)
    text = (folder / SIGNATURE_FILE).read_text().replace(f'"hint":"{old.id}"', "")
    (folder / SIGNATURE_FILE).write_text(text)

    with pytest.raises(ModelRejected, match="revoked on 2026-05-01"):
        verify(folder, Trust.load([old.public, new.public], listed))


def test_with_every_key_revoked_everything_is_refused_and_says_so(
    folder: Path, tmp_path: Path, old: Signer, new: Signer
) -> None:
    """A key may revoke itself, but not in silence."""
    sign(folder, old.key)
    alone = write_list(tmp_path / "alone.json", 1, old, old)
    with pytest.raises(ModelRejected, match="every trusted key is revoked") as caught:
        verify(folder, Trust.load([old.public], alone))
    assert "laptop stolen" in str(caught.value)
    assert "add a new public key" in str(caught.value)

    both = write_list(tmp_path / "both.json", 1, old, old, new)
    trust = Trust.load([old.public, new.public], both)
    with pytest.raises(ModelRejected, match="every trusted key is revoked"):
        verify(folder, trust)
    assert trust.with_list(both) is trust


def test_a_list_that_was_accepted_is_accepted_again(
    folder: Path, tmp_path: Path, old: Signer, new: Signer
) -> None:
    """Its own signer is on it: what the gateway kept must not turn against it."""
    sign(folder, new.key)
    listed = write_list(tmp_path / "revoked.json", 1, old, old)
    keys, seen = [old.public, new.public], tmp_path / "seen.json"
    Trust.load(keys, listed, seen).keep(seen)

    again = Trust.load(keys, listed, seen)

    assert verify(folder, again).key_id == new.id
    assert list(again.revoked.keys) == [old.id]


def test_a_list_must_be_signed_by_a_trusted_key(
    tmp_path: Path, old: Signer, stranger: Signer
) -> None:
    """Else anybody could take keys away."""
    listed = write_list(tmp_path / "revoked.json", 1, stranger, old)

    with pytest.raises(ModelRejected, match="not trusted here"):
        Trust.load([old.public], listed)


def test_a_model_is_no_list_and_a_list_no_model(
    folder: Path, tmp_path: Path, old: Signer
) -> None:
    """The kind of text is part of what is signed."""
    listed = write_list(tmp_path / "revoked.json", 1, old)
    sign(folder, old.key)
    signature = json.loads((folder / SIGNATURE_FILE).read_text())
    model = signature["dsseEnvelope"]

    with pytest.raises(ModelRejected, match=r"signs 'application/vnd.in-toto\+json'"):
        Trust.load([old.public], put(tmp_path / "x", model))
    renamed = {**model, "payloadType": PAYLOAD_TYPE}
    with pytest.raises(ModelRejected, match="not one of key"):
        Trust.load([old.public], put(tmp_path / "x", renamed))
    signature["dsseEnvelope"] = json.loads(listed.read_text())
    put(folder / SIGNATURE_FILE, signature)
    with pytest.raises(ModelRejected, match="revoked-keys"):
        verify(folder, Trust.load([old.public]))


def put(path: Path, value: object) -> Path:
    """JSON in a file."""
    path.write_text(json.dumps(value))
    return path


def test_a_list_that_takes_something_back_is_refused(
    tmp_path: Path, old: Signer, new: Signer
) -> None:
    """Lower number, a key missing, or another list of the same number."""
    third, seen = "3" * 64, tmp_path / "seen.json"
    paths = [old.public, new.public]
    Trust.load(paths, write_list(tmp_path / "a", 5, new, third)).keep(seen)

    assert Trust.load(paths, None, seen).revoked.number == 5
    assert Trust.load(paths, tmp_path / "a", seen).revoked.number == 5
    with pytest.raises(ModelRejected, match="list 4, older than list 5"):
        Trust.load(paths, write_list(tmp_path / "b", 4, new, third), seen)
    with pytest.raises(ModelRejected, match="no longer revokes key 3333"):
        Trust.load(paths, write_list(tmp_path / "c", 6, new, old), seen)
    with pytest.raises(ModelRejected, match="same number 5"):
        Trust.load(paths, write_list(tmp_path / "d", 5, new, third, old), seen)
    later = Trust.load(paths, write_list(tmp_path / "e", 6, new, third, old), seen)
    assert later.revoked.keys.keys() == {third, old.id}


def test_a_revoked_key_cannot_sign_the_next_list(
    tmp_path: Path, old: Signer, new: Signer
) -> None:
    """A thief would leave himself out of it and revoke the others."""
    paths, seen = [old.public, new.public], tmp_path / "seen.json"
    Trust.load(paths, write_list(tmp_path / "a", 1, new, old), seen).keep(seen)

    for gone in ((new,), (new, old), ()):
        stolen = write_list(tmp_path / "b", 9, old, *gone)
        with pytest.raises(ModelRejected, match=r"signed by key .*, revoked on"):
            Trust.load(paths, stolen, seen)


def test_a_kept_list_outlives_the_key_that_signed_it(
    folder: Path, tmp_path: Path, old: Signer, new: Signer, stranger: Signer
) -> None:
    """Its signer may be retired; what it revoked stays revoked."""
    seen = tmp_path / "seen.json"
    listed = write_list(tmp_path / "a", 1, old, stranger)
    Trust.load([old.public, new.public], listed).keep(seen)
    sign(folder, stranger.key)

    trust = Trust.load([new.public, stranger.public], None, seen)

    with pytest.raises(ModelRejected, match="revoked on"):
        verify(folder, trust)


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"[]", b"[" * 100_000])
def test_a_damaged_list_is_never_passed_over(
    body: bytes, tmp_path: Path, old: Signer
) -> None:
    """Neither the operator's nor our own copy: without it thieves would count."""
    damaged = tmp_path / "revoked.json"
    damaged.write_bytes(body)

    with pytest.raises(ModelRejected, match=str(damaged)):
        Trust.load([old.public], damaged)
    with pytest.raises(ModelRejected, match=str(damaged)):
        Trust.load([old.public], None, damaged)


def test_a_list_that_is_missing_or_unreadable(tmp_path: Path, old: Signer) -> None:
    """The operator's is named with a remedy; our own may not have been made yet."""
    with pytest.raises(ConfigError, match=r"no list of revoked keys at .*none\.json"):
        Trust.load([old.public], tmp_path / "none.json")
    with pytest.raises(ConfigError, match="cannot be read: is a directory"):
        Trust.load([old.public], tmp_path)
    assert Trust.load([old.public], None, tmp_path / "none.json").revoked.number == 0
    Trust.load([old.public]).keep(tmp_path / "none.json")
    assert not (tmp_path / "none.json").exists()


ENTRY = {"key": "a" * 64, "on": "2026-05-01", "reason": "lost"}


@pytest.mark.parametrize(
    "payload",
    [
        {"number": 0, "revoked": []},
        {"number": 2**53 + 1, "revoked": []},
        {"number": "1", "revoked": []},
        {"number": 1.0, "revoked": []},
        {"number": True, "revoked": []},
        {"number": 1},
        {"number": 1, "revoked": [], "more": 1},
        {"number": 1, "revoked": [ENTRY, ENTRY]},
        {"number": 1, "revoked": [{**ENTRY, "key": "A" * 64}]},
        {"number": 1, "revoked": [{**ENTRY, "key": "a" * 64 + "\n"}]},
        {"number": 1, "revoked": [{**ENTRY, "on": "yesterday"}]},
        {"number": 1, "revoked": [{**ENTRY, "reason": ""}]},
        {"number": 1, "revoked": [{**ENTRY, "reason": "x" * 201}]},
        {"number": 1, "revoked": [{**ENTRY, "reason": "a\nERROR b"}]},
        {"number": 1, "revoked": [{**ENTRY, "reason": "\ud800"}]},
        {"number": 1, "revoked": [{**ENTRY, "key": f"{n:064}"} for n in range(1001)]},
    ],
)
def test_a_list_says_what_a_list_may_say(
    payload: object, tmp_path: Path, old: Signer
) -> None:
    """A trusted signature does not make a wrong list right."""
    body = sealed(json.dumps(payload).encode(), PAYLOAD_TYPE, old.key, old.id)
    said = {
        "payload": body.payload,
        "payloadType": body.payload_type,
        "signatures": [{"sig": body.signatures[0].sig, "keyid": old.id}],
    }

    with pytest.raises(ModelRejected, match=r"x[ :]") as caught:
        Trust.load([old.public], put(tmp_path / "x", said))
    assert str(caught.value).isprintable()


@given(data=st.data())
@settings(max_examples=200)
def test_a_changed_byte_makes_a_list_worthless(
    data: st.DataObject, place: Path, old: Signer, new: Signer
) -> None:
    """Wherever it is in the file."""
    path = write_list(place / "flipped", 1, new, old)
    body = bytearray(path.read_bytes()[:-1])  # the line feed at the end says nothing
    at = data.draw(st.integers(0, 9999)) % len(body)  # signatures differ in length
    body[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(body))

    with pytest.raises(ModelRejected):
        Trust.load([old.public, new.public], path)


@given(body=st.binary(max_size=300))
def test_random_bytes_are_no_list(body: bytes, place: Path, old: Signer) -> None:
    """Whatever lies there is refused in a sentence, never in a stack trace."""
    path = place / "random"
    path.write_bytes(body)

    with pytest.raises(ModelRejected):
        Trust.load([old.public], path)


def wrong_keys(folder: Path) -> dict[str, tuple[bytes, str]]:
    """What operators put in place of a public key, and what they are told."""
    ours = ec.generate_private_key(ec.SECP256R1())
    private = ours.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "private": (private, "is a private key: it must stay with whoever signs"),
        "ed25519": (
            public_pem(ed25519.Ed25519PrivateKey.generate()),
            "is an Ed25519 key; model signatures take ECDSA on P-256 or P-384; make",
        ),
        "rsa": (public_pem(rsa.generate_private_key(65537, 2048)), "is an RSA key"),
        "p521": (
            public_pem(ec.generate_private_key(ec.SECP521R1())),
            "is an ECDSA key on secp521r1",
        ),
        "certificate": (
            make_certificates(folder).client.read_bytes(),
            "is a certificate; take the public key out of it: openssl x509",
        ),
        "two": (public_pem(ours) * 2, "holds several keys"),
        "empty": (b"", "is not a public key in PEM; make a pair with: edge-agent"),
        "torn": (public_pem(ours)[:90], "is not a public key in PEM"),
        "der": (base64.b64decode(public_pem(ours).split(b"-----")[2]), "not a public"),
        "large": (b" " * 70_000, "larger than 65536 bytes"),
    }


def test_a_file_that_is_no_public_key_is_named_with_a_remedy(tmp_path: Path) -> None:
    """Private by mistake, another kind, another file altogether, several in one."""
    for name, (body, said) in wrong_keys(tmp_path / "ca").items():
        path = tmp_path / name
        path.write_bytes(body)
        with pytest.raises(ConfigError, match=f"^{path} .*{said}"):
            Trust.load([path])
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        Trust.load([tmp_path / "none.pub"])
    with pytest.raises(ConfigError, match="no trusted key is given"):
        Trust.load([])


def test_a_private_key_comes_back_from_its_files(tmp_path: Path) -> None:
    """With and without a passphrase, readable by its owner only; never replaced."""
    key = keys.made()
    files = tmp_path / "plant.key", tmp_path / "plant.pub"
    keys.write_pair(*files, key, "sesame")

    found = keys.load_private(files[0], "sesame")

    assert keys.key_id(found.public_key()) == keys.key_id(key.public_key())
    assert Trust.load([files[1]]).keys.keys() == {keys.key_id(key.public_key())}
    assert files[0].stat().st_mode & 0o777 == 0o600
    before = [path.read_bytes() for path in files]
    with pytest.raises(ConfigError, match="exists and is not replaced"):
        keys.write_pair(*files, keys.made())
    files[1].unlink()
    with pytest.raises(ConfigError, match=r"plant.key exists"):
        keys.write_pair(*files, keys.made())
    assert files[0].read_bytes() == before[0]
    assert not files[1].exists()
    with pytest.raises(ConfigError, match="cannot write"):
        keys.write_pair(tmp_path / "no" / "a", tmp_path / "no" / "b", key)


def closed(path: Path) -> Path:
    """The file for its owner only."""
    path.chmod(0o600)
    return path


def opened(path: Path, one: Signer) -> Path:
    """A private key that everybody can read."""
    path.write_bytes(one.private.read_bytes())
    path.chmod(0o644)
    return path


def torn(path: Path, one: Signer) -> Path:
    """Half a private key."""
    path.write_bytes(one.private.read_bytes()[:100])
    return closed(path)


def locked(path: Path) -> Path:
    """A private key behind a passphrase."""
    keys.write_pair(path, path.with_suffix(".pub"), keys.made(), "sesame")
    return path


def edwards(path: Path) -> Path:
    """A private key of another kind."""
    form = serialization.PrivateFormat.PKCS8
    key = ed25519.Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(PEM, form, serialization.NoEncryption()))
    return closed(path)


WRONG_PRIVATE: dict[str, tuple[Callable[[Path, Signer], Path], str | None, str]] = {
    "public": (lambda _, one: one.public, None, "is not a private key in PEM"),
    "open": (opened, None, "run: chmod o-rwx"),
    "no passphrase wanted": (lambda _, one: one.private, "x", "has no passphrase"),
    "torn": (torn, None, "cannot be read: damaged"),
    "passphrase missing": (lambda path, _: locked(path), None, "--passphrase-file"),
    "passphrase wrong": (lambda path, _: locked(path), "x", "passphrase is wrong"),
    "ed25519": (lambda path, _: edwards(path), None, "is an Ed25519 key"),
    "none": (lambda path, _: path, None, "cannot be read: no such file"),
}


@pytest.mark.parametrize("what", WRONG_PRIVATE)
def test_a_file_that_cannot_sign_is_named_with_a_remedy(
    what: str, tmp_path: Path, old: Signer
) -> None:
    """The other half, open to everyone, locked, torn, another kind."""
    make, passphrase, said = WRONG_PRIVATE[what]
    path = make(tmp_path / "k.key", old)

    with pytest.raises(ConfigError, match=said) as caught:
        keys.load_private(path, passphrase)
    assert str(path) in str(caught.value)


def test_the_next_list_has_all_that_was_on_the_last(old: Signer, new: Signer) -> None:
    """A key that is on it already keeps its day and reason."""
    first = RevokedKeys().with_one(entry(old, "stolen"))
    second = first.with_one(entry(new, "lost")).with_one(entry(old, "again"))

    assert second.number == 3
    assert [e.reason for e in second.keys.values()] == ["stolen", "lost"]
    second.check_follows(first, "x")


def entry(one: Signer, reason: str) -> Revocation:
    """An entry of a list."""
    return revocation(one.id, DAY, reason)
