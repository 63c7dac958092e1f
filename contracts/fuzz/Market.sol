// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/interfaces/IERC20.sol";
import {IUniswapV3Pool} from "../interfaces/IUniswapV3.sol";
import {Claims} from "./Vm.sol";

interface IFactory {
    function createPool(address tokenA, address tokenB, uint24 fee) external returns (address);
}

interface IPool is IUniswapV3Pool {
    function initialize(uint160 sqrtPriceX96) external;
    function increaseObservationCardinalityNext(uint16 next) external;
    function mint(address recipient, int24 low, int24 high, uint128 amount, bytes calldata data)
        external
        returns (uint256, uint256);
}

interface IMintable is IERC20 {
    function mint(address account, uint256 amount) external;
    function freeze(bool on) external;
    function frozen() external view returns (bool);
}

/// @title A real Uniswap V3 pool, from the bytecode that Uniswap publishes on npm, and an outsider who trades on it
abstract contract Market is Claims {
    uint24 internal constant FEE = 500;
    string private constant UNISWAP = "node_modules/@uniswap/v3-core/artifacts/contracts/";

    address internal factory;
    IPool internal pool;
    IMintable internal asset;
    IMintable internal risk;
    bool internal riskIsToken0;

    /// @dev 3,000 units of a 6-decimal asset for one of an 18-decimal risk token.
    function openPool(IMintable asset_, IMintable risk_, uint16 cardinality, uint128 liquidity) internal {
        uint160 root = address(risk_) < address(asset_) ? 4339505179874779489431521 : 1446501726624926496477173928747177;
        openPoolAt(root, asset_, risk_, cardinality, liquidity);
    }

    function openPoolAt(uint160 root, IMintable asset_, IMintable risk_, uint16 cardinality, uint128 liquidity) internal {
        (asset, risk, riskIsToken0) = (asset_, risk_, address(risk_) < address(asset_));
        factory = vm.deployCode(string.concat(UNISWAP, "UniswapV3Factory.sol/UniswapV3Factory.json"), "");
        pool = IPool(IFactory(factory).createPool(address(asset), address(risk), FEE));
        pool.initialize(root);
        pool.increaseObservationCardinalityNext(cardinality);
        (, int24 tick,,,,,) = pool.slot0();
        int24 middle = tick / 10 * 10;
        pool.mint(address(this), -887270, 887270, liquidity / 10, "");
        pool.mint(address(this), middle - 5000, middle + 5000, liquidity, "");
    }

    function uniswapV3MintCallback(uint256 owed0, uint256 owed1, bytes calldata) external {
        (uint256 owedAsset, uint256 owedRisk) = riskIsToken0 ? (owed1, owed0) : (owed0, owed1);
        asset.mint(msg.sender, owedAsset);
        risk.mint(msg.sender, owedRisk);
    }

    function uniswapV3SwapCallback(int256 delta0, int256 delta1, bytes calldata) external {
        bool owesRisk = (delta0 > 0) == riskIsToken0;
        (owesRisk ? risk : asset).mint(msg.sender, uint256(delta0 > 0 ? delta0 : delta1));
    }

    /// @dev An outsider's swap, up to the edge of the price range where liquidity ends.
    function swapOutside(bool sellRisk, uint256 amountIn) internal returns (uint256 amountOut) {
        bool zeroForOne = sellRisk == riskIsToken0;
        (int256 delta0, int256 delta1) = pool.swap(
            address(this),
            zeroForOne,
            int256(amountIn),
            zeroForOne ? 4295128740 : 1461446703485210103287273052203988822378723970341,
            ""
        );
        return uint256(-(zeroForOne ? delta1 : delta0));
    }

    /// @dev Indices of the observations at or before each of `count + 2` points, as two bytes each.
    function hintsFor(uint256 end, uint256 bar, uint256 count) internal view returns (bytes memory hints) {
        (,, uint16 index, uint16 cardinality,,,) = pool.slot0();
        for (uint256 i = 0; i < count + 2; i++) {
            for (uint256 steps = 0; steps < cardinality; steps++) {
                (uint32 stamp,,,) = pool.observations(index);
                if (stamp <= end - i * bar) break;
                index = index == 0 ? cardinality - 1 : index - 1;
            }
            hints = abi.encodePacked(hints, index);
        }
    }

    /// @dev The model's inputs from the pool's own `observe`, which shares no code with `TickWindow`.
    function inputsFor(uint256 end, uint256 bar, uint256 count, int256 clip)
        internal
        view
        returns (int256[] memory inputs)
    {
        uint32[] memory ages = new uint32[](count + 2);
        for (uint256 i = 0; i < count + 2; i++) {
            ages[i] = uint32(block.timestamp - end + i * bar);
        }
        (int56[] memory sums,) = pool.observe(ages);
        inputs = new int256[](count);
        for (uint256 i = 0; i < count; i++) {
            int256 value = _mean(sums[i], sums[i + 1], bar) - _mean(sums[i + 1], sums[i + 2], bar);
            if (!riskIsToken0) value = -value;
            inputs[i] = value > clip ? clip : value < -clip ? -clip : value;
        }
    }

    function _mean(int256 newer, int256 older, uint256 bar) private pure returns (int256 mean) {
        mean = (newer - older) / int256(bar);
        if (mean * int256(bar) > newer - older) mean--;
    }
}
