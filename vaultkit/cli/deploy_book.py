"""The address book of a deployment: no vault is lost from it, and an interrupted deployment leaves its addresses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from vaultkit.cli.output import stderr

if TYPE_CHECKING:
    from vaultkit.book import AddressBook, VaultBook
    from vaultkit.vault.plan import Creation, DeployPlan


class Ledger:
    """What stands of one deployment, told when it breaks off; used as a context.

    Parameters
    ----------
    place
        Address book's file, written once all contracts stand.
    """

    def __init__(self, place: Path, artefact: Path) -> None:
        self.place, self.artefact = place, artefact
        self.kept: Path | None = None
        self._plan: DeployPlan | None = None
        self._made: list[Creation] = []
        self._standing: VaultBook | None = None

    def begin(self, plan: DeployPlan) -> None:
        """Know what is about to be sent."""
        self._plan = plan

    def made(self, creation: Creation) -> None:
        """Know that a contract stands."""
        self._made.append(creation)

    def stands(self, vault: VaultBook) -> None:
        """Write the book; one that held another vault is kept beside it."""
        from vaultkit.book import AddressBook

        book = AddressBook.load(self.place)
        if book.vault is not None and book.vault.vault != vault.vault:
            self.kept = self.place.with_name(f"{self.place.stem}-{book.vault.vault[2:10].lower()}.json")
            book.save(self.kept)
        book.model_copy(update={"vault": vault}).save(self.place)
        self._standing = vault

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is None or self._plan is None:
            return
        for line in self._told():
            stderr.print(line, highlight=False, soft_wrap=True)

    def _told(self) -> list[str]:
        assert self._plan is not None
        if self._standing is not None:
            return [
                f"Broken off. The contracts stand and are in {self.place}: vault {self._standing.vault}, registry "
                f"{self._standing.registry}, model {self._standing.model_id}.",
                f"Go on with `vaultkit deploy {self.artefact} --resume` and the options that you began with.",
            ]
        said = [f"Broken off after {len(self._made)} of {len(self._plan.creations)} contracts."]
        said += [f"  {one.name:<22} {one.address} stands" for one in self._made]
        for one in self._plan.creations[len(self._made) :][:1]:
            said.append(f"  {one.name:<22} {one.address} may still be mined, if it was sent")
        said.append(
            f"Nothing of it holds money, and {self.place} is as it was. Deploying again makes new ones; look first "
            f"whether nonce {self._plan.nonce + len(self._made)} of {self._plan.deployer} is still pending."
        )
        return said


def require_room(book: AddressBook, place: Path, rpc_url: str, *, replace: bool) -> None:
    """Refuse to put a vault in the place of another that stands.

    Raises
    ------
    SettingsError
        When the book holds one, its code is on the chain, and nobody said to replace it.
    """
    from vaultkit.chain.rpc import connect, has_code
    from vaultkit.errors import SettingsError

    held = book.vault
    if held is None or replace:
        return
    if not has_code(connect(rpc_url, book.chain_id), held.vault):
        return  # of a local chain that began again
    raise SettingsError(
        "the address book holds a vault already",
        got=held.vault,
        where=str(place),
        next_step="Go on with one that was broken off by --resume, put another in its place by --replace (the book as "
        "it was is kept beside it), or begin a book of its own with --book",
    )
