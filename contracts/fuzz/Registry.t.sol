// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IInputSource} from "../interfaces/IInputSource.sol";
import {IModelRegistry, Model, Pins, Terms} from "../interfaces/IModelRegistry.sol";
import {IProofGate, Statement} from "../interfaces/IProofGate.sol";
import {ModelRegistry} from "../ModelRegistry.sol";
import {Rig} from "./Rig.sol";
import {Vm} from "./Vm.sol";

/// @title A source that says it is the pinned window, and reads zeros
contract ZeroSource {
    bytes32 public immutable specHash;

    constructor(bytes32 specHash_) {
        specHash = specHash_;
    }

    function count() external pure returns (uint256) {
        return 4;
    }

    function read(uint256, bytes calldata) external pure returns (int256[] memory) {
        return new int256[](4);
    }
}

/// @title A gate that believes everything
contract CredulousGate {
    function accept(Statement calldata, bytes calldata) external pure returns (bytes4) {
        return IProofGate.accept.selector;
    }
}

contract RegistryTest is Rig {
    function setUp() external {
        build(true);
    }

    function other() internal view returns (Model memory m) {
        m = model();
        m.bundleHash = keccak256("other");
    }

    function proposed() internal returns (bytes32) {
        Model memory m = other();
        vm.prank(OWNER);
        return registry.propose(m);
    }

    function refuses(Model memory m, bytes memory reason) internal {
        vm.prank(OWNER);
        vm.expectRevert(reason);
        registry.propose(m);
    }

    function test_invariant_13_a_model_takes_effect_at_its_time_and_not_a_second_before() external {
        bytes32 id = proposed();
        uint256 due = block.timestamp + DELAY;
        eq(registry.activatableAt(id), due, "date");
        isTrue(registry.activeModel() == modelId, "the old one still moves the vault");
        vm.warp(due - 1);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.DelayNotOver.selector, due, due - 1));
        registry.activate(id);
        vm.warp(due);
        vm.recordLogs();
        vm.prank(OWNER);
        registry.activate(id);
        eq(vm.getRecordedLogs().length, 2, "retired and activated are said");
        isTrue(registry.activeModel() == id, "active");
        eq(registry.activatableAt(id), 0, "no longer pending");
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotPending.selector, id));
        registry.activate(id);
    }

    function test_invariant_13_a_model_that_nobody_activated_in_time_takes_no_effect_until_it_has_waited_again() external {
        bytes32 id = proposed();
        uint256 last = block.timestamp + DELAY + 30 days;
        vm.warp(last);
        refuses(other(), abi.encodeWithSelector(IModelRegistry.ModelExists.selector, id));
        uint256 snapshot = vm.snapshotState();
        vm.prank(OWNER);
        registry.activate(id);
        isTrue(registry.activeModel() == id, "the last second is in time");
        vm.revertToState(snapshot);
        vm.warp(last + 1);
        vm.startPrank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ProposalExpired.selector, last, last + 1));
        registry.activate(id);
        vm.stopPrank();
        snapshot = vm.snapshotState();
        vm.prank(GUARDIAN);
        registry.cancel(id);
        eq(registry.activatableAt(id), 0, "cancelled");
        vm.revertToState(snapshot);
        isTrue(proposed() == id && registry.activatableAt(id) == last + 1 + DELAY, "proposed again");
        vm.startPrank(OWNER);
        vm.expectPartialRevert(IModelRegistry.DelayNotOver.selector);
        registry.activate(id);
        vm.warp(last + 1 + DELAY);
        registry.activate(id);
        vm.stopPrank();
        isTrue(registry.activeModel() == id, "it waited again");
    }

    function test_invariant_13_owner_and_guardian_cancel_and_nobody_else() external {
        for (uint256 i = 0; i < 2; i++) {
            bytes32 id = proposed();
            vm.prank(ALICE);
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOwnerOrGuardian.selector, ALICE));
            registry.cancel(id);
            vm.recordLogs();
            vm.prank(i == 0 ? OWNER : GUARDIAN);
            registry.cancel(id);
            eq(vm.getRecordedLogs().length, 1, "said");
            eq(registry.activatableAt(id), 0, "not pending");
            vm.warp(block.timestamp + DELAY);
            vm.startPrank(OWNER);
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotPending.selector, id));
            registry.activate(id);
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotPending.selector, id));
            registry.cancel(id);
            vm.stopPrank();
        }
    }

    function test_only_the_owner_proposes_activates_and_retires() external {
        Model memory m = other();
        address[3] memory strangers = [ALICE, GUARDIAN, address(this)];
        bytes32 id = proposed();
        vm.warp(block.timestamp + DELAY);
        for (uint256 i = 0; i < 3; i++) {
            bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, strangers[i]);
            vm.startPrank(strangers[i]);
            vm.expectRevert(reason);
            registry.propose(m);
            vm.expectRevert(reason);
            registry.activate(id);
            vm.expectRevert(reason);
            registry.retire(modelId);
            vm.stopPrank();
        }
    }

    function test_retire_leaves_no_active_model_and_keeps_it_readable() external {
        vm.startPrank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotActive.selector, bytes32(uint256(1))));
        registry.retire(bytes32(uint256(1)));
        vm.recordLogs();
        registry.retire(modelId);
        eq(vm.getRecordedLogs().length, 1, "said");
        isTrue(registry.activeModel() == 0, "none");
        (bytes32 id, Terms memory terms) = registry.activeTerms();
        isTrue(id == 0 && address(terms.gate) == address(0), "no terms");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotActive.selector, bytes32(0)));
        registry.retire(0);
        isTrue(keccak256(abi.encode(registry.modelOf(modelId))) == modelId, "readable");
        bytes32 again = registry.propose(model());
        isTrue(again == modelId, "proposed again");
        vm.warp(block.timestamp + DELAY);
        vm.recordLogs();
        registry.activate(again);
        eq(vm.getRecordedLogs().length, 1, "nothing was retired");
    }

    function test_terms_and_pins_are_the_models() external view {
        (bytes32 id, Terms memory t) = registry.activeTerms();
        isTrue(id == modelId && t.gate == gate && t.source == source, "terms");
        isTrue(t.outputScale == OUTPUT_SCALE && t.outputBound == OUTPUT_BOUND, "output");
        Pins memory p = registry.pinsOf(modelId);
        isTrue(keccak256(abi.encode(p.terms)) == keccak256(abi.encode(t)), "same terms");
        isTrue(p.verifier == address(verifier) && p.verifierCodeHash == address(verifier).codehash, "verifier");
        isTrue(p.commitmentsLength == 128 && p.commitmentsHash == keccak256(commitments), "commitments");
        isTrue(p.sourceSpecHash == source.specHash(), "window");
    }

    function test_active_and_pending_models_are_not_proposed_again() external {
        refuses(model(), abi.encodeWithSelector(IModelRegistry.ModelExists.selector, modelId));
        bytes32 id = proposed();
        refuses(other(), abi.encodeWithSelector(IModelRegistry.ModelExists.selector, id));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, bytes32(uint256(5))));
        registry.modelOf(bytes32(uint256(5)));
    }

    function test_propose_refuses_malformed_commitments() external {
        uint256[4] memory lengths = [uint256(0), 63, 65, 127];
        for (uint256 i = 0; i < 4; i++) {
            Model memory m = other();
            m.commitments = new bytes(lengths[i]);
            refuses(m, abi.encodeWithSelector(IModelRegistry.CommitmentsMalformed.selector, lengths[i]));
        }
    }

    function test_propose_refuses_scale_and_bound_out_of_range_and_takes_the_edges() external {
        Model memory m = other();
        m.outputScale = 65;
        refuses(m, abi.encodeWithSelector(IModelRegistry.OutputScaleTooLarge.selector, uint8(65)));
        m.outputScale = 64;
        m.outputBound = 0;
        refuses(m, abi.encodeWithSelector(IModelRegistry.OutputBoundInvalid.selector, 0));
        m.outputBound = 2 ** 95 + 1;
        refuses(m, abi.encodeWithSelector(IModelRegistry.OutputBoundInvalid.selector, 2 ** 95 + 1));
        m.outputBound = 2 ** 95;
        vm.prank(OWNER);
        bytes32 id = registry.propose(m);
        eq(registry.pinsOf(id).terms.outputBound, 2 ** 95, "bound");
    }

    function test_propose_refuses_a_gate_source_or_verifier_without_code_and_wrong_pins() external {
        Model memory m = other();
        m.gate = IProofGate(ALICE);
        refuses(m, abi.encodeWithSelector(IModelRegistry.GateHasNoCode.selector, ALICE));
        m = other();
        m.source = IInputSource(ALICE);
        refuses(m, abi.encodeWithSelector(IModelRegistry.SourceHasNoCode.selector, ALICE));
        m = other();
        m.verifierCodeHash = keccak256("x");
        refuses(m, abi.encodeWithSelector(
            IModelRegistry.VerifierCodeMismatch.selector, m.verifier, m.verifier.codehash, m.verifierCodeHash
        ));
        m = other();
        m.verifier = ALICE;
        vm.deal(ALICE, 1);
        m.verifierCodeHash = ALICE.codehash;
        refuses(m, abi.encodeWithSelector(
            IModelRegistry.VerifierCodeMismatch.selector, ALICE, m.verifierCodeHash, m.verifierCodeHash
        ));
        m = other();
        m.sourceSpecHash = keccak256("y");
        refuses(m, abi.encodeWithSelector(
            IModelRegistry.SourceSpecMismatch.selector, source, source.specHash(), m.sourceSpecHash
        ));
    }

    function test_activate_checks_the_pins_again() external {
        bytes32 id = proposed();
        vm.warp(block.timestamp + DELAY);
        vm.etch(address(verifier), hex"00");
        vm.prank(OWNER);
        vm.expectPartialRevert(IModelRegistry.VerifierCodeMismatch.selector);
        registry.activate(id);
    }

    /// @dev The definition stays as pinned, so only the code tells: the source reads zeros, the gate believes everything.
    function test_invariant_10_another_source_or_gate_at_the_pinned_address_moves_nothing() external {
        enter(ALICE, 500_000e6);
        bytes32 id = proposed();
        uint256 epoch = closeEpoch(30);
        verifier.allow(instancesOf(new int256[](COUNT), KEEPER, 64));
        bytes memory where = hints(epoch);
        bytes32 pinned_ = codes();
        uint256 snapshot = vm.snapshotState();
        for (uint256 i = 0; i < 2; i++) {
            if (i == 0) vm.etch(address(source), address(new ZeroSource(source.specHash())).code);
            else vm.etch(address(gate), address(new CredulousGate()).code);
            isTrue(source.specHash() == model().sourceSpecHash, "the definition says the same");
            bytes memory reason =
                abi.encodeWithSelector(IModelRegistry.CodeChanged.selector, modelId, codes(), pinned_);
            vm.expectRevert(reason);
            registry.activeTerms();
            vm.expectRevert(reason);
            vault.rebalance(epoch, KEEPER, one(64), proof(), where);
            vm.warp(block.timestamp + DELAY);
            Model memory m = model();
            vm.startPrank(OWNER);
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CodeChanged.selector, id, codes(), pinned_));
            registry.activate(id);
            registry.retire(modelId);
            registry.propose(m);
            vm.warp(block.timestamp + DELAY);
            registry.activate(modelId);
            vm.stopPrank();
            (bytes32 active,) = registry.activeTerms();
            isTrue(active == modelId, "proposed again, it waits again and is what it is");
            vm.revertToState(snapshot);
        }
        allow(epoch, 64, KEEPER);
        vault.rebalance(epoch, KEEPER, one(64), proof(), where);
    }

    function codes() private view returns (bytes32) {
        return keccak256(abi.encode(address(gate).codehash, address(source).codehash));
    }

    function test_a_model_is_revealed_by_anyone_and_nothing_but_what_was_pinned() external {
        bytes memory weights = "the weights of a file";
        bytes memory onnx = bytes.concat("model.onnx=", bytes(vm.replace(vm.toString(sha256("onnx")), "0x", "")));
        bytes memory digits = bytes(vm.replace(vm.toString(sha256(weights)), "0x", ""));
        bytes memory bundle = bytes.concat(onnx, "\nweights.safetensors=", digits, "\n");
        bytes32 id = pinned(bundle);
        bytes32 whole = pinned(bytes.concat(bundle, "settings.json=...\n0xcommitment\n7"));
        bytes32 short = pinned(bytes.concat(onnx, "\nweights.safetensors=", digits));
        bytes32 other_ = pinned(bytes.concat(onnx, "\nweights.safetensorz=", digits, "\n"));
        vm.recordLogs();
        vm.prank(ALICE);
        registry.reveal(id, bundle, weights);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        isTrue(logs[0].topics[0] == IModelRegistry.WeightsRevealed.selector && logs[0].topics[1] == id, "said");
        isTrue(keccak256(logs[0].data) == keccak256(abi.encode(bundle, weights)), "word by word");
        registry.reveal(whole, bytes.concat(bundle, "settings.json=...\n0xcommitment\n7"), weights);
        bytes memory bad = bytes.concat(bundle, "x");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.BundleMismatch.selector, sha256(bad), sha256(bundle)));
        registry.reveal(id, bad, weights);
        bytes memory mismatch = abi.encodeWithSelector(IModelRegistry.WeightsMismatch.selector, sha256("other weights"));
        vm.expectRevert(mismatch);
        registry.reveal(id, bundle, "other weights");
        mismatch = abi.encodeWithSelector(IModelRegistry.WeightsMismatch.selector, sha256(weights));
        vm.expectRevert(mismatch);
        registry.reveal(short, bytes.concat(onnx, "\nweights.safetensors=", digits), weights);
        vm.expectRevert(mismatch);
        registry.reveal(other_, bytes.concat(onnx, "\nweights.safetensorz=", digits, "\n"), weights);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, bytes32(uint256(5))));
        registry.reveal(bytes32(uint256(5)), bundle, weights);
    }

    function pinned(bytes memory bundle) private returns (bytes32) {
        Model memory m = model();
        m.bundleHash = sha256(bundle);
        vm.prank(OWNER);
        return registry.propose(m);
    }

    function test_the_delay_is_bounded_and_nothing_sets_it() external {
        isTrue(registry.delay() == DELAY && registry.guardian() == GUARDIAN && registry.owner() == OWNER, "as made");
        deployed("ModelRegistry", abi.encode(OWNER, 90 days, GUARDIAN));
        deployed("ModelRegistry", abi.encode(OWNER, 1, GUARDIAN));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.DelayZero.selector));
        this.deployRegistry(OWNER, 0);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.DelayTooLong.selector, 90 days + 1, 90 days));
        this.deployRegistry(OWNER, 90 days + 1);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        this.deployRegistry(address(0), 1);
    }

    function deployRegistry(address owner, uint256 delay) external {
        deployed("ModelRegistry", abi.encode(owner, delay, GUARDIAN));
    }

    function test_ownership_moves_in_two_steps() external {
        vm.prank(OWNER);
        registry.transferOwnership(BOB);
        isTrue(registry.owner() == OWNER && registry.pendingOwner() == BOB, "not yet");
        vm.prank(BOB);
        registry.acceptOwnership();
        isTrue(registry.owner() == BOB, "now");
    }
}
