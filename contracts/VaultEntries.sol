// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20, IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {VaultFees} from "./VaultFees.sol";

/// @title Ways into a vault
/// @notice What was gained before an entry is settled at it, so that nobody pays for gains of others, and the asset has to
///         arrive whole.
abstract contract VaultEntries is VaultFees {
    /// @notice The asset kept a part of the transfer.
    error AssetsNotReceived(uint256 got, uint256 expected);

    /// @inheritdoc IERC4626
    function deposit(uint256 assets, address receiver)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 shares)
    {
        uint256 price = _tryEntryPriceX128();
        uint256 most = _maxDeposit(price);
        require(assets <= most, ERC4626ExceededMaxDeposit(receiver, assets, most));
        _settleGains();
        shares = _sharesForDown(assets, price);
        _deposit(msg.sender, receiver, assets, shares);
    }

    /// @inheritdoc IERC4626
    function mint(uint256 shares, address receiver)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 assets)
    {
        uint256 price = _tryEntryPriceX128();
        uint256 most = _maxMint(price);
        require(shares <= most, ERC4626ExceededMaxMint(receiver, shares, most));
        _settleGains();
        assets = _costOfUp(shares, price);
        _deposit(msg.sender, receiver, assets, shares);
    }

    /// @notice ERC-5143.
    function deposit(uint256 assets, address receiver, uint256 minShares) external returns (uint256 shares) {
        shares = deposit(assets, receiver);
        require(shares >= minShares, SharesTooFew(shares, minShares));
    }

    /// @notice ERC-5143.
    function mint(uint256 shares, address receiver, uint256 maxAssets) external returns (uint256 assets) {
        assets = mint(shares, receiver);
        require(assets <= maxAssets, AssetsTooMany(assets, maxAssets));
    }

    /// @dev Shares are given for what is asked, so all of it must arrive: else the other holders would pay the difference. An
    ///      entry of nothing goes through without a price, so it marks nothing.
    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override {
        bool anew = _nearlyEmpty();
        IERC20 token = IERC20(asset());
        uint256 before = token.balanceOf(address(this));
        super._deposit(caller, receiver, assets, shares);
        uint256 got = token.balanceOf(address(this)) - before;
        require(got >= assets, AssetsNotReceived(got, assets));
        if (assets != 0) _markEntry(anew);
    }
}
