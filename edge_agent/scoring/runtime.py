"""The one place that imports ONNX Runtime, and how its sessions are set up.

Chosen by measuring 300 small models (RSS a model, after a run of 256 rows):

- no memory arena: each session's own keeps what its largest run took, 110 KB of a
  small autoencoder's 320 KB, and gains nothing measurable at any batch size;
- the model's bytes are let go: the Python session would hold them for its life;
- one thread a session and no pool: two made batches of 1024 rows twice as slow, and
  idle threads spin.

Optimisation stays at its default: less saves 33 KB a session, and a graph with
convolutions would pay for it in speed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

# onnxruntime 1.32 begins to collect usage data (a device id, an event queue in the
# home folder) when it is imported, and only this stops it; disable_telemetry_events()
# comes too late. Nothing leaves a plant that its operator did not configure.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.bundle.binding import Node

VERSION: str = ort.__version__


class RunOptions(Protocol):
    """What a run is handed; setting ``terminate`` stops it between two nodes."""

    terminate: bool


class SessionOptions(Protocol):
    """How a session is made."""

    def set_load_cancellation_flag(self, value: bool, /) -> None:
        """Give up the session that is being made with them."""
        ...

    def add_external_initializers_from_files_in_memory(
        self, names: Sequence[str], bodies: Sequence[bytes], sizes: Sequence[int], /
    ) -> None:
        """Where weights are that the graph keeps in files."""
        ...


class Session(Protocol):
    """A loaded model."""

    def run(
        self,
        names: Sequence[str],
        feed: Mapping[str, NDArray[Any]],
        options: RunOptions | None = None,
        /,
    ) -> Sequence[Any]:
        """Outputs by name; arrays, of a graph that is what it should be."""
        ...

    def get_inputs(self) -> Sequence[Node]:
        """What it is fed."""
        ...

    def get_outputs(self) -> Sequence[Node]:
        """What it gives."""
        ...


def run_options() -> RunOptions:
    """Options of a run that nothing has stopped yet."""
    made: RunOptions = ort.RunOptions()
    return made


def session_options(threads: int) -> SessionOptions:
    """Options of a session that shares the machine with hundreds of others.

    Args:
        threads: of one run; 1 starts none.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 4  # what goes wrong is raised, and reported once
    made: SessionOptions = options
    return made


def open_session(
    model: bytes, external: Mapping[str, bytes], options: SessionOptions
) -> Session:
    """A session from bytes that were hashed; no path is followed.

    Args:
        model: the ONNX file.
        external: the files its weights lie in, by the location the graph names.
        options: see `session_options`.

    Raises:
        Exception: the runtime's own kinds, which have no root.
    """
    # without a table it reads what the graph names from the working folder, in 1.32
    # too; with one, a name that is not in it is refused (but not in inner graphs:
    # `bundle.contents` has let none of those through)
    table = {"": b"", **external}
    sizes = [len(body) for body in table.values()]
    options.add_external_initializers_from_files_in_memory(
        list(table), list(table.values()), sizes
    )
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # it keeps them for a fallback to other hardware, which there is none of
    session.disable_fallback()
    session._model_bytes = None  # noqa: SLF001
    made: Session = session
    return made
