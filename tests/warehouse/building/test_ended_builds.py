"""Builds that are ended from outside: nothing of them goes on, and the next one is not disturbed."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ledgers import record_month

from tracking import CostTracker
from tracking.home import Home
from warehouse.building.build import build
from warehouse.locks import building
from warehouse.published.read import open_warehouse


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("ended") / "home")
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        record_month(tracker, 12)
    return home


def children_of(process: int) -> list[int]:
    """The ids of its children that run dbt."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == process and b"dbt_process" in command:
            found.append(int(folder.name))
    return found


def is_gone(process: int, within: float = 60) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.1)
    return False


def modes(home: Home) -> dict[str, str]:
    """Of whatever is in the home, but for what others may do with it nothing."""
    found: dict[str, str] = {}
    for path in home.root.rglob("*"):
        try:
            mode = stat.S_IMODE(path.lstat().st_mode)
        except FileNotFoundError:
            continue
        if mode & 0o077 and not path.is_symlink():
            found[str(path.relative_to(home.root))] = oct(mode)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_dbt_ends_with_the_build_that_started_it_and_the_next_build_is_not_disturbed(home: Home) -> None:
    """Terminated, a build says so with 143; killed, it says nothing. Its dbt held build.duckdb either way, and the next
    build failed at once. Whatever the umask, nobody else may read a file of the home meanwhile."""
    home.root.chmod(0o755)
    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)):
        command = [sys.executable, "-P", "-m", "warehouse", "build", "--home", str(home.root)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, umask=0)
        readable: dict[str, str] = {}
        children: list[int] = []
        deadline = time.monotonic() + 300
        while not (children and (home.dbt / "target" / "manifest.json").exists()) and time.monotonic() < deadline:
            children = children or children_of(running.pid)
            readable |= modes(home)
            assert running.poll() is None, running.communicate()
            time.sleep(0.1)
        os.kill(running.pid, number)
        _, said = running.communicate(timeout=60)
        assert running.returncode == code
        assert said == ("llm-cost: stopped by SIGTERM\n" if code == 143 else "")
        assert children
        assert all(is_gone(child) for child in children)
        assert readable == {}
        with building(home):
            pass
        (home.dbt / "target" / "manifest.json").unlink()
    build(home)
    assert modes(home) == {}
    with open_warehouse(home) as warehouse:
        assert warehouse.execute("select count(*) from fct_usage").fetchone() == (12,)


def test_dbt_holds_the_lock_of_the_build_that_started_it(home: Home) -> None:
    """Its parent may be gone a moment before it is: until then the next build waits."""
    code = (
        "import subprocess, sys; from tracking.home import Home; from warehouse.locks import building, inherited\n"
        "home = Home(sys.argv[1])\n"
        "with building(home):\n"
        "    child = subprocess.Popen(['sleep', '600'], pass_fds=inherited(home))\n"
        "    print(child.pid, flush=True)\n"
        "    sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(home.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    waiting = (
        "import sys; from tracking.home import Home; from warehouse.locks import building\n"
        "with building(Home(sys.argv[1])): print('built')"
    )
    another = subprocess.Popen([sys.executable, "-c", waiting, str(home.root)], stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        another.wait(timeout=3)
    os.kill(child, signal.SIGTERM)
    assert another.communicate(timeout=60)[0] == "built\n"
