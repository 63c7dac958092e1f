"""One real proof, tried again in every other place: refused, or there it says the same true thing.

A proof speaks of model, window, output and beneficiary only. Where those are equal (another vault, registry or chain on
the same window) its statement is true there too, and using it moves that vault to where its own model wants it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.contracts.test_real_proofs import Honest, honest, prove  # noqa: F401 - a fixture
from tests.fixtures.vault import PERIOD, VaultSetup
from vaultkit.errors import Reverted
from vaultkit.manifest import ArtefactManifest
from vaultkit.statement import statement_hash, weight_wad

OTHER_CHAIN = 8_453


def submit(case: Honest, epoch: int | None = None) -> dict:
    """Send the case's proof as it is to its vault; return the events."""
    outputs, evidence = list(case.proof.outputs), case.proof.proof
    receipt = case.vault.rebalance(case.epoch if epoch is None else epoch, 0, outputs=outputs, proof=evidence)
    return case.vault.events(receipt)


def refused(name: str):
    return pytest.raises(Reverted, match=name)


def funded(vault: VaultSetup) -> None:
    vault.deposit(vault.actors.alice, 50_000 * 10**6)


def under_quick_registry(vault: VaultSetup, **changes) -> None:
    """Put a registry of a second's delay, its gate, a model and an empty vault in the place of the present ones."""
    vault.registry = vault.create("ModelRegistry", vault.actors.owner, 1, vault.actors.guardian)
    vault.gate = vault.create("ZkGate", vault.registry.address)
    rotate(vault, gate=vault.gate.address, **changes)
    vault.redeploy()
    funded(vault)


def under_another_window(vault: VaultSetup, **changes) -> None:
    """The same with a source of another definition."""
    vault.spec = vault.spec.model_copy(update=changes)
    vault.source = vault.create("TickWindow", vault.spec_tuple(), vault.terms.max_age_seconds, 60)
    under_quick_registry(vault, source=vault.source.address, source_spec_hash=vault.spec.spec_hash())


def rotate(vault: VaultSetup, **changes) -> None:
    """Activate the present model with these changes."""
    vault.pins = replace(vault.pins, **changes)
    owner = vault.actors.owner
    vault.transact(owner, vault.registry, "propose", vault.pins.as_tuple())
    vault.transact(owner, vault.registry, "activate", vault.pins.model_id(), at=vault.now() + 1)


def commitments_of(circuit) -> bytes:
    manifest = ArtefactManifest.load(circuit.folder)
    return b"".join(bytes.fromhex(one.removeprefix("0x")) for one in manifest.commitments)


@pytest.fixture
def other_chain(honest: Honest) -> Iterator[int]:  # noqa: F811
    rpc = honest.vault.rpc
    own = int(rpc.call("eth_chainId"), 16)
    keeper = honest.vault.actors.keeper
    rpc.call("anvil_setChainId", [OTHER_CHAIN])
    with honest.vault.impersonated(keeper):  # the node's own keys sign for its first chain only
        yield own
    rpc.call("anvil_setChainId", [own])


# -- vault


def test_replay_in_the_same_vault_and_epoch_is_refused(honest: Honest):  # noqa: F811
    assert submit(honest)["Rebalanced"]["epoch"] == honest.epoch
    with refused("EpochUsed"):
        submit(honest)


def test_replay_in_another_vault_of_the_same_model_is_the_same_true_statement(honest: Honest):  # noqa: F811
    first = submit(honest)["Rebalanced"]
    honest.vault.redeploy()
    funded(honest.vault)
    second = submit(honest)["Rebalanced"]
    assert second["inputs"] == first["inputs"] and second["outputs"] == first["outputs"]
    assert second["statementHash"] != first["statementHash"]
    with refused("EpochUsed"):
        submit(honest)


def test_replay_in_a_vault_of_another_registry_with_the_model_is_the_same_true_statement(honest: Honest):  # noqa: F811
    own = honest.vault.pins.model_id()
    under_quick_registry(honest.vault)
    assert submit(honest)["Rebalanced"]["modelId"] == honest.vault.pins.model_id() != own


@pytest.mark.parametrize(
    "changes", [{"count": 15}, {"bar_seconds": 240}, {"clip": 1}, {"sign": 1}], ids=["count", "bar", "clip", "sign"]
)
def test_replay_in_a_vault_whose_model_has_another_window_is_refused(honest: Honest, changes):  # noqa: F811
    under_another_window(honest.vault, **changes)
    with refused("ProofRefused"):
        submit(honest)


def test_replay_under_another_window_of_equal_integers_is_the_same_true_statement(honest: Honest):  # noqa: F811
    """A proof speaks of integers: a definition that gives the same ones from this pool is the same to it."""
    clip = honest.vault.spec.clip - 1
    assert max(map(abs, honest.proof.inputs)) < clip
    under_another_window(honest.vault, clip=clip)
    assert submit(honest)["Rebalanced"]["inputs"] == honest.proof.inputs


def test_replay_under_a_model_of_another_output_scale_is_the_same_true_statement_read_otherwise(
    honest: Honest,  # noqa: F811
):
    """What an output means is the model's own, which governance activates after its delay and deployment checks."""
    scale = honest.vault.pins.output_scale
    before = weight_wad(honest.proof.outputs[0], scale)
    under_quick_registry(honest.vault, output_scale=scale + 1)
    assert submit(honest)["Rebalanced"]["weightTargetWad"] == before // 2


def test_replay_under_a_model_of_a_smaller_output_bound_is_refused(honest: Honest):  # noqa: F811
    under_quick_registry(honest.vault, output_bound=abs(honest.proof.outputs[0]) - 1)
    with refused("OutputOutOfRange"):
        submit(honest)


# -- chain


def test_replay_on_another_chain_is_the_same_true_statement_under_another_hash(honest: Honest, other_chain):  # noqa: F811
    said = submit(honest)["Rebalanced"]
    parts = (honest.vault.vault.address, said["modelId"], said["epoch"], said["beneficiary"], said["inputs"])
    hashes = [statement_hash(chain, *parts, said["outputs"]) for chain in (OTHER_CHAIN, other_chain)]
    assert said["statementHash"] == hashes[0] != hashes[1]


# -- epoch


def test_replay_in_the_next_epoch_is_refused_for_its_window(honest: Honest):  # noqa: F811
    submit(honest)
    honest.vault.trade(buy_risk=True, amount=400_000 * 10**6, at=(honest.epoch + 1) * PERIOD - 4_900)
    later = honest.vault.close_epoch()
    assert honest.vault.inputs(later) != honest.proof.inputs
    with refused("ProofRefused"):
        submit(honest, later)
    with refused("EpochNotLatest"):
        submit(honest)


def test_replay_in_an_epoch_of_an_equal_window_is_the_same_true_statement(honest: Honest, circuit, prover):  # noqa: F811
    """Nobody trades for two epochs: both windows are zeros, and one proof says what the model wants of zeros."""
    vault = honest.vault
    quiet = vault.now() // PERIOD + 2
    vault.devnet.mine(quiet * PERIOD + 30)
    proof = prove(prover, circuit, vault.inputs(quiet), vault.actors.keeper)
    case = Honest(vault, honest.verifier, quiet, proof, honest.head)
    first = submit(case)["Rebalanced"]
    vault.devnet.mine((quiet + 1) * PERIOD + 30)
    assert vault.inputs(quiet + 1) == proof.inputs
    assert submit(case, quiet + 1)["Rebalanced"]["statementHash"] != first["statementHash"]


# -- model and rotation


@pytest.fixture
def quick(honest: Honest) -> Honest:  # noqa: F811
    """The honest case under a registry without delay, so that models change within the epoch."""
    under_quick_registry(honest.vault)
    return honest


def test_replay_under_other_weights_of_the_same_key_is_refused_and_theirs_accepted(
    quick: Honest, rotated_circuit, prover
):
    vault, own = quick.vault, quick.vault.pins.commitments
    rotate(vault, commitments=commitments_of(rotated_circuit))
    with refused("CommitmentsMismatch"):
        submit(quick)
    other = replace(quick, proof=prove(prover, rotated_circuit, quick.proof.inputs, quick.proof.beneficiary))
    snapshot = vault.devnet.snapshot()
    submit(other)
    vault.devnet.revert(snapshot)
    rotate(vault, commitments=own, bundle_hash=b"\x03" * 32)
    with refused("CommitmentsMismatch"):
        submit(other)
    submit(quick)


def test_a_proof_of_a_pending_model_is_refused_until_it_is_active(quick: Honest, rotated_circuit, prover):
    vault = quick.vault
    pins = replace(vault.pins, commitments=commitments_of(rotated_circuit))
    vault.transact(vault.actors.owner, vault.registry, "propose", pins.as_tuple())
    other = replace(quick, proof=prove(prover, rotated_circuit, quick.proof.inputs, quick.proof.beneficiary))
    with refused("CommitmentsMismatch"):
        submit(other)
    vault.transact(vault.actors.owner, vault.registry, "activate", pins.model_id())
    submit(other)


def test_replay_after_the_model_retired_is_refused(quick: Honest):
    vault = quick.vault
    vault.transact(vault.actors.owner, vault.registry, "retire", vault.pins.model_id())
    with refused("NoActiveModel"):
        submit(quick)


# -- reorganization


def test_replay_after_a_reorganization_that_kept_the_window_is_the_same_true_statement(honest: Honest):  # noqa: F811
    vault = honest.vault
    snapshot = vault.devnet.snapshot()
    first = submit(honest)["Rebalanced"]
    vault.devnet.revert(snapshot)
    assert vault.vault.call("lastEpoch") < honest.epoch
    vault.trade(buy_risk=True, amount=10**9)
    second = submit(honest)["Rebalanced"]
    assert second["statementHash"] == first["statementHash"]


def test_replay_after_a_reorganization_that_changed_the_window_is_refused(honest: Honest, circuit, prover):  # noqa: F811
    """The other branch has one swap more within the window."""
    vault = honest.vault
    epoch = vault.now() // PERIOD + 1
    snapshot = vault.devnet.snapshot()
    assert vault.close_epoch() == epoch
    case = replace(honest, epoch=epoch, proof=prove(prover, circuit, vault.inputs(epoch), vault.actors.keeper))
    again = vault.devnet.snapshot()
    submit(case)
    vault.devnet.revert(again)
    vault.devnet.revert(snapshot)
    vault.trade(buy_risk=True, amount=400_000 * 10**6, at=epoch * PERIOD - 4_900)
    vault.close_epoch()
    assert vault.inputs(epoch) != case.proof.inputs
    with refused("ProofRefused"):
        submit(case)
