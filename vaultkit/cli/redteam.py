"""``vaultkit redteam``: what it costs to move the model's decision through its pool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultkit.cli.endpoint import RpcOption
from vaultkit.cli.history import StoreOption
from vaultkit.cli.output import JsonFlag, emit_rows, stderr, stdout
from vaultkit.cli.wallet import BookOption

if TYPE_CHECKING:
    from vaultkit.book import AddressBook, PoolBook
    from vaultkit.protocols import Rpc
    from vaultkit.strategy.redteam import Attack, Redteam
    from vaultkit.trade import Policy

BlockSecondsOption = Annotated[
    int, typer.Option("--attack-block-seconds", help="Seconds that one block's price stands.")
]
StepOption = Annotated[float, typer.Option("--step", help="Share of the vault by which the target must move.")]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("redteam")(redteam_command)


def redteam_command(
    artefact: Annotated[Path | None, typer.Option(help="Artefact folder; the deployed vault's where left out.")] = None,
    rpc: RpcOption = None,
    book: BookOption = None,
    store: StoreOption = None,
    epochs: Annotated[int, typer.Option(help="Newest recorded epochs to attack.")] = 24,
    step: StepOption = 0.1,
    block_seconds: BlockSecondsOption = 12,
    as_json: JsonFlag = False,
) -> None:
    """Find the cheapest manipulation of the pool that flips the decision or moves the target by a step, in money.

    What is found bounds the true minimum from above.
    """
    from vaultkit.book import AddressBook
    from vaultkit.chain.rpc import connect
    from vaultkit.cli.endpoint import market_url
    from vaultkit.errors import SettingsError
    from vaultkit.settings import build_dir
    from vaultkit.vault.client import VaultClient
    from vaultkit.vault.terms import DEFAULT_POLICY

    addresses = AddressBook.load(book or build_dir() / "devnet" / "book.json")
    if artefact is None:
        if addresses.vault is None:
            raise SettingsError("there is no deployed vault to attack", next_step="Give --artefact FOLDER")
        artefact = Path(addresses.vault.artefact)
    endpoint = connect(rpc or market_url(), addresses.chain_id)
    policy = VaultClient.checked(endpoint, addresses).policy() if addresses.vault else DEFAULT_POLICY
    found = attack_recorded(
        endpoint, addresses, artefact, policy, store=store, epochs=epochs, step=step, block_seconds=block_seconds
    )
    described = describe(found, addresses.pool)
    if as_json:
        print(json.dumps(described))
        return
    _print(described)


def attack_recorded(
    rpc: Rpc,
    book: AddressBook,
    artefact: Path,
    policy: Policy,
    *,
    store: Path | None,
    epochs: int,
    step: float,
    block_seconds: int,
) -> Redteam:
    """Return the red team's report on the newest recorded epochs, with progress on standard error."""
    from vaultkit.coprocessor.bars import TickSeries
    from vaultkit.settings import project_root
    from vaultkit.strategy.redteam_artefact import redteam_artefact
    from vaultkit.units import to_units

    with stderr.status("Reading recorded epochs") as status:
        return redteam_artefact(
            rpc,
            book,
            artefact,
            TickSeries.from_store(store or project_root() / "data" / "local"),
            policy=policy,
            epochs=epochs,
            block_seconds=block_seconds,
            step_wad=to_units(step, 18),
            progress=lambda epoch: status.update(f"Attacked epoch {epoch}"),
        )


def describe(found: Redteam, pool: PoolBook) -> dict[str, Any]:
    """Return the report as JSON values; money as decimal strings in the asset."""
    from vaultkit.strategy.redteam import BOUND, GOALS
    from vaultkit.units import from_units

    def money(units: int | None) -> str | None:
        return None if units is None else f"{from_units(units, pool.asset_decimals):f}"

    def attack(one: Attack) -> dict[str, Any]:
        return {
            "goal": one.goal,
            "way": one.way.name,
            "blocks_a_bar": one.way.blocks,
            "levels": list(one.levels),
            "peaks": list(one.peaks),
            "cost": money(one.cost),
            "capital": money(one.capital),
            "target": one.target_wad / 1e18,
        }

    return {
        "asset": pool.asset_symbol,
        "step": found.step_wad / 1e18,
        "epochs_attacked": len(found.epochs),
        "bound": BOUND,
        "distribution": [
            {
                "goal": goal,
                "way": way or "any",
                "epochs_reached": len(found.costs(goal, way)),
                **{name: money(found.quantile(goal, share, way)) for name, share in _SHARES.items()},
            }
            for goal in GOALS
            for way in (None, *found.ways)
        ],
        "epochs": [
            {
                "epoch": one.epoch,
                "weight_before": one.weight_before_wad / 1e18,
                "target": one.target_wad / 1e18,
                "attacks": [attack(each) for each in sorted(one.attacks, key=lambda each: each.cost)],
            }
            for one in found.epochs
        ],
    }


_SHARES = {"least": 0.0, "p5": 0.05, "median": 0.5, "most": 1.0}


def _print(found: dict[str, Any]) -> None:
    def text(value: str | None) -> str:
        return "none found" if value is None else f"{float(value):,.0f}"

    count = found["epochs_attacked"]
    emit_rows(
        ("goal", "way", "epochs", *_SHARES),
        [
            (row["goal"], row["way"], f"{row['epochs_reached']}/{count}", *(text(row[name]) for name in _SHARES))
            for row in found["distribution"]
        ],
        as_json=False,
        title=f"Cost in {found['asset']} of moving the decision, over {count} recorded epochs",
    )
    best = [(float(attack["cost"]), epoch["epoch"], attack) for epoch in found["epochs"] for attack in epoch["attacks"]]
    for goal in ("step", "flip"):
        ranked = [one for one in best if one[2]["goal"] == goal]
        if ranked:
            _, epoch, attack = min(ranked, key=lambda one: one[0])
            stdout.print(
                f"The cheapest {goal}: in epoch {epoch}, {attack['way']}, {_course(attack)}, "
                f"{float(attack['cost']):,.0f} {found['asset']} lost of {float(attack['capital']):,.0f} moved, "
                f"target {attack['target']:.3f}.",
                highlight=False,
                soft_wrap=True,
            )
    stdout.print(found["bound"], highlight=False, soft_wrap=True)


def _course(attack: dict[str, Any]) -> str:
    """Return the displacement of every bar in words, oldest first; a peak after a stroke."""
    bars = zip(reversed(attack["levels"]), reversed(attack["peaks"]), strict=True)
    each = (f"{level:+d}" if peak == level else f"{level:+d}/{peak:+d}" for level, peak in bars)
    return f"ticks from the oldest bar on {' '.join(each)}"
