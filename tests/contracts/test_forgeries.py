"""Forgeries of a real proof by class, each class beside the honest proof that passes in the same run."""

from __future__ import annotations

import os
from random import Random

import pytest

from tests.contracts.forgeries import Forger, Request
from tests.contracts.test_real_proofs import Honest, honest, prove  # noqa: F401 - a fixture
from vaultkit.errors import RpcRefused
from vaultkit.settings import project_root

SOME, ALL = 400, 10_000
TABLE = """# Forgeries

{total:,} forgeries of one real proof, put by `eth_call` to `ZkGate.accept` of a vault's own gate (instances to the
verifier itself). Before and after each class the honest proof is put in the same way and must pass. Written by
`make forgeries`.

| class | forgeries | accepted | honest proof before and after |
|---|---|---|---|
"""


def believed(case: Honest, request: Request) -> bool:
    method, params = request
    try:
        answer = case.vault.rpc.call(method, params)
    except RpcRefused as refused:
        assert "revert" in str(refused), refused  # a node's own refusal would say nothing about the gate
        return False
    return int(answer, 16) != 0


def run(forger: Forger, share: float) -> list[tuple[str, int, int]]:
    """Return class, forgeries and how many were believed."""
    rows = []
    for name, (count, make) in forger.classes().items():
        assert forger.honest.accepts(), name
        forgeries = make()
        count = max(5, round(count * share))
        accepted = sum(believed(forger.honest, next(forgeries)) for _ in range(count))
        assert forger.honest.accepts(), name
        rows.append((name, count, accepted))
    return rows


@pytest.fixture
def forger(honest: Honest, circuit, rotated_circuit, prover) -> Forger:  # noqa: F811
    own = honest.proof
    second = prove(prover, circuit, own.inputs, own.beneficiary)
    assert second.proof != own.proof
    others = prove(prover, rotated_circuit, own.inputs, own.beneficiary)
    assert honest.accepts(second.proof)
    return Forger(honest, second, others, Random(12))


def test_some_forgeries_of_every_class_are_refused_beside_the_honest_proof(forger: Forger):
    rows = run(forger, SOME / ALL)
    assert sum(count for _, count, _ in rows) >= SOME
    assert [name for name, _, accepted in rows if accepted] == []


@pytest.mark.slow
def test_ten_thousand_forgeries_are_refused_beside_the_honest_proof(forger: Forger):
    rows = run(forger, 1)
    total = sum(count for _, count, _ in rows)
    if os.environ.get("VAULTKIT_WRITE_RESULTS"):
        lines = [f"| {name} | {count:,} | {accepted} | passed |" for name, count, accepted in rows]
        place = project_root() / "benchmarks" / "results" / "forgeries.md"
        place.write_text(TABLE.format(total=total) + "\n".join(lines) + "\n")
    assert total >= ALL
    assert [name for name, _, accepted in rows if accepted] == []


def test_calldata_arranged_otherwise_reaches_the_verifier_in_its_one_form(forger: Forger):
    """A caller may choose how the outer call is laid out; the call that the gate makes does not change with it."""
    case = forger.honest
    _, params = case.request()
    data = bytes.fromhex(params[0]["data"].removeprefix("0x"))
    at, proof = data.index(forger.proof), forger.proof
    offset = int.from_bytes(data[36:68], "big")
    assert 4 + offset + 32 == at
    # The same words, the proof moved behind some bytes that nobody asked for.
    moved = data[:36] + (offset + 64).to_bytes(32, "big") + data[68 : 4 + offset] + b"\xee" * 64
    moved += len(proof).to_bytes(32, "big") + data[at:]
    calls = []
    for one in (data, moved):
        trace = case.vault.rpc.call(
            "debug_traceCall", [params[0] | {"data": "0x" + one.hex()}, "latest", {"tracer": "callTracer"}]
        )
        asked = [call["input"] for call in trace["calls"] if call["to"].lower() == case.verifier.address.lower()]
        assert len(asked) == 1 and "error" not in trace
        calls += asked
    assert calls[0] == calls[1]
