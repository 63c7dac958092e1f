"""The audit of the vault itself: its code, what it is made for, and that nothing left it but by its own events."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from tests.contracts.test_client import verb
from tests.fixtures.keeper import book_of
from tests.fixtures.lying import BloomlessRpc
from tests.fixtures.vault import VaultSetup
from tests.vault.test_audit_calls import RefusingRpc
from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract
from vaultkit.errors import AuditFailed
from vaultkit.protocols import Rpc
from vaultkit.units import from_units
from vaultkit.vault.audit import AuditReport, audit
from vaultkit.vault.audit_state import NO_STATE
from vaultkit.vault.compile import load_artifact
from vaultkit.vault.runtime_code import KIT_CONTRACTS, kit_code

DOLLAR, ETHER = 10**6, 10**18


@pytest.fixture(autouse=True)
def invested(vault: VaultSetup) -> None:
    """A vault that holds both tokens after one epoch."""
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(60)


def report(vault: VaultSetup, rpc: Rpc | None = None, book: AddressBook | None = None, **options: Any) -> AuditReport:
    return audit(rpc or vault.rpc, book or book_of(vault), **options)


def failed(found: AuditReport) -> list[str]:
    return [check.name for check in found.vault_checks.checks if not check.passed]


def head(vault: VaultSetup) -> int:
    return int(vault.rpc.call("eth_blockNumber"), 16)


def as_vault(vault: VaultSetup, token: Contract, name: str, *args: Any) -> dict[str, Any]:
    """Send a transaction in the vault's own name, which no code of its own would."""
    me = vault.vault.address
    vault.rpc.call("anvil_setBalance", [me, hex(100 * ETHER)])
    with vault.impersonated(me):
        return vault.transact(me, token, name, *args)


# -- what leaves


def test_entries_exits_fees_and_trades_are_all_explained(vault: VaultSetup):
    alice, bob = vault.actors.alice, vault.actors.bob
    vault.deposit(bob, 5_000 * DOLLAR)
    vault.transact(bob, vault.vault, "redeem", vault.vault.call("balanceOf", bob) // 3, bob, bob)
    vault.transact(bob, vault.vault, "withdraw", 700 * DOLLAR, alice, bob)
    vault.transact(bob, vault.vault, "redeemInKind", vault.vault.call("balanceOf", bob), alice, bob)
    vault.transact(alice, vault.vault, "redeem", 10**9, vault.vault.address, alice)
    vault.transact(alice, vault.vault, "mint", 10**9, bob)
    vault.keep(20)
    found = report(vault)
    assert failed(found) == [] and found.passed
    (explained,) = found.vault_checks.transfers
    assert explained.got == "0 not, of 9 transactions"
    (gift,) = found.vault_checks.donations
    assert gift.token == vault.book.pool.asset_symbol, "who redeems to the vault gives the asset to it"


def test_both_token_orders_are_explained(flipped_vault: VaultSetup):
    vault = flipped_vault
    vault.deposit(vault.actors.alice, 1_000_000 * DOLLAR)
    vault.keep(60)
    vault.transact(vault.actors.alice, vault.vault, "redeem", 10**11, vault.actors.alice, vault.actors.alice)
    assert report(vault).passed


def test_an_exit_that_is_owed_and_claimed_later_is_explained(vault: VaultSetup):
    alice, asset = vault.actors.alice, vault.book.pool.asset
    code = vault.rpc.call("eth_getCode", [asset, "latest"])
    vault.rpc.call("anvil_setCode", [asset, load_artifact("FrozenToken")["deployedBytecode"]])
    vault.transact(alice, vault.vault, "redeemInKind", 10**11, alice, alice)
    vault.rpc.call("anvil_setCode", [asset, code])
    owed = vault.vault.call("owed", asset, alice)
    assert owed > 0 and report(vault).passed
    vault.transact(alice, vault.vault, "redeem", 10**11, alice, alice)
    vault.transact(alice, vault.vault, "claim", asset, alice)
    assert report(vault).passed


@pytest.mark.parametrize("token", ["asset", "risk"])
def test_half_of_a_token_sent_out_without_an_event_fails_by_name(vault: VaultSetup, token: str):
    contract: Contract = getattr(vault, token)
    symbol = getattr(vault.book.pool, f"{token}_symbol")
    half = contract.call("balanceOf", vault.vault.address) // 2
    theft = as_vault(vault, contract, "transfer", vault.actors.bob, half)["transactionHash"]
    found = report(vault)
    assert not found.passed and found.outcome == "failed"
    assert failed(found) == ["transfers explained", f"{symbol} sent"]
    amount = f"{from_units(half, getattr(vault.book.pool, f'{token}_decimals')):f}".rstrip("0").rstrip(".")
    assert f"{symbol} sent {amount} in {theft}, expected 0." in found.verdict
    assert found.verdict.startswith("Not explained by the vault's own events") and "All of" not in found.verdict
    with pytest.raises(AuditFailed, match="transfers explained"):
        found.require_passed()
    vault.keep(30)
    assert failed(report(vault)) == ["transfers explained", f"{symbol} sent"]
    assert report(vault, from_block=found.last_block + 1).passed, "the range is what is judged"


def test_a_theft_in_the_transaction_of_an_honest_exit_fails(vault: VaultSetup):
    """More is pulled out beside an exit: sums of a transaction have to be equal, not only covered by some event."""
    alice, me = vault.actors.alice, vault.vault.address
    as_vault(vault, vault.asset, "approve", alice, 2**256 - 1)
    vault.transact(alice, vault.vault, "approve", vault.asset.address, 2**256 - 1)
    both = [
        (me, vault.vault.encode("redeem", 10**11, alice, alice)),
        (vault.asset.address, vault.asset.encode("transferFrom", me, alice, 5 * DOLLAR)),
    ]
    vault.rpc.call("anvil_setCode", [alice, caller(both)])
    with vault.impersonated(alice):
        vault.send(alice, alice, "0x")
    vault.rpc.call("anvil_setCode", [alice, "0x"])
    assert failed(report(vault)) == ["transfers explained", f"{vault.book.pool.asset_symbol} sent"]


def caller(calls: Sequence[tuple[str, str]]) -> str:
    """Return code that makes calls one after the other, their calldata behind it."""
    blobs = [bytes.fromhex(data[2:]) for _, data in calls]
    size = len(calls) * 44
    code, offset = "", size + 1
    for (to, _), blob in zip(calls, blobs, strict=True):
        code += f"61{len(blob):04x}61{offset:04x}600039"  # codecopy(0, offset, length)
        code += f"6000600061{len(blob):04x}60006000" + f"73{to[2:].lower()}5af1" + "50"
        offset += len(blob)
    return "0x" + code + "00" + b"".join(blobs).hex()


def test_ether_unwrapped_out_of_the_vault_shows_in_its_balance(vault: VaultSetup):
    """WETH9 writes no Transfer where it is unwrapped."""
    me = vault.vault.address
    code = vault.rpc.call("eth_getCode", [me, "latest"])
    vault.rpc.call("anvil_setCode", [me, "0x00"])  # the vault's own code takes no ether
    as_vault(vault, vault.risk, "withdraw", 3 * ETHER)
    vault.rpc.call("anvil_setCode", [me, code])
    found = report(vault)
    assert failed(found) == [f"balance of {vault.book.pool.risk_symbol}"]
    assert "state is not what its logs give" in found.verdict and not found.passed


@pytest.mark.parametrize("token", ["asset", "risk"])
def test_a_donation_is_listed_and_fails_nothing(vault: VaultSetup, token: str):
    contract: Contract = getattr(vault, token)
    sent = vault.transact(vault.actors.trader, contract, "transfer", vault.vault.address, 12_345)
    vault.keep(30)
    found = report(vault)
    (gift,) = found.vault_checks.donations
    assert (gift.transaction_hash, gift.amount) == (sent["transactionHash"], 12_345)
    assert gift.token == getattr(vault.book.pool, f"{token}_symbol") and found.passed


# -- what it is


def test_kit_code_is_known_by_what_it_does_and_not_by_what_it_was_made_with(vault: VaultSetup):
    places = {
        "InferenceVault": vault.vault, "ModelRegistry": vault.registry, "ZkGate": vault.gate,
        "TickWindow": vault.source, "UniswapV3Venue": vault.venue,
    }  # fmt: skip
    assert set(places) == set(KIT_CONTRACTS)
    for name, contract in places.items():
        code = bytes.fromhex(vault.rpc.call("eth_getCode", [contract.address, "latest"])[2:])
        kit = kit_code(name)
        assert code != kit.runtime and kit.is_of(code)
        masked = {offset for start, length in kit.places for offset in range(start, start + length)}
        for offset in range(0, len(code), max(1, len(code) // 200)):
            other = code[:offset] + bytes([code[offset] ^ 1]) + code[offset + 1 :]
            assert kit.is_of(other) == (offset in masked)
        assert not kit.is_of(code[:-1]) and not kit.is_of(code + b"\0") and not kit.is_of(b"")


@pytest.mark.parametrize("name", ["vault", "registry", "gate", "source", "venue"])
def test_replaced_code_fails_by_name(vault: VaultSetup, name: str):
    """One more byte behind the code: it does the same, and is not what the kit's sources compile to."""
    address = getattr(vault, name).address
    code = vault.rpc.call("eth_getCode", [address, "latest"])
    vault.rpc.call("anvil_setCode", [address, code + "00"])
    vault.devnet.mine(vault.now() + 12)
    found = report(vault)
    assert failed(found) == [f"{name} code"] and not found.passed
    assert f"Not what this kit's own sources compile to: {name} code." in found.verdict
    with pytest.raises(AuditFailed, match=f"{name} code"):
        found.require_passed()


def test_code_that_was_replaced_at_the_first_block_only_is_noticed(vault: VaultSetup):
    code = vault.rpc.call("eth_getCode", [vault.vault.address, "latest"])
    vault.rpc.call("anvil_setCode", [vault.vault.address, code + "00"])
    vault.devnet.mine(vault.now() + 12)
    first = head(vault)
    vault.devnet.mine(vault.now() + 12)
    vault.rpc.call("anvil_setCode", [vault.vault.address, code])
    vault.keep(30)
    assert failed(report(vault)) == []
    assert failed(report(vault, from_block=first)) == ["vault code"]


def test_a_vault_replaced_by_code_that_answers_nothing_is_named(vault: VaultSetup):
    vault.rpc.call("anvil_setCode", [vault.vault.address, "0x00"])
    vault.devnet.mine(vault.now() + 12)
    with pytest.raises(AuditFailed, match="fails the check of its vault code"):
        report(vault)


def in_book(vault: VaultSetup, **changes: str) -> AddressBook:
    book = book_of(vault)
    assert book.vault is not None
    return book.model_copy(update={"vault": book.vault.model_copy(update=changes)})


def test_another_registry_in_the_book_fails_by_name(vault: VaultSetup):
    other = vault.create("ModelRegistry", vault.actors.owner, 1, vault.actors.guardian).address
    found = report(vault, book=in_book(vault, registry=other))
    assert failed(found) == ["vault's registry", "gate's registry"]
    assert "Not what the address book says: vault's registry" in found.verdict
    assert all(epoch.passed for epoch in found.epochs), "epochs are judged by the vault's own registry"


def test_another_venue_or_gate_in_the_book_fails_by_name(vault: VaultSetup):
    pool = vault.book.pool
    other = vault.create("UniswapV3Venue", pool.factory, pool.pool, pool.asset, 60).address
    assert failed(report(vault, book=in_book(vault, venue=other))) == ["vault's venue"]
    registry = vault.create("ModelRegistry", vault.actors.owner, 1, vault.actors.guardian).address
    gate = vault.create("ZkGate", registry).address
    assert failed(report(vault, book=in_book(vault, gate=gate))) == ["gate's registry"]


# -- ranges in which there is nothing


def test_an_empty_range_says_so_and_is_told_from_success(
    vault: VaultSetup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    first = head(vault) + 1
    vault.devnet.mine(vault.now() + 60)
    found = report(vault, from_block=first)
    assert found.passed and found.outcome == "empty" and "nothing to audit" in found.verdict
    assert "last epoch" in {check.name for check in found.vault_checks.state}
    book_of(vault).save(tmp_path / "book.json")
    place = ["--rpc", vault.devnet.url, "--book", str(tmp_path / "book.json"), "--json"]
    assert verb("audit", *place, "--from-block", str(first)) == 0
    empty = json.loads(capsys.readouterr().out)
    assert verb("audit", *place) == 0
    whole = json.loads(capsys.readouterr().out)
    assert (empty["outcome"], whole["outcome"]) == ("empty", "passed")
    assert "eth_call" in whole["verdict"] and "eth_call" not in empty["verdict"]


def test_an_empty_range_without_past_state_shows_nothing(vault: VaultSetup):
    first = head(vault) + 1
    vault.devnet.mine(vault.now() + 60)
    pruned = RefusingRpc(vault.rpc, lambda method, params: method == "eth_call" and params[1] != "latest")
    found = report(vault, pruned, from_block=first)
    assert not found.passed and found.outcome == "unshown" and NO_STATE.format(first) in found.notes
    with pytest.raises(AuditFailed, match="does not say what lastEpoch"):
        found.require_passed()
    assert report(vault, pruned).passed, "an epoch was audited; the note says what could not be asked"


def test_a_chain_without_blooms_is_found_out_by_the_vaults_last_epoch(vault: VaultSetup):
    epoch = vault.vault.call("lastEpoch")
    found = report(vault, BloomlessRpc(vault.rpc))
    assert not found.epochs and not found.passed and found.outcome == "failed"
    assert "last epoch" in failed(found)
    assert f"last epoch {epoch}, expected 0" in found.verdict and "nothing to audit" not in found.verdict


def test_an_epoch_that_a_node_hides_is_found_out(vault: VaultSetup):
    vault.devnet.mine(vault.now() + 12)
    first = head(vault)
    vault.keep(60)
    hidden = BloomlessRpc(vault.rpc, [head(vault)])
    found = report(vault, hidden, from_block=first)
    assert "last epoch" in failed(found) and not found.epochs
    vault.devnet.mine(vault.now() + 12)
    after = report(vault, BloomlessRpc(vault.rpc, [head(vault) - 1]), from_block=head(vault))
    assert "last epoch before the range" in failed(after)


def test_a_head_that_moves_while_it_is_read_is_asked_for_again(vault: VaultSetup):
    """A development node answers for its newest block with the next one's state while it mines that."""

    class EarlyRpc:
        """A node that gives the next block's balance once."""

        label = vault.rpc.label

        def __init__(self, asks: Callable[[Sequence[Any]], bool]) -> None:
            self.asks, self.lies = asks, 1

        def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            if method == "eth_call" and self.lies and self.asks(params):
                self.lies -= 1
                return f"0x{7:064x}"
            return vault.rpc.call(method, params)

        def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
            return vault.rpc.batch(calls)

    supply = vault.vault.encode("totalSupply")
    early = EarlyRpc(lambda params: params[0]["data"] == supply)
    assert report(vault, early).passed and early.lies == 0


# -- code that says what it did not do, in its own events


def saying(vault: VaultSetup, name: str, *args: Any) -> str:
    """Return code that writes one event of the vault and sends half of its asset to bob."""
    item = next(one for one in vault.vault.abi if one.get("type") == "event" and one["name"] == name)
    topics = [vault.vault.event_topic(name)[2:]]
    data = b""
    for part, value in zip(item["inputs"], args, strict=True):
        word = encode([part["type"]], [value])
        if part["indexed"]:
            topics.append(word.hex())
        else:
            data += word
    body = "".join(f"7f{data[i : i + 32].hex()}60{i:02x}52" for i in range(0, len(data), 32))
    body += "".join(f"7f{topic}" for topic in reversed(topics))
    body += f"60{len(data):02x}6000" + f"{0xA0 + len(topics):02x}"
    half = vault.asset.call("balanceOf", vault.vault.address) // 2
    sent = bytes.fromhex(vault.asset.encode("transfer", vault.actors.bob, half)[2:]).ljust(96, b"\0")
    body += "".join(f"7f{sent[i : i + 32].hex()}60{i:02x}52" for i in range(0, 96, 32))
    return "0x" + body + "60006000604460006000" + f"73{vault.asset.address[2:].lower()}5af100"


@pytest.mark.parametrize("name", ["Withdraw", "RedeemedInKind", "RewardPaid", "Claimed"])
def test_events_that_a_replaced_vault_makes_up_explain_nothing(vault: VaultSetup, name: str):
    bob, me = vault.actors.bob, vault.vault.address
    half = vault.asset.call("balanceOf", me) // 2
    made_up = {
        "Withdraw": (bob, bob, bob, half, 10**9),
        "RedeemedInKind": (bob, bob, bob, 10**9, half, 0),
        "RewardPaid": (vault.vault.call("lastEpoch"), bob, half),
        "Claimed": (vault.asset.address, bob, half),
    }
    code = vault.rpc.call("eth_getCode", [me, "latest"])
    vault.rpc.call("anvil_setCode", [me, saying(vault, name, *made_up[name])])
    receipt = vault.send(bob, me, "0x")
    vault.rpc.call("anvil_setCode", [me, code])
    assert name in vault.events(receipt) and vault.asset.call("balanceOf", me) in (half, half + 1)
    found = report(vault)
    assert "transfers explained" in failed(found) and not found.passed
    assert not any(failed_name.endswith("code") for failed_name in failed(found)), "the code is the kit's again"
