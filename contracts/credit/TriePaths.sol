// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Bytes} from "@openzeppelin/contracts/utils/Bytes.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {IInputAnchor} from "../interfaces/IInputAnchor.sol";

/// @title What a path of trie nodes shows of a key: its value, or that it has none
/// @notice OpenZeppelin's `TrieProof` shows values. It has no proof of absence, which half of all slots need (no debt, no
///         collateral, no flag), so that one is here.
library TriePaths {
    using Bytes for bytes;
    using Memory for *;
    using RLP for *;

    /// @notice Root of a trie that holds nothing: the hash of the RLP of an empty string.
    bytes32 internal constant EMPTY_ROOT = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;

    uint256 private constant BRANCH_ITEMS = 17;
    uint256 private constant PATH_ITEMS = 2;
    uint256 private constant HASH_ITEM_BYTES = 33;
    bytes32 private constant EMPTY_ITEM = bytes32(bytes1(0x80));

    /// @notice The value of `key`. Reverts with `ProofInvalid` where the nodes do not show it.
    function valueOf(bytes32 root, bytes memory key, bytes[] memory nodes) internal pure returns (bytes memory) {
        (bytes memory value, TrieProof.ProofError reason) = TrieProof.tryTraverse(root, key, nodes);
        require(reason == TrieProof.ProofError.NO_ERROR, IInputAnchor.ProofInvalid(root, uint256(reason)));
        return value;
    }

    /// @notice The value of `key` in a trie all of whose keys are hashes, or nothing where the nodes show that it is absent.
    /// @dev The last node decides which of the two must be shown: a leaf that ends as the key ends can only be its own.
    function find(bytes32 root, bytes32 key, bytes[] memory nodes) internal pure returns (bool found, bytes memory value) {
        bytes memory packed = abi.encodePacked(key);
        bytes memory nibbles = packed.toNibbles();
        if (_endsAtLeafOf(nibbles, nodes)) return (true, valueOf(root, packed, nodes));
        _requireAbsent(root, nibbles, nodes);
    }

    function _endsAtLeafOf(bytes memory nibbles, bytes[] memory nodes) private pure returns (bool) {
        if (nodes.length == 0) return false;
        Memory.Slice last = nodes[nodes.length - 1].asSlice();
        if (last.length() == 0 || last.load(0) == EMPTY_ITEM) return false;
        Memory.Slice[] memory node = last.readList();
        if (node.length != PATH_ITEMS) return false;
        (bool leaf, Memory.Slice path) = _path(node[0]);
        if (!leaf || path.length() > nibbles.length) return false;
        return path.equal(nibbles.asSlice().slice(nibbles.length - path.length()));
    }

    /// @dev Walks by hashes until a branch is empty where the key goes on, or a path goes elsewhere; no node may be left then.
    ///      A node inside its parent, which is shorter than a hash, cannot be in a trie of hashed keys and is refused.
    function _requireAbsent(bytes32 root, bytes memory nibbles, bytes[] memory nodes) private pure {
        if (root == EMPTY_ROOT && _isNothing(nodes)) return;
        bytes32 expected = root;
        uint256 depth = 0;
        for (uint256 i = 0; i < nodes.length; i++) {
            require(keccak256(nodes[i]) == expected, IInputAnchor.AbsenceNotShown(root, i));
            (bool ends, uint256 step, Memory.Slice child) = _follow(nodes[i], nibbles.asSlice().slice(depth));
            if (ends) {
                require(i + 1 == nodes.length, IInputAnchor.AbsenceNotShown(root, i + 1));
                return;
            }
            require(child.length() == HASH_ITEM_BYTES, IInputAnchor.AbsenceNotShown(root, i));
            expected = child.readBytes32();
            depth += step;
        }
        revert IInputAnchor.AbsenceNotShown(root, nodes.length);
    }

    /// @return ends Whether the key has no place below this node.
    /// @return step Nibbles that the node takes of the key.
    /// @return child Where it goes on otherwise; nowhere from a leaf of the key.
    function _follow(bytes memory encoded, Memory.Slice rest)
        private
        pure
        returns (bool ends, uint256 step, Memory.Slice child)
    {
        Memory.Slice[] memory node = encoded.decodeList();
        if (node.length == BRANCH_ITEMS) {
            child = node[uint8(bytes1(rest.load(0)))];
            return (child.load(0) == EMPTY_ITEM, 1, child);
        }
        require(node.length == PATH_ITEMS, IInputAnchor.NodeMalformed(node.length));
        (bool leaf, Memory.Slice path) = _path(node[0]);
        step = path.length();
        // A leaf of the key itself is never asked for its absence; were it, it would not show it.
        ends = step > rest.length() || !path.equal(rest.slice(0, step)) || (leaf && step != rest.length());
        if (!leaf) child = node[1];
    }

    /// @dev Hex-prefix encoding: the first nibble says leaf (2) and odd length (1); an even length is padded with a zero.
    function _path(Memory.Slice item) private pure returns (bool leaf, Memory.Slice path) {
        bytes memory nibbles = item.readBytes().toNibbles();
        require(nibbles.length != 0, IInputAnchor.NodeMalformed(0));
        uint256 flag = uint8(nibbles[0]);
        require(flag < 4 && (flag % 2 == 1 || nibbles[1] == 0), IInputAnchor.NodeMalformed(flag));
        return (flag >= 2, nibbles.asSlice().slice(2 - (flag % 2)));
    }

    function _isNothing(bytes[] memory nodes) private pure returns (bool) {
        return nodes.length == 0 || (nodes.length == 1 && keccak256(nodes[0]) == EMPTY_ROOT);
    }
}
