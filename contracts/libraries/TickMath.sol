// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Uniswap V3 ticks as prices, in exact integers
/// @notice The twin of Python's `vaultkit.tickmath`. Each factor is `round(2**128 / sqrt(1.0001)**(2**i))`.
library TickMath {
    uint256 internal constant MAX_TICK = 887272;
    uint256 internal constant Q128 = 2 ** 128;

    error TickOutOfRange(int256 tick);

    /// @notice `sqrt(1.0001**tick) * 2**96`, rounded as the pool rounds it.
    function sqrtRatioAtTick(int256 tick) internal pure returns (uint256) {
        uint256 m = tick < 0 ? uint256(-tick) : uint256(tick);
        require(m <= MAX_TICK, TickOutOfRange(tick));
        uint256 r = Q128;
        // Every factor and every intermediate ratio is at most 2**128, so no product overflows.
        unchecked {
            if (m & 0x1 != 0) r = (r * 0xfffcb933bd6fad37aa2d162d1a594001) >> 128;
            if (m & 0x2 != 0) r = (r * 0xfff97272373d413259a46990580e213a) >> 128;
            if (m & 0x4 != 0) r = (r * 0xfff2e50f5f656932ef12357cf3c7fdcc) >> 128;
            if (m & 0x8 != 0) r = (r * 0xffe5caca7e10e4e61c3624eaa0941cd0) >> 128;
            if (m & 0x10 != 0) r = (r * 0xffcb9843d60f6159c9db58835c926644) >> 128;
            if (m & 0x20 != 0) r = (r * 0xff973b41fa98c081472e6896dfb254c0) >> 128;
            if (m & 0x40 != 0) r = (r * 0xff2ea16466c96a3843ec78b326b52861) >> 128;
            if (m & 0x80 != 0) r = (r * 0xfe5dee046a99a2a811c461f1969c3053) >> 128;
            if (m & 0x100 != 0) r = (r * 0xfcbe86c7900a88aedcffc83b479aa3a4) >> 128;
            if (m & 0x200 != 0) r = (r * 0xf987a7253ac413176f2b074cf7815e54) >> 128;
            if (m & 0x400 != 0) r = (r * 0xf3392b0822b70005940c7a398e4b70f3) >> 128;
            if (m & 0x800 != 0) r = (r * 0xe7159475a2c29b7443b29c7fa6e889d9) >> 128;
            if (m & 0x1000 != 0) r = (r * 0xd097f3bdfd2022b8845ad8f792aa5825) >> 128;
            if (m & 0x2000 != 0) r = (r * 0xa9f746462d870fdf8a65dc1f90e061e5) >> 128;
            if (m & 0x4000 != 0) r = (r * 0x70d869a156d2a1b890bb3df62baf32f7) >> 128;
            if (m & 0x8000 != 0) r = (r * 0x31be135f97d08fd981231505542fcfa6) >> 128;
            if (m & 0x10000 != 0) r = (r * 0x9aa508b5b7a84e1c677de54f3e99bc9) >> 128;
            if (m & 0x20000 != 0) r = (r * 0x5d6af8dedb81196699c329225ee604) >> 128;
            if (m & 0x40000 != 0) r = (r * 0x2216e584f5fa1ea926041bedfe98) >> 128;
            if (m & 0x80000 != 0) r = (r * 0x48a170391f7dc42444e8fa2) >> 128;
        }
        if (tick > 0) r = type(uint256).max / r;
        return (r >> 32) + (r & 0xffffffff == 0 ? 0 : 1);
    }

    /// @notice Asset units per risk unit times 2**128, rounded down; the pool quotes token1 per token0.
    /// @dev Reverts on overflow where the risk token is token1 and the tick is below -880340.
    function priceX128(uint256 sqrtRatioX96, bool riskIsToken0) internal pure returns (uint256) {
        uint256 ratio = Math.mulDiv(sqrtRatioX96, sqrtRatioX96, 1 << 64);
        return riskIsToken0 ? ratio : Math.mulDiv(Q128, Q128, ratio);
    }

    /// @notice `priceX128` at a whole tick.
    function priceX128AtTick(int256 tick, bool riskIsToken0) internal pure returns (uint256) {
        return priceX128(sqrtRatioAtTick(tick), riskIsToken0);
    }

    /// @notice `floor(difference / divisor)`, toward negative infinity as Uniswap's oracle library rounds.
    function floorDiv(int256 difference, uint256 divisor) internal pure returns (int256 quotient) {
        int256 d = int256(divisor);
        // A quotient that has a remainder is not the least integer.
        unchecked {
            quotient = difference / d;
            if (difference < 0 && difference % d != 0) quotient--;
        }
    }
}
