"""The code behind what is stored: who keeps results notes its hash with them, and makes them anew where it changed."""

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import warehouse

ROOT = Path(warehouse.__file__).parent.parent
"""Where our packages lie, in a checkout and in an installed wheel alike."""

# Parsing the same modules takes a hundred times as long. Whether this finds every import, a test asks grimp.
IMPORTS = re.compile(
    r"""
    ^[ ]*(?:
        from[ ](?P<package>(?:tracking|warehouse)[\w.]*)[ ]import[ ](?P<names>\([^)]*\)|.*)
        | import[ ](?P<module>(?:tracking|warehouse)[\w.]*)
    )
    """,
    re.MULTILINE | re.VERBOSE,
)


@cache
def code_hash(module: str, root: Path = ROOT) -> str:
    """Changes whenever a module's code does, that of anything of ours it imports, or a data file beside one of them."""
    digest = hashlib.sha256()
    files = {code_file(name, root) for name in code_behind(module, root)}
    folders = {file.parent for file in files}
    data = {file for folder in folders for file in folder.iterdir() if file.is_file() and file.suffix != ".py"}
    for file in sorted(files | data):
        digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def code_behind(module: str, root: Path = ROOT) -> set[str]:
    """The modules of ours that a module imports, they import and so on, and itself."""
    modules: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        modules.add(name)
        waiting |= set(_imported(code_file(name, root), root)) - modules
    return modules


def _imported(file: Path, root: Path) -> Iterator[str]:
    for statement in IMPORTS.finditer(file.read_text(encoding="utf-8")):
        package = statement["package"] or statement["module"]
        names = re.findall(r"\w+", re.sub(r"#.*| as \w+", "", statement["names"] or ""))
        submodules = [name for name in (f"{package}.{part}" for part in names) if code_file(name, root).exists()]
        # Who names submodules alone has nothing of the package itself.
        yield from submodules
        if len(submodules) < len(names) or not names:
            yield package


def code_file(module: str, root: Path = ROOT) -> Path:
    """Where a module's code lies, if it is one."""
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
