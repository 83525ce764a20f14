"""Whether every byte is what was written, and what to do where it is not: verify, repair, back up, restore."""
