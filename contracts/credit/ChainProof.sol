// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {AccountState, BlockHeader, IInputAnchor, ProvenLog} from "../interfaces/IInputAnchor.sol";
import {TriePaths} from "./TriePaths.sol";

/// @title Headers, accounts, slots and logs out of roots: what is pure of an input anchor
/// @notice The twin of Python's `vaultkit.chain.state` and `vaultkit.chain.receipt_proof`. Says what hangs on a root, not
///         whether the root is the chain's.
library ChainProof {
    using Memory for *;
    using RLP for *;

    uint256 private constant STATE_ROOT_FIELD = 3;
    uint256 private constant RECEIPTS_ROOT_FIELD = 5;
    uint256 private constant NUMBER_FIELD = 8;
    uint256 private constant TIMESTAMP_FIELD = 11;
    /// @dev Frontier's header; later forks append.
    uint256 private constant HEADER_FIELDS = 15;
    uint256 private constant ACCOUNT_FIELDS = 4;
    uint256 private constant RECEIPT_FIELDS = 4;
    uint256 private constant LOG_FIELDS = 3;
    uint256 private constant MAX_TOPICS = 4;
    uint256 private constant HASH_ITEM_BYTES = 33;
    uint256 private constant ADDRESS_ITEM_BYTES = 21;
    uint256 private constant FIRST_LIST_PREFIX = 0xc0;
    uint256 private constant LAST_RECEIPT_TYPE = 4;
    bytes32 private constant SUCCESS_ITEM = bytes32(bytes1(0x01));

    /// @notice The fields of an encoded header.
    function header(bytes memory encoded) internal pure returns (BlockHeader memory) {
        Memory.Slice[] memory fields = encoded.decodeList();
        require(fields.length >= HEADER_FIELDS, IInputAnchor.HeaderTooShort(fields.length, HEADER_FIELDS));
        return BlockHeader({
            number: fields[NUMBER_FIELD].readUint256(),
            timestamp: fields[TIMESTAMP_FIELD].readUint256(),
            stateRoot: _hash(fields[STATE_ROOT_FIELD]),
            receiptsRoot: _hash(fields[RECEIPTS_ROOT_FIELD])
        });
    }

    /// @notice An account of the state trie. Reverts with `AccountAbsent` where the nodes show that there is none.
    function account(bytes32 stateRoot, address owner, bytes[] memory nodes) internal pure returns (AccountState memory) {
        (bool found, bytes memory leaf) = TriePaths.find(stateRoot, keccak256(abi.encodePacked(owner)), nodes);
        require(found, IInputAnchor.AccountAbsent(owner));
        Memory.Slice[] memory fields = leaf.decodeList();
        require(fields.length == ACCOUNT_FIELDS, IInputAnchor.AccountMalformed(fields.length));
        return AccountState({
            nonce: _number(fields[0]),
            balance: _number(fields[1]),
            storageRoot: _hash(fields[2]),
            codeHash: _hash(fields[3])
        });
    }

    /// @notice The value of a slot; zero where the nodes show that the trie does not have it.
    function slot(bytes32 storageRoot, uint256 key, bytes[] memory nodes) internal pure returns (uint256 value) {
        (bool found, bytes memory leaf) = TriePaths.find(storageRoot, keccak256(abi.encodePacked(key)), nodes);
        if (!found) return 0;
        value = _number(leaf.asSlice());
        require(value != 0, IInputAnchor.NumberMalformed(value, leaf.length));
    }

    /// @notice A log of the receipt at `transactionIndex`, whose transaction succeeded.
    function log(bytes32 receiptsRoot, uint256 transactionIndex, bytes[] memory nodes, uint256 logIndex)
        internal
        pure
        returns (ProvenLog memory)
    {
        bytes memory receipt = TriePaths.valueOf(receiptsRoot, RLP.encode(transactionIndex), nodes);
        Memory.Slice[] memory fields = _payload(receipt).readList();
        require(fields.length == RECEIPT_FIELDS, IInputAnchor.ReceiptMalformed(fields.length));
        require(fields[0].load(0) == SUCCESS_ITEM, IInputAnchor.TransactionNotSuccessful(transactionIndex));
        Memory.Slice[] memory logs = fields[3].readList();
        require(logIndex < logs.length, IInputAnchor.LogMissing(logIndex, logs.length));
        return _log(logs[logIndex].readList());
    }

    /// @dev EIP-2718: a receipt of type 1 to 4 has its type before it, one of type 0 begins as a list.
    function _payload(bytes memory receipt) private pure returns (Memory.Slice) {
        uint256 first = uint8(receipt[0]);
        if (first >= FIRST_LIST_PREFIX) return receipt.asSlice();
        require(first != 0 && first <= LAST_RECEIPT_TYPE, IInputAnchor.ReceiptTypeUnknown(first));
        return receipt.asSlice().slice(1);
    }

    function _log(Memory.Slice[] memory fields) private pure returns (ProvenLog memory found) {
        require(fields.length == LOG_FIELDS, IInputAnchor.LogMalformed(fields.length, 0));
        require(
            fields[0].length() == ADDRESS_ITEM_BYTES, IInputAnchor.FieldSize(fields[0].length(), ADDRESS_ITEM_BYTES)
        );
        Memory.Slice[] memory topics = fields[1].readList();
        require(topics.length <= MAX_TOPICS, IInputAnchor.LogMalformed(fields.length, topics.length));
        found = ProvenLog(fields[0].readAddress(), new bytes32[](topics.length), fields[2].readBytes());
        for (uint256 i = 0; i < topics.length; i++) found.topics[i] = _hash(topics[i]);
    }

    function _hash(Memory.Slice item) private pure returns (bytes32) {
        require(item.length() == HASH_ITEM_BYTES, IInputAnchor.FieldSize(item.length(), HASH_ITEM_BYTES));
        return item.readBytes32();
    }

    /// @dev OpenZeppelin reads numbers with leading zeros, and ignores what follows them; the chain writes neither.
    function _number(Memory.Slice item) private pure returns (uint256 value) {
        value = item.readUint256();
        require(item.equal(value.encode().asSlice()), IInputAnchor.NumberMalformed(value, item.length()));
    }
}
