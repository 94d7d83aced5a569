"""Rows to scores: one ONNX Runtime call for all rows that are due.

A row with a number missing is not run and never yields a verdict; neither does one
whose output is not a finite number, or a call that fails. A model scores only after
its golden rows gave here what they gave where it was trained.

A row's score must not depend on which other rows were due with it, or a replay could
not give the same bits as live. Most graphs keep that by themselves; some do not (a
ReduceSum over 13 columns adds in another order at another memory alignment; one row
alone may take another matrix kernel). So it is tried out when the model is loaded, and
the way of running is chosen by what was seen, see `bundle.batching`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

# onnxruntime 1.32 begins to collect usage data (a device id, an event queue in the
# home folder) when it is imported, and only this stops it; disable_telemetry_events()
# comes too late. Nothing leaves a plant that its operator did not configure.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

from edge_agent.bundle.batching import BatchPlan
from edge_agent.bundle.binding import binding_problems, outputs_read, score_and_parts
from edge_agent.bundle.golden import difference
from edge_agent.errors import ModelRejected
from edge_agent.records import NoScore
from edge_agent.scores import Scores

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle
    from edge_agent.samples import F64

    F32 = NDArray[np.float32]

_PROBED_ROWS = 40
_PROBED_BATCHES = (1, 2, 3, 5, 8, 17)
_MATRIX = 2


class OnnxScorer:
    """A model, loaded and proven, that scores rows.

    Args:
        bundle: the model with its passport.
        threads: intra-op threads. One is right for rows of a plant: two made batches
            of 1024 twice as slow, and idle threads never spin.

    Raises:
        ModelRejected: the graph cannot be loaded, does not fit its passport or does
            not reproduce its golden rows.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        stated = bundle.passport.model
        self.bundle = bundle
        self.features = len(bundle.passport.features)
        self._outputs = stated.outputs
        self._input = stated.input
        probabilities = stated.outputs.probabilities
        self.classes: tuple[str, ...] = probabilities.classes if probabilities else ()
        self._session = _session(bundle, threads)
        _check_binding(self._session, bundle)
        self._wanted = outputs_read(stated.outputs)
        sizes = () if stated.batch == "dynamic" else tuple(sorted(set(stated.batch)))
        self._plan = BatchPlan(sizes)
        try:
            self.exact = self._settle_plan(
                sizes, stop_at_close=stated.replay == "close"
            )
        except Exception as error:
            raise ModelRejected(
                f"{bundle.path}: {stated.file} cannot run its golden rows: {error}"
            ) from error
        verify_golden(self, bundle)
        if not self.exact and stated.replay == "exact":
            raise ModelRejected(
                f"{bundle.path}: {stated.file} gives one row different scores from run "
                "to run; export it for inference (no dropout, no random operators), or "
                "state replay: close"
            )

    @property
    def rows_per_call(self) -> int | None:
        """1 when the graph runs one row a call to be exact, None for no limit."""
        sizes = self._plan.sizes
        return 1 if self._plan.single else sizes[-1] if sizes else None

    def score(self, values: F32) -> Scores:
        """Score rows; the array is not changed.

        Args:
            values: float32[n, features], NaN for what is missing.
        """
        rows = np.ascontiguousarray(values, np.float32)
        if rows.ndim != _MATRIX or rows.shape[1] != self.features:
            shape = list(rows.shape)
            return self._failed(
                len(values), f"rows of shape {shape} for {self.features} features"
            )
        if _sound(rows):
            return self._verdicts(rows)
        whole = _whole(rows)
        return self._spread(self._verdicts(rows[whole]), whole)

    def _verdicts(self, rows: F32) -> Scores:
        if not len(rows):
            return self._nothing(0, NoScore.NONE)
        try:
            outputs = self._run(rows, self._plan)
            score, parts = score_and_parts(outputs, rows, self._outputs)
            probabilities = self._probabilities(outputs)
        except Exception as error:  # noqa: BLE001  (the runtime's own exceptions have no root)
            return self._failed(len(rows), f"{type(error).__name__}: {error}")
        no_score = np.zeros(len(rows), np.uint8)
        if not _sound(score):
            sound = np.isfinite(score)
            score = np.where(sound, score, np.nan)
            no_score[~sound] = NoScore.MODEL_NAN
        if parts is not None and not _sound(parts):
            parts = np.nan_to_num(parts, nan=0.0, posinf=0.0, neginf=0.0)
        return Scores(score, no_score, parts, probabilities, self.classes)

    def _run(self, rows: F32, plan: BatchPlan) -> dict[str, NDArray[Any]]:
        parts: list[list[NDArray[Any]]] = []
        for first, last, size in plan.cut(len(rows)):
            block = rows[first:last]
            if size > len(block):
                fill = np.broadcast_to(block[:1], (size - len(block), block.shape[1]))
                block = np.concatenate([block, fill])
            found = self._session.run(self._wanted, {self._input: block})
            for name, array in zip(self._wanted, found, strict=True):
                if not isinstance(array, np.ndarray) or len(array) != size:
                    raise ValueError(
                        f"output {name!r} does not have one row for each input row"
                    )
            parts.append([array[: last - first] for array in found])
        if len(parts) == 1:
            return dict(zip(self._wanted, parts[0], strict=True))
        joined = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return dict(zip(self._wanted, joined, strict=True))

    def _probabilities(self, outputs: dict[str, NDArray[Any]]) -> F64 | None:
        binding = self._outputs.probabilities
        if binding is None:
            return None
        table = outputs[binding.output].astype(np.float64)
        if table.ndim != _MATRIX or table.shape[1] != len(self.classes):
            raise ValueError(f"probabilities have shape {list(table.shape)}")
        return table

    def _failed(self, rows: int, error: str) -> Scores:
        return self._nothing(rows, NoScore.MODEL_ERROR, error)

    def _nothing(self, rows: int, why: NoScore, error: str = "") -> Scores:
        none = np.full(rows, np.nan)
        told = (
            self._outputs.contributions or self._outputs.score.read == "reconstruction"
        )
        return Scores(
            none,
            np.full(rows, why, np.uint8),
            np.zeros((rows, self.features), np.float32) if told else None,
            np.full((rows, len(self.classes)), np.nan) if self.classes else None,
            self.classes,
            error,
        )

    def _spread(self, found: Scores, whole: NDArray[np.bool_]) -> Scores:
        """Put the verdicts on whole rows back among the rows that were not run."""
        into = self._nothing(len(whole), NoScore.INPUT_MISSING, found.error)
        for name in ("score", "no_score", "contributions", "probabilities"):
            target, source = getattr(into, name), getattr(found, name)
            if target is not None and source is not None:
                target[whole] = source
        return into

    def _settle_plan(self, sizes: tuple[int, ...], *, stop_at_close: bool) -> bool:
        """Choose how to run; True when bits do not depend on the batch."""
        plans = [
            BatchPlan(sizes),
            BatchPlan(sizes, least=2),
            BatchPlan(sizes[:1], single=True),
        ]
        if stop_at_close:
            return self._bits_hold(plans[0])
        for plan in plans:
            if self._bits_hold(plan):
                self._plan = plan
                return True
        return False

    def _bits_hold(self, plan: BatchPlan) -> bool:
        """Give each golden row the same outputs in any batch and at any place in it."""
        golden = self.bundle.golden.inputs
        rows = np.resize(golden, (_PROBED_ROWS, self.features))
        whole = self._run(rows, plan)
        for size in _PROBED_BATCHES:
            for first in range(0, len(rows) - size + 1, size):
                part = self._run(rows[first : first + size], plan)
                for name, array in part.items():
                    expected = whole[name][first : first + size]
                    if not np.array_equal(
                        array, expected, equal_nan=array.dtype.kind == "f"
                    ):
                        return False
        return True


def verify_golden(scorer: OnnxScorer, bundle: Bundle) -> None:
    """Hold the golden rows against what the model gives here.

    Raises:
        ModelRejected: an output is further off than the passport allows; the text
            names row, output, expected and found.
    """
    scores = scorer.score(bundle.golden.inputs)
    if scores.error:
        raise ModelRejected(f"{bundle.path}: golden rows cannot be run: {scores.error}")
    for name, expected in bundle.golden.outputs.items():
        problem = difference(name, expected, getattr(scores, name), bundle.passport)
        if problem:
            raise ModelRejected(f"{bundle.path}: {problem}")


def _session(bundle: Bundle, threads: int) -> ort.InferenceSession:
    """A session from the bytes that were hashed; no other file can be reached."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 4  # what goes wrong is raised, and reported once
    try:
        return ort.InferenceSession(
            bundle.model, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise ModelRejected(
            f"{bundle.path}: ONNX Runtime {ort.__version__} cannot load "
            f"{bundle.passport.model.file}: {error}"
        ) from error


def _sound(table: NDArray[np.floating[Any]]) -> bool:
    """Whether every number is finite; a count is twice as fast as ``all``."""
    return bool(np.count_nonzero(np.isfinite(table)) == table.size)


def _whole(table: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Rows in which every number is finite."""
    rows: NDArray[np.bool_] = np.isfinite(table).all(axis=1)
    return rows


def _check_binding(session: ort.InferenceSession, bundle: Bundle) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if problems := binding_problems(inputs, outputs, bundle.passport):
        file = bundle.passport.model.file
        raise ModelRejected(f"{bundle.path}: {file}: " + "; ".join(problems))
