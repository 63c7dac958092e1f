"""`run_demo`: the main job, step by step, on parts that a user would run one at a time."""

from __future__ import annotations

import time
from contextlib import ExitStack

from rich.console import Console

from vaultkit.chain.rpc import connect
from vaultkit.coprocessor.bars import TickSeries
from vaultkit.demo.figures import epochs_of
from vaultkit.demo.report import write_report
from vaultkit.demo.result import DemoResult
from vaultkit.demo.settings import DemoSettings
from vaultkit.lab.folders import Folders
from vaultkit.lab.learning import check_bars, compile_circuit, index_history, prepare_market, start_market, train
from vaultkit.lab.processes import MemoryWatch
from vaultkit.lab.series import series_of
from vaultkit.lab.stages import Stages
from vaultkit.lab.trading import DEPOSIT, check_all, deploy, deposit, keep
from vaultkit.strategy.loader import load_strategy
from vaultkit.vault.client import VaultClient


def run_demo(settings: DemoSettings, folders: Folders, console: Console) -> DemoResult:
    """Run every step and return its figures; ``build/demo.json`` and ``build/report/`` hold them afterwards.

    Raises
    ------
    VaultkitError
        As the steps say; every process that was started is stopped first, and a rerun works.
    """
    begun = time.monotonic()
    settings.require_prices()
    folders.run.mkdir(parents=True, exist_ok=True)
    strategy = load_strategy(settings.strategy)
    artefact = folders.build / "artefacts" / strategy.name()
    stages = Stages(console, 9)
    with ExitStack() as stack:
        memory = stack.enter_context(MemoryWatch())
        with stages.stage("Local market on real Uniswap V3") as stage:
            cache = prepare_market(settings.market, folders, stage)
            rpc_url = start_market(settings.speed, folders, stack)
        rpc = connect(rpc_url, cache.book.chain_id)
        with stages.stage("Index, every block verified") as stage:
            history = index_history(rpc, cache, folders, stage)
        with stages.stage("Bars against pool.observe") as stage:
            spec = strategy.window.spec(cache.book.pool.pool, 1 if cache.book.pool.risk_is_token0 else -1)
            history |= check_bars(rpc, TickSeries.from_store(folders.store), spec, cache, stage)
        with stages.stage(f"Train {strategy.name()}, purged walk forward") as stage:
            fitted, research = train(strategy, cache, folders, stage)
        with stages.stage("Quantize, compile, prove once") as stage:
            circuit = compile_circuit(fitted, artefact, folders, stage)
        with stages.stage("Compile and deploy through Ape") as stage:
            book, gas = deploy(rpc, rpc_url, cache, artefact, folders, stage)
        client = VaultClient(rpc, book)
        with stages.stage(f"Deposit; a keeper process keeps {settings.epochs} epochs") as stage:
            deposited = deposit(client, DEPOSIT, stage)
            kept = keep(rpc, rpc_url, settings.epochs, folders, stage)
        with stages.stage("Audit from chain data alone") as stage:
            report = check_all(rpc, book, artefact, stage)
            report.require_passed()
        with stages.stage("Report with plots") as stage:
            result = DemoResult(
                strategy=strategy.name(),
                price_path=cache.prices_label,
                market={
                    "days": settings.market.days,
                    "blocks": cache.block_number,
                    "chain_seconds_a_second": settings.speed,
                },
                index=history,
                research=research,
                circuit=circuit,
                deployment=gas,
                steps=stages.steps,
                epochs=epochs_of(report, kept, rpc, book),
                series=series_of(client, deposited, report.last_block),
                audit=report.verdict,
                peak_memory_mib=memory.peak_mib,
                seconds=round(time.monotonic() - begun, 1),
            )
            page = write_report(result, folders.build / "report")
            (folders.build / "demo.json").write_text(result.model_dump_json(indent=2) + "\n")
            stage.outcome = f"{page.parent.parent.name}/{page.parent.name}/{page.name}"
    return result
