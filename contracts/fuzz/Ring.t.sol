// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IInputSource} from "../interfaces/IInputSource.sol";
import {Rig} from "./Rig.sol";

/// @title Windows as the pool's ring of observations turns over: every slot is once the newest, the first one too
contract RingTest is Rig {
    function test_invariant_5_a_window_is_the_chains_with_the_newest_observation_in_any_slot() external {
        build(true);
        uint256 first;
        for (uint256 i = 0; i < 90; i++) {
            vm.warp(block.timestamp + 97);
            swapOutside(i % 2 == 0, i % 2 == 0 ? 20e18 + i * 1e18 : 50_000e6 + i * 4_000e6);
            for (uint256 age = 0; age < 60; age += 30) {
                vm.warp(block.timestamp + age);
                bytes memory where = hintsFor(block.timestamp - age, BAR, COUNT);
                if (where[0] == 0 && where[1] == 0) first++;
                int256[] memory found = source.read(block.timestamp - age, where);
                int256[] memory expected = inputsFor(block.timestamp - age, BAR, COUNT, int256(uint256(CLIP)));
                isTrue(keccak256(abi.encode(found)) == keccak256(abi.encode(expected)), "equal to observe");
            }
        }
        isTrue(first > 1, "the first slot was among them");
    }

    /// @dev The ring has 80 slots and 41 observations. The last slot, never written, lies before the first in the ring: between
    ///      them every point before the pool's history would find its place.
    function test_invariant_5_a_slot_never_written_is_no_history() external {
        build(true);
        (,,, bool written) = pool.observations(79);
        isTrue(!written, "empty");
        bytes memory where = hex"00010000004f004f004f004f";
        vm.expectRevert(abi.encodeWithSelector(IInputSource.HintRejected.selector, 2, 79));
        source.read(START + 300, where);
    }
}
