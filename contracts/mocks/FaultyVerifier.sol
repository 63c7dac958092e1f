// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Verifiers named after their fault
contract FaultyVerifier {
    enum Fault {
        ReturnsZero,
        Reverts,
        BurnsGas,
        ReturnsNothing,
        ReturnsShort,
        ReturnsLong,
        ReturnsTwo,
        WritesState
    }

    Fault public immutable fault;
    uint256 private _written;

    constructor(Fault fault_) {
        fault = fault_;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        if (fault == Fault.ReturnsZero) return abi.encode(uint256(0));
        if (fault == Fault.ReturnsNothing) return "";
        if (fault == Fault.ReturnsShort) return new bytes(31);
        if (fault == Fault.ReturnsLong) return abi.encode(uint256(1), uint256(1));
        if (fault == Fault.ReturnsTwo) return abi.encode(uint256(2));
        if (fault == Fault.BurnsGas) while (true) {}
        if (fault == Fault.WritesState) {
            _written = 1;
            return abi.encode(uint256(1));
        }
        revert();
    }
}
