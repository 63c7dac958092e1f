// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IModelRegistry, Pins} from "./interfaces/IModelRegistry.sol";
import {IInputSource} from "./interfaces/IInputSource.sol";
import {IProofGate, Statement} from "./interfaces/IProofGate.sol";
import {IVerifier} from "./interfaces/IVerifier.sol";
import {Instances} from "./libraries/Instances.sol";

/// @title Believes a statement when a zero-knowledge proof of the pinned model shows it
/// @notice Everything that the verifier sees but the proof bytes is built here from the statement. Pins are compared again at
///         every call: verifier code, window definition, and all weight commitments at the head of the proof.
/// @dev Assumptions on safety: the verifier is sound under an honest setup, and its code does not delegate elsewhere. On
///      liveness: it answers within `GAS_CAP`.
contract ZkGate is IProofGate {
    uint256 public constant GAS_CAP = 3_000_000;
    uint256 public constant OUTPUT_COUNT = 1;

    IModelRegistry public immutable registry;

    error RegistryHasNoCode(address registry);
    error GateMismatch(address gate, address expected);
    error OutputOutOfBound(int256 output, uint256 bound);
    error CommitmentsMismatch(bytes32 got, bytes32 expected);
    error ProofTooShort(uint256 got, uint256 least);
    /// @notice The verifier reverted, ran out of gas, or did not return exactly the word 1.
    error ProofRefused(bool success, uint256 returned);

    constructor(IModelRegistry registry_) {
        require(address(registry_).code.length != 0, RegistryHasNoCode(address(registry_)));
        registry = registry_;
    }

    /// @inheritdoc IProofGate
    function accept(Statement calldata statement, bytes calldata evidence) external view returns (bytes4) {
        require(registry.activeModel() == statement.modelId, IModelRegistry.ModelNotActive(statement.modelId));
        Pins memory pins = registry.pinsOf(statement.modelId);
        address gate = address(pins.terms.gate);
        require(gate == address(this), GateMismatch(gate, address(this)));
        _checkPins(pins);
        uint256[] memory instances = Instances.build(statement, pins.terms.source.count(), OUTPUT_COUNT);
        int256 output = statement.outputs[0];
        int256 bound = int256(uint256(pins.terms.outputBound));
        require(output >= -bound && output <= bound, OutputOutOfBound(output, pins.terms.outputBound));
        _checkCommitments(evidence, pins);
        _verify(pins.verifier, evidence, instances);
        return IProofGate.accept.selector;
    }

    function _checkPins(Pins memory pins) private view {
        bytes32 code = pins.verifier.codehash;
        require(
            code == pins.verifierCodeHash,
            IModelRegistry.VerifierCodeMismatch(pins.verifier, code, pins.verifierCodeHash)
        );
        IInputSource source = pins.terms.source;
        bytes32 spec = source.specHash();
        require(
            spec == pins.sourceSpecHash,
            IModelRegistry.SourceSpecMismatch(address(source), spec, pins.sourceSpecHash)
        );
    }

    /// @dev All commitments are compared: one left out would leave its weights free.
    function _checkCommitments(bytes calldata proof, Pins memory pins) private pure {
        uint256 length = pins.commitmentsLength;
        require(proof.length > length, ProofTooShort(proof.length, length + 1));
        bytes32 got = keccak256(proof[:length]);
        require(got == pins.commitmentsHash, CommitmentsMismatch(got, pins.commitmentsHash));
    }

    function _verify(address verifier, bytes calldata proof, uint256[] memory instances) private view {
        (bool success, bytes memory returned) =
            verifier.staticcall{gas: GAS_CAP}(abi.encodeCall(IVerifier.verifyProof, (proof, instances)));
        require(
            success && returned.length == 32 && abi.decode(returned, (uint256)) == 1,
            ProofRefused(success, returned.length)
        );
    }
}
