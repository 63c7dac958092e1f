"""``vaultkit keeper init``, ``doctor``, ``replay`` and ``economics``: before a keeper runs, and after."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from vaultkit.cli.output import JsonFlag, emit, emit_rows, stdout

ConfigOption = Annotated[Path, typer.Option(help="Configuration file.")]
JournalArgument = Annotated[Path, typer.Argument(help="Journal of a keeper.")]


def register(group: typer.Typer) -> None:
    """Add the verbs."""
    group.command("init")(init)
    group.command("doctor")(doctor)
    group.command("replay")(replay)
    group.command("economics")(economics)


def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("keeper.toml"), as_json: JsonFlag = False
) -> None:
    """Write a commented configuration file; one that exists is kept."""
    from vaultkit.errors import SettingsError
    from vaultkit.keeper.template import TEMPLATE

    try:
        with path.open("x") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise SettingsError("there is a file already", where=path.name, next_step="Name another one") from None
    except OSError as error:
        raise SettingsError("the file cannot be written", got=error.strerror, where=str(path)) from error
    emit(
        {"configuration": str(path), "next": f"edit it, then `vaultkit keeper doctor --config {path}`"}, as_json=as_json
    )


def doctor(config: ConfigOption = Path("keeper.toml"), as_json: JsonFlag = False) -> None:
    """Check everything that a keeper needs, without a signature; end with an error where something is missing."""
    from vaultkit.errors import SettingsError
    from vaultkit.keeper.config import load_config
    from vaultkit.keeper.doctor import examine
    from vaultkit.keeper.redact import Redactor

    settings = load_config(config)
    redactor = Redactor(*settings.secrets())
    found = [(name, ok, redactor.text(said)) for name, ok, said in examine(settings, _address(settings, redactor))]
    failed = [name for name, ok, _ in found if not ok]
    if as_json:
        checks = [{"check": name, "passed": ok, "found": said} for name, ok, said in found]
        print(json.dumps({"passed": not failed, "checks": checks}))
        raise typer.Exit(SettingsError.exit_code if failed else 0)
    rows = [(name, "yes" if ok else "NO", said) for name, ok, said in found]
    emit_rows(("check", "passed", "found"), rows, as_json=False)
    if failed:
        raise SettingsError("the keeper is not ready", got=", ".join(failed), where=config.name)


def replay(
    journal: JournalArgument,
    epoch: Annotated[int | None, typer.Option(help="Only this epoch.")] = None,
    artefact: Annotated[Path | None, typer.Option(help="Compute the model's outputs again from this folder.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make every journalled decision again, offline, and end with an error if one comes out differently."""
    from vaultkit.errors import AuditFailed
    from vaultkit.keeper.inference import emulated
    from vaultkit.keeper.replay import replay as decisions
    from vaultkit.manifest import ArtefactManifest

    outputs = None if artefact is None else emulated(artefact, ArtefactManifest.load(artefact))
    found = decisions(journal, epoch, outputs)
    different = [decision for decision in found if not decision.same]
    emit({"decisions": len(found), "same": len(found) - len(different)}, as_json=as_json)
    if different:
        first = different[0]
        raise AuditFailed("a decision came out differently", got=first.again, expected=first.action, where=first.seq)


def economics(
    journal: JournalArgument,
    reward_wei: Annotated[
        int | None,
        typer.Option(min=0, help="What an accepted epoch earns beside the vault's reward; [economics] where left out."),
    ] = None,
    machine_wei_an_hour: Annotated[
        int | None, typer.Option(min=0, help="Cost of the machine; [economics] where left out.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Configuration file whose [economics] counts.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show reward, gas and profit of every epoch, and where keeping breaks even."""
    from vaultkit.keeper.config import EconomicsTable, load_config
    from vaultkit.keeper.economics import economics_of

    table = EconomicsTable() if config is None else load_config(config).economics
    found = economics_of(
        journal,
        reward_wei=table.reward_wei if reward_wei is None else reward_wei,
        machine_wei_an_hour=table.machine_wei_an_hour if machine_wei_an_hour is None else machine_wei_an_hour,
    )
    totals = {
        "profit_wei": found.profit_wei,
        "break_even_reward_wei": found.break_even_reward_wei,
        "break_even_gas_price_wei": found.break_even_gas_price_wei,
    }
    if as_json:
        epochs = [{**asdict(epoch), "profit_wei": epoch.profit_wei} for epoch in found.epochs]
        print(json.dumps({**totals, "epochs": epochs}))
        return
    gwei: Callable[[int | None], str] = lambda wei: "none" if wei is None else f"{wei / 10**9:,.0f}"  # noqa: E731
    rows = Table(title="Gwei by epoch; paid by the vault in its asset's smallest units")
    rows.add_column("outcome", overflow="fold")
    for column in ("epoch", "paid", "reward", "gas used", "gas", "machine", "profit"):
        rows.add_column(column, justify="right", no_wrap=True)  # where it is narrow the outcome's words are broken
    for e in found.epochs:
        rows.add_row(
            *(e.reason, str(e.epoch), f"{e.reward:,}", gwei(e.reward_wei), f"{e.gas_used:,}", gwei(e.gas_wei)),
            *(gwei(e.machine_wei), gwei(e.profit_wei)),
        )
    stdout.print(rows)
    price = found.break_even_gas_price_wei
    words = {
        "profit, gwei": gwei(found.profit_wei),
        "break-even reward an accepted epoch, gwei": gwei(found.break_even_reward_wei),
        "break-even gas price, gwei": "none" if price is None else f"{price / 10**9:.6f}",
    }
    emit(words, as_json=False)


def _address(settings: Any, redactor: Any) -> Callable[[], str]:
    from vaultkit.cli.keeper_settings import signer_of

    return lambda: signer_of(settings, redactor).address
