// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IInputSource} from "../interfaces/IInputSource.sol";

/// @title What a credit model's inputs mean, as the source that a registry pins
/// @notice Public mode: the features in order, with their encodings. Private mode: one commitment, and what is behind it.
contract FeatureSpec is IInputSource {
    /// @notice Features and their encodings, in order.
    string public definition;
    /// @inheritdoc IInputSource
    uint256 public immutable count;
    /// @inheritdoc IInputSource
    uint256 public immutable bound;
    /// @inheritdoc IInputSource
    bytes32 public immutable specHash;

    /// @notice Inputs are a borrower's, not an epoch's: a credit line builds them itself.
    error NoEpochs(uint256 epochEnd);

    constructor(string memory definition_, uint256 count_, uint256 bound_) {
        definition = definition_;
        count = count_;
        bound = bound_;
        specHash = keccak256(abi.encode(definition_, count_, bound_));
    }

    /// @inheritdoc IInputSource
    function read(uint256 epochEnd, bytes calldata) external pure returns (int256[] memory) {
        revert NoEpochs(epochEnd);
    }
}
