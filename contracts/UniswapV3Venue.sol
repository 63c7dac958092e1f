// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/interfaces/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IUniswapV3Factory, IUniswapV3Pool} from "./interfaces/IUniswapV3.sol";
import {IVenue} from "./interfaces/IVenue.sol";
import {TickMath} from "./libraries/TickMath.sol";

/// @title One Uniswap V3 pool, traded with directly
/// @notice Holds nothing between calls: the pool pays the caller, and the callback pulls the caller's tokens into the pool.
contract UniswapV3Venue is IVenue {
    using SafeERC20 for IERC20;

    /// @dev One inside the least and the greatest square-root ratio that a pool accepts.
    uint160 private constant LOWEST_LIMIT = 4295128740;
    uint160 private constant HIGHEST_LIMIT = 1461446703485210103287273052203988822378723970341;

    IUniswapV3Pool public immutable pool;
    /// @inheritdoc IVenue
    address public immutable asset;
    /// @inheritdoc IVenue
    address public immutable risk;
    /// @inheritdoc IVenue
    uint256 public immutable feePips;
    uint32 public immutable twapSeconds;
    bool public immutable riskIsToken0;

    error FactoryHasNoCode(address factory);
    error PoolHasNoCode(address pool);
    error PoolNotOfFactory(address pool, address expected);
    error AssetNotInPool(address asset);
    error TwapSecondsZero();
    error TokenHasNoCode(address token);
    error CallerNotPool(address caller);
    error NothingToSwap();
    /// @notice The pool ran out of liquidity before it had taken everything.
    error PartialFill(uint256 taken, uint256 amountIn);

    constructor(IUniswapV3Factory factory, IUniswapV3Pool pool_, address asset_, uint32 twapSeconds_) {
        require(address(factory).code.length != 0, FactoryHasNoCode(address(factory)));
        require(address(pool_).code.length != 0, PoolHasNoCode(address(pool_)));
        (address token0, address token1, uint24 fee) = (pool_.token0(), pool_.token1(), pool_.fee());
        address genuine = factory.getPool(token0, token1, fee);
        require(genuine == address(pool_), PoolNotOfFactory(address(pool_), genuine));
        require(asset_ == token0 || asset_ == token1, AssetNotInPool(asset_));
        require(twapSeconds_ != 0, TwapSecondsZero());
        require(token0.code.length != 0, TokenHasNoCode(token0));
        require(token1.code.length != 0, TokenHasNoCode(token1));
        pool = pool_;
        asset = asset_;
        riskIsToken0 = asset_ == token1;
        risk = asset_ == token1 ? token0 : token1;
        feePips = fee;
        twapSeconds = twapSeconds_;
    }

    /// @inheritdoc IVenue
    function spotX128() external view returns (uint256) {
        (uint160 sqrtPriceX96,,,,,,) = pool.slot0();
        return TickMath.priceX128(sqrtPriceX96, riskIsToken0);
    }

    /// @inheritdoc IVenue
    /// @dev A pool writes an observation at the first trade of a block that moves its tick, of the tick that stood before: since
    ///      the last but one, it has stood alone.
    function highX128() external view returns (uint256 high) {
        (uint160 sqrtPriceX96,, uint16 index, uint16 cardinality,,,) = pool.slot0();
        high = TickMath.priceX128(sqrtPriceX96, riskIsToken0);
        (uint32 stamp, int56 cumulative,,) = pool.observations(index);
        if (stamp != uint32(block.timestamp) || cardinality == 1) return high;
        (uint32 earlier, int56 before,,) = pool.observations(index == 0 ? cardinality - 1 : index - 1);
        // Seconds have 32 bits, cumulatives 56: both wrap.
        unchecked {
            int256 tick = int256(cumulative - before) / int256(uint256(stamp - earlier));
            return Math.max(high, TickMath.priceX128AtTick(tick, riskIsToken0));
        }
    }

    /// @inheritdoc IVenue
    function twapX128() external view returns (uint256) {
        uint32[] memory secondsAgos = new uint32[](2);
        secondsAgos[0] = twapSeconds;
        (int56[] memory cumulatives,) = pool.observe(secondsAgos);
        return _meanX128(cumulatives[0], cumulatives[1], twapSeconds);
    }

    /// @inheritdoc IVenue
    function recentX128() external view returns (uint256) {
        uint32 recent = twapSeconds / 20 + 1;
        uint32[] memory secondsAgos = new uint32[](3);
        (secondsAgos[0], secondsAgos[1]) = (3 * recent, recent);
        (int56[] memory cumulatives,) = pool.observe(secondsAgos);
        return Math.max(
            _meanX128(cumulatives[0], cumulatives[1], 2 * recent), _meanX128(cumulatives[1], cumulatives[2], recent)
        );
    }

    function _meanX128(int256 first, int256 last, uint256 time) private view returns (uint256) {
        return TickMath.priceX128AtTick(TickMath.floorDiv(last - first, time), riskIsToken0);
    }

    /// @inheritdoc IVenue
    /// @dev Within the present range of liquidity, of which one word of the bitmap is searched for the end. The pool's fee is
    ///      left out, so the amount is an underestimate.
    function sellable(uint256 movePips) external view returns (uint256) {
        (uint160 sqrtPriceX96, int24 tick,,,,,) = pool.slot0();
        uint256 liquidity = pool.liquidity();
        int256 end = _rangeEnd(tick);
        uint256 edge = TickMath.sqrtRatioAtTick(end);
        // A square root moves by less than half as much as what it is the root of.
        uint256 step = Math.mulDiv(sqrtPriceX96, movePips, 2e6);
        if (riskIsToken0) {
            uint256 low = Math.max(edge, sqrtPriceX96 - step);
            if (low >= sqrtPriceX96) return 0;
            return Math.mulDiv(liquidity << 96, sqrtPriceX96 - low, sqrtPriceX96) / low;
        }
        uint256 high = Math.min(edge, sqrtPriceX96 + step);
        return high <= sqrtPriceX96 ? 0 : Math.mulDiv(liquidity, high - sqrtPriceX96, 1 << 96);
    }

    /// @dev Where liquidity may change next as the risk token is sold: the next initialized tick, or the end of its word.
    function _rangeEnd(int256 tick) private view returns (int256) {
        int256 spacing = pool.tickSpacing();
        int256 compressed = TickMath.floorDiv(tick, uint256(spacing));
        if (!riskIsToken0) compressed++;
        int256 word = TickMath.floorDiv(compressed, 256);
        uint256 bit = uint256(compressed - word * 256);
        uint256 bits = pool.tickBitmap(int16(word));
        uint256 found;
        if (riskIsToken0) {
            bits = (bits << (255 - bit)) >> (255 - bit);
            found = Math.log2(bits);
        } else {
            bits = (bits >> bit) << bit;
            // The lowest set bit alone, or the last place of the word.
            found = bits == 0 ? 255 : Math.log2(bits & (~bits + 1));
        }
        int256 end = (word * 256 + int256(found)) * spacing;
        int256 most = int256(TickMath.MAX_TICK);
        if (end > most) return most;
        return end < -most ? -most : end;
    }

    /// @inheritdoc IVenue
    function swap(bool riskIn, uint256 amountIn, uint256 minOut) external returns (uint256 amountOut) {
        require(amountIn != 0, NothingToSwap());
        bool zeroForOne = riskIn == riskIsToken0;
        (int256 delta0, int256 delta1) = pool.swap(
            msg.sender,
            zeroForOne,
            int256(amountIn),
            zeroForOne ? LOWEST_LIMIT : HIGHEST_LIMIT,
            abi.encode(msg.sender, riskIn ? risk : asset)
        );
        uint256 taken = uint256(zeroForOne ? delta0 : delta1);
        require(taken == amountIn, PartialFill(taken, amountIn));
        amountOut = uint256(-(zeroForOne ? delta1 : delta0));
        require(amountOut >= minOut, OutputTooLow(amountOut, minOut));
    }

    /// @notice The pool asks to be paid. It calls back only who called its `swap`, so `data` is what `swap` above encoded.
    function uniswapV3SwapCallback(int256 delta0, int256 delta1, bytes calldata data) external {
        require(msg.sender == address(pool), CallerNotPool(msg.sender));
        (address payer, address tokenIn) = abi.decode(data, (address, address));
        IERC20(tokenIn).safeTransferFrom(payer, msg.sender, uint256(delta0 > 0 ? delta0 : delta1));
    }
}
