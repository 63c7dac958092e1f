"""`ModelRegistry`: a timelock that nobody shortens, and pins checked when proposed and when activated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fixtures.vault import DELAY, VaultSetup
from vaultkit.errors import Reverted
from vaultkit.manifest import ArtefactManifest
from vaultkit.vault.terms import ModelPins


def refused(name: str):
    return pytest.raises(Reverted, match=f"refused with {name}[:.]")


def propose(vault: VaultSetup, pins: ModelPins, sender: str | None = None):
    return vault.transact(sender or vault.actors.owner, vault.registry, "propose", pins.as_tuple())


def successor(vault: VaultSetup) -> ModelPins:
    return replace(vault.pins, bundle_hash=b"\x02" * 32)


def test_model_id_is_the_hash_that_python_computes(vault: VaultSetup):
    pins = successor(vault)
    event = vault.events(propose(vault, pins), vault.registry)["ModelProposed"]
    assert event["modelId"] == pins.model_id()
    assert event["model"] == tuple(_lower(value) for value in pins.as_tuple())
    assert event["activatableAt"] == vault.now() + DELAY


def _lower(value):
    return value.lower() if isinstance(value, str) else value


def test_model_activates_exactly_when_its_delay_is_over(vault: VaultSetup):
    pins = successor(vault)
    propose(vault, pins)
    due = vault.registry.call("activatableAt", pins.model_id())
    snapshot = vault.devnet.snapshot()
    with refused("DelayNotOver"):
        vault.transact(vault.actors.owner, vault.registry, "activate", pins.model_id(), at=due - 1)
    vault.devnet.revert(snapshot)
    receipt = vault.transact(vault.actors.owner, vault.registry, "activate", pins.model_id(), at=due)
    events = vault.events(receipt, vault.registry)
    assert events["ModelRetired"]["modelId"] == vault.pins.model_id()
    assert events["ModelActivated"]["modelId"] == pins.model_id()
    assert vault.registry.call("activeModel") == pins.model_id()
    assert vault.registry.call("activatableAt", pins.model_id()) == 0


def test_pending_model_moves_nothing_and_the_old_one_still_does(vault: VaultSetup):
    propose(vault, successor(vault))
    vault.deposit(vault.actors.alice, 10**12)
    vault.keep(50)
    assert vault.vault.call("lastEpoch") > 0


def test_cancelled_model_cannot_be_activated(vault: VaultSetup):
    pins = successor(vault)
    propose(vault, pins)
    receipt = vault.transact(vault.actors.owner, vault.registry, "cancel", pins.model_id())
    assert "ModelCancelled" in vault.events(receipt, vault.registry)
    with refused("ModelNotPending"):
        vault.transact(vault.actors.owner, vault.registry, "activate", pins.model_id(), at=vault.now() + 2 * DELAY)
    with refused("ModelNotPending"):
        vault.transact(vault.actors.owner, vault.registry, "cancel", pins.model_id())


def test_retired_model_stays_readable_and_waits_again_when_proposed_again(vault: VaultSetup):
    model_id = vault.pins.model_id()
    vault.transact(vault.actors.owner, vault.registry, "retire", model_id)
    assert vault.registry.call("activeModel") == bytes(32)
    assert vault.registry.call("modelOf", model_id)[5] == vault.pins.commitments
    with refused("ModelNotActive"):
        vault.transact(vault.actors.owner, vault.registry, "retire", model_id)
    propose(vault, vault.pins)
    with refused("DelayNotOver"):
        vault.transact(vault.actors.owner, vault.registry, "activate", model_id)


def test_retire_of_nothing_reverts(vault: VaultSetup):
    with refused("ModelNotActive"):
        vault.transact(vault.actors.owner, vault.registry, "retire", bytes(32))


def test_active_and_pending_models_cannot_be_proposed_again(vault: VaultSetup):
    with refused("ModelExists"):
        propose(vault, vault.pins)
    propose(vault, successor(vault))
    with refused("ModelExists"):
        propose(vault, successor(vault))


def test_unknown_model_is_refused_by_name(vault: VaultSetup):
    with refused("ModelUnknown"):
        vault.registry.call("modelOf", b"\x09" * 32)


def test_only_owner_and_guardian_cancel_and_the_guardian_does_nothing_else(vault: VaultSetup):
    propose(vault, successor(vault))
    model_id, guardian = successor(vault).model_id(), vault.actors.guardian
    with refused("NotOwnerOrGuardian"):
        vault.transact(vault.actors.bob, vault.registry, "cancel", model_id)
    for name in ("activate", "retire"):
        with refused("OwnableUnauthorizedAccount"):
            vault.transact(guardian, vault.registry, name, model_id)
    vault.transact(guardian, vault.registry, "cancel", model_id)
    assert vault.registry.call("activatableAt", model_id) == 0


@pytest.mark.parametrize("name", ["propose", "activate", "retire"])
def test_only_the_owner_governs(vault: VaultSetup, name):
    argument = successor(vault).as_tuple() if name == "propose" else vault.pins.model_id()
    with refused("OwnableUnauthorizedAccount"):
        vault.transact(vault.actors.bob, vault.registry, name, argument)


def test_ownership_moves_in_two_steps(vault: VaultSetup):
    vault.transact(vault.actors.owner, vault.registry, "transferOwnership", vault.actors.bob)
    with refused("OwnableUnauthorizedAccount"):
        propose(vault, successor(vault), vault.actors.bob)
    vault.transact(vault.actors.bob, vault.registry, "acceptOwnership")
    propose(vault, successor(vault), vault.actors.bob)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"commitments": b""}, "CommitmentsMalformed"),
        ({"commitments": bytes(65)}, "CommitmentsMalformed"),
        ({"output_scale": 65}, "OutputScaleTooLarge"),
        ({"output_bound": 0}, "OutputBoundInvalid"),
        ({"output_bound": 2**127 + 1}, "OutputBoundInvalid"),
        ({"gate": "0x" + "33" * 20}, "GateHasNoCode"),
        ({"source": "0x" + "33" * 20}, "SourceHasNoCode"),
        ({"verifier_code_hash": b"\x05" * 32}, "VerifierCodeMismatch"),
        ({"source_spec_hash": b"\x05" * 32}, "SourceSpecMismatch"),
    ],
)
def test_propose_refuses_a_wrong_pin(vault: VaultSetup, change, name):
    with refused(name):
        propose(vault, replace(vault.pins, **change))


def test_propose_refuses_a_verifier_without_code(vault: VaultSetup):
    """An account that holds ether has the code hash of nothing, and a call to it succeeds."""
    with refused("VerifierCodeMismatch"):
        propose(vault, vault.model(verifier=vault.actors.bob))


def test_activate_refuses_a_verifier_whose_code_changed_while_pending(vault: VaultSetup):
    verifier = vault.create("ScriptedVerifier")
    pins = vault.model(verifier=verifier.address)
    propose(vault, pins)
    code = vault.rpc.call("eth_getCode", [verifier.address, "latest"])
    vault.rpc.call("anvil_setCode", [verifier.address, code + "00"])
    with refused("VerifierCodeMismatch"):
        vault.transact(vault.actors.owner, vault.registry, "activate", pins.model_id(), at=vault.now() + DELAY)


def test_an_expired_model_cannot_be_activated_and_waits_again_when_proposed_again(vault: VaultSetup):
    pins = successor(vault)
    propose(vault, pins)
    last = vault.registry.call("activatableAt", pins.model_id()) + vault.registry.call("ACTIVATION_SECONDS")
    vault.devnet.mine(last)
    with refused("ProposalExpired"):
        vault.transact(vault.actors.owner, vault.registry, "activate", pins.model_id(), at=last + 1)
    propose(vault, pins)
    assert vault.registry.call("activatableAt", pins.model_id()) == vault.now() + DELAY


def test_registry_refuses_no_delay_and_one_over_90_days(vault: VaultSetup):
    with refused("DelayZero"):
        vault.create("ModelRegistry", vault.actors.owner, 0, vault.actors.guardian)
    vault.create("ModelRegistry", vault.actors.owner, 90 * 86_400, vault.actors.guardian)
    with refused("DelayTooLong"):
        vault.create("ModelRegistry", vault.actors.owner, 90 * 86_400 + 1, vault.actors.guardian)


def test_the_weights_of_a_real_artefact_are_revealed_and_others_are_not(vault: VaultSetup, circuit, rotated_circuit):
    """What stands in the log afterwards suffices to rebuild the model's commitments."""
    manifest = ArtefactManifest.load(circuit.folder)
    pins = replace(vault.pins, bundle_hash=manifest.bundle_hash())
    propose(vault, pins)
    weights = (circuit.folder / "weights.safetensors").read_bytes()
    others = (rotated_circuit.folder / "weights.safetensors").read_bytes()
    asked = (pins.model_id(), manifest.bundle())
    with refused("WeightsMismatch"):
        vault.transact(vault.actors.bob, vault.registry, "reveal", *asked, others)
    with refused("BundleMismatch"):
        vault.transact(vault.actors.bob, vault.registry, "reveal", pins.model_id(), manifest.bundle()[:-1], weights)
    receipt = vault.transact(vault.actors.bob, vault.registry, "reveal", *asked, weights)
    assert vault.events(receipt, vault.registry)["WeightsRevealed"] == {
        "modelId": pins.model_id(), "bundle": manifest.bundle(), "weights": weights,
    }  # fmt: skip
