"""The bundle's folder: written apart, opened as a gateway would, then put in place."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.writing import write_bundle
from edge_agent.errors import ModelRejected
from edge_agent.publish import card
from edge_agent.publish.drafting import passport_text
from edge_agent.scoring import OnnxScorer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.passport import Passport
    from edge_agent.publish.asking import Statement
    from edge_agent.publish.description import Description
    from edge_agent.publish.proving import Proof


def place(out: Path, told: Description, *, overwrite: bool) -> Path:
    """Folder of the version, which must be free.

    Raises:
        ModelRejected: it is there already and may not be replaced.
    """
    folder = out / told.name / told.version
    if folder.exists() and not overwrite:
        raise ModelRejected(
            f"{folder} is there already. A version never changes once a gateway may "
            "have it: raise the version, or overwrite=True while nobody has it"
        )
    return folder


def ship(
    folder: Path, told: Description, said: Statement, proof: Proof
) -> tuple[Bundle, str]:
    """Write a bundle, prove it once more as a gateway does, and put it in place.

    Returns:
        The bundle and its card.

    Raises:
        ModelRejected: a gateway would refuse it.
    """
    text = passport_text(
        told, said, proof.converted, proof.training, proof.reference, proof.findings
    )
    with _apart(folder) as scratch:
        write = partial(
            write_bundle,
            scratch,
            text,
            model=proof.converted.model,
            training=proof.training.values,
            golden_inputs=proof.golden.inputs,
            golden_outputs=proof.golden.outputs,
            reference=proof.reference,
        )
        written = _card(write().passport, proof)
        made = write(more={card.FILE: written.encode()})
        OnnxScorer(made)
        _into_place(made.path, folder)
    return open_bundle(folder), written


def _card(passport: Passport, proof: Proof) -> str:
    found = proof.findings
    near = (
        proof.parity.sentence()
        if proof.parity is not None
        else "There was no source model to compare with: golden rows hold what the "
        "graph itself gives."
    )
    return card.written(
        passport,
        proof.reference,
        source=proof.converted.source,
        made=[
            *proof.converted.notes,
            near,
            proof.cost.sentence(),
            proof.gain.sentence() if proof.gain else "",
        ],
        quality=[found.reached.sentence()] if found.reached else [],
    )


@contextmanager
def _apart(folder: Path) -> Iterator[Path]:
    """A folder on the same disk that is gone afterwards."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _into_place(made: Path, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    made.replace(folder)
