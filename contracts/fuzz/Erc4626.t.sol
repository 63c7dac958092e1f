// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Rig} from "./Rig.sol";

/// @title The 26 properties that public suites ask of ERC-4626 vaults, written anew, on a vault that holds both tokens
contract Erc4626Test is Rig {
    struct World {
        uint256 amount;
        uint256 who;
        uint256 market;
        uint256 gift;
        uint8 output;
    }

    address private actor;
    uint256 private amount;

    function setUp() external {
        build(true);
        enter(ALICE, 700_000e6);
        enter(BOB, 30_000e6);
        keep(48);
    }

    /// @dev A random state: traded or not, moved, given to; an actor and an amount.
    modifier world(World memory w) {
        if (w.market % 3 != 0) swapOutside(w.market % 3 == 1, w.market % 3 == 1 ? w.market % 90e18 + 1 : w.market % 3e11 + 1);
        if (w.gift % 3 == 1) asset.mint(address(vault), w.gift % 1e11);
        if (w.gift % 3 == 2) risk.mint(address(vault), w.gift % 30e18);
        if (w.output % 3 == 0) keep(int256(uint256(w.output) % 128));
        actor = w.who % 2 == 0 ? ALICE : BOB;
        amount = w.amount;
        fund(actor, 400_000e6);
        _;
    }

    function assetsIn() private view returns (uint256) {
        return within(amount, 1, 300_000e6);
    }

    function sharesIn() private view returns (uint256) {
        return within(amount, 1, 3e17);
    }

    function sharesOut() private view returns (uint256) {
        return within(amount, 0, vault.maxRedeem(actor));
    }

    function assetsOut() private view returns (uint256) {
        return within(amount, 0, vault.maxWithdraw(actor));
    }

    // -- views

    function testFuzz_erc4626_1_asset(World memory w) external world(w) {
        isTrue(vault.asset() == address(asset), "the asset");
    }

    function testFuzz_erc4626_2_total_assets_answers(World memory w) external world(w) {
        le(asset.balanceOf(address(vault)), vault.totalAssets(), "at least the cash");
    }

    function testFuzz_erc4626_3_convert_to_shares_is_the_same_for_all(World memory w) external world(w) {
        vm.prank(ALICE);
        uint256 first = vault.convertToShares(assetsIn());
        vm.prank(KEEPER);
        eq(first, vault.convertToShares(assetsIn()), "for all");
    }

    function testFuzz_erc4626_4_convert_to_assets_is_the_same_for_all(World memory w) external world(w) {
        vm.prank(ALICE);
        uint256 first = vault.convertToAssets(sharesIn());
        vm.prank(KEEPER);
        eq(first, vault.convertToAssets(sharesIn()), "for all");
    }

    function testFuzz_erc4626_5_there_and_back_of_assets_gains_nothing(World memory w) external world(w) {
        le(vault.convertToAssets(vault.convertToShares(assetsIn())), assetsIn(), "no more");
    }

    function testFuzz_erc4626_6_there_and_back_of_shares_gains_nothing(World memory w) external world(w) {
        le(vault.convertToShares(vault.convertToAssets(sharesIn())), sharesIn(), "no more");
    }

    function testFuzz_erc4626_7_max_deposit_goes_through(World memory w) external world(w) {
        uint256 most = vault.maxDeposit(actor);
        fund(actor, most);
        vm.startPrank(actor);
        vault.deposit(most, actor);
    }

    function testFuzz_erc4626_8_max_mint_goes_through(World memory w) external world(w) {
        uint256 most = vault.maxMint(actor);
        fund(actor, 1e16);
        vm.startPrank(actor);
        vault.mint(most, actor);
    }

    function testFuzz_erc4626_9_max_withdraw_goes_through(World memory w) external world(w) {
        vm.startPrank(actor);
        vault.withdraw(vault.maxWithdraw(actor), actor, actor);
    }

    function testFuzz_erc4626_10_max_redeem_goes_through(World memory w) external world(w) {
        vm.startPrank(actor);
        vault.redeem(vault.maxRedeem(actor), actor, actor);
    }

    // -- previews never flatter

    function testFuzz_erc4626_11_preview_deposit(World memory w) external world(w) {
        uint256 promised = vault.previewDeposit(assetsIn());
        vm.prank(actor);
        le(promised, vault.deposit(assetsIn(), actor), "at least");
    }

    function testFuzz_erc4626_12_preview_mint(World memory w) external world(w) {
        uint256 promised = vault.previewMint(sharesIn());
        vm.prank(actor);
        le(vault.mint(sharesIn(), actor), promised, "at most");
    }

    function testFuzz_erc4626_13_preview_withdraw(World memory w) external world(w) {
        uint256 assets = assetsOut();
        uint256 promised = vault.previewWithdraw(assets);
        vm.prank(actor);
        le(vault.withdraw(assets, actor, actor), promised, "at most");
    }

    function testFuzz_erc4626_14_preview_redeem(World memory w) external world(w) {
        uint256 shares = sharesOut();
        uint256 promised = vault.previewRedeem(shares);
        vm.prank(actor);
        le(promised, vault.redeem(shares, actor, actor), "at least");
    }

    // -- actions move what they say

    function testFuzz_erc4626_15_deposit_moves_what_it_says(World memory w) external world(w) {
        (uint256 cash, uint256 own) = (asset.balanceOf(actor), vault.balanceOf(KEEPER));
        vm.prank(actor);
        uint256 shares = vault.deposit(assetsIn(), KEEPER);
        eq(cash - asset.balanceOf(actor), assetsIn(), "assets");
        eq(vault.balanceOf(KEEPER) - own, shares, "shares");
    }

    function testFuzz_erc4626_16_mint_moves_what_it_says(World memory w) external world(w) {
        (uint256 cash, uint256 own) = (asset.balanceOf(actor), vault.balanceOf(KEEPER));
        vm.prank(actor);
        uint256 assets = vault.mint(sharesIn(), KEEPER);
        eq(cash - asset.balanceOf(actor), assets, "assets");
        eq(vault.balanceOf(KEEPER) - own, sharesIn(), "shares");
    }

    function testFuzz_erc4626_17_withdraw_moves_what_it_says(World memory w) external world(w) {
        (uint256 assets, uint256 own, uint256 cash) = (assetsOut(), vault.balanceOf(actor), asset.balanceOf(KEEPER));
        vm.prank(actor);
        uint256 shares = vault.withdraw(assets, KEEPER, actor);
        eq(own - vault.balanceOf(actor), shares, "shares");
        eq(asset.balanceOf(KEEPER) - cash, assets, "assets");
    }

    function testFuzz_erc4626_18_redeem_moves_what_it_says(World memory w) external world(w) {
        (uint256 shares, uint256 own, uint256 cash) = (sharesOut(), vault.balanceOf(actor), asset.balanceOf(KEEPER));
        vm.prank(actor);
        uint256 assets = vault.redeem(shares, KEEPER, actor);
        eq(own - vault.balanceOf(actor), shares, "shares");
        eq(asset.balanceOf(KEEPER) - cash, assets, "assets");
    }

    // -- round trips

    function testFuzz_erc4626_19_deposit_then_redeem(World memory w) external world(w) {
        vm.startPrank(actor);
        uint256 shares = vault.deposit(assetsIn(), actor);
        le(vault.redeem(shares, actor, actor), assetsIn(), "no gain");
    }

    function testFuzz_erc4626_20_deposit_then_withdraw(World memory w) external world(w) {
        vm.startPrank(actor);
        uint256 shares = vault.deposit(assetsIn(), actor);
        le(shares, vault.previewWithdraw(assetsIn()), "no gain");
    }

    function testFuzz_erc4626_21_redeem_then_deposit(World memory w) external world(w) {
        uint256 shares = sharesOut();
        vm.startPrank(actor);
        uint256 assets = vault.redeem(shares, actor, actor);
        le(vault.deposit(assets, actor), shares, "no gain");
    }

    function testFuzz_erc4626_22_redeem_then_mint(World memory w) external world(w) {
        uint256 shares = sharesOut();
        vm.startPrank(actor);
        uint256 assets = vault.redeem(shares, actor, actor);
        le(assets, vault.previewMint(shares), "no gain");
    }

    function testFuzz_erc4626_23_mint_then_withdraw(World memory w) external world(w) {
        vm.startPrank(actor);
        uint256 assets = vault.mint(sharesIn(), actor);
        le(sharesIn(), vault.previewWithdraw(assets), "no gain");
    }

    function testFuzz_erc4626_24_mint_then_redeem(World memory w) external world(w) {
        vm.startPrank(actor);
        uint256 assets = vault.mint(sharesIn(), actor);
        le(vault.redeem(sharesIn(), actor, actor), assets, "no gain");
    }

    function testFuzz_erc4626_25_withdraw_then_mint(World memory w) external world(w) {
        uint256 assets = assetsOut();
        vm.startPrank(actor);
        uint256 shares = vault.withdraw(assets, actor, actor);
        le(assets, vault.mint(shares, actor), "no gain");
    }

    function testFuzz_erc4626_26_withdraw_then_deposit(World memory w) external world(w) {
        uint256 assets = assetsOut();
        vm.startPrank(actor);
        uint256 shares = vault.withdraw(assets, actor, actor);
        le(vault.deposit(assets, actor), shares, "no gain");
    }
}
