"""One gateway's reported state: the tags of one run.

    edge.gateway, edge.site, edge.agent, edge.at       who, and when (ns UTC)
    edge.reported.MODEL.{version,release,state,digest,candidate,stage,reason}
    edge.reported.MODEL.{accuracy,measure,value,low,high,labels}     where labels come
    edge.reported.MODEL.{drift,strength,findings}          where something was found

A run is found by its tag before one is made: making one is not repeatable. A model
that a gateway no longer has keeps its tags, empty.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry.mlflow import answers
from edge_agent.registry.mlflow.answers import words
from edge_agent.registry.mlflow.refusals import ABSENT, EXISTS, Refused
from edge_agent.registry.mlflow.tags import AT, GATEWAY, from_tags, to_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.registry.listing import Gateway, Report
    from edge_agent.registry.mlflow.client import Client

EDIT = "EDIT on the experiment"

#: Tags of one call, and what one answer brings at most.
_TAGS, _RUNS, _EXPERIMENTS = 100, 200, 1000
#: Experiments asked for their runs in one call.
_TOGETHER = 100
#: Pages of any list: a server that never ends is left.
_PAGES = 1000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Twin:
    """Writes one gateway's state; only what changed is sent.

    Args:
        client: the server.
        experiment: where the run is.
    """

    def __init__(self, client: Client, experiment: str) -> None:
        self._client = client
        self._experiment = experiment
        self._run = ""
        self._known: dict[str, str] = {}

    def write(self, report: Report) -> str:
        """Let the run say what the report says; returns the run's id.

        Raises:
            RegistryUnavailable: it could not be written now.
        """
        try:
            if self._known.get(GATEWAY) != report.gateway.name:
                self._find(report)
            said = to_tags(report, self._known)
            changed = {k: v for k, v in said.items() if self._known.get(k) != v}
            self._send(changed)
        except Refused as error:
            self._run, self._known = "", {}  # deleted by somebody: sought anew
            raise RegistryUnavailable(f"the state is not taken: {error}") from error
        return self._run

    def _send(self, changed: dict[str, str]) -> None:
        tags = [{"key": key, "value": value} for key, value in changed.items()]
        for first in range(0, len(tags), _TAGS):
            some = tags[first : first + _TAGS]
            body = {"run_id": self._run, "tags": some}
            self._client.send(
                "POST", "mlflow/runs/log-batch", body, answers.Nothing, EDIT
            )
            self._known |= {tag["key"]: tag["value"] for tag in some}

    def _find(self, report: Report) -> None:
        gateway = report.gateway
        if not _NAME.fullmatch(gateway.name):
            raise ModelRejected(f"{gateway.name!r} cannot be the name of a gateway")
        experiment = experiment_named(self._client, self._experiment)
        body = {
            "experiment_ids": [experiment],
            "filter": f"tags.`{GATEWAY}` = '{gateway.name}'",
            "max_results": 1,
        }
        path, kind = "mlflow/runs/search", answers.RunsAnswer
        runs = self._client.send("POST", path, body, kind, EDIT).runs
        run = runs[0] if runs else self._made(experiment, gateway, report.at)
        self._run, self._known = run.info.run_id, words(run.data.tags)
        self._known[GATEWAY] = gateway.name

    def _made(self, experiment: str, gateway: Gateway, at: int) -> answers.Run:
        body = {
            "experiment_id": experiment,
            "run_name": gateway.name,
            "start_time": at // 1_000_000,
            "tags": [{"key": GATEWAY, "value": gateway.name}],
        }
        path, kind = "mlflow/runs/create", answers.RunAnswer
        return self._client.send("POST", path, body, kind, EDIT).run


def experiment_named(client: Client, name: str) -> str:
    """Id of an experiment, made where missing.

    Raises:
        RegistryUnavailable: no answer now, or somebody has deleted it.
    """
    path, kind = "mlflow/experiments/get-by-name", answers.ExperimentAnswer
    try:
        found = client.get(path, kind, EDIT, experiment_name=name).experiment
    except Refused as error:
        if error.code != ABSENT:
            raise
        return _made(client, name)
    if found.lifecycle_stage != "active":
        raise RegistryUnavailable(
            f"{client.url}: the experiment {name} is deleted: restore it, or name "
            "another one as experiment"
        )
    return found.experiment_id


def _made(client: Client, name: str) -> str:
    path, kind = "mlflow/experiments/create", answers.CreatedAnswer
    try:
        return client.send("POST", path, {"name": name}, kind, EDIT).experiment_id
    except Refused as error:
        if error.code == EXISTS:  # by another gateway, this moment
            raise RegistryUnavailable(f"{error}; it is used next time") from error
        raise


def reports(client: Client, experiment: str, model: str) -> Iterator[Report]:
    """The newest state of every gateway, or of those that have a model.

    A gateway with a user of its own reports in an experiment of its own,
    ``EXPERIMENT/GATEWAY``; there it speaks for nobody else.

    Raises:
        RegistryUnavailable: no answer now.
    """
    newest: dict[str, Report] = {}
    owners = dict(_experiments(client, experiment))
    for run in _runs(client, list(owners)):
        report = from_tags(words(run.data.tags))
        owner = owners.get(run.info.experiment_id, "")
        if report is None or owner not in {"", report.gateway.name}:
            continue
        before = newest.get(report.gateway.name)
        if before is None or before.at < report.at:
            newest[report.gateway.name] = report
    for report in newest.values():
        if not model or model in {one.model for one in report.models}:
            yield report


def _experiments(client: Client, experiment: str) -> Iterator[tuple[str, str]]:
    """Ids, each with the gateway that owns it; empty for the one of all."""
    quoted = experiment.replace("'", "")
    token = ""
    for _ in range(_PAGES):
        body = {
            "filter": f"name LIKE '{quoted}%'",
            "max_results": _EXPERIMENTS,
            "page_token": token,
        }
        path, kind = "mlflow/experiments/search", answers.ExperimentsAnswer
        page = client.send("POST", path, body, kind, "READ on the experiments")
        for found in page.experiments:
            if found.name == experiment:
                yield found.experiment_id, ""
            elif found.name.startswith(f"{experiment}/"):
                yield found.experiment_id, found.name.removeprefix(f"{experiment}/")
        token = page.next_page_token
        if not token:
            return


def _runs(client: Client, experiments: list[str]) -> Iterator[answers.Run]:
    for first in range(0, len(experiments), _TOGETHER):
        token = ""
        for _ in range(_PAGES):
            body = {
                "experiment_ids": experiments[first : first + _TOGETHER],
                "filter": f"tags.`{AT}` != ''",
                "max_results": _RUNS,
                "page_token": token,
            }
            path, kind = "mlflow/runs/search", answers.RunsAnswer
            page = client.send("POST", path, body, kind, "READ on the experiments")
            yield from page.runs
            token = page.next_page_token
            if not token:
                break
