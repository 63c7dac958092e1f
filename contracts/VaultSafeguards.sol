// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IInferenceVault, Safeguards} from "./interfaces/IInferenceVault.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {TradeMath} from "./libraries/TradeMath.sol";
import {VaultExits} from "./VaultExits.sol";

/// @title What makes a vault withdraw-only, and how much it may trade over time
/// @notice A vault stops by itself when the value of a share has fallen too far from its peak, or when guardian or owner say
///         so; it resumes by the owner's word after the registry's delay. Missed epochs close the entries until the next
///         accepted one. No exit asks for any of it.
abstract contract VaultSafeguards is VaultExits {
    uint256 private constant WAD = TradeMath.WAD;
    /// @dev With fewer units of the asset, or of the risk token, a share's value is what roundings make it.
    uint256 private constant LEAST_ASSET = 1e6;
    uint256 private constant LEAST_RISK = 1e4;
    /// @dev Scale of a share's value: a new vault's is 2**44, and 128 bits hold 2**84 times as much.
    uint256 internal constant Q64 = 2 ** 64;

    /// @dev One slot, which every accepted epoch writes anyway.
    struct Progress {
        uint64 lastEpoch;
        uint64 resumableAt;
        uint112 turnoverUsedWad;
        bool stopped;
    }

    /// @dev Values of a share, asset units per share times 2**64.
    struct Marks {
        uint128 peakX64;
        uint128 highWaterX64;
    }

    IModelRegistry internal immutable _registry;
    /// @inheritdoc IInferenceVault
    uint256 public immutable period;
    /// @inheritdoc IInferenceVault
    uint256 public immutable leastJudged;
    uint256 private immutable _firstEpoch;
    uint256 private immutable _outageEpochs;
    uint256 private immutable _turnoverWad;
    uint256 private immutable _turnoverPerEpochWad;
    uint256 private immutable _drawdownWad;
    Progress internal _progress;
    Marks internal _marks;

    error SafeguardsInvalid(Safeguards safeguards);
    error PeriodZero();
    error RegistryHasNoCode(address registry);

    constructor(IModelRegistry registry_, uint256 period_, Safeguards memory s) {
        require(address(registry_).code.length != 0, RegistryHasNoCode(address(registry_)));
        require(period_ != 0, PeriodZero());
        require(
            s.turnoverWad != 0 && s.turnoverWad <= 1_000 * WAD && s.drawdownWad < WAD
                && s.outageEpochs <= type(uint64).max,
            SafeguardsInvalid(s)
        );
        _registry = registry_;
        period = period_;
        _firstEpoch = block.timestamp / period_;
        _outageEpochs = s.outageEpochs;
        _turnoverWad = s.turnoverWad;
        _turnoverPerEpochWad = Math.mulDiv(s.turnoverWad, period_, 1 days);
        _drawdownWad = s.drawdownWad;
        leastJudged = Math.max(LEAST_ASSET, TradeMath.riskValueDown(LEAST_RISK, lastTwapX128));
        uint128 start = _shareValueX64(0);
        _marks = Marks(start, start);
    }

    /// @inheritdoc IInferenceVault
    function stopTrading() external {
        require(msg.sender == _registry.guardian() || msg.sender == _registry.owner(), NotPermitted(msg.sender));
        _stop(msg.sender);
    }

    /// @inheritdoc IInferenceVault
    function scheduleResume() external {
        require(msg.sender == _registry.owner(), NotPermitted(msg.sender));
        require(_progress.stopped, NotStopped());
        uint256 due = block.timestamp + _registry.delay();
        _progress.resumableAt = uint64(due);
        emit ResumeScheduled(due);
    }

    /// @inheritdoc IInferenceVault
    function resumeTrading() external nonReentrant {
        uint256 due = _progress.resumableAt;
        require(due != 0 && block.timestamp >= due, ResumeNotDue(due, block.timestamp));
        _progress.stopped = false;
        _progress.resumableAt = 0;
        uint128 peak = _shareValueX64(_navDown());
        _marks.peakX64 = peak;
        emit TradingResumed(peak);
    }

    /// @inheritdoc IInferenceVault
    function withdrawOnly() public view returns (bool) {
        return _progress.stopped || (_outageEpochs != 0 && missedEpochs() > _outageEpochs);
    }

    /// @inheritdoc IInferenceVault
    function stopped() external view returns (bool) {
        return _progress.stopped;
    }

    /// @inheritdoc IInferenceVault
    function resumableAt() external view returns (uint256) {
        return _progress.resumableAt;
    }

    /// @inheritdoc IInferenceVault
    function lastEpoch() public view returns (uint256) {
        return _progress.lastEpoch;
    }

    /// @inheritdoc IInferenceVault
    function latestClosedEpoch() public view returns (uint256) {
        return block.timestamp / period;
    }

    /// @inheritdoc IInferenceVault
    function missedEpochs() public view returns (uint256) {
        return latestClosedEpoch() - Math.max(_progress.lastEpoch, _firstEpoch);
    }

    /// @inheritdoc IInferenceVault
    function turnoverLeftWad() external view returns (uint256) {
        return _turnoverWad - _turnoverUsed(missedEpochs());
    }

    /// @inheritdoc IInferenceVault
    function safeguards() external view returns (Safeguards memory) {
        return Safeguards(_outageEpochs, _turnoverWad, _drawdownWad);
    }

    /// @inheritdoc IInferenceVault
    function marksX64() external view returns (uint256 peak, uint256 highWater) {
        return (_marks.peakX64, _marks.highWaterX64);
    }

    /// @inheritdoc IInferenceVault
    function registry() external view returns (address) {
        return address(_registry);
    }

    /// @dev Marks the epoch. Returns what may be traded in it as a share of value, and the epochs since the last one.
    function _beginEpoch(uint256 epoch) internal returns (uint256 leftWad, uint256 elapsed) {
        Progress memory p = _progress;
        elapsed = epoch - Math.max(p.lastEpoch, Math.min(_firstEpoch, epoch - 1));
        uint256 used = _turnoverUsed(elapsed);
        leftWad = _turnoverWad - used;
        p.lastEpoch = uint64(epoch);
        p.turnoverUsedWad = uint112(used);
        _progress = p;
    }

    function _turnoverUsed(uint256 epochs) private view returns (uint256) {
        uint256 used = _progress.turnoverUsedWad;
        uint256 regained = Math.min(epochs, type(uint64).max) * _turnoverPerEpochWad;
        return used > regained ? used - regained : 0;
    }

    /// @dev Counts a trade of `notional` against the turnover; a share rounded up, at most what was left.
    function _countTurnover(uint256 notional, uint256 nav) internal {
        uint256 share = Math.mulDiv(notional, WAD, nav, Math.Rounding.Ceil);
        _progress.turnoverUsedWad = uint112(Math.min(_turnoverWad, _progress.turnoverUsedWad + share));
    }

    /// @dev Moves the peak, or stops where the value of a share has fallen too far below it. Returns whether it is stopped.
    function _checkDrawdown(uint256 nav) internal returns (bool) {
        if (_progress.stopped) return true;
        if (_drawdownWad == 0 || nav < leastJudged) return false;
        uint128 value = _shareValueX64(nav);
        uint256 peak = _marks.peakX64;
        if (value > peak) {
            _marks.peakX64 = value;
        } else if (value < Math.mulDiv(peak, WAD - _drawdownWad, WAD)) {
            _stop(address(this));
            return true;
        }
        return false;
    }

    /// @dev Whether there is next to nothing in the vault. Cash alone tells of most that there is more, without a price.
    function _nearlyEmpty() internal view returns (bool) {
        return _idle() < leastJudged && _navDown() < leastJudged;
    }

    function _stop(address by) private {
        _progress.stopped = true;
        _progress.resumableAt = 0;
        emit TradingStopped(by);
    }

    function _shareValueX64(uint256 nav) internal view returns (uint128) {
        return uint128(Math.min(type(uint128).max, Math.mulDiv(nav + 1, Q64, _virtualSupply())));
    }

    function _entriesClosed() internal view override returns (bool) {
        return withdrawOnly();
    }
}
