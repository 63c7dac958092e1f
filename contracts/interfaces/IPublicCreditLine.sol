// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ICreditLine} from "./ICreditLine.sol";
import {LogProof} from "./IInputAnchor.sol";

/// @notice What a line remembers of a borrower, by address. Times are Unix seconds, zero for never; volumes are in units of
///         the oracle's base currency (collateral, liquidations) or of the asset (loans), which counts as a dollar.
struct History {
    uint64 firstEvent;
    uint64 lastEvent;
    uint64 lastRepay;
    uint64 spellBegin;
    uint32 activeDays;
    uint32 supplyCount;
    uint32 withdrawCount;
    uint32 borrowCount;
    uint32 repayCount;
    uint32 liquidationCount;
    uint64 lastTouch;
    uint128 supplied;
    uint128 borrowed;
    uint128 repaid;
    uint128 liquidated;
    uint128 lastDebt;
    uint256 debtSeconds;
}

/// @title A credit line that builds the model's inputs itself
/// @notice Features are what the line counted of its own borrowers, its own book at the oracle's price, and liquidations on
///         Aave that anybody proved. Nothing of them comes from a caller, so nobody is trusted with them. They are *only*
///         that: what a wallet did elsewhere does not appear, but for those liquidations.
interface IPublicCreditLine is ICreditLine {
    /// @notice The features of a borrower as they stood at this block: byte `i` from the left is feature `i`.
    event Snapshot(address indexed borrower, uint256 takenAt, bytes32 codes);
    /// @notice A liquidation elsewhere was proven; `id` is the hash of block, transaction index and log index.
    event LiquidationReported(address indexed borrower, bytes32 indexed id, address debtAsset, uint256 value);

    /// @notice A prover has at least `SNAPSHOT_SECONDS` for a snapshot before another replaces it.
    error SnapshotTooSoon(uint256 takenAt, uint256 timestamp);
    error SnapshotMissing(address borrower);
    error NotALiquidation(address emitter, bytes32 topic);
    /// @notice Each log counts once.
    error LogCounted(bytes32 id);

    /// @notice Writes down a borrower's features as of now, for a proof about them. Anyone may.
    function takeSnapshot(address borrower) external returns (bytes32 codes);

    /// @notice Accepts the score of the borrower's last snapshot. Anyone may, for anyone.
    function proveScore(address borrower, int256 score, bytes calldata proof) external;

    /// @notice Counts a `LiquidationCall` of the Aave pool against its borrower, and ends the borrower's score. Anyone may.
    function reportLiquidation(LogProof calldata proof) external returns (address borrower);

    /// @notice The features of a borrower as of now.
    function featuresOf(address borrower) external view returns (uint8[] memory codes);
    function historyOf(address borrower) external view returns (History memory);
    function snapshotOf(address borrower) external view returns (uint256 takenAt, bytes32 codes);
    function anchor() external view returns (address);
    function aavePool() external view returns (address);
}
