"""The live view: what the control room would see, and what was done to the plant.

Made of SCADA's messages and the agent's status alone. Fits itself to the terminal:
one line a pump where there is room for it, three pumps a line in 80 x 24.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.terminal_theme import MONOKAI
from rich.text import Text

from edge_agent.demo.site import PLC, PUMPS, SCADA
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import ConsoleOptions, RenderableType

    from edge_agent.demo.ledger import Fault, Pump
    from edge_agent.demo.show import Show

_TALL = 38  # lines from which every pump has a line of its own
_COLUMNS = 3
_NEAR = 0.6  # part of the threshold from which a score is worth a look
_NAMES = {PLC: "PLC, OPC UA", "monitor": "monitor, MQTT", SCADA: "SCADA, MQTT"}
_PUMPS = "pumps: score against its limit ┃"
_FRAME = 0.25  # seconds between two pictures
_PICTURE = (100, 40)
_RECENT = 12  # faults that are shown
_OLD = 4.0  # seconds after which SCADA no longer shows a score


def view(show: Show, height: int) -> Layout:
    """Everything, for a terminal of that height."""
    tall = height >= _TALL
    pumps = _tall(show) if tall else _compact(show)
    lines = 2 + (len(PUMPS) if tall else len(PUMPS) // _COLUMNS)
    page, lower, right = Layout(), Layout(), Layout()
    right.split_column(
        Layout(Panel(_faults(show), title="done to the plant"), ratio=1),
        Layout(Panel(_links(show), title="links"), size=7),
    )
    lower.split_row(
        Layout(Panel(_alarms(show), title="alarms in SCADA"), ratio=5),
        Layout(right, ratio=4),
    )
    page.split_column(
        Layout(_head(show), size=2),
        Layout(pumps, size=lines),
        Layout(lower),
    )
    return page


async def live(show: Show) -> None:
    """Show it on the terminal until cancelled; the screen is as before then."""
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as screen:
        while True:
            screen.update(view(show, console.height), refresh=True)
            await asyncio.sleep(_FRAME)


def picture(show: Show, path: Path) -> None:
    """Save the view as SVG."""
    width, height = _PICTURE
    console = Console(
        record=True,
        width=width,
        height=height,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(view(show, height))
    text = console.export_svg(title="edge-agent demo", theme=MONOKAI)
    # rich's picture asks a server for its font: ours must not
    text = re.sub(r"@font-face \{.*?\}\s*", "", text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


def _head(show: Show) -> Text:
    minutes, seconds = divmod(int(show.elapsed), 60)
    of = show.options.seconds
    until = f"of {of:g} s" if of else "Ctrl-C ends it"
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(" edge-agent demo ", "bold reverse")
    text.append(f"  {minutes:02}:{seconds:02} {until}, {show.doing}", "dim")
    text.append(f"   {show.ledger.rows:,} rows scored\n")
    status = show.stage.status
    if status:
        style = "green" if status["state"] == "ok" else "yellow"
        text.append(f" agent {status['state']}: ", style)
        text.append(str(status["summary"]), "dim")
    else:
        text.append(" no agent answers", "dim")
    return text


# -- pumps --------------------------------------------------------------------


def _tall(show: Show) -> Panel:
    table = Table.grid(padding=(0, 1), expand=True)
    for width, ratio in ((6, None), (None, 3), (6, None), (10, None), (None, 2)):
        table.add_column(width=width, ratio=ratio, no_wrap=True)
    for name in PUMPS:
        pump, late = _known(show, name)
        table.add_row(
            _name(name, pump),
            _Bar(pump),
            _score(pump),
            _quality(pump),
            Text(late or _standing_out(pump), "dim", overflow="ellipsis"),
        )
    return Panel(table, title=_PUMPS, padding=(0, 1))


def _compact(show: Show) -> Panel:
    table = Table.grid(padding=(0, 1), expand=True)
    for _ in range(_COLUMNS):
        table.add_column(width=6, no_wrap=True)
        table.add_column(ratio=1, no_wrap=True)
        table.add_column(width=5, no_wrap=True)
    rows = len(PUMPS) // _COLUMNS
    for row in range(rows):
        cells: list[RenderableType] = []
        for name in PUMPS[row::rows]:
            pump, _ = _known(show, name)
            cells += [_name(name, pump), _Bar(pump), _score(pump)]
        table.add_row(*cells)
    return Panel(table, title=_PUMPS, padding=(0, 1))


def _known(show: Show, name: str) -> tuple[Pump | None, str]:
    """A pump as SCADA may show it: what is old is no score any more."""
    pump = show.ledger.pumps.get(name)
    if pump is None:
        return None, ""
    age = show.clock.now() / 1e9 - pump.at_ms / 1e3
    if show.ended is not None or age < _OLD:
        return pump, ""
    return replace(pump, valid=False, quality="old"), f"no news for {age:.0f} s"


class _Bar:
    """A score against its limit, as wide as there is room."""

    def __init__(self, pump: Pump | None) -> None:
        self._pump = pump

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[Text]:
        width = max(options.max_width - 1, 4)
        pump = self._pump
        filled = 0
        if pump is not None and pump.valid and pump.threshold > 0:
            filled = round(min(pump.score / (2 * pump.threshold), 1.0) * width)
        middle = width // 2
        text = Text(no_wrap=True)
        for first, last in ((0, middle), (middle + 1, width)):
            full = min(max(filled - first, 0), last - first)
            text.append("━" * full, _colour(pump))
            text.append("─" * (last - first - full), "grey23")
            if first == 0:
                text.append("┃", "white")
        yield text


def _colour(pump: Pump | None) -> str:
    if pump is None or not pump.valid:
        return "grey50"
    if pump.alarm or pump.score >= pump.threshold:
        return "red"
    return "yellow" if pump.score > _NEAR * pump.threshold else "green"


def _name(name: str, pump: Pump | None) -> Text:
    return Text(name, "bold white on red" if pump and pump.alarm else "")


def _score(pump: Pump | None) -> Text:
    shown = f"{pump.score:.1f}" if pump and pump.valid else "-"
    return Text(shown, _colour(pump), justify="right")


def _quality(pump: Pump | None) -> Text:
    quality = pump.quality if pump else ""
    style = {"GOOD": "green", "UNCERTAIN": "yellow"}.get(quality, "grey50")
    return Text(quality.lower(), style)


def _standing_out(pump: Pump | None) -> str:
    if pump is None:
        return "waiting for the first score"
    if not pump.valid:
        return pump.why
    near = pump.alarm or pump.score > _NEAR * pump.threshold
    return pump.top if near else ""


# -- below --------------------------------------------------------------------


def _alarms(show: Show) -> RenderableType:
    alarms = sorted(show.ledger.alarms.values(), key=lambda alarm: -alarm.since)
    if not alarms:
        return Text("none", "dim")
    lines = []
    now = show.clock.now()
    for alarm in alarms:
        age = max(now - alarm.since, 0) / NANOSECONDS
        text = Text()
        text.append(alarm.pump, "bold red")
        text.append(f" for {age:.0f} s", "dim")
        text.append("" if alarm.expected else "  false alarm", "bold magenta")
        text.append(f"\n{alarm.reason}")
        lines.append(text)
    return Group(*lines)


def _faults(show: Show) -> RenderableType:
    faults = show.ledger.faults[: -_RECENT - 1 : -1]
    if not faults:
        return Text("nothing yet", "dim")
    table = Table.grid(padding=(0, 1))
    for fault in faults:
        table.add_row(*_fault(fault, show.clock.now()))
    return table


def _fault(fault: Fault, now: int) -> tuple[Text, Text]:
    if fault.seconds is not None:
        return Text(fault.name), Text(f"found in {fault.seconds:.0f} s", "green")
    age = (now - fault.began) / NANOSECONDS
    return Text(fault.name), Text(f"since {age:.0f} s", "yellow")


def _links(show: Show) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    ledger = show.ledger
    for name, up in show.stage.links().items():
        state = Text("● up", "green") if up else Text("○ down", "bold red")
        cuts = sum(outage.link == name for outage in ledger.outages)
        table.add_row(_NAMES.get(name, name), state, Text(_cuts(cuts), "dim"))
    store = show.stage.status.get("store", {})
    waiting = int(store.get("rows", 0))
    style = "yellow" if waiting > len(PUMPS) else "dim"
    late, lost = f"{ledger.rows_late:,} late", f"{ledger.lost} lost"
    table.add_row("buffer", Text(f"{waiting:,} rows", style), "")
    table.add_row("delivered", Text(late, "dim"), Text(lost, "dim"))
    return table


def _cuts(count: int) -> str:
    return f"cut {count}x" if count else ""
