"""The configured registry; its client is imported only when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from edge_agent.clock import SystemClock
from edge_agent.registry.directory import DirectoryRegistry

if TYPE_CHECKING:
    from edge_agent.clock import Clock
    from edge_agent.config.schema import Registry
    from edge_agent.registry.listing import Gateway
    from edge_agent.registry.registry import Desk


def open_registry(
    settings: Registry,
    gateway: Gateway,
    *,
    password: str | None = None,
    clock: Clock | None = None,
) -> Desk:
    """The registry that settings describe; nothing is asked yet.

    With a user of its own a gateway reports in an experiment of its own: in a shared
    one each would need the right to change what the others said.

    Args:
        settings: of the configuration.
        gateway: who asks; without a name nothing can be reported.
        password: of `config.secrets.password_of`.
        clock: bounds slow answers.

    Raises:
        ConfigError: a certificate's file cannot be used.
    """
    match settings.type:
        case "directory":
            return DirectoryRegistry(settings.folder, gateway.name)
        case "mlflow":
            from edge_agent.registry.mlflow.client import Client  # noqa: PLC0415
            from edge_agent.registry.mlflow.registry import MlflowRegistry  # noqa: PLC0415

            fleet = settings.experiment
            own = f"{fleet}/{gateway.name}" if settings.user else fleet
            client = Client(settings, password, clock or SystemClock())
            return MlflowRegistry(client, own, fleet)
        case _:
            assert_never(settings.type)
