"""What MLflow's answers hold, as far as it is read. Pure.

Numbers of 64 bits come as numbers or as text, an empty list or text not at all.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


class Tag(msgspec.Struct):
    """A key and its value."""

    key: str
    value: str = ""


class Alias(msgspec.Struct):
    """An alias and the version it points at."""

    alias: str
    version: str


class RegisteredModel(msgspec.Struct):
    """A model with how it is steered."""

    name: str
    tags: list[Tag] = []
    aliases: list[Alias] = []


class Version(msgspec.Struct):
    """One version of a model.

    Attributes:
        version: MLflow's number.
        source: URI of its files, as whoever registered it wrote it.
        creation_timestamp: ms since 1970.
    """

    name: str
    version: str
    source: str = ""
    run_id: str = ""
    status: str = "READY"
    creation_timestamp: int = 0
    tags: list[Tag] = []


class RunInfo(msgspec.Struct):
    """A run's id and where its files are."""

    run_id: str
    experiment_id: str = ""
    artifact_uri: str = ""


class RunContents(msgspec.Struct):
    """A run's tags."""

    tags: list[Tag] = []


class Run(msgspec.Struct):
    """A run."""

    info: RunInfo
    data: RunContents = msgspec.field(default_factory=RunContents)


class Experiment(msgspec.Struct):
    """An experiment; ``deleted`` ones keep their name."""

    experiment_id: str
    name: str = ""
    lifecycle_stage: str = "active"


class LoggedModelInfo(msgspec.Struct):
    """Where a model that was logged by itself (``models:/m-…``) is."""

    artifact_uri: str = ""


class LoggedModel(msgspec.Struct):
    """A model that was logged by itself."""

    info: LoggedModelInfo


class File(msgspec.Struct):
    """One entry of a folder of artifacts."""

    path: str
    is_dir: bool = False
    file_size: int | None = None


class Nothing(msgspec.Struct):
    """An answer that says only that it worked."""


class ModelAnswer(msgspec.Struct):
    """``registered-models/get``."""

    registered_model: RegisteredModel


class ModelsAnswer(msgspec.Struct):
    """``registered-models/search``."""

    registered_models: list[RegisteredModel] = []
    next_page_token: str = ""


class VersionAnswer(msgspec.Struct):
    """``model-versions/get`` and ``create``."""

    model_version: Version


class VersionsAnswer(msgspec.Struct):
    """``model-versions/search``."""

    model_versions: list[Version] = []
    next_page_token: str = ""


class AddressAnswer(msgspec.Struct):
    """``model-versions/get-download-uri``."""

    artifact_uri: str


class RunAnswer(msgspec.Struct):
    """``runs/get`` and ``create``."""

    run: Run


class RunsAnswer(msgspec.Struct):
    """``runs/search``."""

    runs: list[Run] = []
    next_page_token: str = ""


class ExperimentAnswer(msgspec.Struct):
    """``experiments/get-by-name``."""

    experiment: Experiment


class ExperimentsAnswer(msgspec.Struct):
    """``experiments/search``."""

    experiments: list[Experiment] = []
    next_page_token: str = ""


class CreatedAnswer(msgspec.Struct):
    """``experiments/create``."""

    experiment_id: str


class LoggedModelAnswer(msgspec.Struct):
    """``logged-models/ID``."""

    model: LoggedModel


class FilesAnswer(msgspec.Struct):
    """``mlflow-artifacts/artifacts?path=``."""

    files: list[File] = []


class PresignedAnswer(msgspec.Struct):
    """``mlflow-artifacts/presigned/…``: a file's address at the object store."""

    url: str
    headers: dict[str, str] = {}


class Failure(msgspec.Struct):
    """What an error says."""

    error_code: str = ""
    message: str = ""


class Unexpected(ValueError):
    """An answer that is not what was asked for; the text says how."""


def read(body: bytes, answer: type[T]) -> T:
    """One answer.

    Raises:
        Unexpected: it is no JSON, or another.
    """
    try:
        return msgspec.json.decode(body, type=answer, strict=False)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Unexpected(str(error)) from error


def words(tags: list[Tag]) -> dict[str, str]:
    """Tags by their key."""
    return {tag.key: tag.value for tag in tags}
