// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees, IInferenceVault} from "../interfaces/IInferenceVault.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {IMintable} from "./Market.sol";
import {Rig} from "./Rig.sol";
import {Token} from "./Token.sol";
import {Vm} from "./Vm.sol";

/// @title From which value a fall is counted: no gift, no dust and no empty vault sets it, or stops a vault
contract PeaksTest is Rig {
    uint256 private constant NEW = uint256(2 ** 64) / 1e6;

    /// @dev A vault that stays in the asset, so that its value is known to the unit; it stops at a fall of two fifths.
    function calm() private {
        VaultConfig memory c = config();
        (c.fees, c.policy.minWeightWad, c.depositCap) = (Fees(0, 0, 0, address(0)), 0, 1e40);
        vault = newVault(c);
    }

    function peak() private view returns (uint256 high) {
        (high,) = vault.marksX64();
    }

    function valueX64() private view returns (uint256) {
        return (vault.totalAssets() + 1) * 2 ** 64 / (vault.totalSupply() + 1e6);
    }

    /// @dev The vault loses all of its asset but `rest`.
    function loses(uint256 rest) private {
        uint256 cash = asset.balanceOf(address(vault));
        vm.prank(address(vault));
        asset.transfer(KEEPER, cash - rest);
    }

    /// @dev Marks of 96 bits were full after one gift of a unit with 18 decimals: no fall was seen any more.
    function test_a_gift_to_an_empty_vault_switches_no_stop_off() external {
        vm.warp(START);
        IMintable a = IMintable(address(new Token("USD", 18)));
        IMintable r = IMintable(address(new Token("ETH", 18)));
        while (address(r) < address(a)) r = IMintable(address(new Token("ETH", 18)));
        buildWith(a, r);
        uint256[4] memory gifts = [uint256(0), 1, 1e18, 1e24];
        for (uint256 i = 0; i < 4; i++) {
            for (uint256 falls = 0; falls < 2; falls++) {
                calm();
                asset.mint(address(vault), gifts[i]);
                enter(ALICE, 1_000_000e18);
                keep(0);
                uint256 nav = vault.totalAssets();
                eq(peak(), (nav + 1) * 2 ** 64 / (vault.totalSupply() + 1e6), "the value is the peak");
                loses(falls == 0 ? nav * 61 / 100 : nav * 59 / 100);
                keep(0);
                isTrue(vault.stopped() == (falls == 1), "a fall beyond two fifths stops");
            }
        }
    }

    /// @dev Dust of the risk token in an empty vault, and a price that falls: a unit of the asset less was a half once.
    function test_dust_in_an_empty_vault_stops_nothing() external {
        build(true);
        calm();
        keep(0);
        uint256 dust = uint256(2 ** 128) / venue.twapX128();
        risk.mint(address(vault), dust + dust / 5_000 + 1);
        keep(38);
        isTrue(vault.totalAssets() > 0, "worth a unit");
        swapOutside(true, 40e18);
        keep(38);
        isTrue(vault.totalAssets() == 0 && !vault.stopped() && vault.maxDeposit(BOB) > 0, "and none, and open");
        eq(peak(), NEW, "nothing was judged");
    }

    function test_below_a_million_units_no_fall_is_judged_and_at_a_million_it_is() external {
        build(true);
        for (uint256 i = 0; i < 2; i++) {
            calm();
            enter(BOB, 100e6);
            keep(0);
            loses(999_999 + i);
            keep(0);
            eq(vault.totalAssets(), 999_999 + i, "what is left");
            isTrue(vault.stopped() == (i == 1), "judged at a million");
        }
    }

    function test_below_a_million_units_no_rise_is_a_peak_and_at_a_million_it_is() external {
        build(true);
        for (uint256 i = 0; i < 2; i++) {
            calm();
            asset.mint(address(vault), 999_999 + i);
            keep(0);
            eq(peak(), i == 0 ? NEW : uint256(1_000_001) * 2 ** 64 / 1e6, "a peak at a million");
        }
    }

    /// @dev Who enters next to nothing begins anew, though shares of what has fallen are still there; a fall from there stops.
    function test_the_first_entry_into_next_to_nothing_restarts_the_peak() external {
        build(true);
        for (uint256 i = 0; i < 2; i++) {
            calm();
            enter(BOB, 100e6);
            keep(0);
            uint256 before = peak();
            loses(999_999 + i);
            uint256 value = uint256(1_000_000 + i) * 2 ** 64 / (vault.totalSupply() + 1e6);
            enter(ALICE, 1_000_000e6);
            eq(peak(), i == 0 ? value : before, "anew below a million only");
            keep(0);
            isTrue(vault.stopped() == (i == 1), "counted from there");
            if (i == 1) break;
            isTrue(peak() >= value && peak() <= value + value / 1e6, "the value of the entry");
            loses(vault.totalAssets() / 2);
            keep(0);
            isTrue(vault.stopped(), "a fall after it stops");
        }
    }

    /// @dev Nearly all of it in the risk token: so little of the asset says nothing of the value.
    function test_an_entry_into_a_vault_without_cash_restarts_the_peak_below_a_million_units_only() external {
        build(true);
        for (uint256 i = 0; i < 3; i++) {
            calm();
            enter(BOB, 100e6);
            keep(0);
            uint256 before = peak();
            loses(499_999 + i);
            uint256 half = Math.mulDiv(500_000, 2 ** 128, venue.twapX128(), Math.Rounding.Ceil);
            risk.mint(address(vault), half);
            uint256 nav = vault.totalAssets();
            eq(nav, 999_999 + i, "around a million");
            enter(ALICE, 1e6);
            eq(peak(), i == 0 ? valueX64() : before, "anew below a million only");
        }
    }

    function test_a_mint_restarts_the_peak_as_a_deposit_does() external {
        build(true);
        calm();
        enter(BOB, 100e6);
        keep(0);
        loses(500_000);
        fund(ALICE, 1_000_000e6);
        vm.prank(ALICE);
        vault.mint(1e15, ALICE);
        eq(peak(), valueX64(), "anew");
    }

    function test_a_resumption_tells_the_value_from_which_the_next_fall_is_counted() external {
        build(true);
        calm();
        enter(ALICE, 1_000e6);
        keep(0);
        loses(500e6);
        keep(0);
        isTrue(vault.stopped(), "stopped");
        vm.prank(OWNER);
        vault.scheduleResume();
        vm.warp(block.timestamp + DELAY);
        vm.recordLogs();
        vault.resumeTrading();
        uint256 value = (500e6 + 1) * uint256(2 ** 64) / (vault.totalSupply() + 1e6);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        isTrue(logs.length == 1 && logs[0].topics[0] == IInferenceVault.TradingResumed.selector, "said");
        eq(abi.decode(logs[0].data, (uint256)), value, "what a share is worth");
        eq(peak(), value, "and that is the peak");
    }
}
