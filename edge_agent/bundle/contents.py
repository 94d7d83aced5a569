"""Every file of a bundle, read once, checked, and held in memory.

What was hashed is what is used: the model's session is made from the bytes read
here, so a file that changes on disk afterwards changes nothing. A file the passport
has no hash of is never opened.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.allowed import check_model
from edge_agent.bundle.folders import PASSPORT_FILE
from edge_agent.bundle.golden import GoldenRows, read_golden
from edge_agent.bundle.passport import parse, passport_bytes
from edge_agent.bundle.reading import read_plain
from edge_agent.bundle.reference import Reference, read_reference
from edge_agent.bundle.tensors import check_external
from edge_agent.bundle.usual import normal, ranges
from edge_agent.errors import ModelRejected
from edge_agent.explain import Usual

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.bundle.passport import Passport

_MAX_FILE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model that is what its passport says, as far as can be told without running it.

    Attributes:
        path: its folder.
        passport: what it says about itself.
        digest: SHA-256 over all its files, passport included; names it for good.
        model: the bytes of the ONNX file.
        golden: rows to check it with.
        reference: the training data's profile.
        external: files that the ONNX file keeps weights in: name -> bytes; mostly
            none. The name is the location that the ONNX file says.
    """

    path: Path
    passport: Passport
    digest: str
    model: bytes
    golden: GoldenRows
    reference: Reference
    external: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def sha8(self) -> str:
        """First eight digits of the digest, as SCADA shows them."""
        return self.digest[:8]

    def usual(
        self,
        roles: Sequence[str],
        renamed: Mapping[str, str],
        contexts: Sequence[str] = (),
    ) -> Usual:
        """What explanations need, for an asset type's roles.

        Args:
            roles: the asset type's roles in order.
            renamed: passport tag -> role, where they differ.
            contexts: the pipeline's, in order.

        Raises:
            ModelRejected: the asset type lacks a tag of the model.
        """
        place = {role: position for position, role in enumerate(roles)}
        named = {
            renamed.get(tag, tag): (tag, f) for tag, f in self.passport.tags.items()
        }
        if lacking := sorted(set(named) - set(place)):
            raise ModelRejected(
                f"{self.passport.name} needs {', '.join(lacking)}; the asset type has "
                f"{', '.join(roles)}: add the tags or name them under roles"
            )
        features = self.passport.features
        return Usual(
            labels=tuple(named[r][1].label or r if r in named else r for r in roles),
            units=tuple(named[r][1].unit if r in named else "" for r in roles),
            role=np.array([place[renamed.get(f.tag, f.tag)] for f in features]),
            aggregates=tuple(f.aggregate for f in features),
            windows=tuple(f.window for f in features),
            low=self.reference.usual_low,
            high=self.reference.usual_high,
            mean=self.reference.mean,
            std=self.reference.std,
            contexts=ranges(self.reference, [f.name for f in features], contexts),
        )

    def normal(self, contexts: Sequence[str] = ()) -> NDArray[np.float32]:
        """What is put in a feature's place to see what it did to a score.

        Args:
            contexts: the pipeline's, in order.

        Returns:
            float32[contexts + 1, quantiles, features]; last of all rows.
        """
        names = [feature.name for feature in self.passport.features]
        return normal(self.reference, names, contexts)


def open_bundle(path: Path) -> Bundle:
    """Read and verify a bundle's folder.

    Raises:
        ModelRejected: a file is missing, changed or not what the passport says; the
            text names the file and the rule.
    """
    text = passport_bytes(path)
    passport = parse(text, path)
    try:
        files = {
            name: verified(path, name, passport) for name in sorted(passport.files)
        }
        external = _external(path, files, passport)
        golden = read_golden(files[passport.golden.file], passport)
        reference = read_reference(files[passport.reference], passport)
    except ModelRejected as error:
        raise ModelRejected(f"{path}: {error}") from error
    sums = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
    sums[PASSPORT_FILE] = hashlib.sha256(text).hexdigest()
    return Bundle(
        path,
        passport,
        bundle_digest(sums),
        files[passport.model.file],
        golden,
        reference,
        external,
    )


def bundle_digest(sums: dict[str, str]) -> str:
    """One SHA-256 for a bundle: over ``<sha256>  <file name>`` lines by name.

    Anyone can recompute it: ``ls | grep -vx model.sig | xargs sha256sum | LC_ALL=C
    sort -k2 | sha256sum``.
    """
    lines = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
    return hashlib.sha256(lines.encode()).hexdigest()


def verified(path: Path, name: str, passport: Passport) -> bytes:
    """One file of a bundle, if it is what the passport was made for.

    Raises:
        ModelRejected: it cannot be read, is too large, or is another file.
    """
    body = read_plain(path, name, _MAX_FILE_BYTES)
    found = hashlib.sha256(body).hexdigest()
    if found != passport.files[name]:
        raise ModelRejected(
            f"{name} is not the file the passport was made for: its SHA-256 is "
            f"{found[:16]}…, the passport says {passport.files[name][:16]}…; copy the "
            "bundle again"
        )
    return body


def _external(
    path: Path, files: Mapping[str, bytes], passport: Passport
) -> dict[str, bytes]:
    """Look into the graph; the files it keeps weights in."""
    file = passport.model.file
    try:
        facts = check_model(files[file], passport)
        for tensor in facts.external:
            check_external(tensor, files[tensor.location])
    except ModelRejected as error:
        raise ModelRejected(f"{file}: {error}") from error
    names = sorted({tensor.location for tensor in facts.external})
    for name in names:
        # what is loaded are the bytes that were hashed; but a file that is also
        # somebody else's is not what a bundle is made of
        if (path / name).stat().st_nlink > 1:
            raise ModelRejected(f"{name} is a hard link; copy the file into the bundle")
    return {name: files[name] for name in names}
