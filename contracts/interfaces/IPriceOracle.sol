// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title What the kit calls of a price oracle; Aave V3's has both
interface IPriceOracle {
    /// @notice Price of one whole token in the base currency; zero where it is not known.
    function getAssetPrice(address asset) external view returns (uint256);

    /// @notice One unit of the base currency, 10**8 where that is the dollar.
    function BASE_CURRENCY_UNIT() external view returns (uint256);
}
