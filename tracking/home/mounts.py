"""Whether everybody who opens a home sees the locks of the others: decided by the file system it is mounted from.

Who gets the lock of a journal takes its writer for gone, and deletes it once it is sealed. Where a lock is seen by the
host or the container alone that took it, a living writer's rows would go with it, and nothing would tell.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tracking.errors import LedgerError

MOUNTS = Path("/proc/self/mountinfo")

LOCAL = frozenset(
    {
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "zfs", "f2fs", "jfs", "reiserfs", "nilfs2", "ubifs"),
        *("tmpfs", "ramfs", "rootfs", "overlay", "aufs", "fuseblk", "ntfs3", "vfat", "exfat", "hfsplus", "udf"),
    }
)
"""File systems of one kernel, which holds the locks of everybody on it: containers that share a folder too."""

OVER_NETWORK = {
    # nfs(5): flock goes to the server, but with `nolock` (versions 2 and 3) or `local_lock`.
    "nfs": frozenset({"nolock", "local_lock=flock", "local_lock=all"}),
    "nfs4": frozenset({"nolock", "local_lock=flock", "local_lock=all"}),
    "ceph": frozenset[str](),
    "gfs2": frozenset({"localflocks", "localcaching"}),
    "ocfs2": frozenset({"localflocks"}),
    "lustre": frozenset({"localflock", "noflock"}),
}
"""File systems whose locks every host sees, and the options under which they do not."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of `/proc/self/mountinfo` (proc(5)): where, of which type, and its options, those of its type too."""

    place: str
    kind: str
    options: frozenset[str]

    @property
    def shows_locks(self) -> bool:
        """Whether a lock is known to be seen by everybody who opens the file; of an unknown type it is not."""
        if self.kind in OVER_NETWORK:
            return self.options.isdisjoint(OVER_NETWORK[self.kind])
        return self.kind in LOCAL


def refuse_hidden_locks(settings: Path, *folders: Path) -> None:
    """Raise `LedgerError` where a folder lies on a file system whose locks others may not see.

    `settings` is the file in which its user may say otherwise. Without `/proc/self/mountinfo` nothing is known, and
    nothing refused.
    """
    try:
        mountinfo = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    for folder in folders:
        mount = mount_of(mountinfo, _mount_id(folder))
        if mount is not None and not mount.shows_locks:
            raise LedgerError(
                f"{folder} is on {mount.place}, of type {mount.kind} ({','.join(sorted(mount.options))}), where other "
                "hosts and containers may not see this one's locks, and delete journals that are still written to: "
                "put the home on a local disk or, where everybody who opens it does see them, "
                f"say locks_are_shared = true at the top of {settings}"
            )


def mount_of(mountinfo: str, mount_id: int | None) -> Mount | None:
    """The mount of that id, in the text of a `mountinfo`."""
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if fields[0] == str(mount_id) and "-" in fields:
            kind, _, options = fields[fields.index("-", 6) + 1 :][:3]
            return Mount(_unescaped(fields[4]), kind, frozenset(f"{fields[5]},{options}".split(",")))
    return None


def _mount_id(folder: Path) -> int | None:
    """As the kernel tells it of an open file: neither a path nor a device number is one mount's alone."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        told = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    found = re.search(r"^mnt_id:\s*(\d+)$", told, re.MULTILINE)
    return int(found[1]) if found else None


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda escape: chr(int(escape[1], 8)), text)
