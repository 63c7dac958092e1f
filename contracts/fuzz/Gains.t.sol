// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees, IInferenceVault} from "../interfaces/IInferenceVault.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {Rig} from "./Rig.sol";
import {Vm} from "./Vm.sol";

/// @title Who pays for gains: those who held while they were made, and nobody who comes later
contract GainsTest is Rig {
    function setUp() external {
        build(true);
    }

    /// @dev A vault that stays in the asset, so that its value is known to the unit.
    function calm(uint256 performancePips) private {
        VaultConfig memory c = config();
        c.fees = Fees(0, 0, performancePips, performancePips == 0 ? address(0) : FEE_TAKER);
        (c.policy.minWeightWad, c.depositCap) = (0, 1e40);
        vault = newVault(c);
    }

    function worthOf(address account) private view returns (uint256) {
        return vault.convertToAssets(vault.balanceOf(account));
    }

    function mark() private view returns (uint256 high) {
        (, high) = vault.marksX64();
    }

    /// @dev What was announced since `recordLogs`: the epoch, shares and assets of the one event.
    function announced() private returns (uint256 epoch, uint256 shares, uint256 assets) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 found;
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] != IInferenceVault.PerformanceFeePaid.selector) continue;
            found++;
            epoch = uint256(logs[i].topics[1]);
            isTrue(logs[i].topics[2] == bytes32(uint256(uint160(FEE_TAKER))), "to the recipient");
            (shares, assets) = abi.decode(logs[i].data, (uint256, uint256));
        }
        eq(found, 1, "once");
    }

    function test_a_vault_that_was_left_takes_nothing_of_the_next_deposit() external {
        calm(100_000);
        enter(BOB, 1_000e6);
        vm.startPrank(BOB);
        vault.redeemInKind(vault.balanceOf(BOB), BOB, BOB);
        vm.stopPrank();
        isTrue(asset.balanceOf(address(vault)) > 0 && vault.totalSupply() == 0, "a rest is left, of nobody");
        enter(ALICE, 1_000_000e6);
        keep(0);
        le(1_000_000e6 - 2, worthOf(ALICE), "all of the deposit but roundings");
        le(worthOf(FEE_TAKER), 1, "nothing for gains");
    }

    function test_the_least_part_of_gains_is_settled_before_an_entry_and_its_preview_knows() external {
        calm(1);
        enter(ALICE, 1_000_000e6);
        asset.mint(address(vault), 1_000_000e6);
        uint256 promised = vault.previewDeposit(10_000e6);
        isTrue(promised > vault.convertToShares(10_000e6), "a millionth of the gain is due");
        eq(enter(BOB, 10_000e6), promised, "as previewed");
        isTrue(worthOf(FEE_TAKER) > 0.99e6 && worthOf(FEE_TAKER) <= 1e6, "a dollar of a million");
    }

    function testFuzz_dust_before_the_first_deposit_takes_nothing_of_it(uint256 gift, uint256 assets) external {
        calm(300_000);
        gift = within(gift, 1, 1e6);
        assets = within(assets, 1e6, 1_000_000e6);
        asset.mint(address(vault), gift);
        enter(ALICE, assets);
        keep(0);
        // What a share is rounded by: a virtual share's worth, of which there are a million.
        le(assets, worthOf(ALICE) + 2 + gift / 1e6, "all of the deposit but roundings");
        le(worthOf(FEE_TAKER), gift * 3 / 10, "the gift's part at most");
    }

    function test_invariant_3_who_enters_after_a_gain_pays_nothing_of_it_and_the_holders_exactly_their_part() external {
        calm(200_000);
        enter(ALICE, 1_000_000e6);
        uint256 first = keep(0);
        asset.mint(address(vault), 100_000e6);
        uint256 supply = vault.totalSupply() + 1e6;
        eq(mark(), uint256(2 ** 64) / 1e6, "the mark of a new vault");
        uint256 gained = (((1_100_000e6 + 1) * 2 ** 64 / supply - mark()) * supply) >> 64;
        vm.recordLogs();
        enter(BOB, 1_000_000e6);
        (uint256 epoch, uint256 shares, uint256 assets) = announced();
        eq(epoch, first, "in the name of the last epoch");
        eq(assets, gained * 200_000 / 1e6, "a fifth of the gain");
        eq(shares, assets * supply / (1_100_000e6 + 1 - assets), "as shares");
        eq(vault.balanceOf(FEE_TAKER), shares, "minted");
        uint256 bob = worthOf(BOB);
        uint256 alice = worthOf(ALICE);
        isTrue(bob <= 1_000_000e6 && bob + 2 >= 1_000_000e6, "worth what was paid");
        isTrue(alice <= 1_080_000e6 && alice + 2 >= 1_080_000e6, "four fifths of the gain are the holder's");
        isTrue(worthOf(FEE_TAKER) <= 20_000e6 && worthOf(FEE_TAKER) + 2 >= 20_000e6, "and one the recipient's");
        keep(0);
        isTrue(worthOf(BOB) == bob && worthOf(ALICE) == alice, "and the next epoch takes no more");
        eq(vault.balanceOf(FEE_TAKER), shares, "nothing is shared twice");
    }

    /// @dev By each of the four ways the same is settled; its preview knew.
    function test_invariant_3_every_entry_and_exit_for_cash_settles_first_and_previews_know() external {
        calm(200_000);
        enter(ALICE, 1_000_000e6);
        fund(ALICE, 10_000e6);
        keep(0);
        asset.mint(address(vault), 100_000e6);
        uint256 supply = vault.totalSupply() + 1e6;
        (uint256 due,) = gains(1_100_000e6, supply, mark(), 200_000);
        for (uint256 i = 0; i < 4; i++) {
            uint256 snapshot = vm.snapshotState();
            vm.startPrank(ALICE);
            if (i == 0) eq(vault.previewDeposit(1_000e6), vault.deposit(1_000e6, ALICE), "a deposit");
            if (i == 1) eq(vault.previewMint(1e15), vault.mint(1e15, ALICE), "a mint");
            if (i == 2) eq(vault.previewRedeem(1e15), vault.redeem(1e15, ALICE, ALICE), "a redemption");
            if (i == 3) eq(vault.previewWithdraw(1_000e6), vault.withdraw(1_000e6, ALICE, ALICE), "a withdrawal");
            vm.stopPrank();
            eq(vault.balanceOf(FEE_TAKER), due, "settled");
            uint256 left = (1_100_000e6 + 1) * 2 ** 64 / (supply + due);
            uint256 value = (vault.totalAssets() + 1) * 2 ** 64 / (vault.totalSupply() + 1e6);
            eq(mark(), i < 2 && value > left ? value : left, "the mark is the value that is left, an entry's roundings in it");
            vm.revertToState(snapshot);
        }
    }

    /// @dev It needs no price, so it can settle none: the recipient goes without the leaver's part, and the others owe no more.
    function test_an_exit_in_kind_settles_nothing() external {
        calm(200_000);
        enter(ALICE, 1_000_000e6);
        keep(0);
        asset.mint(address(vault), 100_000e6);
        uint256 before = mark();
        vm.prank(ALICE);
        (uint256 assets,) = vault.redeemInKind(1e17, ALICE, ALICE);
        eq(assets, 1_100_000e6 * uint256(1e17) / (1e18 + 1e6), "a tenth of everything");
        isTrue(mark() == before && vault.balanceOf(FEE_TAKER) == 0, "nothing is settled");
        keep(0);
        uint256 due = worthOf(FEE_TAKER);
        isTrue(due <= 18_000e6 && due + 2 >= 18_000e6, "and then a fifth of the gain that is left");
    }

    function test_at_the_mark_and_below_it_nothing_is_due() external {
        calm(200_000);
        enter(ALICE, 1_000_000e6);
        keep(0);
        vm.prank(address(vault));
        asset.transfer(KEEPER, 100_000e6);
        uint256 before = mark();
        vm.recordLogs();
        enter(BOB, 1_000e6);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            isTrue(logs[i].topics[0] != IInferenceVault.PerformanceFeePaid.selector, "nothing said");
        }
        isTrue(mark() == before && vault.balanceOf(FEE_TAKER) == 0, "nothing is settled");
        eq(vault.previewDeposit(1e9), Math.mulDiv(1e9, vault.totalSupply() + 1e6, navNow() + 1), "or previewed");
    }

    /// @dev The marks were of 96 bits once, and one gift of a unit with 18 decimals filled them for good.
    function test_a_gift_to_an_empty_vault_fills_no_mark() external {
        calm(300_000);
        asset.mint(address(vault), 1e24);
        enter(ALICE, 1_000_000e6);
        (uint256 peak, uint256 high) = vault.marksX64();
        le(high, type(uint128).max - 1, "there is room above");
        le(peak, type(uint128).max - 1, "there is room above");
        eq(high, (vault.totalAssets() + 1) * 2 ** 64 / (vault.totalSupply() + 1e6), "and it is exact");
    }
}
