// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Statement} from "../interfaces/IProofGate.sol";

/// @title The public instances of a proof, built from a statement and from nothing else
/// @notice The twin of Python's `vaultkit.statement`: inputs, nine limbs of the beneficiary, outputs; a negative integer
///         `v` is the field element `r + v`.
library Instances {
    uint256 internal constant FIELD_ORDER =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 internal constant LIMB_BITS = 18;
    uint256 internal constant LIMB_COUNT = 9;
    uint256 internal constant COMMITMENT_BYTES = 64;

    error InputCount(uint256 got, uint256 expected);
    error OutputCount(uint256 got, uint256 expected);
    error NotAFieldInteger(int256 value);

    /// @notice The instances of `s`, which must have exactly `inputCount` inputs and `outputCount` outputs.
    function build(Statement calldata s, uint256 inputCount, uint256 outputCount)
        internal
        pure
        returns (uint256[] memory instances)
    {
        require(s.inputs.length == inputCount, InputCount(s.inputs.length, inputCount));
        require(s.outputs.length == outputCount, OutputCount(s.outputs.length, outputCount));
        instances = new uint256[](inputCount + LIMB_COUNT + outputCount);
        for (uint256 i = 0; i < inputCount; i++) instances[i] = toFelt(s.inputs[i]);
        uint256 number = uint160(s.beneficiary);
        for (uint256 i = 0; i < LIMB_COUNT; i++) {
            instances[inputCount + i] = (number >> (LIMB_BITS * i)) & ((1 << LIMB_BITS) - 1);
        }
        for (uint256 i = 0; i < outputCount; i++) {
            instances[inputCount + LIMB_COUNT + i] = toFelt(s.outputs[i]);
        }
    }

    /// @notice The canonical field element of a signed integer of magnitude at most `r / 2`.
    function toFelt(int256 value) internal pure returns (uint256) {
        int256 half = int256(FIELD_ORDER / 2);
        require(value >= -half && value <= half, NotAFieldInteger(value));
        return value < 0 ? FIELD_ORDER - uint256(-value) : uint256(value);
    }

    /// @notice `floor(output * 1e18 / 2**outputScale)`, not clamped.
    function weightWad(int256 output, uint8 outputScale) internal pure returns (int256) {
        return (output * 1e18) >> outputScale;
    }

    /// @notice Binds what the proof leaves open: chain, vault, model and epoch.
    function statementHash(Statement memory s) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, s.vault, s.modelId, s.epoch, s.beneficiary, s.inputs, s.outputs));
    }
}
