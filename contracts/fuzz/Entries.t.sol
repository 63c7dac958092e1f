// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IVenue} from "../interfaces/IVenue.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {IMintable} from "./Market.sol";
import {Rig} from "./Rig.sol";
import {Token} from "./Token.sol";

interface IPrices {
    function prices(int256[] calldata ticks, bool riskIsToken0) external pure returns (uint256[] memory);
}

/// @title The price of an entry: nothing that is traded in its block makes it lower
abstract contract EntryTests is Rig {
    IPrices private math;

    function order() internal pure virtual returns (bool);

    function setUp() external {
        build(order());
        math = IPrices(deployed("LibraryHarness", ""));
    }

    function tickNow() private view returns (int256 tick) {
        (, tick,,,,,) = pool.slot0();
    }

    function priceAt(int256 tick) private view returns (uint256) {
        int256[] memory ticks = new int256[](1);
        ticks[0] = tick;
        return math.prices(ticks, riskIsToken0)[0];
    }

    function greater(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }

    /// @dev `standing`: the tick before this block's first trade. Only a trade that leaves its tick is remembered by the pool;
    ///      before that, spot itself is within the tick.
    function checkHigh(int256 standing) private view {
        (,, uint16 index,,,,) = pool.slot0();
        (uint32 stamp,,,) = pool.observations(index);
        bool left = stamp == uint32(block.timestamp);
        isTrue(left || tickNow() == standing, "a tick that was left is remembered");
        uint256 expected = left ? greater(venue.spotX128(), priceAt(standing)) : venue.spotX128();
        eq(venue.highX128(), expected, "the higher of spot and what stood before");
    }

    function test_without_a_trade_in_the_block_the_high_is_spot() external {
        vm.warp(block.timestamp + 12);
        eq(venue.highX128(), venue.spotX128(), "spot");
        checkHigh(tickNow());
    }

    function test_after_a_fall_in_the_block_the_high_is_what_stood_before_to_a_tick() external {
        vm.warp(block.timestamp + 12);
        (uint256 before, int256 standing) = (venue.spotX128(), tickNow());
        swapOutside(true, 100e18);
        uint256 high = venue.highX128();
        eq(high, priceAt(standing), "the tick that stood");
        isTrue(high <= before + before / 9_999 && high + before / 9_999 >= before, "which is spot to a ten-thousandth");
        isTrue(venue.spotX128() < before - before / 1_000, "though it has fallen by more");
        swapOutside(false, 400_000e6);
        isTrue(venue.spotX128() > before, "and risen");
        eq(venue.highX128(), venue.spotX128(), "spot where it is higher");
        swapOutside(true, 300e18);
        eq(venue.highX128(), priceAt(standing), "and what stood before the first trade again");
        vm.warp(block.timestamp + 1);
        eq(venue.highX128(), venue.spotX128(), "until the block is over");
    }

    function test_a_trade_within_a_tick_is_spot_and_the_next_that_leaves_it_is_remembered() external {
        vm.warp(block.timestamp + 12);
        (uint256 before, int256 standing) = (venue.spotX128(), tickNow());
        swapOutside(true, 1e12);
        isTrue(tickNow() == standing && venue.spotX128() < before, "within the tick");
        eq(venue.highX128(), venue.spotX128(), "spot");
        swapOutside(true, 100e18);
        isTrue(tickNow() != standing, "left");
        eq(venue.highX128(), priceAt(standing), "the tick that stood");
    }

    /// @dev Positions of others write observations too, of the tick that stands.
    function test_a_position_that_is_opened_first_changes_nothing() external {
        vm.warp(block.timestamp + 12);
        int256 standing = tickNow();
        int24 low = int24(standing) / 10 * 10 - 100;
        pool.mint(address(this), low, low + 200, 1e15, "");
        eq(venue.highX128(), greater(venue.spotX128(), priceAt(standing)), "what stands");
        swapOutside(true, 100e18);
        eq(venue.highX128(), priceAt(standing), "the tick that stood");
    }

    /// @dev All around the ring and so through its index 0; and past the last second that 32 bits can tell.
    function test_all_around_the_ring_and_past_the_last_second_of_32_bits() external {
        bool first;
        for (uint256 i = 0; i < 100; i++) {
            if (i == 90) vm.warp(2 ** 32 - 30);
            vm.warp(block.timestamp + 12);
            int256 standing = tickNow();
            swapOutside(i % 2 == 0, i % 2 == 0 ? 40e18 : 120_000e6);
            checkHigh(standing);
            (,, uint16 index,,,,) = pool.slot0();
            if (index == 0) first = true;
        }
        isTrue(first && block.timestamp > 2 ** 32, "both were met");
    }

    function testFuzz_the_high_agrees_with_an_own_record_of_what_stood(uint256 seed) external {
        int256 standing = tickNow();
        vm.warp(block.timestamp + 12);
        for (uint256 i = 0; i < 12; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            if (seed % 3 == 0) {
                vm.warp(block.timestamp + 1 + (seed >> 8) % 900);
                standing = tickNow();
            }
            bool sell = (seed >> 32) % 2 == 0;
            uint256 dollars = 1 + (seed >> 40) % 10 ** ((seed >> 36) % 7);
            swapOutside(sell, sell ? dollars * 1e18 / 3_000 : dollars * 1e6);
            checkHigh(standing);
        }
    }

    /// @dev Such a pool knows nothing of what was; nor has it a mean within a block that traded, so nothing enters.
    function test_a_pool_that_remembers_one_observation_tells_spot_and_lets_nobody_enter() external {
        IMintable a = IMintable(address(new Token("USD", 6)));
        IMintable r = IMintable(address(new Token("ETH", 18)));
        while ((address(r) < address(a)) != order()) r = IMintable(address(new Token("ETH", 18)));
        openPool(a, r, 1, 5e18);
        vm.warp(block.timestamp + 2 * TWAP_SECONDS);
        VaultConfig memory c = config();
        c.venue = venue = IVenue(deployed("UniswapV3Venue", abi.encode(factory, pool, asset, TWAP_SECONDS)));
        vault = newVault(c);
        isTrue(vault.maxDeposit(BOB) > 0, "open");
        swapOutside(true, 100e18);
        eq(venue.highX128(), venue.spotX128(), "spot");
        eq(vault.maxDeposit(BOB), 0, "closed");
    }
}

contract EntriesTest is EntryTests {
    function order() internal pure override returns (bool) {
        return true;
    }
}

contract FlippedEntriesTest is EntryTests {
    function order() internal pure override returns (bool) {
        return false;
    }
}
