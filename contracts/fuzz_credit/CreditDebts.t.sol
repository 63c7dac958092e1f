// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ICreditLine, Position} from "../interfaces/ICreditLine.sol";
import {CreditRig} from "./CreditRig.sol";

/// @title What a score, and the lapse of one, does to a debt
contract CreditDebtsTest is CreditRig {
    function setUp() external {
        build();
        supply(ALICE, 1_000_000e6);
        vm.warp(block.timestamp + 1 days);
    }

    function test_a_better_score_lowers_the_rate_and_raises_the_threshold_of_a_debt() external {
        openLoan(BOB, WORST, 5_000e6);
        vm.warp(block.timestamp + 1);
        uint256 debt = line.debtOf(BOB);
        prove(BOB, BEST);
        Position memory p = line.positionOf(BOB);
        isTrue(p.rateTier == 0 && p.thresholdTier == 0, "terms of the best tier");
        le(line.debtOf(BOB) - debt, 1, "the debt itself is left");
        vm.warp(block.timestamp + 365 days);
        uint256 grown = line.debtOf(BOB);
        isTrue(grown > 5_150e6 && grown < 5_153e6, "three in a hundred from now on");
    }

    function test_a_worse_score_raises_the_rate_and_leaves_the_threshold() external {
        openLoan(BOB, BEST, 23_900e6);
        vm.warp(block.timestamp + 1);
        prove(BOB, WORST);
        Position memory p = line.positionOf(BOB);
        isTrue(p.rateTier == 3 && p.thresholdTier == 0, "the worst rate, the old threshold");
        vm.expectPartialRevert(ICreditLine.PositionHealthy.selector);
        vm.prank(KEEPER);
        line.liquidate(BOB, 1);
        vm.warp(block.timestamp + 1);
        prove(BOB, WORST + 1);
        p = line.positionOf(BOB);
        isTrue(p.rateTier == 3 && p.thresholdTier == 0, "beyond the worst tier: its rate");
    }

    function test_borrowing_more_takes_the_present_terms_whole() external {
        openLoan(BOB, BEST, 5_000e6);
        vm.warp(block.timestamp + 1);
        prove(BOB, WORST);
        borrow(BOB, 1_000e6);
        Position memory p = line.positionOf(BOB);
        isTrue(p.rateTier == 3 && p.thresholdTier == 3, "the present terms");
    }

    function test_a_lapsed_score_costs_the_worst_rate_and_nothing_else() external {
        openLoan(BOB, BEST, 23_900e6);
        uint256 end = line.scoreOf(BOB).asOf + AGE;
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreNotLapsed.selector, end, end));
        line.lapse(BOB);
        vm.warp(end + 1);
        uint256 debt = line.debtOf(BOB);
        line.lapse(BOB);
        Position memory p = line.positionOf(BOB);
        isTrue(p.rateTier == 3 && p.thresholdTier == 0, "the worst rate, the old threshold");
        le(line.debtOf(BOB) - debt, 1, "the debt itself is left");
        line.lapse(BOB);
        eq(line.positionOf(BOB).scaledDebt, p.scaledDebt, "once is as good as twice");
        vm.expectPartialRevert(ICreditLine.PositionHealthy.selector);
        vm.prank(KEEPER);
        line.liquidate(BOB, 1);
        prove(BOB, BEST);
        eq(line.positionOf(BOB).rateTier, 0, "a new score brings its rate back");
    }

    function test_nothing_lapses_without_debt() external {
        prove(BOB, BEST);
        vm.warp(block.timestamp + 2 * AGE);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.NoDebt.selector, BOB));
        line.lapse(BOB);
    }
}
