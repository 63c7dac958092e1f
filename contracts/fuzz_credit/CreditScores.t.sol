// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ICreditLine, Score} from "../interfaces/ICreditLine.sol";
import {IInputSource} from "../interfaces/IInputSource.sol";
import {IModelRegistry, Model} from "../interfaces/IModelRegistry.sol";
import {IPrivateCreditLine} from "../interfaces/IPrivateCreditLine.sol";
import {IProofGate, Statement} from "../interfaces/IProofGate.sol";
import {Instances} from "../libraries/Instances.sol";
import {ZkGate} from "../ZkGate.sol";
import {CreditRig, Nonces} from "./CreditRig.sol";

/// @title Answers another word than it must
contract MumblingGate is IProofGate {
    function accept(Statement calldata, bytes calldata) external pure returns (bytes4) {
        return 0x12345678;
    }
}

/// @title Believes one statement, and only with its evidence
contract ExactGate is IProofGate {
    bytes32 private immutable _believed;

    constructor(bytes32 believed) {
        _believed = believed;
    }

    function accept(Statement calldata statement, bytes calldata evidence) external view returns (bytes4) {
        bool same = keccak256(abi.encode(statement, evidence)) == _believed;
        return same ? IProofGate.accept.selector : bytes4(0);
    }
}

/// @title A contract that attests what it was told, by ERC-1271
contract AttestingContract {
    mapping(bytes32 => bool) public said;

    function say(bytes32 digest) external {
        said[digest] = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return said[digest] ? bytes4(0x1626ba7e) : bytes4(0);
    }
}

/// @title Which scores a private line accepts, and what they do
contract CreditScoresTest is CreditRig {
    Nonces private constant nonces = Nonces(address(vm));
    uint256 private asOf;
    uint256 private commitment;
    uint256 private deadline;
    bytes private signature;

    function setUp() external {
        build();
        supply(ALICE, 1_000_000e6);
        vm.warp(block.timestamp + 1 days);
        asOf = block.timestamp - 100;
        deadline = block.timestamp + 50;
        commitment = commitmentOf(BOB, BEST, asOf);
        verifier.allow(instancesOf(commitment, BOB, BEST));
        signature = attested(BOB, modelId, commitment, asOf, deadline);
    }

    function attested(address borrower, bytes32 id, uint256 c, uint256 moment, uint256 until)
        private
        view
        returns (bytes memory)
    {
        return signed(ATTESTER_KEY, line.attestationDigest(borrower, id, c, moment, until));
    }

    function send() private {
        line.proveScore(BOB, BEST, asOf, commitment, deadline, signature, proofBytes());
    }

    function test_an_attested_and_proven_score_is_accepted_whoever_sends_it() external {
        send();
        Score memory s = line.scoreOf(BOB);
        isTrue(s.modelId == modelId && s.value == BEST && s.asOf == asOf && s.tier == 0, "kept");
    }

    function test_unsigned_commitment_is_refused() external {
        signature = "";
        refuses(IPrivateCreditLine.AttestationRefused.selector);
        send();
    }

    function test_another_signer_is_refused() external {
        bytes32 digest = line.attestationDigest(BOB, modelId, commitment, asOf, deadline);
        signature = signed(0xBAD, digest);
        vm.expectRevert(
            abi.encodeWithSelector(IPrivateCreditLine.AttestationRefused.selector, vm.addr(ATTESTER_KEY), digest)
        );
        send();
    }

    function test_every_part_of_an_attestation_is_signed() external {
        bytes[5] memory others = [
            attested(CAROL, modelId, commitment, asOf, deadline),
            attested(BOB, keccak256("other"), commitment, asOf, deadline),
            attested(BOB, modelId, commitment + 1, asOf, deadline),
            attested(BOB, modelId, commitment, asOf + 1, deadline),
            attested(BOB, modelId, commitment, asOf, deadline + 1)
        ];
        for (uint256 i = 0; i < 5; i++) {
            signature = others[i];
            refuses(IPrivateCreditLine.AttestationRefused.selector);
            send();
        }
    }

    function test_an_attestation_for_another_line_is_refused() external {
        IPrivateCreditLine first = line;
        line = newLine(config());
        signature = attested(BOB, modelId, commitment, asOf, deadline);
        line = first;
        refuses(IPrivateCreditLine.AttestationRefused.selector);
        send();
    }

    function test_an_attestation_lasts_exactly_to_its_deadline() external {
        uint256 snapshot = vm.snapshotState();
        vm.warp(deadline);
        send();
        vm.revertToState(snapshot);
        vm.warp(deadline + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IPrivateCreditLine.AttestationExpired.selector, deadline, deadline + 1)
        );
        send();
    }

    function test_a_contract_attests_by_erc1271() external {
        AttestingContract attester = new AttestingContract();
        line = IPrivateCreditLine(deployed("PrivateCreditLine", abi.encode(config(), address(attester))));
        refuses(IPrivateCreditLine.AttestationRefused.selector);
        send();
        attester.say(line.attestationDigest(BOB, modelId, commitment, asOf, deadline));
        send();
        eq(line.scoreOf(BOB).asOf, asOf, "accepted");
    }

    function test_a_commitment_is_a_canonical_field_element() external {
        vm.expectRevert(
            abi.encodeWithSelector(IPrivateCreditLine.CommitmentNotCanonical.selector, commitment + ORDER)
        );
        line.proveScore(BOB, BEST, asOf, commitment + ORDER, deadline, signature, proofBytes());
        vm.expectRevert(abi.encodeWithSelector(IPrivateCreditLine.CommitmentNotCanonical.selector, ORDER));
        line.proveScore(BOB, BEST, asOf, ORDER, deadline, signature, proofBytes());
        uint256[4] memory edges = [uint256(0), ORDER / 2, ORDER / 2 + 1, ORDER - 1];
        for (uint256 i = 0; i < 4; i++) {
            asOf += 1;
            commitment = edges[i];
            verifier.allow(instancesOf(commitment, BOB, BEST));
            signature = attested(BOB, modelId, commitment, asOf, deadline);
            send();
        }
    }

    function test_another_wallets_proof_is_refused_though_attested() external {
        signature = attested(CAROL, modelId, commitment, asOf, deadline);
        refuses(ZkGate.ProofRefused.selector);
        line.proveScore(CAROL, BEST, asOf, commitment, deadline, signature, proofBytes());
    }

    function test_another_score_than_the_proven_one_is_refused() external {
        refuses(ZkGate.ProofRefused.selector);
        line.proveScore(BOB, BEST - 1, asOf, commitment, deadline, signature, proofBytes());
    }

    function test_other_weights_are_refused() external {
        bytes memory other = bytes.concat(keccak256("b"), keccak256("a"), "the rest of a scripted proof");
        refuses(ZkGate.CommitmentsMismatch.selector);
        line.proveScore(BOB, BEST, asOf, commitment, deadline, signature, other);
    }

    function test_a_model_of_another_number_of_inputs_is_refused() external {
        spec = IInputSource(deployed("FeatureSpec", abi.encode("two", 2, 255)));
        modelId = activate(model("two inputs"));
        refuses(Instances.InputCount.selector);
        this.proveNow(BOB, BEST);
    }

    /// @dev For `expectRevert`, which looks at the next call.
    function proveNow(address borrower, int256 score) external {
        uint256 c = commitmentOf(borrower, score, block.timestamp);
        bytes memory s = attested(borrower, registry.activeModel(), c, block.timestamp, block.timestamp);
        line.proveScore(borrower, score, block.timestamp, c, block.timestamp, s, proofBytes());
    }

    function test_without_a_model_nothing_is_accepted() external {
        vm.prank(OWNER);
        registry.retire(modelId);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.NoActiveModel.selector));
        send();
    }

    function test_under_another_gate_or_source_at_the_pinned_address_nothing_is_accepted() external {
        address[2] memory pinned = [address(gate), address(registry.modelOf(modelId).source)];
        for (uint256 i = 0; i < 2; i++) {
            bytes memory code = pinned[i].code;
            vm.etch(pinned[i], bytes.concat(code, hex"00"));
            vm.expectPartialRevert(IModelRegistry.CodeChanged.selector);
            send();
            vm.etch(pinned[i], code);
        }
        send();
    }

    function test_a_model_of_another_scale_is_refused() external {
        Model memory m = model("scale");
        m.outputScale = OUTPUT_SCALE + 1;
        activate(m);
        vm.expectRevert(
            abi.encodeWithSelector(ICreditLine.OutputScaleMismatch.selector, OUTPUT_SCALE + 1, OUTPUT_SCALE)
        );
        this.proveNow(BOB, BEST);
    }

    function test_a_gate_that_mumbles_is_refused() external {
        Model memory m = model("gate");
        m.gate = new MumblingGate();
        modelId = activate(m);
        vm.expectRevert(
            abi.encodeWithSelector(IProofGate.StatementRefused.selector, modelId, block.timestamp)
        );
        this.proveNow(BOB, BEST);
    }

    function test_a_gate_is_told_line_model_moment_borrower_input_and_score() external {
        uint256 moment = block.timestamp + DELAY;
        Statement memory s;
        s.vault = address(line);
        s.epoch = moment;
        s.beneficiary = BOB;
        s.inputs = new int256[](1);
        s.outputs = new int256[](1);
        s.outputs[0] = BEST;
        uint256 c = commitmentOf(BOB, BEST, moment);
        s.inputs[0] = c > ORDER / 2 ? -int256(ORDER - c) : int256(c);
        Model memory m = model("exact");
        // The id holds the gate's address, and the gate the id: the address is known before.
        m.gate = IProofGate(nonces.computeCreateAddress(address(this), nonces.getNonce(address(this))));
        s.modelId = keccak256(abi.encode(m));
        new ExactGate(keccak256(abi.encode(s, proofBytes())));
        activate(m);
        this.proveNow(BOB, BEST);
        eq(line.scoreOf(BOB).asOf, moment, "accepted");
    }

    function test_a_score_is_within_the_models_bound() external {
        int256 bound = int256(OUTPUT_BOUND);
        for (int256 sign = -1; sign <= 1; sign += 2) {
            vm.expectRevert(
                abi.encodeWithSelector(ICreditLine.ScoreOutOfRange.selector, sign * (bound + 1), OUTPUT_BOUND)
            );
            this.proveNow(BOB, sign * (bound + 1));
        }
        prove(BOB, bound);
        prove(CAROL, -bound);
        eq(line.scoreOf(BOB).tier, 4, "beyond the worst");
    }

    function test_the_greatest_scores_that_a_registry_admits_fit() external {
        Model memory m = model("wide");
        m.outputBound = 2 ** 95;
        modelId = activate(m);
        prove(BOB, -int256(2 ** 95));
        prove(CAROL, int256(2 ** 95));
        isTrue(line.scoreOf(BOB).value == -int128(2 ** 95) && line.scoreOf(CAROL).value == int128(2 ** 95), "kept");
    }

    function test_a_score_of_the_future_is_refused() external {
        uint256 moment = block.timestamp + 1;
        signature = attested(BOB, modelId, commitment, moment, deadline);
        vm.expectRevert(
            abi.encodeWithSelector(ICreditLine.ScoreFromFuture.selector, moment, block.timestamp)
        );
        line.proveScore(BOB, BEST, moment, commitment, deadline, signature, proofBytes());
    }

    function test_a_score_is_accepted_at_exactly_its_greatest_age() external {
        deadline = asOf + AGE + 1;
        signature = attested(BOB, modelId, commitment, asOf, deadline);
        vm.warp(asOf + AGE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreStale.selector, asOf, asOf + AGE + 1));
        send();
        vm.warp(asOf + AGE);
        send();
    }

    function test_a_score_is_used_once_and_no_older_one_after_it() external {
        send();
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreNotFresher.selector, asOf, asOf));
        send();
        prove(BOB, WORST, asOf + 1);
        asOf -= 1;
        signature = attested(BOB, modelId, commitment, asOf, deadline);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.ScoreNotFresher.selector, asOf, asOf + 2));
        send();
    }

    function test_a_fresher_score_replaces_a_better_one() external {
        send();
        prove(BOB, WORST);
        eq(line.scoreOf(BOB).tier, 3, "the worse one counts");
    }
}
