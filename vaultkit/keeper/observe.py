"""What the chain says, read so that one answer belongs to one block: the head by its links, the rest at its hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from vaultkit.book import VaultBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.rpc import quantity
from vaultkit.errors import ReorgDetected, RpcUnavailable, WrongChain
from vaultkit.keeper.actions import Head, Observation, Receipt
from vaultkit.keeper.state import Work
from vaultkit.keeper.submit import Submitter
from vaultkit.protocols import Rpc
from vaultkit.vault.terms import MODEL_TYPE

DEPTH: Final = 96
"""Blocks whose hashes are kept: a reorganisation deeper than this is seen as one of this depth."""


class HeadTracker:
    """Follows the head by hash and parent hash.

    Parameters
    ----------
    rpc
        Endpoint.
    depth
        Blocks kept.
    """

    def __init__(self, rpc: Rpc, depth: int = DEPTH) -> None:
        self._rpc, self._depth = rpc, depth
        self.hashes: dict[int, str] = {}

    def update(self) -> tuple[Head, int | None]:
        """Return the head, and where blocks seen before are gone the number of the newest one that survived.

        Raises
        ------
        ReorgDetected
            When the chain changes while it is read.
        """
        newest = self._rpc.call("eth_getBlockByNumber", ["latest", False])
        head = Head(
            quantity(newest["number"], self._rpc),
            str(newest["hash"]),
            quantity(newest["timestamp"], self._rpc),
            quantity(newest.get("baseFeePerGas", "0x0"), self._rpc),
        )
        if self.hashes.get(head.number) == head.block_hash and max(self.hashes) == head.number:
            return head, None
        known = self.hashes
        tip = max(known, default=head.number - self._depth - 1)
        fresh = self._linked(newest, max(tip + 1, head.number - self._depth, 0))
        first = min(fresh)
        if first - 1 in known and known[first - 1] == fresh[first][1] and head.number > tip:
            self._keep({**known, **{number: name for number, (name, _) in fresh.items()}}, head.number)
            return head, None
        fresh = self._linked(newest, max(head.number - self._depth, 0))
        self._keep({number: name for number, (name, _) in fresh.items()}, head.number)
        if not known:
            return head, None
        common = [number for number, name in self.hashes.items() if known.get(number) == name]
        survived = max(common, default=min(self.hashes) - 1)
        return head, survived if survived < tip else None

    def _keep(self, hashes: dict[int, str], head: int) -> None:
        self.hashes = {number: name for number, name in hashes.items() if number >= head - self._depth}

    def _linked(self, newest: dict[str, Any], first: int) -> dict[int, tuple[str, str]]:
        """Return hash and parent hash by number from ``first`` to the head, each linked to the next."""
        last = int(newest["number"], 16)
        blocks = self._rpc.batch([("eth_getBlockByNumber", [hex(n), False]) for n in range(min(first, last), last)])
        links = {}
        child = newest
        for block in [newest, *reversed(blocks)]:
            if block is None or (block is not newest and block["hash"] != child["parentHash"]):
                raise ReorgDetected("the chain changed while its headers were read", where=self._rpc.label)
            links[int(block["number"], 16)] = (str(block["hash"]), str(block["parentHash"]))
            child = block
        return links


class Observer:
    """Reads one `Observation` at a time.

    Parameters
    ----------
    rpc
        Endpoint.
    chain_id
        The only chain id that is accepted.
    book
        The vault and its registry.
    submitter
        Names reverts in receipts; its address is the keeper's.
    """

    def __init__(self, rpc: Rpc, chain_id: int, book: VaultBook, submitter: Submitter) -> None:
        self._rpc, self._chain_id, self._submitter = rpc, chain_id, submitter
        self._vault = Contract(rpc, book.vault, load_abi("InferenceVault"))
        self._registry = Contract(rpc, book.registry, load_abi("ModelRegistry"))
        self._tracker = HeadTracker(rpc)

    def newest(self) -> str:
        """Return the hash of the newest block, and nothing about it.

        Raises
        ------
        RpcUnavailable
            When the endpoint gives no usable answer.
        """
        block = self._rpc.call("eth_getBlockByNumber", ["latest", False])
        return str(block.get("hash")) if isinstance(block, dict) else ""

    def observe(self, work: Work | None) -> Observation:
        """Return what the chain says now, and what became of the transactions of the epoch at hand.

        Raises
        ------
        RpcUnavailable
            When the endpoint gives no usable answer.
        ReorgDetected
            When the chain changes while it is read.
        WrongChain
            When the endpoint serves another chain than before.
        """
        try:
            return self._observe(work)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            # All that is read here is the endpoint's: a block that is null is an outage, not a fault of the keeper.
            raise RpcUnavailable(
                "the endpoint's answer cannot be read", got=f"{type(error).__name__}: {error}", where=self._rpc.label
            ) from error

    def _observe(self, work: Work | None) -> Observation:
        head, reorg_to = self._tracker.update()
        pin = {"blockHash": head.block_hash}
        before = {"blockHash": self._tracker.hashes.get(head.number - 1, head.block_hash)}
        sent = work.sent if work else ()
        calls: list[tuple[str, Sequence[Any]]] = [
            ("eth_chainId", []),
            ("eth_call", [{"to": self._vault.address, "data": self._vault.encode("lastEpoch")}, before]),
            ("eth_call", [{"to": self._registry.address, "data": self._registry.encode("activeModel")}, before]),
            ("eth_getTransactionCount", [self._submitter.address, before]),
            ("eth_getTransactionCount", [self._submitter.address, pin]),
            ("eth_getBalance", [self._submitter.address, pin]),
        ]
        if sent:
            calls += [("eth_getTransactionByHash", [sent[-1].tx_hash])]
            calls += [("eth_getTransactionReceipt", [signed.tx_hash]) for signed in sent]
        chain_id, last_epoch, model, settled, nonce, balance, *rest = self._rpc.batch(calls)
        if quantity(chain_id, self._rpc) != self._chain_id:
            raise WrongChain(
                "the endpoint serves another chain", got=chain_id, expected=self._chain_id, where=self._rpc.label
            )
        return Observation(
            head=head,
            last_epoch=int(self._vault.decode_output("lastEpoch", last_epoch)),
            active_model=f"0x{self._registry.decode_output('activeModel', model).hex()}",
            settled_nonce=quantity(settled, self._rpc),
            account_nonce=quantity(nonce, self._rpc),
            balance_wei=quantity(balance, self._rpc),
            hashes=dict(self._tracker.hashes),
            reorg_to=reorg_to,
            receipts=tuple(self._receipts(rest[1:])),
            known=not sent or rest[0] is not None,
        )

    def _receipts(self, answers: Sequence[Any]) -> list[Receipt]:
        return [self._submitter.receipt(fields) for fields in answers if fields is not None]


def model_pins(rpc: Rpc, book: VaultBook, model_id: bytes) -> dict[str, Any]:
    """Return the registry's entry of a model by field, with the hash of its verifier's code as it is now.

    Raises
    ------
    RpcUnavailable
        When the entry does not hash to the model id: the node's answer is not the registry's.
    Reverted
        When the registry does not know the model.
    """
    registry = Contract(rpc, book.registry, load_abi("ModelRegistry"))
    values = registry.call("modelOf", model_id)
    names = [item["name"] for item in _model_fields(registry)]
    if keccak(encode([MODEL_TYPE], [tuple(values)])) != model_id:
        raise RpcUnavailable("the registry's entry does not hash to its model id", where=rpc.label)
    pins = dict(zip(names, values, strict=True))
    code = bytes.fromhex(rpc.call("eth_getCode", [pins["verifier"], "latest"])[2:])
    return {**pins, "codeHashNow": keccak(code)}


def _model_fields(registry: Contract) -> list[dict[str, Any]]:
    item = next(item for item in registry.abi if item.get("name") == "modelOf")
    return list(item["outputs"][0]["components"])
