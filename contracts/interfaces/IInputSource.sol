// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title The integers a model reads, re-derived by the chain
/// @notice Another window, another oracle or a storage proof is another implementation; the vault does not change.
/// @dev Assumption on safety: `read` depends on chain state and `epochEnd` only. `hints` may make it cheaper or make it
///      revert, never make it return something else.
interface IInputSource {
    /// @notice A hint does not point at the observation that surrounds its point.
    error HintRejected(uint256 point, uint256 index);
    /// @notice The hints have another length than the window needs.
    error HintsLength(uint256 got, uint256 expected);
    /// @notice The window lies before what the source remembers, or in the future.
    error WindowUnavailable(uint256 epochEnd, uint256 timestamp);

    /// @notice The model's inputs for the epoch that ends at `epochEnd`, newest first, each within `[-bound, bound]`.
    function read(uint256 epochEnd, bytes calldata hints) external view returns (int256[] memory inputs);

    /// @notice Number of inputs.
    function count() external view returns (uint256);

    /// @notice Largest magnitude of an input.
    function bound() external view returns (uint256);

    /// @notice Hash of everything that defines the inputs.
    function specHash() external view returns (bytes32);
}
