// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {LineConfig} from "../interfaces/ICreditLine.sol";
import {IPrivateCreditLine} from "../interfaces/IPrivateCreditLine.sol";
import {Instances} from "../libraries/Instances.sol";
import {CreditLine} from "./CreditLine.sol";

/// @title A credit line whose scores are of attested features that stay hidden
contract PrivateCreditLine is CreditLine, EIP712, IPrivateCreditLine {
    bytes32 public constant ATTESTATION_TYPEHASH = keccak256(
        "Attestation(address borrower,bytes32 modelId,uint256 commitment,uint256 asOf,uint256 deadline)"
    );

    /// @inheritdoc IPrivateCreditLine
    address public immutable attester;

    constructor(LineConfig memory config, address attester_) CreditLine(config) EIP712("vaultkit CreditLine", "1") {
        attester = attester_;
    }

    /// @inheritdoc IPrivateCreditLine
    function proveScore(
        address borrower,
        int256 score,
        uint256 asOf,
        uint256 commitment,
        uint256 deadline,
        bytes calldata signature,
        bytes calldata proof
    ) external nonReentrant {
        require(commitment < Instances.FIELD_ORDER, CommitmentNotCanonical(commitment));
        require(block.timestamp <= deadline, AttestationExpired(deadline, block.timestamp));
        (bytes32 modelId,) = _activeModel();
        bytes32 digest = attestationDigest(borrower, modelId, commitment, asOf, deadline);
        require(
            SignatureChecker.isValidSignatureNowCalldata(attester, digest, signature),
            AttestationRefused(attester, digest)
        );
        emit Attested(borrower, attester, commitment, asOf);
        _acceptScore(borrower, score, asOf, _asInput(commitment), proof);
    }

    /// @inheritdoc IPrivateCreditLine
    function attestationDigest(
        address borrower,
        bytes32 modelId,
        uint256 commitment,
        uint256 asOf,
        uint256 deadline
    ) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(abi.encode(ATTESTATION_TYPEHASH, borrower, modelId, commitment, asOf, deadline))
        );
    }

    /// @dev The signed integer that `Instances` writes as this field element.
    function _asInput(uint256 commitment) private pure returns (int256[] memory inputs) {
        inputs = new int256[](1);
        inputs[0] = commitment <= Instances.FIELD_ORDER / 2
            ? int256(commitment)
            : -int256(Instances.FIELD_ORDER - commitment);
    }
}
