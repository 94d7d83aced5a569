"""Rows to scores: one ONNX Runtime call for all rows that are due.

A row with a number missing is not run and never yields a verdict; neither does one
whose output is not a finite number, or a call that fails or takes too long. A model
scores only after its golden rows gave here what they gave where it was trained.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.binding import binding_problems, outputs_read, score_and_parts
from edge_agent.errors import ModelRejected
from edge_agent.records import NoScore
from edge_agent.samples import NANOSECONDS
from edge_agent.scores import Scores
from edge_agent.scoring.deadline import NEVER, WATCH
from edge_agent.scoring.probing import PATIENCE, settled, verify_golden
from edge_agent.scoring.resident import BeingLoaded, Resident, resident_memory

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge_agent.bundle.batching import BatchPlan
    from edge_agent.bundle.contents import Bundle
    from edge_agent.samples import F64
    from edge_agent.scoring.deadline import Ticket, Watch
    from edge_agent.scoring.runtime import RunOptions, Session

    F32 = NDArray[np.float32]

_MATRIX = 2


class OnnxScorer:
    """A model, loaded and proven, that scores rows.

    The bundle itself is not kept: its bytes and golden rows served to load and prove.

    Args:
        bundle: the model with its passport.
        threads: intra-op threads. One is right for rows of a plant: two made batches
            of 1024 twice as slow, and idle threads never spin.
        deadline: seconds that one call of `score` may take over all its rows, loading
            of a resting session included; inf for any. Runs are stopped between two
            nodes of the graph: a node that hangs by itself is waited for, and its
            rows have no score either.
        watch: stops what is overdue; all models share one.

    Attributes:
        passport: what the model says of itself.
        path: the bundle's folder.
        exact: whether a row's bits do not depend on the rows beside it.
        used: agent time of the last call, ns.

    Raises:
        ModelRejected: the graph cannot be loaded, does not fit its passport or does
            not reproduce its golden rows.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int = 1,
        deadline: float = 1.0,
        watch: Watch = WATCH,
    ) -> None:
        stated = bundle.passport.model
        self.passport, self.path = bundle.passport, bundle.path
        self.deadline = deadline
        self.features = len(bundle.passport.features)
        self._outputs = stated.outputs
        self._input = stated.input
        probabilities = stated.outputs.probabilities
        self.classes: tuple[str, ...] = probabilities.classes if probabilities else ()
        self._wanted = outputs_read(stated.outputs)
        self._watch = watch
        self._limit = _ns(deadline)
        self.used = watch.now()
        before = resident_memory()
        self._model = Resident(bundle, threads, watch)
        session = self._model.open(bundle)
        _check_binding(session, bundle)
        self._plan, self.exact = self._tried(session, bundle)
        verify_golden(self, bundle)
        self._model.size = max(self._model.size, resident_memory() - before)
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

    @property
    def loaded(self) -> bool:
        """Whether its session is in memory."""
        return self._model.session is not None

    @property
    def resident_bytes(self) -> int:
        """What its session added to the process's memory when it was loaded.

        Memory that others had freed before is not seen; at least the file's size and
        what every session takes.
        """
        return self._model.size if self.loaded else 0

    def rest(self) -> None:
        """Give up the session until the next call, which loads it from the files.

        Where loading takes long against the deadline, it goes on in the background
        and rows have no score (`NoScore.MODEL_MISSING`) until it is done. Any thread.
        """
        self._model.rest()

    def score(self, values: F32, *, within: float | None = None) -> Scores:
        """Score rows; the array is not changed, nothing is ever raised.

        Args:
            values: float32[n, features], NaN for what is missing.
            within: seconds, where they are other than the deadline.
        """
        rows = np.ascontiguousarray(values, np.float32)
        if rows.ndim != _MATRIX or rows.shape[1] != self.features:
            shape = list(rows.shape)
            return self._failed(
                len(values), f"rows of shape {shape} for {self.features} features"
            )
        seconds = self.deadline if within is None else within
        if _sound(rows):
            return self._in_time(rows, seconds)
        whole = _whole(rows)
        return self._spread(self._in_time(rows[whole], seconds), whole)

    def _in_time(self, rows: F32, seconds: float) -> Scores:
        if not len(rows):
            return self._nothing(0, NoScore.NONE)
        limit = self._limit if seconds == self.deadline else _ns(seconds)
        ticket = self._watch.begin(limit)
        self.used = ticket.due - limit
        found = self._verdicts(rows, ticket, limit)
        if self._watch.end(ticket):
            return found
        late = f"gave no answer within {seconds:g} s"
        return self._nothing(len(rows), NoScore.MODEL_SLOW, late)

    def _verdicts(self, rows: F32, ticket: Ticket, limit: int) -> Scores:
        try:
            session = self._model.session
            if session is None:
                session = self._model.wake(ticket, limit)
            outputs = self._run(session, rows, self._plan, ticket.options)
            score, parts = score_and_parts(outputs, rows, self._outputs)
            probabilities = self._probabilities(outputs)
        except BeingLoaded:
            why = NoScore.MODEL_MISSING
            return self._nothing(len(rows), why, "the model is being loaded")
        except ModelRejected as error:
            return self._failed(len(rows), str(error))
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

    def _run(
        self, session: Session, rows: F32, plan: BatchPlan, options: RunOptions
    ) -> dict[str, NDArray[Any]]:
        parts: list[list[NDArray[Any]]] = []
        for first, last, size in plan.cut(len(rows)):
            block = rows[first:last]
            if size > len(block):
                fill = np.broadcast_to(block[:1], (size - len(block), block.shape[1]))
                block = np.concatenate([block, fill])
            found = session.run(self._wanted, {self._input: block}, options)
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

    def _tried(self, session: Session, bundle: Bundle) -> tuple[BatchPlan, bool]:
        """How to run, found out on the golden rows, see `probing`."""
        stated = bundle.passport.model
        sizes = () if stated.batch == "dynamic" else tuple(sorted(set(stated.batch)))
        ticket = self._watch.begin(_ns(PATIENCE))

        def run(rows: F32, plan: BatchPlan) -> dict[str, NDArray[Any]]:
            return self._run(session, rows, plan, ticket.options)

        close = stated.replay == "close"
        try:
            return settled(run, bundle.golden.inputs, sizes, stop_at_close=close)
        except Exception as error:
            stopped = f"no end after {PATIENCE:g} s" if ticket.options.terminate else ""
            raise ModelRejected(
                f"{bundle.path}: {stated.file} cannot run its golden rows: "
                f"{stopped or error}"
            ) from error
        finally:
            self._watch.end(ticket)


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS) if isfinite(seconds) else NEVER


def _sound(table: NDArray[np.floating[Any]]) -> bool:
    """Whether every number is finite; a count is twice as fast as ``all``."""
    return bool(np.count_nonzero(np.isfinite(table)) == table.size)


def _whole(table: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Rows in which every number is finite."""
    rows: NDArray[np.bool_] = np.isfinite(table).all(axis=1)
    return rows


def _check_binding(session: Session, bundle: Bundle) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if problems := binding_problems(inputs, outputs, bundle.passport):
        file = bundle.passport.model.file
        raise ModelRejected(f"{bundle.path}: {file}: " + "; ".join(problems))
