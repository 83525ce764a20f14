"""What a verification finds: problems, each with its exact place, and notes, which are none."""

from dataclasses import dataclass, field
from pathlib import Path

from tracking.home import Home


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: where, and what was expected and found there."""

    place: str
    """A path below the home, and where it helps which bytes, line or record of it."""
    problem: str


@dataclass(slots=True)
class Findings:
    """Collects them for one home. None of them holds a prompt or a user's id."""

    home: Home
    problems: list[Finding] = field(default_factory=list[Finding])
    notes: list[Finding] = field(default_factory=list[Finding])

    def problem(self, path: Path, problem: str, within: str = "") -> None:
        self.problems.append(Finding(self.place(path, within), problem))

    def note(self, path: Path, note: str, within: str = "") -> None:
        self.notes.append(Finding(self.place(path, within), note))

    def differs(self, path: Path, what: str, expected: object, found: object) -> None:
        """Note a problem where the two are not the same."""
        if expected != found:
            self.problem(path, f"{what} is {found}, expected {expected}")

    def place(self, path: Path, within: str = "") -> str:
        shown = path.relative_to(self.home.root) if path.is_relative_to(self.home.root) else path
        return f"{shown} {within}".rstrip()
