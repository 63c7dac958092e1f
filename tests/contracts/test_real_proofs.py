"""Real proofs of a real circuit on the real pool, and forgeries by class, each beside the honest proof that passes."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest

from tests.fixtures.vault import VaultSetup
from vaultkit.chain.abi import Contract
from vaultkit.errors import Reverted, RpcRefused
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Proof, ProofJob
from vaultkit.statement import instances
from vaultkit.units import FIELD_ORDER
from vaultkit.vault.compile import compile_contracts

BIT_FLIPS = 200


@dataclass
class Honest:
    """A vault whose model is a real circuit, an epoch of it, and its proof."""

    vault: VaultSetup
    verifier: Contract
    epoch: int
    proof: Proof
    head: int  # bytes of the commitments

    def statement(self, **changes) -> tuple:
        fields = {
            "vault": self.vault.vault.address, "model_id": self.vault.pins.model_id(), "epoch": self.epoch,
            "beneficiary": self.proof.beneficiary, "inputs": list(self.proof.inputs),
            "outputs": list(self.proof.outputs),
        } | changes  # fmt: skip
        return tuple(fields.values())

    def request(self, evidence: bytes | None = None, **changes):
        data = self.proof.proof if evidence is None else evidence
        return self.vault.gate.request("accept", self.statement(**changes), data)

    def accepts(self, evidence: bytes | None = None, **changes) -> bool:
        method, params = self.request(evidence, **changes)
        try:
            self.vault.rpc.call(method, params)
        except RpcRefused:
            return False
        return True


def prove(prover, circuit, inputs, beneficiary: str) -> Proof:
    return prover.prove(ProofJob(artefact=circuit.folder, inputs=tuple(inputs), beneficiary=beneficiary))


@pytest.fixture
def honest(vault: VaultSetup, circuit, prover) -> Honest:
    manifest = ArtefactManifest.load(circuit.folder)
    name = f"Verifier_{manifest.files['Verifier.sol'][:12]}"
    compile_contracts({name: circuit.folder / "Verifier.sol"})
    verifier = vault.create(name)
    commitments = b"".join(bytes.fromhex(one.removeprefix("0x")) for one in manifest.commitments)
    vault.pins = vault.model(
        verifier=verifier.address,
        commitments=commitments,
        output_scale=manifest.output_scale,
        output_bound=manifest.output_bound,
    )
    vault.activate(vault.pins)
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)
    epoch = vault.close_epoch()
    proof = prove(prover, circuit, vault.inputs(epoch), vault.actors.keeper)
    return Honest(vault, verifier, epoch, proof, len(commitments))


def test_a_real_proof_moves_the_vault_to_its_weight(honest: Honest):
    vault, proof = honest.vault, honest.proof
    receipt = vault.rebalance(honest.epoch, 0, outputs=list(proof.outputs), proof=proof.proof)
    event = vault.events(receipt)["Rebalanced"]
    assert event["inputs"] == proof.inputs
    assert event["outputs"] == proof.outputs
    assert vault.vault.call("lastEpoch") == honest.epoch
    with pytest.raises(Reverted, match="EpochUsed"):
        vault.rebalance(honest.epoch, 0, outputs=list(proof.outputs), proof=proof.proof)


def test_two_proofs_of_one_statement_still_use_the_epoch_once(honest: Honest, circuit, prover):
    vault, first = honest.vault, honest.proof
    second = prove(prover, circuit, first.inputs, first.beneficiary)
    assert honest.accepts(second.proof)
    vault.rebalance(honest.epoch, 0, outputs=list(first.outputs), proof=first.proof)
    with pytest.raises(Reverted, match="EpochUsed"):
        vault.rebalance(honest.epoch, 0, outputs=list(second.outputs), proof=second.proof)


def test_forged_weights_under_the_same_key_are_refused(honest: Honest, circuit, rotated_circuit, prover):
    """The two circuits share one verifier, which accepts both; only the commitments tell them apart."""
    other = prove(prover, rotated_circuit, honest.proof.inputs, honest.proof.beneficiary)
    numbers = instances(other.inputs, other.beneficiary, other.outputs)
    assert honest.verifier.call("verifyProof", other.proof, list(numbers)) is True
    assert honest.accepts()
    assert not honest.accepts(other.proof, outputs=list(other.outputs))
    assert not honest.accepts(other.proof)


def test_forged_commitments_are_refused(honest: Honest, rotated_circuit, prover):
    other = prove(prover, rotated_circuit, honest.proof.inputs, honest.proof.beneficiary)
    pinned = honest.proof.proof[: honest.head]
    assert honest.accepts()
    assert not honest.accepts(pinned + other.proof[honest.head :], outputs=list(other.outputs))
    assert not honest.accepts(other.proof[: honest.head] + honest.proof.proof[honest.head :])


def test_forged_windows_are_refused(honest: Honest, circuit, prover):
    shifted = (*honest.proof.inputs[1:], 0)
    assert shifted != honest.proof.inputs
    other = prove(prover, circuit, shifted, honest.proof.beneficiary)
    assert honest.accepts(other.proof, inputs=list(shifted), outputs=list(other.outputs))
    assert not honest.accepts(other.proof, outputs=list(other.outputs))
    assert not honest.accepts(inputs=list(shifted))
    vault = honest.vault
    with pytest.raises(Reverted, match="ProofRefused"):
        vault.rebalance(honest.epoch, 0, outputs=list(other.outputs), proof=other.proof)
    assert honest.accepts()


def test_forged_outputs_are_refused(honest: Honest):
    output = honest.proof.outputs[0]
    for forged in (output + 1, output - 1, -output, 0, honest.vault.pins.output_bound):
        assert forged == output or not honest.accepts(outputs=[forged])
    assert honest.accepts()


def test_forged_beneficiaries_are_refused(honest: Honest):
    """Copying calldata from the mempool earns nothing."""
    for thief in (honest.vault.actors.bob, "0x" + "00" * 19 + "01", "0x" + "ff" * 20):
        assert not honest.accepts(beneficiary=thief)
    assert honest.accepts()


def test_two_hundred_bit_flips_are_all_refused(honest: Honest):
    random, proof = Random(11), honest.proof.proof
    requests = []
    for _ in range(BIT_FLIPS):
        forged, position = bytearray(proof), random.randrange(8 * len(proof))
        forged[position // 8] ^= 1 << position % 8
        requests.append(honest.request(bytes(forged)))
    accepted = 0
    for method, params in requests:
        try:
            honest.vault.rpc.call(method, params)
            accepted += 1
        except RpcRefused:
            pass
    assert accepted == 0
    assert honest.accepts()


@pytest.mark.parametrize("cut", [1, 32, 64])
def test_shortened_proofs_are_refused(honest: Honest, cut):
    assert not honest.accepts(honest.proof.proof[:-cut])
    assert honest.accepts()


def test_instances_beyond_the_field_are_refused_by_the_verifier_itself(honest: Honest):
    numbers = list(instances(honest.proof.inputs, honest.proof.beneficiary, honest.proof.outputs))
    assert honest.verifier.call("verifyProof", honest.proof.proof, numbers) is True
    for index in (0, len(numbers) - 1):
        alias = list(numbers)
        alias[index] += FIELD_ORDER
        try:
            assert honest.verifier.call("verifyProof", honest.proof.proof, alias) is False
        except Reverted:
            continue


def test_the_generated_verifier_fits_a_chain_and_its_gas_cap(honest: Honest):
    code = honest.vault.rpc.call("eth_getCode", [honest.verifier.address, "latest"])
    assert (len(code) - 2) // 2 <= 24_576
    numbers = list(instances(honest.proof.inputs, honest.proof.beneficiary, honest.proof.outputs))
    data = honest.verifier.encode("verifyProof", honest.proof.proof, numbers)
    gas = honest.vault.rpc.call("eth_estimateGas", [{"to": honest.verifier.address, "data": data}])
    assert int(gas, 16) < honest.vault.gate.call("GAS_CAP") // 2
