"""MLflow as it is used: what others registered, what gateways report, what it costs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import schema
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.listing import Gateway, ModelReport, Observed, Report
from edge_agent.registry.mlflow.answers import Nothing, RunsAnswer
from edge_agent.registry.mlflow.tags import from_tags, to_tags
from edge_agent.registry.opening import open_registry
from tests import peers
from tests.registry import made
from tests.registry.conftest import mlflow
from tests.registry.made import contents, go_on, report

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.registry.mlflow.registry import MlflowRegistry
    from tests.registry.mlflow_server import MlflowServer

#: The first test that needs MLflow waits for its start.
pytestmark = pytest.mark.timeout(120)

#: What a data scientist does: URL, NAME and BUNDLE are its arguments.
WITH_MLFLOWS_LIBRARY = """
import sys, mlflow
class Predict(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return model_input
url, name, bundle = sys.argv[1:]
mlflow.set_tracking_uri(url)
mlflow.set_experiment(name)
client = mlflow.MlflowClient(url)
client.create_registered_model(name)
with mlflow.start_run() as run:
    number = run.info.run_id
    mlflow.log_artifacts(bundle, "bundle")
    client.create_model_version(name, f"runs:/{number}/bundle", number)
    logged = mlflow.pyfunc.log_model(
        name="model", python_model=Predict(), artifacts={"bundle": bundle},
        pip_requirements=[], registered_model_name=name)
    mlflow.log_artifacts(bundle, "beside")
    mlflow.log_text("a: 1", "beside/MLmodel")
    mlflow.log_text("numpy", "beside/requirements.txt")
    client.create_model_version(name, f"{run.info.artifact_uri}/beside", number)
    client.create_model_version(name, f"{run.info.artifact_uri}", number)
    client.copy_model_version(f"models:/{name}/2", name)
"""


@pytest.fixture
def registry(mlflow_open: MlflowServer) -> MlflowRegistry:
    """A client of the open server."""
    return mlflow(mlflow_open)


def test_what_mlflows_own_library_registered_is_fetched(
    mlflow_open: MlflowServer, registry: MlflowRegistry, tmp_path: Path
) -> None:
    """From a run, from a logged model, beside MLflow's files, as a copy; not two."""
    name = made.unused_name()
    bundle = made.bundle(tmp_path / "bundles", name)
    program = [str(peers.require("python")), "-c", WITH_MLFLOWS_LIBRARY]
    asked = [mlflow_open.url, name, str(bundle)]
    subprocess.run(
        [*program, *asked],
        check=True,
        capture_output=True,
        env={"HOME": str(tmp_path), "MLFLOW_DISABLE_TELEMETRY": "true"},
    )

    for version in ("1", "2", "3", "5"):
        offer = registry.offer(name, version)
        registry.fetch(offer, tmp_path / version, go_on)
        assert contents(tmp_path / version) == contents(bundle), version
    with pytest.raises(Exception, match="2 bundles"):
        registry.fetch(registry.offer(name, "4"), tmp_path / "4", go_on)


def test_a_poll_is_one_call_and_an_adoption_few(
    mlflow_open: MlflowServer, registry: MlflowRegistry, tmp_path: Path
) -> None:
    """A thousand gateways that ask every minute must not be noticed."""
    name = made.unused_name()
    pushed = registry.push(made.bundle(tmp_path / "bundles", name), {})
    gateway = mlflow(mlflow_open)

    for _ in range(3):
        gateway.listing(name)
    assert gateway.calls == 3

    gateway.fetch(gateway.offer(name, pushed.version), tmp_path / "into", go_on)
    files = len(contents(tmp_path / "into"))
    assert gateway.calls - 3 == 3 + files  # version, list, one try for a store, files


def test_a_bundle_signed_anew_is_noticed_by_a_poll(
    registry: MlflowRegistry, tmp_path: Path
) -> None:
    """Gateways look at nothing but the listing; pushed again as it is it stays so."""
    name = made.unused_name()
    registry.push(made.bundle(tmp_path, name), {})
    unsigned = registry.listing(name).fingerprint
    signed = made.bundle(tmp_path, name, signature="signed")

    registry.push(signed, {})
    noticed = registry.listing(name).fingerprint
    registry.push(signed, {})

    assert unsigned != noticed == registry.listing(name).fingerprint


def test_a_report_sends_what_changed(
    mlflow_open: MlflowServer, registry: MlflowRegistry
) -> None:
    """Once found, the run costs one call, and none when all is as before."""
    gateway = Gateway(made.unused_name())
    first = report("pump", gateway=gateway, at=1)
    registry.report(first)
    known = registry.calls

    registry.report(first)
    assert registry.calls == known
    registry.report(report("pump", gateway=gateway, at=2))
    assert registry.calls == known + 1

    restarted = mlflow(mlflow_open)
    restarted.report(report("pump", gateway=gateway, at=3))
    # experiment, run, tags; the version, and its metrics of this hour
    assert restarted.calls == 5
    mine = [one for one in registry.reports("pump") if one.gateway == gateway]
    assert [one.at for one in mine] == [3]


def test_a_report_of_many_models_arrives_whole(registry: MlflowRegistry) -> None:
    """MLflow takes a hundred tags at once."""
    models = tuple(ModelReport(f"m{number:02}", "1") for number in range(40))
    many = Report(Gateway(made.unused_name(), "site"), "0.2.0", 5, models)

    registry.report(many)

    assert many in list(registry.reports("m39"))


def test_a_deleted_run_is_made_anew(registry: MlflowRegistry) -> None:
    """Somebody tidied up: the next report but one is there again."""
    gateway = Gateway(made.unused_name())
    registry.report(report("pump", gateway=gateway, at=1))
    run = registry._twin._run
    body = {"run_id": run}
    registry._client.send("POST", "mlflow/runs/delete", body, Nothing, "all")

    with pytest.raises(RegistryUnavailable, match="not taken"):
        registry.report(report("pump", gateway=gateway, at=2))
    registry.report(report("pump", gateway=gateway, at=3))

    assert registry._twin._run != run
    mine = [one for one in registry.reports() if one.gateway == gateway]
    assert [one.at for one in mine] == [3]


def test_a_deleted_experiment_is_told(
    mlflow_open: MlflowServer,
) -> None:
    """Its name stays taken in MLflow: only a person can mend that."""
    gateway = made.unused_name()
    registry = mlflow(mlflow_open, gateway, "no matter")
    registry.report(report("pump", gateway=Gateway(gateway)))
    path, kind = "mlflow/runs/get", dict[str, dict[str, dict[str, object]]]
    got = registry._client.get(path, kind, "all", run_id=registry._twin._run)
    body = {"experiment_id": got["run"]["info"]["experiment_id"]}
    registry._client.send("POST", "mlflow/experiments/delete", body, Nothing, "all")

    with pytest.raises(RegistryUnavailable, match="is deleted: restore it"):
        mlflow(mlflow_open, gateway).report(report("pump", gateway=Gateway(gateway)))


def test_a_gateway_may_read_and_report_and_no_more(
    mlflow_guarded: MlflowServer, tmp_path: Path
) -> None:
    """Its refusals name the user and what it lacks."""
    name, user = made.unused_name(), made.unused_name()
    desk = mlflow(mlflow_guarded, "admin", mlflow_guarded.password)
    offer = desk.push(made.bundle(tmp_path / "bundles", name), {})
    gateway = mlflow(mlflow_guarded, user, mlflow_guarded.add_user(user))

    gateway.fetch(gateway.offer(name, offer.version), tmp_path / "into", go_on)
    gateway.report(report(name, gateway=Gateway(user)))

    said = f"user '{user}' do this: it needs EDIT on the model"
    with pytest.raises(RegistryUnavailable, match=said):
        gateway.point(name, "champion", offer.version)
    with pytest.raises(RegistryUnavailable, match=said):
        gateway.set_tag(name, "edge.paused", "true")
    with pytest.raises(RegistryUnavailable, match="needs EDIT"):
        gateway._client.upload(
            offer.locator.partition(":/")[2] + "/x", 1, [b"x"], "EDIT"
        )
    with pytest.raises(RegistryUnavailable, match="refuses the password of user"):
        mlflow(mlflow_guarded, user, "wrong").listing(name)
    with pytest.raises(RegistryUnavailable, match="asks who we are"):
        mlflow(mlflow_guarded).listing(name)


def test_a_name_that_mlflow_does_not_know_is_told(mlflow_open: MlflowServer) -> None:
    """It refuses a plant's DNS name until it is started with it."""
    settings = schema.Registry(
        type="mlflow", url="http://mlflow.plant:5000", proxy=mlflow_open.url
    )

    with pytest.raises(RegistryUnavailable, match=r"--allowed-hosts mlflow\.plant"):
        open_registry(settings, Gateway("gw-07")).listing("pump")


def test_a_gateway_speaks_for_itself_alone(mlflow_guarded: MlflowServer) -> None:
    """What it says of others in its own experiment is not believed."""
    liar, other = made.unused_name(), made.unused_name()
    word = mlflow_guarded.add_user(liar)
    mlflow(mlflow_guarded, liar, word).report(report("pump", gateway=Gateway(other)))

    desk = mlflow(mlflow_guarded, "admin", mlflow_guarded.password)

    assert other not in {one.gateway.name for one in desk.reports()}


def test_only_one_run_stands_for_a_gateway(
    mlflow_open: MlflowServer, registry: MlflowRegistry
) -> None:
    """A restart finds its run by the tag; making one is not repeatable."""
    gateway = Gateway(made.unused_name())
    for at in (1, 2, 3):
        mlflow(mlflow_open).report(report("pump", gateway=gateway, at=at))

    registry.report(report("pump", gateway=gateway, at=4))
    name = "tags.`edge.gateway`"
    body = {
        "experiment_ids": [_experiment(registry)],
        "filter": f"{name} = '{gateway.name}'",
    }
    path = "mlflow/runs/search"
    runs = registry._client.send("POST", path, body, RunsAnswer, "all").runs
    assert len(runs) == 1


def _experiment(registry: MlflowRegistry) -> str:
    kind = dict[str, dict[str, object]]
    path = "mlflow/experiments/get-by-name"
    found = registry._client.get(path, kind, "all", experiment_name="edge-fleet")
    return str(found["experiment"]["experiment_id"])


WORDS = st.text("abcXYZ09_-", min_size=1, max_size=12)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
OBSERVED = st.builds(
    Observed,
    accuracy=st.sampled_from(["", "met", "breached", "waiting", "estimated"]),
    measure=st.text(max_size=8),
    value=NUMBERS,
    low=NUMBERS,
    high=NUMBERS,
    labels=st.integers(0, 10**12),
    drift=st.text(max_size=20),
    strength=st.floats(allow_nan=False, allow_infinity=False),
    findings=st.integers(0, 10**6),
)
MODELS = st.builds(
    ModelReport,
    model=WORDS,
    version=st.text(max_size=8),
    digest=st.text("0123456789abcdef", max_size=8),
    release=st.integers(0, 2**40),
    state=st.sampled_from(["active", "shadow", "returned", "limits", "none"]),
    candidate=st.text(max_size=8),
    stage=st.text(max_size=8),
    reason=st.text(max_size=50),
    observed=OBSERVED,
)


@given(
    st.builds(
        Report,
        gateway=st.builds(Gateway, name=WORDS, site=WORDS),
        agent=WORDS,
        at=st.integers(0, 2**63),
        models=st.lists(MODELS, max_size=4, unique_by=lambda m: m.model).map(
            lambda found: tuple(sorted(found, key=lambda m: m.model))
        ),
    ),
    st.lists(WORDS),
)
def test_a_report_is_the_same_as_tags_and_back(said: Report, gone: list[str]) -> None:
    """Whatever the run said before."""
    known = {f"edge.reported.{name}.state": "active" for name in gone}
    known["edge.gateway"] = said.gateway.name

    assert from_tags({**known, **to_tags(said, known)}) == said


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=30)))
def test_strange_tags_are_no_report(tags: dict[str, str]) -> None:
    """People tag runs as they like."""
    assert from_tags(tags) is None or "edge.at" in tags
    from_tags({**tags, "edge.at": "1", "edge.gateway": "x"})
