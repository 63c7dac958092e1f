"""Forgeries of a real proof by class, each class beside the honest proof that passes in the same run."""

from __future__ import annotations

import os
from itertools import cycle
from random import Random

import pytest

from tests.contracts.forgeries import Forger, Request, calldata, distinct
from tests.contracts.test_real_proofs import Honest, honest, prove  # noqa: F401 - a fixture
from vaultkit.errors import RpcRefused
from vaultkit.settings import project_root

SOME, ALL = 400, 10_000
TABLE = """# Forgeries

{total:,} forgeries of one real proof, no two with the same calldata and none with an honest call's, put by `eth_call`
to `ZkGate.accept` of a vault's own gate (instances to the verifier itself). Before and after each class the honest
proof is put in the same way and must pass. Written by `make forgeries`.

| class | distinct forgeries | accepted | honest proof before and after |
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
    """Return class, distinct forgeries and how many were believed."""
    rows, put = [], []
    for name, forgeries in forger.drawn(share):
        assert forger.honest.accepts(), name
        accepted = sum(believed(forger.honest, one) for one in forgeries)
        assert forger.honest.accepts(), name
        rows.append((name, len(set(map(calldata, forgeries))), accepted))
        put += forgeries
    assert len(set(map(calldata, put))) == sum(count for _, count, _ in rows)
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
    assert total >= ALL
    assert [name for name, _, accepted in rows if accepted] == []
    if os.environ.get("VAULTKIT_WRITE_RESULTS"):
        lines = [f"| {name} | {count:,} | {accepted} | passed |" for name, count, accepted in rows]
        place = project_root() / "benchmarks" / "results" / "forgeries.md"
        place.write_text(TABLE.format(total=total) + "\n".join(lines) + "\n")


def test_a_repeated_forgery_is_drawn_once_and_a_class_of_too_few_ends():
    requests = [("eth_call", [{"data": data}]) for data in ("0x1", "0x2", "0x1", "0x3")]
    seen = {"0x3"}
    assert list(map(calldata, distinct(cycle(requests), seen, most_repeats=4))) == ["0x1", "0x2"]
    assert seen == {"0x1", "0x2", "0x3"}


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
