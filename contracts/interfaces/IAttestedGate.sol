// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IProofGate} from "./IProofGate.sol";

/// @title Believes a score of hidden features when a proof shows it and a named attester signed the commitment
/// @notice The attester is trusted with one thing: that the features behind a commitment were the borrower's at `asOf`, each
///         within the range that the model's spec names. It sees them; the chain never does. It can let a wallet pass for
///         better than it is; it can move no money, change no model, and name no score, which the proof alone gives. It is
///         named for good: a registry's owner who no longer trusts it retires the model, which stops new loans at once.
///         A bonded attester is another gate behind `IProofGate`.
/// @dev EIP-712: domain `("vaultkit AttestedGate", "1", chain id, this gate)`, struct `Attestation(address line,address
///      borrower,bytes32 modelId,uint256 commitment,uint256 asOf,uint256 deadline)`. Contracts sign by ERC-1271.
interface IAttestedGate is IProofGate {
    /// @notice The commitment bears no signature of the attester for this line, borrower, model and moment.
    error AttestationRefused(address attester, bytes32 digest);
    error AttestationExpired(uint256 deadline, uint256 timestamp);
    error CommitmentNotCanonical(uint256 commitment);

    /// @notice What the attester signs.
    function digestOf(
        address line,
        address borrower,
        bytes32 modelId,
        uint256 commitment,
        uint256 asOf,
        uint256 deadline
    ) external view returns (bytes32);

    function attester() external view returns (address);
}
