// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees, Policy, Reason} from "../interfaces/IInferenceVault.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {Rig} from "./Rig.sol";

/// @title Who comes for a moment with much money: the spread of an entry pays the holders for what it can take
contract StrangersTest is Rig {
    function setUp() external {
        build(true);
    }

    /// @dev A vault of `nav` at the mean, a part of it in the risk token, in millionths.
    function filled(Policy memory terms, uint256 nav, uint256 weightPips) private {
        VaultConfig memory c = config();
        (c.fees, c.depositCap, c.policy) = (Fees(0, 0, 0, address(0)), 1e40, terms);
        vault = newVault(c);
        enter(ALICE, nav - nav * weightPips / 1e6);
        risk.mint(address(vault), Math.mulDiv(nav * weightPips / 1e6, 2 ** 128, venue.twapX128()));
        vm.warp(block.timestamp + PERIOD);
    }

    /// @dev What is gained, at a price that the pool does not know yet, by an entry and an exit in kind at once.
    function inAndOut(uint256 assets, uint256 fairX128) private returns (int256) {
        uint256 shares = enter(BOB, assets);
        vm.prank(BOB);
        (uint256 cash, uint256 held) = vault.redeemInKind(shares, BOB, BOB);
        return int256(cash + Math.mulDiv(held, fairX128, 2 ** 128)) - int256(assets);
    }

    /// @dev The market has risen elsewhere and this pool has not followed. At the pool's fee alone all of the vault's risk token
    ///      could be bought at the old price, whatever the pool's depth; now nothing is gained below fee and slippage, and
    ///      never more than what the rise is above them.
    function testFuzz_invariant_2_a_rise_elsewhere_pays_an_entry_only_above_fee_and_slippage(
        uint256 rise,
        uint256 assets,
        uint256 weight
    ) external {
        filled(policy(), 1_000_000e6, within(weight, 50_000, 950_000));
        rise = within(rise, 0, 20_000);
        uint256 held = Math.mulDiv(risk.balanceOf(address(vault)), dear(), 2 ** 128);
        uint256 most = rise > spread() ? held * (rise - spread()) / 1e6 : 0;
        int256 gain = inAndOut(within(assets, 1e6, 200_000_000e6), dear() + Math.mulDiv(dear(), rise, 1e6));
        isTrue(gain <= int256(most) + 1, "no more than that");
    }

    function test_invariant_2_a_rise_elsewhere_of_a_half_per_cent_costs_who_enters_for_it() external {
        filled(policy(), 1_000_000e6, 900_000);
        isTrue(inAndOut(100_000_000e6, dear() + dear() / 200) < 0, "at fee and slippage of 5,500 millionths");
    }

    /// @dev In and out of a vault nearly all in the risk token undoes the model's position, and pays the holders fee and slippage.
    function test_who_undoes_a_position_pays_the_holders_for_it() external {
        filled(policy(), 1_000_000e6, 900_000);
        uint256 had = vault.convertToAssets(vault.balanceOf(ALICE));
        uint256 moved = Math.mulDiv(risk.balanceOf(address(vault)), dear(), 2 ** 128);
        inAndOut(100_000_000e6, dear());
        isTrue(vault.riskWeightWad() < 0.02e18, "undone");
        moved -= Math.mulDiv(risk.balanceOf(address(vault)), dear(), 2 ** 128);
        le(had + moved * spread() * 98 / 1e8, vault.convertToAssets(vault.balanceOf(ALICE)), "paid for");
    }

    /// @dev In an epoch in which the model wants no trade: an entry makes one necessary, and in the same block the pool is pushed
    ///      up, the valid proof is sent, the pool is pulled back, and the entry leaves in kind. At the pool's fee alone this paid
    ///      265 dollars of a million a time and cost the holders 2,405.
    function test_invariant_2_a_trade_that_an_entry_makes_necessary_pays_nobody_who_pushes_before_it() external {
        uint256[3] memory navs = [uint256(1_000_000e6), 3_000_000e6, 10_000_000e6];
        for (uint256 n = 0; n < 3; n++) {
            for (uint256 push = 900_000e6; push <= 1_200_000e6; push += 50_000e6) {
                uint256 snapshot = vm.snapshotState();
                filled(Policy(0, 1e18, 0.02e18, 0.5e18, 500_000e6, 10_000, 7_500), navs[n], 601_562);
                (int256 gain, bool traded) = forced(820_000e6, push);
                vm.revertToState(snapshot);
                isTrue(traded || push > 1_100_000e6, "traded, but where the push is too far from the mean");
                isTrue(gain <= 0, "it does not pay");
            }
        }
    }

    function forced(uint256 assets, uint256 push) private returns (int256 gain, bool traded) {
        uint256 epoch = closeEpoch(30);
        uint256 fair = venue.spotX128();
        allow(epoch, 77, KEEPER);
        uint256 shares = enter(BOB, assets);
        uint256 got = swapOutside(false, push);
        traded = tryKeep(epoch) == uint256(Reason.Traded);
        gain = int256(swapOutside(true, got)) - int256(push) - int256(assets);
        vm.prank(BOB);
        (uint256 cash, uint256 held) = vault.redeemInKind(shares, BOB, BOB);
        gain += int256(cash + Math.mulDiv(held, fair, 2 ** 128));
    }

    /// @dev 99 for a revert.
    function tryKeep(uint256 epoch) private returns (uint256) {
        bytes memory where = hints(epoch);
        try vault.rebalance(epoch, KEEPER, one(77), proof(), where) returns (Reason r) {
            return uint256(r);
        } catch {
            return 99;
        }
    }

    function dear() private view returns (uint256) {
        return Math.max(Math.max(venue.highX128(), venue.recentX128()), venue.twapX128());
    }

    /// @dev The pool's fee of a whole unit was more than the slippage of a small trade, so that a gift of a hundredth of a cent to
    ///      an empty vault had every epoch refused, until the outage closed its entries.
    function test_no_gift_to_an_empty_vault_has_its_epochs_refused() external {
        for (uint256 dust = 0; dust < 4_000; dust = dust * 5 / 4 + 1) {
            uint256 snapshot = vm.snapshotState();
            vault = newVault(config());
            asset.mint(address(vault), dust);
            uint256 epoch = closeEpoch(30);
            allow(epoch, 77, KEEPER);
            le(tryKeep(epoch), uint256(Reason.Dust), "traded, or too little for it");
            vm.revertToState(snapshot);
        }
    }
}
