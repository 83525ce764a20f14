"""The calls of one session, as an application would have made them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tracking.rows.record import Status
from tracking.rows.request_type import RequestType
from tracking.usage import Usage
from warehouse.demo.platform import Assignment, Rubric, School, Session, Submission
from warehouse.demo.prompts import FEEDBACK, grading_instructions, rubric_request, student_text
from warehouse.demo.providers import Answer, Model

CHARACTERS_PER_TOKEN = 4
BROKEN_STREAM_SHARE = 0.004
CACHE_HIT_SHARE = 0.94
HOUR_CACHE_SHARE = 0.25
TIMEOUT_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: who for, when, and what came back. `body` is None where it failed with `error_type`.

    `idempotency_key` names a call whose answer carries no id of its own.
    """

    session: Session
    model: Model
    trackable: Assignment | Rubric | Submission
    trackable_parent: Assignment | None
    request_type: RequestType
    prompt: str
    occurred_at: datetime
    latency_ms: int
    ttft_ms: int | None
    attempt: int
    status: Status
    body: dict[str, Any] | None
    error_type: str | None
    idempotency_key: str | None
    trace_id: str


class _CachedCounts(NamedTuple):
    """Of one call, as the provider reports them; `None` where it does not."""

    reads: int | None = None
    writes: int | None = None
    writes_1h: int | None = None


@dataclass(slots=True)
class _PrefixCache:
    """What the provider still holds of a session's shared prefix."""

    model: Model
    tokens: int
    for_an_hour: bool
    warm: bool = False

    def counts(self, random: Random) -> _CachedCounts:
        """Of the next call: the first one fills the cache, the later ones read it."""
        if self.model.writes_cache:
            if self.warm:
                return _CachedCounts(reads=self.tokens, writes=0, writes_1h=0)
            self.warm = True
            writes_1h = self.tokens if self.for_an_hour else 0
            return _CachedCounts(reads=0, writes=self.tokens, writes_1h=writes_1h)
        hit = self.warm and random.random() < CACHE_HIT_SHARE
        self.warm = True
        return _CachedCounts(reads=self.tokens - self.tokens % self.model.cache_step if hit else 0)


def session_calls(school: School, session: Session) -> Iterator[Call]:
    """Every call of `session` in order of time; a failed attempt comes right before its retry."""
    random = Random(f"{school.label}/{session.id}")  # noqa: S311  (a play, not a secret)
    model = session.model
    grading = session.work != "rubric"
    cache = None
    if session.work == "grading":
        for_an_hour = model.provider == "anthropic" and random.random() < HOUR_CACHE_SHARE
        cache = _PrefixCache(model, session.assignment.material_tokens, for_an_hour)
    trace_id = f"{random.getrandbits(128):032x}"
    request_type = RequestType.GRADE_STUDENT_WORK if grading else RequestType.GENERATE_RUBRIC
    trackable, parent = _trackable(session)
    now = session.starts_at
    number = 0
    for position, prompt in enumerate(_prompts(session)):
        for attempt in range(1, session.attempts[position] + 1):
            number += 1
            will_retry = attempt < session.attempts[position]
            error_type = random.choice(model.errors) if will_retry else None
            answer = None if will_retry else _answer(random, session, cache, prompt, now)
            latency_ms, ttft_ms = _timing(random, model, answer, error_type)
            nameless = answer is None or model.answers_namelessly
            yield Call(
                session=session,
                model=model,
                trackable=trackable,
                trackable_parent=parent,
                request_type=request_type,
                prompt=prompt,
                occurred_at=now,
                latency_ms=latency_ms,
                ttft_ms=ttft_ms,
                attempt=attempt,
                status="error" if answer is None else "ok" if answer.whole else "partial",
                body=None if answer is None else model.body(answer),
                error_type=error_type,
                idempotency_key=f"{school.label}/{session.id}/{number}" if nameless else None,
                trace_id=trace_id,
            )
            pause_ms = 2_000 * 2**attempt if will_retry else random.randint(300, 2_500)
            now += timedelta(milliseconds=latency_ms + pause_ms)


def _trackable(session: Session) -> tuple[Assignment | Rubric | Submission, Assignment | None]:
    """A grading run is for the assignment; a rubric and an appeal are their own objects, belonging to it."""
    if session.work == "rubric":
        return Rubric(session.first_id, session.assignment), session.assignment
    if session.work == "appeal":
        return Submission(session.first_id, session.assignment), session.assignment
    return session.assignment, None


def _prompts(session: Session) -> Iterator[str]:
    assignment = session.assignment
    topic = (assignment.teacher.subject, assignment.topic, assignment.points)
    if session.work == "rubric":
        request = rubric_request(*topic)
        for draft in range(len(session.attempts)):
            yield request if not draft else f"{request} Make this draft {draft + 1} clearer than the one before."
        return
    instructions = grading_instructions(*topic)
    for submission_id in range(session.first_id, session.first_id + len(session.attempts)):
        yield instructions + student_text(submission_id)


def _answer(random: Random, session: Session, cache: _PrefixCache | None, prompt: str, now: datetime) -> Answer:
    model = session.model
    input_tokens = len(prompt) // CHARACTERS_PER_TOKEN
    if session.work != "rubric":
        input_tokens += session.assignment.material_tokens
    output_tokens = random.randint(140, 420) if session.work != "rubric" else random.randint(700, 1_600)
    reasoning_tokens = None
    if model.reasoning is not None:
        reasoning_tokens = output_tokens * random.randint(*model.reasoning) // 100
        output_tokens += reasoning_tokens
    whole = not (model.streams and random.random() < BROKEN_STREAM_SHARE)
    if not whole:
        output_tokens = max(1, output_tokens * random.randint(5, 90) // 100)
        reasoning_tokens = None if reasoning_tokens is None else min(reasoning_tokens, output_tokens)
    cache_counts = cache.counts(random) if cache else _CachedCounts()
    usage = Usage(
        input_tokens=input_tokens,
        cache_read_tokens=cache_counts.reads,
        cache_write_tokens=cache_counts.writes,
        cache_write_1h_tokens=cache_counts.writes_1h,
        output_tokens=output_tokens,
        reasoning_tokens=reasoning_tokens,
    )
    return Answer(model.new_id(random), now, usage, random.choice(FEEDBACK), whole)


def _timing(random: Random, model: Model, answer: Answer | None, error_type: str | None) -> tuple[int, int | None]:
    """Latency and, for a streamed answer, time to the first token; both in milliseconds."""
    if answer is None:
        timed_out = error_type is not None and ("Timeout" in error_type or "Deadline" in error_type)
        return (TIMEOUT_MS if timed_out else random.randint(60, 400)), None
    ttft_ms = int(random.lognormvariate(6.2, 0.4))
    generated_ms = 1_000 * (answer.usage.output_tokens or 0) // model.tokens_per_second
    return ttft_ms + generated_ms * random.randint(85, 130) // 100, ttft_ms if model.streams else None
