"""Playing the month: several processes, each with a tracker of its own, on one home."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import cast

from tracking import CostTracker, LLMResponse, LLMUsageRecord
from tracking.errors import ArgumentError, CostTrackingError
from tracking.home import Home
from tracking.rows import build
from warehouse.demo.budgets import write_budgets
from warehouse.demo.calls import Call, session_calls
from warehouse.demo.names import write_names
from warehouse.demo.platform import DEFAULT_CALLS, DEFAULT_SEED, School, Session, build_school

PROCESSES = 4
CALLS_PER_REPORT = 200


class DemoError(CostTrackingError):
    """One of the playing processes failed; the others were stopped."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The part of the month one process plays: share `number` of `of`."""

    home: Path
    calls: int
    seed: int
    number: int
    of: int


def play(
    home: Path,
    calls: int = DEFAULT_CALLS,
    seed: int = DEFAULT_SEED,
    processes: int = PROCESSES,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Record the month's `calls` calls in `home` and return how many were recorded. Its names go there too.

    `progress` is told the number recorded since it was told last. Playing again with the same `calls` and
    `seed` makes the same records, so the sealed ledger stays as it is.

    Raises:
        ArgumentError: `calls` or `processes` is less than 1.
        LedgerError: the home cannot be used.
        DemoError: a process failed or was killed; its reason is in the message.
    """
    if processes < 1:
        raise ArgumentError("processes", f"({processes}) is less than 1")
    if calls < 1:
        raise ArgumentError("calls", f"({calls}) is less than 1")
    Home(home).open()  # a home that cannot be used is one plain error here, not one in every process
    write_budgets(Home(home))
    write_names(Home(home), build_school(calls, seed))
    # spawn: the caller may run threads or hold a tracker, and neither survives a fork unharmed.
    context = multiprocessing.get_context("spawn")
    players: dict[Connection, SpawnProcess] = {}
    try:
        for number in range(processes):
            receiver, sender = context.Pipe(duplex=False)
            part = _Part(home, calls, seed, number, processes)
            player = context.Process(target=_play_part, args=(part, sender), name=f"demo-{number + 1}", daemon=True)
            player.start()
            sender.close()
            players[receiver] = player
        recorded = _follow(players, progress)
        for player in players.values():
            player.join()
        return recorded
    finally:
        for receiver, player in players.items():
            receiver.close()
            if player.is_alive():
                player.terminate()
            player.join()


def record_sessions(
    tracker: CostTracker, school: School, sessions: Iterable[Session], at: Callable[[datetime], None] | None = None
) -> Iterator[LLMUsageRecord]:
    """Record every call of `sessions`; a retry names the record of the attempt before it.

    `at` is told before each when its answer had come.
    """
    for session in sessions:
        teacher = session.assignment.teacher
        tags = {"subject": teacher.subject, "work": session.work}
        previous: LLMUsageRecord | None = None
        for call in session_calls(school, session):
            if at:
                at(call.occurred_at + timedelta(milliseconds=call.latency_ms or 0))
            previous = tracker.record(
                llm_response=_response(call),
                trackable=call.trackable,
                trackable_parent=call.trackable_parent,
                user=teacher,
                request_type=call.request_type,
                prompt=call.prompt,
                occurred_at=call.occurred_at,
                status=call.status,
                latency_ms=call.latency_ms,
                ttft_ms=call.ttft_ms,
                attempt=call.attempt,
                retry_of=previous.record_id if previous and call.attempt > 1 else None,
                tenant=teacher.school,
                tags=tags,
                trace_id=call.trace_id,
                idempotency_key=call.idempotency_key,
            )
            yield previous


def _response(call: Call) -> LLMResponse:
    model = call.model
    if call.body is None:
        return LLMResponse.failed(provider=model.provider, model=model.name, error_type=call.error_type)
    named = model.name if model.answers_namelessly else None
    return LLMResponse.from_provider(call.body, provider=model.provider, model=named)


def _follow(players: dict[Connection, SpawnProcess], progress: Callable[[int], None] | None) -> int:
    call_count = 0
    playing = set(players)
    while playing:
        for receiver in cast("list[Connection]", wait(list(playing))):
            try:
                message: int | str | None = receiver.recv()
            except EOFError:
                player = players[receiver]
                player.join()
                raise DemoError(f"process {player.name} ended early with exit code {player.exitcode}") from None
            if isinstance(message, str):
                raise DemoError(f"process {players[receiver].name} failed: {message}")
            if message is None:
                playing.discard(receiver)
                continue
            call_count += message
            if progress:
                progress(message)
    return call_count


def _set_clock(instant: datetime) -> None:
    """Rows are recorded at `instant`: a platform records its calls as they end, and no report should call them late."""
    build.now = lambda: instant


def _play_part(part: _Part, sender: Connection) -> None:
    """What one process does. It sends how many more calls are recorded; at the end None, or the error as text."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which stops its players
    try:
        school = build_school(part.calls, part.seed)
        pending_count = 0
        with CostTracker(home=part.home, on_unknown_model="record", on_error="raise") as tracker:
            for _ in record_sessions(tracker, school, school.share(part.number, part.of), _set_clock):
                pending_count += 1
                if pending_count == CALLS_PER_REPORT:
                    sender.send(pending_count)
                    pending_count = 0
        sender.send(pending_count)
        sender.send(None)
    except Exception as error:  # the parent raises it, whatever it is
        sender.send(" ".join(f"{type(error).__name__}: {error}".split()))
