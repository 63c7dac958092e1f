// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees, IInferenceVault} from "../interfaces/IInferenceVault.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {VaultFees} from "../VaultFees.sol";
import {Rig} from "./Rig.sol";
import {Vm} from "./Vm.sol";

contract FeesTest is Rig {
    function setUp() external {
        build(true);
        enter(ALICE, 1_000_000e6);
    }

    function with(Fees memory f) public returns (IInferenceVault) {
        VaultConfig memory c = config();
        c.fees = f;
        return newVault(c);
    }

    function test_terms_are_told_and_out_of_range_refused() external {
        Fees memory f = vault.fees();
        isTrue(keccak256(abi.encode(f)) == keccak256(abi.encode(fees())), "told");
        Fees[5] memory bad = [
            Fees(1, 50_001, 0, address(0)),
            Fees(1, 50_000, 300_001, BOB),
            Fees(0, 0, 1, address(0)),
            Fees(0, 1, 0, address(0)),
            Fees(1, 0, 0, address(0))
        ];
        for (uint256 i = 0; i < 5; i++) {
            vm.expectRevert(abi.encodeWithSelector(VaultFees.FeesInvalid.selector, bad[i]));
            this.with(bad[i]);
        }
        with(Fees(1, 50_000, 300_000, BOB));
        with(Fees(0, 0, 0, address(0)));
    }

    function test_invariant_12_the_years_share_bounds_an_epochs_reward() external {
        uint256 nav = vault.totalAssets();
        vm.warp((latest() + 1) * PERIOD);
        keep(64);
        // Two epochs have passed since deployment's; deployment took longer than one.
        uint256 paid = asset.balanceOf(KEEPER);
        uint256 perEpoch = nav * 40_000 * PERIOD / (1e6 * 365 days);
        isTrue(paid % 1 == 0 && paid > perEpoch && paid <= 50e6, "more than one epoch's, at most the budget");
        uint256 before = asset.balanceOf(KEEPER);
        nav = vault.totalAssets();
        keep(64);
        uint256 second = asset.balanceOf(KEEPER) - before;
        isTrue(second <= nav * 41_000 * PERIOD / (1e6 * 365 days), "one epoch's share at most");
        isTrue(second >= nav * 39_000 * PERIOD / (1e6 * 365 days), "and that");
        eq(asset.balanceOf(SENDER), 0, "not the sender");
    }

    function test_invariant_12_a_reward_that_the_token_refuses_is_owed() external {
        keep(10);
        uint256 epoch = closeEpoch(30);
        allow(epoch, 10, KEEPER);
        asset.freeze(true);
        rebalance(epoch, 10);
        uint256 due = vault.owed(address(asset), KEEPER);
        isTrue(due > 0 && vault.totalOwed(address(asset)) == due, "owed");
        asset.freeze(false);
        uint256 before = asset.balanceOf(KEEPER);
        eq(vault.claim(address(asset), KEEPER), due, "claimed");
        eq(asset.balanceOf(KEEPER) - before, due, "paid");
        eq(vault.owed(address(asset), KEEPER) + vault.totalOwed(address(asset)), 0, "no longer owed");
    }

    function test_without_a_budget_nothing_is_paid_and_an_empty_vault_pays_nothing() external {
        vault = with(Fees(0, 0, 0, address(0)));
        enter(BOB, 100_000e6);
        keep(64);
        eq(asset.balanceOf(KEEPER), 0, "no budget");
        vault = with(fees());
        vm.recordLogs();
        keep(64);
        eq(asset.balanceOf(KEEPER), 0, "nothing to pay from");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            isTrue(logs[i].topics[0] != IInferenceVault.RewardPaid.selector, "nothing said");
        }
    }

    /// @dev A tenth of what the shares gained above their best value, in new shares, once.
    function test_gains_are_shared_once_above_the_high_water_mark() external {
        keep(6);
        eq(vault.balanceOf(FEE_TAKER), 0, "no gain");
        uint256 nav = vault.totalAssets();
        asset.mint(address(vault), 100_000e6);
        uint256 grown = vault.totalAssets();
        keep(6);
        uint256 shares = vault.balanceOf(FEE_TAKER);
        uint256 value = vault.convertToAssets(shares);
        // What was gained above the first mark of one for one: rewards of some dollars lie between.
        uint256 share = (grown - 1_000_000e6) / 10;
        isTrue(value > share * 995 / 1_000 && value < share * 1_005 / 1_000 && grown > nav, "a tenth of the gain");
        keep(6);
        eq(vault.balanceOf(FEE_TAKER), shares, "only once");
        asset.mint(address(vault), 50_000e6);
        keep(6);
        isTrue(vault.balanceOf(FEE_TAKER) > shares, "again above the mark");
    }

    /// @dev A vault that stays in the asset, so that its value is known to the unit.
    function calm(Fees memory f) internal {
        VaultConfig memory c = config();
        (c.fees, c.policy.minWeightWad) = (f, 0);
        vault = newVault(c);
        enter(BOB, 100_000e6);
        keep(0);
    }

    /// @dev What was minted for gains, and the gains' share, in the epochs since `recordLogs`.
    function performancePaid() internal returns (uint256 times, uint256 shares, uint256 assets) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] != IInferenceVault.PerformanceFeePaid.selector) continue;
            times++;
            (shares, assets) = abi.decode(logs[i].data, (uint256, uint256));
        }
    }

    function test_the_fee_on_gains_is_exact_and_at_the_mark_itself_there_is_none() external {
        calm(Fees(0, 0, 100_000, FEE_TAKER));
        asset.mint(address(vault), 10_000e6);
        (uint256 nav, uint256 supply) = (vault.totalAssets(), vault.totalSupply() + 1e6);
        vm.recordLogs();
        keep(0);
        (uint256 times, uint256 shares, uint256 assets) = performancePaid();
        isTrue(times == 1 && assets > 999e6 && assets <= 1_000e6, "a tenth of the gain");
        eq(shares, Math.mulDiv(assets, supply, nav + 1 - assets), "worth the fee once they are minted");
        eq(vault.balanceOf(FEE_TAKER), shares, "to the recipient");
        vm.recordLogs();
        keep(0);
        (times,,) = performancePaid();
        eq(times, 0, "not again at the same value");
    }

    function test_without_a_share_of_gains_a_gain_costs_nothing() external {
        calm(Fees(0, 0, 0, address(0)));
        asset.mint(address(vault), 10_000e6);
        uint256 supply = vault.totalSupply();
        uint256 epoch = keep(0);
        isTrue(vault.lastEpoch() == epoch && vault.totalSupply() == supply, "kept, nothing minted");
    }

    function test_the_first_epoch_pays_for_one() external {
        calm(Fees(50e6, 40_000, 0, address(0)));
        eq(asset.balanceOf(KEEPER), 100_000e6 * 40_000 * PERIOD / (1e6 * 365 days), "one epoch's share of a year");
    }

    function test_an_epoch_that_closed_before_the_vault_was_made_pays_for_one() external {
        uint256 epoch = closeEpoch(30);
        VaultConfig memory c = config();
        (c.fees, c.policy.minWeightWad) = (Fees(50e6, 40_000, 0, address(0)), 0);
        vault = newVault(c);
        enter(BOB, 100_000e6);
        allow(epoch, 0, KEEPER);
        rebalance(epoch, 0);
        eq(asset.balanceOf(KEEPER), 100_000e6 * 40_000 * PERIOD / (1e6 * 365 days), "one epoch's share of a year");
    }

    function rewardAfter(uint256 epochs) private returns (uint256 paid) {
        uint256 snapshot = vm.snapshotState();
        vm.warp(block.timestamp + (epochs - 1) * PERIOD);
        uint256 before = asset.balanceOf(KEEPER);
        keep(0);
        paid = asset.balanceOf(KEEPER) - before;
        vm.revertToState(snapshot);
    }

    function test_invariant_12_missed_epochs_are_paid_for_up_to_a_day() external {
        calm(Fees(1_000e6, 40_000, 0, address(0)));
        uint256 value = vault.totalAssets() * 40_000;
        for (uint256 epochs = 1; epochs <= 24; epochs++) {
            eq(rewardAfter(epochs), value * PERIOD * epochs / (1e6 * 365 days), "each");
        }
        for (uint256 epochs = 25; epochs < 9_000; epochs *= 3) {
            eq(rewardAfter(epochs), value * 1 days / (1e6 * 365 days), "a day");
        }
    }

    /// @dev What the vault had not, for the time that it had it not, is not paid for.
    function test_invariant_12_half_a_year_of_emptiness_earns_a_day_at_most() external {
        VaultConfig memory c = config();
        (c.fees, c.policy.minWeightWad) = (Fees(1_000e6, 50_000, 0, address(0)), 0);
        c.safeguards.outageEpochs = 0;
        vault = newVault(c);
        vm.warp(block.timestamp + 180 days);
        enter(BOB, 20_000e6);
        keep(0);
        eq(asset.balanceOf(KEEPER), 20_000e6 * uint256(50_000) / (1e6 * 365), "of twenty thousand");
    }

    /// @dev A period may be longer than a day: one of it is paid for, and two are not.
    function test_invariant_12_of_a_period_longer_than_a_day_one_is_paid_for() external {
        VaultConfig memory c = config();
        (c.fees, c.policy.minWeightWad, c.period) = (Fees(1_000e6, 40_000, 0, address(0)), 0, 3 days);
        vault = newVault(c);
        enter(BOB, 100_000e6);
        for (uint256 skipped = 0; skipped < 3; skipped += 2) {
            uint256 before = asset.balanceOf(KEEPER);
            uint256 value = vault.totalAssets() * 40_000;
            uint256 end = (block.timestamp / 3 days + 1 + skipped) * 3 days;
            vm.warp(end + 30);
            verifier.allow(instancesOf(inputsFor(end, BAR, COUNT, int256(uint256(CLIP))), KEEPER, 0));
            vault.rebalance(end / 3 days, KEEPER, one(0), proof(), hintsFor(end, BAR, COUNT));
            eq(asset.balanceOf(KEEPER) - before, value * 3 days / (1e6 * 365 days), "one period");
        }
    }

    function test_the_least_reward_is_paid() external {
        calm(Fees(1, 50_000, 0, address(0)));
        eq(asset.balanceOf(KEEPER), 1, "one unit");
    }
}
