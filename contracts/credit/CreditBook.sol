// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20, IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {ICreditLine, LineTerms, Position, Tier} from "../interfaces/ICreditLine.sol";

/// @title The lenders' side of a credit line: shares, tiers, and what borrowers owe in each
/// @notice A tier's index is what one unit lent when the line was made would be by now: a function of the rate and of time
///         alone, so interest needs no transaction to accrue. A debt is a share in its tier times the index.
abstract contract CreditBook is ICreditLine, ERC4626, ReentrancyGuard {
    using SafeERC20 for IERC20;

    uint256 internal constant RAY = 1e27;
    uint256 internal constant BPS = 10_000;
    uint256 public constant MAX_TIERS = 8;
    uint256 public constant MAX_RATE_BPS = 5_000;
    uint256 public constant MAX_BONUS_BPS = 5_000;
    uint256 public constant MAX_SCORE_AGE = 90 days;
    /// @dev Interest stops there, where an index cannot overflow yet: nothing may stop repayments and exits.
    uint256 public constant MAX_SECONDS = 50 * 365 days;

    uint256 private immutable _start;
    uint8 internal immutable _outputScale;
    uint256 internal immutable _maxScoreAge;
    uint256 internal immutable _bonusBps;
    uint256 internal immutable _closeBps;
    uint256 internal immutable _minDebt;
    uint256 private immutable _depositCap;
    Tier[] private _tiers;
    mapping(uint256 tier => uint256) private _scaledTotal;

    constructor(IERC20 asset_, Tier[] memory tiers, LineTerms memory terms_) ERC4626(asset_) {
        require(
            terms_.maxScoreAge != 0 && terms_.maxScoreAge <= MAX_SCORE_AGE && terms_.bonusBps <= MAX_BONUS_BPS
                && terms_.closeBps != 0 && terms_.closeBps <= BPS && terms_.minDebt != 0,
            TermsInvalid(terms_)
        );
        uint256 count = tiers.length;
        require(count != 0 && count <= MAX_TIERS, TiersEmptyOrTooMany(count, MAX_TIERS));
        for (uint256 i = 0; i < count; i++) {
            _checkTier(tiers[i], terms_.bonusBps);
            require(i == 0 || _isWorse(tiers[i], tiers[i - 1]), TierOutOfOrder(i));
            _tiers.push(tiers[i]);
        }
        _outputScale = terms_.outputScale;
        _maxScoreAge = terms_.maxScoreAge;
        _bonusBps = terms_.bonusBps;
        _closeBps = terms_.closeBps;
        _minDebt = terms_.minDebt;
        _depositCap = terms_.depositCap;
        _start = block.timestamp;
    }

    /// @dev A liquidation at the threshold must leave a position better secured than it was.
    function _checkTier(Tier memory t, uint256 bonusBps) private pure {
        require(
            t.ltvBps < t.thresholdBps && t.thresholdBps * (BPS + bonusBps) <= BPS * BPS,
            TierUnsafe(t.ltvBps, t.thresholdBps, bonusBps)
        );
        require(t.rateBps <= MAX_RATE_BPS, RateTooHigh(t.rateBps, MAX_RATE_BPS));
    }

    function _isWorse(Tier memory t, Tier memory better) private pure returns (bool) {
        return t.maxScore > better.maxScore && t.ltvBps <= better.ltvBps && t.thresholdBps <= better.thresholdBps
            && t.rateBps >= better.rateBps;
    }

    /// @inheritdoc ICreditLine
    function indexOf(uint256 tier) public view returns (uint256) {
        uint256 elapsed = Math.min(block.timestamp - _start, MAX_SECONDS);
        return _powerDown(RAY + RAY * _tiers[tier].rateBps / (BPS * 365 days), elapsed);
    }

    /// @inheritdoc ICreditLine
    function totalDebt() public view returns (uint256 debt) {
        for (uint256 i = 0; i < _tiers.length; i++) {
            uint256 scaled = _scaledTotal[i];
            if (scaled != 0) debt += Math.mulDiv(scaled, indexOf(i), RAY);
        }
    }

    /// @inheritdoc IERC4626
    function totalAssets() public view override(ERC4626, IERC4626) returns (uint256) {
        return _cash() + totalDebt();
    }

    /// @inheritdoc IERC4626
    function maxDeposit(address) public view override(ERC4626, IERC4626) returns (uint256) {
        return Math.saturatingSub(_depositCap, totalAssets());
    }

    /// @inheritdoc IERC4626
    /// @dev Of a cap that is none, what can be converted without an overflow.
    function maxMint(address receiver) public view override(ERC4626, IERC4626) returns (uint256) {
        return convertToShares(Math.min(maxDeposit(receiver), type(uint128).max));
    }

    /// @inheritdoc IERC4626
    /// @dev What is lent out cannot leave before it comes back. `maxWithdraw` follows.
    function maxRedeem(address owner) public view override(ERC4626, IERC4626) returns (uint256) {
        uint256 shares = balanceOf(owner);
        uint256 cash = _cash();
        return previewRedeem(shares) <= cash ? shares : convertToShares(cash);
    }

    /// @inheritdoc ICreditLine
    function tierOf(int256 score) public view returns (uint256 tier) {
        uint256 count = _tiers.length;
        while (tier < count && score > _tiers[tier].maxScore) tier++;
    }

    /// @inheritdoc ICreditLine
    function tierAt(uint256 index) public view returns (Tier memory) {
        return _tiers[index];
    }

    /// @inheritdoc ICreditLine
    function tierCount() public view returns (uint256) {
        return _tiers.length;
    }

    /// @inheritdoc ICreditLine
    function terms() external view returns (LineTerms memory) {
        return LineTerms(_outputScale, _maxScoreAge, _bonusBps, _closeBps, _minDebt, _depositCap);
    }

    function _debtUp(Position storage p) internal view returns (uint256) {
        return p.scaledDebt == 0 ? 0 : Math.mulDiv(p.scaledDebt, indexOf(p.rateTier), RAY, Math.Rounding.Ceil);
    }

    /// @dev Makes `debt` the position's debt from now on, at the rate of `tier`; the share rounds up.
    function _setDebt(Position storage p, uint256 debt, uint256 tier) internal {
        _scaledTotal[p.rateTier] -= p.scaledDebt;
        uint256 scaled = Math.mulDiv(debt, RAY, indexOf(tier), Math.Rounding.Ceil);
        _scaledTotal[tier] += scaled;
        p.scaledDebt = SafeCast.toUint96(scaled);
        p.rateTier = uint8(tier);
    }

    function _cash() internal view returns (uint256) {
        return IERC20(asset()).balanceOf(address(this));
    }

    function _pull(IERC20 token, address from, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        uint256 got = token.balanceOf(address(this)) - before;
        require(got == amount, TransferInexact(address(token), got, amount));
    }

    function _transferIn(address from, uint256 assets) internal override {
        _pull(IERC20(asset()), from, assets);
    }

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares)
        internal
        override
        nonReentrant
    {
        super._deposit(caller, receiver, assets, shares);
    }

    function _withdraw(address caller, address receiver, address owner, uint256 assets, uint256 shares)
        internal
        override
        nonReentrant
    {
        super._withdraw(caller, receiver, owner, assets, shares);
    }

    function _decimalsOffset() internal pure override returns (uint8) {
        return 6;
    }

    /// @dev `x**n` with 27 decimals by repeated squaring, each product rounded down.
    function _powerDown(uint256 x, uint256 n) private pure returns (uint256 z) {
        z = n % 2 == 0 ? RAY : x;
        for (n /= 2; n != 0; n /= 2) {
            x = x * x / RAY;
            if (n % 2 != 0) z = z * x / RAY;
        }
    }
}
