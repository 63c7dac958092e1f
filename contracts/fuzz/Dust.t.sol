// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees} from "../interfaces/IInferenceVault.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {IMintable} from "./Market.sol";
import {Rig} from "./Rig.sol";
import {Token} from "./Token.sol";

/// @title Dust of a risk token of 8 decimals where the asset has 18: one unit is worth 250,000,000,000 of the asset
/// @dev A million units of the asset were all that a value had to reach once. Of some satoshis a trade loses a tenth to a half to the
///      pool's rounded fee and to rounding: by that the vault stopped itself, and first deposits met marks of long ago.
contract DustTest is Rig {
    uint256 private constant NEW = uint256(2 ** 64) / 1e6;

    function setUp() external {
        vm.warp(START);
        IMintable a = IMintable(address(new Token("WETH", 18)));
        IMintable r = IMintable(address(new Token("BTC", 8)));
        while (address(r) > address(a)) r = IMintable(address(new Token("BTC", 8)));
        openPoolAt(uint160(Math.sqrt(uint256(2.5e11) * 2 ** 192)), a, r, 80, 2e17);
        for (uint256 i = 0; i < 40; i++) {
            vm.warp(block.timestamp + 240);
            swapOutside(i % 2 == 0, i % 2 == 0 ? 3e8 : 7.5e19);
        }
        furnish();
    }

    /// @dev Terms of the tools, but for the limit of a trade.
    function fresh(uint256 drawdownWad) private {
        VaultConfig memory c = config();
        (c.fees, c.depositCap, c.safeguards.drawdownWad) = (Fees(0, 0, 200_000, FEE_TAKER), 1e40, drawdownWad);
        (c.policy.minWeightWad, c.policy.maxWeightWad, c.policy.maxStepWad) = (0, 1e18, 0.5e18);
        (c.policy.maxNotional, c.policy.slippagePips, c.policy.deviationPips) = (1e30, 10_000, 7_500);
        vault = newVault(c);
    }

    function marks() private view returns (uint256 peak, uint256 high) {
        return vault.marksX64();
    }

    function value() private view returns (uint256) {
        return (vault.totalAssets() + 1) * 2 ** 64 / (vault.totalSupply() + 1e6);
    }

    function test_next_to_nothing_is_what_ten_thousand_units_of_the_risk_token_are_worth() external {
        fresh(0.3e18);
        uint256 price = Math.mulDiv(1e4, venue.twapX128(), 2 ** 128);
        isTrue(price > 2.4e15 && price < 2.6e15, "ten thousand satoshis");
        eq(vault.leastJudged(), price, "fixed when the vault is made");
        swapOutside(true, 1e10);
        vm.warp(block.timestamp + 2 * TWAP_SECONDS);
        isTrue(Math.mulDiv(1e4, venue.twapX128(), 2 ** 128) < price, "another price");
        eq(vault.leastJudged(), price, "the same");
    }

    function test_a_million_units_of_the_asset_are_the_least_where_the_risk_token_is_fine() external {
        build(true);
        eq(vault.leastJudged(), 1e6, "a dollar");
    }

    /// @dev Epochs that go in and out: every trade loses a satoshi and more.
    function test_satoshis_stop_no_vault_and_set_no_mark() external {
        uint256[4] memory gifts = [uint256(5), 9, 13, 9_900];
        for (uint256 i = 0; i < 4; i++) {
            fresh(i == 0 ? 0.3e18 : 0.5e18);
            risk.mint(address(vault), gifts[i]);
            for (uint256 epoch = 1; epoch < 20; epoch++) keep((epoch / 3) % 2 == 0 ? int256(0) : int256(128));
            (uint256 peak, uint256 high) = marks();
            isTrue(peak == NEW && high == NEW, "nothing was judged");
            isTrue(!vault.stopped() && vault.maxDeposit(ALICE) > 0, "open");
        }
    }

    /// @dev The first epoch after it stopped the vault, though nobody had lost anything.
    function test_the_first_deposit_meets_no_mark_of_dust() external {
        for (uint256 held = 0; held < 2; held++) {
            fresh(0.3e18);
            if (held == 1) enter(BOB, 1);
            risk.mint(address(vault), 5);
            keep(0);
            keep(0);
            enter(ALICE, 300e18);
            (uint256 peak, uint256 high) = marks();
            isTrue(peak == value() && high == peak, "what a share is worth");
            keep(0);
            isTrue(!vault.stopped(), "and nothing fell");
            asset.mint(address(vault), 30e18);
            keep(0);
            uint256 part = vault.convertToAssets(vault.balanceOf(FEE_TAKER));
            isTrue(part > 5.999e18 && part <= 6e18, "a fifth of the gain");
        }
    }

    /// @dev From the least on a fall is judged, and an entry begins nothing anew.
    function test_at_the_least_value_a_fall_stops_and_one_below_it_does_not() external {
        for (uint256 i = 0; i < 2; i++) {
            fresh(0.3e18);
            enter(ALICE, 10e18);
            keep(0);
            uint256 cash = asset.balanceOf(address(vault));
            uint256 rest = vault.leastJudged() - 1 + i;
            vm.prank(address(vault));
            asset.transfer(KEEPER, cash - rest);
            (uint256 peak, uint256 high) = marks();
            uint256 snapshot = vm.snapshotState();
            keep(0);
            isTrue(vault.stopped() == (i == 1), "judged");
            vm.revertToState(snapshot);
            enter(BOB, 1e18);
            (uint256 peakThen, uint256 highThen) = marks();
            isTrue(i == 0 ? peakThen == value() : peakThen == peak, "the peak");
            isTrue(i == 0 ? highThen == value() : highThen == high, "the mark");
        }
    }
}
