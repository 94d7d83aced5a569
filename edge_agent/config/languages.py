"""Catalogues of phrases: those that come with the agent, and the operator's own.

A catalogue is one YAML file of texts by key. English is the one that must be whole;
what another lacks is said in English, and `edge-agent check` lists it. The operator's
file stands above one of the same language that comes with the agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge_agent.config.problems import did_you_mean, listed
from edge_agent.config.reading import read_text
from edge_agent.config.scalars import Wrong
from edge_agent.config.tree import Block, Scalar, parse
from edge_agent.phrases import Phrases, Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.config.problems import Problem
    from edge_agent.config.tree import Node

SHIPPED = Path(__file__).parents[1] / "languages"
ENGLISH = "en"
DECIMAL = "decimal"
LONGEST = 400
"""Characters of a text: a sentence is one line on a panel."""
_SIGNS = (".", ",")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The phrases of a language, and what was found on the way to them.

    Attributes:
        phrases: complete.
        missing: keys that are said in English.
        files: of the operator that were read.
        problems: with the operator's files; phrases are then not to be used.
        known: languages there are.
    """

    phrases: Phrases
    missing: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = ()
    known: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether there is a catalogue of the language at all."""
        return bool(self.phrases.language)


def catalogue(language: str, folder: Path | None = None) -> Catalogue:
    """The phrases of a language.

    Args:
        language: its code; ``de-AT`` takes ``de`` where it has no file of its own.
        folder: with the operator's LANGUAGE.yaml, if there are any.
    """
    english = _english()
    own, shipped = _named(folder, language), _named(SHIPPED, language)
    if own is None and shipped is None:
        return Catalogue(Phrases(), known=_known(folder))
    problems: list[Problem] = []
    texts = dict(english)
    translated = {DECIMAL}
    for file in (shipped, own):
        if file is not None:
            given = _texts(file, english, problems)
            texts |= given
            translated |= given.keys()
    return Catalogue(
        _phrases(language, texts),
        tuple(key for key in english if key not in translated),
        () if own is None else (own,),
        tuple(problems),
        _known(folder),
    )


@lru_cache(maxsize=1)
def english() -> Phrases:
    """The phrases that every other language follows."""
    return _phrases(ENGLISH, _english())


@lru_cache(maxsize=1)
def _english() -> Mapping[str, str]:
    problems: list[Problem] = []
    found = _texts(SHIPPED / f"{ENGLISH}.yaml", None, problems)
    assert not problems, problems  # noqa: S101 - it comes with the agent
    return MappingProxyType(found)


def _phrases(language: str, texts: Mapping[str, str]) -> Phrases:
    made = {key: Template.of(text) for key, text in texts.items() if key != DECIMAL}
    return Phrases(language, texts[DECIMAL], MappingProxyType(made))


def _named(folder: Path | None, language: str) -> Path | None:
    if folder is None:
        return None
    wanted = dict.fromkeys((language, language.partition("-")[0]))
    files = (folder / f"{code}.yaml" for code in wanted)
    return next((file for file in files if file.is_file()), None)


def _known(folder: Path | None) -> tuple[str, ...]:
    folders = [SHIPPED, *([] if folder is None else [folder])]
    return tuple(sorted({file.stem for one in folders for file in one.glob("*.yaml")}))


def _texts(
    file: Path, english: Mapping[str, str] | None, problems: list[Problem]
) -> dict[str, str]:
    """The sound texts of a file; complaints go to ``problems``.

    Args:
        file: to read.
        english: what its keys and gaps are held against; None for English itself.
        problems: grows.
    """
    texts: dict[str, str] = {}
    block = _read(file, problems)
    for key, value in ({} if block is None else block.items).items():
        try:
            if block is not None and english is not None and key not in english:
                hint = did_you_mean(key, english) or "en.yaml has those there are"
                said = f"there is no phrase {key!r}"
                problems.append(block.keys[key].problem(said, hint))
                continue
            texts[key] = _text(key, value, None if english is None else english[key])
        except Wrong as why:
            said = f"{key}: {why.message}"
            problems.append(value.mark.problem(said, why.hint))
    return texts


def _read(file: Path, problems: list[Problem]) -> Block | None:
    source, found = read_text(str(file), file, file.parent)
    problems += found
    if source is None:
        return None
    node, found = parse(source)
    problems += found
    if node is None or isinstance(node, Block):
        return node
    said = "keys with texts are wanted here (key: text)"
    problems.append(node.mark.problem(said, "a colon needs a space after it"))
    return None


def _text(key: str, value: Node, english: str | None) -> str:
    """One text, if it can be filled as the English one is.

    Raises:
        Wrong: it cannot.
    """
    if not isinstance(value, Scalar) or not value.value:
        raise Wrong("a text is wanted here", "a text that begins with { needs quotes")
    text = value.text
    if key == DECIMAL and text not in _SIGNS:
        raise Wrong(f"{text!r} is no decimal sign", "write '.' or ','")
    if len(text) > LONGEST:
        said = f"the text is longer than {LONGEST} characters"
        raise Wrong(said, "a sentence is one line on a panel")
    try:
        gaps = set(Template.of(text).gaps)
    except ValueError as why:
        hint = "a gap is a name in braces, of small letters"
        raise Wrong(str(why.args[0]), hint) from why
    _check_gaps(gaps, gaps if english is None else set(Template.of(english).gaps))
    return text


def _check_gaps(gaps: set[str], wanted: set[str]) -> None:
    if strange := sorted(gaps - wanted):
        known = listed(f"{{{gap}}}" for gap in sorted(wanted))
        said = f"there is no gap {{{strange[0]}}} here; there is: {known}"
        raise Wrong(said, did_you_mean(strange[0], wanted))
    if lacking := sorted(wanted - gaps):
        missing = ", ".join(f"{{{gap}}}" for gap in lacking)
        hint = "each gap of the English text must be in this one too"
        raise Wrong(f"{missing} is missing", hint)
