// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title ERC-5143: the four ways into and out of an ERC-4626 vault, each with the worst that the caller takes
/// @notice Prices may move between a signature and its block, by chance or by somebody's hand; these revert instead.
interface IERC5143 {
    /// @notice Fewer shares than the caller takes for the deposit.
    error SharesTooFew(uint256 shares, uint256 minShares);
    /// @notice More assets than the caller pays for the shares.
    error AssetsTooMany(uint256 assets, uint256 maxAssets);
    /// @notice More shares than the caller burns for the assets.
    error SharesTooMany(uint256 shares, uint256 maxShares);
    /// @notice Fewer assets than the caller takes for the shares.
    error AssetsTooFew(uint256 assets, uint256 minAssets);

    function deposit(uint256 assets, address receiver, uint256 minShares) external returns (uint256 shares);
    function mint(uint256 shares, address receiver, uint256 maxAssets) external returns (uint256 assets);
    function withdraw(uint256 assets, address receiver, address owner, uint256 maxShares)
        external
        returns (uint256 shares);
    function redeem(uint256 shares, address receiver, address owner, uint256 minAssets)
        external
        returns (uint256 assets);
}
