"""``python -m vaultkit.cli`` is ``vaultkit``."""

from vaultkit.cli import main

main()
