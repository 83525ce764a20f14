"""The school's own names of its teachers and assignments, where the reports look for them."""

import csv
import io
from collections.abc import Iterable

from tracking.durable_files import make_directory, replace_file
from tracking.home import Home
from warehouse.demo.platform import School


def write_names(home: Home, school: School) -> None:
    """Write `dimensions/users.csv` and `dimensions/assignments.csv`."""
    teachers = [(teacher.id, teacher.name, teacher.school) for teacher in school.teachers]
    _write(home, "users", ("user_id", "name", "tenant"), teachers)
    assignments = [
        (str(assignment.id), assignment.topic, assignment.teacher.school) for assignment in school.assignments
    ]
    _write(home, "assignments", ("assignment_id", "name", "tenant"), assignments)


def _write(home: Home, stem: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    make_directory(home.dimensions)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    replace_file(home.dimensions / f"{stem}.csv", text.getvalue().encode())
