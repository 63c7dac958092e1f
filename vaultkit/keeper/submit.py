"""From a proof to a mined transaction: calldata, simulation at a pinned block hash, signature, broadcast, receipt."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from eth_utils.address import to_checksum_address

from vaultkit.chain.abi import Abi, Contract, as_reverted
from vaultkit.chain.rpc import quantity
from vaultkit.errors import Reverted, RpcRefused, RpcUnavailable, SubmissionFailed
from vaultkit.keeper.actions import Head, Receipt
from vaultkit.keeper.signing import AccountSigner
from vaultkit.protocols import Rpc
from vaultkit.trade import Reason
from vaultkit.units import Q128, WAD, mul_div

GAS_MARGIN: Final = (5, 4)
"""The gas limit is what was used times this ratio: the state may differ a little in the block that includes it."""

CANCEL_GAS: Final = 21_000
MAX_GAS: Final = 10_000_000
METHOD_NOT_FOUND: Final = -32601
METHOD_NOT_SUPPORTED: Final = -32004


class Answer(StrEnum):
    """What a node can say to a broadcast; none of them is a reason to sign again."""

    SENT = "sent"
    ALREADY_KNOWN = "already_known"
    NONCE_USED = "nonce_used"
    UNDERPRICED = "underpriced"
    REFUSED = "refused"


_ANSWERS: Final = (
    ("already known", Answer.ALREADY_KNOWN),
    ("already imported", Answer.ALREADY_KNOWN),
    ("nonce too low", Answer.NONCE_USED),
    ("underpriced", Answer.UNDERPRICED),
)


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 caps, per gas."""

    max_fee_wei: int
    tip_wei: int


class Submitter:
    """Simulates, signs and sends the keeper's transactions to one vault.

    Parameters
    ----------
    rpc
        Endpoint.
    vault
        The vault's contract.
    signer
        The keeper's account.
    chain_id
        Bound into every signature.
    relays
        Private endpoints; where there are any, trades go to them alone unless they are made public on purpose.
    risk_is_ether
        Whether the vault's price is ether's, so that a reward can be reckoned in wei.
    """

    def __init__(
        self,
        rpc: Rpc,
        vault: Contract,
        signer: AccountSigner,
        chain_id: int,
        relays: Sequence[Rpc] = (),
        *,
        risk_is_ether: bool = False,
    ) -> None:
        self._rpc, self._vault, self._signer, self._chain_id = rpc, vault, signer, chain_id
        self._relays = tuple(relays)
        self._risk_is_ether = risk_is_ether
        self._simulates = True

    @property
    def address(self) -> str:
        """The keeper's account."""
        return self._signer.address

    def calldata(self, epoch: int, beneficiary: str, outputs: tuple[int, ...], proof: bytes, hints: bytes) -> str:
        """Return the calldata of ``rebalance``."""
        return self._vault.encode("rebalance", epoch, beneficiary, list(outputs), proof, hints)

    def simulate(self, calldata: str, head: Head) -> int:
        """Return a gas limit with which the call succeeds on the state of ``head``.

        Raises
        ------
        Reverted
            When the vault refuses, with the error's name and arguments.

        Notes
        -----
        ``eth_estimateGas`` searches for a limit by many executions, which takes longer than all else but the proof. So
        one execution by ``eth_simulateV1`` says what the call uses, and a call with exactly the limit that will be
        signed shows that it suffices; where a node does not offer that method, or the limit fails, the search decides.
        """
        fields = {"from": self.address, "to": self._vault.address, "data": calldata}
        pin = {"blockHash": head.block_hash}
        try:
            used = self._used(fields, pin)
            if used is not None:
                limit = hex(_with_margin(used))
                with suppress(RpcRefused):
                    self._rpc.call("eth_call", [{**fields, "gas": limit}, pin])
                    return int(limit, 16)
            fields["gas"] = hex(MAX_GAS)
            self._rpc.call("eth_call", [fields, pin])
            return _with_margin(quantity(self._rpc.call("eth_estimateGas", [fields, pin]), self._rpc))
        except RpcRefused as refusal:
            raise as_named(refusal, self._vault.abi) from refusal

    def _used(self, fields: dict[str, str], pin: dict[str, str]) -> int | None:
        """Return the gas of one execution, or None where it fails or the node cannot tell."""
        if not self._simulates:
            return None
        try:
            (block,) = self._rpc.call("eth_simulateV1", [{"blockStateCalls": [{"calls": [fields]}]}, pin])
            (call,) = block["calls"]
            return quantity(call["gasUsed"], self._rpc) if quantity(call["status"], self._rpc) == 1 else None
        except RpcRefused as refusal:
            self._simulates = refusal.code not in (METHOD_NOT_FOUND, METHOD_NOT_SUPPORTED)
        except (TypeError, KeyError, ValueError):
            self._simulates = False
        return None

    def sign_trade(self, calldata: str, gas: int, nonce: int, fees: Fees) -> tuple[str, str]:
        """Return the raw transaction that calls the vault, and its hash."""
        return self._sign(self._vault.address, calldata, gas, nonce, fees)

    def sign_cancel(self, nonce: int, fees: Fees) -> tuple[str, str]:
        """Return a raw transaction that does nothing but use up the nonce, and its hash."""
        return self._sign(self.address, "0x", CANCEL_GAS, nonce, fees)

    def _sign(self, to: str, data: str, gas: int, nonce: int, fees: Fees) -> tuple[str, str]:
        return self._signer.sign(
            {
                "type": 2,
                "chainId": self._chain_id,
                "nonce": nonce,
                "to": to_checksum_address(to),
                "value": 0,
                "data": data,
                "gas": gas,
                "maxFeePerGas": fees.max_fee_wei,
                "maxPriorityFeePerGas": fees.tip_wei,
            }
        )

    @property
    def private(self) -> bool:
        """Whether trades go to private endpoints."""
        return bool(self._relays)

    def broadcast(self, raw: str, *, public: bool = True) -> tuple[Answer, str]:
        """Return the answer to signed bytes, and the node's words where it did not take them.

        Parameters
        ----------
        raw
            The signed transaction.
        public
            Whether the public endpoint gets it too; without private endpoints it always does.

        Raises
        ------
        RpcUnavailable
            When nobody answered: somebody may or may not have the transaction.
        """
        asked = (*self._relays, self._rpc) if public or not self._relays else self._relays
        answers: list[tuple[Answer, str]] = []
        silent: RpcUnavailable | None = None
        for rpc in asked:
            try:
                answers.append(self._send(rpc, raw))
            except RpcUnavailable as error:
                silent = error
        if silent is not None and not answers:
            raise silent
        return min(answers, key=lambda answer: list(Answer).index(answer[0]))

    def _send(self, rpc: Rpc, raw: str) -> tuple[Answer, str]:
        try:
            rpc.call("eth_sendRawTransaction", [raw])
        except RpcRefused as refusal:
            words = str(refusal)
            for pattern, answer in _ANSWERS:
                if pattern in words.lower():
                    return answer, words
            return Answer.REFUSED, words
        return Answer.SENT, ""

    def receipt(self, fields: dict[str, Any]) -> Receipt:
        """Return the keeper's view of a JSON-RPC receipt.

        A success says what the vault did; a revert is named by repeating the call on its block.
        """
        number = int(fields["blockNumber"], 16)
        succeeded = int(fields["status"], 16) == 1
        found = {event.name: event.args for event in map(self._vault.decode_log, fields["logs"]) if event is not None}
        made, reward = found.get("Rebalanced"), found.get("RewardPaid", {}).get("amount", 0)
        said = _outcome(made) if made else ""
        detail = said if succeeded else self._revert_name(fields["transactionHash"], number)
        return Receipt(
            fields["transactionHash"],
            number,
            fields["blockHash"],
            int(fields["gasUsed"], 16),
            succeeded,
            detail,
            int(fields["gasUsed"], 16) * int(fields.get("effectiveGasPrice", "0x0"), 16),
            reward,
            mul_div(reward, Q128, made["twapX128"]) if made and self._risk_is_ether else 0,
        )

    def _revert_name(self, tx_hash: str, block_number: int) -> str:
        sent = self._rpc.call("eth_getTransactionByHash", [tx_hash])
        fields = {"from": sent["from"], "to": sent["to"], "data": sent["input"], "gas": sent["gas"]}
        for block in (block_number, block_number - 1):
            try:
                self._rpc.call("eth_call", [fields, hex(block)])
            except RpcRefused as refusal:
                return revert_text(as_named(refusal, self._vault.abi))
        return "reverted for a reason that a repetition does not show"


def _outcome(made: dict[str, Any]) -> str:
    """Return what the vault did, from the arguments of its event."""
    before, target = (made[name] / WAD for name in ("weightBeforeWad", "weightTargetWad"))
    return f"{Reason(made['reason']).name.lower()}, weight {before:.4f} to {target:.4f}"


def _with_margin(used: int) -> int:
    return min(MAX_GAS, used * GAS_MARGIN[0] // GAS_MARGIN[1])


def as_named(refusal: RpcRefused, abi: Abi) -> Reverted | SubmissionFailed:
    """Return the contract's named error inside a refusal, or a `SubmissionFailed` with the node's words."""
    reverted = as_reverted(refusal, abi)
    if reverted is not None:
        return reverted
    return SubmissionFailed("the node refused the simulation", got=str(refusal))


def revert_text(error: Exception) -> str:
    """Return an error's name and arguments in one line."""
    if isinstance(error, Reverted):
        return f"{error.name}({', '.join(f'{name}={value}' for name, value in error.args_.items())})"
    return str(error)
