// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IInferenceVault, Reason} from "../interfaces/IInferenceVault.sol";
import {IModelRegistry, Model} from "../interfaces/IModelRegistry.sol";
import {IProofGate} from "../interfaces/IProofGate.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {Instances} from "../libraries/Instances.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {Rig} from "./Rig.sol";
import {Vm} from "./Vm.sol";

abstract contract RebalanceTests is Rig {
    struct Said {
        bytes32 hash;
        int256[] inputs;
        int256[] outputs;
        uint256 before;
        uint256 target;
        uint256 twap;
        uint256 spot;
        Reason reason;
    }

    function order() internal pure virtual returns (bool);

    function setUp() external {
        build(order());
        enter(ALICE, 1_000_000e6);
    }

    function refuses(uint256 epoch, address to, int256[] memory outputs, bytes memory reason) internal {
        bytes memory where = hints(epoch);
        vm.expectRevert(reason);
        vault.rebalance(epoch, to, outputs, proof(), where);
    }

    function test_an_accepted_epoch_says_everything_and_trades_toward_the_weight() external {
        uint256 epoch = closeEpoch(30);
        allow(epoch, 25, KEEPER);
        (uint256 twap, uint256 spot) = (venue.twapX128(), venue.spotX128());
        uint256 nav = vault.totalAssets();
        vm.recordLogs();
        rebalance(epoch, 25);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 found;
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].emitter != address(vault)) continue;
            if (logs[i].topics[0] == IInferenceVault.Rebalanced.selector) {
                found++;
                isTrue(uint256(logs[i].topics[1]) == epoch && logs[i].topics[2] == modelId, "epoch and model");
                isTrue(address(uint160(uint256(logs[i].topics[3]))) == KEEPER, "beneficiary");
                Said memory s = abi.decode(bytes.concat(bytes32(uint256(32)), logs[i].data), (Said));
                isTrue(s.twap == twap && s.spot == spot && s.before == 0, "prices and weight");
                eq(s.target, 25 * uint256(1e18) / 128, "target");
                isTrue(s.reason == Reason.Traded && s.outputs.length == 1 && s.outputs[0] == 25, "outputs");
                isTrue(keccak256(abi.encode(s.inputs)) == keccak256(abi.encode(inputs(epoch))), "inputs");
                bytes memory body = abi.encode(block.chainid, vault, modelId, epoch, KEEPER, s.inputs, s.outputs);
                isTrue(s.hash == keccak256(body), "statement");
            } else if (logs[i].topics[0] == IInferenceVault.Swapped.selector) {
                found++;
                (bool riskIn, uint256 amountIn, uint256 out, uint256 least) =
                    abi.decode(logs[i].data, (bool, uint256, uint256, uint256));
                isTrue(!riskIn && out == risk.balanceOf(address(vault)) && out >= least, "bought");
                eq(amountIn, nav * (25 * uint256(1e18) / 128) / 1e18, "all of the change");
            } else if (logs[i].topics[0] == IInferenceVault.RewardPaid.selector) {
                found++;
            }
        }
        eq(found, 3, "three events");
        isTrue(vault.lastEpoch() == epoch && vault.missedEpochs() == 0, "marked");
        eq(asset.allowance(address(vault), address(venue)), 0, "no allowance is left");
    }

    function test_it_sells_when_the_weight_falls() external {
        keep(38);
        uint256 held = risk.balanceOf(address(vault));
        keep(16);
        isTrue(risk.balanceOf(address(vault)) < held, "sold");
        eq(risk.allowance(address(vault), address(venue)), 0, "no allowance is left");
        isTrue(vault.riskWeightWad() > 0.11e18 && vault.riskWeightWad() < 0.14e18, "an eighth");
    }

    function test_invariant_7_only_the_latest_closed_epoch_once() external {
        uint256 epoch = closeEpoch(30);
        allow(epoch, 64, KEEPER);
        bytes memory where = hints(epoch);
        vm.expectRevert(abi.encodeWithSelector(IInferenceVault.EpochNotLatest.selector, epoch + 1, epoch));
        vault.rebalance(epoch + 1, KEEPER, one(64), proof(), where);
        vm.expectRevert(abi.encodeWithSelector(IInferenceVault.EpochNotLatest.selector, epoch - 1, epoch));
        vault.rebalance(epoch - 1, KEEPER, one(64), proof(), where);
        rebalance(epoch, 64);
        refuses(epoch, KEEPER, one(64), abi.encodeWithSelector(IInferenceVault.EpochUsed.selector, epoch));
    }

    function test_invariant_9_accepted_at_max_age_and_refused_a_second_later() external {
        uint256 epoch = closeEpoch(MAX_AGE);
        allow(epoch, 64, KEEPER);
        uint256 snapshot = vm.snapshotState();
        vm.warp(block.timestamp + 1);
        refuses(
            epoch,
            KEEPER,
            one(64),
            abi.encodeWithSelector(IInferenceVault.EpochTooOld.selector, MAX_AGE + 1, MAX_AGE)
        );
        vm.revertToState(snapshot);
        rebalance(epoch, 64);
    }

    function test_what_a_statement_lacks_is_named() external {
        uint256 epoch = closeEpoch(30);
        refuses(epoch, address(0), one(64), abi.encodeWithSelector(IInferenceVault.BeneficiaryZero.selector));
        bytes memory count = abi.encodeWithSelector(IInferenceVault.OutputsLength.selector, 0, 1);
        refuses(epoch, KEEPER, new int256[](0), count);
        count = abi.encodeWithSelector(IInferenceVault.OutputsLength.selector, 2, 1);
        refuses(epoch, KEEPER, new int256[](2), count);
        for (int256 sign = -1; sign <= 1; sign += 2) {
            bytes memory range = abi.encodeWithSelector(IInferenceVault.OutputOutOfRange.selector, sign * 513, 512);
            refuses(epoch, KEEPER, one(sign * 513), range);
        }
        vm.prank(OWNER);
        registry.retire(modelId);
        refuses(epoch, KEEPER, one(64), abi.encodeWithSelector(IInferenceVault.NoActiveModel.selector));
    }

    function test_outputs_at_the_bounds_are_clamped_to_policy() external {
        uint256 epoch = closeEpoch(30);
        allow(epoch, 512, KEEPER);
        rebalance(epoch, 512);
        isTrue(vault.riskWeightWad() > 0.29e18 && vault.riskWeightWad() < 0.31e18, "one step");
        epoch = closeEpoch(30);
        allow(epoch, -512, KEEPER);
        rebalance(epoch, -512);
        isTrue(vault.riskWeightWad() > 0.045e18 && vault.riskWeightWad() < 0.055e18, "the least weight");
    }

    function reasonOf(int256 output) internal returns (Reason) {
        uint256 epoch = closeEpoch(30);
        allow(epoch, output, KEEPER);
        bytes memory where = hints(epoch);
        uint256 held = risk.balanceOf(address(vault));
        vm.prank(SENDER);
        Reason reason = vault.rebalance(epoch, KEEPER, one(output), proof(), where);
        isTrue((reason == Reason.Traded) == (held != risk.balanceOf(address(vault))), "moved if it says so");
        isTrue(vault.lastEpoch() == epoch, "accepted in each case");
        return reason;
    }

    function test_every_reason_is_recorded() external {
        isTrue(reasonOf(19) == Reason.Traded, "traded");
        isTrue(reasonOf(20) == Reason.Deadband, "deadband");
        swapOutside(false, 4_000_000e6);
        vm.warp(block.timestamp + PERIOD);
        swapOutside(true, 3_000e18);
        vm.prank(GUARDIAN);
        vault.stopTrading();
        isTrue(reasonOf(64) == Reason.Stopped, "stopped");
    }

    function test_invariant_8_far_from_the_mean_nothing_is_traded() external {
        uint256 epoch = closeEpoch(30);
        allow(epoch, 64, KEEPER);
        uint256 snapshot = vm.snapshotState();
        for (uint256 i = 0; i < 2; i++) {
            swapOutside(i == 0, i == 0 ? 1_000e18 : 3_000_000e6);
            bytes memory where = hints(epoch);
            isTrue(vault.rebalance(epoch, KEEPER, one(64), proof(), where) == Reason.Deviation, "deviation");
            vm.revertToState(snapshot);
            snapshot = vm.snapshotState();
        }
    }

    /// @dev Within the deviation, but worse than the slippage: the trade reverts and the epoch is not used.
    function test_invariant_8_at_the_greatest_deviation_itself_it_trades() external {
        vm.warp((latest() + 1) * PERIOD - 100);
        swapOutside(true, 20e18);
        uint256 snapshot = vm.snapshotState();
        closeEpoch(30);
        (uint256 twap, uint256 spot) = (venue.twapX128(), venue.spotX128());
        uint256 far = Math.mulDiv(twap > spot ? twap - spot : spot - twap, 1e6, twap);
        vm.revertToState(snapshot);
        isTrue(far > 10 && far < 10_000, "some way from the mean");
        for (uint256 less = 0; less < 2; less++) {
            VaultConfig memory c = config();
            c.policy.deviationPips = far - less;
            vault = newVault(c);
            enter(BOB, 100_000e6);
            keep(64);
            isTrue((risk.balanceOf(address(vault)) != 0) == (less == 0), "no farther");
            vm.revertToState(snapshot);
        }
    }

    function test_invariant_8_worse_than_the_slippage_reverts() external {
        uint256 epoch = closeEpoch(30);
        allow(epoch, 64, KEEPER);
        uint256 spot = venue.spotX128();
        while (venue.spotX128() < spot + spot / 1e6 * 7_500) swapOutside(false, 50_000e6);
        bytes memory where = hints(epoch);
        vm.expectPartialRevert(IVenue.OutputTooLow.selector);
        vault.rebalance(epoch, KEEPER, one(64), proof(), where);
        eq(vault.lastEpoch(), 0, "not used");
    }

    function test_a_gate_that_does_not_answer_its_selector_is_no_acceptance() external {
        Model memory m = model();
        m.gate = IProofGate(deployed("UndecidedGate", ""));
        modelId = activate(m);
        uint256 epoch = closeEpoch(30);
        refuses(epoch, KEEPER, one(64), abi.encodeWithSelector(IProofGate.StatementRefused.selector, modelId, epoch));
    }

    function test_an_empty_vault_records_dust() external {
        vm.prank(ALICE);
        vault.redeemInKind(1e18, ALICE, ALICE);
        vm.startPrank(ALICE);
        vault.redeemInKind(vault.balanceOf(ALICE), ALICE, ALICE);
        vm.stopPrank();
        asset.balanceOf(address(vault));
        vault = newVault(config());
        isTrue(reasonOf(64) == Reason.Dust, "dust");
    }

    /// @dev Twice its value may be traded at once, then a third of a day's allowance returns every eight epochs.
    function test_turnover_is_counted_cut_and_regained() external {
        eq(vault.turnoverLeftWad(), 2e18, "all at first");
        uint256 perEpoch = 2e18 * PERIOD / 1 days;
        uint256 used;
        for (uint256 i = 0; i < 11; i++) {
            uint256 held = risk.balanceOf(address(vault));
            uint256 nav = vault.totalAssets();
            uint256 cash = asset.balanceOf(address(vault));
            Reason reason = reasonOf(i % 2 == 0 ? int256(48) : int256(8));
            used = used > perEpoch ? used - perEpoch : 0;
            uint256 left = vault.turnoverLeftWad();
            if (reason == Reason.Traded) {
                bool sold = risk.balanceOf(address(vault)) < held;
                if (!sold) {
                    uint256 paid = cash - asset.balanceOf(address(vault));
                    isTrue(2e18 - left >= used + (paid - 60e6) * 1e18 / nav, "counted");
                }
                used = 2e18 - left;
            }
        }
        isTrue(vault.turnoverLeftWad() < 0.3e18, "nearly used up");
        uint256 now_ = vault.turnoverLeftWad();
        vm.warp(block.timestamp + PERIOD);
        eq(vault.turnoverLeftWad(), now_ + perEpoch, "regained by the epoch");
        vm.warp(block.timestamp + 30 days);
        eq(vault.turnoverLeftWad(), 2e18, "all again");
    }
}

contract RebalanceTest is RebalanceTests {
    function order() internal pure override returns (bool) {
        return true;
    }
}

contract FlippedRebalanceTest is RebalanceTests {
    function order() internal pure override returns (bool) {
        return false;
    }
}
