"""What an `InputAnchor` costs, and 105,000 mutated proofs held to Python's: writes benchmarks/results/anchor.md.

Mainnet's headers are shown to the contract by giving the history contract of EIP-2935 their hashes, as mainnet's own
had them, and moving the block's number.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import rlp
from report import machine, publish, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.contracts.anchor_cases import BATCH, Case, compared, mutated
from tests.contracts.anchor_corpus import aave_cases, made_cases, mainnet_cases, weth_cases
from tests.contracts.conftest import CALL_GAS, Harness
from tests.fixtures.aave import SMALL
from tests.fixtures.portal import portal_blocks
from vaultkit.chain.abi import Contract
from vaultkit.chain.account import Signer
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.hashing import keccak
from vaultkit.chain.lending_cache import build_lending, open_lending
from vaultkit.chain.past import fetch_log_proof, fetch_storage_proof
from vaultkit.chain.receipt_proof import receipt_nodes
from vaultkit.vault.anchor import AnchorClient
from vaultkit.vault.compile import compile_contracts

COUNT = 105_000
LOGS_A_BLOCK = 25
HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"
HEAD = """# Proofs of past state and events

`InputAnchor` with solc 0.8.30 and 400 runs of the optimizer. Written by `python benchmarks/bench_anchor.py`.

## Gas

Call: what another contract pays, accounts and slots cold. Transaction: the same called from outside, with its 21,000
and its calldata (EIP-7623: 4 gas a token, at least 10 a token in all). A branch of 16 children costs about 35,000: its
decoding is OpenZeppelin's."""
FUZZ = """## {count:,} mutated proofs, and Python's answer to each

Begun from {honest:,} honest proofs, all of them read alike on both sides ({shown:,} accepted; the rest are of absent
accounts, failed transactions and receipts without logs): of the local Aave V3, of made tries, of logs of {blocks}
mainnet blocks, and of mainnet's WETH at block 19,000,000. Alike: both refuse, or both find the same value. Some of what
is asked for another key or log is there, and is found. In the four forged classes every hash above the change is made
again, the root included, so that nothing but the reading is left to object; no chain has such a root. There Python is
stricter (it also reads what the contract need not), and the contract refuses a leaf that lies where no trie would put
it.

Two different values: {different}. {seconds:.0f} s with {batch} proofs a call; {machine}."""


class Chain:
    """Gas on a chain of 300 blocks with anchor and harness on it."""

    def __init__(self, devnet: Devnet) -> None:
        devnet.rpc.call("evm_setBlockGasLimit", [hex(CALL_GAS)])
        self.devnet, self.rpc = devnet, devnet.rpc
        self.anchor = AnchorClient(devnet.rpc, Harness(devnet, "InputAnchor").contract.address)
        self.proofs = Harness(devnet, "ProofHarness").contract
        devnet.rpc.call("anvil_mine", [hex(300)])

    def gas(self, contract: Contract, name: str, *arguments: Any, overrides: tuple[Any, ...] = ()) -> tuple[int, int]:
        """Return the gas of a call from a contract and of a transaction."""
        data = bytes.fromhex(contract.encode(name, *arguments)[2:])
        inner = self.proofs.encode("gasOf", contract.address, data)
        fields = {"to": self.proofs.address, "data": inner, "gas": hex(CALL_GAS)}
        used = self.proofs.decode_output("gasOf", self.rpc.call("eth_call", [fields, "latest", *overrides]))
        tokens = 4 * len(data) - 3 * data.count(0)
        return used, 21_000 + max(4 * tokens + used, 10 * tokens)


def row(name: str, gas: tuple[int, int]) -> tuple[str, str, str]:
    return name, f"{gas[0]:,}", f"{gas[1]:,}"


def gas_rows(chain: Chain) -> list[tuple[str, str, str]]:
    """Return the gas of each kind of proof."""
    anchor, contract = chain.anchor, chain.anchor.contract
    kept, head = chain.devnet.block_number() - 20, chain.devnet.block_number()
    receipt = anchor.checkpoint(Signer.devnet(1), kept)
    number = int(receipt["blockNumber"], 16)
    slot = int.from_bytes(keccak(kept.to_bytes(32, "big") + bytes(32)), "big")
    log = fetch_log_proof(chain.rpc, number, 0)
    full, empty, both = (
        fetch_storage_proof(chain.rpc, number, contract.address, slots)
        for slots in ([slot], [slot + 1], [slot, slot + 1])
    )
    chain.devnet.mine()
    far = ({}, {"number": hex(kept + 10_000)})
    three, (account, decimals) = full.argument[:3], weth_cases()
    rows = [
        row("`hashOf`, 256 blocks back or less", chain.gas(contract, "hashOf", head - 5)),
        row("`hashOf`, 8,191 blocks back or less", chain.gas(contract, "hashOf", head - 280)),
        row("`hashOf`, a checkpoint", chain.gas(contract, "hashOf", kept, overrides=far)),
        ("`checkpoint`, stored and logged", "", f"{int(receipt['gasUsed'], 16):,}"),
        row("`verifyHeader`", chain.gas(contract, "verifyHeader", log.header)),
        row(
            f"`verifyAccount`, {len(full.account_nodes)} nodes",
            chain.gas(contract, "verifyAccount", *three),
        ),
        row("`verifyStorage`, a slot of it", chain.gas(contract, "verifyStorage", full.argument)),
        row("`verifyStorage`, an empty slot of it", chain.gas(contract, "verifyStorage", empty.argument)),
        row("`verifyStorage`, both", chain.gas(contract, "verifyStorage", both.argument)),
        row("`verifyLog`, of a block of one transaction", chain.gas(contract, "verifyLog", log.argument)),
        row(
            f"mainnet's WETH, {len(account.nodes)} nodes (no header)",
            chain.gas(chain.proofs, "account", *account.arguments),
        ),
        row(
            f"its decimals, {len(decimals.nodes)} nodes (no header, no account)",
            chain.gas(chain.proofs, "slot", *decimals.arguments),
        ),
    ]
    found = [mainnet_log(chain, *block[1:], index) for block in portal_blocks() for index in places(block[2])]
    if found:
        by_call = sorted(found)
        middle = (int(statistics.median(a for a, _ in found)), int(statistics.median(b for _, b in found)))
        rows.append(row(f"`verifyLog` with header, {len(found)} logs of mainnet: median", middle))
        rows.append(row("the same: the dearest, by its receipt's other logs", by_call[-1]))
    return rows


def places(receipts: list[dict[str, Any]]) -> list[int]:
    """Return transactions of a block that left logs."""
    some = [index for index, one in enumerate(receipts) if one["logs"] and one.get("status") == "0x1"]
    return random.Random(3).sample(some, min(LOGS_A_BLOCK, len(some)))


def mainnet_log(chain: Chain, header: bytes, receipts: list[dict[str, Any]], index: int) -> tuple[int, int]:
    """Return the gas of the first log of a mainnet transaction, the history contract vouching for its block."""
    number = int.from_bytes(rlp.decode(header)[8], "big")
    slot = {f"0x{number % 8191:064x}": f"0x{keccak(header).hex()}"}
    overrides = ({HISTORY: {"stateDiff": slot}}, {"number": hex(number + 5_000)})
    argument = (header, index, receipt_nodes(receipts, index), 0)
    return chain.gas(chain.anchor.contract, "verifyLog", argument, overrides=overrides)


def fuzz(chain: Chain, corpus: list[Case]) -> tuple[str, str]:
    """Return what is said of the mutated proofs, and the table of their classes."""
    started = time.monotonic()
    shown = sum(honest(outcome) for outcome in compared(chain.proofs, CALL_GAS, [("", case) for case in corpus]))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    names: dict[str, Counter[str]] = defaultdict(Counter)
    different = 0
    for outcome in compared(chain.proofs, CALL_GAS, mutated(random.Random(7), corpus, COUNT)):
        kinds = counts[outcome.name]
        kinds["all"] += 1
        names[outcome.name][outcome.error] += 1
        if outcome.agrees:
            kinds["found" if outcome.contract is not None else "refused"] += 1
        elif outcome.python is None or outcome.contract is None:
            kinds["python" if outcome.python is None else "contract"] += 1
        else:
            different += 1
    rows = []
    for name, kinds in counts.items():
        errors = ", ".join(f"{error} {count:,}" for error, count in names[name].most_common(4) if error)
        figures = [f"{kinds[kind]:,}" for kind in ("all", "refused", "found", "python", "contract")]
        rows.append((name, *figures, errors))
    text = FUZZ.format(
        count=COUNT, honest=len(corpus), shown=shown, blocks=len(list(portal_blocks())), different=different,
        seconds=time.monotonic() - started, batch=BATCH, machine=machine(),
    )  # fmt: skip
    columns = (
        "class",
        "proofs",
        "both refuse",
        "both find the same",
        "only Python refuses",
        "only the contract refuses",
    )
    return text, table((*columns, "the contract's most frequent errors"), rows)


def honest(outcome: Any) -> bool:
    """Return whether an honest proof is accepted, after checking that both sides say the same of it."""
    if not outcome.agrees:
        raise SystemExit(f"an honest proof is read differently: {outcome}")
    return outcome.contract is not None


def main() -> int:
    """Measure and write."""
    compile_contracts()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "aave"
        build_lending(folder, SMALL)
        with open_lending(folder) as (devnet, manifest):
            devnet.mine()
            corpus = aave_cases(devnet, manifest, logs=80)
    corpus += [*made_cases(seed=3, count=150), *weth_cases(), *mainnet_cases(logs_a_block=40)]
    with Devnet() as devnet:
        chain = Chain(devnet)
        gas = table(("what is shown", "call", "transaction"), gas_rows(chain))
        publish("anchor.md", HEAD, gas, *fuzz(chain, corpus))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
