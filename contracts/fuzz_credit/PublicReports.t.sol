// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {CreditFeatures} from "../credit/CreditFeatures.sol";
import {ICreditLine, Score} from "../interfaces/ICreditLine.sol";
import {LogProof} from "../interfaces/IInputAnchor.sol";
import {History, IPublicCreditLine} from "../interfaces/IPublicCreditLine.sol";
import {PublicRig} from "./PublicRig.sol";

/// @title Liquidations elsewhere, reported to a public line
contract PublicReportsTest is PublicRig {
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
        vm.recordLogs();
        vm.prank(KEEPER);
        isTrue(open.reportLiquidation(proofOf(2, 3)) == BOB, "whose");
        isTrue(keccak256(vm.getRecordedLogs()[0].data) == keccak256(abi.encode(asset, 500e8)), "logged");
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
