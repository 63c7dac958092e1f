// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Bytes} from "@openzeppelin/contracts/utils/Bytes.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IInputSource} from "./interfaces/IInputSource.sol";
import {IModelRegistry, Model, Pins, Terms} from "./interfaces/IModelRegistry.sol";
import {IProofGate} from "./interfaces/IProofGate.sol";
import {Instances} from "./libraries/Instances.sol";

/// @title Models behind a timelock that nobody can shorten
/// @notice A proposed model is visible for `delay` seconds before it can move anything, and can be cancelled; depositors who
///         do not want it leave under the old one. Activating a model retires the one before it.
contract ModelRegistry is IModelRegistry, Ownable2Step {
    uint256 public constant MAX_DELAY = 90 days;
    /// @notice How long a model may be activated, from its date on: what nobody expects any more takes no effect.
    uint256 public constant ACTIVATION_SECONDS = 30 days;
    uint256 public constant MAX_OUTPUT_SCALE = 64;
    uint256 public constant MAX_OUTPUT_BOUND = 2 ** 95;
    /// @dev A bundle's second line: after `model.onnx=` and 64 digits.
    uint256 private constant WEIGHTS_LINE = 75;
    uint256 private constant WEIGHTS_LINE_END = 161;

    /// @inheritdoc IModelRegistry
    uint256 public immutable delay;
    /// @inheritdoc IModelRegistry
    address public immutable guardian;
    /// @inheritdoc IModelRegistry
    bytes32 public activeModel;
    /// @inheritdoc IModelRegistry
    mapping(bytes32 modelId => uint256) public activatableAt;
    mapping(bytes32 modelId => Model) private _models;
    /// @dev What trades read of `_models`, packed.
    mapping(bytes32 modelId => Pins) private _pins;
    /// @dev What gate and source ran when the model was proposed.
    mapping(bytes32 modelId => bytes32) private _codes;

    error DelayTooLong(uint256 delay, uint256 maxDelay);
    error DelayZero();

    /// @param guardian_ Fixed for good: an owner who could replace it could silence it. A multisig changes its own members.
    constructor(address owner_, uint256 delay_, address guardian_) Ownable(owner_) {
        require(delay_ != 0, DelayZero());
        require(delay_ <= MAX_DELAY, DelayTooLong(delay_, MAX_DELAY));
        delay = delay_;
        guardian = guardian_;
    }

    /// @inheritdoc IModelRegistry
    function propose(Model calldata model) external onlyOwner returns (bytes32 modelId) {
        modelId = keccak256(abi.encode(model));
        uint256 from = activatableAt[modelId];
        bool pending = from != 0 && block.timestamp <= from + ACTIVATION_SECONDS;
        require(!pending && activeModel != modelId, ModelExists(modelId));
        uint256 length = model.commitments.length;
        require(length != 0 && length % Instances.COMMITMENT_BYTES == 0, CommitmentsMalformed(length));
        require(model.outputScale <= MAX_OUTPUT_SCALE, OutputScaleTooLarge(model.outputScale));
        require(
            model.outputBound != 0 && model.outputBound <= MAX_OUTPUT_BOUND, OutputBoundInvalid(model.outputBound)
        );
        require(address(model.gate).code.length != 0, GateHasNoCode(address(model.gate)));
        require(address(model.source).code.length != 0, SourceHasNoCode(address(model.source)));
        _checkPins(model);
        _models[modelId] = model;
        _codes[modelId] = _codesOf(model.gate, model.source);
        _pins[modelId] = Pins(
            Terms(model.gate, model.outputScale, model.source, uint96(model.outputBound)),
            model.verifier,
            uint64(length),
            model.sourceSpecHash,
            model.verifierCodeHash,
            keccak256(model.commitments)
        );
        activatableAt[modelId] = block.timestamp + delay;
        emit ModelProposed(modelId, block.timestamp + delay, model);
    }

    /// @inheritdoc IModelRegistry
    function activate(bytes32 modelId) external onlyOwner {
        uint256 from = activatableAt[modelId];
        require(from != 0, ModelNotPending(modelId));
        require(block.timestamp >= from, DelayNotOver(from, block.timestamp));
        uint256 last = from + ACTIVATION_SECONDS;
        require(block.timestamp <= last, ProposalExpired(last, block.timestamp));
        _checkPins(_models[modelId]);
        _checkCodes(modelId, _pins[modelId].terms);
        bytes32 before = activeModel;
        delete activatableAt[modelId];
        activeModel = modelId;
        if (before != 0) emit ModelRetired(before);
        emit ModelActivated(modelId);
    }

    /// @inheritdoc IModelRegistry
    function cancel(bytes32 modelId) external {
        require(msg.sender == owner() || msg.sender == guardian, NotOwnerOrGuardian(msg.sender));
        require(activatableAt[modelId] != 0, ModelNotPending(modelId));
        delete activatableAt[modelId];
        emit ModelCancelled(modelId);
    }

    /// @inheritdoc IModelRegistry
    function retire(bytes32 modelId) external onlyOwner {
        require(modelId != 0 && activeModel == modelId, ModelNotActive(modelId));
        delete activeModel;
        emit ModelRetired(modelId);
    }

    /// @inheritdoc IModelRegistry
    function reveal(bytes32 modelId, bytes calldata bundle, bytes calldata weights) external {
        require(address(_models[modelId].gate) != address(0), ModelUnknown(modelId));
        bytes32 pinned = _models[modelId].bundleHash;
        bytes32 got = sha256(bundle);
        require(got == pinned, BundleMismatch(got, pinned));
        bytes32 digest = sha256(weights);
        bytes memory digits = Bytes.slice(bytes(Strings.toHexString(uint256(digest), 32)), 2);
        bytes32 line = keccak256(bytes.concat("\nweights.safetensors=", digits, "\n"));
        require(
            bundle.length >= WEIGHTS_LINE_END && keccak256(bundle[WEIGHTS_LINE:WEIGHTS_LINE_END]) == line,
            WeightsMismatch(digest)
        );
        emit WeightsRevealed(modelId, bundle, weights);
    }

    /// @inheritdoc IModelRegistry
    function owner() public view override(IModelRegistry, Ownable) returns (address) {
        return super.owner();
    }

    /// @inheritdoc IModelRegistry
    function activeTerms() external view returns (bytes32 modelId, Terms memory terms) {
        modelId = activeModel;
        if (modelId == 0) return (modelId, terms);
        terms = _pins[modelId].terms;
        _checkCodes(modelId, terms);
    }

    /// @inheritdoc IModelRegistry
    function pinsOf(bytes32 modelId) external view returns (Pins memory) {
        return _pins[modelId];
    }

    /// @inheritdoc IModelRegistry
    /// @dev Models of the past stay readable, so that an audit can rebuild their trades.
    function modelOf(bytes32 modelId) external view returns (Model memory) {
        require(address(_models[modelId].gate) != address(0), ModelUnknown(modelId));
        return _models[modelId];
    }

    function _checkCodes(bytes32 modelId, Terms memory terms) private view {
        bytes32 got = _codesOf(terms.gate, terms.source);
        bytes32 pinned = _codes[modelId];
        require(got == pinned, CodeChanged(modelId, got, pinned));
    }

    function _codesOf(IProofGate gate, IInputSource source) private view returns (bytes32) {
        return keccak256(abi.encode(address(gate).codehash, address(source).codehash));
    }

    /// @dev An account without code has a code hash too, so the length is asked for.
    function _checkPins(Model memory model) private view {
        bytes32 code = model.verifier.codehash;
        require(
            model.verifier.code.length != 0 && code == model.verifierCodeHash,
            VerifierCodeMismatch(model.verifier, code, model.verifierCodeHash)
        );
        bytes32 spec = model.source.specHash();
        require(spec == model.sourceSpecHash, SourceSpecMismatch(address(model.source), spec, model.sourceSpecHash));
    }
}
