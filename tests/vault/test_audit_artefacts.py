"""Artefacts at hand verify the epochs of their own model only, and the verdict says whose word the others stand on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.contracts.test_client import verb
from tests.contracts.test_real_proofs import prove
from tests.fixtures.keeper import book_of
from tests.fixtures.vault import COMMITMENTS, PROOF, VaultSetup
from vaultkit.errors import AuditFailed, ProofInvalid
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Proof
from vaultkit.vault.audit import UNUSED, AuditReport, audit
from vaultkit.vault.audit_proof import ArtefactVerifier
from vaultkit.vault.audit_report import BY_EZKL
from vaultkit.vault.audit_state import NO_STATE, PRUNED
from vaultkit.vault.audit_verdict import BY_NODE
from vaultkit.vault.compile import compile_contracts

OTHER = bytes(reversed(COMMITMENTS))
BUNDLES = {COMMITMENTS: b"\x01" * 32, OTHER: b"\x02" * 32}


@dataclass
class Scripted:
    """A verifier of scripted proofs, which takes those that begin with one model's commitments and no other."""

    commitments: bytes
    seen: list[Proof] = field(default_factory=list)

    def __call__(self, proof: Proof) -> None:
        self.seen.append(proof)
        if not proof.proof.startswith(self.commitments):
            raise ProofInvalid("a proof does not verify")


def artefact(commitments: bytes, verify: Callable[[Proof], None] | None = None) -> ArtefactVerifier:
    return ArtefactVerifier(commitments, BUNDLES[commitments], verify or Scripted(commitments))


@pytest.fixture
def rotated(vault: VaultSetup) -> tuple[VaultSetup, list[int]]:
    """A vault that kept one epoch with each of two models, and the epochs."""
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)
    first = vault.events(vault.keep(60))["Rebalanced"]["epoch"]
    vault.pins = vault.model(commitments=OTHER, bundle_hash=BUNDLES[OTHER])
    vault.activate(vault.pins)
    epoch = vault.close_epoch()
    vault.allow(epoch, 40)
    vault.rebalance(epoch, 40, proof=OTHER + PROOF[len(COMMITMENTS) :])
    return vault, [first, epoch]


def report(vault: VaultSetup, *artefacts: ArtefactVerifier) -> AuditReport:
    return audit(vault.rpc, book_of(vault), artefacts=artefacts)


def told(found: AuditReport) -> list[str]:
    """Return the notes, but for those of a test chain that has forgotten its first blocks' state."""
    return [note for note in found.notes if note != PRUNED and not note.startswith(NO_STATE.partition("{")[0])]


def test_each_artefact_verifies_the_epochs_of_its_own_model(rotated):
    vault, _ = rotated
    verifiers = [Scripted(COMMITMENTS), Scripted(OTHER)]
    found = report(vault, *(artefact(one.commitments, one) for one in verifiers))
    assert found.passed and told(found) == []
    assert [epoch.proof_verified_by for epoch in found.epochs] == [BY_EZKL, BY_EZKL]
    assert [len(one.seen) for one in verifiers] == [1, 1]
    assert "eth_call" not in found.verdict and found.verdict.startswith("All of 2 accepted epochs")


@pytest.mark.parametrize("given", [0, 1])
def test_epochs_of_other_models_stand_on_the_pinned_verifier_and_are_named(rotated, given: int):
    vault, epochs = rotated
    found = report(vault, artefact([COMMITMENTS, OTHER][given]))
    assert found.passed, "a vault that changed its model is not at fault"
    kinds = [epoch.proof_verified_by for epoch in found.epochs]
    assert kinds == ([BY_EZKL, BY_NODE] if given == 0 else [BY_NODE, BY_EZKL])
    assert f"the proofs of epochs {epochs[1 - given]} were verified by its eth_call" in found.verdict
    names = [{check.name for check in epoch.checks} for epoch in found.epochs]
    assert ["proof by ezkl" in one for one in names] == [given == 0, given == 1]


def test_without_an_artefact_the_verdict_says_that_proofs_stand_on_the_nodes_word(rotated):
    vault, _ = rotated
    found = report(vault)
    assert found.passed and "On this node's word: the proofs were verified by its eth_call" in found.verdict


def test_an_artefact_of_other_weights_or_files_verifies_nothing_and_is_named(rotated):
    vault, _ = rotated
    strange = ArtefactVerifier(COMMITMENTS, b"\x03" * 32, Scripted(COMMITMENTS))
    found = report(vault, strange)
    assert [epoch.proof_verified_by for epoch in found.epochs] == [BY_NODE, BY_NODE]
    assert told(found) == [UNUSED.format("03" * 32)]


def test_a_proof_that_its_own_artefact_refuses_fails_its_epoch_only(rotated):
    vault, epochs = rotated

    def refuse(proof: Proof) -> None:
        raise ProofInvalid("a proof does not verify")

    found = report(vault, artefact(COMMITMENTS), artefact(OTHER, refuse))
    assert [epoch.passed for epoch in found.epochs] == [True, False]
    assert f"not shown to be the model's: {epochs[1]}" in found.verdict
    with pytest.raises(AuditFailed, match="proof by ezkl"):
        found.require_passed()


def test_the_verb_takes_the_artefact_of_each_model_that_a_vault_has_had(
    vault: VaultSetup, circuit, rotated_circuit, prover, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Real proofs of two circuits, verified by ezkl."""
    vault.deposit(vault.actors.alice, 1_000_000 * 10**6)
    for one in (circuit, rotated_circuit):
        keep_with(vault, one, prover)
    book_of(vault).save(tmp_path / "book.json")
    place = ["--rpc", vault.devnet.url, "--book", str(tmp_path / "book.json"), "--json"]
    folders = [str(one.folder) for one in (circuit, rotated_circuit)]
    assert verb("audit", *place, "--artefact", folders[0], "--artefact", folders[1]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [epoch["proof_verified_by"] for epoch in told["epochs"]] == [BY_EZKL, BY_EZKL]
    assert "eth_call" not in told["verdict"]
    assert verb("audit", *place, "--artefact", folders[0]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [epoch["proof_verified_by"] for epoch in told["epochs"]] == [BY_EZKL, BY_NODE]
    assert f"epochs {told['epochs'][1]['epoch']}" in told["verdict"]


def keep_with(vault: VaultSetup, circuit, prover) -> None:
    """Put a circuit's model in the place of the present one, and keep an epoch with a proof of it."""
    manifest = ArtefactManifest.load(circuit.folder)
    name = f"Verifier_{manifest.files['Verifier.sol'][:12]}"
    compile_contracts({name: circuit.folder / "Verifier.sol"})
    vault.pins = vault.model(
        verifier=vault.create(name).address,
        commitments=b"".join(bytes.fromhex(one.removeprefix("0x")) for one in manifest.commitments),
        output_scale=manifest.output_scale,
        output_bound=manifest.output_bound,
        bundle_hash=manifest.bundle_hash(),
    )
    vault.activate(vault.pins)
    epoch = vault.close_epoch()
    proof = prove(prover, circuit, vault.inputs(epoch), vault.actors.keeper)
    vault.rebalance(epoch, 0, outputs=list(proof.outputs), proof=proof.proof)
