"""Operators judge alarms: the stretch is labelled, people stay hidden."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import structlog

from edge_agent import logs
from edge_agent.cli.main import main
from edge_agent.labels import asking, operators, verdicts
from edge_agent.labels.columns import State
from edge_agent.labels.folder import DropFolder
from edge_agent.labels.privacy import Pseudonyms, pseudonyms
from edge_agent.labels.verdicts import Verdict, VerdictRefused, read
from edge_agent.monitoring.conditions import Condition, What
from edge_agent.status import socket
from tests.labels import made
from tests.labels.made import ANOMALY, HOUR, QUALITY, Bench, S
from tests.mqtt.kinds import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.labels.columns import Joined
    from edge_agent.labels.operators import Judged

PERSON = "Jane Roe"


def alarmed(one: Bench, name: str = "P-101-1", *, ended: bool = True) -> None:
    """Five minutes of calm, of alarm, and of calm."""
    one.watch(300)
    since = one.clock.time
    one.desk.alarm(made.alarm(name, at=since, active=True))
    one.watch(300, 0.9, alarmed=True)
    if ended:
        at = one.clock.time
        one.desk.alarm(made.alarm(name, at=at, active=False, since=since))
        one.watch(300)
    one.desk.look()


def judge(one: Bench, verdict: str, name: str = "P-101-1") -> tuple[bool, str]:
    """Give a verdict, and hear what became of it."""
    said: list[tuple[bool, str]] = []
    one.desk.verdict(
        ANOMALY,
        Verdict(name, verdict, "checked", PERSON),  # type: ignore[arg-type]
        lambda done, text: said.append((done, text)),
    )
    one.desk.look()
    (found,) = said
    return found


def test_a_confirmed_alarm_is_bad_a_rejected_one_good(tmp_path: Path) -> None:
    """The rows from its begin to its end, and no others; the later verdict wins."""
    one = Bench(tmp_path)
    alarmed(one)
    assert judge(one, "confirm") == (
        True,
        "alarm P-101-1: the alarm was right (checked)",
    )
    joined = one.desk.joined(ANOMALY)
    assert joined.bad.all()
    assert joined.alarm.all()
    assert 4 <= len(joined) <= 6
    assert judge(one, "reject")[0]
    assert one.desk.joined(ANOMALY).good.all()
    assert one.count("corrected", pipeline=ANOMALY) == 1
    assert judge(one, "reject")[1].endswith("as was said before (checked)")


def test_an_alarm_that_still_stands_is_labelled_whole_when_it_ends(
    tmp_path: Path,
) -> None:
    """Judged after two minutes, labelled up to the end."""
    one = Bench(tmp_path)
    one.watch(60)
    since = one.clock.time
    one.desk.alarm(made.alarm("P-101-1", at=since, active=True))
    one.watch(200, 0.9, alarmed=True)
    one.desk.look()
    judge(one, "reject")
    early = len(one.desk.joined(ANOMALY))
    one.watch(400, 0.9, alarmed=True)
    at = one.clock.time
    one.desk.alarm(made.alarm("P-101-1", at=at, active=False, since=since))
    one.watch(200)
    one.desk.look()

    joined = one.desk.joined(ANOMALY)
    assert early < len(joined)
    assert 9 <= len(joined) <= 11
    assert (joined.at >= since - 60 * S).all()
    assert (joined.at < at).all()


def test_the_part_that_ended_an_alarm_is_no_part_of_it(tmp_path: Path) -> None:
    """Two parts a second apart: one raised it, the next was good."""
    one = Bench(tmp_path)
    begin = one.clock.time
    for part, score in (("1", 0.1), ("2", 0.9), ("3", 0.1)):
        one.score([part], [score])
        if part != "1":
            record = made.alarm(
                "PR-1-1",
                at=one.clock.time,
                active=part == "2",
                since=begin + S // 2,
                name=QUALITY,
            )
            one.desk.alarm(record)
        one.clock.time += S // 2
    one.desk.look()
    one.desk.verdict(QUALITY, Verdict("PR-1-1", "reject"))
    one.desk.look()

    assert one.states() == [State.NONE, State.GOOD, State.NONE]


def test_alarms_and_verdicts_outlive_a_kill(tmp_path: Path) -> None:
    """An alarm of before may still be judged, and counts for the budget."""
    one = Bench(tmp_path)
    alarmed(one)
    judge(one, "reject")
    alarmed(one, "P-101-2")
    one.desk.look()
    again = Bench(tmp_path, one.clock)

    assert judge(again, "confirm", "P-101-2")[0]
    found = operators.alarms_of(again.desk.books[ANOMALY])
    assert found.verdict.tolist() == [-1, 1]
    assert found.asset.tolist() == [0, 0]
    assert (found.until > found.since).all()
    assert found.version[0][0] == "1.0.0"


def test_only_so_many_alarms_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest can no longer be judged, and the refusal says so."""
    monkeypatch.setattr(verdicts, "MOST", 3)
    one = Bench(tmp_path)
    for k in range(5):
        one.desk.alarm(made.alarm(f"P-{k}", at=one.clock.time + k, active=True))
    one.desk.look()

    assert len(one.desk.books[ANOMALY].alarms) == 3
    done, said = judge(one, "reject", "P-0")
    assert not done
    assert "no alarm with this occurrence is remembered" in said


def test_a_flood_of_bad_verdicts_is_told_in_part(tmp_path: Path) -> None:
    """All are counted, ten a minute are events."""
    one = Bench(tmp_path)
    for _ in range(50):
        judge(one, "reject", "nothing")
    assert len(one.events) == 10
    one.wait(HOUR)
    judge(one, "reject", "nothing")

    assert len(one.events) == 11
    assert one.count("refused", cause="verdict") == 51


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"Jane Roe",
        b'{"occurrence": "x"}',
        b'{"verdict": "confirm"}',
        b'{"occurrence": "x", "verdict": "Jane Roe"}',
        b'{"occurrence": ["Jane Roe"], "verdict": "confirm"}',
        b'{"occurrence": "' + b"x" * 300 + b'", "verdict": "confirm"}',
        b"[" * 5000,
        b"\xff",
    ],
)
def test_what_is_no_verdict_is_refused_without_repeating_it(payload: bytes) -> None:
    """The text says what to send."""
    with pytest.raises(VerdictRefused) as caught:
        read(payload)

    assert '{"occurrence"' in str(caught.value)
    assert "Jane" not in str(caught.value)


def test_the_key_of_names_is_made_once_for_the_agent_alone(tmp_path: Path) -> None:
    """The same person gives the same text after a restart; another key another."""
    first, again = pseudonyms(None, tmp_path), pseudonyms(None, tmp_path)
    path = tmp_path / "labels" / "privacy.key"

    assert path.stat().st_mode & 0o777 == 0o600
    assert first.of(PERSON) == again.of(f" {PERSON.upper()}")
    assert first.of(PERSON) != pseudonyms(None, tmp_path / "other").of(PERSON)
    assert first.of("") == ""


@pytest.mark.parametrize("body", [b"", b"short", b"x" * 5000])
def test_without_a_good_key_names_are_dropped(tmp_path: Path, body: bytes) -> None:
    """A key file that is short, or open to everyone, is as none."""
    path = tmp_path / "key"
    path.write_bytes(body)
    path.chmod(0o600)
    assert pseudonyms(path, tmp_path).of(PERSON) == ""
    path.write_bytes(b"k" * 32)
    path.chmod(0o604)
    assert pseudonyms(path, tmp_path).of(PERSON) == ""
    assert pseudonyms(tmp_path / "none", tmp_path).of(PERSON) == ""
    assert Pseudonyms(None).of(PERSON) == ""


def test_no_name_of_a_person_is_in_any_file_log_or_message(tmp_path: Path) -> None:
    """Labels, lists, verdicts and refusals: whatever comes with a name."""
    stream = io.StringIO()
    logs.configure(level="debug", stream=stream)
    state, drop = tmp_path / "state", tmp_path / "drop"
    drop.mkdir()
    one = Bench(state, personal=["inspector", "reason"], groups=["lot"])
    one.score(["4711", "4712"])
    alarmed(one)
    reader = one.desk.books[QUALITY].reader
    folder = DropFolder(QUALITY, drop, reader, one.desk, state / "read.json")
    path = drop / "lab.csv"
    path.write_text(
        f"part;label;inspector;lot\n4711;nok;{PERSON};L1\n4712;;{PERSON};\n"
        f"4712;{PERSON * 40};x;\n9;{PERSON};x;y;{PERSON}\n"
    )
    folder.look()
    thread = threading.Thread(target=folder.look)
    thread.start()
    while thread.is_alive():
        one.desk.look()
        thread.join(0.01)
    one.desk.verdict(ANOMALY, Verdict("P-101-1", "reject", f"by {PERSON}", PERSON))
    one.desk.verdict(ANOMALY, Verdict("unknown", "reject", f"by {PERSON}", PERSON))
    one.desk.close()
    structlog.reset_defaults()

    (tmp_path / "drop" / "read" / "lab.csv").unlink()  # the operator's own
    said = stream.getvalue() + str(one.events) + str(one.instruments.snapshot())
    said += str([one.desk.status(name) for name in (QUALITY, ANOMALY)])
    assert len(one.events) == 2
    assert "labels file read" in said
    for text in (PERSON, "Jane"):
        assert text not in said
        for file in tmp_path.rglob("*"):
            if file.is_file():
                assert text.encode() not in _bytes(file), file


def _bytes(path: Path) -> bytes:
    """Of a file, its blocks inflated."""
    from edge_agent.labels import blocks  # noqa: PLC0415

    raw = path.read_bytes()
    found = [b.body for b in blocks.opened(raw) if not isinstance(b, int)]
    return raw + b"".join(found)


@contextmanager
def answering(one: Bench, runtime: Path) -> Iterator[None]:
    """A desk with its thread and its socket."""
    runtime.mkdir()
    ready, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        answers = {"label": lambda what: asking.answer(one.desk, what)}
        task = asyncio.get_running_loop().create_task(
            socket.serve(runtime, dict, answers)
        )
        await until((runtime / socket.ASK_NAME).exists)
        ready.set()
        await asyncio.to_thread(ended.wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    threads = [
        threading.Thread(target=one.desk.run),
        threading.Thread(target=lambda: asyncio.run(serve())),
    ]
    for thread in threads:
        thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        ended.set()
        one.desk.stop()
        for thread in threads:
            thread.join()


def test_the_command_line_judges_an_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 when it was taken, 1 with the reason when not; who asked is kept hashed."""
    one = Bench(tmp_path / "state")
    alarmed(one)
    where = ["--runtime-dir", str(tmp_path / "run")]
    with answering(one, tmp_path / "run"):
        good = ["label", ANOMALY, "--occurrence", "P-101-1", "--reject"]
        assert main([*good, "--reason", "pump was primed", *where]) == 0
        assert "it was a false alarm (pump was primed)" in capsys.readouterr().out
        assert main(["label", ANOMALY, "--occurrence", "x", "--confirm", *where]) == 1
        assert "no alarm with this occurrence" in capsys.readouterr().err
        assert main(["label", "nothing", "--occurrence", "x", "--confirm", *where]) == 1
        assert "there is: part-quality, pump-anomaly" in capsys.readouterr().err
    taken = next(e for e in one.events if e.name == "verdict taken")
    assert taken.details["by"].startswith("h:")


def test_the_command_line_gives_a_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In pieces that the socket takes, with the lines of the file in what is wrong."""
    one = Bench(tmp_path / "state")
    one.score([f"part-{k}" for k in range(300)])
    lines = [f'"part-{k}";nok' for k in range(300)]
    lines[250] = '"part-250";'
    path = tmp_path / "lab.csv"
    path.write_text("part;label\n" + "\n".join(lines) + "\n")
    where = ["--runtime-dir", str(tmp_path / "run")]
    with answering(one, tmp_path / "run"):
        assert main(["label", QUALITY, "--csv", str(path), *where]) == 1
    said = capsys.readouterr()

    assert said.out == "299 labels taken, 1 lines could not be used\n"
    assert f"{path}:252:12: label is missing" in said.err
    assert one.states().count(State.BAD) == 299


def test_the_command_line_says_when_nobody_answers(tmp_path: Path) -> None:
    """69, and nothing is left anywhere."""
    program = [sys.executable, "-m", "edge_agent", "label", ANOMALY]
    found = subprocess.run(
        [*program, "--occurrence", "x", "--confirm", "--runtime-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )

    assert found.returncode == 69
    assert "no agent answers" in found.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "what", ["", "{}", "[", '{"pipeline": 1}', '{"pipeline": "x"}', "[" * 4000]
)
def test_a_question_that_is_none_is_answered_with_an_error(
    tmp_path: Path, what: str
) -> None:
    """Nothing from the socket ends anything."""
    from edge_agent.errors import EdgeAgentError  # noqa: PLC0415

    with pytest.raises(EdgeAgentError):
        asking.answer(Bench(tmp_path).desk, what)


def test_what_was_joined_is_judged_and_a_breach_told_once(tmp_path: Path) -> None:
    """After news soon, else now and then; the breach again only after it was over."""
    looks: list[tuple[str, int, int]] = []
    found: list[tuple[str, int]] = []
    breaches: list[str] = []
    broken = [True]

    def judge_by(name: str, joined: Joined, alarms: Judged) -> list[Condition]:
        looks.append((name, len(joined), len(alarms.asset)))
        bad = Condition(What.ACCURACY, 1.5, "recall 0.6 below 0.9", "train anew")
        return [bad] if broken[0] and len(joined) else []

    more = {
        "judge": judge_by,
        "found": lambda name, each: found.append((name, len(each))),
        "breach": lambda _, condition: breaches.append(condition.sentence),
    }
    one = Bench(tmp_path, more=more, on_breach="return")
    one.score(["a", "b"])
    one.desk.look()
    first = len(looks)
    one.tell(made.label("bad", part="a"))
    assert len(looks) == first
    one.wait(20 * S)
    assert looks[-1] == (QUALITY, 1, 0)
    one.wait(20 * S)
    assert len(looks) == first + 1
    one.wait(HOUR)
    assert breaches == ["recall 0.6 below 0.9"]
    broken[0] = False
    one.wait(HOUR)
    broken[0] = True
    one.wait(HOUR)

    assert len(breaches) == 2
    assert (QUALITY, 1) in found
    assert (QUALITY, 0) in found
