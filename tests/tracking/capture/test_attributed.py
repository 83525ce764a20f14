"""`@tracking.attributed(…)`: attribution by the names of a function's arguments, in functions of every colour."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tracking import ArgumentError, attributed
from tracking.attribution import current_attribution

TEACHER = {"user": "t1", "trackable": ("Essay", 7), "request_type": "grade_student_work"}


def said() -> dict[str, Any]:
    return dict(current_attribution())


@attributed(user="teacher", trackable="essay", request_type="grade_student_work")
def grade(essay: object, *, teacher: object = "t1") -> dict[str, Any]:
    """Grades."""
    return said()


def test_a_function_is_attributed_by_its_arguments_defaults_too() -> None:
    assert grade(("Essay", 7)) == TEACHER
    assert grade(essay=("Essay", 8), teacher="t2") == TEACHER | {"user": "t2", "trackable": ("Essay", 8)}
    assert said() == {}
    assert (grade.__name__, grade.__doc__) == ("grade", "Grades.")


def test_methods_paths_and_arguments_that_name_the_request_type() -> None:
    class Service:
        school = "north"

        @attributed(user="request.user.id", trackable="work", request_type="kind", tenant="self.school")
        def run(self, request: Any, work: str, kind: str) -> dict[str, Any]:
            return said()

    request = SimpleNamespace(user=SimpleNamespace(id=4))
    assert Service().run(request, "Essay:1", kind="generate_rubric") == {
        "user": 4,
        "trackable": "Essay:1",
        "request_type": "generate_rubric",
        "tenant": "north",
    }


def test_coroutines_have_each_their_own() -> None:
    @attributed(user="teacher")
    async def work(teacher: int) -> Any:
        await asyncio.sleep(0)
        return said()["user"]

    async def use() -> list[Any]:
        return await asyncio.gather(*(work(number) for number in range(5)))

    assert asyncio.run(use()) == [0, 1, 2, 3, 4]


def test_a_generator_is_attributed_while_it_runs_and_nobody_else_meanwhile() -> None:
    closed: list[Any] = []

    @attributed(user="teacher")
    def steps(teacher: str) -> Iterator[Any]:
        try:
            got = yield said()
            try:
                yield (got, said())
            except KeyError:
                yield ("caught", said())
        finally:
            closed.append(said())

    running: Any = steps("t1")
    assert next(running) == {"user": "t1"}
    assert said() == {}
    assert running.send(5) == (5, {"user": "t1"})
    assert running.throw(KeyError()) == ("caught", {"user": "t1"})
    running.close()
    assert closed == [{"user": "t1"}]
    assert [each["user"] for each in steps("t2") if isinstance(each, dict)] == ["t2"]


def test_an_asynchronous_generator_too() -> None:
    @attributed(user="teacher")
    async def steps(teacher: str) -> AsyncIterator[Any]:
        yield said()
        await asyncio.sleep(0)
        yield said()

    async def use() -> list[Any]:
        seen: list[Any] = []
        async for each in steps("t1"):
            seen += [each, said()]
        return seen

    assert asyncio.run(use()) == [{"user": "t1"}, {}, {"user": "t1"}, {}]


def test_generators_meet_what_is_thrown_into_them_cancellation_too() -> None:
    met: list[type[BaseException]] = []

    @attributed(user="teacher")
    def steps(teacher: str) -> Iterator[int]:
        try:
            yield 1
        except BaseException as error:
            met.append(type(error))
            raise

    @attributed(user="teacher")
    async def steps_async(teacher: str) -> AsyncIterator[int]:
        try:
            yield 1
        except BaseException as error:
            met.append(type(error))
            raise

    async def use() -> None:
        running: Any = steps_async("t1")
        await anext(running)
        with pytest.raises(asyncio.CancelledError):
            await running.athrow(asyncio.CancelledError())

    running: Any = steps("t1")
    next(running)
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt())
    asyncio.run(use())
    assert met == [KeyboardInterrupt, asyncio.CancelledError]


@pytest.mark.parametrize("word", ["user", "trackable", "trackable_parent"])
def test_a_name_of_no_argument_is_refused_where_it_is_written(word: str) -> None:
    with pytest.raises(ArgumentError, match=rf"^{word} \('teacher'\) is no argument of .*which has essay"):

        @attributed(**{word: "teacher"})
        def function(essay: object, **more: object) -> None: ...


def test_a_call_without_its_arguments_is_the_functions_own_error() -> None:
    with pytest.raises(TypeError, match="essay"):
        grade()  # pyright: ignore[reportCallIssue]
