"""A disk that loses its power: replays what a command asked of it, and leaves what may be left at any moment.

What a sync has covered stays: a file's content by fsync or fdatasync of the file, a name by fsync of its folder.
Of everything else any part may be there or not.
"""

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracing import CHANGES

CALLS = ",".join(["openat", "?rmdir", *(f"?{call}" for call in CHANGES)])
SYNCS = ("fsync", "fdatasync")


@dataclass(frozen=True, slots=True)
class Step:
    """One system call that succeeded. `paths` are absolute;"""

    call: str
    paths: tuple[str, ...]
    data: bytes = b""
    offset: int = 0
    flags: str = ""


@dataclass(slots=True, eq=False)
class _File:
    content: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    """Writes no sync has covered: offset and data. (offset, b"") cuts the file there."""

    def now(self, first: int | None = None) -> bytes:
        """The content once the first so many pending writes have reached the disk."""
        content = self.content
        for offset, data in self.pending[:first]:
            content = (
                content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]
                if data
                else content[:offset]
            )
        return content


_Names = dict[str, _File | None]
"""What stands at each path; a folder is None."""


class Disk:
    """What was asked of the disk so far, starting from a folder that rests on it safely."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: _Names = {}
        for path in sorted(root.rglob("*")):
            self._durable[str(path)] = None if path.is_dir() else _File(path.read_bytes())
        self._names = dict(self._durable)
        self._pending: list[tuple[str, dict[str, _File | bool | None]]] = []
        """Changes of names no sync has covered: the folder, and what stands at each path then (False: nothing)."""
        self._begun: dict[str, int] = {}
        """Of a sync under way, how many pending changes it covers: what comes after it began it may miss."""

    def apply(self, step: Step) -> None:
        first = step.paths[0]
        if not first.startswith(f"{self._root}/") and first != str(self._root):
            return
        match step.call:
            case "openat":
                if "O_CREAT" in step.flags and first not in self._names:
                    self._change_names({first: _File()})
                file = self._names.get(first)
                if "O_TRUNC" in step.flags and file is not None and file.now():
                    file.pending.append((0, b""))
            case "begin":
                file = self._names.get(first)
                self._begun[first] = len(self._pending) if file is None else len(file.pending)
            case "write" | "pwrite64" | "ftruncate":
                file = self._names.get(first)
                if file is None:
                    return  # deleted, and still open
                offset = len(file.now()) if step.call == "write" else step.offset
                file.pending.append((offset, step.data))
            case "fsync" | "fdatasync":
                self._sync(first)
            case _:
                self._change_names(self._naming(step))

    def _naming(self, step: Step) -> dict[str, _File | bool | None]:
        first, *second = step.paths
        match step.call:
            case "rename" | "renameat" | "renameat2":
                return {first: False, second[0]: self._names[first]}
            case "link" | "linkat":
                return {second[0]: self._names[first]}
            case "unlink" | "unlinkat" | "rmdir":
                return {first: False}
            case "mkdir" | "mkdirat":
                return {first: None}
            case _:
                raise AssertionError(f"a call this disk does not know: {step}")

    def _change_names(self, change: dict[str, _File | bool | None]) -> None:
        self._pending.append((str(Path(next(iter(change))).parent), change))
        _put(self._names, change)

    def _sync(self, path: str) -> None:
        if path == str(self._root) or self._names.get(path, False) is None:
            covered = self._begun.pop(path, len(self._pending))
            for folder, change in self._pending[:covered]:
                if folder == path:
                    _put(self._durable, change)
            kept = [each for each in self._pending[:covered] if each[0] != path]
            self._pending = kept + self._pending[covered:]
        elif file := self._names.get(path):
            covered = self._begun.pop(path, len(file.pending))
            file.content, file.pending = file.now(covered), file.pending[covered:]

    def leave(self, target: Path, chance: random.Random, names: float, data: float) -> None:
        """Make `target` what may be left: each unsynced change of names with this probability, data likewise."""
        left = dict(self._durable)
        for _, change in self._pending:
            if chance.random() < names:
                _put(left, change)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        contents: dict[int, bytes] = {}
        for path in sorted(left):
            place = target / Path(path).relative_to(self._root)
            file = left[path]
            if not place.parent.is_dir():
                continue
            if file is None:
                place.mkdir(mode=0o700)
                continue
            if id(file) not in contents:
                count = sum(chance.random() < data for _ in file.pending)
                contents[id(file)] = file.now(len(file.pending) if data == 1 else count)
            place.write_bytes(contents[id(file)])
            place.chmod(0o600)

    def everything(self) -> dict[str, bytes | None]:
        """What stands there while the power is on."""
        return {path: None if file is None else file.now() for path, file in self._names.items()}


def _put(names: _Names, change: dict[str, _File | bool | None]) -> None:
    for path, file in change.items():
        if isinstance(file, bool):
            names.pop(path, None)
        else:
            names[path] = file


def trace(command: Sequence[str], log: Path, below: Path) -> list[Step]:
    """Run a command and return what it changed below a folder, or made last, in the order in which it was done."""
    strace = ["strace", "-f", "-qq", "-y", "-xx", "-s", "10000000", "-o", str(log), "-e", f"trace={CALLS}"]
    done = subprocess.run(
        [*strace, *command],
        capture_output=True,
        text=True,
        env=os.environ | {"POLARS_MAX_THREADS": "1", "COLUMNS": "200"},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    steps = [step for step in _steps(log.read_text().splitlines()) if Path(step.paths[0]).is_relative_to(below)]
    return [step for step in steps if step.call != "openat" or "O_CREAT" in step.flags or "O_TRUNC" in step.flags]


def _steps(lines: Sequence[str]) -> Iterator[Step]:
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[thread] = rest.removesuffix("<unfinished ...>")
            if (step := _step(f"{begun[thread]}) = 0")) and step.call in SYNCS:
                yield Step("begin", step.paths)
            continue
        if match := re.match(r"<\.\.\. \w+ resumed>", rest):
            rest = begun.pop(thread) + rest[match.end() :]
        if step := _step(rest):
            yield step


def _step(text: str) -> Step | None:
    match = re.match(r"(\w+)\((.*)\) += (-?\d+)", text)
    # strace also shows calls that are newer than itself, by number.
    if not match or int(match[3]) < 0 or match[1].startswith("syscall_"):
        return None
    call, arguments = match[1], match[2]
    if call in ("write", "pwrite64", "fsync", "fdatasync", "ftruncate"):
        path = re.match(r"\d+<([^>]*)>", arguments)
        if not path:
            return None
        parts = arguments[path.end() :].lstrip(", ").split(", ")
        data = _bytes(parts[0])[: int(match[3])] if call in ("write", "pwrite64") else b""
        offset = int(parts[-1]) if call in ("pwrite64", "ftruncate") else 0
        return Step(call, (_plain(path[1]),), data, offset)
    folders = re.findall(r"(?:AT_FDCWD|\d+)<([^>]*)>, ", arguments)
    names = [_bytes(text).decode() for text in re.findall(r'"(?:\\x[0-9a-f]{2})*"', arguments)]
    bases = [Path(_plain(folder)) for folder in folders] + [Path.cwd()] * len(names)
    paths = tuple(str(base / name) for base, name in zip(bases, names, strict=False))
    return Step(call, paths, flags=arguments if call == "openat" else "")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.strip('"').replace("\\x", ""))


def _plain(path: str) -> str:
    """A path that strace gives in hexadecimal, or as it is; one that is gone is marked so."""
    text = _bytes(path).decode() if path.startswith("\\x") else path
    return text.removesuffix(" (deleted)").removesuffix("(deleted)")
