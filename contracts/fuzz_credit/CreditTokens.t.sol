// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ICreditLine, LineConfig} from "../interfaces/ICreditLine.sol";
import {Token} from "../fuzz/Token.sol";
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

/// @title Tokens that misbehave
contract CreditTokensTest is CreditRig {
    function setUp() external {
        build();
    }

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
}
