// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice What a trade claims: that `modelId` maps `inputs` to `outputs`, kept by `beneficiary`.
struct Statement {
    address vault;
    bytes32 modelId;
    uint256 epoch;
    address beneficiary;
    int256[] inputs;
    int256[] outputs;
}

/// @title Decides whether a statement is to be believed
/// @notice `ZkGate` believes proofs. Bonded, optimistic, insured and attested gates implement the same interface.
interface IProofGate {
    /// @notice The gate does not believe the statement.
    error StatementRefused(bytes32 modelId, uint256 epoch);

    /// @notice Returns `IProofGate.accept.selector`, or reverts. The caller builds `statement` from its own state; nothing
    ///         of it comes from the evidence.
    function accept(Statement calldata statement, bytes calldata evidence) external returns (bytes4);
}
