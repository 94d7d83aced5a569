"""Languages: those that come with the agent, and the operator's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.config import lastgood, loading
from edge_agent.config.languages import SHIPPED, catalogue, english
from edge_agent.config.problems import Refused
from tests.config.plants import written
from tests.config.test_check import BUNDLES, run

if TYPE_CHECKING:
    from pathlib import Path

SCORED = "score.above: 'Note {score} au-dessus de la limite {limit}'\n"


def french(folder: Path, text: str = f"decimal: ','\n{SCORED}") -> Path:
    """A configuration in French, with the operator's file of it."""
    (folder / "texts").mkdir()
    (folder / "texts" / "fr.yaml").write_text(text, encoding="utf-8")
    return written(
        folder,
        ("path: models", f"path: {BUNDLES}"),
        ("gateway: gw-07", "gateway: gw-07\nlanguage: fr\nlanguages: texts"),
    )


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda f: f.stem)
def test_what_comes_with_the_agent_is_complete(file: Path) -> None:
    """Every phrase, every gap, in every language."""
    found = catalogue(file.stem)

    assert found.problems == ()
    assert found.missing == ()
    assert found.phrases.templates.keys() == english().templates.keys()


def test_what_a_language_lacks_is_said_in_english(tmp_path: Path) -> None:
    """One phrase is translated; all are there."""
    found = loading.read(french(tmp_path)).catalogue

    assert found.phrases.say("score.above", score="7,3", limit="3,0") == (
        "Note 7,3 au-dessus de la limite 3,0"
    )
    assert found.phrases.say("normal") == "normal"
    assert "score.above" not in found.missing
    assert "score.not_above" in found.missing


def test_check_lists_what_is_in_english(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The translator sees what is still to do."""
    assert run("check", "--config", french(tmp_path)) == 0

    told = capsys.readouterr().out
    assert "language  fr       " in told
    assert "phrases are in English: normal, score.not_above, " in told


def test_the_operators_words_stand_above_the_agents(tmp_path: Path) -> None:
    """One German word is another in this plant; the others are as they come."""
    (tmp_path / "de.yaml").write_text("normal: 'in Ordnung'\n", encoding="utf-8")

    found = catalogue("de-AT", tmp_path)

    assert found.phrases.say("normal") == "in Ordnung"
    assert found.phrases.say("agent_stopped") == "Agent beendet"
    assert found.missing == ()


def test_a_language_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path,
) -> None:
    """With the place of the word, and what to do."""
    config = written(tmp_path, ("gateway: gw-07", "gateway: gw-07\nlanguage: xx"))

    with pytest.raises(Refused) as refused:
        loading.read(config)

    (problem,) = refused.value.problems
    assert "there is no language 'xx'; there is: de, en" in problem.message
    assert (problem.line, problem.col) == (3, 11)


def test_a_folder_of_languages_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Else the agent would quietly speak without the operator's words."""
    edit = ("gateway: gw-07", "gateway: gw-07\nlanguages: txets")

    with pytest.raises(Refused, match=r"agent\.yaml:3:12: languages: there is no "):
        loading.read(written(tmp_path, edit))


def test_a_broken_translation_leaves_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit of a phrase that went wrong must not keep the agent from starting."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    config = french(tmp_path)
    good = loading.read(config)
    lastgood.keep(config, good)
    (tmp_path / "texts" / "fr.yaml").write_text("score.above: '{scores}'\n")
    with pytest.raises(Refused, match=r"fr\.yaml:1:14: score\.above: "):
        loading.read(config)

    kept = lastgood.kept(config)

    assert kept is not None
    assert kept.phrases.decimal == ","
    assert kept.digest == good.digest


def test_another_word_is_another_configuration(tmp_path: Path) -> None:
    """The digest in the status tells what the agent says, too."""
    config = french(tmp_path)
    before = loading.digest(config)
    (tmp_path / "texts" / "fr.yaml").write_text("decimal: ','\n")

    assert loading.digest(config) != before
