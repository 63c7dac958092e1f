// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ICreditLine} from "./ICreditLine.sol";
import {LogProof} from "./IInputAnchor.sol";

/// @notice What a line remembers of a borrower, by address. Times are Unix seconds, zero for never. Volumes are in units of the
///         oracle's base currency; a unit of the asset counts as a dollar in them, so that repaying needs no price.
/// @param activeDays UTC days with an event of the line.
/// @param spellBegin When debt last rose above a dollar.
/// @param lastDebt Debt after the last event, zero up to a dollar.
/// @param debtSeconds Sum of debt times seconds up to `lastEvent`.
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
    uint128 borrowed;
    uint128 repaid;
    uint128 liquidated;
    uint128 lastDebt;
    uint256 debtSeconds;
}

/// @title A credit line that builds the model's inputs itself
/// @notice Features are what the line counted of its own borrowers, its own book at the oracle's price, and liquidations on
///         Aave that anybody proved. Nothing of them comes from a caller, so nobody is trusted with them. They are *only*
///         that: what a wallet did elsewhere does not appear, but for those liquidations. Aave's other events are not taken:
///         whoever wants a good history makes them at will, for the price of gas, and would report those alone.
interface IPublicCreditLine is ICreditLine {
    /// @notice The features of a borrower as they stood at this block: byte `i` from the left is feature `i`.
    event Snapshot(address indexed borrower, uint256 takenAt, bytes32 codes);
    /// @notice A liquidation elsewhere was proven; `id` is the hash of block, transaction index and log index.
    event LiquidationReported(address indexed borrower, bytes32 indexed id, address debtAsset, uint256 value);

    /// @notice A prover has at least `SNAPSHOT_SECONDS` for a snapshot before another replaces it.
    error SnapshotTooSoon(uint256 takenAt, uint256 timestamp);
    /// @notice Something happened in this block: what was brought for a moment, and paid with that moment, does not count.
    error SnapshotUnsettled(uint256 lastEvent);
    error SnapshotMissing(address borrower);
    error NotALiquidation(address emitter, bytes32 topic);
    /// @notice Each log counts once.
    error LogCounted(bytes32 id);

    /// @notice Writes down a borrower's features as of now, for a proof about them. Anyone may.
    function takeSnapshot(address borrower) external returns (bytes32 codes);

    /// @notice Accepts the score of the borrower's last snapshot. Anyone may, for anyone.
    function proveScore(address borrower, int256 score, bytes calldata proof) external;

    /// @notice Counts a `LiquidationCall` of the Aave pool against its borrower, at the oracle's price of now (nothing where it
    ///         has none), and ends the borrower's score. Anyone may, known borrower or not.
    function reportLiquidation(LogProof calldata proof) external returns (address borrower);

    /// @notice The features of a borrower as of now, one byte each from the left, in the order of `featureDefinition`.
    function featuresOf(address borrower) external view returns (bytes32 codes);
    /// @notice Features and their encodings, in order; the model's source must be a `FeatureSpec` of exactly these.
    function featureDefinition() external view returns (string memory);
    function historyOf(address borrower) external view returns (History memory);
    function snapshotOf(address borrower) external view returns (uint256 takenAt, bytes32 codes);
    function anchor() external view returns (address);
    function aavePool() external view returns (address);
}
