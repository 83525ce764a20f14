"""A home is opened where everybody who opens it sees the locks of the others, and refused where that is not known."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracking import CostTracker, LedgerError
from tracking.home import Home
from tracking.home.mounts import Mount, mount_of
from warehouse.locks import sealing

OPTIONS = "rw,nosuid,nodev,relatime"


def line(kind: str, options: str = "rw", place: str = "/srv/ledger", optional: str = "") -> str:
    return f"36 35 0:45 / {place} {OPTIONS}{optional} - {kind} some:/where {options}"


@pytest.mark.parametrize(
    ("kind", "options", "seen"),
    [
        ("ext4", "rw,errors=remount-ro", True),
        ("xfs", "rw,attr2,inode64", True),
        ("btrfs", "rw,space_cache=v2,subvolid=5,subvol=/", True),
        ("tmpfs", "rw,size=1024k", True),
        ("overlay", "rw,lowerdir=/l,upperdir=/u,workdir=/w", True),
        ("zfs", "rw,xattr,posixacl", True),
        ("fuseblk", "rw,user_id=0,group_id=0,allow_other", True),
        ("nfs4", "rw,vers=4.2,hard,proto=tcp,sec=sys,local_lock=none,addr=10.0.0.1", True),
        ("nfs", "rw,vers=3,hard,proto=tcp,mountproto=udp,local_lock=none,addr=10.0.0.1", True),
        ("nfs", "rw,vers=3,hard,nolock,proto=tcp,local_lock=all,addr=10.0.0.1", False),
        ("nfs", "rw,vers=3,nolock", False),
        ("nfs4", "rw,vers=4.1,local_lock=flock", False),
        ("nfs", "rw,vers=3,local_lock=posix", True),
        ("ceph", "rw,name=admin,secret=<hidden>", True),
        ("gfs2", "rw", True),
        ("gfs2", "rw,localflocks", False),
        ("ocfs2", "rw,localflocks", False),
        ("lustre", "rw,flock", True),
        ("lustre", "rw,localflock", False),
        ("lustre", "rw,noflock", False),
        ("cifs", "rw,vers=3.1.1,nobrl", False),
        ("cifs", "rw,vers=3.1.1", False),
        ("smb3", "rw", False),
        ("9p", "rw,trans=virtio", False),
        ("virtiofs", "rw", False),
        ("vboxsf", "rw", False),
        ("fuse", "rw", False),
        ("fuse.sshfs", "rw,user_id=0", False),
        ("fuse.s3fs", "rw", False),
        ("fuse.glusterfs", "rw", False),
        ("fuse.bindfs", "rw", False),
        ("afs", "rw", False),
        ("something-new", "rw", False),
    ],
)
def test_locks_are_seen_where_type_and_options_say_so(kind: str, options: str, seen: bool) -> None:
    for optional in ("", " shared:12", " master:1 propagate_from:2"):
        mount = mount_of(f"35 1 8:1 / / rw - ext4 /dev/sda1 rw\n{line(kind, options, optional=optional)}\n", 36)
        assert mount == Mount("/srv/ledger", kind, frozenset(f"{OPTIONS},{options}".split(",")))
        assert mount.shows_locks is seen


def test_a_mount_is_found_by_its_id_however_it_is_called() -> None:
    text = "\n".join([line("ext4").replace("36 35", "3 1"), line("fuse.sshfs", place=r"/mnt/a\040b\011-\134x")])
    mount = mount_of(text, 36)
    assert mount is not None
    assert (mount.place, mount.kind) == ("/mnt/a b\t-\\x", "fuse.sshfs")
    assert mount_of(text, 4) is None
    assert mount_of(text, None) is None
    assert mount_of("36 a broken line", 36) is None


@pytest.fixture
def fuse(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a FUSE file system."""
    if shutil.which("bindfs") is None or not Path("/dev/fuse").exists():
        pytest.skip("bindfs or /dev/fuse is missing")
    below, place = tmp_path / "below", tmp_path / "mounted"
    below.mkdir()
    place.mkdir()
    mounted = subprocess.run(["bindfs", str(below), str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"FUSE cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_home_on_fuse_is_refused_until_its_user_says_that_locks_are_shared(fuse: Path) -> None:
    home = fuse / "home"
    for opening in (lambda: Home(home).open(), lambda: CostTracker(home)):
        with pytest.raises(LedgerError) as refused:
            opening()
        assert f"is on {fuse}, of type fuse (" in str(refused.value) or "of type fuse.bindfs (" in str(refused.value)
        assert f"say locks_are_shared = true at the top of {home / 'ledger.toml'}" in str(refused.value)
    assert list((home / "journal").iterdir()) == []
    written = (home / "ledger.toml").read_text()
    (home / "ledger.toml").write_text(f"locks_are_shared = true\n{written}")
    CostTracker(home).close()
    with sealing(Home(home)):
        pass
    (home / "ledger.toml").write_text(written)
    with pytest.raises(LedgerError, match="locks_are_shared"), sealing(Home(home)):
        pass


def test_a_folder_of_the_home_may_be_a_mount_of_its_own(fuse: Path, tmp_path: Path) -> None:
    Home(tmp_path / "home").open()
    (tmp_path / "home" / "journal").rmdir()
    (tmp_path / "home" / "journal").symlink_to(fuse)
    with pytest.raises(LedgerError, match=r"journal is on .*, of type fuse"):
        Home(tmp_path / "home").open()


def test_the_flag_is_a_flag(home: Path) -> None:
    Home(home).open()
    (home / "ledger.toml").write_text('format_version = 1\nlocks_are_shared = "yes"\n')
    with pytest.raises(LedgerError, match="locks_are_shared is 'yes', expected true or false"):
        Home(home).open()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc/self/mountinfo")
def test_the_mount_under_a_folder_is_the_one_that_lies_on_top(tmp_path: Path) -> None:
    """Of a home on a local disk nothing is said."""
    Home(tmp_path / "home").open()
