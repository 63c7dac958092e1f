// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ChainProof} from "../credit/ChainProof.sol";
import {AccountState, BlockHeader, ProvenLog} from "../interfaces/IInputAnchor.sol";

/// @title The pure part of an input anchor, and many calls in one `eth_call`, each of which may be refused
contract ProofHarness {
    error CallRefused(bytes answer);

    /// @param target This harness, or an input anchor.
    /// @return accepted Whether each call returned.
    /// @return answers What each returned, or reverted with.
    function many(address target, bytes[] calldata calls)
        external
        view
        returns (bool[] memory accepted, bytes[] memory answers)
    {
        accepted = new bool[](calls.length);
        answers = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) (accepted[i], answers[i]) = target.staticcall(calls[i]);
    }

    /// @notice Gas of a call that must return, its cold accounts and slots included, the transaction's own costs not.
    function gasOf(address target, bytes calldata call) external view returns (uint256 used) {
        used = gasleft();
        (bool fine, bytes memory answer) = target.staticcall(call);
        used -= gasleft();
        require(fine, CallRefused(answer));
    }

    function header(bytes calldata encoded) external pure returns (BlockHeader memory) {
        return ChainProof.header(encoded);
    }

    function account(bytes32 stateRoot, address owner, bytes[] calldata nodes)
        external
        pure
        returns (AccountState memory)
    {
        return ChainProof.account(stateRoot, owner, nodes);
    }

    function slot(bytes32 storageRoot, uint256 key, bytes[] calldata nodes) external pure returns (uint256) {
        return ChainProof.slot(storageRoot, key, nodes);
    }

    function log(bytes32 receiptsRoot, uint256 transactionIndex, bytes[] calldata nodes, uint256 logIndex)
        external
        pure
        returns (ProvenLog memory)
    {
        return ChainProof.log(receiptsRoot, transactionIndex, nodes, logIndex);
    }
}
