"""What ``vaultkit deploy`` tries beyond a vault's own checks: scales, fidelity, one proof, what an attack costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from vaultkit.cli.output import stderr

if TYPE_CHECKING:
    from rich.status import Status

    from vaultkit.vault.deploy import Prepared

Guard = Callable[["Prepared"], None]


def hold(prepared: Prepared, guards: Iterable[Guard], status: Status) -> None:
    """Run guards, which show what they do themselves; what one raises stops the deployment."""
    status.stop()
    for guard in guards:
        guard(prepared)
    status.start()


def meant(prepared: Prepared) -> None:
    """Refuse a manifest that reads the circuit's numbers otherwise than its model says."""
    from vaultkit.circuits.meaning import require_meaning

    with stderr.status("Holding the manifest against its model"):
        require_meaning(prepared.artefact, prepared.manifest)


def faithful(max_disagreement: float, max_pnl_difference: float) -> Guard:
    """Return a guard that refuses a circuit whose report says that it decides too differently from its model."""
    from vaultkit.strategy.compile import check_limits, require_faithful

    check_limits(max_disagreement, max_pnl_difference)

    def check(prepared: Prepared) -> None:
        found = prepared.manifest
        require_faithful(found.fidelity, found.strategy, max_disagreement, max_pnl_difference)

    return check


def rehearsed(prepared: Prepared) -> None:
    """Refuse an artefact whose weights, commitments and verifier do not make one proof."""
    from vaultkit.strategy.rehearse import rehearse
    from vaultkit.vault.compile import load_artifact

    with stderr.status("Making one proof and asking the verifier"):
        code = load_artifact(prepared.verifier)["deployedBytecode"]
        rehearse(prepared.rpc, prepared.book.chain_id, prepared.artefact, code)


def remade(prepared: Prepared) -> None:
    """Refuse, off local chains, an artefact whose verifier is not what its model, settings and string give."""
    from vaultkit.settings import LOCAL_CHAIN_IDS

    if prepared.book.chain_id in LOCAL_CHAIN_IDS:
        return
    from vaultkit.circuits.rebuild import rebuild

    with stderr.status("Making keys and verifier again"):
        rebuild(prepared.artefact).require_equal(prepared.artefact.name)


def attacked(cost: str, decimals: int, step: float, block_seconds: int, store: Path | None) -> Guard:
    """Return a guard that refuses a model that is flipped or moved by ``step`` for less than ``cost`` in the asset."""
    from vaultkit.errors import SettingsError
    from vaultkit.units import to_units

    option = "--min-manipulation-cost"
    least = to_units(cost, decimals, option)
    if least <= 0:
        raise SettingsError(
            "a least cost of manipulation would refuse nothing",
            got=cost,
            expected="above 0",
            where=option,
            next_step="Leave it out to deploy whatever an attack costs",
        )

    def check(prepared: Prepared) -> None:
        from vaultkit.cli.redteam import attack_recorded
        from vaultkit.strategy.redteam_artefact import require_cost

        found = attack_recorded(
            prepared.rpc,
            prepared.book,
            prepared.artefact,
            prepared.terms.policy,
            store=store,
            epochs=24,
            step=step,
            block_seconds=block_seconds,
        )
        require_cost(found, least, prepared.book)

    return check
