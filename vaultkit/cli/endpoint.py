"""Which endpoint a verb speaks to: the one given, else the local market that runs."""

from __future__ import annotations

from typing import Annotated

import typer

RpcOption = Annotated[
    str | None, typer.Option("--rpc", help="JSON-RPC endpoint; the running local market's where left out.")
]


def market_url() -> str:
    """Return the address of the local market that runs.

    Raises
    ------
    SettingsError
        When none does.
    """
    from vaultkit.chain.running import running_market
    from vaultkit.errors import SettingsError
    from vaultkit.settings import build_dir

    running = running_market(build_dir() / "devnet")
    if running is None:
        raise SettingsError(
            "no endpoint was given and no local market runs",
            next_step="Start one with `vaultkit market run`, or give --rpc",
        )
    return running.url
