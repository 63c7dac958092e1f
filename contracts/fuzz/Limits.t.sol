// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC5143} from "../interfaces/IERC5143.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {VaultPrices} from "../VaultPrices.sol";
import {Rig} from "./Rig.sol";

/// @title The caller's limits (ERC-5143), and limits that never revert
contract LimitsTest is Rig {
    IERC5143 private limited;

    function setUp() external {
        build(true);
        enter(ALICE, 800_000e6);
        keep(38);
        limited = IERC5143(address(vault));
        fund(BOB, 100_000e6);
        fund(ALICE, 100_000e6);
    }

    function test_a_deposit_takes_its_least_shares_and_refuses_one_more() external {
        uint256 shares = vault.previewDeposit(5_000e6);
        vm.startPrank(BOB);
        vm.expectRevert(abi.encodeWithSelector(IERC5143.SharesTooFew.selector, shares, shares + 1));
        limited.deposit(5_000e6, KEEPER, shares + 1);
        uint256 cash = asset.balanceOf(BOB);
        eq(limited.deposit(5_000e6, KEEPER, shares), shares, "answered");
        eq(vault.balanceOf(KEEPER), shares, "given");
        eq(cash - asset.balanceOf(BOB), 5_000e6, "by the caller");
    }

    function test_a_mint_takes_its_most_assets_and_refuses_one_less() external {
        uint256 assets = vault.previewMint(5e15);
        vm.startPrank(BOB);
        vm.expectRevert(abi.encodeWithSelector(IERC5143.AssetsTooMany.selector, assets, assets - 1));
        limited.mint(5e15, KEEPER, assets - 1);
        uint256 cash = asset.balanceOf(BOB);
        eq(limited.mint(5e15, KEEPER, assets), assets, "answered");
        eq(vault.balanceOf(KEEPER), 5e15, "given");
        eq(cash - asset.balanceOf(BOB), assets, "by the caller");
    }

    function test_a_withdrawal_takes_its_most_shares_and_refuses_one_less() external {
        uint256 shares = vault.previewWithdraw(5_000e6);
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IERC5143.SharesTooMany.selector, shares, shares - 1));
        limited.withdraw(5_000e6, KEEPER, ALICE, shares - 1);
        (uint256 own, uint256 cash) = (vault.balanceOf(ALICE), asset.balanceOf(KEEPER));
        eq(limited.withdraw(5_000e6, KEEPER, ALICE, shares), shares, "answered");
        eq(own - vault.balanceOf(ALICE), shares, "burned");
        eq(asset.balanceOf(KEEPER) - cash, 5_000e6, "paid");
    }

    function test_a_redemption_takes_its_least_assets_and_refuses_one_more() external {
        uint256 snapshot = vm.snapshotState();
        vm.prank(ALICE);
        uint256 assets = vault.redeem(5e15, KEEPER, ALICE);
        vm.revertToState(snapshot);
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IERC5143.AssetsTooFew.selector, assets, assets + 1));
        limited.redeem(5e15, KEEPER, ALICE, assets + 1);
        uint256 cash = asset.balanceOf(KEEPER);
        eq(limited.redeem(5e15, KEEPER, ALICE, assets), assets, "answered");
        eq(asset.balanceOf(KEEPER) - cash, assets, "paid");
    }

    /// @dev Others' shares need an allowance by these doors as by the plain ones.
    function test_limits_open_no_door_to_others_shares() external {
        vm.startPrank(BOB);
        vm.expectRevert();
        limited.redeem(1e15, BOB, ALICE, 0);
        vm.expectRevert();
        limited.withdraw(1e6, BOB, ALICE, type(uint256).max);
        vm.stopPrank();
        vm.prank(ALICE);
        vault.approve(BOB, 1e15);
        vm.prank(BOB);
        limited.redeem(1e15, BOB, ALICE, 0);
        eq(vault.allowance(ALICE, BOB), 0, "spent");
    }

    /// @dev A holder pushes the price up before another's deposit: with a limit of a thousandth it does not go through.
    function test_a_limit_refuses_an_entry_that_was_made_dearer() external {
        uint256 shares = vault.previewDeposit(5_000e6);
        swapOutside(false, 8_000_000e6);
        uint256 fewer = vault.previewDeposit(5_000e6);
        isTrue(fewer < shares - shares / 1_000, "dearer");
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(IERC5143.SharesTooFew.selector, fewer, shares - shares / 1_000));
        limited.deposit(5_000e6, BOB, shares - shares / 1_000);
    }

    function testFuzz_no_cap_makes_a_maximum_revert(uint256 cap, uint8 bits, uint256 given) external {
        VaultConfig memory c = config();
        c.depositCap = bits % 4 == 0 ? type(uint256).max - cap % 3 : 1 + (cap >> bits);
        if (c.depositCap == 0) c.depositCap = 1;
        vault = newVault(c);
        for (uint256 i = 0; i < 3; i++) {
            uint256 room = c.depositCap == type(uint256).max ? c.depositCap : c.depositCap - least(navNow(), c.depositCap);
            eq(vault.maxDeposit(BOB), room, "what the cap leaves");
            uint256 shares = vault.maxMint(BOB);
            if (room == type(uint256).max) eq(shares, room, "no bound");
            else eq(shares, vault.previewDeposit(least(room, type(uint128).max)), "as shares, of 128 bits of assets at most");
            vault.maxRedeem(BOB);
            vault.maxWithdraw(BOB);
            if (i == 0 && room > 1e6) enter(BOB, within(given, 1, least(room, 900_000e6)));
            if (i == 1) risk.mint(address(vault), within(given >> 64, 1, 1_000e18));
        }
    }

    function least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    /// @dev No share of nothing pays anything; the answer is what the rounding costs, at a worth of one unit.
    function test_an_empty_vault_previews_without_a_revert() external {
        vault = newVault(config());
        eq(vault.previewWithdraw(7), 10e6, "as if there were a unit, and three for roundings");
        eq(vault.previewWithdraw(0), 0, "nothing for nothing");
        eq(vault.previewRedeem(1e6) + vault.maxWithdraw(BOB) + vault.maxRedeem(BOB), 0, "nothing");
        eq(vault.previewDeposit(7), 7e6, "a million shares a unit");
        eq(vault.previewMint(7e6), 7, "and a unit for them");
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxWithdraw.selector, BOB, 7, 0));
        vault.withdraw(7, BOB, BOB);
    }

    /// @dev Where only one of the prices that an entry needs can be read, nothing enters, and no maximum reverts.
    function test_an_entry_needs_every_price_and_says_so_by_zero() external {
        isTrue(vault.maxDeposit(BOB) > 0, "open");
        for (uint256 i = 0; i < 3; i++) {
            uint256 snapshot = vm.snapshotState();
            HalfBlindVenue blind = new HalfBlindVenue(venue, i);
            vm.etch(address(venue), address(blind).code);
            eq(vault.maxDeposit(BOB), 0, "nothing");
            eq(vault.maxMint(BOB), 0, "nothing");
            vault.maxRedeem(ALICE);
            vault.maxWithdraw(ALICE);
            vault.totalAssets();
            vm.revertToState(snapshot);
        }
    }

    function make(VaultConfig memory c) public {
        newVault(c);
    }

    function test_a_venue_without_code_is_refused_by_name() external {
        VaultConfig memory c = config();
        address[2] memory nobody = [address(0), ALICE];
        for (uint256 i = 0; i < 2; i++) {
            c.venue = IVenue(nobody[i]);
            vm.expectRevert(abi.encodeWithSelector(VaultPrices.VenueHasNoCode.selector, nobody[i]));
            this.make(c);
        }
    }
}

/// @title A venue whose prices can be read but for one
contract HalfBlindVenue {
    uint256 private immutable _twap;
    uint256 private immutable _high;
    uint256 private immutable _recent;

    /// @param blindTo 0 for the mean, 1 for the high, 2 for the recent means.
    constructor(IVenue venue, uint256 blindTo) {
        _twap = blindTo == 0 ? 0 : venue.twapX128();
        _high = blindTo == 1 ? 0 : venue.highX128();
        _recent = blindTo == 2 ? 0 : venue.recentX128();
    }

    function recentX128() external view returns (uint256) {
        require(_recent != 0, "blind");
        return _recent;
    }

    function twapX128() external view returns (uint256) {
        require(_twap != 0, "blind");
        return _twap;
    }

    function highX128() external view returns (uint256) {
        require(_high != 0, "blind");
        return _high;
    }

    function spotX128() external view returns (uint256) {
        return _twap + _high + _recent;
    }

    function sellable(uint256) external pure returns (uint256) {
        return 1e30;
    }
}
