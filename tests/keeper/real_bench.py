"""`RealBench`: a keeper on the real contracts with a real circuit, whose every step a program can take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from tests.fixtures.circuit import Circuit
from tests.fixtures.keeper import KeeperBench
from tests.fixtures.vault import PERIOD, VaultSetup
from vaultkit.chain.abi import Contract
from vaultkit.keeper.inference import emulated
from vaultkit.keeper.keeper import Keeper
from vaultkit.keeper.provers import verified
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Proof, Prover, Rpc
from vaultkit.units import WAD
from vaultkit.vault.compile import compile_contracts
from vaultkit.vault.terms import Safeguards

MEAN_TICK_USD = 3_000
DEPOSIT = 1_000_000 * 10**6


def obey(setup: VaultSetup, circuit: Circuit) -> ArtefactManifest:
    """Put the circuit's verifier and model in the place of the scripted ones, and a funded vault without a stop."""
    manifest = ArtefactManifest.load(circuit.folder)
    name = f"Verifier_{manifest.files['Verifier.sol'][:12]}"
    compile_contracts({name: circuit.folder / "Verifier.sol"})
    setup.verifier = setup.create(name)
    setup.pins = setup.model(
        verifier=setup.verifier.address,
        commitments=b"".join(bytes.fromhex(one.removeprefix("0x")) for one in manifest.commitments),
        output_scale=manifest.output_scale,
        output_bound=manifest.output_bound,
        bundle_hash=manifest.bundle_hash(),
    )
    setup.activate(setup.pins)
    # Random trading loses money over hundreds of epochs: these runs are about epochs, not about value.
    setup.redeploy(safeguards=Safeguards(outage_epochs=0, turnover_wad=1_000 * WAD, drawdown_wad=0))
    setup.deposit(setup.actors.alice, DEPOSIT)
    for actor in (setup.actors.trader,):
        setup.transact(actor, setup.asset, "mint", actor, 10**9 * 10**6)
    return manifest


def trade_and_close(setup: VaultSetup, dice: Random) -> int:
    """Trade at random within the next epoch's window, mine a block half a minute after its end, and return it."""
    epoch = setup.now() // PERIOD + 1
    pool_usd = _price(setup.pool, risk_is_token0=setup.book.pool.sign > 0)
    for seconds in (4_700, 3_500, 2_300, 1_100):
        if epoch * PERIOD - seconds > setup.now():
            dollars = dice.randrange(20_000, 300_000)
            buys = dice.random() < (0.75 if pool_usd < MEAN_TICK_USD else 0.25)
            amount = dollars * 10**6 if buys else dollars * 10**18 // MEAN_TICK_USD
            setup.trade(buy_risk=buys, amount=amount, at=epoch * PERIOD - seconds)
    setup.devnet.mine(epoch * PERIOD + 30)
    return epoch


def _price(pool: Contract, *, risk_is_token0: bool) -> float:
    ratio = float(1.0001 ** pool.call("slot0")[1]) * 10**12
    return ratio if risk_is_token0 else 10**24 / ratio


class RealBench(KeeperBench):
    """A `KeeperBench` whose keepers emulate, prove and verify with a circuit."""

    def __init__(self, setup: VaultSetup, circuit: Circuit, folder: Path) -> None:
        manifest = obey(setup, circuit)
        super().__init__(setup, folder)
        self.artefact = circuit.folder
        self._outputs = emulated(circuit.folder, manifest)

    def keeper(
        self,
        prover: Callable[[], Prover] | None = None,
        rpc: Rpc | None = None,
        verify: Callable[[Proof], None] | None = None,
        **limits: Any,
    ) -> Keeper:
        """Return a keeper whose proofs are real."""
        from vaultkit.circuits.prover import LocalProver

        check = verify or (lambda proof: verified(self.artefact, proof))
        made = super().keeper(prover or (lambda: LocalProver(chain_id=31_337)), rpc, check, **limits)
        made.parts = replace(made.parts, outputs=self._outputs, artefact=self.artefact)
        return made
