"""What assets are given to work on."""

import dagster as dg

from tracking.home import Home


class LedgerHome(dg.ConfigurableResource):
    """The ledger's home. It holds paths, never a connection: who opens a database closes it."""

    root: str

    @property
    def home(self) -> Home:
        return Home(self.root)
