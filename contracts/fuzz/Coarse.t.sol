// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {IMintable} from "./Market.sol";
import {Rig} from "./Rig.sol";
import {Token} from "./Token.sol";

/// @title A risk token of 8 decimals of which one unit is worth 600 of the asset: a fee of one unit is much
abstract contract CoarseTests is Rig {
    function order() internal pure virtual returns (bool);

    function setUp() external {
        vm.warp(START);
        IMintable a = IMintable(address(new Token("USD", 6)));
        IMintable r = IMintable(address(new Token("BTC", 8)));
        while ((address(r) < address(a)) != order()) r = IMintable(address(new Token("BTC", 8)));
        // The square roots of 600 and of its inverse, times 2**96.
        openPoolAt(
            uint160(order() ? Math.sqrt(600 * 2 ** 192) : Math.sqrt(uint256(2 ** 192) / 600)), a, r, 80, 5e13
        );
        for (uint256 i = 0; i < 40; i++) {
            vm.warp(block.timestamp + 240);
            swapOutside(i % 2 == 0, i % 2 == 0 ? 3e9 : 1_800_000e6);
        }
        furnish();
        enter(ALICE, 1_000_000e6);
        enter(BOB, 1_000e6);
        keep(64);
        keep(64);
        uint256 price = venue.spotX128() >> 128;
        isTrue(price > 550 && price < 650, "some 600 units");
        isTrue(risk.balanceOf(address(vault)) > 0, "held");
    }

    /// @dev From an own reading of the rules: what is left after a fee of whole units, at the lower price, less slippage.
    function floorOf(uint256 shares) private view returns (uint256) {
        uint256 supply = settledSupply();
        uint256 slice = risk.balanceOf(address(vault)) * shares / supply;
        uint256 sold = slice - (slice * FEE + 999_999) / 1e6;
        (uint256 spot, uint256 twap) = (venue.spotX128(), venue.twapX128());
        uint256 value = Math.mulDiv(sold, spot < twap ? spot : twap, 2 ** 128);
        return asset.balanceOf(address(vault)) * shares / supply + value * (1e6 - 5_000) / 1e6;
    }

    /// @dev What two units of the risk token and three of the asset cost besides, of the whole vault's floor.
    function sharesFor(uint256 assets) private view returns (uint256) {
        (uint256 spot, uint256 twap) = (venue.spotX128(), venue.twapX128());
        uint256 held = risk.balanceOf(address(vault));
        uint256 sold = held - (held * FEE + 999_999) / 1e6;
        uint256 price = spot < twap ? spot : twap;
        uint256 value = Math.mulDiv(sold, price, 2 ** 128) * (1e6 - 5_000) / 1e6 + asset.balanceOf(address(vault));
        uint256 dust = 3 + 2 * Math.mulDiv(price, 1, 2 ** 128, Math.Rounding.Ceil);
        return Math.mulDiv(assets + dust, settledSupply(), value, Math.Rounding.Ceil);
    }

    function redeems(address actor, uint256 shares) private {
        uint256 promised = vault.previewRedeem(shares);
        eq(promised, floorOf(shares), "the floor");
        uint256 before = asset.balanceOf(actor);
        vm.prank(actor);
        uint256 got = vault.redeem(shares, actor, actor);
        le(promised, got, "at least the floor");
        eq(asset.balanceOf(actor) - before, got, "paid");
    }

    function withdraws(address actor, uint256 assets) private {
        uint256 promised = vault.previewWithdraw(assets);
        eq(promised, sharesFor(assets), "every rounding paid for");
        uint256 before = asset.balanceOf(actor);
        vm.prank(actor);
        le(vault.withdraw(assets, actor, actor), promised, "at most");
        eq(asset.balanceOf(actor) - before, assets, "exactly");
    }

    function test_every_small_redemption_and_withdrawal_goes_through() external {
        for (uint256 i = 0; i < 120; i++) {
            // One unit at first, then cents, in which the fee of a unit is a great part.
            uint256 assets = i < 60 ? 1 + i * 37 : (i - 59) * 10_000;
            uint256 snapshot = vm.snapshotState();
            redeems(BOB, vault.convertToShares(assets));
            vm.revertToState(snapshot);
            withdraws(BOB, assets);
            vm.revertToState(snapshot);
        }
        redeems(BOB, 1);
        redeems(BOB, vault.maxRedeem(BOB));
        withdraws(ALICE, vault.maxWithdraw(ALICE));
    }

    function testFuzz_every_redemption_goes_through_and_pays_its_floor(bool who, uint256 shares, uint256 scale) external {
        moved(scale);
        address actor = who ? ALICE : BOB;
        shares = within(shares, 1, vault.maxRedeem(actor));
        shares = shares / 10 ** (scale % 18);
        redeems(actor, shares == 0 ? 1 : shares);
    }

    function testFuzz_every_withdrawal_goes_through_and_pays_exactly(bool who, uint256 assets, uint256 scale) external {
        moved(scale);
        address actor = who ? ALICE : BOB;
        assets = within(assets, 1, vault.maxWithdraw(actor));
        assets = assets / 10 ** (scale % 12);
        withdraws(actor, assets == 0 ? 1 : assets);
    }

    /// @dev Small sales, of which the fee of a unit is more than the slippage.
    function test_small_sales_of_an_epoch_go_through() external {
        for (uint256 units = 1; units < 200; units += 11) {
            uint256 snapshot = vm.snapshotState();
            VaultConfig memory c = config();
            (c.policy.minWeightWad, c.policy.deadbandWad) = (0, 0);
            vault = newVault(c);
            risk.mint(address(vault), units * 2);
            uint256 epoch = keep(64);
            isTrue(vault.lastEpoch() == epoch, "accepted");
            isTrue(units == 1 || risk.balanceOf(address(vault)) < units * 2, "sold");
            vm.revertToState(snapshot);
        }
    }

    /// @dev Spot away from the mean, and gains that are due.
    function moved(uint256 seed) private {
        if ((seed >> 8) % 3 != 0) {
            bool sell = (seed >> 8) % 3 == 1;
            swapOutside(sell, within(seed >> 16, 1, sell ? 4e9 : 2_500_000e6));
        }
        if ((seed >> 9) % 2 == 0) asset.mint(address(vault), within(seed >> 32, 1, 300_000e6));
    }
}

contract CoarseTest is CoarseTests {
    function order() internal pure override returns (bool) {
        return true;
    }
}

contract FlippedCoarseTest is CoarseTests {
    function order() internal pure override returns (bool) {
        return false;
    }
}
