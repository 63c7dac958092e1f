// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees} from "../interfaces/IInferenceVault.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {Rig} from "./Rig.sol";

/// @title What is no gain: dust in an empty vault, what an entry pays above the mean, and the mean's way to the price
contract MarksTest is Rig {
    uint256 private constant NEW = uint256(2 ** 64) / 1e6;

    function setUp() external {
        build(true);
    }

    function fresh(uint256 performancePips) private {
        VaultConfig memory c = config();
        (c.fees, c.policy.minWeightWad) = (Fees(0, 0, performancePips, FEE_TAKER), 0);
        (c.depositCap, c.safeguards.drawdownWad) = (1e40, 0);
        vault = newVault(c);
    }

    function mark() private view returns (uint256 high) {
        (, high) = vault.marksX64();
    }

    function worthOf(address account) private view returns (uint256) {
        return vault.convertToAssets(vault.balanceOf(account));
    }

    function dear() private view returns (uint256) {
        return Math.max(venue.highX128(), venue.recentX128());
    }

    function settle() private {
        vm.prank(KEEPER);
        vault.redeem(0, KEEPER, KEEPER);
    }

    /// @dev Worth nothing at the mean and a unit at the entry's price, it made a share twice as dear for the first depositor,
    ///      who then paid the recipient's part of half the deposit.
    function test_dust_worth_a_unit_to_who_enters_takes_nothing_of_the_first_deposit() external {
        for (uint256 i = 0; i < 2; i++) {
            fresh(300_000);
            vm.warp(block.timestamp + PERIOD);
            swapOutside(false, 20_000e6);
            vm.warp(block.timestamp + 60);
            risk.mint(address(vault), i * (uint256(2 ** 128) / dear() + 1));
            isTrue(dear() > venue.twapX128() && vault.totalAssets() == 0, "nothing at the mean");
            uint256 shares = enter(ALICE, 1_000_000e6);
            le(shares / 1_000_000e6, i == 0 ? 1e6 : 5e5, "a unit of dust is as much as the virtual one");
            eq(mark(), (vault.totalAssets() + 1) * 2 ** 64 / (vault.totalSupply() + 1e6), "begun anew");
            keep(0);
            le(1_000_000e6 - 2, worthOf(ALICE), "all of the deposit but roundings");
            le(worthOf(FEE_TAKER), 1, "nothing for gains");
        }
    }

    /// @dev A unit of dust and a settlement doubled the mark, so that the first gain of a hundred per cent was shared with nobody.
    function test_dust_raises_no_mark() external {
        fresh(200_000);
        uint256 dust = uint256(2 ** 128) / venue.twapX128();
        risk.mint(address(vault), dust + dust / 20_000 + 1);
        isTrue(vault.totalAssets() == 1, "a unit");
        settle();
        eq(mark(), NEW, "none");
        swapOutside(true, 40e18);
        vm.warp(block.timestamp + TWAP_SECONDS);
        enter(ALICE, 1_000_000e6);
        asset.mint(address(vault), 900_000e6);
        keep(0);
        isTrue(worthOf(FEE_TAKER) > 179_999e6 && worthOf(FEE_TAKER) <= 180_000e6, "a fifth of the gain");
    }

    /// @dev A small vault, nearly all in the risk token, whose mean lags by more than a per cent: a great entry pays the price
    ///      of the day, which at the mean is more than a share was worth.
    function test_what_an_entry_pays_above_the_mean_is_no_gain() external {
        fresh(200_000);
        enter(BOB, 10e6);
        risk.mint(address(vault), Math.mulDiv(90e6, 2 ** 128, venue.twapX128()));
        settle();
        vm.warp(block.timestamp + PERIOD);
        swapOutside(false, 1_500_000e6);
        vm.warp(block.timestamp + 120);
        isTrue(dear() > venue.twapX128() + venue.twapX128() / 200, "the mean lags");
        uint256 before = mark();
        enter(ALICE, 1_000_000e6);
        isTrue(mark() > before, "the mark is what a share is worth with it");
        (uint256 held, uint256 taken) = (worthOf(ALICE), vault.balanceOf(FEE_TAKER));
        settle();
        isTrue(worthOf(ALICE) == held && vault.balanceOf(FEE_TAKER) == taken, "nothing is shared");
    }

    /// @dev Of a vault worth a million units no entry lowers the mark: to who holds it, the way back from a fall is no gain. One
    ///      into less begins it anew, whoever holds that, but for an entry of nothing.
    function test_an_entry_lowers_the_mark_below_a_million_units_only() external {
        for (uint256 i = 0; i < 3; i++) {
            fresh(200_000);
            enter(ALICE, 1_400_000);
            uint256 high = mark();
            uint256 cash = asset.balanceOf(address(vault));
            vm.prank(address(vault));
            asset.transfer(KEEPER, i == 0 ? cash / 4 : cash - 1_000_001 + i);
            uint256 snapshot = vm.snapshotState();
            for (uint256 door = 0; door < 2; door++) {
                for (uint256 great = 0; great < 2; great++) {
                    vm.revertToState(snapshot);
                    byEitherDoor(door, 0);
                    eq(mark(), high, "an entry of nothing");
                    byEitherDoor(door, great == 0 ? 100 : 1_000e6);
                    eq(mark(), i < 2 ? high : valueX64(), "as it was, or anew");
                }
            }
        }
    }

    /// @dev A unit held by anybody, and dust of the risk token at the top of its price: the mark stayed half above what a share is
    ///      worth, and the first depositor shared no gain up to it.
    function test_a_mark_of_dust_that_somebody_holds_binds_no_deposit() external {
        for (uint256 door = 0; door < 2; door++) {
            fresh(200_000);
            fund(BOB, 10);
            vm.prank(BOB);
            vault.mint(1, BOB);
            risk.mint(address(vault), Math.ceilDiv(2 ** 128, venue.twapX128()));
            vm.prank(BOB);
            vault.mint(1, BOB);
            isTrue(mark() > 2 * NEW, "made of dust");
            swapOutside(true, 40e18);
            vm.warp(block.timestamp + 2 * TWAP_SECONDS);
            byEitherDoor(door, 1_000_000e6);
            eq(mark(), valueX64(), "begun anew");
            asset.mint(address(vault), 490_000e6);
            keep(0);
            le(97_990e6, worthOf(FEE_TAKER), "a fifth of the gain");
        }
    }

    /// @dev Of two units an epoch's trade loses one to the pool's rounded fee and one to rounding: the mark stayed three times what a
    ///      share is worth.
    function test_a_mark_that_a_trade_of_dust_left_behind_binds_no_deposit() external {
        VaultConfig memory c = config();
        (c.fees, c.policy.minWeightWad) = (Fees(0, 0, 200_000, FEE_TAKER), 0);
        (c.depositCap, c.safeguards.drawdownWad) = (1e40, 0);
        (c.policy.maxWeightWad, c.policy.maxStepWad, c.policy.maxNotional) = (1e18, 1e18, 1e30);
        vault = newVault(c);
        fund(BOB, 2);
        vm.startPrank(BOB);
        vault.mint(1, BOB);
        vault.mint(1, BOB);
        vm.stopPrank();
        isTrue(mark() == valueX64() && mark() > 2 * NEW, "of two units and the virtual one");
        keep(128);
        isTrue(vault.totalAssets() == 0, "lost to roundings");
        enter(ALICE, 1_000_000e6);
        eq(mark(), valueX64(), "begun anew");
    }

    function test_an_entry_into_what_nobody_holds_begins_the_mark_anew() external {
        for (uint256 i = 0; i < 2; i++) {
            fresh(200_000);
            uint256 shares = enter(ALICE, 1_000e6);
            asset.mint(address(vault), 900e6);
            settle();
            uint256 high = mark();
            vm.prank(ALICE);
            vault.redeemInKind(shares, ALICE, ALICE);
            shares = vault.balanceOf(FEE_TAKER);
            vm.prank(FEE_TAKER);
            vault.redeemInKind(shares, KEEPER, FEE_TAKER);
            uint256 cash = asset.balanceOf(address(vault));
            isTrue(cash > 0 && vault.totalSupply() == 0, "a rest that nobody holds");
            vm.prank(address(vault));
            asset.transfer(KEEPER, cash);
            byEitherDoor(i, 1_000e6);
            isTrue(mark() < high, "begun anew");
        }
    }

    function valueX64() private view returns (uint256) {
        return (vault.totalAssets() + 1) * 2 ** 64 / (vault.totalSupply() + 1e6);
    }

    function byEitherDoor(uint256 door, uint256 assets) private {
        fund(BOB, assets);
        vm.startPrank(BOB);
        if (door == 0) vault.deposit(assets, BOB);
        else vault.mint(vault.previewDeposit(assets), BOB);
        vm.stopPrank();
    }

    /// @dev A share of gains has the value reckoned at every entry; the peak is none of its business.
    function test_an_entry_moves_no_peak_of_a_vault_that_shares_gains() external {
        fresh(200_000);
        enter(ALICE, 1_000e6);
        (uint256 peak,) = vault.marksX64();
        vm.prank(address(vault));
        asset.transfer(KEEPER, 300e6);
        for (uint256 i = 0; i < 2; i++) {
            byEitherDoor(i, 1_000e6);
            (uint256 now_,) = vault.marksX64();
            eq(now_, peak, "as it was");
        }
    }

    function test_gains_are_shared_from_a_million_units_on() external {
        for (uint256 i = 0; i < 2; i++) {
            fresh(200_000);
            enter(ALICE, 400_000);
            asset.mint(address(vault), 599_999 + i);
            eq(vault.totalAssets(), 999_999 + i, "around a million");
            eq(vault.previewDeposit(1e6) == vault.convertToShares(1e6) ? 0 : 1, i, "previewed");
            settle();
            eq(vault.balanceOf(FEE_TAKER) == 0 ? 0 : 1, i, "settled");
            isTrue((mark() == NEW) == (i == 0), "marked");
        }
    }

    function test_without_a_share_of_gains_the_mark_begins_anew_and_does_not_move() external {
        fresh(0);
        risk.mint(address(vault), uint256(2 ** 128) / dear() + 1);
        enter(ALICE, 1_000_000e6);
        uint256 before = mark();
        isTrue(before != NEW, "anew");
        asset.mint(address(vault), 900_000e6);
        enter(BOB, 1_000_000e6);
        eq(mark(), before, "of no use, so not written");
    }
}
