// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ICreditLine} from "./ICreditLine.sol";

/// @title A credit line whose scores are of features that stay hidden
/// @notice A proof shows that the pinned weights give a score of the features behind a commitment, for this borrower. That
///         the features are true is the word of one named attester, who signs the commitment.
///
///         The attester is trusted with that alone: the features behind the commitment were the borrower's at `asOf`, each
///         in the range that the model's definition names. It sees them; the chain never does. It can let a wallet pass for
///         better or worse than it is; it cannot name a score, which the proof gives, change a model or move money. It is
///         named for good: a registry's owner who no longer trusts it retires the model, which stops new loans at once.
/// @dev EIP-712: domain `("vaultkit CreditLine", "1", chain id, this line)`, struct `Attestation(address borrower,bytes32
///      modelId,uint256 commitment,uint256 asOf,uint256 deadline)`. A contract attests by ERC-1271, which is where a bond can
///      stand: one that answers only while its bond does.
interface IPrivateCreditLine is ICreditLine {
    /// @notice Who signed what, for which score: with `ScoreAccepted` the whole of what was believed.
    event Attested(address indexed borrower, address indexed attester, uint256 commitment, uint256 asOf);

    /// @notice The commitment bears no signature of the attester for this line, borrower, model and moment.
    error AttestationRefused(address attester, bytes32 digest);
    error AttestationExpired(uint256 deadline, uint256 timestamp);
    /// @notice A commitment is an element of the proof's field.
    error CommitmentNotCanonical(uint256 commitment);

    /// @notice Accepts a score. Anyone may send it; proof and attestation name the borrower.
    /// @param asOf Unix time that the features are of, as attested.
    /// @param commitment Poseidon hash of features, salt and borrower: the proof's first public instance.
    /// @param deadline Unix time after which the attestation is not taken any more.
    function proveScore(
        address borrower,
        int256 score,
        uint256 asOf,
        uint256 commitment,
        uint256 deadline,
        bytes calldata signature,
        bytes calldata proof
    ) external;

    /// @notice What the attester signs.
    function attestationDigest(
        address borrower,
        bytes32 modelId,
        uint256 commitment,
        uint256 asOf,
        uint256 deadline
    ) external view returns (bytes32);

    function attester() external view returns (address);
}
