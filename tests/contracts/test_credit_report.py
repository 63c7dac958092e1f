"""A liquidation on the real Aave, proven by its block's receipts, counts against a borrower of a public credit line."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple

from tests.contracts.test_anchor_aave import aave, liquidation  # noqa: F401
from vaultkit.chain.abi import Contract, load_abi, load_code
from vaultkit.chain.borrowers import WETH
from vaultkit.chain.past import LogProof
from vaultkit.chain.uniswap import create_unlocked, transact_unlocked
from vaultkit.errors import Reverted

USDC = 2
NOBODY = "0x" + 40 * "0"


@pytest.fixture(scope="module")
def line(aave):  # noqa: F811
    """A public line on the local Aave's tokens, oracle and pool, beside the anchor."""
    devnet, manifest, anchor = aave
    owner = devnet.accounts()[0]
    registry = create_unlocked(devnet, owner, "ModelRegistry", owner, 1, NOBODY, mine=devnet.mine)
    asset, collateral = manifest.aave.tokens[USDC], manifest.aave.tokens[WETH]
    tiers, terms = [(0, 7_000, 8_000, 500)], (12, 86_400, 500, 5_000, 1, 2**256 - 1)
    config = ("Line", "LN", asset, collateral, manifest.aave.oracle, registry, tiers, terms)
    code = load_code("PublicCreditLine")
    inputs = next(item["inputs"] for item in code.abi if item["type"] == "constructor")
    values = encode([collapse_if_tuple(one) for one in inputs], [config, anchor.contract.address, manifest.aave.pool])
    receipt = transact_unlocked(devnet, owner, None, code.bytecode + values.hex(), mine=devnet.mine)
    return Contract(devnet.rpc, receipt["contractAddress"], code.abi)


def send(devnet, contract, name, *arguments):
    data = contract.encode(name, *arguments)
    fields = {"from": devnet.accounts()[5], "to": contract.address, "data": data, "gas": hex(5_000_000)}
    transaction = devnet.rpc.call("eth_sendTransaction", [fields])
    devnet.mine()
    receipt = devnet.rpc.call("eth_getTransactionReceipt", [transaction])
    assert int(receipt["status"], 16) == 1
    return receipt


def test_a_proven_liquidation_counts_once_against_whom_it_befell(aave, liquidation, line):  # noqa: F811
    devnet, manifest, anchor = aave
    pool, borrower, log = liquidation
    place = int(log["blockNumber"], 16), int(log["logIndex"], 16)
    _, _, proof = anchor.log(*place)
    before = line.call("featuresOf", borrower)
    receipt = send(devnet, line, "reportLiquidation", proof.argument)
    event = next(e for e in map(line.decode_log, receipt["logs"]) if e is not None and e.name == "LiquidationReported")
    oracle = Contract(devnet.rpc, manifest.aave.oracle, load_abi("AaveOracle"))
    said = pool.decode_log(log).args
    value = said["debtToCover"] * oracle.call("getAssetPrice", said["debtAsset"]) // 10**6
    assert event.args["borrower"].lower() == borrower and event.args["value"] == value > 0
    history = line.call("historyOf", borrower)
    assert (history[9], history[12]) == (1, value)
    after = line.call("featuresOf", borrower)
    assert (before[16], after[16]) == (0, 16) and after[17] > 0 == before[17]
    assert line.call("scoreOf", borrower)[2] == devnet.timestamp()
    with pytest.raises(Reverted) as raised:
        line.call("reportLiquidation", proof.argument)
    assert raised.value.name == "LogCounted"


def test_a_log_beside_it_is_none_and_a_bent_proof_is_refused(aave, liquidation, line):  # noqa: F811
    _, _, anchor = aave
    _, _, log = liquidation
    number, last = int(log["blockNumber"], 16), int(log["logIndex"], 16)
    _, _, proof = anchor.log(number, last - 1)
    with pytest.raises(Reverted) as raised:
        line.call("reportLiquidation", proof.argument)
    assert raised.value.name == "NotALiquidation"
    honest = anchor.log(number, last)[2]
    root = bytearray(honest.nodes[0])
    root[-1] ^= 1
    nodes = (bytes(root), *honest.nodes[1:])
    bent = LogProof(honest.header, honest.transaction_index, nodes, honest.log_index)
    with pytest.raises(Reverted) as raised:
        line.call("reportLiquidation", bent.argument)
    assert raised.value.name == "ProofInvalid"
