"""Gas with real proofs on the real pool: at most what gas.json says, at least 90 % of it; and where it goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.contracts.test_real_proofs import Honest, honest, prove  # noqa: F401 - a fixture
from vaultkit.settings import build_dir
from vaultkit.units import WAD
from vaultkit.vault.terms import Fees, Safeguards

SNAPSHOT = Path(__file__).resolve().parent / "gas.json"
ALLOWANCE_REFUND = 19_900  # EIP-3529: the swap uses up the allowance that was written in the same transaction
WINDOW_SECONDS = 18 * 300
WITH_FEES = "six observations, a reward paid, drawdown stop and share of gains on"


def calldata_gas(data: bytes) -> int:
    return sum(16 if byte else 4 for byte in data)


def split(honest: Honest, receipt: dict[str, Any]) -> dict[str, int]:  # noqa: F811
    """Return where a rebalance's gas went.

    Verification is the gate's call and the proof's bytes; swap is the venue's call and its allowance, less the refund
    for its use; window is the source's call; policy is everything else, the transaction's base and the rest of its
    bytes included.
    """
    vault = honest.vault
    trace = vault.rpc.call("debug_traceTransaction", [receipt["transactionHash"], {"tracer": "callTracer"}])
    spent = {"verification": calldata_gas(honest.proof.proof), "window": 0, "swap": -ALLOWANCE_REFUND}
    swap, approve = vault.venue.encode("swap", True, 0, 0)[:10], vault.asset.encode("approve", "0x" + "00" * 20, 0)[:10]
    for call in trace["calls"]:
        to, selector = call["to"].lower(), call["input"][:10]
        part = {vault.gate.address.lower(): "verification", vault.source.address.lower(): "window"}.get(to)
        if selector in (swap, approve):
            part = "swap"
        if part is not None:
            spent[part] += int(call["gasUsed"], 16)
    total = int(receipt["gasUsed"], 16)
    return spent | {"policy": total - sum(spent.values()), "total": total}


def pool_answers(honest: Honest, receipt: dict[str, Any]) -> tuple[int, int]:  # noqa: F811
    """Return how often the pool was read for window and prices, and the gas of its own answers: cold slots mostly."""
    vault = honest.vault
    trace = vault.rpc.call("debug_traceTransaction", [receipt["transactionHash"], {"tracer": "callTracer"}])
    readers, pool = {vault.source.address.lower(), vault.venue.address.lower()}, vault.pool.address.lower()
    asked = [
        int(answer["gasUsed"], 16)
        for call in trace["calls"]
        if call["to"].lower() in readers and call["type"] == "STATICCALL"
        for answer in call.get("calls", [])
        if answer["to"].lower() == pool
    ]
    return len(asked), sum(asked)


def rebalanced(honest: Honest) -> dict[str, Any]:  # noqa: F811
    receipt = honest.vault.rebalance(honest.epoch, 0, outputs=list(honest.proof.outputs), proof=honest.proof.proof)
    assert "Swapped" in honest.vault.events(receipt)
    return receipt


def publish(part: str, numbers: dict[str, int], answers: tuple[int, int]) -> None:
    """Keep what was measured for the table that ``benchmarks/bench_gas.py`` writes."""
    row = numbers | {"pool answers": answers[0], "gas of pool answers": answers[1]}
    folder = build_dir() / "gas"
    folder.mkdir(exist_ok=True)
    (folder / f"{part}.json").write_text(json.dumps(row))


def hold_to_snapshot(part: str, numbers: dict[str, int]) -> None:
    committed = json.loads(SNAPSHOT.read_text())[part]
    assert set(numbers) == set(committed)
    for name, used in numbers.items():
        assert 0.9 * committed[name] <= used <= committed[name], f"{part}, {name}: {used}"


def test_gas_of_every_entry_point_is_the_committed_one(honest: Honest):  # noqa: F811
    vault = honest.vault
    alice, bob = vault.actors.alice, vault.actors.bob
    receipts = {
        "rebalance with a swap": rebalanced(honest),
        "deposit": vault.deposit(bob, 10_000 * 10**6),
        "redeem": vault.transact(bob, vault.vault, "redeem", vault.vault.call("balanceOf", bob) // 2, bob, bob),
        "redeemInKind": vault.transact(alice, vault.vault, "redeemInKind", 10**15, alice, alice),
        "withdraw": vault.transact(alice, vault.vault, "withdraw", 10**9, alice, alice),
    }
    hold_to_snapshot("entry points", {name: int(receipt["gasUsed"], 16) for name, receipt in receipts.items()})


def test_a_rebalance_of_16_inputs_costs_under_800_000_and_under_200_000_without_proof_and_swap(
    honest: Honest,  # noqa: F811
):
    receipt = rebalanced(honest)
    numbers = split(honest, receipt)
    publish("six observations in the window", numbers, pool_answers(honest, receipt))
    hold_to_snapshot("rebalance, six observations in the window", numbers)
    assert numbers["total"] < 800_000
    assert numbers["window"] + numbers["policy"] < 200_000


def test_a_keeper_s_reward_is_a_transfer_more(honest: Honest):  # noqa: F811
    """Paid to an account that never held the asset, as dear as it gets; a share of gains is kept, none is due."""
    vault = honest.vault
    vault.redeploy(
        fees=Fees(50 * 10**6, 20_000, performance_pips=100_000, performance_recipient=vault.actors.guardian),
        safeguards=Safeguards(drawdown_wad=WAD // 4),
    )
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)
    receipt = rebalanced(honest)
    assert "RewardPaid" in vault.events(receipt)
    numbers = split(honest, receipt)
    publish(WITH_FEES, numbers, pool_answers(honest, receipt))
    hold_to_snapshot(f"rebalance, {WITH_FEES}", numbers)


def test_a_pool_that_trades_every_minute_makes_the_window_dearer_by_cold_reads(honest: Honest, circuit, prover):  # noqa: F811
    """No two points share an observation here: the most that a window of 16 inputs can cost."""
    vault = honest.vault
    end = (vault.now() // 14_400 + 1) * 14_400
    for index, at in enumerate(range(end - WINDOW_SECONDS - 90, end, 60)):
        vault.trade(buy_risk=index % 2 == 0, amount=3_000 * 10**6 if index % 2 == 0 else 10**18, at=at)
    vault.devnet.mine(end + 30)
    epoch = end // 14_400
    proof = prove(prover, circuit, vault.inputs(epoch), vault.actors.keeper)
    busy = Honest(vault, honest.verifier, epoch, proof, honest.head)
    receipt = rebalanced(busy)
    numbers, (_, answers) = split(busy, receipt), pool_answers(busy, receipt)
    publish("an observation every minute", numbers, pool_answers(busy, receipt))
    hold_to_snapshot("rebalance, an observation every minute", numbers)
    assert numbers["total"] < 900_000
    # What goes beyond 200,000 is what the pool's own cold slots cost whoever reads them.
    assert answers > 100_000
    assert numbers["window"] + numbers["policy"] - answers < 200_000
