// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ICreditLine} from "./ICreditLine.sol";

/// @title A credit line whose scores are of features that stay hidden
/// @notice The proof shows that the pinned weights give `score` of the features behind `commitment`, for this borrower. That
///         the features are true is the word of whoever the model's gate trusts: see `AttestedGate`.
interface IPrivateCreditLine is ICreditLine {
    /// @notice Accepts a score. Anyone may send it; proof and attestation name the borrower.
    /// @param asOf Unix time that the features are of, as attested.
    /// @param commitment Poseidon hash of features, salt and borrower: the proof's first public instance.
    /// @param evidence For the model's gate: `abi.encode(uint256 deadline, bytes signature, bytes proof)` for `AttestedGate`.
    function proveScore(address borrower, int256 score, uint256 asOf, uint256 commitment, bytes calldata evidence)
        external;
}
