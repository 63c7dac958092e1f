// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IInputSource} from "../interfaces/IInputSource.sol";
import {IUniswapV3Pool} from "../interfaces/IUniswapV3.sol";
import {TickWindow, WindowSpec} from "../TickWindow.sol";
import {Rig} from "./Rig.sol";

/// @title `TickWindow` on the real pool against the pool's own `observe`
abstract contract WindowTests is Rig {
    function order() internal pure virtual returns (bool);

    function setUp() external {
        build(order());
    }

    function make(WindowSpec memory s, uint256 maxAge, uint256 blockSeconds) public returns (IInputSource) {
        return IInputSource(deployed("TickWindow", abi.encode(s, maxAge, blockSeconds)));
    }

    function same(int256[] memory a, int256[] memory b) internal pure returns (bool) {
        return keccak256(abi.encode(a)) == keccak256(abi.encode(b));
    }

    /// @dev A pool traded at any times in any direction, a window of any shape, at any moment.
    function testFuzz_invariant_5_inputs_are_what_the_pool_observes(uint256 seed) external {
        for (uint256 i = 0; i < 12; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            vm.warp(block.timestamp + within(seed, 1, 900));
            bool sell = seed >> 32 & 1 == 0;
            swapOutside(sell, sell ? 1 + (seed >> 40) % 900e18 : 1 + (seed >> 40) % 2_000_000e6);
        }
        vm.warp(block.timestamp + (seed >> 64) % 400);
        WindowSpec memory s = spec();
        (s.count, s.barSeconds) = (uint32(4 + (seed >> 72) % 29), uint32(30 + (seed >> 80) % 180));
        s.clip = seed >> 88 & 1 == 0 ? 128 : uint32(1 + (seed >> 90) % 20);
        IInputSource window = make(s, 0, 200);
        uint256 end = block.timestamp - (seed >> 96) % 200;
        int256[] memory expected = inputsFor(end, s.barSeconds, s.count, int256(uint256(s.clip)));
        isTrue(same(window.read(end, hintsFor(end, s.barSeconds, s.count)), expected), "equal to observe");
    }

    function testFuzz_invariant_5_hints_change_nothing(uint256 seed, bytes32 noise) external {
        uint256 end = block.timestamp - seed % 600;
        bytes memory where = hintsFor(end, BAR, COUNT);
        for (uint256 i = 0; i < 12; i++) {
            if (uint8(noise[i]) < 30) where[i] = noise[i + 12];
            else if (uint8(noise[i]) < 60) where[i] = bytes1(uint8(where[i]) + 1);
        }
        try source.read(end, where) returns (int256[] memory found) {
            isTrue(same(found, inputsFor(end, BAR, COUNT, int256(uint256(CLIP)))), "equal or refused");
        } catch {}
    }

    function test_invariant_5_each_wrong_hint_is_refused_by_point() external {
        uint256 end = block.timestamp - 30;
        bytes memory where = hintsFor(end, BAR, COUNT);
        for (uint256 i = 0; i < COUNT + 2; i++) {
            for (uint256 move = 1; move < 80; move++) {
                bytes memory bad = bytes.concat(where);
                uint256 index = (uint8(bad[2 * i + 1]) + move) % 80;
                bad[2 * i + 1] = bytes1(uint8(index));
                vm.expectRevert(abi.encodeWithSelector(IInputSource.HintRejected.selector, i, index));
                source.read(end, bad);
            }
            bytes memory far = bytes.concat(where);
            far[2 * i] = 0x01;
            vm.expectPartialRevert(IInputSource.HintRejected.selector);
            source.read(end, far);
            (far[2 * i], far[2 * i + 1]) = (0xff, 0xff);
            vm.expectRevert(abi.encodeWithSelector(IInputSource.HintRejected.selector, i, 65_535));
            source.read(end, far);
        }
    }

    function test_invariant_5_a_window_is_never_read_early_late_or_short() external {
        bytes memory where = hintsFor(block.timestamp, BAR, COUNT);
        source.read(block.timestamp, where);
        uint256 soon = block.timestamp + 1;
        vm.expectRevert(abi.encodeWithSelector(IInputSource.WindowUnavailable.selector, soon, block.timestamp));
        source.read(soon, where);
        vm.expectRevert(abi.encodeWithSelector(IInputSource.WindowUnavailable.selector, 1_499, block.timestamp));
        source.read(1_499, where);
        vm.expectPartialRevert(IInputSource.HintRejected.selector);
        source.read(START + 300, where);
        bytes memory short = new bytes(11);
        vm.expectRevert(abi.encodeWithSelector(IInputSource.HintsLength.selector, 11, 12));
        source.read(block.timestamp, short);
    }

    /// @dev Ages are compared modulo 2**32: a point older than that would look young.
    function test_invariant_5_a_point_older_than_the_clocks_turn_is_refused() external {
        bytes memory where = hintsFor(block.timestamp, BAR, COUNT);
        vm.warp(block.timestamp + 2 ** 32);
        uint256 first = block.timestamp - type(uint32).max + 1_500;
        vm.expectRevert(abi.encodeWithSelector(IInputSource.WindowUnavailable.selector, first - 1, block.timestamp));
        source.read(first - 1, where);
        vm.expectPartialRevert(IInputSource.HintRejected.selector);
        source.read(first, where);
    }

    function test_the_definition_is_what_was_given_and_its_hash() external view {
        TickWindow window = TickWindow(address(source));
        WindowSpec memory s = spec();
        isTrue(window.pool() == s.pool && window.barSeconds() == BAR && window.count() == COUNT, "shape");
        isTrue(window.bound() == CLIP && window.sign() == s.sign && window.inputScale() == 7, "values");
        isTrue(
            window.specHash() == keccak256(abi.encode(pool, BAR, COUNT, CLIP, s.sign, uint8(7))), "hash"
        );
    }

    function refuses(WindowSpec memory s) internal {
        vm.expectRevert(abi.encodeWithSelector(TickWindow.SpecInvalid.selector, s));
        this.make(s, 0, 1e9);
    }

    function test_a_definition_out_of_range_is_refused_and_its_edges_are_taken() external {
        WindowSpec memory s = spec();
        s.barSeconds = 0;
        refuses(s);
        s.barSeconds = 86_401;
        refuses(s);
        s = spec();
        s.count = 0;
        refuses(s);
        s.count = 3;
        refuses(s);
        s.count = 33;
        refuses(s);
        s = spec();
        s.clip = 0;
        refuses(s);
        s.clip = 887_273;
        refuses(s);
        s = spec();
        s.sign = 0;
        refuses(s);
        s.sign = 2;
        refuses(s);
        s = spec();
        s.inputScale = 21;
        refuses(s);
        make(WindowSpec(s.pool, 86_400, 32, 887_272, -1, 20), 0, 1e9);
        make(WindowSpec(s.pool, 1, 4, 1, 1, 0), 0, 1e9);
        vm.expectRevert(abi.encodeWithSelector(TickWindow.BlockSecondsZero.selector));
        this.make(spec(), 0, 0);
        s = spec();
        s.pool = IUniswapV3Pool(ALICE);
        vm.expectRevert(abi.encodeWithSelector(TickWindow.PoolHasNoCode.selector, ALICE));
        this.make(s, 0, 1e9);
    }

    /// @dev The pool keeps 80: `(5 * 300 + age) * 6 / (60 * 5) + 1` observations are needed.
    function test_a_ring_too_small_for_window_and_age_is_refused() external {
        make(spec(), 2_450, 60);
        make(spec(), 2_499, 60);
        vm.expectRevert(abi.encodeWithSelector(TickWindow.CardinalityTooSmall.selector, 80, 81));
        this.make(spec(), 2_500, 60);
        vm.expectRevert(abi.encodeWithSelector(TickWindow.CardinalityTooSmall.selector, 80, 1_801));
        this.make(spec(), 0, 1);
    }
}

contract WindowTest is WindowTests {
    function order() internal pure override returns (bool) {
        return true;
    }
}

contract FlippedWindowTest is WindowTests {
    function order() internal pure override returns (bool) {
        return false;
    }
}
