// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees, IInferenceVault} from "./interfaces/IInferenceVault.sol";
import {TradeMath} from "./libraries/TradeMath.sol";
import {VaultSafeguards} from "./VaultSafeguards.sol";

/// @title What holders pay: a reward for keeping, and a share of gains
/// @notice Both are settled when an epoch is accepted, at the mean price, and never at a user's action, so that an exit in kind
///         needs no price and a preview is exact.
abstract contract VaultFees is VaultSafeguards {
    uint256 public constant MAX_REWARD_YEAR_PIPS = 50_000;
    uint256 public constant MAX_PERFORMANCE_PIPS = 300_000;

    uint256 private immutable _rewardPerEpoch;
    uint256 private immutable _rewardYearPips;
    uint256 private immutable _performancePips;
    address private immutable _performanceRecipient;

    error FeesInvalid(Fees fees);

    constructor(Fees memory f) {
        require(
            f.rewardYearPips <= MAX_REWARD_YEAR_PIPS && f.performancePips <= MAX_PERFORMANCE_PIPS
                && (f.performancePips == 0 || f.performanceRecipient != address(0))
                && (f.rewardPerEpoch == 0) == (f.rewardYearPips == 0),
            FeesInvalid(f)
        );
        _rewardPerEpoch = f.rewardPerEpoch;
        _rewardYearPips = f.rewardYearPips;
        _performancePips = f.performancePips;
        _performanceRecipient = f.performanceRecipient;
    }

    /// @inheritdoc IInferenceVault
    function fees() external view returns (Fees memory) {
        return Fees(_rewardPerEpoch, _rewardYearPips, _performancePips, _performanceRecipient);
    }

    /// @dev Pays the beneficiary that the proof is bound to. `elapsed` epochs are paid for at once, within one epoch's most, so
    ///      a year's sum is at most the yearly share of value. A beneficiary whom the token refuses is owed.
    function _payReward(uint256 epoch, address beneficiary, uint256 nav, uint256 elapsed) internal {
        if (_rewardPerEpoch == 0) return;
        uint256 budget = Math.mulDiv(nav, _rewardYearPips * period * elapsed, TradeMath.PIPS * 365 days);
        uint256 amount = Math.min(Math.min(_rewardPerEpoch, budget), _idle());
        if (amount == 0) return;
        _payOrOwe(asset(), beneficiary, amount);
        emit RewardPaid(epoch, beneficiary, amount);
    }

    /// @dev Mints the recipient's share of what a share has gained above the highest value that was paid for.
    function _payPerformance(uint256 epoch, uint256 nav) internal {
        if (_performancePips == 0) return;
        uint256 value = _shareValueX96(nav);
        uint256 mark = _marks.highWaterX96;
        if (value <= mark) return;
        uint256 supply = _virtualSupply();
        uint256 assets = Math.mulDiv(Math.mulDiv(value - mark, supply, Q96), _performancePips, TradeMath.PIPS);
        uint256 shares = Math.mulDiv(assets, supply, nav + 1 - assets);
        _mint(_performanceRecipient, shares);
        _marks.highWaterX96 = _shareValueX96(nav);
        emit PerformanceFeePaid(epoch, _performanceRecipient, shares, assets);
    }
}
