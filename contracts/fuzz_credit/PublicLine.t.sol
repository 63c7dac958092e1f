// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {CreditFeatures} from "../credit/CreditFeatures.sol";
import {ICreditLine, Score} from "../interfaces/ICreditLine.sol";
import {IInputSource} from "../interfaces/IInputSource.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {History, IPublicCreditLine} from "../interfaces/IPublicCreditLine.sol";
import {ZkGate} from "../ZkGate.sol";
import {PublicRig} from "./PublicRig.sol";

/// @title What a public line counts, and whose scores it accepts
contract PublicLineTest is PublicRig {
    // -- what is counted

    function test_a_life_of_a_loan_is_counted() external {
        uint256 begun = block.timestamp;
        post(BOB, 10e18);
        proveOpen(BOB, BEST);
        borrow(BOB, 8_000e6);
        vm.warp(begun + 10 * DAY);
        repay(BOB, 2_000e6);
        vm.warp(begun + 20 * DAY);
        History memory h = open.historyOf(BOB);
        isTrue(h.firstEvent == begun && h.lastEvent == begun + 10 * DAY, "first and last");
        isTrue(h.lastRepay == begun + 10 * DAY && h.spellBegin == begun + 600, "repaid and begun");
        isTrue(h.supplyCount == 1 && h.borrowCount == 1 && h.repayCount == 1 && h.withdrawCount == 0, "counts");
        isTrue(h.activeDays == 2 && h.liquidationCount == 0, "days");
        isTrue(h.borrowed == 8_000e8 && h.repaid == 2_000e8 && h.liquidated == 0, "volumes");
        // Debt is what it was after the loan, until the next event; it rounds up by a unit of the asset, a hundred of the dollar's.
        eq(h.debtSeconds, (8_000e8 + 100) * (10 * DAY - 600), "debt times seconds, what interest adds since left out");
        bytes32 c = open.featuresOf(BOB);
        eq(code(c, 0), 5, "twenty days old");
        eq(code(c, 1), 5, "ten days idle");
        eq(code(c, 2), 2, "two days active");
        eq(code(c, 7), 8 * 12, "borrowed 2**12 to 2**13 dollars");
        eq(code(c, 8), 8 * 10, "repaid 2**10 to 2**11");
        eq(code(c, 9), 31, "repaid a quarter, in 127ths");
        eq(code(c, 11), 9, "open since 19.99 days");
        eq(code(c, 12), 5, "ten days since the last repayment");
        eq(code(c, 13), 8 * 14, "collateral of 30,000 dollars");
        eq(code(c, 14), 8 * 12, "debt of 6,000 dollars");
        eq(code(c, 15), 42, "6,013 of 18,000 dollars, in 127ths");
    }

    function test_a_liquidation_is_counted_and_ends_the_score() external {
        post(BOB, 10e18);
        proveOpen(BOB, BEST);
        borrow(BOB, 23_900e6);
        oracle.set(address(held), 2_800e8);
        (uint256 repaid,) = liquidate(BOB, 5_000e6);
        History memory h = open.historyOf(BOB);
        isTrue(h.liquidationCount == 1 && h.liquidated == repaid * 100 && h.repayCount == 0, "counted");
        isTrue(open.scoreOf(BOB).modelId == 0, "ended");
        eq(code(open.featuresOf(BOB), 16), 16, "as a feature");
    }

    function test_a_stranger_repays_and_the_borrower_is_counted() external {
        post(BOB, 10e18);
        proveOpen(BOB, BEST);
        borrow(BOB, 1_000e6);
        asset.mint(CAROL, 100e6);
        vm.startPrank(CAROL);
        asset.approve(address(line), type(uint256).max);
        line.repay(BOB, 100e6);
        vm.stopPrank();
        isTrue(open.historyOf(BOB).repayCount == 1 && open.historyOf(CAROL).repayCount == 0, "the borrower's");
    }

    function test_counting_needs_no_price() external {
        post(BOB, 10e18);
        proveOpen(BOB, BEST);
        borrow(BOB, 1_000e6);
        oracle.kill(true);
        post(BOB, 1e18);
        repay(BOB, 2_000e6);
        vm.prank(BOB);
        line.removeCollateral(11e18, BOB);
        History memory h = open.historyOf(BOB);
        isTrue(h.supplyCount == 2 && h.repayCount == 1 && h.withdrawCount == 1 && h.lastDebt == 0, "counted");
    }

    function test_dust_is_no_debt_and_a_new_loan_begins_a_new_spell() external {
        post(BOB, 10e18);
        proveOpen(BOB, BEST);
        borrow(BOB, 1_000e6);
        vm.warp(block.timestamp + DAY);
        repay(BOB, line.debtOf(BOB) - 0.999e6);
        eq(open.historyOf(BOB).lastDebt, 0, "a dollar is none");
        vm.warp(block.timestamp + 5 * DAY);
        eq(code(open.featuresOf(BOB), 11), 0, "interest alone opens no spell");
        uint256 seconds_ = open.historyOf(BOB).debtSeconds;
        borrow(BOB, 1_000e6);
        History memory h = open.historyOf(BOB);
        isTrue(h.spellBegin == block.timestamp && h.debtSeconds == seconds_, "begun anew");
    }

    // -- snapshots and scores

    function test_the_line_builds_the_instances_itself() external {
        post(BOB, 10e18);
        vm.warp(block.timestamp + 20 * DAY);
        vm.recordLogs();
        bytes32 codes = open.takeSnapshot(BOB);
        isTrue(keccak256(vm.getRecordedLogs()[0].data) == keccak256(abi.encode(block.timestamp, codes)), "logged");
        (uint256 takenAt, bytes32 kept) = open.snapshotOf(BOB);
        isTrue(takenAt == block.timestamp && kept == codes, "kept");
        eq(open.historyOf(BOB).spellBegin, 0, "no debt yet");
        isTrue(codes == open.featuresOf(BOB) && code(codes, 0) == 5 && code(codes, 3) == 1, "what the line says of the borrower now");
        allowOpen(BOB, codes, BEST);
        vm.warp(block.timestamp + 60);
        vm.prank(KEEPER);
        open.proveScore(BOB, BEST, proofBytes());
        Score memory s = line.scoreOf(BOB);
        isTrue(s.asOf == takenAt && s.tier == 0 && s.modelId == modelId, "as of the snapshot");
    }

    function test_forged_features_are_refused() external {
        post(BOB, 10e18);
        vm.warp(block.timestamp + 1);
        bytes32 codes = open.takeSnapshot(BOB);
        for (uint256 i = 0; i < 18; i++) {
            uint256 snapshot = vm.snapshotState();
            allowOpen(BOB, codes ^ bytes32(uint256(1) << (8 * (31 - i))), BEST);
            refuses(ZkGate.ProofRefused.selector);
            open.proveScore(BOB, BEST, proofBytes());
            vm.revertToState(snapshot);
        }
    }

    function test_another_wallets_proof_is_refused() external {
        post(BOB, 10e18);
        post(CAROL, 10e18);
        vm.warp(block.timestamp + 1);
        bytes32 codes = open.takeSnapshot(BOB);
        isTrue(open.takeSnapshot(CAROL) == codes, "the same features");
        allowOpen(BOB, codes, BEST);
        refuses(ZkGate.ProofRefused.selector);
        open.proveScore(CAROL, BEST, proofBytes());
    }

    function test_without_a_snapshot_there_is_no_score() external {
        vm.expectRevert(abi.encodeWithSelector(IPublicCreditLine.SnapshotMissing.selector, BOB));
        open.proveScore(BOB, BEST, proofBytes());
    }

    function test_a_snapshot_scores_once_and_not_when_stale() external {
        proveOpen(BOB, BEST);
        (uint256 takenAt, bytes32 codes) = open.snapshotOf(BOB);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreNotFresher.selector, takenAt, takenAt));
        open.proveScore(BOB, BEST, proofBytes());
        vm.warp(block.timestamp + 600);
        codes = open.takeSnapshot(BOB);
        allowOpen(BOB, codes, BEST);
        takenAt = block.timestamp;
        vm.warp(takenAt + AGE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreStale.selector, takenAt, takenAt + AGE + 1));
        open.proveScore(BOB, BEST, proofBytes());
        vm.warp(takenAt + AGE);
        open.proveScore(BOB, BEST, proofBytes());
    }

    function test_a_prover_has_ten_minutes_for_a_snapshot() external {
        open.takeSnapshot(BOB);
        uint256 takenAt = block.timestamp;
        vm.warp(takenAt + 599);
        vm.expectRevert(abi.encodeWithSelector(IPublicCreditLine.SnapshotTooSoon.selector, takenAt, takenAt + 599));
        open.takeSnapshot(BOB);
        vm.warp(takenAt + 600);
        open.takeSnapshot(BOB);
    }

    /// @dev Collateral lent for a transaction would lower utilization for as long as that.
    function test_what_was_brought_in_this_block_does_not_count_yet() external {
        post(BOB, 10e18);
        vm.expectRevert(abi.encodeWithSelector(IPublicCreditLine.SnapshotUnsettled.selector, block.timestamp));
        open.takeSnapshot(BOB);
        vm.warp(block.timestamp + 1);
        open.takeSnapshot(BOB);
    }

    function test_anybody_shows_a_worse_score_of_a_borrower() external {
        post(BOB, 10e18);
        proveOpen(BOB, BEST);
        borrow(BOB, 1_000e6);
        proveOpen(BOB, WORST + 1);
        refuses(ICreditLine.ScoreTooRisky.selector);
        vm.prank(BOB);
        line.borrow(1e6, BOB);
    }

    function test_a_model_of_other_features_is_refused() external {
        open.takeSnapshot(BOB);
        string memory other = "idle_days linear 0.5";
        spec = IInputSource(deployed("FeatureSpec", abi.encode(other, 18, 255)));
        activate(model("other"));
        vm.expectRevert(
            abi.encodeWithSelector(
                IModelRegistry.SourceSpecMismatch.selector,
                spec,
                keccak256(abi.encode(other, 18, 255)),
                keccak256(abi.encode(CreditFeatures.DEFINITION, 18, 255))
            )
        );
        open.proveScore(BOB, BEST, proofBytes());
    }
}
