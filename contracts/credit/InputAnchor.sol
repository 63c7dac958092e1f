// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {
    AccountState,
    BlockHeader,
    IInputAnchor,
    LogProof,
    ProvenLog,
    StorageProof
} from "../interfaces/IInputAnchor.sol";
import {ChainProof} from "./ChainProof.sol";

/// @title Past state and past events as a contract can know them
/// @notice Holds checkpointed block hashes and nothing else; everybody may use the same one.
contract InputAnchor is IInputAnchor {
    /// @inheritdoc IInputAnchor
    mapping(uint256 number => bytes32) public checkpointOf;

    /// @inheritdoc IInputAnchor
    function checkpoint(uint256 number) external returns (bytes32 hash) {
        hash = hashOf(number);
        if (checkpointOf[number] == hash) return hash;
        checkpointOf[number] = hash;
        emit Checkpointed(number, hash);
    }

    /// @inheritdoc IInputAnchor
    function verifyAccount(bytes calldata header, address account, bytes[] calldata accountProof)
        external
        view
        returns (BlockHeader memory found, AccountState memory state)
    {
        found = verifyHeader(header);
        state = ChainProof.account(found.stateRoot, account, accountProof);
    }

    /// @inheritdoc IInputAnchor
    function verifyStorage(StorageProof calldata proof)
        external
        view
        returns (BlockHeader memory found, uint256[] memory values)
    {
        uint256 count = proof.slots.length;
        require(proof.slotProofs.length == count, SlotCount(proof.slotProofs.length, count));
        found = verifyHeader(proof.header);
        bytes32 root = ChainProof.account(found.stateRoot, proof.account, proof.accountProof).storageRoot;
        values = new uint256[](count);
        for (uint256 i = 0; i < count; i++) values[i] = ChainProof.slot(root, proof.slots[i], proof.slotProofs[i]);
    }

    /// @inheritdoc IInputAnchor
    function verifyLog(LogProof calldata proof)
        external
        view
        returns (BlockHeader memory found, ProvenLog memory log)
    {
        found = verifyHeader(proof.header);
        log = ChainProof.log(found.receiptsRoot, proof.transactionIndex, proof.receiptProof, proof.logIndex);
    }

    /// @inheritdoc IInputAnchor
    function verifyHeader(bytes calldata header) public view returns (BlockHeader memory found) {
        found = ChainProof.header(header);
        bytes32 expected = hashOf(found.number);
        bytes32 got = keccak256(header);
        require(got == expected, HeaderMismatch(found.number, got, expected));
    }

    /// @inheritdoc IInputAnchor
    function hashOf(uint256 number) public view returns (bytes32 hash) {
        hash = Blockhash.blockHash(number);
        if (hash == 0) hash = checkpointOf[number];
        require(hash != 0, BlockUnknown(number, block.number));
    }
}
