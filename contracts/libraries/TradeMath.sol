// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Policy, Reason} from "../interfaces/IInferenceVault.sol";

/// @notice What a vault holds and at which prices, before a trade. Prices are asset units per risk unit times 2**128.
struct Holdings {
    uint256 idle;
    uint256 risk;
    uint256 twapX128;
    uint256 spotX128;
}

/// @notice What the vault does with a proven weight. `riskIn` says that the risk token is sold.
struct TradePlan {
    Reason reason;
    bool riskIn;
    uint256 amountIn;
    uint256 minOut;
    uint256 weightBeforeWad;
    uint256 weightTargetWad;
}

/// @title From a proven weight to amounts, in exact integers
/// @notice The twin of Python's `vaultkit.trade`; both pass `tests/vectors/trade.json`.
library TradeMath {
    uint256 internal constant WAD = 1e18;
    uint256 internal constant PIPS = 1e6;
    uint256 internal constant Q128 = 2 ** 128;

    /// @notice Value of an amount of the risk token in the asset, rounded down.
    function riskValueDown(uint256 risk, uint256 priceX128) internal pure returns (uint256) {
        return Math.mulDiv(risk, priceX128, Q128);
    }

    /// @notice What a pool trades of `amountIn`: it rounds its fee up to a unit, which may be much of a small trade.
    function afterFee(uint256 amountIn, uint256 feePips) internal pure returns (uint256) {
        return Math.mulDiv(amountIn, PIPS - feePips, PIPS);
    }

    /// @notice Least acceptable output for a fair output `amount` after the fee, rounded down.
    function minOutDown(uint256 amount, uint256 slippagePips) internal pure returns (uint256) {
        return Math.mulDiv(amount, PIPS - slippagePips, PIPS);
    }

    /// @notice Share of the risk token at the mean price, 18 decimals, rounded down; zero for an empty vault.
    function weightDown(uint256 idle, uint256 riskValue) internal pure returns (uint256) {
        uint256 nav = idle + riskValue;
        return nav == 0 ? 0 : Math.mulDiv(riskValue, WAD, nav);
    }

    /// @notice The trade that brings the vault toward a raw target weight: clamp, deadband, deviation, step, notional,
    ///         rounding, in this order. Sizes and `minOut` use the mean price only.
    function plan(Holdings memory h, int256 weightWad, uint256 feePips, Policy memory policy)
        internal
        pure
        returns (TradePlan memory p)
    {
        uint256 held = riskValueDown(h.risk, h.twapX128);
        uint256 target = _clamp(weightWad, policy.minWeightWad, policy.maxWeightWad);
        uint256 before = weightDown(h.idle, held);
        p.riskIn = target < before;
        p.weightBeforeWad = before;
        p.weightTargetWad = target;
        uint256 change = p.riskIn ? before - target : target - before;
        if (change < policy.deadbandWad) {
            p.reason = Reason.Deadband;
            return p;
        }
        if (deviationPips(h.spotX128, h.twapX128) > policy.deviationPips) {
            p.reason = Reason.Deviation;
            return p;
        }
        uint256 notional = Math.mulDiv(Math.min(change, policy.maxStepWad), h.idle + held, WAD);
        notional = Math.min(notional, policy.maxNotional);
        p.amountIn = p.riskIn ? Math.min(Math.mulDiv(notional, Q128, h.twapX128), h.risk) : Math.min(notional, h.idle);
        uint256 sold = afterFee(p.amountIn, feePips);
        uint256 fair = p.riskIn ? riskValueDown(sold, h.twapX128) : Math.mulDiv(sold, Q128, h.twapX128);
        p.minOut = minOutDown(fair, policy.slippagePips);
        if (p.minOut == 0) {
            p.reason = Reason.Dust;
            p.amountIn = 0;
        }
    }

    /// @notice Distance of spot from the mean in millionths of the mean, rounded down.
    function deviationPips(uint256 spotX128, uint256 twapX128) internal pure returns (uint256) {
        uint256 distance = spotX128 > twapX128 ? spotX128 - twapX128 : twapX128 - spotX128;
        return Math.mulDiv(distance, PIPS, twapX128);
    }

    function _clamp(int256 value, uint256 least, uint256 most) private pure returns (uint256) {
        if (value < 0) return least;
        return Math.max(least, Math.min(most, uint256(value)));
    }
}
