"""Bundles, reports and gateways for tests of registries."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.registry.listing import Gateway, ModelReport, Observed, Report

if TYPE_CHECKING:
    from collections.abc import Callable

SHIPPED = Path(__file__).parents[2] / "models" / "pump-anomaly" / "1.0.0"
GATEWAY = Gateway("gw-07", "hamburg")


def unused_name() -> str:
    """A model's name that no other test has: servers are shared."""
    return f"pump-{secrets.token_hex(6)}"


def bundle(
    folder: Path,
    name: str,
    version: str = "1.0.0",
    *,
    signature: str = "",
    say: str = "",
) -> Path:
    """A valid bundle: the shipped one under another name.

    Args:
        folder: where to make it.
        name: of the model.
        version: of the passport.
        signature: content of its ``model.sig``; none when empty.
        say: the passport's title, which makes another bundle of it.
    """
    made = folder / f"{name}-{version}-{secrets.token_hex(4)}"
    made.mkdir(parents=True)
    for file in SHIPPED.iterdir():
        body = file.read_bytes()
        if file.name == "passport.yaml":
            text = body.decode().replace("\nname: pump-anomaly\n", f"\nname: {name}\n")
            text = text.replace("\nversion: 1.0.0\n", f"\nversion: {version}\n")
            text = text.replace("\ntitle: Distance", f"\ntitle: {say}Distance")
            body = text.encode()
        (made / file.name).write_bytes(body)
    if signature:
        (made / "model.sig").write_text(signature)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too, by its name below it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if not path.is_dir()
    }


OBSERVED = Observed(
    *("breached", "f1", 0.61, 0.55, 0.67, 120, "input drift of flow", 3.1, 2)
)


def report(model: str, *, gateway: Gateway = GATEWAY, at: int = 1) -> Report:
    """One gateway that runs one model."""
    running = ModelReport(
        *(model, "1.0.0", "ab" * 32, 3, "shadow", "1.1.0", "watching"),
        *("since Monday", OBSERVED),
    )
    return Report(gateway, "0.2.0", at, (running,))


def go_on(_done: int, _total: int) -> bool:
    """Never stops a fetch."""
    return True


def stop_after(count: int) -> Callable[[int, int], bool]:
    """Stops a fetch when so many bytes are done."""
    return lambda done, _total: done < count
