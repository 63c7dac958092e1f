// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Fees, IInferenceVault, Policy, Safeguards} from "../interfaces/IInferenceVault.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {InferenceVault, VaultConfig} from "../InferenceVault.sol";
import {VaultPricing} from "../VaultPricing.sol";
import {VaultSafeguards} from "../VaultSafeguards.sol";
import {Rig} from "./Rig.sol";

contract SafeguardsTest is Rig {
    function setUp() external {
        build(true);
        enter(ALICE, 1_000_000e6);
    }

    function make(VaultConfig memory c) public returns (IInferenceVault) {
        return newVault(c);
    }

    function refuses(VaultConfig memory c, bytes memory reason) internal {
        vm.expectRevert(reason);
        this.make(c);
    }

    function test_terms_are_told() external view {
        isTrue(keccak256(abi.encode(vault.policy())) == keccak256(abi.encode(policy())), "policy");
        isTrue(keccak256(abi.encode(vault.safeguards())) == keccak256(abi.encode(safeguards())), "safeguards");
        isTrue(vault.registry() == address(registry) && vault.venue() == address(venue), "parts");
        isTrue(vault.period() == PERIOD && vault.maxAge() == MAX_AGE && vault.depositCap() == 1e15, "terms");
        isTrue(vault.asset() == address(asset) && vault.risk() == address(risk), "tokens");
    }

    function test_terms_out_of_range_are_refused_by_name() external {
        VaultConfig memory c = config();
        c.maxAge = 0;
        refuses(c, abi.encodeWithSelector(InferenceVault.MaxAgeInvalid.selector, PERIOD, 0));
        c.maxAge = PERIOD + 1;
        refuses(c, abi.encodeWithSelector(InferenceVault.MaxAgeInvalid.selector, PERIOD, PERIOD + 1));
        c.maxAge = PERIOD;
        make(c);
        c.period = 0;
        refuses(c, abi.encodeWithSelector(VaultSafeguards.PeriodZero.selector));
        c = config();
        c.depositCap = 0;
        refuses(c, abi.encodeWithSelector(VaultPricing.DepositCapZero.selector));
        c = config();
        c.registry = IModelRegistry(ALICE);
        refuses(c, abi.encodeWithSelector(VaultSafeguards.RegistryHasNoCode.selector, ALICE));
    }

    function refusesSafeguards(Safeguards memory s) internal {
        VaultConfig memory c = config();
        c.safeguards = s;
        refuses(c, abi.encodeWithSelector(VaultSafeguards.SafeguardsInvalid.selector, s));
    }

    function test_safeguards_out_of_range_are_refused_and_edges_taken() external {
        refusesSafeguards(Safeguards(0, 0, 0));
        refusesSafeguards(Safeguards(0, 1_000e18 + 1, 0));
        refusesSafeguards(Safeguards(0, 1e18, 1e18));
        refusesSafeguards(Safeguards(uint256(type(uint64).max) + 1, 1e18, 0));
        VaultConfig memory c = config();
        c.safeguards = Safeguards(type(uint64).max, 1_000e18, 1e18 - 1);
        make(c);
    }

    function refusesPolicy(Policy memory p) internal {
        VaultConfig memory c = config();
        c.policy = p;
        refuses(c, abi.encodeWithSelector(VaultPricing.PolicyInvalid.selector, p));
    }

    function test_policies_out_of_range_are_refused_and_edges_taken() external {
        refusesPolicy(Policy(0.9e18 + 1, 0.9e18, 0, 1e18, 1, 0, 0));
        refusesPolicy(Policy(0, 1e18 + 1, 0, 1e18, 1, 0, 0));
        refusesPolicy(Policy(0, 1e18, 1e18 + 1, 1e18, 1, 0, 0));
        refusesPolicy(Policy(0, 1e18, 0, 0, 1, 0, 0));
        refusesPolicy(Policy(0, 1e18, 0, 1e18 + 1, 1, 0, 0));
        refusesPolicy(Policy(0, 1e18, 0, 1e18, 0, 0, 0));
        refusesPolicy(Policy(0, 1e18, 0, 1e18, 1, 100_001, 0));
        refusesPolicy(Policy(0, 1e18, 0, 1e18, 1, 0, 1_000_001));
        VaultConfig memory c = config();
        c.policy = Policy(1e18, 1e18, 1e18, 1e18, 1, 100_000, 1_000_000);
        make(c);
    }

    function test_missed_epochs_close_the_entries_until_the_next_is_accepted() external {
        keep(64);
        vm.warp(block.timestamp + 6 * PERIOD);
        isTrue(vault.missedEpochs() == 6 && !vault.withdrawOnly(), "six are allowed");
        vm.warp(block.timestamp + PERIOD);
        isTrue(vault.withdrawOnly() && !vault.stopped() && vault.maxMint(BOB) == 0, "seven are not");
        fund(BOB, 1e6);
        vm.startPrank(BOB);
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxDeposit.selector, BOB, 1e6, 0));
        vault.deposit(1e6, BOB);
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxMint.selector, BOB, 1, 0));
        vault.mint(1, BOB);
        vm.stopPrank();
        keep(64);
        isTrue(!vault.withdrawOnly() && vault.maxDeposit(BOB) > 0, "open again");
        VaultConfig memory c = config();
        c.safeguards.outageEpochs = 0;
        vault = newVault(c);
        vm.warp(block.timestamp + 365 days);
        isTrue(!vault.withdrawOnly(), "zero is for never");
    }

    function test_invariant_13_a_stop_is_at_once_and_a_resumption_after_the_delay() external {
        vm.expectRevert(abi.encodeWithSelector(IInferenceVault.NotPermitted.selector, address(this)));
        vault.stopTrading();
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IInferenceVault.NotStopped.selector));
        vault.scheduleResume();
        vm.recordLogs();
        vm.prank(GUARDIAN);
        vault.stopTrading();
        eq(vm.getRecordedLogs().length, 1, "said");
        isTrue(vault.stopped() && vault.withdrawOnly() && vault.resumableAt() == 0, "stopped");
        vm.expectRevert(abi.encodeWithSelector(IInferenceVault.ResumeNotDue.selector, 0, block.timestamp));
        vault.resumeTrading();
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IInferenceVault.NotPermitted.selector, GUARDIAN));
        vault.scheduleResume();
        vm.recordLogs();
        vm.prank(OWNER);
        vault.scheduleResume();
        eq(vm.getRecordedLogs().length, 1, "said");
        uint256 due = block.timestamp + DELAY;
        eq(vault.resumableAt(), due, "date");
        vm.warp(due - 1);
        vm.expectRevert(abi.encodeWithSelector(IInferenceVault.ResumeNotDue.selector, due, due - 1));
        vault.resumeTrading();
        vm.prank(OWNER);
        vault.stopTrading();
        eq(vault.resumableAt(), 0, "a second stop cancels it");
        vm.prank(OWNER);
        vault.scheduleResume();
        vm.warp(due - 1 + DELAY);
        vm.recordLogs();
        vault.resumeTrading();
        eq(vm.getRecordedLogs().length, 1, "said");
        isTrue(!vault.stopped() && vault.resumableAt() == 0, "resumed");
        vm.expectRevert();
        vault.resumeTrading();
    }

    function stops(uint256 keepsPips) internal returns (bool) {
        uint256 snapshot = vm.snapshotState();
        uint256 cash = asset.balanceOf(address(vault));
        vm.prank(address(vault));
        asset.transfer(BOB, cash - cash * keepsPips / 1e6);
        keep(6);
        bool stopped = vault.stopped();
        vm.revertToState(snapshot);
        return stopped;
    }

    function test_a_fall_of_the_drawdown_stops_and_the_peak_moves_up_only() external {
        keep(6);
        isTrue(stops(575_000) && !stops(640_000), "at 40 per cent");
        asset.mint(address(vault), 1_000_000e6);
        keep(6);
        isTrue(stops(575_000) && !stops(640_000), "of the new peak");
        vm.prank(address(vault));
        asset.transfer(BOB, 500_000e6);
        keep(6);
        isTrue(!vault.stopped() && stops(700_000), "of the peak, not of the last value");
    }

    function test_the_epoch_that_stops_trades_no_more() external {
        keep(6);
        vm.prank(address(vault));
        asset.transfer(BOB, 500_000e6);
        uint256 held = risk.balanceOf(address(vault));
        keep(100);
        isTrue(vault.stopped() && held != 0, "stopped");
        eq(risk.balanceOf(address(vault)), held, "and nothing bought");
    }

    /// @dev Half of an even value is half of the peak to the last bit, so the limit itself can be met.
    function test_a_fall_to_the_limit_itself_does_not_stop() external {
        VaultConfig memory c = config();
        (c.safeguards.drawdownWad, c.policy.minWeightWad, c.fees) = (0.5e18, 0, Fees(0, 0, 0, address(0)));
        for (uint256 more = 0; more < 2; more++) {
            vault = newVault(c);
            enter(BOB, 100_000e6 + 1);
            keep(0);
            eq(vault.totalAssets(), 100_000e6 + 1, "all in the asset");
            vm.prank(address(vault));
            asset.transfer(BOB, 50_000e6 + 1 + more);
            keep(0);
            isTrue(vault.stopped() == (more == 1), "one unit farther");
        }
    }

    function test_after_a_resumption_the_fall_is_counted_anew_and_zero_is_for_never() external {
        keep(6);
        vm.prank(address(vault));
        asset.transfer(BOB, 500_000e6);
        keep(6);
        isTrue(vault.stopped(), "stopped by itself");
        vm.prank(OWNER);
        vault.scheduleResume();
        vm.warp(block.timestamp + DELAY);
        vault.resumeTrading();
        keep(6);
        isTrue(!vault.stopped() && stops(500_000), "anew");
        VaultConfig memory c = config();
        c.safeguards.drawdownWad = 0;
        vault = newVault(c);
        enter(BOB, 100_000e6);
        keep(6);
        isTrue(risk.balanceOf(address(vault)) != 0, "it trades");
        isTrue(!stops(10_000), "never");
    }
}
