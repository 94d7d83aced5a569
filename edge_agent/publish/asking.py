"""What only a person can say of a model, and without which none is built."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from edge_agent.bundle.complaints import plain_sentences
from edge_agent.bundle.modelfile import PassportPart, Sentence
from edge_agent.bundle.promises import Accuracy, Allowance, Targets
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Mapping

QUESTIONS: Mapping[str, str] = {
    "intended_use": "What is it for, on which machines, in which state?",
    "limits": "What was it not made for, what can it not see? A list of sentences.",
    "owner": "Who answers for it: a person or a team that is still there next year?",
    "contact": "Where is the owner reached at night?",
    "approver": "Who agreed that it may score in the plant?",
    "accuracy": "What must it reach once labels are known, such as "
    "{metric: recall, level: 0.9, min_labels: 200}?",
    "review_date": "On which day must somebody look at it again, such as 2027-06-30?",
    "data": "Where does the training data come from, and what is in it?",
}
"""What must be stated, and how a build asks for it."""


class Statement(PassportPart):
    """The passport's sentences."""

    intended_use: Sentence
    limits: Annotated[tuple[Sentence, ...], Field(min_length=1)]
    owner: Sentence
    contact: Sentence
    approver: Sentence
    accuracy: Accuracy
    """Metric, level and how many labels it takes to judge; `reached` is measured."""
    review_date: dt.date
    data: Sentence
    """Where the training data comes from."""
    script: str = "a notebook"
    """What trained the model, so that it can be done again."""
    start: dt.datetime | None = None
    """Of the training data; needed where its rows carry no times."""
    end: dt.datetime | None = None
    seed: int | None = None
    run: str = ""
    commit: str = ""
    oversight: str = ""
    """Who looks at its alarms and may switch it off."""
    licence: str = ""
    expires: dt.date | None = None
    release: Annotated[int, Field(ge=0)] = 0
    allowance: Allowance | None = None
    targets: Targets | None = None
    runtime: str | None = None


def problems_of(given: Statement | Mapping[str, Any]) -> list[str]:
    """Everything that is missing or wrong in a statement, a sentence each.

    What is missing is asked for in words.
    """
    if isinstance(given, Statement):
        return []
    missing = [name for name in QUESTIONS if given.get(name) in (None, "", [], ())]
    asked = [f"{name} is missing: {QUESTIONS[name]}" for name in missing]
    try:
        Statement.model_validate(dict(given))
    except ValidationError as error:
        sentences = plain_sentences(error, Statement)
        said = [s for s in sentences if s.split(":")[0].split("[")[0] not in missing]
        return [*asked, *said]
    return asked


def stated(given: Statement | Mapping[str, Any]) -> Statement:
    """A statement that says all it must.

    Raises:
        ModelRejected: it does not; every problem, one a line.
    """
    if problems := problems_of(given):
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ModelRejected(f"the statement is not complete:\n{lines}")
    if isinstance(given, Statement):
        return given
    return Statement.model_validate(dict(given))


def form() -> str:
    """A statement to fill in, as YAML."""
    lines = []
    for name, question in QUESTIONS.items():
        lines += [f"  # {question}", f"  {name}:"]
    return "\n".join(["statement:", *lines])
