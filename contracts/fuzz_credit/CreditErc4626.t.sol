// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {CreditRig} from "./CreditRig.sol";

/// @title What ERC-4626 asks of a line, after interest, with money lent out, and after a loss
contract CreditErc4626Test is CreditRig {
    function setUp() external {
        build();
        supply(ALICE, 100_000e6);
        vm.warp(block.timestamp + 1 days);
    }

    /// @dev A line whose shares are worth any odd number, and whose cash is a part of its assets.
    function live(uint256 seed) private {
        supply(DAVE, within(seed, 1, 50_000e6));
        openLoan(BOB, WORST, within(seed >> 8, MIN_DEBT, 11_000e6));
        openLoan(CAROL, BEST, within(seed >> 16, 10_500e6, 23_000e6));
        vm.warp(block.timestamp + within(seed >> 24, 1, 700 days));
        if (seed % 3 == 0) {
            oracle.set(address(held), within(seed >> 32, 100e8, 1_000e8));
            liquidate(CAROL, type(uint256).max);
        }
        if (seed % 5 == 0) asset.mint(address(line), within(seed >> 40, 1, 100e6));
    }

    function testFuzz_previews_are_exact_and_conversions_are_floors(uint256 seed, uint256 amount) external {
        live(seed);
        amount = within(amount, 1, 40_000e6);
        asset.mint(KEEPER, 1e12);
        vm.startPrank(KEEPER);
        asset.approve(address(line), type(uint256).max);
        uint256 promised = line.previewDeposit(amount);
        le(promised, line.convertToShares(amount), "a preview flatters");
        eq(line.deposit(amount, KEEPER), promised, "deposit");
        uint256 shares = line.convertToShares(amount);
        promised = line.previewMint(shares);
        le(line.convertToAssets(shares), promised, "a mint is below its worth");
        uint256 before = asset.balanceOf(KEEPER);
        eq(line.mint(shares, KEEPER), promised, "mint");
        eq(before - asset.balanceOf(KEEPER), promised, "paid");
        uint256 part = line.maxRedeem(KEEPER) / 3;
        promised = line.previewRedeem(part);
        before = asset.balanceOf(KEEPER);
        eq(line.redeem(part, KEEPER, KEEPER), promised, "redeem");
        eq(asset.balanceOf(KEEPER) - before, promised, "got");
        uint256 assets = line.maxWithdraw(KEEPER) / 2;
        promised = line.previewWithdraw(assets);
        before = line.balanceOf(KEEPER);
        eq(line.withdraw(assets, KEEPER, KEEPER), promised, "withdraw");
        eq(before - line.balanceOf(KEEPER), promised, "burned");
        vm.stopPrank();
    }

    function testFuzz_all_of_a_maximum_goes_through(uint256 seed) external {
        live(seed);
        uint256 snapshot = vm.snapshotState();
        uint256 most = line.maxRedeem(ALICE);
        le(most, line.balanceOf(ALICE), "no more than owned");
        vm.prank(ALICE);
        line.redeem(most, ALICE, ALICE);
        vm.revertToState(snapshot);
        most = line.maxWithdraw(ALICE);
        le(most, asset.balanceOf(address(line)), "no more than there is");
        vm.prank(ALICE);
        line.withdraw(most, ALICE, ALICE);
        vm.revertToState(snapshot);
        most = line.maxDeposit(KEEPER);
        supply(KEEPER, most);
        vm.revertToState(snapshot);
        most = line.maxMint(KEEPER);
        asset.mint(KEEPER, CAP);
        vm.startPrank(KEEPER);
        asset.approve(address(line), CAP);
        line.mint(most, KEEPER);
        vm.stopPrank();
    }

    function testFuzz_in_and_out_again_gains_nothing(uint256 seed, uint256 amount) external {
        live(seed);
        amount = within(amount, 1, 40_000e6);
        uint256 shares = supply(KEEPER, amount);
        uint256 least = line.previewRedeem(shares);
        vm.prank(KEEPER);
        uint256 got = line.redeem(shares, KEEPER, KEEPER);
        isTrue(got == least && got <= amount, "gained");
    }

    function test_others_shares_need_an_allowance() external {
        uint256 shares = line.balanceOf(ALICE);
        bytes4 name = bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)"));
        refuses(name);
        vm.prank(BOB);
        line.redeem(1, BOB, ALICE);
        refuses(name);
        vm.prank(BOB);
        line.withdraw(1, BOB, ALICE);
        vm.prank(ALICE);
        line.approve(BOB, shares);
        vm.prank(BOB);
        line.redeem(shares, BOB, ALICE);
        eq(asset.balanceOf(BOB), 100_000e6, "with it they go");
    }

    function test_what_is_not_there_is_refused_by_the_standards_errors() external {
        openLoan(BOB, BEST, 20_000e6);
        bytes4 redeemName = bytes4(keccak256("ERC4626ExceededMaxRedeem(address,uint256,uint256)"));
        bytes4 withdrawName = bytes4(keccak256("ERC4626ExceededMaxWithdraw(address,uint256,uint256)"));
        bytes4 mintName = bytes4(keccak256("ERC4626ExceededMaxMint(address,uint256,uint256)"));
        uint256 shares = line.balanceOf(ALICE);
        refuses(redeemName);
        vm.prank(ALICE);
        line.redeem(shares, ALICE, ALICE);
        refuses(withdrawName);
        vm.prank(ALICE);
        line.withdraw(80_000e6 + 1, ALICE, ALICE);
        uint256 most = line.maxMint(ALICE);
        refuses(mintName);
        vm.prank(ALICE);
        line.mint(most + 1, ALICE);
    }
}
