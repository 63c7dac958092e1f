// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20, IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IInferenceVault} from "./interfaces/IInferenceVault.sol";
import {IVenue} from "./interfaces/IVenue.sol";
import {VaultPricing} from "./VaultPricing.sol";

/// @title Ways out of a vault: in kind, which needs balances only, and for cash, at the leaver's cost
/// @notice Nothing here asks whether trading is stopped, an epoch was missed, or who governs.
abstract contract VaultExits is VaultPricing {
    using SafeERC20 for IERC20;

    /// @inheritdoc IERC4626
    /// @dev Sends exactly `assets`, as the standard asks, for `previewWithdraw(assets)` shares. What the sale of their slice
    ///      brings above it is the remaining holders'; `redeem` pays all of it to the leaver.
    function withdraw(uint256 assets, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 shares)
    {
        _settleGains();
        shares = _sharesToPayUp(assets);
        require(
            shares <= balanceOf(owner), ERC4626ExceededMaxWithdraw(owner, assets, _floorOfDown(balanceOf(owner)))
        );
        _sellSlice(shares, owner);
        IERC20(asset()).safeTransfer(receiver, assets);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
    }

    /// @inheritdoc IERC4626
    /// @dev Pays what the strictly pro-rata sale brings, at least `previewRedeem(shares)`. `maxRedeem` may be less than what
    ///      goes through.
    function redeem(uint256 shares, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 assets)
    {
        uint256 most = balanceOf(owner);
        require(shares <= most, ERC4626ExceededMaxRedeem(owner, shares, most));
        _settleGains();
        assets = _sellSlice(shares, owner);
        IERC20(asset()).safeTransfer(receiver, assets);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
    }

    /// @notice ERC-5143.
    function withdraw(uint256 assets, address receiver, address owner, uint256 maxShares)
        external
        returns (uint256 shares)
    {
        shares = withdraw(assets, receiver, owner);
        require(shares <= maxShares, SharesTooMany(shares, maxShares));
    }

    /// @notice ERC-5143.
    function redeem(uint256 shares, address receiver, address owner, uint256 minAssets)
        external
        returns (uint256 assets)
    {
        assets = redeem(shares, receiver, owner);
        require(assets >= minAssets, AssetsTooFew(assets, minAssets));
    }

    /// @inheritdoc IInferenceVault
    /// @dev A token that refuses the transfer is owed instead, so that it does not hold the other; see `claim`.
    function redeemInKind(uint256 shares, address receiver, address owner)
        external
        nonReentrant
        returns (uint256 assetAmount, uint256 riskAmount)
    {
        (assetAmount, riskAmount) = _sliceDown(shares, _virtualSupply());
        if (msg.sender != owner) _spendAllowance(owner, msg.sender, shares);
        _burn(owner, shares);
        _payOrOwe(asset(), receiver, assetAmount);
        _payOrOwe(risk(), receiver, riskAmount);
        emit RedeemedInKind(msg.sender, receiver, owner, shares, assetAmount, riskAmount);
    }

    /// @inheritdoc IInferenceVault
    function claim(address token, address account) external nonReentrant returns (uint256 amount) {
        amount = owed[token][account];
        delete owed[token][account];
        totalOwed[token] -= amount;
        IERC20(token).safeTransfer(account, amount);
        emit Claimed(token, account, amount);
    }

    function _payOrOwe(address token, address receiver, uint256 amount) internal {
        if (amount == 0 || IERC20(token).trySafeTransfer(receiver, amount)) return;
        owed[token][receiver] += amount;
        totalOwed[token] += amount;
        emit Owed(token, receiver, amount);
    }

    /// @dev Burns `shares` and returns the asset that their slice is worth once its risk token is sold.
    function _sellSlice(uint256 shares, address owner) private returns (uint256 assets) {
        uint256 riskAmount;
        (assets, riskAmount) = _sliceDown(shares, _virtualSupply());
        uint256 least = _saleFloorDown(riskAmount, _exitPriceX128());
        if (msg.sender != owner) _spendAllowance(owner, msg.sender, shares);
        _burn(owner, shares);
        if (riskAmount != 0) assets += _swap(true, riskAmount, least, _idle());
    }

    /// @dev The allowance is exactly what the venue takes, or until the next swap replaces it. What arrived is measured here, above `held` of
    ///      it before: a venue is not believed.
    function _swap(bool riskIn, uint256 amountIn, uint256 minOut, uint256 held) internal returns (uint256 amountOut) {
        IERC20(riskIn ? risk() : asset()).forceApprove(address(_venue), amountIn);
        _venue.swap(riskIn, amountIn, minOut);
        amountOut = (riskIn ? _idle() : _riskBalance()) - held;
        require(amountOut >= minOut, IVenue.OutputTooLow(amountOut, minOut));
    }
}
