"""The checks of one accepted epoch, each a comparison of what the chain says with what is recomputed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eth_utils.crypto import keccak

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, Event, load_abi
from vaultkit.errors import Reverted, RpcRefused
from vaultkit.statement import statement_hash, weight_wad
from vaultkit.tickmath import mean_tick, price_x128, price_x128_at_tick
from vaultkit.trade import Reason, TradePlan, limited_plan, risk_value
from vaultkit.units import Q128
from vaultkit.vault.audit_history import Balances, History, Log, PoolTicks, transaction_of
from vaultkit.vault.audit_marks import ShareMarks
from vaultkit.vault.audit_proof import ArtefactVerifier, ProofAuditor
from vaultkit.vault.audit_report import Check, EpochAudit, same
from vaultkit.vault.audit_state import StateReader
from vaultkit.vault.audit_terms import Constants, Safeguarded, events_of, model_of, source_spec

REMEMBERED: Final = (
    "What {} settled is valued at the mean price of the last trade before it, as the contract does while its pool "
    "cannot tell the present one: it could not, {}."
)


class Auditor:
    """Audits one epoch after the other over one verified history; ``models`` are those of the reported epochs."""

    def __init__(
        self,
        state: StateReader,
        book: AddressBook,
        vault: Constants,
        history: History,
        ticks: PoolTicks,
        artefacts: Sequence[ArtefactVerifier],
    ) -> None:
        assert book.vault is not None
        rpc = state.rpc
        self._rpc, self._book, self._vault, self._history = rpc, book, vault, history
        self._notes, self._venue = state.notes, Contract(rpc, book.vault.venue, load_abi("UniswapV3Venue"))
        self._ticks = ticks
        self._idle = Balances(history, book.pool.asset, book.vault.vault)
        self._risk = Balances(history, book.pool.risk, book.vault.vault)
        self._registry = Contract(rpc, book.vault.registry, load_abi("ModelRegistry"))
        self._guards = Safeguarded(history, vault)
        self._marks = ShareMarks(history, vault, self._value, self._mean_unread)
        self._proofs = ProofAuditor(state, vault.contract, artefacts)
        self.models: dict[int, dict[str, Any]] = {}
        self._previous = 0

    def skip(self, log: Log, event: Event) -> None:
        """Replay an epoch before the reported range, so that what it used up and settled is known."""
        model = model_of(self._registry, event.args["modelId"])
        self._replay(log, event.args, model, self._swapped(log, event.args["epoch"]))
        self._previous = event.args["epoch"]

    def epoch(self, log: Log, event: Event) -> EpochAudit:
        """Return every check of the epoch that a ``Rebalanced`` log speaks of.

        Raises
        ------
        VerificationError
            When its transaction does not stand under its header, or its model is not the registry's.
        """
        args = event.args
        transaction, receipt = transaction_of(self._rpc, self._history, log)
        model = self.models[log.block_number] = model_of(self._registry, args["modelId"])
        swapped = self._swapped(log, args["epoch"])
        expected, reward, settled = self._replay(log, args, model, swapped)
        proven = self._proofs.check(transaction, args, model, log.block_number)
        checks = [
            *proven.checks,
            *self._time_checks(log, args["epoch"]),
            self._active_check(log, args["modelId"]),
            *self._statement_checks(args, model),
            *self._price_checks(log, args),
            *_plan_checks(args, expected, swapped),
            *self._amount_checks(log, args["epoch"], swapped, reward),
            *settled,
        ]
        amounts: dict[str, Any] = (
            swapped.args if swapped else {"riskIn": False, "amountIn": 0, "amountOut": 0, "minOut": 0}
        )
        self._previous = args["epoch"]
        return EpochAudit(
            epoch=args["epoch"],
            block_number=log.block_number,
            timestamp=log.timestamp,
            transaction_hash=log.fields["transactionHash"],
            model_id=f"0x{args['modelId'].hex()}",
            beneficiary=args["beneficiary"],
            inputs=tuple(args["inputs"]),
            outputs=tuple(args["outputs"]),
            proof_bytes=len(proven.proof),
            proof_hash=f"0x{keccak(proven.proof).hex()}",
            proof_found_in=proven.where,
            commitments=f"0x{model['commitments'].hex()}",
            weight_before_wad=args["weightBeforeWad"],
            weight_target_wad=args["weightTargetWad"],
            reason=Reason(args["reason"]).name.lower(),
            mean_x128=args["twapX128"],
            spot_x128=args["spotX128"],
            risk_in=amounts["riskIn"],
            amount_in=amounts["amountIn"],
            amount_out=amounts["amountOut"],
            min_out=amounts["minOut"],
            reward=reward,
            gas_used=int(receipt["gasUsed"], 16),
            price_against_twap=_price_against(amounts, args["twapX128"]),
            proof_verified_by=proven.verified_by,
            checks=tuple(checks),
        )

    def _replay(
        self, log: Log, args: dict[str, Any], model: dict[str, Any], swapped: Event | None
    ) -> tuple[TradePlan, int, tuple[Check, ...]]:
        """Return the trade that had to be made, the reward paid, and the checks of what else was settled."""
        twap, spot = self._prices(log)
        idle, risk = self._holdings(log)
        nav, after = idle + risk_value(risk, twap), idle
        if swapped is not None:
            after += swapped.args["amountOut"] if swapped.args["riskIn"] else -swapped.args["amountIn"]
        before = self._guards.stopped(log)
        settled = self._marks.epoch(log, args["epoch"], nav, after, stopped=before)
        weight = weight_wad(args["outputs"][0], model["outputScale"])
        left = self._guards.left_wad(args["epoch"])
        found = limited_plan(
            idle, risk, twap, spot, weight, self._vault.fee_pips, self._vault.policy, left,
            stopped=before or settled.fell,
        )  # fmt: skip
        if swapped is not None:
            self._guards.count(swapped, twap, nav)
        return found, settled.reward, settled.checks

    def _value(self, log: Log, price_x128: int | None) -> int:
        """Return what the vault held just before a log, at a price or at the mean price of its block."""
        idle, risk = self._holdings(log)
        return idle + risk_value(risk, self._mean(log) if price_x128 is None else price_x128)

    def _mean_unread(self, log: Log) -> bool:
        """Return whether the venue could not tell a mean price in a log's block, and note on whose word."""
        try:
            self._venue.call("twapX128", block=log.block_number)
            return False
        except Reverted:
            shown = "by this node's word"
        except RpcRefused:
            shown = "but this node does not keep the state that would show it"
        self._notes.add(REMEMBERED.format(log.fields["transactionHash"], shown))
        return True

    def _swapped(self, log: Log, epoch: int) -> Event | None:
        found = [
            event
            for other, event in events_of(self._history, self._vault.contract, "Swapped")
            if other.fields["transactionHash"] == log.fields["transactionHash"] and event.args["epoch"] == epoch
        ]
        return found[0] if found else None

    def _time_checks(self, log: Log, epoch: int) -> list[Check]:
        age = log.timestamp - epoch * self._vault.period
        on_time = 0 <= age <= self._vault.max_age and epoch == log.timestamp // self._vault.period
        return [
            Check("time", on_time, f"{age} s after the end", f"0 to {self._vault.max_age} s"),
            Check("single use", epoch > self._previous, str(epoch), f"above {self._previous}"),
        ]

    def _active_check(self, log: Log, model_id: bytes) -> Check:
        """Compare the event's model with the one that the registry's verified logs left active."""
        active = bytes(32)
        for other in self._history.logs:
            if (other.block_number, other.log_index) > (log.block_number, log.log_index):
                break
            event = self._registry.decode_log(other.fields)
            if event is not None and event.name in ("ModelActivated", "ModelRetired"):
                active = event.args["modelId"] if event.name == "ModelActivated" else bytes(32)
        return same("active model", model_id.hex(), active.hex())

    def _statement_checks(self, args: dict[str, Any], model: dict[str, Any]) -> list[Check]:
        spec = source_spec(self._rpc, model["source"])
        points = spec.point_times(args["epoch"] * self._vault.period)
        inputs = spec.inputs([self._ticks.cumulative(time) for time in points])
        digest = statement_hash(
            self._book.chain_id,
            self._vault.contract.address,
            args["modelId"],
            args["epoch"],
            args["beneficiary"],
            inputs,
            args["outputs"],
        )
        return [
            same("window definition", spec.spec_hash().hex(), model["sourceSpecHash"].hex()),
            same("inputs", tuple(args["inputs"]), inputs),
            same("statement", args["statementHash"].hex(), digest.hex()),
        ]

    def _mean(self, log: Log) -> int:
        """Return the mean price in a log's block, from verified swaps."""
        now, span = log.timestamp, self._vault.twap_seconds
        tick = mean_tick(self._ticks.cumulative(now - span), self._ticks.cumulative(now), span)
        return price_x128_at_tick(tick, risk_is_token0=self._is_token0)

    def _prices(self, log: Log) -> tuple[int, int]:
        """Return mean and spot price just before a log, from verified swaps."""
        spot = self._ticks.sqrt_price_before(log.block_number, log.log_index)
        return self._mean(log), price_x128(spot, risk_is_token0=self._is_token0)

    @property
    def _is_token0(self) -> bool:
        return self._book.pool.risk_is_token0

    def _price_checks(self, log: Log, args: dict[str, Any]) -> list[Check]:
        twap, spot = self._prices(log)
        return [same("mean price", args["twapX128"], twap), same("spot price", args["spotX128"], spot)]

    def _holdings(self, log: Log) -> tuple[int, int]:
        """Return the vault's own balances of asset and risk token just before a log."""
        place, pool = (log.block_number, log.log_index), self._book.pool
        idle = self._idle.before(*place) - self._guards.owed(pool.asset, log)
        return idle, self._risk.before(*place) - self._guards.owed(pool.risk, log)

    def _amount_checks(self, log: Log, epoch: int, swapped: Event | None, reward: int) -> list[Check]:
        """Compare what the tokens' own events moved, from the epoch's first event to its last."""
        end, owed = self._guards.settled(log, epoch)
        start, after = (log.block_number, log.log_index), (end[0], end[1] + 1)
        idle, risk = (held.before(*after) - held.before(*start) for held in (self._idle, self._risk))
        moved = (idle + reward - owed, risk)
        if swapped is None:
            return [same("amounts", moved, (0, 0))]
        paid, got = -swapped.args["amountIn"], swapped.args["amountOut"]
        return [
            same("amounts", moved, (got, paid) if swapped.args["riskIn"] else (paid, got)),
            Check("least output", got >= swapped.args["minOut"], str(got), f"at least {swapped.args['minOut']}"),
        ]


def _plan_checks(args: dict[str, Any], expected: TradePlan, swapped: Event | None) -> list[Check]:
    weights = (args["weightBeforeWad"], args["weightTargetWad"])
    checks = [
        same("weight", weights, (expected.weight_before_wad, expected.weight_target_wad)),
        same("reason", Reason(args["reason"]).name, expected.reason.name),
    ]
    if (swapped is not None) != (expected.reason is Reason.TRADED):
        return [*checks, Check("trade", False, "swapped" if swapped else "no swap", expected.reason.name)]
    if swapped is not None:
        got = tuple(swapped.args[name] for name in ("riskIn", "amountIn", "minOut"))
        checks.append(same("trade", got, (expected.risk_in, expected.amount_in, expected.min_out)))
    return checks


def _price_against(amounts: dict[str, Any], twap_x128: int) -> float | None:
    """Return the executed price over the mean price, less one; positive is dearer risk."""
    if not amounts["amountOut"]:
        return None
    risk, asset = amounts["amountOut"], amounts["amountIn"]
    if amounts["riskIn"]:
        risk, asset = asset, risk
    return float(asset * Q128 / risk / twap_x128 - 1)
