"""`edge-agent replay`: a recording through the same core, or one alarm again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge_agent import logs, scenes
from edge_agent.assembly import core
from edge_agent.clock import ManualClock
from edge_agent.config import loading
from edge_agent.errors import ConfigError
from edge_agent.inbox import Inbox
from edge_agent.inference import Inference
from edge_agent.instruments import Instruments
from edge_agent.recording import read
from edge_agent.records import AlarmRecord, NoScore
from edge_agent.rehearsal import manned

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from edge_agent.assembly import Core
    from edge_agent.config.loading import Loaded
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.inference import Observe, Submit
    from edge_agent.pipeline import Pipeline
    from edge_agent.recording import Recording, Sign
    from edge_agent.records import Record
    from edge_agent.scores import Scores

EX_USE, EX_CONFIG = 2, 78
#: Samples of one turn: bounds memory, changes no score.
CHUNK = 20_000
#: Ticks of one turn: a recording with gaps has many between two samples.
TICKS = 1_000


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "replay",
        help="score a CSV or Parquet recording with the configured models, or compute "
        "an alarm again from its evidence",
    )
    parser.add_argument(
        "recording", type=Path, nargs="?", help="a .csv or .parquet file"
    )
    parser.add_argument("--config", type=Path, help="file or folder, for a recording")
    parser.add_argument(
        "--out", type=Path, help="write the scores here as JSON lines, not to stdout"
    )
    parser.add_argument(
        "--alarm",
        metavar="ID",
        help="compute this alarm again: its occurrence, or how that begins",
    )
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/edge-agent"))
    parser.add_argument(
        "--evidence", type=Path, help="a log or folder of logs, not that of state-dir"
    )
    parser.add_argument(
        "--bundle",
        type=Path,
        help="the model version's folder, not that of state-dir",
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay; 0 when done, 2 for wrong use, 78 when the files are wrong."""
    if arguments.alarm is not None and arguments.recording is None:
        from edge_agent.cli import retrace

        return retrace.run(arguments)
    if arguments.alarm is not None or None in (arguments.recording, arguments.config):
        print(
            "give either RECORDING and --config, or --alarm with an alarm's occurrence",
            file=sys.stderr,
        )
        return EX_USE
    logs.configure(json=arguments.json)
    try:
        loaded = loading.read(arguments.config)
        recording = read(arguments.recording, loaded.plant.tags)
    except ConfigError as why:
        print(why, file=sys.stderr)
        return EX_CONFIG
    if arguments.out is None:
        summary = replay(loaded, recording, sys.stdout)
    else:
        with arguments.out.open("w", encoding="utf-8") as out:
            summary = replay(loaded, recording, out)
    _tell(summary, as_json=arguments.json)
    return 0


def replay(loaded: Loaded, recording: Recording, out: TextIO) -> dict[str, int]:
    """Score a recording; one JSON line a row and an alarm.

    Args:
        loaded: the configuration.
        recording: samples and signs of life.
        out: where lines go.
    """
    found = {
        "samples": len(recording.batch),
        "rows": 0,
        "without_score": 0,
        "alarms": 0,
    }
    encode = msgspec.json.Encoder().encode
    start = int(recording.batch.received[0]) - 1 if len(recording.batch) else 0
    made = core(loaded, manned(loaded), start)
    posts = [post for line in made.lines for post in line.posts]
    contexts = {post.pipeline.info.pipeline: post.contexts for post in posts}

    def line(content: Mapping[str, object]) -> None:
        out.write(encode(content).decode() + "\n")

    def observe(pipeline: Pipeline, rows: FeatureRows, scores: Scores) -> None:
        found["rows"] += len(rows)
        found["without_score"] += int((scores.no_score != NoScore.NONE).sum())
        labels = scores.named(np.arange(len(rows)))
        for row in range(len(rows)):
            told = {
                "label": labels[row] if labels else "",
                "context": scenes.name(rows, row, contexts[pipeline.info.pipeline]),
            }
            line(_score_line(pipeline, rows, scores, row) | told)

    def submit(records: Sequence[Record], _: object) -> None:
        for record in records:
            if isinstance(record, AlarmRecord):
                found["alarms"] += 1
                line(_alarm_line(record))

    inbox = Inbox(loaded.plant.tags)
    _play(made, inbox, ManualClock(start), recording, observe, submit)
    return found


def _play(
    made: Core,
    inbox: Inbox,
    clock: ManualClock,
    recording: Recording,
    observe: Observe,
    submit: Submit,
) -> None:
    """Turn through the recording on its own clock, then let open rows close."""
    batch, start = recording.batch, clock.time
    inference = Inference(
        made.lines,
        inbox,
        made.stamps,
        submit,
        clock,
        Instruments(),
        observe=observe,
        vouch=not recording.signs,
    )
    low = 0
    period = min((line.period for line in made.lines if line.period), default=0)
    for now, signs in _turns(recording, start, TICKS * period):
        for sign in signs:
            inbox.alive(sign.source, sign.at)
        high = int(np.searchsorted(batch.received, now, side="right"))
        clock.time = max(clock.time, now)
        inference.turn(clock.time, batch.take(slice(low, high)))
        low = high
    settle = max((line.settle for line in made.lines), default=0)
    clock.time += settle
    inference.turn(clock.time, made.stamps.release(clock.time))


def _turns(
    recording: Recording, start: int, longest: int
) -> Iterator[tuple[int, list[Sign]]]:
    """When to turn, and who was seen alive by then.

    Where turns cut the samples changes no row; what a source vouches for may. So a
    turn that first knew of a sign of life is made at its own time, and before it one
    that did not know.

    Args:
        recording: samples and signs of life.
        start: agent time before the first turn.
        longest: ns from one turn to the next at most, 0 for any.
    """
    received = recording.batch.received
    cuts = {int(received[i]) for i in range(CHUNK - 1, len(received), CHUNK)}
    cuts |= {int(received[-1])} if len(received) else set()
    known: dict[int, list[Sign]] = {}
    for sign in recording.signs:
        known.setdefault(sign.turn, []).append(sign)
        cuts |= {sign.before, sign.turn}
    before = start
    for now in sorted(cuts):
        while longest and now - before > longest:
            before += longest
            yield before, []
        yield now, known.get(now, [])
        before = now


def _score_line(
    pipeline: Pipeline, rows: FeatureRows, scores: Scores, row: int
) -> dict[str, object]:
    score = float(scores.score[row])
    why = NoScore(int(scores.no_score[row]))
    return {
        "ts_ns": int(rows.at[row]),
        "asset": pipeline.info.assets[int(rows.asset[row])],
        "pipeline": pipeline.info.pipeline,
        "score": score if why is NoScore.NONE else None,
        "no_score": why.name.lower() if why else "",
        "quality": int(rows.quality[row]),
        "completeness": float(rows.completeness[row]),
        "part": rows.part[row] if rows.part else "",
    }


def _alarm_line(record: AlarmRecord) -> dict[str, object]:
    return {
        "ts_ns": record.at,
        "asset": record.info.assets[record.asset],
        "pipeline": record.info.pipeline,
        "alarm": record.state.name,
        "occurrence": record.occurrence,
        "reason": record.reason,
    }


def _tell(summary: Mapping[str, int], *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(summary).decode(), file=sys.stderr)
    else:
        said = ", ".join(f"{count} {name}" for name, count in summary.items())
        print(f"replayed {said}", file=sys.stderr)
