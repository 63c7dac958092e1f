"""Mainnet's own headers, logs, account and slot, read by the contract."""

from __future__ import annotations

import random

import pytest
import rlp

from tests.contracts.anchor_cases import compared
from tests.contracts.anchor_corpus import mainnet_cases, weth_cases
from tests.contracts.conftest import CALL_GAS, Harness
from tests.fixtures.portal import PORTAL, portal_blocks
from vaultkit.chain.hashing import keccak
from vaultkit.chain.receipt_proof import receipt_nodes, verify_log
from vaultkit.errors import RpcRefused
from vaultkit.vault.anchor import BLOCKS_BACK

HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"


@pytest.fixture(scope="module")
def proofs(quiet_chain):
    return Harness(quiet_chain, "ProofHarness").contract


@pytest.fixture(scope="module")
def anchor(quiet_chain):
    return Harness(quiet_chain, "InputAnchor").contract


def test_an_account_and_a_slot_of_block_19_million_are_read(proofs):
    """WETH: its ether, and its 18 decimals."""
    account, slot = weth_cases()
    nonce, balance, root, _ = proofs.call("account", *account.arguments)
    assert (nonce, balance // 10**18, root) == (1, 3_272_363, slot.root)
    assert proofs.call("slot", *slot.arguments) == 18


def test_logs_of_six_blocks_are_read_alike(proofs):
    if not PORTAL.is_dir():
        pytest.skip("the real blocks are not beside this checkout")
    outcomes = list(compared(proofs, CALL_GAS, [("", case) for case in mainnet_cases(logs_a_block=20)]))
    assert all(outcome.agrees for outcome in outcomes)
    assert sum(outcome.contract is not None for outcome in outcomes) > 50


def ask(anchor, number, argument, current):
    """Return what the anchor says of a log when the history holds its block's hash and the chain is at ``current``."""
    slot = {f"0x{number % BLOCKS_BACK:064x}": f"0x{keccak(argument[0]).hex()}"}
    overrides = [{HISTORY: {"stateDiff": slot}}, {"number": hex(current)}]
    answer = anchor.rpc.call("eth_call", [*anchor.request("verifyLog", argument)[1], *overrides])
    return anchor.decode_output("verifyLog", answer)


def test_a_header_of_mainnet_leads_to_its_logs_while_the_history_vouches_for_it(anchor):
    """The history contract is given the hash that mainnet's own held, and NUMBER is moved to where mainnet was then."""
    blocks = list(portal_blocks())
    if not blocks:
        pytest.skip("the real blocks are not beside this checkout")
    for _, header, receipts in blocks:
        fields = rlp.decode(header)
        number = int.from_bytes(fields[8], "big")
        index = random.Random(number).choice([i for i, one in enumerate(receipts) if one["logs"]])
        argument = (header, index, receipt_nodes(receipts, index), 0)
        found, log = ask(anchor, number, argument, number + BLOCKS_BACK)
        assert found == (number, int.from_bytes(fields[11], "big"), fields[3], fields[5])
        known = verify_log(fields[5], index, argument[2], 0)
        assert log == (f"0x{known.emitter.hex()}", known.topics, known.data)
        with pytest.raises(RpcRefused, match="revert"):
            ask(anchor, number, argument, number + BLOCKS_BACK + 1)
