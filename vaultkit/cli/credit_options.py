"""What the verbs of ``vaultkit credit`` share: where everything lies, which mode, and who signs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vaultkit.chain.account import Signer
    from vaultkit.credit.history import CreditHistory
    from vaultkit.credit.place import CreditPlace
    from vaultkit.protocols import Rpc


class ModeName(StrEnum):
    """Which of the two lines is meant."""

    private = "private"
    public = "public"


FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="Where pool, history, models and lines are; build/credit by default.")
]
ModeOption = Annotated[
    ModeName,
    typer.Option("--mode", help="private: attested features that stay hidden; public: what the line itself counted."),
]
WalletArgument = Annotated[str, typer.Argument(help="Address of the wallet, or of the line's borrower in public mode.")]
BorrowerOption = Annotated[
    str | None, typer.Option("--borrower", help="Account that will borrow; the signer where left out.")
]
CreditRpcOption = Annotated[
    str | None, typer.Option("--rpc", help="JSON-RPC endpoint; the running credit chain's where left out.")
]


def place_of(folder: Path | None) -> CreditPlace:
    """Return the folder given, else ``build/credit``."""
    from vaultkit.credit.place import CreditPlace
    from vaultkit.settings import build_dir

    return CreditPlace(folder or build_dir() / "credit")


def signer_of(keystore: Path | None, passphrase_file: Path | None, account: int) -> Signer:
    """Return who signs: a keystore's account, else a published test account, since the credit chain is a local one."""
    from vaultkit.chain.account import Signer
    from vaultkit.cli.secrets import read_passphrase

    if keystore is None:
        return Signer.devnet(account)
    return Signer.from_keystore(keystore, read_passphrase(passphrase_file) or "")


def history_of(place: CreditPlace, rpc: Rpc) -> CreditHistory:
    """Return the history up to the newest block, with a bar while blocks are verified."""
    from vaultkit.cli.index_options import progress_bar

    with progress_bar() as bar:
        task = bar.add_task("Verifying blocks", total=None)
        return place.history(rpc, lambda done, total: bar.update(task, completed=done, total=total))
