"""From a row to the disk: append-only files that survive the death of the process, and what was refused."""
