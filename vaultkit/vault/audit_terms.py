"""What an audit takes from a vault: its constants, its events by name, and how its safeguards stood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, Event, load_abi
from vaultkit.errors import AuditFailed
from vaultkit.protocols import Rpc
from vaultkit.trade import Policy, Turnover, risk_value
from vaultkit.vault.audit_history import History, Log
from vaultkit.vault.terms import MODEL_TYPE, Fees, Safeguards
from vaultkit.window import WindowSpec


@dataclass(frozen=True, slots=True)
class Constants:
    """The vault's constants and contracts."""

    contract: Contract
    policy: Policy
    safeguards: Safeguards
    fees: Fees
    period: int
    max_age: int
    least_judged: int
    fee_pips: int
    twap_seconds: int


def read_constants(rpc: Rpc, book: AddressBook) -> Constants:
    """Return the vault's constants as the node reports them."""
    assert book.vault is not None
    contract = Contract(rpc, book.vault.vault, load_abi("InferenceVault"))
    venue = Contract(rpc, book.vault.venue, load_abi("UniswapV3Venue"))
    return Constants(
        contract,
        Policy(*contract.call("policy")),
        Safeguards(*contract.call("safeguards")),
        Fees(*contract.call("fees")),
        contract.call("period"),
        contract.call("maxAge"),
        contract.call("leastJudged"),
        venue.call("feePips"),
        venue.call("twapSeconds"),
    )


def events_of(history: History, contract: Contract, name: str) -> Iterator[tuple[Log, Event]]:
    """Yield a contract's verified logs of one event, in chain order."""
    for log in history.logs:
        event = contract.decode_log(log.fields)
        if event is not None and event.name == name:
            yield log, event


def model_of(registry: Contract, model_id: bytes) -> dict[str, Any]:
    """Return the registry's entry; its hash is the model id of a verified event, so the node cannot change it.

    Raises
    ------
    AuditFailed
        When the node answers with another.
    """
    values = registry.call("modelOf", model_id)
    digest = keccak(encode([MODEL_TYPE], [tuple(values)]))
    if digest != model_id:
        raise AuditFailed(
            "the registry's entry does not hash to the model id",
            got=f"0x{digest.hex()}",
            expected=f"0x{model_id.hex()}",
        )
    item = next(item for item in registry.abi if item.get("name") == "modelOf")
    names = [part["name"] for part in item["outputs"][0]["components"]]
    return dict(zip(names, values, strict=True))


def source_spec(rpc: Rpc, source: str) -> WindowSpec:
    """Return the window that an input source is made for; its hash is compared with the model's pin."""
    contract = Contract(rpc, source, load_abi("TickWindow"))
    return WindowSpec(
        pool=contract.call("pool"),
        bar_seconds=contract.call("barSeconds"),
        count=contract.call("count"),
        clip=contract.call("bound"),
        sign=contract.call("sign"),
        input_scale=contract.call("inputScale"),
    )


class Safeguarded:
    """Replays turnover, stops and debts of a vault from its verified logs."""

    def __init__(self, history: History, vault: Constants) -> None:
        self._events = [
            (log, event) for log in history.logs if (event := vault.contract.decode_log(log.fields)) is not None
        ]
        self._turnover, self._used_wad = Turnover.every(vault.safeguards.turnover_wad, vault.period), 0
        self._previous: int | None = None

    def left_wad(self, epoch: int) -> int:
        """Return what may be traded in an accepted epoch; epochs are asked for in their order, from the first."""
        before = epoch if self._previous is None else self._previous
        self._used_wad, self._previous = self._turnover.after(self._used_wad, epoch - before), epoch
        return self._turnover.limit_wad - self._used_wad

    def count(self, swapped: Event, twap_x128: int, nav: int) -> None:
        """Count an epoch's swap."""
        amount = int(swapped.args["amountIn"])
        notional = risk_value(amount, twap_x128) if swapped.args["riskIn"] else amount
        self._used_wad = self._turnover.counting(self._used_wad, notional, nav)

    def stopped(self, log: Log) -> bool:
        """Return whether trading was stopped before the transaction of a log.

        Notes
        -----
        Guardian and owner need no reason. Whether the vault had to stop itself is recomputed by `ShareMarks`.
        """
        state = False
        for other, event in self._events:
            if (other.block_number, other.log_index) >= (log.block_number, log.log_index):
                break
            itself = event.name == "TradingStopped" and int(event.args["by"], 16) == int(event.address, 16)
            if itself and other.fields["transactionHash"] == log.fields["transactionHash"]:
                continue
            if event.name in ("TradingStopped", "TradingResumed"):
                state = event.name == "TradingStopped"
        return state

    def owed(self, token: str, log: Log) -> int:
        """Return what the vault owed of a token to earlier holders just before a log."""
        total = 0
        for other, event in self._events:
            if (other.block_number, other.log_index) >= (log.block_number, log.log_index):
                break
            if event.name in ("Owed", "Claimed") and int(event.args["token"], 16) == int(token, 16):
                total += event.args["amount"] if event.name == "Owed" else -event.args["amount"]
        return total

    def settled(self, log: Log, epoch: int) -> tuple[tuple[int, int], int]:
        """Return where an epoch's last event stands, and how much of its reward the vault kept as a debt."""
        last, owed = (log.block_number, log.log_index), 0
        waiting = 0
        for other, event in self._events:
            place = (other.block_number, other.log_index)
            if place <= (log.block_number, log.log_index):
                continue
            if other.fields["transactionHash"] != log.fields["transactionHash"]:
                break
            if event.name == "Owed":
                waiting = event.args["amount"]
            elif event.name in ("Swapped", "RewardPaid") and event.args["epoch"] == epoch:
                owed += waiting if event.name == "RewardPaid" else 0
                last, waiting = place, 0
        return last, owed
