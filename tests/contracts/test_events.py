"""The state of a vault and of its registry, rebuilt from logs alone, equals what their views say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.fixtures.vault import VaultSetup
from vaultkit.chain.abi import Contract
from vaultkit.errors import Reverted

ZERO = "0x" + "00" * 20


class Rebuilt:
    """What somebody knows who has read every log, and nothing else, since the contracts were made."""

    def __init__(self) -> None:
        self.shares: dict[str, int] = defaultdict(int)
        self.tokens: dict[str, int] = defaultdict(int)
        self.owed: dict[tuple[str, str], int] = defaultdict(int)
        self.last_epoch = self.resumable_at = self.last_twap = 0
        self.stopped = False
        self.active, self.pending = bytes(32), dict[bytes, int]()
        self.seen: set[str] = set()

    def take(self, name: str, args: dict[str, Any], token: str | None, vault: str) -> None:
        self.seen.add(name)
        match name:
            case "Transfer" if token is None:
                self.shares[args["from"]] -= args["value"]
                self.shares[args["to"]] += args["value"]
            case "Transfer":
                self.tokens[token] += args["value"] * ((args["to"] == vault) - (args["from"] == vault))
            case "Owed":
                self.owed[args["token"], args["account"]] += args["amount"]
            case "Claimed":
                self.owed[args["token"], args["account"]] -= args["amount"]
            case "Rebalanced":
                self.last_epoch, self.last_twap = args["epoch"], args["twapX128"]
            case "TradingStopped":
                self.stopped, self.resumable_at = True, 0
            case "ResumeScheduled":
                self.resumable_at = args["resumableAt"]
            case "TradingResumed":
                self.stopped, self.resumable_at = False, 0
            case "ModelProposed":
                self.pending[args["modelId"]] = args["activatableAt"]
            case "ModelActivated":
                self.active = args["modelId"]
                del self.pending[args["modelId"]]
            case "ModelCancelled":
                del self.pending[args["modelId"]]
            case "ModelRetired":
                self.active = bytes(32)


def logs(vault: VaultSetup) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Yield each log of vault, registry and both tokens by name, and the token where it is of one."""
    contracts: dict[str, tuple[Contract, str | None]] = {
        vault.vault.address.lower(): (vault.vault, None), vault.registry.address.lower(): (vault.registry, None),
        vault.asset.address.lower(): (vault.asset, vault.asset.address.lower()),
        vault.risk.address.lower(): (vault.risk, vault.risk.address.lower()),
    }  # fmt: skip
    found = vault.rpc.call("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest", "address": list(contracts)}])
    for log in found:
        contract, token = contracts[log["address"].lower()]
        event = contract.decode_log(log)
        if event is None:
            continue
        args = event.args
        if token is not None and event.name == "Transfer" and "src" in args:
            args = {"from": args["src"], "to": args["dst"], "value": args["wad"]}
        yield event.name, args, token


def live(vault: VaultSetup) -> None:
    """Everything that writes state."""
    alice, bob, owner = vault.actors.alice, vault.actors.bob, vault.actors.owner
    vault.deposit(alice, 1_000_000 * 10**6)
    vault.transact(bob, vault.vault, "mint", 10**17, bob)
    vault.keep(40)
    vault.transact(alice, vault.vault, "transfer", bob, 10**15)
    vault.transact(alice, vault.vault, "redeem", 10**15, bob, alice)
    vault.transact(bob, vault.vault, "withdraw", 10**9, bob, bob)
    frozen = vault.create("FrozenToken").address
    codes = [vault.rpc.call("eth_getCode", [one, "latest"]) for one in (vault.asset.address, frozen)]
    vault.rpc.call("anvil_setCode", [vault.asset.address, codes[1]])
    for actor in (bob, alice):
        vault.transact(actor, vault.vault, "redeemInKind", 10**15, actor, actor)
    vault.rpc.call("anvil_setCode", [vault.asset.address, codes[0]])
    vault.transact(bob, vault.vault, "claim", vault.asset.address, alice)
    vault.keep(10)
    vault.transact(vault.actors.guardian, vault.vault, "stopTrading")
    vault.transact(owner, vault.vault, "scheduleResume")
    vault.transact(owner, vault.vault, "resumeTrading", at=vault.now() + vault.terms.delay_seconds)
    vault.transact(owner, vault.vault, "stopTrading")
    vault.transact(owner, vault.vault, "scheduleResume")
    first, second = (replace(vault.pins, bundle_hash=bytes([n]) * 32) for n in (7, 8))
    vault.activate(first)
    vault.transact(owner, vault.registry, "propose", second.as_tuple())


def test_state_rebuilt_from_logs_alone_is_what_the_views_say(vault: VaultSetup):
    live(vault)
    known, own = Rebuilt(), vault.vault.address.lower()
    for name, args, token in logs(vault):
        known.take(name, args, token, own)
    assert known.seen >= {
        "Transfer", "Owed", "Claimed", "Rebalanced", "TradingStopped", "ResumeScheduled", "TradingResumed",
        "ModelProposed", "ModelActivated", "ModelRetired", "Swapped",
    }  # fmt: skip
    call = vault.vault.call
    assert {who: call("balanceOf", who) for who in known.shares if who != ZERO} == {
        who: shares for who, shares in known.shares.items() if who != ZERO
    }
    assert -known.shares[ZERO] == call("totalSupply") > 0
    for token in (vault.asset, vault.risk):
        place = token.address.lower()
        assert known.tokens[place] == token.call("balanceOf", own) > 0
        assert call("totalOwed", place) == sum(due for (of, _), due in known.owed.items() if of == place)
    assert {key: call("owed", *key) for key in known.owed} == dict(known.owed) and any(known.owed.values())
    assert (known.last_epoch, known.last_twap) == (call("lastEpoch"), call("lastTwapX128"))
    assert (known.stopped, known.resumable_at) == (call("stopped"), call("resumableAt"))
    registry = vault.registry.call
    assert known.active == registry("activeModel") != bytes(32)
    assert {model: registry("activatableAt", model) for model in known.pending} == known.pending != {}


def test_depositors_leave_under_the_old_model_until_the_last_second_of_the_delay(vault: VaultSetup):
    """By each door, up to the second before the new model can act."""
    alice = vault.actors.alice
    vault.deposit(alice, 1_000_000 * 10**6)
    vault.keep(40)
    successor = replace(vault.pins, bundle_hash=b"\x09" * 32)
    vault.transact(vault.actors.owner, vault.registry, "propose", successor.as_tuple())
    due = vault.registry.call("activatableAt", successor.model_id())
    assert due == vault.now() + vault.terms.delay_seconds
    shares = vault.vault.call("balanceOf", alice) // 3
    for seconds, (name, amount) in zip(
        (due - vault.now() - 30, 20, 2),
        (("withdraw", 10**9), ("redeem", shares), ("redeemInKind", shares)),
        strict=True,
    ):
        vault.transact(alice, vault.vault, name, amount, alice, alice, at=due - seconds)
        assert vault.registry.call("activeModel") == vault.pins.model_id()
    assert vault.now() == due - 2
    with pytest.raises(Reverted, match="DelayNotOver"):
        vault.transact(vault.actors.owner, vault.registry, "activate", successor.model_id(), at=due - 1)
