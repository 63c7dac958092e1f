// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Where a vault trades
/// @notice The only contract that knows a venue. Prices are asset units per risk unit times 2**128, rounded down.
interface IVenue {
    /// @notice The venue bought less than the vault's floor.
    error OutputTooLow(uint256 amountOut, uint256 minOut);

    /// @notice The token that the vault accounts in.
    function asset() external view returns (address);

    /// @notice The token that the vault holds for risk.
    function risk() external view returns (address);

    /// @notice Fee of a swap in millionths.
    function feePips() external view returns (uint256);

    /// @notice Price at this moment, which one block can move.
    function spotX128() external view returns (uint256);

    /// @notice The higher of spot and what it was before anything traded in this block: no trade of this block brings it below
    ///         what stood before the block.
    function highX128() external view returns (uint256);

    /// @notice The higher of the means over the last twentieth of the averaging time and the tenth before it: who pushed the
    ///         price down has to hold it there for as long. Reverts where the venue has no such history.
    function recentX128() external view returns (uint256);

    /// @notice Mean price over the venue's averaging time. Reverts where the venue has no such history.
    function twapX128() external view returns (uint256);

    /// @notice Risk token that can be sold now while the price falls by at most `movePips` millionths; may be less than that.
    function sellable(uint256 movePips) external view returns (uint256 amount);

    /// @notice Pulls `amountIn` from the caller, swaps all of it and sends the output to the caller.
    /// @param riskIn True where the risk token is sold.
    /// @return amountOut What was sent, at least `minOut`. A token may take a part of it: who cares looks at its own balance.
    function swap(bool riskIn, uint256 amountIn, uint256 minOut) external returns (uint256 amountOut);
}
