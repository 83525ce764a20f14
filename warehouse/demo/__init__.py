"""A month of a teaching platform, played through the real tracker: `play(home)`."""

from warehouse.demo.platform import DEFAULT_CALLS, DEFAULT_SEED
from warehouse.demo.play import DemoError, play

__all__ = ["DEFAULT_CALLS", "DEFAULT_SEED", "DemoError", "play"]
