// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {FeatureSpec} from "../credit/FeatureSpec.sol";
import {ICreditLine, LineConfig, Position} from "../interfaces/ICreditLine.sol";
import {Token} from "../fuzz/Token.sol";
import {Vm} from "../fuzz/Vm.sol";
import {CreditRig} from "./CreditRig.sol";

/// @title A token that keeps a part of every transfer
contract TaxedToken is Token {
    constructor(uint8 decimals_) Token("TAX", decimals_) {}

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0)) super._update(to, address(0), amount / 100);
    }
}

/// @title A token that calls whom it moves to or from
contract CallingToken is Token {
    address public target;
    bytes public data;
    bytes public answer;

    constructor() Token("CALL", 6) {}

    function aim(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (target != address(0)) (, answer) = target.call(data);
    }
}

/// @title Collateral, loans, repayment and liquidation
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
        vm.prank(BOB);
        line.removeCollateral(5e18 - 1e12, BOB);
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

    // -- liquidation

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

    // -- tokens that misbehave

    function test_a_token_that_moves_less_is_refused() external {
        TaxedToken taxed = new TaxedToken(6);
        oracle.set(address(taxed), 1e8);
        LineConfig memory c = config();
        c.asset = IERC20(address(taxed));
        line = newLine(c);
        asset = taxed;
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.TransferInexact.selector, taxed, 99, 100));
        this.supplyNow(ALICE, 100);
        c = config();
        asset = new Token("USD", 6);
        c.asset = IERC20(address(asset));
        c.collateral = IERC20(address(taxed));
        line = newLine(c);
        held = taxed;
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.TransferInexact.selector, taxed, 99, 100));
        this.postNow(BOB, 100);
    }

    function supplyNow(address lender, uint256 assets) external {
        supply(lender, assets);
    }

    function postNow(address borrower, uint256 amount) external {
        post(borrower, amount);
    }

    function test_no_call_comes_in_while_another_runs() external {
        CallingToken calling = new CallingToken();
        asset = calling;
        oracle.set(address(calling), 1e8);
        line = newLine(config());
        supply(ALICE, 100_000e6);
        post(BOB, 10e18);
        prove(BOB, BEST);
        bytes[9] memory inner = [
            abi.encodeCall(ICreditLine.addCollateral, (1)),
            abi.encodeCall(ICreditLine.removeCollateral, (1, BOB)),
            abi.encodeCall(ICreditLine.borrow, (1, BOB)),
            abi.encodeCall(ICreditLine.repay, (BOB, 1)),
            abi.encodeCall(ICreditLine.liquidate, (BOB, 1)),
            abi.encodeCall(ICreditLine.lapse, (BOB)),
            abi.encodeWithSignature("deposit(uint256,address)", 0, BOB),
            abi.encodeWithSignature("redeem(uint256,address,address)", 0, calling, calling),
            abi.encodeWithSelector(
                line.proveScore.selector, BOB, int256(0), block.timestamp, 0, block.timestamp, "", ""
            )
        ];
        bytes32 guarded = keccak256(abi.encodeWithSignature("ReentrancyGuardReentrantCall()"));
        for (uint256 i = 0; i < 9; i++) {
            calling.aim(address(line), inner[i]);
            borrow(BOB, MIN_DEBT);
            isTrue(keccak256(calling.answer()) == guarded, "a call came in");
            vm.prank(ALICE);
            line.withdraw(1, ALICE, ALICE);
            isTrue(keccak256(calling.answer()) == guarded, "a call came in");
        }
    }

    function test_a_definition_is_no_source_of_epochs() external {
        vm.expectRevert(abi.encodeWithSelector(FeatureSpec.NoEpochs.selector, 7));
        spec.read(7, "");
        eq(spec.count(), 1, "one commitment");
        isTrue(spec.specHash() == keccak256(abi.encode("age_days linear 0.25", 1, 0)), "hash of all that it says");
    }
}
