// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees, IInferenceVault} from "./interfaces/IInferenceVault.sol";
import {TradeMath} from "./libraries/TradeMath.sol";
import {VaultSafeguards} from "./VaultSafeguards.sol";

/// @title What holders pay: a reward for keeping, and a share of gains
/// @notice Both are settled when an epoch is accepted, at the mean price; gains also before every entry and every exit for cash,
///         so that nobody pays for gains of others. An exit in kind settles nothing, so that it needs no price.
abstract contract VaultFees is VaultSafeguards {
    using Math for uint256;

    uint256 public constant MAX_REWARD_YEAR_PIPS = 50_000;
    uint256 public constant MAX_PERFORMANCE_PIPS = 300_000;
    /// @dev Most time that one epoch's reward is for: what a keeper may have waited for, not what a vault lay empty.
    uint256 private constant MOST_PAID = 1 days;

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

    /// @dev Pays the beneficiary that the proof is bound to. `elapsed` epochs are paid for at once, within one epoch's most and a
    ///      day or one period, so a year's sum is at most the yearly share of value. A beneficiary whom the token refuses is owed.
    function _payReward(uint256 epoch, address beneficiary, uint256 nav, uint256 elapsed) internal {
        if (_rewardPerEpoch == 0) return;
        uint256 time = Math.min(period * elapsed, Math.max(period, MOST_PAID));
        uint256 budget = Math.mulDiv(nav, _rewardYearPips * time, TradeMath.PIPS * 365 days);
        uint256 amount = Math.min(Math.min(_rewardPerEpoch, budget), _idle());
        if (amount == 0) return;
        _payOrOwe(asset(), beneficiary, amount);
        emit RewardPaid(epoch, beneficiary, amount);
    }

    /// @dev Mints the recipient's share of what a share has gained above the highest value that was paid for.
    function _payPerformance(uint256 epoch, uint256 nav) internal {
        if (_performancePips == 0 || nav < LEAST_JUDGED || _shareValueX64(nav) <= _marks.highWaterX64) return;
        (uint256 shares, uint256 assets) = _gainDown(nav);
        _mint(_performanceRecipient, shares);
        _marks.highWaterX64 = _shareValueX64(nav);
        emit PerformanceFeePaid(epoch, _performanceRecipient, shares, assets);
    }

    /// @dev What the recipient's share of gains is now, in new shares and in assets.
    function _gainDown(uint256 nav) private view returns (uint256 shares, uint256 assets) {
        if (nav < LEAST_JUDGED) return (0, 0);
        uint256 supply = _virtualSupply();
        uint256 gained = uint256(_shareValueX64(nav)).saturatingSub(_marks.highWaterX64);
        assets = Math.mulDiv(Math.mulDiv(gained, supply, Q64), _performancePips, TradeMath.PIPS);
        shares = Math.mulDiv(assets, supply, nav + 1 - assets);
    }

    function _settleGains() internal override {
        if (_performancePips != 0) _payPerformance(lastEpoch(), _navDown());
    }

    /// @dev What an entry pays above the mean price is no gain. One into next to nothing begins the peak anew, and the mark where
    ///      nobody holds a share: to who does, the way back from a fall is no gain.
    function _markEntry(bool anew, bool unheld) internal {
        if (!anew && _performancePips == 0) return;
        uint128 value = _shareValueX64(_navDown());
        if (anew) _marks.peakX64 = value;
        if (value > _marks.highWaterX64 || (anew && unheld)) _marks.highWaterX64 = value;
    }

    function _settledSupply() internal view override returns (uint256 supply) {
        supply = _virtualSupply();
        if (_performancePips == 0) return supply;
        (uint256 shares,) = _gainDown(_navDown());
        return supply + shares;
    }
}
