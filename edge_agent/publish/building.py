"""From a notebook's model to a bundle in the registry, in one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.clock import SystemClock
from edge_agent.errors import ModelRejected
from edge_agent.publish import asking, converting, description, progress, rows, shipping
from edge_agent.publish.converted import Wanted
from edge_agent.publish.proving import prove

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.bundle.contents import Bundle
    from edge_agent.clock import Clock
    from edge_agent.features.spec import FeatureSpec
    from edge_agent.publish.asking import Statement
    from edge_agent.publish.cost import Cost, Gain
    from edge_agent.publish.description import Description
    from edge_agent.publish.false_alarms import Counted
    from edge_agent.publish.measures import Reached
    from edge_agent.publish.parity import Parity
    from edge_agent.publish.progress import Progress
    from edge_agent.publish.proving import Proof
    from edge_agent.samples import Tag

_SAMPLE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """What a build made, and what it measured on the way.

    Attributes:
        bundle: as a gateway opens it.
        parity: graph against source; None where there is no source model.
        false_alarms: at the first threshold, on rows kept aside; None without.
        reached: measures on labelled rows kept aside; None without labels.
        cost: of the graph.
        gain: beside the usual conversion; None where nothing was compiled.
        card: MODEL_CARD.md.
    """

    bundle: Bundle
    parity: Parity | None
    false_alarms: Counted | None
    reached: Reached | None
    cost: Cost
    gain: Gain | None
    card: str

    def __str__(self) -> str:
        """Where it lies and what was found, a line each."""
        passport = self.bundle.passport
        limits = ", ".join(f"{one.value:.6g}" for one in passport.thresholds)
        noted = passport.false_alarms.note if passport.false_alarms else ""
        lines = [
            f"{self.bundle.path}, digest {self.bundle.digest[:8]}",
            f"threshold {limits}. {noted}",
            self.parity.sentence() if self.parity else "",
            self.reached.sentence() if self.reached else "",
            self.cost.sentence(),
            self.gain.sentence() if self.gain else "",
        ]
        return "\n".join(line for line in lines if line)


def build(
    model: object,
    training_data: object,
    *,
    holdout: object = None,
    name: str,
    version: str,
    kind: str,
    title: str,
    asset_type: str,
    tags: Mapping[str, Mapping[str, Any] | Tag],
    features: Sequence[Mapping[str, Any] | FeatureSpec],
    statement: Statement | Mapping[str, Any],
    out: Path | str,
    assets: Sequence[str] = (),
    score: Mapping[str, Any] | None = None,
    classes: Sequence[str] = (),
    good: str = "",
    outputs: Mapping[str, Any] | None = None,
    budget: float | None = None,
    on_delay: str | None = None,
    off_delay: str | None = None,
    thresholds: Sequence[Mapping[str, Any]] = (),
    severity: int = 500,
    expected: Mapping[str, Any] | None = None,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    compare: bool = True,
    overwrite: bool = False,
    quiet: bool = False,
    clock: Clock | None = None,
) -> Built:
    """Convert a model, prove it, and write ``out/NAME/VERSION``.

    Every score reads the higher, the worse. Durations are texts such as ``10s``.

    Args:
        model: a fitted scikit-learn, LightGBM, XGBoost or PyTorch model, a Pipeline of
            one behind scalers, or the path of an ``.onnx`` file.
        training_data: what it was fitted on: the path of a recording, a `SampleBatch`,
            `FeatureRows`, a table [rows, features], or a `Stretch` of one with labels,
            contexts, assets and times.
        holdout: the same kind of data that nothing was learned from. Thresholds, the
            comparison with the source and measures are made on it.
        name: of the model.
        version: semantic; a version that gateways may have is never written again.
        kind: ``anomaly`` or ``quality``.
        title: what it tells, in one sentence.
        asset_type: as in the agent's configuration.
        tags: unit and range of each tag, by role; ``reports: changes`` for tags that
            send a value only when it is another.
        features: one a column: `FeatureSpec`, or tag, aggregate, window, rate, hold.
        statement: what only a person can say, see `Statement`.
        out: folder of all models.
        assets: ids in a recording.
        score: when rows are due, to make them from a recording, as under ``score`` in
            the agent's configuration.
        classes: names of a classifier's classes, in its order; default: its own.
        good: the class that needs no alarm; the score is 1 - P(good).
        outputs: how a ready graph is read, as ``model.outputs`` in the passport.
        budget: false alarms that an asset may give in a week.
        on_delay: of the alarm as it will be configured; default 3s, for quality 0s.
        off_delay: likewise; default 60s.
        thresholds: instead of a budget: value and severity of each, ascending.
        severity: of the alarm at the budget's threshold.
        expected: for a ready graph: its source's answers on the whole rows of the
            held-out data, ``score`` and what else there is.
        rtol: how far the graph may be off its source, relative.
        atol: the same, as a share of the source's largest number.
        compare: also make the usual conversion of a compiled model, and time both.
        overwrite: replace the version's folder, while no gateway has it.
        quiet: show no progress.
        clock: to time with.

    Raises:
        ModelRejected: something is missing or wrong; the text says all of it at once.
            Nothing is written then.
    """
    given = {**locals(), "classes": classes or converting.classes_of(model)}
    told, said = _agreed(given, statement, holdout)
    folder = shipping.place(Path(out), told, overwrite=overwrite)
    with progress.shown(quiet=quiet) as step:
        proof = _proven(
            model,
            (training_data, holdout),
            told,
            said,
            expected,
            step,
            clock or SystemClock(),
            compare=compare,
        )
        step.step(f"Writing {folder}")
        bundle, card = shipping.ship(folder, told, said, proof)
    return Built(
        *(bundle, proof.parity, proof.findings.counted, proof.findings.reached),
        *(proof.cost, proof.gain, card),
    )


def _agreed(
    given: Mapping[str, Any], statement: Statement | Mapping[str, Any], holdout: object
) -> tuple[Description, Statement]:
    """Description and statement, or everything that is missing in both at once.

    Args:
        given: the build's arguments; those that describe the model have its words.
        statement: as given.
        holdout: whether there is any.
    """
    words = {key: given[key] for key in description.WORDS}
    told, problems = description.described(words)
    problems += asking.problems_of(statement)
    if words["budget"] is not None and holdout is None:
        problems.append(
            "holdout is missing: a threshold for a budget needs rows that nothing was "
            "learned from (or give thresholds)"
        )
    if told is None or problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ModelRejected(
            f"{words['name'] or 'the model'} cannot be built yet:\n{lines}"
        )
    return told, asking.stated(statement)


def _proven(
    model: object,
    data: tuple[object, object],
    told: Description,
    said: Statement,
    expected: Mapping[str, Any] | None,
    step: Progress,
    clock: Clock,
    *,
    compare: bool,
) -> Proof:
    step.step("Making rows of the training data")
    training = rows.made(_stretch(data[0]), told)
    aside = None
    if data[1] is not None:
        step.step("Making rows of the held-out data")
        aside = rows.made(_stretch(data[1]), told)
    step.step(f"Converting {type(model).__name__}")
    wanted = Wanted(
        features=tuple(feature.name for feature in told.features),
        rows=training.values[training.whole][:_SAMPLE],
        classes=_classes(told),
        good=told.good,
        outputs=told.outputs,
    )
    converted = converting.convert(model, wanted)
    return prove(
        converted,
        (training, aside),
        told,
        said,
        step,
        clock,
        expected=expected,
        compare=compare,
    )


def _classes(told: Description) -> tuple[str, ...]:
    if told.classes and told.good not in told.classes and told.outputs is None:
        raise ModelRejected(
            f"good={told.good!r} is none of the classes {', '.join(told.classes)}"
        )
    return told.classes


def _stretch(given: object) -> rows.Stretch:
    return given if isinstance(given, rows.Stretch) else rows.Stretch(given)
