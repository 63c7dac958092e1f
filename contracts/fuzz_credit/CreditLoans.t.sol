// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {FeatureSpec} from "../credit/FeatureSpec.sol";
import {ICreditLine, LineConfig} from "../interfaces/ICreditLine.sol";
import {CreditRig} from "./CreditRig.sol";

/// @title Collateral, loans and repayment
contract CreditLoansTest is CreditRig {
    function setUp() external {
        build();
        supply(ALICE, 1_000_000e6);
        vm.warp(block.timestamp + 1 days);
    }

    // -- collateral

    function test_nothing_is_done_with_nothing() external {
        bytes memory reason = abi.encodeWithSelector(ICreditLine.AmountZero.selector);
        vm.expectRevert(reason);
        line.addCollateral(0);
        vm.expectRevert(reason);
        line.removeCollateral(0, BOB);
        vm.expectRevert(reason);
        line.borrow(0, BOB);
        vm.expectRevert(reason);
        line.repay(BOB, 0);
        vm.expectRevert(reason);
        line.liquidate(BOB, 0);
    }

    function test_collateral_without_debt_needs_no_score_model_or_price() external {
        post(BOB, 2e18);
        vm.prank(OWNER);
        registry.retire(modelId);
        oracle.kill(true);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.CollateralShort.selector, 2e18 + 1, 2e18));
        vm.prank(BOB);
        line.removeCollateral(2e18 + 1, BOB);
        vm.prank(BOB);
        line.removeCollateral(2e18, CAROL);
        eq(held.balanceOf(CAROL), 2e18, "all of it came back, to whom its owner said");
        eq(line.positionOf(BOB).collateral, 0, "and is gone from the book");
    }

    function test_collateral_of_a_debt_leaves_as_a_loan_does() external {
        openLoan(BOB, BEST, 12_000e6);
        vm.prank(BOB);
        refuses(ICreditLine.DebtTooHigh.selector);
        line.removeCollateral(5e18 + 1e12, BOB);
        vm.warp(block.timestamp + 12_345);
        uint256 scaled = line.positionOf(BOB).scaledDebt;
        vm.prank(BOB);
        line.removeCollateral(4.9e18, BOB);
        eq(line.positionOf(BOB).scaledDebt, scaled, "the debt is left alone");
        vm.warp(block.timestamp + AGE + 1);
        vm.prank(BOB);
        refuses(ICreditLine.ScoreStale.selector);
        line.removeCollateral(1, BOB);
    }

    // -- loans

    function test_a_loan_goes_exactly_to_the_loan_to_value_of_its_tier() external {
        int256[4] memory scores = [BEST, -8_000 + 1, -4_000 + 1, int256(1)];
        uint256[4] memory most = [uint256(24_000e6), 21_000e6, 16_500e6, 12_000e6];
        for (uint256 i = 0; i < 4; i++) {
            uint256 snapshot = vm.snapshotState();
            post(BOB, 10e18);
            prove(BOB, scores[i]);
            // The share rounds up, so a debt may be a unit more than was lent.
            vm.prank(BOB);
            vm.expectRevert(
                abi.encodeWithSelector(ICreditLine.DebtTooHigh.selector, (most[i] + 2) * 100, most[i] * 100)
            );
            line.borrow(most[i] + 1, BOB);
            borrow(BOB, most[i] - 1);
            eq(asset.balanceOf(BOB), most[i] - 1, "lent");
            le(line.debtOf(BOB), most[i], "within its limit with the rounding");
            vm.revertToState(snapshot);
        }
    }

    function test_nobody_borrows_without_a_score() external {
        post(BOB, 10e18);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreMissing.selector, bytes32(0), modelId));
        this.borrowNow(BOB, 100e6);
    }

    /// @dev For `expectRevert`, which looks at the next call.
    function borrowNow(address borrower, uint256 assets) external {
        borrow(borrower, assets);
    }

    function test_a_score_lends_to_exactly_its_greatest_age() external {
        openLoan(BOB, BEST, 100e6);
        uint256 asOf = line.scoreOf(BOB).asOf;
        vm.warp(asOf + AGE);
        borrow(BOB, 1e6);
        vm.warp(asOf + AGE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreStale.selector, asOf, asOf + AGE + 1));
        this.borrowNow(BOB, 1e6);
    }

    function test_a_retired_models_score_lends_nothing_new() external {
        openLoan(BOB, BEST, 100e6);
        vm.prank(OWNER);
        registry.retire(modelId);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreMissing.selector, modelId, bytes32(0)));
        this.borrowNow(BOB, 1e6);
        bytes32 next = activate(model("next"));
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreMissing.selector, modelId, next));
        this.borrowNow(BOB, 1e6);
        prove(BOB, BEST);
        borrow(BOB, 1e6);
    }

    function test_a_score_beyond_the_worst_tier_lends_nothing() external {
        post(BOB, 10e18);
        prove(BOB, WORST + 1);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreTooRisky.selector, WORST + 1, WORST));
        this.borrowNow(BOB, 100e6);
    }

    function test_a_loan_leaves_at_least_the_least_debt() external {
        post(BOB, 10e18);
        prove(BOB, BEST);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.DebtTooSmall.selector, MIN_DEBT - 1, MIN_DEBT));
        this.borrowNow(BOB, MIN_DEBT - 2);
        borrow(BOB, MIN_DEBT);
    }

    function test_no_more_is_lent_than_there_is() external {
        post(BOB, 1_000e18);
        prove(BOB, BEST);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.CashShort.selector, 1_000_000e6 + 1, 1_000_000e6));
        this.borrowNow(BOB, 1_000_000e6 + 1);
        borrow(BOB, 1_000_000e6);
        eq(line.maxRedeem(ALICE), 0, "all is lent out");
        eq(line.maxWithdraw(ALICE), 0, "all is lent out");
    }

    function test_without_a_price_nothing_is_lent_or_liquidated_and_everything_is_repaid() external {
        openLoan(BOB, BEST, 23_000e6);
        oracle.set(address(held), 0);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.PriceUnavailable.selector, held));
        this.borrowNow(BOB, 1e6);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.PriceUnavailable.selector, held));
        line.liquidate(BOB, 1);
        oracle.kill(true);
        vm.prank(OWNER);
        registry.retire(modelId);
        repay(BOB, 30_000e6);
        eq(line.debtOf(BOB), 0, "repaid");
        vm.prank(BOB);
        line.removeCollateral(10e18, BOB);
        uint256 most = line.maxRedeem(ALICE);
        vm.prank(ALICE);
        line.redeem(most, ALICE, ALICE);
        le(1_000_000e6, asset.balanceOf(ALICE), "lenders leave");
    }

    // -- repayment

    function test_repayment_takes_at_most_the_debt_and_anyone_may() external {
        openLoan(BOB, BEST, 1_000e6);
        vm.warp(block.timestamp + 30 days);
        uint256 debt = line.debtOf(BOB);
        isTrue(debt > 1_002e6, "interest");
        asset.mint(CAROL, 2_000e6);
        vm.startPrank(CAROL);
        asset.approve(address(line), type(uint256).max);
        eq(line.repay(BOB, 400e6), 400e6, "a part");
        le(line.debtOf(BOB) - (debt - 400e6), 1, "the rest is owed");
        uint256 rest = line.debtOf(BOB);
        eq(line.repay(BOB, type(uint256).max), rest, "no more than the debt");
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.NoDebt.selector, BOB));
        line.repay(BOB, 1);
        vm.stopPrank();
        eq(line.debtOf(BOB) + line.totalDebt(), 0, "nothing is owed");
    }

    function test_interest_is_the_lenders() external {
        openLoan(BOB, int256(1), 10_000e6);
        uint256 before = line.totalAssets();
        vm.warp(block.timestamp + 365 days);
        uint256 gained = line.totalAssets() - before;
        isTrue(gained > 1_274e6 && gained < 1_276e6, "e**0.12 - 1 of what was lent");
        repay(BOB, 20_000e6);
        uint256 most = line.maxRedeem(ALICE);
        vm.prank(ALICE);
        line.redeem(most, ALICE, ALICE);
        le(1_000_000e6 + gained - 2, asset.balanceOf(ALICE), "and is paid out");
    }

    // -- lenders

    function test_deposits_end_at_the_cap() external {
        eq(line.maxDeposit(BOB), CAP - 1_000_000e6, "room");
        supply(BOB, CAP - 1_000_000e6);
        eq(line.maxDeposit(BOB) + line.maxMint(BOB), 0, "full");
        refuses(bytes4(keccak256("ERC4626ExceededMaxDeposit(address,uint256,uint256)")));
        vm.prank(BOB);
        line.deposit(1, BOB);
    }

    function test_a_cap_may_be_none() external {
        LineConfig memory c = config();
        c.terms.depositCap = type(uint256).max;
        line = newLine(c);
        supply(ALICE, 1_000e6);
        eq(line.maxDeposit(BOB), type(uint256).max - 1_000e6, "room");
        isTrue(line.maxMint(BOB) > 1e38, "and no overflow");
    }

    function test_a_donation_into_an_empty_line_costs_the_donor() external {
        line = newLine(config());
        asset.mint(KEEPER, 1_000_001e6);
        vm.startPrank(KEEPER);
        asset.approve(address(line), type(uint256).max);
        line.deposit(1, KEEPER);
        asset.transfer(address(line), 100_000e6);
        vm.stopPrank();
        uint256 shares = supply(CAROL, 1_000e6);
        le(999e6, line.convertToAssets(shares), "the next lender lost less than a thousandth");
    }

    function test_a_definition_is_no_source_of_epochs() external {
        vm.expectRevert(abi.encodeWithSelector(FeatureSpec.NoEpochs.selector, 7));
        spec.read(7, "");
        eq(spec.count(), 1, "one commitment");
        eq(bytes(FeatureSpec(address(spec)).definition()).length, 20, "in words");
        isTrue(spec.specHash() == keccak256(abi.encode("age_days linear 0.25", 1, 0)), "hash of all that it says");
    }
}
