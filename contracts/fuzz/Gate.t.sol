// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IModelRegistry, Model} from "../interfaces/IModelRegistry.sol";
import {IProofGate, Statement} from "../interfaces/IProofGate.sol";
import {Instances} from "../libraries/Instances.sol";
import {ZkGate} from "../ZkGate.sol";
import {Rig} from "./Rig.sol";

interface IInstances {
    function instances(Statement calldata statement, uint256 inputCount, uint256 outputCount)
        external
        pure
        returns (uint256[] memory);
}

contract GateTest is Rig {
    uint256 private epoch;

    function setUp() external {
        build(false);
        epoch = closeEpoch(30);
        allow(epoch, 64, KEEPER);
    }

    function refuses(Statement memory s, bytes memory evidence, bytes memory reason) internal {
        vm.expectRevert(reason);
        gate.accept(s, evidence);
    }

    function test_the_honest_statement_is_accepted() external {
        isTrue(gate.accept(statement(epoch, 64), proof()) == IProofGate.accept.selector, "accepted");
    }

    function test_invariant_6_every_faulty_verifier_is_refused() external {
        for (uint256 fault = 0; fault < 8; fault++) {
            Model memory m = model();
            m.verifier = deployed("FaultyVerifier", abi.encode(fault));
            m.verifierCodeHash = m.verifier.codehash;
            modelId = activate(m);
            Statement memory s = statement(latest(), 64);
            vm.expectPartialRevert(ZkGate.ProofRefused.selector);
            gate.accept{gas: 8_000_000}(s, proof());
        }
    }

    function test_invariant_6_counts_and_field_are_exact() external {
        Statement memory s = statement(epoch, 64);
        s.inputs = new int256[](COUNT + 1);
        refuses(s, proof(), abi.encodeWithSelector(Instances.InputCount.selector, COUNT + 1, COUNT));
        s = statement(epoch, 64);
        s.outputs = new int256[](2);
        refuses(s, proof(), abi.encodeWithSelector(Instances.OutputCount.selector, 2, 1));
        s = statement(epoch, 64);
        s.inputs[3] = int256(ORDER / 2) + 1;
        refuses(s, proof(), abi.encodeWithSelector(Instances.NotAFieldInteger.selector, s.inputs[3]));
        s.inputs[3] = -s.inputs[3];
        refuses(s, proof(), abi.encodeWithSelector(Instances.NotAFieldInteger.selector, s.inputs[3]));
    }

    function test_every_output_follows_the_beneficiary_in_its_order() external {
        Statement memory s = statement(epoch, 64);
        s.outputs = new int256[](3);
        (s.outputs[0], s.outputs[1], s.outputs[2]) = (5, -1, 7);
        uint256[] memory found = IInstances(deployed("LibraryHarness", "")).instances(s, COUNT, 3);
        eq(found.length, COUNT + 12, "length");
        isTrue(found[COUNT + 9] == 5 && found[COUNT + 10] == ORDER - 1 && found[COUNT + 11] == 7, "outputs");
        eq(found[COUNT + 8], uint256(uint160(KEEPER)) >> 144, "the last limb");
        int256 half = int256(ORDER / 2);
        (s.outputs[0], s.outputs[1]) = (half, -half);
        found = IInstances(deployed("LibraryHarness", "")).instances(s, COUNT, 3);
        isTrue(found[COUNT + 9] == ORDER / 2 && found[COUNT + 10] == ORDER - ORDER / 2, "the field's two ends");
    }

    function test_invariant_6_outputs_are_bounded_at_both_ends() external {
        int256 most = int256(OUTPUT_BOUND);
        for (int256 sign = -1; sign <= 1; sign += 2) {
            allow(epoch, sign * most, KEEPER);
            gate.accept(statement(epoch, sign * most), proof());
            bytes memory reason =
                abi.encodeWithSelector(ZkGate.OutputOutOfBound.selector, sign * (most + 1), OUTPUT_BOUND);
            refuses(statement(epoch, sign * (most + 1)), proof(), reason);
        }
    }

    function test_every_part_of_the_statement_is_bound() external {
        Statement memory s = statement(epoch, 64);
        for (uint256 i = 0; i < COUNT; i++) {
            s.inputs[i]++;
            refuses(s, proof(), abi.encodeWithSelector(ZkGate.ProofRefused.selector, true, 32));
            s.inputs[i]--;
        }
        refuses(statement(epoch, 65), proof(), abi.encodeWithSelector(ZkGate.ProofRefused.selector, true, 32));
        for (uint256 bit = 0; bit < 160; bit++) {
            s.beneficiary = address(uint160(KEEPER) ^ uint160(1 << bit));
            refuses(s, proof(), abi.encodeWithSelector(ZkGate.ProofRefused.selector, true, 32));
        }
    }

    function test_invariant_10_another_model_gate_code_or_window_is_refused() external {
        Statement memory s = statement(epoch, 64);
        s.modelId = keccak256("other");
        refuses(s, proof(), abi.encodeWithSelector(IModelRegistry.ModelNotActive.selector, s.modelId));
        s.modelId = modelId;
        bytes memory code = address(source).code;
        bytes32 pinned = source.specHash();
        vm.etch(address(source), address(new OtherSource()).code);
        refuses(
            s,
            proof(),
            abi.encodeWithSelector(IModelRegistry.SourceSpecMismatch.selector, source, bytes32(uint256(1)), pinned)
        );
        vm.etch(address(source), code);
        bytes32 hash = address(verifier).codehash;
        vm.etch(address(verifier), hex"00");
        refuses(
            s,
            proof(),
            abi.encodeWithSelector(
                IModelRegistry.VerifierCodeMismatch.selector, verifier, address(verifier).codehash, hash
            )
        );
    }

    function test_invariant_10_a_model_of_another_gate_is_refused() external {
        IProofGate other = IProofGate(deployed("ZkGate", abi.encode(registry)));
        Statement memory s = statement(epoch, 64);
        vm.expectRevert(abi.encodeWithSelector(ZkGate.GateMismatch.selector, gate, other));
        other.accept(s, proof());
    }

    function test_a_registry_without_code_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(ZkGate.RegistryHasNoCode.selector, ALICE));
        this.make(ALICE);
    }

    function make(address registry_) external returns (address) {
        return deployed("ZkGate", abi.encode(registry_));
    }

    function testFuzz_invariant_10_any_other_commitment_is_refused(uint256 position, uint8 change) external {
        vm.assume(change != 0);
        bytes memory bad = proof();
        bad[position % 128] ^= bytes1(change);
        Statement memory s = statement(epoch, 64);
        vm.expectPartialRevert(ZkGate.CommitmentsMismatch.selector);
        gate.accept(s, bad);
    }

    function test_invariant_10_a_proof_is_longer_than_its_commitments() external {
        refuses(
            statement(epoch, 64), commitments, abi.encodeWithSelector(ZkGate.ProofTooShort.selector, 128, 129)
        );
        gate.accept(statement(epoch, 64), bytes.concat(commitments, hex"00"));
    }
}

/// @title A window defined otherwise, in the place of the pinned one
contract OtherSource {
    function specHash() external pure returns (bytes32) {
        return bytes32(uint256(1));
    }

    function count() external pure returns (uint256) {
        return 4;
    }
}
