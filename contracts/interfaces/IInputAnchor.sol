// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice What a header that hashes to its block's hash says.
struct BlockHeader {
    uint256 number;
    uint256 timestamp;
    bytes32 stateRoot;
    bytes32 receiptsRoot;
}

/// @notice An account as the state trie holds it.
struct AccountState {
    uint256 nonce;
    uint256 balance;
    bytes32 storageRoot;
    bytes32 codeHash;
}

/// @notice Shows slots of one account at the end of one block: what `eth_getProof` and the block's header give.
/// @param header RLP of the block's header.
/// @param account Whose slots they are.
/// @param accountProof Nodes of the state trie from its root to the account.
/// @param slots Which slots.
/// @param slotProofs For each slot the nodes of the account's storage trie, from its root to the slot or to where its path
///        ends without it.
struct StorageProof {
    bytes header;
    address account;
    bytes[] accountProof;
    uint256[] slots;
    bytes[][] slotProofs;
}

/// @notice Shows one log of a transaction that succeeded.
/// @param header RLP of the block's header.
/// @param transactionIndex Place of the transaction in its block.
/// @param receiptProof Nodes of the receipts' trie from its root to the transaction's receipt.
/// @param logIndex Place of the log in its *receipt*, from zero; JSON-RPC counts logs through the whole block instead.
struct LogProof {
    bytes header;
    uint256 transactionIndex;
    bytes[] receiptProof;
    uint256 logIndex;
}

/// @notice A log, as its receipt holds it.
struct ProvenLog {
    address emitter;
    bytes32[] topics;
    bytes data;
}

/// @title Facts of past blocks, proven against block hashes that the chain itself vouches for
/// @notice A block's hash comes from BLOCKHASH (256 blocks), from the history contract of EIP-2935 (8,191 blocks), or from a
///         checkpoint that anyone had stored here while the block was that young. Everything else hangs on it by hashes:
///         header, state root, account, storage root, slot; receipts root, receipt, log. Nobody is trusted or has a role here.
/// @dev Assumptions on safety: keccak-256 is collision resistant; the block hashes are of Ethereum's headers and tries
///      (mainnet since Byzantium, and chains that keep its formats). A log is identified by (block number, transaction index,
///      log index); whoever must count it once keeps that triple. On liveness: the chain has the history contract, or blocks
///      are checkpointed within 256.
///      Refusals that OpenZeppelin's decoder finds itself bubble up as its own `RLPInvalidEncoding()`.
interface IInputAnchor {
    /// @notice A block's hash is kept from now on.
    event Checkpointed(uint256 indexed number, bytes32 hash);

    /// @notice The chain does not vouch for this block here and now, and nobody checkpointed it while it did.
    error BlockUnknown(uint256 number, uint256 current);
    /// @notice The header does not hash to the hash of the block whose number it states.
    error HeaderMismatch(uint256 number, bytes32 got, bytes32 expected);
    /// @notice No header has so few fields.
    error HeaderTooShort(uint256 got, uint256 least);
    /// @notice A field of a header, account or log has another size than it must.
    error FieldSize(uint256 got, uint256 expected);
    /// @notice The nodes do not lead from the root to a value; `reason` is OpenZeppelin's `TrieProof.ProofError`.
    error ProofInvalid(bytes32 root, uint256 reason);
    /// @notice The nodes show neither that the key has a value nor that it has none.
    error AbsenceNotShown(bytes32 root, uint256 node);
    /// @notice A node of a trie has 2 or 17 items, and a path a known form.
    error NodeMalformed(uint256 got);
    /// @notice The nodes show that there is no such account.
    error AccountAbsent(address account);
    /// @notice What the nodes lead to is no account of four fields.
    error AccountMalformed(uint256 fields);
    /// @notice A number is not as the chain writes it: a slot's zero, leading zeros, or bytes after it.
    error NumberMalformed(uint256 value, uint256 encodedBytes);
    /// @notice A proof is needed for each slot.
    error SlotCount(uint256 got, uint256 expected);
    /// @notice Types 0 to 4 are known.
    error ReceiptTypeUnknown(uint256 kind);
    /// @notice A receipt has four fields.
    error ReceiptMalformed(uint256 fields);
    /// @notice The transaction reverted, or its receipt is of before Byzantium and does not say.
    error TransactionNotSuccessful(uint256 transactionIndex);
    /// @notice The receipt has fewer logs.
    error LogMissing(uint256 logIndex, uint256 count);
    /// @notice A log has three fields and at most four topics.
    error LogMalformed(uint256 fields, uint256 topics);

    /// @notice Keeps the hash of a block, now that the chain vouches for it. Anyone may, for any block, once and again.
    function checkpoint(uint256 number) external returns (bytes32 hash);

    /// @notice The hash of a block. Reverts with `BlockUnknown`.
    function hashOf(uint256 number) external view returns (bytes32);

    /// @notice The hash that was kept of a block, or zero.
    function checkpointOf(uint256 number) external view returns (bytes32);

    /// @notice What a header says, once it hashes to the hash of its block.
    function verifyHeader(bytes calldata header) external view returns (BlockHeader memory);

    /// @notice An account at the end of a block.
    function verifyAccount(bytes calldata header, address account, bytes[] calldata accountProof)
        external
        view
        returns (BlockHeader memory, AccountState memory);

    /// @notice The values of slots at the end of a block; zero for a slot that is proven to hold nothing.
    function verifyStorage(StorageProof calldata proof)
        external
        view
        returns (BlockHeader memory, uint256[] memory values);

    /// @notice A log of a transaction that succeeded.
    function verifyLog(LogProof calldata proof) external view returns (BlockHeader memory, ProvenLog memory);
}
