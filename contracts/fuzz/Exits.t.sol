// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IInferenceVault} from "../interfaces/IInferenceVault.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {Vm} from "./Vm.sol";
import {Rig} from "./Rig.sol";

abstract contract ExitTests is Rig {
    function order() internal pure virtual returns (bool);

    function setUp() external {
        build(order());
        enter(ALICE, 800_000e6);
        enter(BOB, 200_000e6);
        keep(38);
        vm.warp(block.timestamp + TWAP_SECONDS);
    }

    function test_an_exit_in_kind_pays_the_slice_of_each_balance_and_says_so() external {
        uint256 shares = vault.balanceOf(BOB) / 3;
        uint256 supply = vault.totalSupply() + 1e6;
        uint256 cash = asset.balanceOf(address(vault)) * shares / supply;
        uint256 held = risk.balanceOf(address(vault)) * shares / supply;
        uint256 before = asset.balanceOf(KEEPER);
        vm.recordLogs();
        vm.prank(BOB);
        vault.redeemInKind(shares, KEEPER, BOB);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        isTrue(logs[logs.length - 1].topics[0] == IInferenceVault.RedeemedInKind.selector, "said");
        isTrue(keccak256(logs[logs.length - 1].data) == keccak256(abi.encode(shares, cash, held)), "what");
        eq(asset.balanceOf(KEEPER) - before, cash, "cash");
        eq(risk.balanceOf(KEEPER), held, "risk");
    }

    function test_others_shares_need_an_allowance_that_is_spent() external {
        bytes memory reason =
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(this), 0, 1e12);
        vm.expectRevert(reason);
        vault.redeemInKind(1e12, address(this), BOB);
        vm.expectRevert(reason);
        vault.redeem(1e12, address(this), BOB);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        vault.withdraw(1e6, address(this), BOB);
        vm.prank(BOB);
        vault.approve(address(this), 3e15);
        vault.redeemInKind(1e15, address(this), BOB);
        vault.redeem(1e15, address(this), BOB);
        eq(vault.allowance(BOB, address(this)), 1e15, "spent");
        uint256 burned = vault.withdraw(1e6, address(this), BOB);
        eq(vault.allowance(BOB, address(this)), 1e15 - burned, "spent");
    }

    function test_more_than_is_owned_is_refused_by_name() external {
        uint256 own = vault.balanceOf(BOB);
        vm.startPrank(BOB);
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxRedeem.selector, BOB, own + 1, own));
        vault.redeem(own + 1, BOB, BOB);
        uint256 most = vault.previewRedeem(own);
        vm.expectRevert(
            abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxWithdraw.selector, BOB, most + 10, most)
        );
        vault.withdraw(most + 10, BOB, BOB);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        vault.redeemInKind(own + 1, BOB, BOB);
    }

    function test_a_redemption_pays_its_sale_and_withdrawal_exactly() external {
        uint256 shares = vault.balanceOf(BOB) / 2;
        uint256 supply = settledSupply();
        isTrue(supply > vault.totalSupply() + 1e6, "gains are due, and settled first");
        uint256 held = risk.balanceOf(address(vault));
        uint256 price = venue.spotX128() < venue.twapX128() ? venue.spotX128() : venue.twapX128();
        uint256 slice = held * shares / supply;
        uint256 cash = asset.balanceOf(address(vault)) * shares / supply;
        uint256 sold = slice - (slice * FEE + 999_999) / 1e6;
        uint256 promised = vault.previewRedeem(shares);
        eq(promised, cash + Math.mulDiv(sold, price, 2 ** 128) * (1e6 - 5_000) / 1e6, "the floor");
        vm.prank(BOB);
        uint256 got = vault.redeem(shares, BOB, BOB);
        isTrue(got >= promised && got <= cash + (slice * (price >> 32) >> 96), "between floor and value");
        eq(held - risk.balanceOf(address(vault)), slice, "only the slice is sold");
        eq(risk.allowance(address(vault), address(venue)), 0, "no allowance is left");
        vm.prank(BOB);
        uint256 burned = vault.withdraw(1_000e6, KEEPER, BOB);
        isTrue(vault.convertToAssets(burned) < 1_006e6 && vault.convertToAssets(burned) > 1_000e6, "little above");
        eq(vault.previewWithdraw(0), 0, "nothing for nothing");
    }

    /// @dev After a fall in this block spot before it stands, in whole ticks; after a rise spot itself.
    function test_the_entry_pays_the_highest_price_and_the_spread() external {
        ITicks ticks = ITicks(deployed("LibraryHarness", ""));
        for (uint256 i = 0; i < 2; i++) {
            uint256 snapshot = vm.snapshotState();
            int256[] memory before = new int256[](1);
            (, before[0],,,,,) = pool.slot0();
            swapOutside(i == 0, i == 0 ? 100e18 : 300_000e6);
            (uint256 high, uint256 twap) = (venue.spotX128(), venue.twapX128());
            isTrue((high < twap) == (i == 0), "moved");
            if (i == 0) high = ticks.prices(before, riskIsToken0)[0];
            uint256 value = Math.mulDiv(risk.balanceOf(address(vault)), high > twap ? high : twap, 2 ** 128);
            uint256 nav = asset.balanceOf(address(vault)) + value;
            uint256 cost = (value * 1e18 + nav - 1) / nav * spread();
            uint256 net = 10_000e6 - (10_000e6 * cost + 1e24 - 1) / 1e24;
            uint256 shares = vault.previewDeposit(10_000e6);
            eq(shares, net * settledSupply() / (nav + 1), "shares");
            uint256 assets = vault.previewMint(shares);
            isTrue(assets <= 10_000e6 && assets + 2 >= 10_000e6, "the same price for a mint");
            vm.revertToState(snapshot);
        }
    }

    function test_max_redeem_is_what_the_pool_takes_within_the_slippage() external {
        uint256 own = vault.balanceOf(ALICE);
        eq(vault.maxRedeem(ALICE), own, "the pool takes all");
        risk.mint(address(vault), 5_000e18);
        uint256 most = vault.maxRedeem(ALICE);
        uint256 takes = venue.sellable(5_000);
        uint256 share = takes * (vault.totalSupply() + 1e6) / risk.balanceOf(address(vault));
        isTrue(most == share && most < own, "the pool takes a part");
        isTrue(vault.maxWithdraw(ALICE) < vault.previewRedeem(own), "and so for cash");
        isTrue(vault.maxWithdraw(ALICE) <= vault.previewRedeem(most), "no more than that");
        isTrue(vault.maxWithdraw(ALICE) + 10_000 >= vault.previewRedeem(most), "and hardly less");
        eq(vault.maxRedeem(BOB), vault.balanceOf(BOB) < share ? vault.balanceOf(BOB) : share, "each for himself");
    }

    function test_views_answer_with_the_last_mean_when_the_pool_is_dead() external {
        uint256 epoch = closeEpoch(30);
        allow(epoch, 38, KEEPER);
        uint256 twap = venue.twapX128();
        rebalance(epoch, 38);
        uint256 worth = asset.balanceOf(address(vault)) + (risk.balanceOf(address(vault)) * (twap >> 32) >> 96);
        vm.etch(address(pool), hex"5f5ffd");
        isTrue(vault.totalAssets() <= worth + 1 && vault.totalAssets() + 1 >= worth, "the last mean");
        isTrue(vault.maxDeposit(ALICE) == 0 && vault.maxMint(ALICE) == 0, "nothing enters");
        eq(vault.maxRedeem(ALICE), 0, "no cash is promised");
        eq(vault.maxWithdraw(ALICE), 0, "no cash is promised");
        isTrue(vault.previewRedeem(1e12) > 0 && vault.riskWeightWad() > 0, "previews answer");
        vm.prank(ALICE);
        vault.redeemInKind(1e12, ALICE, ALICE);
    }

    function test_a_frozen_token_is_owed_and_claimed() external {
        risk.freeze(true);
        uint256 total = vault.totalAssets();
        vm.prank(BOB);
        (, uint256 first) = vault.redeemInKind(1e15, BOB, BOB);
        vm.prank(ALICE);
        (, uint256 second) = vault.redeemInKind(1e15, BOB, ALICE);
        eq(vault.owed(address(risk), BOB), first + second, "owed");
        eq(vault.totalOwed(address(risk)), first + second, "in all");
        isTrue(vault.totalAssets() < total, "no longer the vault's");
        vm.expectRevert();
        vault.claim(address(risk), BOB);
        risk.freeze(false);
        vm.recordLogs();
        eq(vault.claim(address(risk), BOB), first + second, "claimed");
        eq(vm.getRecordedLogs().length, 2, "said");
        eq(risk.balanceOf(BOB), first + second, "paid");
        eq(vault.totalOwed(address(risk)), 0, "no more");
        eq(vault.claim(address(risk), BOB), 0, "nothing twice");
    }

    function test_the_cap_bounds_deposits_and_mints_and_the_greatest_is_for_none() external {
        VaultConfig memory c = config();
        c.depositCap = 1_000e6;
        vault = newVault(c);
        enter(BOB, 400e6);
        eq(vault.maxDeposit(BOB), 600e6, "the rest");
        eq(vault.maxMint(BOB), vault.previewDeposit(600e6), "as shares");
        fund(BOB, 1e12);
        vm.startPrank(BOB);
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxDeposit.selector, BOB, 600e6 + 1, 600e6));
        vault.deposit(600e6 + 1, BOB);
        uint256 most = vault.maxMint(BOB);
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxMint.selector, BOB, most + 1, most));
        vault.mint(most + 1, BOB);
        vault.deposit(600e6, BOB);
        eq(vault.maxDeposit(BOB), 0, "full");
        asset.transfer(address(vault), 5e6);
        eq(vault.maxDeposit(BOB), 0, "a gift above it");
        vm.stopPrank();
        c.depositCap = type(uint256).max;
        vault = newVault(c);
        eq(vault.maxDeposit(BOB), type(uint256).max, "none");
        eq(vault.maxMint(BOB), type(uint256).max, "none");
        eq(vault.decimals(), 12, "six virtual decimals");
    }

    function test_a_permit_allows() external {
        uint256 key = 0xA11CE;
        address signer = vm.addr(key);
        bytes32 typehash = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Vault"),
                keccak256("1"),
                block.chainid,
                vault
            )
        );
        bytes32 body = keccak256(abi.encode(typehash, signer, BOB, 7, 0, block.timestamp));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, body)));
        IPermit(address(vault)).permit(signer, BOB, 7, block.timestamp, v, r, s);
        eq(vault.allowance(signer, BOB), 7, "allowed");
    }
}

interface ITicks {
    function prices(int256[] calldata ticks, bool riskIsToken0) external pure returns (uint256[] memory);
}

interface IPermit {
    function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) external;
}

contract ExitsTest is ExitTests {
    function order() internal pure override returns (bool) {
        return true;
    }
}

contract FlippedExitsTest is ExitTests {
    function order() internal pure override returns (bool) {
        return false;
    }
}
