"""Commands as other users of this machine, where the tests run as root. The users need no entry in /etc/passwd."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).resolve().parents[2]
# An interpreter that lies below a folder of root's alone: others see an empty one in its place, with it alone in it.
REACHING = """
set -e
umask=$(umask)
umask 022
kept=$(mktemp -d)
mount -t tmpfs tmpfs "$kept"
mkdir "$kept/python"
mount --bind "$1" "$kept/python"
mount -t tmpfs -o mode=755 tmpfs "$2"
mkdir -p "$1"
mount --bind "$kept/python" "$1"
umount "$kept/python" "$kept"
rmdir "$kept"
umask "$umask"
shift 2
exec "$@"
"""


def as_user(
    user: int, group: int, groups: list[int], code: str, *arguments: object, umask: int = 0o022, home: Path
) -> "subprocess.CompletedProcess[str]":
    """Run Python code as a user of a group and of further ones."""
    setpriv = ["setpriv", f"--reuid={user}", f"--regid={group}"]
    setpriv.append(f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups")
    command = [*setpriv, sys.executable, "-P", "-c", code, *map(str, arguments)]
    closed = _closed_to_others(Path(sys.base_prefix))
    if closed is not None:
        shell = ["sh", "-c", REACHING, "sh", sys.base_prefix, str(closed)]
        command = ["unshare", "--mount", "--propagation", "private", *shell, *command]
    environment = os.environ | {"HOME": str(home), "TMPDIR": str(home), "LLM_COST_HOME": str(home / "ledger")}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=ROOT, umask=umask, timeout=1200, check=False
    )


@contextmanager
def place_for_all() -> Iterator[Path]:
    """A folder that everybody may go through and write to; skips the test where other users cannot be played."""
    if os.geteuid() != 0:
        pytest.skip("only root may be other users")
    if shutil.which("setpriv") is None or shutil.which("unshare") is None:
        pytest.skip("util-linux is not installed")
    if _closed_to_others(ROOT) is not None:
        pytest.skip(f"other users cannot read {ROOT}")
    with TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o1777)
        tried = as_user(4001, 4001, [], "import duckdb", home=Path(folder))
        if tried.returncode:
            pytest.skip(f"other users cannot run Python here: {tried.stderr.strip().splitlines()[-1]}")
        yield Path(folder)


def _closed_to_others(path: Path) -> Path | None:
    """The topmost folder on the way to `path` that others may not go through."""
    return next((folder for folder in (*reversed(path.parents), path) if not folder.stat().st_mode & 0o001), None)
