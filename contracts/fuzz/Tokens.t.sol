// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {VaultEntries} from "../VaultEntries.sol";
import {IMintable} from "./Market.sol";
import {Rig} from "./Rig.sol";
import {Quirk, QuirkyToken} from "./Zoo.sol";

/// @title What a vault does with tokens of every shape: as asset, as risk token, and put on later by an issuer
contract TokensTest is Rig {
    function open(uint8 assetDecimals, uint8 riskDecimals) private {
        vm.warp(START);
        IMintable a = IMintable(address(new QuirkyToken(assetDecimals)));
        IMintable r = IMintable(address(new QuirkyToken(riskDecimals)));
        while (address(r) < address(a)) r = IMintable(address(new QuirkyToken(riskDecimals)));
        buildWith(a, r);
    }

    function put(bool onAsset, Quirk quirk) private {
        QuirkyToken(payable(address(onAsset ? asset : risk))).become(quirk, BOB);
    }

    /// @dev Everything that a vault does, to the last share.
    function live() private {
        enter(ALICE, 700_000e6);
        enter(BOB, 200_000e6);
        keep(38);
        isTrue(risk.balanceOf(address(vault)) > 0, "bought");
        vm.warp(block.timestamp + TWAP_SECONDS);
        vm.startPrank(BOB);
        uint256 cash = asset.balanceOf(BOB);
        uint256 got = vault.redeem(vault.balanceOf(BOB) / 2, BOB, BOB);
        eq(asset.balanceOf(BOB) - cash, got, "redeemed");
        vault.withdraw(1_000e6, BOB, BOB);
        vm.stopPrank();
        keep(10);
        uint256 shares = vault.balanceOf(BOB);
        uint256 supply = vault.totalSupply() + 1e6;
        uint256 due = risk.balanceOf(address(vault)) * shares / supply;
        vm.prank(BOB);
        vault.redeemInKind(shares, BOB, BOB);
        eq(risk.balanceOf(BOB) + vault.owed(address(risk), BOB), due, "paid in kind");
    }

    /// @dev 1 to 6: answers and refusals that are no loss.
    function test_tokens_that_answer_otherwise_are_used_all_the_same() external {
        Quirk[5] memory quirks =
            [Quirk.NoReturn, Quirk.ReturnsMore, Quirk.RefusesZero, Quirk.RefusesReapproval, Quirk.None];
        for (uint256 i = 0; i < 10; i++) {
            open(6, 18);
            put(i % 2 == 0, quirks[i / 2]);
            live();
        }
    }

    /// @dev 7 and 8: few decimals and many.
    function test_tokens_of_few_and_many_decimals_are_used_all_the_same() external {
        uint8[2][3] memory decimals = [[2, 8], [0, 24], [18, 6]];
        for (uint256 i = 0; i < 3; i++) {
            open(decimals[i][0], decimals[i][1]);
            eq(vault.decimals(), decimals[i][0] + 6, "six more");
            live();
        }
    }

    /// @dev 9 to 12: an issuer who says no, by revert, by `false`, to all or to one, or by burning all gas.
    function test_an_issuers_refusal_holds_nobody_elses_token_and_is_owed() external {
        Quirk[4] memory quirks = [Quirk.Paused, Quirk.Blacklists, Quirk.ReturnsFalse, Quirk.BurnsGas];
        for (uint256 i = 0; i < 8; i++) {
            open(6, 18);
            enter(ALICE, 700_000e6);
            enter(BOB, 200_000e6);
            keep(38);
            bool onAsset = i % 2 == 0;
            put(onAsset, quirks[i / 2]);
            (IMintable bad, IMintable good) = onAsset ? (asset, risk) : (risk, asset);
            uint256 shares = vault.balanceOf(BOB);
            uint256 due = bad.balanceOf(address(vault)) * shares / (vault.totalSupply() + 1e6);
            vm.prank(BOB);
            vault.redeemInKind{gas: 30_000_000}(shares, BOB, BOB);
            isTrue(good.balanceOf(BOB) > 0, "the other token came");
            eq(vault.owed(address(bad), BOB), due, "and this is owed");
            put(onAsset, Quirk.None);
            uint256 before = bad.balanceOf(BOB);
            vault.claim(address(bad), BOB);
            eq(bad.balanceOf(BOB) - before, due, "until it is paid");
            vm.prank(ALICE);
            vault.redeemInKind(1e12, ALICE, ALICE);
        }
    }

    /// @dev 13: a transfer that returns `false` on the way in is no deposit.
    function test_a_deposit_that_did_not_arrive_gives_no_shares() external {
        open(6, 18);
        put(true, Quirk.ReturnsFalse);
        vm.startPrank(BOB);
        (bool ok,) = address(asset).call(abi.encodeCall(asset.approve, (address(vault), type(uint256).max)));
        isTrue(ok, "approved");
        vm.expectRevert();
        vault.deposit(1e6, BOB);
        eq(vault.totalSupply(), 0, "no shares");
    }

    /// @dev Shares are for what is asked: were they given for what a fee leaves, the other holders would pay it.
    function test_an_asset_that_takes_a_fee_lets_nobody_enter() external {
        open(6, 18);
        enter(ALICE, 100_000e6);
        fund(BOB, 10_000e6);
        put(true, Quirk.TakesFee);
        uint256 supply = vault.totalSupply();
        uint256 cost = vault.previewMint(1e15);
        vm.startPrank(BOB);
        vm.expectRevert(abi.encodeWithSelector(VaultEntries.AssetsNotReceived.selector, 990e6, 1_000e6));
        vault.deposit(1_000e6, BOB);
        vm.expectRevert(abi.encodeWithSelector(VaultEntries.AssetsNotReceived.selector, cost - cost / 100, cost));
        vault.mint(1e15, BOB);
        eq(vault.totalSupply(), supply, "no shares");
        QuirkyToken(payable(address(asset))).become(Quirk.MovesMore, BOB);
        uint256 before = asset.balanceOf(address(vault));
        vault.deposit(1_000e6, BOB);
        eq(asset.balanceOf(address(vault)) - before, 1_010e6, "more is a gift");
        le(vault.convertToAssets(vault.balanceOf(BOB)), 1_000e6 + 1_000e6 / 1_000, "which all holders share");
    }

    /// @dev 14 and 15: an issuer who turns on a fee, or moves more than asked. The tools refuse such a token before a vault is
    ///      made. Where it turns so later, no trade goes through on the pool with the fee, and exits in kind still share what
    ///      is there.
    function test_a_token_that_turns_to_moving_other_amounts_is_shared_out() external {
        for (uint256 i = 0; i < 4; i++) {
            open(6, 18);
            enter(ALICE, 700_000e6);
            enter(BOB, 200_000e6);
            keep(38);
            put(i % 2 == 0, i < 2 ? Quirk.TakesFee : Quirk.MovesMore);
            uint256 epoch = closeEpoch(30);
            allow(epoch, 6, KEEPER);
            bytes memory where = hints(epoch);
            bool refused;
            try vault.rebalance(epoch, KEEPER, one(6), proof(), where) {}
            catch {
                refused = true;
            }
            isTrue(refused == (i < 2), "no trade with a fee on the way, and one where more moves");
            uint256 shares = vault.balanceOf(BOB);
            uint256 cash = asset.balanceOf(address(vault)) * shares / (vault.totalSupply() + 1e6);
            uint256 before = asset.balanceOf(BOB);
            vm.prank(BOB);
            vault.redeemInKind(shares, BOB, BOB);
            isTrue(asset.balanceOf(BOB) - before >= cash * 98 / 100, "shared out");
        }
    }

    /// @dev 16 and 17: balances that change by themselves. Gains and losses are all holders', and what is owed to earlier
    ///      ones can be more than is there; that does not stop the exits.
    function test_a_token_that_rebases_is_shared_out_even_below_what_is_owed() external {
        for (uint256 i = 0; i < 2; i++) {
            open(6, 18);
            enter(ALICE, 10_000e6);
            enter(BOB, 900_000e6);
            keep(38);
            put(false, Quirk.Paused);
            vm.startPrank(BOB);
            vault.redeemInKind(vault.balanceOf(BOB), BOB, BOB);
            vm.stopPrank();
            put(false, i == 0 ? Quirk.Shrinks : Quirk.Grows);
            uint256 before = asset.balanceOf(ALICE);
            vault.totalAssets();
            vm.startPrank(ALICE);
            vault.redeemInKind(vault.balanceOf(ALICE), ALICE, ALICE);
            vm.stopPrank();
            isTrue(asset.balanceOf(ALICE) > before, "the other token came");
            isTrue((risk.balanceOf(ALICE) > 0) == (i == 1), "nothing is left of a token that shrank below what is owed");
        }
    }
}
