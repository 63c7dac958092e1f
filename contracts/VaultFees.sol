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
        uint256 gainedX64 = _gainedX64(nav);
        if (gainedX64 == 0) return;
        (uint256 shares, uint256 assets) = _partDown(nav, gainedX64);
        _mint(_performanceRecipient, shares);
        _marks.highWaterX64 = _shareValueX64(nav);
        emit PerformanceFeePaid(epoch, _performanceRecipient, shares, assets);
    }

    /// @dev What a share has gained above its mark that is to be shared.
    function _gainedX64(uint256 nav) private view returns (uint256) {
        if (_performancePips == 0 || nav < leastJudged) return 0;
        return uint256(_shareValueX64(nav)).saturatingSub(_marks.highWaterX64);
    }

    /// @dev The recipient's part of what every share has gained, in new shares and in assets.
    function _partDown(uint256 nav, uint256 gainedX64) private view returns (uint256 shares, uint256 assets) {
        uint256 supply = _virtualSupply();
        assets = Math.mulDiv(Math.mulDiv(gainedX64, supply, Q64), _performancePips, TradeMath.PIPS);
        shares = Math.mulDiv(assets, supply, nav + 1 - assets);
    }

    function _settleGains() internal override {
        if (_performancePips != 0) _payPerformance(lastEpoch(), _navDown());
    }

    /// @dev What an entry pays above the mean price is no gain, and one into next to nothing begins both marks anew: else dust,
    ///      and what roundings made of it, would bind whoever enters.
    function _markEntry(bool anew) internal {
        if (!anew && _performancePips == 0) return;
        uint128 value = _shareValueX64(_navDown());
        if (anew) {
            _marks = Marks(value, value);
        } else if (value > _marks.highWaterX64) {
            _marks.highWaterX64 = value;
        }
    }

    function _settledSupply() internal view override returns (uint256 supply) {
        supply = _virtualSupply();
        if (_performancePips == 0) return supply;
        uint256 nav = _navDown();
        (uint256 shares,) = _partDown(nav, _gainedX64(nav));
        return supply + shares;
    }
}
