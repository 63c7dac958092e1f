// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title A circuit's verifier as ezkl generates it
interface IVerifier {
    /// @param proof Proof bytes; the weight commitments come first.
    /// @param instances Public instances, each a canonical field element.
    function verifyProof(bytes calldata proof, uint256[] calldata instances) external returns (bool);
}
