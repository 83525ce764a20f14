"""Is everything beside the segments as it should be: journals, quarantine, prices, ids, modes, leftovers."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tracking.durable_files import is_shared
from tracking.home import Home
from tracking.journal.writer import decode_line
from warehouse.integrity.findings import Findings
from warehouse.ledger.manifest import Manifest, QuarantinedLine
from warehouse.ledger.quarantine import DamagedEntryError, entries_of
from warehouse.ledger.segment_names import ByteRange
from warehouse.ledger.tidy import stands_elsewhere
from warehouse.sealing.id_runs import read_run
from warehouse.sealing.journal_records import whole_lines

READ_BYTES = 4 << 20


def verify_journal(path: Path, offset: int, last_range_end: int, findings: Findings) -> int:
    """Check that a journal is sealed to a line's end, and that behind it are whole lines; returns those lines."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0  # sealed to its end and deleted meanwhile
    lines = 0
    with file:
        size = path.stat().st_size
        if offset > size:
            findings.problem(path, f"is sealed to byte {offset}, but ends at byte {size}")
            return 0
        if offset < last_range_end:
            findings.problem(path, f"is sealed to byte {offset}, but segments hold it to byte {last_range_end}")
        file.seek(max(offset - 1, 0))
        if 0 < offset < size and file.read(1) != b"\n":
            findings.problem(path, "no line ends where it is sealed to", f"byte {offset}")
        while chunk := whole_lines(file.fileno(), offset, size, READ_BYTES):
            for line in chunk.splitlines(keepends=True):
                if decode_line(line.removesuffix(b"\n")) is None:
                    findings.problem(
                        path,
                        "checksum does not match; the next sealing quarantines the line",
                        f"bytes {offset} to {offset + len(line)}",
                    )
                offset += len(line)
                lines += 1
        if offset < size:
            findings.note(path, "a line that is still being written, or was never finished", f"from byte {offset}")
    return lines


def verify_quarantine(home: Home, manifest_lines: Iterable[QuarantinedLine], findings: Findings) -> None:
    """Check that each line the manifest says is quarantined is kept as it was."""
    kept_lines: set[QuarantinedLine] = set()
    manifest_lines = list(manifest_lines)
    journals = {line.journal for line in manifest_lines}
    for file in sorted(home.quarantine.glob("*.jsonl")):
        byte_range = ByteRange.named(file.stem)
        if byte_range is None or byte_range.journal not in journals:
            _verify_json_lines(file, findings)
            continue
        for number, entry in entries_of(file):
            if isinstance(entry, DamagedEntryError):
                findings.problem(file, str(entry), f"line {number}")
            else:
                kept_lines.add(entry)
    for line in manifest_lines:
        if line not in kept_lines:
            findings.problem(
                home.quarantine,
                f"keeps no line of {line.journal} from byte {line.start} to {line.start + line.length} ({line.reason})",
            )


def _verify_json_lines(file: Path, findings: Findings) -> None:
    """What was refused by a tracker or an import; a living one may be writing its last line."""
    *lines, _ = file.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            json.loads(line)
        except (ValueError, RecursionError):
            findings.problem(file, "is not JSON", f"line {number}")


def verify_prices(home: Home, named: Mapping[str, str], findings: Findings) -> None:
    """Check that each price rows name is kept, and each kept one as its name says: it ends in a hash of the rates."""
    for price_id, segment in sorted(named.items()):
        path = home.prices / f"{price_id}.json"
        if not path.exists():
            findings.problem(path, f"is missing; a row of usage/{segment} is priced by it")
    for path in sorted(home.prices.glob("*.json")):
        content = path.read_bytes()
        try:
            entry = json.loads(content)
        except (ValueError, RecursionError):
            findings.problem(path, "is not JSON")
            continue
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
        if not path.stem.endswith(f".{digest[:12]}"):
            findings.problem(path, f"hash of its rates is {digest[:12]}, expected {path.stem.rpartition('.')[2]}")
        elif content != json.dumps(entry, indent=1, sort_keys=True).encode() + b"\n":
            findings.problem(path, "is not written as it was, though its rates are the same")


def verify_ids(home: Home, findings: Findings) -> None:
    for path in sorted(home.ids.glob("*.ids")):
        try:
            run = read_run(path)
        except FileNotFoundError:
            continue  # merged into another meanwhile
        if run is None or not run.is_intact():
            findings.problem(path, "is not as it was written; delete it, the next sealing makes it anew")


def verify_modes(home: Home, findings: Findings) -> None:
    """Check that nobody but the owner, or the group that shares the home, can read what the ledger wrote itself.

    A temporary file gets its mode last.
    """
    group_may_read = is_shared(home.root)
    others, closed_to = (0o007, "others") if group_may_read else (0o077, "group and others")
    folders = (home.journal, home.usage, home.prompts, home.quarantine, home.prices, home.keys, home.ids)
    below = [path for folder in folders for path in folder.rglob("*") if not path.name.startswith(".")]
    for path in (*folders, home.manifest, home.build_database, home.warehouse_database, *below):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            continue
        if mode & others:
            findings.problem(path, f"has mode {mode & 0o777:04o}, expected none for {closed_to}")
        elif group_may_read and not mode & 0o040:
            findings.problem(path, f"has mode {mode & 0o777:04o}, which the group that shares the home cannot read")


def note_leftovers(home: Home, manifest: Manifest, findings: Findings) -> None:
    """Find files of segments that nobody speaks of; call it while holding the sealing lock. A crash loses no row."""
    live = {segment.file: segment for segment in manifest.segments()}
    manifest_files = {*live, *(files.file for files in manifest.retired())}
    for folder in (home.usage, home.prompts):
        for path in sorted(folder.glob("*/*")):
            file = path.relative_to(folder).as_posix()
            if file in manifest_files and (file not in live or folder == home.usage or live[file].prompts):
                continue
            if path.name.startswith(".") or file in live or stands_elsewhere(home, manifest, file, manifest_files):
                findings.note(path, "was left by a crash; nothing needs it, the next build deletes it")
            else:
                findings.problem(path, "is in no list of the manifest")
