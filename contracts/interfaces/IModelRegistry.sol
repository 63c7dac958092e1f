// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IInputSource} from "./IInputSource.sol";
import {IProofGate} from "./IProofGate.sol";

/// @notice Everything that determines what a proof must show. `modelId` is `keccak256(abi.encode(Model))`.
/// @param gate Decides whether to believe a statement of this model.
/// @param source Re-derives the inputs.
/// @param sourceSpecHash `source.specHash()` when the model was proposed.
/// @param verifier Circuit verifier.
/// @param verifierCodeHash Its `extcodehash` when the model was proposed.
/// @param commitments KZG commitments to the weights, 64 bytes each, as they stand at the head of every proof.
/// @param outputScale The weight is `output / 2**outputScale`.
/// @param outputBound Largest magnitude of an output.
/// @param bundleHash sha256 of settings, ONNX, weights and verifier source, for whoever rebuilds the model.
struct Model {
    IProofGate gate;
    IInputSource source;
    bytes32 sourceSpecHash;
    address verifier;
    bytes32 verifierCodeHash;
    bytes commitments;
    uint8 outputScale;
    uint256 outputBound;
    bytes32 bundleHash;
}

/// @notice What a vault needs of the active model at a trade. The order packs `Pins` into six slots.
struct Terms {
    IProofGate gate;
    uint8 outputScale;
    IInputSource source;
    uint96 outputBound;
}

/// @notice What a gate compares at every trade; `Model` in fixed words, its commitments by hash and length.
struct Pins {
    Terms terms;
    address verifier;
    uint64 commitmentsLength;
    bytes32 sourceSpecHash;
    bytes32 verifierCodeHash;
    bytes32 commitmentsHash;
}

/// @title Which model may move which vault, and from when
/// @dev Assumption on safety: neither gate nor source delegates. Their code is pinned, and a proxy's says nothing of what it runs.
interface IModelRegistry {
    event ModelProposed(bytes32 indexed modelId, uint256 activatableAt, Model model);
    event ModelActivated(bytes32 indexed modelId);
    event ModelCancelled(bytes32 indexed modelId);
    event ModelRetired(bytes32 indexed modelId);
    /// @notice What was pinned by its hash, and the file of weights whose digest it holds.
    event WeightsRevealed(bytes32 indexed modelId, bytes bundle, bytes weights);

    error ModelUnknown(bytes32 modelId);
    error ModelExists(bytes32 modelId);
    error ModelNotPending(bytes32 modelId);
    error ModelNotActive(bytes32 modelId);
    error DelayNotOver(uint256 activatableAt, uint256 timestamp);
    /// @notice The model was not activated in time; proposed again it waits anew.
    error ProposalExpired(uint256 lastAt, uint256 timestamp);
    error VerifierCodeMismatch(address verifier, bytes32 got, bytes32 expected);
    error SourceSpecMismatch(address source, bytes32 got, bytes32 expected);
    error CommitmentsMalformed(uint256 length);
    error OutputScaleTooLarge(uint8 outputScale);
    error OutputBoundInvalid(uint256 outputBound);
    error GateHasNoCode(address gate);
    error SourceHasNoCode(address source);
    /// @notice Gate or source runs other code than when the model was proposed. Both are hashes of the two code hashes.
    error CodeChanged(bytes32 modelId, bytes32 got, bytes32 expected);
    /// @notice Only owner and guardian may cancel.
    error NotOwnerOrGuardian(address caller);
    error BundleMismatch(bytes32 got, bytes32 expected);
    error WeightsMismatch(bytes32 got);

    function propose(Model calldata model) external returns (bytes32 modelId);
    function activate(bytes32 modelId) external;
    function cancel(bytes32 modelId) external;
    function retire(bytes32 modelId) external;
    /// @notice Puts a model's weights into the log for all to check. Anyone who has them may, at any time; nothing else than
    ///         the weights that were pinned when it was proposed can be revealed.
    /// @param bundle Preimage of `bundleHash`; its first line names the ONNX file's sha256, its second that of the weights.
    /// @param weights The file of weights, whole.
    function reveal(bytes32 modelId, bytes calldata bundle, bytes calldata weights) external;

    /// @notice The one active model, or zero.
    function activeModel() external view returns (bytes32);
    /// @notice The active model and what a vault needs of it; all zero where there is none. Reverts with `CodeChanged`.
    function activeTerms() external view returns (bytes32 modelId, Terms memory terms);
    /// @notice What a gate compares; all zero for a model that was never proposed.
    function pinsOf(bytes32 modelId) external view returns (Pins memory);
    /// @notice Reverts with `ModelUnknown`.
    function modelOf(bytes32 modelId) external view returns (Model memory);
    /// @notice Zero where the model is not pending. One that expired keeps its date until it is cancelled or proposed again.
    function activatableAt(bytes32 modelId) external view returns (uint256);
    function delay() external view returns (uint256);
    /// @notice Proposes and activates; resumes trading.
    function owner() external view returns (address);
    /// @notice May cancel a pending model and stop a vault's trading, and nothing else; zero for nobody.
    function guardian() external view returns (address);
}
