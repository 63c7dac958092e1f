// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Model} from "../interfaces/IModelRegistry.sol";
import {Ghost} from "./Ghost.sol";

/// @title What owner and guardian do, and what they try
abstract contract Governors is Ghost {
    bytes32 private _pending;
    uint256 private _proposals;

    function propose() external {
        if (_pending != 0) return;
        Model memory next = model();
        next.bundleHash = bytes32(++_proposals);
        bytes32 before = registry.activeModel();
        vm.prank(OWNER);
        _pending = registry.propose(next);
        flag(registry.activeModel() == before, "invariant 13: a proposal took effect at once");
        bool visible = registry.activatableAt(_pending) == block.timestamp + DELAY;
        flag(visible, "invariant 13: a pending model does not show its date");
    }

    function cancel(bool byGuardian) external {
        if (_pending == 0) return;
        vm.prank(byGuardian ? GUARDIAN : OWNER);
        try registry.cancel(_pending) {
            flag(registry.activatableAt(_pending) == 0, "invariant 13: a cancelled model is still pending");
            _pending = 0;
        } catch {
            flag(false, "invariant 13: a pending model cannot be cancelled");
        }
    }

    function activateEarly(uint256 early) external {
        if (_pending == 0) return;
        uint256 due = registry.activatableAt(_pending);
        if (block.timestamp >= due) return;
        uint256 now_ = block.timestamp;
        vm.warp(within(early, now_, due - 1));
        vm.prank(OWNER);
        try registry.activate(_pending) {
            flag(false, "invariant 13: a model was activated before its time");
        } catch {}
        vm.warp(now_);
    }

    function activateDue() external {
        if (_pending == 0) return;
        uint256 due = registry.activatableAt(_pending);
        if (block.timestamp < due) vm.warp(due);
        vm.prank(OWNER);
        try registry.activate(_pending) {
            flag(block.timestamp <= due + 30 days, "invariant 13: a model that expired was activated");
            modelId = _pending;
        } catch {
            flag(block.timestamp > due + 30 days, "invariant 13: a model that is due cannot be activated");
        }
        _pending = 0;
    }

    function stop(bool byGuardian) external {
        vm.prank(byGuardian ? GUARDIAN : OWNER);
        vault.stopTrading();
        flag(vault.withdrawOnly() && vault.maxDeposit(ALICE) == 0, "invariant 13: a stopped vault is open");
    }

    function resume(uint256 early) external {
        if (!vault.stopped()) return;
        vm.prank(OWNER);
        vault.scheduleResume();
        uint256 due = block.timestamp + DELAY;
        flag(vault.resumableAt() == due, "invariant 13: a resumption does not show its date");
        vm.warp(within(early, block.timestamp, due - 1));
        try vault.resumeTrading() {
            flag(false, "invariant 13: trading resumed before its time");
        } catch {}
        vm.warp(due);
        vault.resumeTrading();
    }

    /// @notice Nobody else may govern.
    function usurp(uint256 who, uint256 what) external {
        address actor = actors[who % 3];
        Model memory next = model();
        next.bundleHash = keccak256("usurped");
        vm.startPrank(actor);
        bool done = true;
        if (what % 4 == 0) try registry.propose(next) {} catch { done = false; }
        else if (what % 4 == 1) try registry.retire(modelId) {} catch { done = false; }
        else if (what % 4 == 2) try vault.stopTrading() {} catch { done = false; }
        else try vault.scheduleResume() {} catch { done = false; }
        vm.stopPrank();
        flag(!done, "invariant 13: a stranger governed");
    }
}
