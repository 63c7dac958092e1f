// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";

/// @notice Why an accepted epoch did not swap. The numbers are those of Python's `vaultkit.trade.Reason`.
enum Reason {
    Traded,
    Deadband,
    Deviation,
    Dust
}

/// @notice Limits of every trade. Weights and deadband have 18 decimals, slippage and deviation are millionths,
///         `maxNotional` is in asset units.
struct Policy {
    uint256 minWeightWad;
    uint256 maxWeightWad;
    uint256 deadbandWad;
    uint256 maxStepWad;
    uint256 maxNotional;
    uint256 slippagePips;
    uint256 deviationPips;
}

/// @title An ERC-4626 vault that trades only with verified inference proofs
interface IInferenceVault is IERC4626 {
    /// @notice An epoch was accepted. With `Swapped` it suffices to rebuild what happened from logs and calldata alone.
    /// @param statementHash `keccak256(abi.encode(chainId, vault, modelId, epoch, beneficiary, inputs, outputs))`.
    /// @param weightBeforeWad Risk weight at the mean price before the trade.
    /// @param weightTargetWad Proven weight after the clamp to policy.
    event Rebalanced(
        uint256 indexed epoch,
        bytes32 indexed modelId,
        address indexed beneficiary,
        bytes32 statementHash,
        int256[] inputs,
        int256[] outputs,
        uint256 weightBeforeWad,
        uint256 weightTargetWad,
        uint256 twapX128,
        uint256 spotX128,
        Reason reason
    );
    /// @notice The swap of an accepted epoch; amounts are measured balances.
    event Swapped(uint256 indexed epoch, bool riskIn, uint256 amountIn, uint256 amountOut, uint256 minOut);
    event RedeemedInKind(
        address indexed caller,
        address indexed receiver,
        address indexed owner,
        uint256 shares,
        uint256 assetAmount,
        uint256 riskAmount
    );

    /// @notice A token refused the transfer of an exit in kind; the amount waits for `claim`.
    event Owed(address indexed token, address indexed account, uint256 amount);
    event Claimed(address indexed token, address indexed account, uint256 amount);

    /// @notice Only the latest closed epoch is admissible.
    error EpochNotLatest(uint256 epoch, uint256 latest);
    /// @notice The epoch was already accepted.
    error EpochUsed(uint256 epoch);
    /// @notice More than `maxAge` seconds have passed since the epoch's end.
    error EpochTooOld(uint256 age, uint256 maxAge);
    error NoActiveModel();
    error OutputsLength(uint256 got, uint256 expected);
    error OutputOutOfRange(int256 output, uint256 bound);
    error BeneficiaryZero();

    /// @notice Accepts the latest closed epoch with a proof of the active model's output, and trades toward it.
    /// @param epoch Number of the epoch; it ended at `epoch * period()`.
    /// @param beneficiary Address bound into the proof.
    /// @param outputs The model's outputs: one, the target weight times `2**outputScale`.
    /// @param proof Evidence for the model's gate.
    /// @param hints Hints for the model's input source.
    /// @return reason Why there was no swap, or `Traded`.
    function rebalance(
        uint256 epoch,
        address beneficiary,
        int256[] calldata outputs,
        bytes calldata proof,
        bytes calldata hints
    ) external returns (Reason reason);

    /// @notice Pays the owner's share of each balance; needs no oracle, keeper, model or governance.
    function redeemInKind(uint256 shares, address receiver, address owner)
        external
        returns (uint256 assetAmount, uint256 riskAmount);

    /// @notice Sends what an exit in kind could not, to the account that it is owed to; anyone may call.
    function claim(address token, address account) external returns (uint256 amount);

    /// @notice What `claim` would send.
    function owed(address token, address account) external view returns (uint256);
    /// @notice Sum of `owed` over accounts; no part of the vault's assets.
    function totalOwed(address token) external view returns (uint256);
    /// @notice Most that `totalAssets` may reach by deposits.
    function depositCap() external view returns (uint256);

    /// @notice Seconds between epochs.
    function period() external view returns (uint256);
    /// @notice Seconds after an epoch's end in which it can be accepted, at most `period()`.
    function maxAge() external view returns (uint256);
    /// @notice The last epoch that was accepted, or zero.
    function lastEpoch() external view returns (uint256);
    /// @notice The last epoch whose end is not after now.
    function latestClosedEpoch() external view returns (uint256);
    function policy() external view returns (Policy memory);
    function registry() external view returns (address);
    function venue() external view returns (address);
    function risk() external view returns (address);
    /// @notice Share of the risk token at the mean price, 18 decimals.
    function riskWeightWad() external view returns (uint256);
}
