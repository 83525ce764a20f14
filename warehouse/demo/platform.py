"""The school: teachers, assignments and the sessions in which they have a model work, all from one seed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Literal

from tracking.errors import ArgumentError
from warehouse.demo.prompts import FIRST_NAMES, LAST_NAMES, SUBJECTS, TOPICS
from warehouse.demo.providers import MODELS, SONNET, Model

DEFAULT_CALLS = 52_000
DEFAULT_SEED = 2026
FIRST_DAY = date(2026, 9, 1)
LAST_DAY = date(2026, 9, 30)
"""One month, back to school. On 10 September DeepSeek lowers a price."""

TEACHERS = 60
SCHOOLS = ("northfield-high", "lakeside-college", "st-brendan")
MODEL_SHARES = (9, 8, 7, 6, 3, 3, 2, 1, 1)
"""Of 40 assignments, how many are graded by each of `MODELS`."""
DUE_WEEKDAYS = (10, 10, 14, 14, 45, 2, 5)
SCHOOL_HOURS = range(7, 23)
HOUR_WEIGHTS = (3, 9, 10, 11, 11, 6, 7, 10, 12, 10, 4, 3, 5, 6, 4, 1)
WEEKEND_SHARE = 0.12
"""Of the work that would fall on a weekend, how much is really done then."""
FAILURE_SHARE = 0.011
APPEAL_SHARE = 0.03

Work = Literal["rubric", "grading", "appeal"]


@dataclass(frozen=True, slots=True)
class Teacher:
    id: str
    name: str
    school: str
    subject: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """Work set by a teacher; `material_tokens` is the reading it hangs on, sent with every grading."""

    id: int
    teacher: Teacher
    topic: str
    points: int
    due: date
    material_tokens: int
    grader: Model


@dataclass(frozen=True, slots=True)
class Rubric:
    id: int
    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Submission:
    id: int
    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Session:
    """Calls one after another: a rubric's drafts, one class's grading run, or one appealed grade.

    `attempts` holds, per piece of work, how many calls it takes until one succeeds.
    `first_id` is the rubric's id, or that of the first submission; the others follow it.
    """

    id: int
    work: Work
    assignment: Assignment
    starts_at: datetime
    first_id: int
    attempts: tuple[int, ...]

    @property
    def model(self) -> Model:
        return self.assignment.grader if self.work == "grading" else SONNET

    @property
    def calls(self) -> int:
        return sum(self.attempts)


@dataclass(frozen=True, slots=True)
class School:
    """Everything that happens in the month: exactly `calls` calls, the same for the same `seed` and `calls`."""

    seed: int
    calls: int
    teachers: tuple[Teacher, ...]
    assignments: tuple[Assignment, ...]
    sessions: tuple[Session, ...]

    @property
    def label(self) -> str:
        return f"demo/{self.seed}/{self.calls}"

    def share(self, number: int, of: int) -> list[Session]:
        """Share `number` of `of` shares: whole assignments, in order of time."""
        mine = (session for session in self.sessions if session.assignment.id % of == number)
        return sorted(mine, key=lambda session: (session.starts_at, session.id))


def build_school(calls: int = DEFAULT_CALLS, seed: int = DEFAULT_SEED) -> School:
    """Plan the month. Fewer calls make fewer assignments with fewer classes each."""
    if calls < 1:
        raise ArgumentError("calls", f"({calls}) is less than 1")
    random = Random(f"{seed}/{calls}")  # noqa: S311  (a play, not a secret)
    teachers = tuple(_teachers(random))
    assignments: list[Assignment] = []
    sessions: list[Session] = []
    calls_left = calls
    for assignment in _assignments(random, teachers):
        assignments.append(assignment)
        for session in _sessions(random, assignment, most_classes=min(6, 1 + calls // 10_000)):
            portion = _first_calls(session, calls_left)
            sessions.append(portion)
            calls_left -= portion.calls
            if not calls_left:
                return School(seed, calls, teachers, tuple(assignments), tuple(sessions))
    raise AssertionError("assignments never end")


def _first_calls(session: Session, most: int) -> Session:
    """`session`, or so much of it that it takes `most` calls."""
    portion: list[int] = []
    calls_left = most
    for attempts in session.attempts:
        if calls_left <= 0:
            break
        portion.append(min(attempts, calls_left))
        calls_left -= attempts
    return replace(session, attempts=tuple(portion))


def _teachers(random: Random) -> Iterator[Teacher]:
    for number in range(1, TEACHERS + 1):
        name = f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}"
        yield Teacher(f"teacher-{number:02}", name, SCHOOLS[number % len(SCHOOLS)], random.choice(SUBJECTS))


def _assignments(random: Random, teachers: tuple[Teacher, ...]) -> Iterator[Assignment]:
    # A few teachers do most of the work: activity falls with rank.
    activity = [1 / rank for rank in range(3, 3 + len(teachers))]
    days = [FIRST_DAY + timedelta(days=number) for number in range(1, (LAST_DAY - FIRST_DAY).days)]
    deadlines = [DUE_WEEKDAYS[day.weekday()] for day in days]
    # One of each model first, so that even a small month knows every provider.
    deck = [*MODELS, *(model for model, share in zip(MODELS, MODEL_SHARES, strict=True) for _ in range(share - 1))]
    number = 0
    while True:
        number += 1
        teacher = random.choices(teachers, activity)[0]
        yield Assignment(
            id=1000 + number,
            teacher=teacher,
            topic=random.choice(TOPICS[teacher.subject]),
            points=random.choice((20, 30, 60, 100)),
            due=random.choices(days, deadlines)[0],
            material_tokens=random.randint(4_200, 7_000),
            grader=deck[(number - 1) % len(deck)],
        )


def _sessions(random: Random, assignment: Assignment, most_classes: int) -> Iterator[Session]:
    identity = assignment.id * 100
    for _ in range(random.choice((0, 1, 1, 2))):
        day = max(FIRST_DAY, assignment.due - timedelta(days=random.randint(1, 6)))
        drafts = _attempts(random, random.choice((1, 1, 2, 3)))
        yield Session(identity, "rubric", assignment, _moment(random, day, earlier=True), identity, drafts)
        identity += 1
    first_submission = assignment.id * 1000
    for _ in range(random.randint((most_classes + 1) // 2, most_classes)):
        delay = random.choices((0, 1, 2, 3, 6), (35, 30, 18, 10, 7))[0]
        starts_at = _moment(random, assignment.due + timedelta(days=delay), earlier=False)
        size = random.randint(18, 33)
        yield Session(identity, "grading", assignment, starts_at, first_submission, _attempts(random, size))
        identity += 1
        for position in range(size):
            if random.random() < APPEAL_SHARE:
                day = starts_at.date() + timedelta(days=random.randint(1, 4))
                appealed_at = max(_moment(random, day, earlier=False), starts_at + timedelta(hours=1))
                submission = first_submission + position
                yield Session(identity, "appeal", assignment, appealed_at, submission, _attempts(random, 1))
                identity += 1
        first_submission += size


def _attempts(random: Random, pieces: int) -> tuple[int, ...]:
    def needed() -> int:
        attempts = 1
        while attempts < 4 and random.random() < FAILURE_SHARE:
            attempts += 1
        return attempts

    return tuple(needed() for _ in range(pieces))


def _moment(random: Random, day: date, earlier: bool) -> datetime:
    """A moment of a school day at or near `day`: seldom on a weekend, never outside the month."""
    day = min(day, LAST_DAY)
    if day.weekday() >= 5 and random.random() >= WEEKEND_SHARE:
        monday = day + timedelta(days=7 - day.weekday())
        friday = day - timedelta(days=day.weekday() - 4)
        day = friday if earlier or monday > LAST_DAY else monday
    hour = random.choices(SCHOOL_HOURS, HOUR_WEIGHTS)[0]
    within = time(hour, random.randrange(60), random.randrange(60), random.randrange(1_000_000), tzinfo=UTC)
    return datetime.combine(day, within)
