"""Whatever an application calls an assignment or a user becomes one stable reference."""

import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tracking import ArgumentError, TrackableRef
from tracking.rows.trackable import user_id_of


@dataclass
class Assignment:
    id: int | str | UUID | None
    title: str = "Essay"


class Rubric(BaseModel):
    id: int


class Course:
    def __init__(self, pk: int | None) -> None:
        self.pk = pk


@attrs.define
class Essay:
    pk: object


class Submission:
    """As Django makes a deferred or proxy class: the model's own name stands in `_meta`."""

    _meta = SimpleNamespace()

    def __init__(self, pk: int | None) -> None:
        self.pk = pk
        self.id = pk


class SubmissionProxy(Submission):
    pass


Submission._meta.concrete_model = Submission


@pytest.mark.parametrize(
    ("thing", "reference"),
    [
        (("Assignment", 42), "Assignment:42"),
        (["Assignment", "42"], "Assignment:42"),
        (TrackableRef("Assignment", "42"), "Assignment:42"),
        (Assignment(42), "Assignment:42"),
        (Assignment(0), "Assignment:0"),
        (Assignment("a:b"), "Assignment:a:b"),
        (Assignment(UUID(int=7)), "Assignment:00000000-0000-0000-0000-000000000007"),
        (Rubric(id=3), "Rubric:3"),
        (Course(5), "Course:5"),
        (SubmissionProxy(9), "Submission:9"),
        (Essay(UUID(int=7)), "Essay:00000000-0000-0000-0000-000000000007"),
        (Essay((3, "maths")), "Essay:3,maths"),
        ("Assignment:42", "Assignment:42"),
        ("Assignment:a:b", "Assignment:a:b"),
        ("school.models.Assignment:42", "school.models.Assignment:42"),
        ("gid://app/Assignment/42", "Assignment:42"),
        ("gid://my-app/School::Assignment/5f0c-77", "School::Assignment:5f0c-77"),
        ("gid://app/Assignment/a%20b%2Fc?tenant=north", "Assignment:a b/c"),
        ("gid://app/Order/3/maths", "Order:3,maths"),
    ],
)
def test_every_form_of_business_object_is_taken(thing: object, reference: str) -> None:
    assert str(TrackableRef.of(thing)) == reference


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        ("Assignment 42", "is not of the form Type:id"),
        ("", "is not of the form Type:id"),
        ("Grade this essay: Ada's summer", "is not of the form Type:id"),
        ("Assignment:\x00", "control character"),
        ("gid://app/Assignment", "is not of the form gid://app/Type/id"),
        ("gid://app/Assignment/%00", "control character"),
        (UUID(int=7), "is a UUID"),
        (Essay(None), "Essay without an id: save it first"),
        (Essay((None, None)), "Essay without an id: save it first"),
        (42, "is a int"),
        ({"id": 4}, "is a dict"),
        (Assignment, "is a type"),
        (("Assignment",), "is not a pair"),
        (("Assignment", 1, 2), "is not a pair"),
        ((1, 2), "is not a pair"),
        (("", 42), "is blank"),
        (("Assignment", " "), "is blank"),
        (("Assignment", None), "has an id of type NoneType"),
        (("Assignment", True), "has an id of type bool"),
        (("Assignment", 1.5), "has an id of type float"),
        (("Assignment", "\ud800"), "not valid Unicode"),
        (Assignment(None), "Assignment without an id: save it first"),
        (Course(None), "Course without an id: save it first"),
        (object(), "has no id"),
    ],
)
def test_what_has_no_type_or_id_is_refused(thing: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as refusal:
        TrackableRef.of(thing)
    assert refusal.value.argument == "trackable"
    assert str(refusal.value).startswith("trackable ")


@given(st.text(min_size=1).filter(lambda text: text.strip() and ":" not in text), st.text(min_size=1))
def test_a_reference_comes_back_from_its_text(kind: str, identity: str) -> None:
    reference = TrackableRef(kind, identity)
    if identity.strip():
        assert TrackableRef.parse(str(reference)) == reference


@pytest.mark.parametrize("text", ["", "Assignment", "Assignment:", ":42", " : "])
def test_text_that_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="Type:id"):
        TrackableRef.parse(text)


UUID_ID = UUID("0192f0c1-4a6e-7c11-9d2f-3f6a5b8e1c07")


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        ("teacher-1", "teacher-1"),
        (7, "7"),
        (0, "0"),
        (UUID_ID, str(UUID_ID)),
        (Assignment(7), "7"),
        (Course(7), "7"),
        ("x" * 10_240, "x" * 10_240),
        ("gid://app/User/7", "7"),
        ("auth0:7", "auth0:7"),
        ("'; drop table usage; --", "'; drop table usage; --"),
        ('"quoted" 👩‍🏫 \u2028', '"quoted" 👩‍🏫 \u2028'),
    ],
)
def test_a_user_is_an_object_with_an_id_or_the_id(user: object, identity: str) -> None:
    assert user_id_of(user) == identity


@pytest.mark.parametrize("user", [True, 1.5, b"7", {"id": 7}, Assignment(None), object(), Assignment("")])
def test_a_user_without_a_usable_id_is_refused(user: object) -> None:
    with pytest.raises(ArgumentError, match=r"^user "):
        user_id_of(user)


@pytest.fixture
def sqlalchemy_models() -> Any:
    pytest.importorskip("sqlalchemy")
    from sqlalchemy import create_engine
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

    class Base(DeclarativeBase):
        pass

    class Essay(Base):
        __tablename__ = "essay"
        number: Mapped[int] = mapped_column(primary_key=True)

    class Grade(Base):
        __tablename__ = "grade"
        id: Mapped[int] = mapped_column(primary_key=True)
        course: Mapped[str] = mapped_column(primary_key=True)

    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield SimpleNamespace(Essay=Essay, Grade=Grade, session=session)
    engine.dispose()


def test_sqlalchemy_objects_are_taken_by_their_primary_key_whatever_its_name(sqlalchemy_models: Any) -> None:
    essay, grade = sqlalchemy_models.Essay(number=42), sqlalchemy_models.Grade(id=1, course="maths")
    sqlalchemy_models.session.add_all([essay, grade])
    sqlalchemy_models.session.flush()
    assert str(TrackableRef.of(essay)) == "Essay:42"
    assert str(TrackableRef.of(grade)) == "Grade:1,maths"


def test_an_expired_or_detached_sqlalchemy_object_needs_no_database(sqlalchemy_models: Any) -> None:
    grade = sqlalchemy_models.Grade(id=1, course="maths")
    session = sqlalchemy_models.session
    session.add(grade)
    session.commit()
    session.close()
    assert sys.modules["sqlalchemy"].inspect(grade).detached
    assert str(TrackableRef.of(grade)) == "Grade:1,maths"
    assert user_id_of(grade) == "1,maths"


def test_an_unsaved_sqlalchemy_object_is_refused(sqlalchemy_models: Any) -> None:
    with pytest.raises(ArgumentError, match="Essay without an id: save it first"):
        TrackableRef.of(sqlalchemy_models.Essay())
