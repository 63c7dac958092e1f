// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {CreditFeatures} from "../credit/CreditFeatures.sol";
import {ICreditLine, Score} from "../interfaces/ICreditLine.sol";
import {BlockHeader, LogProof, ProvenLog} from "../interfaces/IInputAnchor.sol";
import {IInputSource} from "../interfaces/IInputSource.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IPrivateCreditLine} from "../interfaces/IPrivateCreditLine.sol";
import {History, IPublicCreditLine} from "../interfaces/IPublicCreditLine.sol";
import {ZkGate} from "../ZkGate.sol";
import {CreditRig} from "./CreditRig.sol";

/// @title An anchor that has seen one log
contract ScriptedAnchor {
    uint256 private _number;
    ProvenLog private _log;

    function show(uint256 number, address emitter, bytes32[] memory topics, bytes memory data) external {
        _number = number;
        _log = ProvenLog(emitter, topics, data);
    }

    function verifyLog(LogProof calldata) external view returns (BlockHeader memory header, ProvenLog memory) {
        header.number = _number;
        return (header, _log);
    }
}

/// @title What a public line counts, and whose scores it accepts
contract PublicLineTest is CreditRig {
    address private constant POOL = address(0xAA7E);
    uint256 private constant DAY = 86_400;
    ScriptedAnchor private anchor;
    IPublicCreditLine private open;

    function setUp() external {
        build();
        anchor = new ScriptedAnchor();
        address made = deployed("PublicCreditLine", abi.encode(config(), anchor, POOL));
        open = IPublicCreditLine(made);
        line = IPrivateCreditLine(made);
        supply(ALICE, 1_000_000e6);
        vm.warp((block.timestamp / DAY + 2) * DAY);
    }

    function newSpec() internal override returns (IInputSource) {
        return IInputSource(deployed("FeatureSpec", abi.encode(CreditFeatures.DEFINITION, 18, 255)));
    }

    function code(bytes32 codes, uint256 place) private pure returns (uint256) {
        return uint8(codes[place]);
    }

    function allowOpen(address borrower, bytes32 codes, int256 score) private {
        uint256[] memory found = new uint256[](28);
        for (uint256 i = 0; i < 18; i++) found[i] = uint8(codes[i]);
        for (uint256 i = 0; i < 9; i++) found[18 + i] = (uint160(borrower) / 2 ** (18 * i)) % 2 ** 18;
        found[27] = score < 0 ? ORDER - uint256(-score) : uint256(score);
        verifier.allow(found);
    }

    function proveOpen(address borrower, int256 score) private {
        vm.warp(block.timestamp + 600);
        allowOpen(borrower, open.takeSnapshot(borrower), score);
        vm.prank(KEEPER);
        open.proveScore(borrower, score, proofBytes());
    }

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
        vm.warp(block.timestamp + 1);
        bytes32 codes = open.takeSnapshot(BOB);
        (uint256 takenAt, bytes32 kept) = open.snapshotOf(BOB);
        isTrue(takenAt == block.timestamp && kept == codes, "kept");
        isTrue(codes == open.featuresOf(BOB) && code(codes, 3) == 1, "what the line says of the borrower now");
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

    // -- liquidations elsewhere

    function call(address user, address debtAsset, uint256 covered) private {
        bytes32[] memory topics = new bytes32[](4);
        topics[0] = keccak256("LiquidationCall(address,address,address,uint256,uint256,address,bool)");
        topics[1] = bytes32(uint256(uint160(address(held))));
        topics[2] = bytes32(uint256(uint160(debtAsset)));
        topics[3] = bytes32(uint256(uint160(user)));
        anchor.show(77, POOL, topics, abi.encode(covered, 1e18, KEEPER, false));
    }

    function proofOf(uint256 index, uint256 logIndex) private pure returns (LogProof memory p) {
        p.transactionIndex = index;
        p.logIndex = logIndex;
    }

    function test_anybody_reports_a_liquidation_once_and_it_ends_the_score() external {
        proveOpen(BOB, BEST);
        call(BOB, address(asset), 500e6);
        vm.warp(block.timestamp + 1);
        vm.prank(KEEPER);
        isTrue(open.reportLiquidation(proofOf(2, 3)) == BOB, "whose");
        History memory h = open.historyOf(BOB);
        isTrue(h.liquidationCount == 1 && h.liquidated == 500e8 && h.firstEvent == 0, "counted, and no event of the line");
        Score memory s = line.scoreOf(BOB);
        isTrue(s.modelId == 0 && s.asOf == block.timestamp, "ended");
        bytes32 id = keccak256(abi.encode(77, 2, 3));
        vm.expectRevert(abi.encodeWithSelector(IPublicCreditLine.LogCounted.selector, id));
        open.reportLiquidation(proofOf(2, 3));
        open.reportLiquidation(proofOf(2, 4));
        open.reportLiquidation(proofOf(3, 3));
        eq(open.historyOf(BOB).liquidationCount, 3, "others are others");
    }

    function test_a_snapshot_of_before_a_reported_liquidation_scores_no_more() external {
        bytes32 codes = open.takeSnapshot(BOB);
        allowOpen(BOB, codes, BEST);
        (uint256 takenAt,) = open.snapshotOf(BOB);
        call(BOB, address(asset), 500e6);
        open.reportLiquidation(proofOf(0, 0));
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreNotFresher.selector, takenAt, takenAt));
        open.proveScore(BOB, BEST, proofBytes());
    }

    function test_an_asset_without_a_price_counts_without_value() external {
        call(BOB, address(asset), 500e6);
        oracle.set(address(asset), 0);
        open.reportLiquidation(proofOf(0, 0));
        History memory h = open.historyOf(BOB);
        isTrue(h.liquidationCount == 1 && h.liquidated == 0, "counted");
    }

    function test_other_logs_are_no_liquidations() external {
        bytes32[] memory topics = new bytes32[](4);
        topics[0] = keccak256("LiquidationCall(address,address,address,uint256,uint256,address,bool)");
        bytes memory data = abi.encode(uint256(1), uint256(1), KEEPER, false);
        anchor.show(77, address(0xBAD), topics, data);
        vm.expectRevert(
            abi.encodeWithSelector(IPublicCreditLine.NotALiquidation.selector, address(0xBAD), topics[0])
        );
        open.reportLiquidation(proofOf(0, 0));
        topics[0] = keccak256("Supply(address,address,address,uint256,uint16)");
        anchor.show(77, POOL, topics, data);
        vm.expectRevert(abi.encodeWithSelector(IPublicCreditLine.NotALiquidation.selector, POOL, topics[0]));
        open.reportLiquidation(proofOf(0, 0));
        topics = new bytes32[](3);
        topics[0] = keccak256("LiquidationCall(address,address,address,uint256,uint256,address,bool)");
        anchor.show(77, POOL, topics, data);
        refuses(IPublicCreditLine.NotALiquidation.selector);
        open.reportLiquidation(proofOf(0, 0));
        anchor.show(77, POOL, new bytes32[](0), data);
        vm.expectRevert(abi.encodeWithSelector(IPublicCreditLine.NotALiquidation.selector, POOL, bytes32(0)));
        open.reportLiquidation(proofOf(0, 0));
    }

    function test_a_line_says_what_it_counts_and_whom_it_asks() external view {
        isTrue(keccak256(bytes(open.featureDefinition())) == keccak256(bytes(CreditFeatures.DEFINITION)), "definition");
        isTrue(open.anchor() == address(anchor) && open.aavePool() == POOL, "counterparties");
    }
}
