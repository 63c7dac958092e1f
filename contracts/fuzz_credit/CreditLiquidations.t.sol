// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ICreditLine, Position} from "../interfaces/ICreditLine.sol";
import {Vm} from "../fuzz/Vm.sol";
import {CreditRig} from "./CreditRig.sol";

/// @title Who is liquidated, for how much, and whose loss it is
contract CreditLiquidationsTest is CreditRig {
    function setUp() external {
        build();
        supply(ALICE, 1_000_000e6);
        vm.warp(block.timestamp + 1 days);
    }

    /// @dev For `expectRevert`, which looks at the next call.
    function borrowNow(address borrower, uint256 assets) external {
        borrow(borrower, assets);
    }

    function test_a_debt_at_its_threshold_is_healthy() external {
        openLoan(BOB, BEST, 8_500e6 - 1);
        oracle.set(address(held), 1_000e8);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.PositionHealthy.selector, 8_500e8, 8_500e8));
        this.liquidateNow(BOB, 1e6);
    }

    function test_a_healthy_position_is_not_liquidated() external {
        openLoan(BOB, BEST, 24_000e6 - 1);
        oracle.set(address(held), 2_823.6e8);
        refuses(ICreditLine.PositionHealthy.selector);
        this.liquidateNow(BOB, 1e6);
        oracle.set(address(held), 2_823.5e8);
        liquidate(BOB, 1e6);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.NoDebt.selector, CAROL));
        line.liquidate(CAROL, 1);
    }

    function liquidateNow(address borrower, uint256 most) external {
        liquidate(borrower, most);
    }

    function test_a_covered_debt_is_repaid_by_half_for_collateral_and_bonus() external {
        openLoan(BOB, BEST, 24_000e6 - 1);
        oracle.set(address(held), 2_800e8);
        uint256 debt = line.debtOf(BOB);
        (uint256 repaid, uint256 seized) = liquidate(BOB, type(uint256).max);
        eq(repaid, (debt + 1) / 2, "half");
        eq(seized, repaid * 1e2 * 10_500 / 10_000 * 1e18 / 2_800e8, "worth that and a twentieth");
        eq(held.balanceOf(KEEPER), seized, "paid out");
        isTrue(line.positionOf(BOB).collateral == 10e18 - seized, "booked");
        le(line.debtOf(BOB) - (debt - repaid), 1, "the rest is owed");
        refuses(ICreditLine.PositionHealthy.selector);
        this.liquidateNow(BOB, 1);
    }

    /// @dev Ten coins at 2,625 dollars are worth 25,000 and a twentieth: a debt of just that is covered.
    function test_a_debt_is_covered_up_to_the_collateral_less_the_bonus() external {
        oracle.set(address(held), 3_200e8);
        openLoan(BOB, BEST, 25_000e6 - 1);
        eq(line.debtOf(BOB), 25_000e6, "rounded up");
        uint256 snapshot = vm.snapshotState();
        oracle.set(address(held), 2_625e8);
        (uint256 repaid,) = liquidate(BOB, type(uint256).max);
        eq(repaid, 12_500e6, "half");
        vm.revertToState(snapshot);
        oracle.set(address(held), 2_625e8 - 1);
        uint256 seized;
        (repaid, seized) = liquidate(BOB, type(uint256).max);
        le(24_999e6, repaid, "all that it can repay");
        eq(seized, 10e18, "all of it");
    }

    function test_a_small_debt_is_repaid_whole() external {
        post(BOB, 0.0045e18);
        prove(BOB, BEST);
        borrow(BOB, MIN_DEBT);
        repay(BOB, 1e6);
        oracle.set(address(held), 2_300e8);
        uint256 debt = line.debtOf(BOB);
        (uint256 repaid,) = liquidate(BOB, type(uint256).max);
        eq(repaid, debt, "all");
    }

    function test_what_collateral_cannot_repay_is_the_lenders_loss_and_said_so() external {
        openLoan(BOB, BEST, 24_000e6 - 1);
        oracle.set(address(held), 2_100e8);
        uint256 debt = line.debtOf(BOB);
        uint256 assets = line.totalAssets();
        vm.recordLogs();
        (uint256 repaid, uint256 seized) = liquidate(BOB, type(uint256).max);
        eq(seized, 10e18, "all collateral");
        eq(repaid, 20_000e6, "what it is worth without the bonus");
        Position memory p = line.positionOf(BOB);
        isTrue(p.collateral == 0 && p.scaledDebt == 0, "nothing is left");
        le(debt - repaid - (assets - line.totalAssets()), 1, "lenders lost the rest and no more");
        eq(loggedLoss(), debt - repaid, "as the event says");
    }

    function loggedLoss() private returns (uint256 writtenOff) {
        bytes32 topic = keccak256("Liquidated(address,address,uint256,uint256,uint256)");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == topic) (,, writtenOff) = abi.decode(logs[i].data, (uint256, uint256, uint256));
        }
    }

    function test_a_liquidation_ends_the_score() external {
        openLoan(BOB, BEST, 24_000e6 - 1);
        oracle.set(address(held), 2_800e8);
        vm.warp(block.timestamp + 1 days);
        liquidate(BOB, 5_000e6);
        oracle.set(address(held), 3_000e8);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreMissing.selector, bytes32(0), modelId));
        this.borrowNow(BOB, 1e6);
        vm.expectRevert(
            abi.encodeWithSelector(ICreditLine.ScoreNotFresher.selector, block.timestamp, block.timestamp)
        );
        this.proveNow(BOB, BEST);
        line.lapse(BOB);
        eq(line.positionOf(BOB).rateTier, 3, "the worst rate until a new score");
        vm.warp(block.timestamp + 1);
        prove(BOB, BEST);
        borrow(BOB, 1e6);
    }

    function proveNow(address borrower, int256 score) external {
        prove(borrower, score);
    }

    function testFuzz_a_liquidation_pays_its_bonus_and_no_more(uint256 price, uint256 most) external {
        openLoan(BOB, BEST, 24_000e6 - 1);
        price = within(price, 1e8, 2_823e8);
        most = within(most, 1, 30_000e6);
        oracle.set(address(held), price);
        (uint256 repaid, uint256 seized) = liquidate(BOB, most);
        le(repaid, most, "no more than asked");
        le(seized * price / 1e18, repaid * 1e2 * 10_500 / 10_000, "no more than the bonus above what was repaid");
        isTrue(line.positionOf(BOB).collateral != 0 || line.debtOf(BOB) == 0, "no debt without collateral");
    }

    /// @dev A unit of the asset is worth one of the base currency here, so that every rounding is seen.
    function testFuzz_all_collateral_costs_at_least_its_worth_less_the_bonus(uint256 amount, uint256 price) external {
        oracle.set(address(asset), 1e6);
        oracle.set(address(held), 30e8);
        post(BOB, within(amount, 1, 1e18));
        openLoan(BOB, BEST, 23_999e6);
        price = within(price, 1e8, 18e8);
        oracle.set(address(held), price);
        uint256 collateral = line.positionOf(BOB).collateral;
        (uint256 repaid, uint256 seized) = liquidate(BOB, type(uint256).max);
        eq(seized, collateral, "all");
        le(seized * price * 10_000, repaid * 10_500 * 1e18, "paid in full");
        le((repaid - 2) * 10_500 * 1e18, seized * price * 10_000, "and no more than two roundings above");
    }
}
