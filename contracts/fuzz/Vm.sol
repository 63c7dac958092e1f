// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice The cheatcodes of forge that these tests use.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function warp(uint256 timestamp) external;
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
    function envOr(string calldata name, string calldata fallback_) external view returns (string memory);
    function deployCode(string calldata path, bytes calldata arguments) external returns (address);
    function expectRevert(bytes calldata reason) external;
    function expectRevert(bytes4 selector) external;
    function expectPartialRevert(bytes4 selector) external;
    function expectRevert() external;
    function assume(bool condition) external pure;
    function snapshotState() external returns (uint256);
    function revertToState(uint256 snapshot) external returns (bool);
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function addr(uint256 key) external pure returns (address);
    function toString(uint256 value) external pure returns (string memory);
    function toString(int256 value) external pure returns (string memory);
    function toString(bytes32 value) external pure returns (string memory);
    function replace(string calldata input, string calldata from, string calldata to)
        external
        pure
        returns (string memory);
    function writeLine(string calldata path, string calldata line) external;
}

/// @title Claims that revert with their words and what was compared
abstract contract Claims {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    error ClaimFailed(string claim, uint256 left, uint256 right);

    function isTrue(bool condition, string memory claim) internal pure {
        require(condition, ClaimFailed(claim, 0, 0));
    }

    function eq(uint256 left, uint256 right, string memory claim) internal pure {
        require(left == right, ClaimFailed(claim, left, right));
    }

    function le(uint256 left, uint256 right, string memory claim) internal pure {
        require(left <= right, ClaimFailed(claim, left, right));
    }

    /// @dev A random number brought into `[least, most]`.
    function within(uint256 value, uint256 least, uint256 most) internal pure returns (uint256) {
        uint256 span = most - least + 1;
        return span == 0 ? value : least + value % span;
    }
}
