// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Rig} from "./Rig.sol";

interface IRatios {
    function sqrtRatios(int256[] calldata ticks) external pure returns (uint256[] memory);
}

/// @title What a pool takes, counted tick by tick at many prices
abstract contract DepthTests is Rig {
    IRatios internal ratios;

    function order() internal pure virtual returns (bool);

    function setUp() external {
        build(order());
        ratios = IRatios(deployed("LibraryHarness", ""));
    }

    function floorMod(int256 a, int256 b) private pure returns (int256) {
        return ((a % b) + b) % b;
    }

    /// @dev The next tick where liquidity may change as the risk token is sold, no farther than its word of the bitmap.
    function edge(int24 tick) private view returns (uint256) {
        int256 spacing = pool.tickSpacing();
        int256 at = (tick - floorMod(tick, spacing)) / spacing;
        int256 step = riskIsToken0 ? int256(-1) : int256(1);
        if (!riskIsToken0) at++;
        int256 last = riskIsToken0 ? int256(0) : int256(255);
        while (floorMod(at, 256) != last) {
            int256 word = (at - floorMod(at, 256)) / 256;
            if (pool.tickBitmap(int16(word)) >> uint256(floorMod(at, 256)) & 1 == 1) break;
            at += step;
        }
        int256[] memory ticks = new int256[](1);
        ticks[0] = at * spacing;
        return ratios.sqrtRatios(ticks)[0];
    }

    function expected(uint256 movePips) internal view returns (uint256) {
        (uint160 root, int24 tick,,,,,) = pool.slot0();
        uint256 liquidity = pool.liquidity();
        uint256 step = uint256(root) * movePips / 2e6;
        uint256 end = edge(tick);
        if (riskIsToken0) {
            uint256 low = end > root - step ? end : root - step;
            return low >= root ? 0 : Math.mulDiv(liquidity << 96, root - low, root) / low;
        }
        uint256 high = end < root + step ? end : root + step;
        return high <= root ? 0 : Math.mulDiv(liquidity, high - root, 1 << 96);
    }

    function test_what_can_be_sold_is_counted_tick_by_tick_at_every_price() external {
        uint256 bounded;
        for (uint256 i = 0; i < 60; i++) {
            bool sell = i / 15 % 2 == 1;
            swapOutside(sell, sell ? 1_100e18 : 3_300_000e6);
            eq(venue.sellable(100_000), expected(100_000), "by a tenth");
            eq(venue.sellable(5_000), expected(5_000), "by half a per cent");
            if (venue.sellable(100_000) == venue.sellable(99_000)) bounded++;
        }
        isTrue(bounded > 3 && bounded < 57, "bounded by the range at some prices, by the move at others");
    }

    /// @dev Of several ticks ahead in one word of the bitmap, the nearest counts.
    function test_of_several_ends_ahead_the_nearest_bounds_the_sale() external {
        uint256 wide = venue.sellable(100_000);
        (, int24 tick,,,,,) = pool.slot0();
        int24 low = riskIsToken0 ? tick / 10 * 10 - 60 : tick / 10 * 10 + 30;
        pool.mint(address(this), low, low + 20, 1e17, "");
        eq(venue.sellable(100_000), expected(100_000), "to the nearest");
        isTrue(venue.sellable(100_000) < wide / 2, "less");
    }

    function test_at_the_end_of_all_prices_nothing_is_sellable() external {
        swapOutside(true, 1e39);
        (, int24 tick,,,,,) = pool.slot0();
        isTrue(riskIsToken0 ? tick < -887_270 : tick > 887_269, "the last ticks, where no position may be");
        eq(venue.sellable(100_000), 0, "nothing");
    }
}

contract DepthTest is DepthTests {
    function order() internal pure override returns (bool) {
        return true;
    }
}

contract FlippedDepthTest is DepthTests {
    function order() internal pure override returns (bool) {
        return false;
    }

    /// @dev The price just below the first tick of a word, from which liquidity changes, and changes again.
    function test_the_first_tick_of_a_word_bounds_the_sale() external {
        (, int24 tick,,,,,) = pool.slot0();
        int24 first = (tick / 2_560 + 1) * 2_560;
        int256[] memory below = new int256[](1);
        below[0] = first - 5;
        pool.swap(address(this), false, 1e30, uint160(ratios.sqrtRatios(below)[0]), "");
        pool.mint(address(this), first, first + 20, 1e17, "");
        uint256 near = venue.sellable(100_000);
        isTrue(near != 0 && near == expected(100_000), "to the first tick");
    }
}
