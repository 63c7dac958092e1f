"""`ZkGate.accept`: one test per requirement, each beside a statement that passes."""

from __future__ import annotations

import pytest

from tests.fixtures.vault import COMMITMENTS, OUTPUT_BOUND, PROOF, VaultSetup
from vaultkit.chain.abi import Contract
from vaultkit.errors import Reverted

FAULTS = (
    "ReturnsZero", "Reverts", "BurnsGas", "ReturnsNothing", "ReturnsShort", "ReturnsLong", "ReturnsTwo", "WritesState",
)  # fmt: skip


def refused(name: str):
    return pytest.raises(Reverted, match=f"refused with {name}[:.]")


class Case:
    """A statement that the gate believes, and changes of it."""

    def __init__(self, vault: VaultSetup, output: int = 64) -> None:
        self.vault = vault
        self.epoch = vault.close_epoch()
        self.inputs = vault.inputs(self.epoch)
        self.output = output
        vault.allow(self.epoch, output)

    def accept(self, *, gate: Contract | None = None, evidence: bytes = PROOF, **changes) -> str:
        fields = {
            "vault": self.vault.vault.address, "model_id": self.vault.pins.model_id(), "epoch": self.epoch,
            "beneficiary": self.vault.actors.keeper, "inputs": list(self.inputs), "outputs": [self.output],
        } | changes  # fmt: skip
        answer = (gate or self.vault.gate).call("accept", tuple(fields.values()), evidence)
        return answer.hex()


@pytest.fixture
def case(vault: VaultSetup) -> Case:
    return Case(vault)


def test_gate_accepts_the_statement_that_the_verifier_accepts(case: Case):
    from eth_utils.abi import function_signature_to_4byte_selector

    signature = "accept((address,bytes32,uint256,address,int256[],int256[]),bytes)"
    assert case.accept() == function_signature_to_4byte_selector(signature).hex()


def test_gate_of_a_registry_without_code_is_refused(vault: VaultSetup):
    with refused("RegistryHasNoCode"):
        vault.create("ZkGate", vault.actors.bob)


def test_gate_reverts_for_a_model_that_is_not_active(case: Case):
    with refused("ModelNotActive"):
        case.accept(model_id=b"\x07" * 32)


def test_gate_reverts_for_a_model_of_another_gate(vault: VaultSetup):
    other = vault.create("ZkGate", vault.registry.address)
    with refused("GateMismatch"):
        Case(vault).accept(gate=other)


def test_gate_reverts_when_the_verifiers_code_has_changed(case: Case):
    case.accept()
    code = case.vault.rpc.call("eth_getCode", [case.vault.verifier.address, "latest"])
    case.vault.rpc.call("anvil_setCode", [case.vault.verifier.address, code + "00"])
    with refused("VerifierCodeMismatch"):
        case.accept()


def test_gate_reverts_when_the_sources_definition_has_changed(case: Case):
    vault = case.vault
    other = vault.create("TickWindow", (*vault.spec_tuple()[:3], 64, *vault.spec_tuple()[4:]), 7_200, 60)
    code = vault.rpc.call("eth_getCode", [other.address, "latest"])
    vault.rpc.call("anvil_setCode", [vault.source.address, code])
    with refused("SourceSpecMismatch"):
        case.accept()


def test_gate_reverts_on_another_number_of_inputs_or_outputs(case: Case):
    with refused("InputCount"):
        case.accept(inputs=list(case.inputs[:-1]))
    with refused("InputCount"):
        case.accept(inputs=[*case.inputs, 0])
    with refused("OutputCount"):
        case.accept(outputs=[])
    with refused("OutputCount"):
        case.accept(outputs=[64, 0])


@pytest.mark.parametrize("output", [OUTPUT_BOUND + 1, -OUTPUT_BOUND - 1])
def test_gate_reverts_on_an_output_out_of_its_bound(case: Case, output):
    with refused("OutputOutOfBound"):
        case.accept(outputs=[output])


def test_gate_reverts_on_an_integer_that_the_field_cannot_hold(case: Case):
    order = 21888242871839275222246405745257275088548364400416034343698204186575808495617
    with refused("NotAFieldInteger"):
        case.accept(inputs=[order // 2 + 1, *case.inputs[1:]])
    # The same residue as the honest input: an alias of it must not pass for it.
    with refused("NotAFieldInteger"):
        case.accept(inputs=[case.inputs[0] + order, *case.inputs[1:]])


@pytest.mark.parametrize("position", [0, 63, 64, 127])
def test_gate_reverts_when_either_commitment_differs(case: Case, position):
    evidence = bytearray(PROOF)
    evidence[position] ^= 1
    with refused("CommitmentsMismatch"):
        case.accept(evidence=bytes(evidence))


def test_gate_reverts_when_commitments_are_swapped(case: Case):
    with refused("CommitmentsMismatch"):
        case.accept(evidence=PROOF[64:128] + PROOF[:64] + PROOF[128:])


@pytest.mark.parametrize("length", [0, 64, len(COMMITMENTS)])
def test_gate_reverts_on_a_proof_that_ends_with_its_commitments(case: Case, length):
    with refused("ProofTooShort"):
        case.accept(evidence=PROOF[:length])


def test_gate_reverts_for_every_changed_part_of_the_statement(case: Case):
    bent = [list(case.inputs) for _ in case.inputs]
    for index, inputs in enumerate(bent):
        inputs[index] += 1
    changes = [{"inputs": inputs} for inputs in bent]
    changes += [{"outputs": [65]}, {"outputs": [-64]}, {"beneficiary": case.vault.actors.bob}]
    for change in changes:
        with refused("ProofRefused"):
            case.accept(**change)
    case.accept()


@pytest.mark.parametrize("fault", range(len(FAULTS)), ids=FAULTS)
def test_gate_reverts_for_a_faulty_verifier(vault: VaultSetup, fault):
    verifier = vault.create("FaultyVerifier", fault)
    vault.pins = vault.model(verifier=verifier.address)
    vault.activate(vault.pins)
    with refused("ProofRefused"):
        Case(vault).accept()


def test_proof_bytes_are_no_nonce_so_another_proof_of_one_statement_is_believed_too(case: Case):
    assert case.accept() == case.accept(evidence=PROOF + b"again")
