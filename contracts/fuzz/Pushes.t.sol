// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees} from "../interfaces/IInferenceVault.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {Rig} from "./Rig.sol";

interface IPrices {
    function prices(int256[] calldata ticks, bool riskIsToken0) external pure returns (uint256[] memory);
}

/// @title Who pushes the pool down before an entry and pulls it up again gains nothing, within a block or over some
abstract contract PushTests is Rig {
    uint256 private constant RECENT = TWAP_SECONDS / 20 + 1;
    IPrices private math;

    function order() internal pure virtual returns (bool);

    function setUp() external {
        build(order());
        math = IPrices(deployed("LibraryHarness", ""));
    }

    /// @dev The market has just moved and the mean lags. In one block: the pool is pushed down, a deposit, an exit in kind, and
    ///      all that the push brought goes back. Never more, in both tokens at the price before.
    function testFuzz_invariant_2_a_push_before_an_entry_never_pays(
        uint256 lag,
        uint256 push,
        uint256 assets,
        uint256 pause
    ) external {
        lagging(lag, pause);
        (uint256 fair, uint256 twap) = (venue.spotX128(), venue.twapX128());
        assets = within(assets, 1e6, 40_000_000e6);
        // Every second time as much as brings spot to the mean, where the old price of an entry was lowest.
        uint256 sold = within(push >> 8, 1e6, 3_000e18);
        if (push % 2 == 0 && fair > twap) sold = downTo(twap);
        isTrue(gainOf(sold, assets, fair) <= 0, "no gain");
    }

    function lagging(uint256 lag, uint256 pause) private {
        VaultConfig memory c = config();
        c.fees = Fees(0, 0, 0, address(0));
        vault = newVault(c);
        enter(ALICE, 5_000_000e6);
        risk.mint(address(vault), Math.mulDiv(5_000_000e6, 2 ** 128, venue.twapX128()));
        vm.warp(block.timestamp + PERIOD);
        swapOutside(lag % 4 == 0, lag % 4 == 0 ? within(lag >> 8, 1, 1_000e18) : within(lag >> 8, 1, 4_000_000e6));
        vm.warp(block.timestamp + within(pause, 1, 600));
    }

    function downTo(uint256 price) private returns (uint256 sold) {
        (uint256 low, uint256 high) = (0, 4_000e18);
        while (high - low > 1e18) {
            uint256 snapshot = vm.snapshotState();
            sold = (low + high) / 2;
            swapOutside(true, sold);
            (low, high) = venue.spotX128() > price ? (sold, high) : (low, sold);
            vm.revertToState(snapshot);
        }
        return high;
    }

    function gainOf(uint256 sold, uint256 assets, uint256 fair) private returns (int256) {
        return gainAfter(sold, swapOutside(true, sold), assets, fair);
    }

    function gainAfter(uint256 sold, uint256 pushed, uint256 assets, uint256 fair) private returns (int256) {
        uint256 shares = enter(BOB, assets);
        vm.prank(BOB);
        (uint256 cash, uint256 held) = vault.redeemInKind(shares, BOB, BOB);
        if (pushed != 0) held += swapOutside(false, pushed);
        uint256 got = cash + Math.mulDiv(held, fair, 2 ** 128);
        return int256(got) - int256(assets + Math.mulDiv(sold, fair, 2 ** 128));
    }

    /// @dev What an auditor found: a mean that lags by a per cent, a push down to it, a deposit as great as the vault. The
    ///      entry at the mean would have been worth more than the push cost; it is at what stood before.
    function test_invariant_2_the_push_down_to_a_lagging_mean_that_once_paid_costs_now() external {
        lagging(1 + 256 * 3_050_000e6, 24);
        (uint256 fair, uint256 twap) = (venue.spotX128(), venue.twapX128());
        isTrue(fair > twap + twap / 200, "the mean lags");
        uint256 sold = downTo(twap);
        // Half of the deposit is risk at the mean that is worth more; the push costs the pool's fee twice.
        uint256 once = Math.mulDiv(5_000_000e6, fair - twap, twap);
        uint256 cost = Math.mulDiv(sold, fair, 2 ** 128) / 1e6 * FEE * 2 + 5_000_000 * uint256(FEE);
        isTrue(once > cost, "it would have paid");
        int256 gain = gainOf(sold, 10_000_000e6, fair);
        isTrue(gain < 0, "and costs");
    }

    /// @dev The same, but the price is held down over one or two blocks before the entry, which no view of the block sees.
    function testFuzz_invariant_2_a_push_held_for_some_blocks_never_pays(uint256 lag, uint256 assets, uint256 held)
        external
    {
        lagging(1 + 256 * within(lag, 500_000e6, 3_500_000e6), 3 * RECENT + 1);
        (uint256 fair, uint256 twap) = (venue.spotX128(), venue.twapX128());
        assets = within(assets, 1e6, 40_000_000e6);
        uint256 sold = fair > twap ? downTo(twap) : 1e18;
        uint256 pushed = swapOutside(true, sold);
        vm.warp(block.timestamp + within(held, 1, 24));
        isTrue(gainAfter(sold, pushed, assets, fair) <= 0, "no gain");
    }

    /// @dev What was found once entries looked at their own block alone: pushed at the end of one, entered at the next.
    function test_invariant_2_a_push_over_the_edge_of_a_block_that_once_paid_costs_now() external {
        lagging(1 + 256 * 3_050_000e6, 3 * RECENT + 1);
        (uint256 fair, uint256 twap) = (venue.spotX128(), venue.twapX128());
        uint256 sold = downTo(twap);
        uint256 pushed = swapOutside(true, sold);
        vm.warp(block.timestamp + 12);
        uint256 once = Math.max(venue.highX128(), venue.twapX128());
        isTrue(once < fair - fair / 300 && venue.recentX128() > fair - fair / 10_000, "what stood is told by the recent means alone");
        isTrue(gainAfter(sold, pushed, 10_000_000e6, fair) < 0, "and costs");
    }

    /// @dev Against an own record of which tick stood for how long.
    function testFuzz_the_recent_mean_agrees_with_an_own_record_of_what_stood(uint256 seed) external {
        int256[] memory ticks = new int256[](3 * RECENT);
        vm.warp(block.timestamp + TWAP_SECONDS);
        for (uint256 second = 0; second < 3 * RECENT; second++) {
            seed = uint256(keccak256(abi.encode(seed)));
            if (seed % 4 == 0) {
                bool sell = (seed >> 8) % 2 == 0;
                uint256 dollars = 1 + (seed >> 40) % 10 ** ((seed >> 16) % 7);
                swapOutside(sell, sell ? dollars * 1e18 / 3_000 : dollars * 1e6);
            }
            (, ticks[second],,,,,) = pool.slot0();
            vm.warp(block.timestamp + 1);
        }
        int256[] memory means = new int256[](2);
        means[0] = meanOf(ticks, 0, 2 * RECENT);
        means[1] = meanOf(ticks, 2 * RECENT, 3 * RECENT);
        uint256[] memory prices = math.prices(means, riskIsToken0);
        eq(venue.recentX128(), Math.max(prices[0], prices[1]), "the higher mean");
    }

    function meanOf(int256[] memory ticks, uint256 from, uint256 to) private pure returns (int256 mean) {
        int256 sum;
        for (uint256 i = from; i < to; i++) sum += ticks[i];
        int256 count = int256(to - from);
        mean = sum / count;
        if (sum < 0 && sum % count != 0) mean--;
    }
}

contract PushesTest is PushTests {
    function order() internal pure override returns (bool) {
        return true;
    }
}

contract FlippedPushesTest is PushTests {
    function order() internal pure override returns (bool) {
        return false;
    }
}
