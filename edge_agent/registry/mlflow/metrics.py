"""What gateways see of a model version, as metrics beside it.

One point an hour for each model: strength of drift, open findings, accuracy with its
interval, whether the model scores. They go to the run that made the version, where
its page shows them, as ``edge/GATEWAY/NAME``; where there is none, or the gateway may
not write to it, to the gateway's own run as ``MODEL/VERSION/NAME``.

The same hour has the same values, time and step, however often it must be sent: MLflow
keeps one of equal points. The beginning of the hour is the time of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.registry.mlflow import answers
from edge_agent.registry.mlflow.refusals import NotAllowed, Refused
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.registry.listing import ModelReport, Report
    from edge_agent.registry.mlflow.client import Client

log = structlog.get_logger()

EDIT = "EDIT on the experiment of the model's run"
_HOUR = 3600 * NANOSECONDS
_MS = 1_000_000
#: Metrics of one call (1,000 at most), and hours that wait while there is no link.
_TOGETHER, _WAITING = 500, 48
_SCORING = ("active", "shadow", "returned")

Point = dict[str, Any]


@dataclass(slots=True)
class _Waiting:
    """Points of one hour and model that were not taken yet."""

    model: str
    version: str
    points: dict[str, float]
    hour: int


class Metrics:
    """Writes one gateway's metrics.

    Args:
        client: the server.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._hours: dict[str, int] = {}
        self._waiting: list[_Waiting] = []
        self._runs: dict[tuple[str, str], str] = {}
        """Run by model and version; empty for the gateway's own."""

    def write(self, report: Report, own: str) -> None:
        """Send what this hour says, and what waits of hours before.

        Args:
            report: of the gateway.
            own: id of the gateway's run.

        Raises:
            RegistryUnavailable: it could not be written now; it waits.
        """
        hour = report.at // _HOUR
        for model in report.models:
            if model.version and self._hours.get(model.model) != hour:
                self._hours[model.model] = hour
                points = dict(_points(model))
                one = _Waiting(model.model, model.version, points, hour)
                self._waiting.append(one)
        del self._waiting[:-_WAITING]
        while self._waiting:
            self._send(self._waiting[0], report.gateway.name, own)
            del self._waiting[0]

    def _send(self, one: _Waiting, gateway: str, own: str) -> None:
        key = one.model, one.version
        if key not in self._runs:
            self._runs[key] = self._run_of(one)
        run = self._runs[key]
        if run:
            try:
                self._log(run, f"edge/{gateway}/", one)
            except (NotAllowed, Refused) as why:
                self._runs[key] = ""
                log.info(
                    "metrics go to the gateway's own run",
                    model=one.model,
                    version=one.version,
                    why=str(why),
                )
            else:
                return
        self._log(own, f"{one.model}/{one.version}/", one)

    def _run_of(self, one: _Waiting) -> str:
        """The run that made a version; empty where there is none that we may see."""
        path, kind = "mlflow/model-versions/get", answers.VersionAnswer
        try:
            found = self._client.get(
                path, kind, "READ on the model", name=one.model, version=one.version
            )
        except (NotAllowed, Refused):
            return ""
        return found.model_version.run_id

    def _log(self, run: str, prefix: str, one: _Waiting) -> None:
        at = one.hour * (_HOUR // _MS)
        points: list[Point] = [
            {"key": prefix + name, "value": value, "timestamp": at, "step": one.hour}
            for name, value in one.points.items()
        ]
        for first in range(0, len(points), _TOGETHER):
            body = {"run_id": run, "metrics": points[first : first + _TOGETHER]}
            self._client.send(
                "POST", "mlflow/runs/log-batch", body, answers.Nothing, EDIT
            )


def _points(model: ModelReport) -> Iterator[tuple[str, float]]:
    """Names and values of what is known of a model."""
    seen = model.observed
    yield "scoring", float(model.state in _SCORING)
    yield "findings", float(seen.findings)
    yield "drift_strength", _finite(seen.strength)
    if not seen.measure:
        return
    yield "labels", float(seen.labels)
    figures = {"": seen.value, "_low": seen.low, "_high": seen.high}
    for end, value in figures.items():
        if value is not None and isfinite(value):
            yield seen.measure + end, float(value)


def _finite(value: float) -> float:
    return float(value) if isfinite(value) else 0.0
