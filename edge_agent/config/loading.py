"""From the operator's files to a configuration, or to every reason why not.

One file alone, or a folder with ``agent.yaml`` and ``conf.d/*.yaml`` that are
merged by section. Syntax, values and references are all checked before anything is
reported, so that one round of corrections is enough.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.config.drafting import Draft, drafted
from edge_agent.config.languages import catalogue
from edge_agent.config.merging import merged
from edge_agent.config.plant import Plant, plant_of
from edge_agent.config.problems import Problem, Refused, listed
from edge_agent.config.reading import read_text, unreadable
from edge_agent.config.rosters import lists_of
from edge_agent.config.tree import Block, Mark, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.config.languages import Catalogue
    from edge_agent.config.problems import Loc
    from edge_agent.config.reading import SourceText
    from edge_agent.config.schema import AgentConfig
    from edge_agent.phrases import Phrases

MAIN = "agent.yaml"
PARTS = "conf.d"
STATE_DIR = Path("/var/lib/edge-agent")
"""Where the state is unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that holds together.

    Attributes:
        config: what the operator wrote; relative paths count from the file that
            has them.
        plant: every tag of it, numbered and addressed.
        files: what was read, lists (CSV) included, in order.
        digest: SHA-256 over these files' names and content.
        draft: the files' text, to point at a place in it.
        catalogue: what the agent says in SCADA, in the configured language.
    """

    config: AgentConfig
    plant: Plant
    files: tuple[Path, ...]
    digest: str
    draft: Draft = field(repr=False, compare=False)
    catalogue: Catalogue = field(repr=False, compare=False)

    @property
    def phrases(self) -> Phrases:
        """What the agent says in SCADA."""
        return self.catalogue.phrases

    def problem(self, loc: Loc, message: str, hint: str = "") -> Problem:
        """A problem found later (a model, a certificate) at its place in the files.

        Args:
            loc: path of keys, e.g. ``("pipelines", "pump-anomaly", "model")``.
            message: what is wrong.
            hint: what to do.
        """
        return self.draft.problem(loc, message, hint)


def load(path: Path) -> AgentConfig:
    """The configuration in a file, or in a folder.

    Raises:
        ConfigError: with every problem in ``problems``; its text is the report.
    """
    return read(path).config


def digest(path: Path) -> str:
    """SHA-256 of a valid configuration, to tell whether it changed.

    Raises:
        ConfigError: it is not valid.
    """
    return read(path).digest


def read(path: Path, *, home: Path | None = None) -> Loaded:
    """The configuration with its plant, files and digest.

    Args:
        path: a file, or a folder with agent.yaml.
        home: the folder the files were copied from, if they are a copy: relative
            paths still count from there; only lists are read from beside the copy.

    Raises:
        ConfigError: with every problem in ``problems``; its text is the report.
    """
    files, problems = _files(path)
    sources, trees = [], []
    for file in files:
        source, node = _parsed(file, _home(path, file, home), problems)
        if source is not None and node is not None:
            sources.append(source)
            trees.append(node)
    if not trees:
        raise Refused(problems)
    root = merged(trees, problems)
    draft = drafted(root, whole=len(trees) == len(files))
    rosters = draft.check()
    words = _worded(draft)
    said = {(problem.file, problem.line, problem.col) for problem in problems}
    problems += [p for p in draft.problems if (p.file, p.line, p.col) not in said]
    if problems or draft.config is None or words is None:
        raise Refused(sorted(problems, key=_order(files)))
    config = draft.config
    listed = (list_ for group in config.assets for list_ in lists_of(group))
    read_files = (*files, *dict.fromkeys(listed), *words.files)
    plant = plant_of(tuple(config.sources), rosters)
    return Loaded(config, plant, read_files, _hashed(read_files), draft, words)


def _worded(draft: Draft) -> Catalogue | None:
    """The phrases of the configured language; what is wrong goes to the draft."""
    if draft.config is None:
        return None
    folder = draft.config.languages
    found = catalogue(draft.config.language, folder)
    draft.problems.extend(found.problems)
    if folder is not None and not folder.is_dir():
        draft.complain(("languages",), f"there is no folder {folder}")
    if not found.found:
        said = f"there is no language {draft.config.language!r}; there is: "
        hint = f"add {draft.config.language}.yaml to the folder that languages: names"
        draft.complain(("language",), said + listed(found.known), hint)
    return found


def _files(path: Path) -> tuple[list[Path], list[Problem]]:
    """The YAML files of a configuration in order, and those that only look so."""
    try:
        if not path.is_dir():
            return [path], []
        parts = path / PARTS
        found = sorted([*path.iterdir(), *(parts.iterdir() if parts.is_dir() else ())])
    except OSError as error:
        return [], [Problem(str(path), 0, 0, *unreadable(error))]
    strays = [f for f in found if f.suffix == ".yml" and f.parent == parts]
    strays += [f for f in found if f.name == "agent.yml" and f.parent == path]
    said, hint = "this file would not be read", "rename it to end in .yaml"
    problems = [Problem(str(stray), 0, 0, said, hint) for stray in strays]
    named = [f for f in found if f.suffix == ".yaml" and f.parent == parts]
    shown = [f for f in named if not f.name.startswith(".")]
    return [path / MAIN, *shown], problems


def _home(path: Path, file: Path, home: Path | None) -> Path:
    if home is None:
        return file.parent
    root = path if path.is_dir() else path.parent
    return home / file.parent.relative_to(root)


def _parsed(
    file: Path, home: Path, problems: list[Problem]
) -> tuple[SourceText | None, Block | None]:
    source, found = read_text(str(file), file, home)
    problems += found
    if source is None:
        return None, None
    node, found = parse(source)
    problems += found
    if isinstance(node, Block):
        return source, node
    if node is None and not found and file.parent.name == PARTS:
        return source, Block(Mark(source, 1, 1))
    if node is None and not found:
        said = "the file is empty"
        problems.append(
            Problem(source.name, 1, 1, said, "begin with the section site:")
        )
    elif node is not None and not found:
        said = "keys with values are wanted here (key: value)"
        problems.append(node.mark.problem(said, "a colon needs a space after it"))
    return source, None


def _order(files: Sequence[Path]) -> Callable[[Problem], tuple[int, str, int, int]]:
    position = {str(file): index for index, file in enumerate(files)}

    def key(problem: Problem) -> tuple[int, str, int, int]:
        rank = position.get(problem.file, len(files))
        return rank, problem.file, problem.line, problem.col

    return key


def _hashed(files: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        total.update(f"{file.name} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()
