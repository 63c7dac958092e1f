"""What the verbs that move money share: who signs, and an order explained, confirmed, sent and measured."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

from vaultkit.cli.endpoint import RpcOption, market_url
from vaultkit.cli.output import JsonFlag, emit, stderr, stdout

if TYPE_CHECKING:
    from vaultkit.chain.account import Signer
    from vaultkit.vault.client import VaultClient
    from vaultkit.vault.orders import Orders
    from vaultkit.vault.quote import Amount, Quote

BookOption = Annotated[Path | None, typer.Option("--book", help="Address book; build/devnet/book.json by default.")]
KeystoreOption = Annotated[Path | None, typer.Option("--keystore", help="Encrypted key file of the account.")]
PassphraseOption = Annotated[Path | None, typer.Option("--passphrase-file", help="File that holds its passphrase.")]
AccountOption = Annotated[
    int, typer.Option("--account", min=0, help="Published test account, on a local chain without a keystore.")
]
ReceiverOption = Annotated[
    str | None, typer.Option("--receiver", help="Account that gets what arrives; the signer where left out.")
]
SlippageOption = Annotated[
    int, typer.Option("--slippage-bps", help="How far from its quote the order may be filled, in basis points.")
]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Sign and send without asking.")]


class Wallet:
    """A signer and a vault, opened from a verb's options.

    Raises
    ------
    SettingsError
        When a test account is asked for off a local chain, or the keystore does not open.
    """

    def __init__(
        self,
        rpc: str | None,
        book: Path | None,
        keystore: Path | None,
        passphrase_file: Path | None,
        account: int,
        *,
        yes: bool,
    ) -> None:
        from vaultkit.book import AddressBook
        from vaultkit.chain.account import Signer
        from vaultkit.cli.secrets import read_passphrase
        from vaultkit.errors import SettingsError
        from vaultkit.settings import LOCAL_CHAIN_IDS, build_dir
        from vaultkit.vault.client import VaultClient
        from vaultkit.vault.orders import Orders

        self.book = AddressBook.load(book or build_dir() / "devnet" / "book.json")
        self.yes = yes
        self.local = self.book.chain_id in LOCAL_CHAIN_IDS
        if keystore is None and not self.local:
            raise SettingsError("test accounts are for local chains only", next_step="Give --keystore FILE")
        self.signer: Signer = (
            Signer.devnet(account)
            if keystore is None
            else Signer.from_keystore(keystore, read_passphrase(passphrase_file) or "")
        )
        self.client: VaultClient = VaultClient.open(rpc or market_url(), self.book)
        self.orders: Orders = Orders(self.client)

    def assets(self, text: str) -> int:
        """Return an amount of the asset from human units."""
        from vaultkit.units import to_units

        return to_units(text, self.book.pool.asset_decimals)

    def shares(self, text: str) -> int:
        """Return a number of shares from human units, or all of the signer's for ``all``.

        Raises
        ------
        DataError
            When it is no number, or the signer has none.
        """
        from vaultkit.errors import DataError
        from vaultkit.units import to_units

        if text == "all":
            held = self.client.shares_of(self.signer.address)
            if not held:
                raise DataError("the account has no shares of the vault", where=self.signer.address)
            return held
        return to_units(text, self.orders.share_decimals)

    def settle(self, quote: Quote, *, as_json: bool) -> None:
        """Explain an order, ask, sign and send it, and print what it did.

        With ``--json`` nobody is asked: without ``--yes`` the quote is printed and nothing is sent.

        Raises
        ------
        SettingsError
            When it is neither confirmed by ``--yes`` nor can anybody be asked.
        """
        from vaultkit.errors import SettingsError

        explained: dict[str, Any] = {
            "action": quote.action,
            "account": quote.account,
            "receiver": quote.receiver,
            "block_number": quote.block_number,
            "leaves": _plain(quote.leaves),
            "arrives": _plain(quote.arrives),
            "at_least": None if quote.least is None else _plain(quote.least),
            "worst_case": quote.worst_case,
            "gas_estimate": quote.gas_used,
        }
        if as_json and not self.yes:
            print(json.dumps({**explained, "sent": False}))
            return
        if not as_json:
            for sentence in quote.sentences():
                stdout.print(sentence, highlight=False, soft_wrap=True)
        if not self.yes:
            if not sys.stdin.isatty():
                raise SettingsError(
                    "nothing was sent, since nobody can be asked", next_step="Give --yes once you agree with the above"
                )
            typer.confirm("Sign and send?", abort=True)
        with stderr.status("Waiting for a block"):
            filled = self.orders.fill(self.signer, quote)
        done = {"left": _plain(filled.leaves), "arrived": _plain(filled.arrives)}
        names = {"gas_used": filled.gas_used, "transactions": list(filled.transactions)}
        if as_json:
            print(json.dumps({**explained, "sent": True, **done, **names}))
            return
        rows = {"left": " and ".join(map(str, filled.leaves)), "arrived": " and ".join(map(str, filled.arrives))}
        emit(
            {**rows, "gas used": f"{filled.gas_used:,}", "transactions": "\n".join(filled.transactions)}, as_json=False
        )


def order(app: typer.Typer, name: str, quote: Callable[..., Quote]) -> None:
    """Add a verb that explains, asks, signs and sends what ``quote`` answers.

    Parameters
    ----------
    quote
        Takes the wallet, then the verb's own arguments and options; its docstring is the verb's help. The wallet's
        options, ``--yes`` and ``--json`` are added to them.
    """

    def verb(
        rpc: RpcOption = None,
        book: BookOption = None,
        keystore: KeystoreOption = None,
        passphrase_file: PassphraseOption = None,
        account: AccountOption = 1,
        yes: YesFlag = False,
        as_json: JsonFlag = False,
        **own: Any,
    ) -> None:
        wallet = Wallet(rpc, book, keystore, passphrase_file, account, yes=yes)
        wallet.settle(quote(wallet, **own), as_json=as_json)

    _, *asked = _typed(quote)
    shared = [one for one in _typed(verb) if one.name != "own"]
    own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*asked, *shared)]
    typed: Any = verb
    typed.__signature__, typed.__doc__ = inspect.Signature(own), quote.__doc__
    typed.__annotations__ = {one.name: one.annotation for one in own}
    app.command(name, cls=_Order)(typed)


class _Order(TyperCommand):
    """A verb with an amount: one that begins with a minus is no option that was mistyped."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        from vaultkit.errors import DataError

        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # NoSuchOption, of whichever click this typer brings
            option = str(getattr(error, "option_name", ""))
            if not option[1:2].isdigit():
                raise
            got = next(word for word in words if word.startswith(option))
            raise DataError("an amount cannot be negative", got=got, where=ctx.info_name) from None


def _typed(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return a function's parameters with their annotations as objects."""
    hints = get_type_hints(function, localns={"Quote": object}, include_extras=True)
    found = inspect.signature(function).parameters.values()
    return [one.replace(annotation=hints[one.name]) for one in found]


def _plain(amounts: tuple[Amount, ...]) -> dict[str, str]:
    """Return amounts by symbol, as decimal strings without loss."""
    from vaultkit.units import from_units

    return {one.symbol: f"{from_units(one.units, one.decimals):f}" for one in amounts}
