// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";

/// @notice Why an accepted epoch did not swap. The numbers are those of Python's `vaultkit.trade.Reason`.
enum Reason {
    Traded,
    Deadband,
    Deviation,
    Dust,
    Turnover,
    Stopped
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

/// @notice What makes a vault withdraw-only by itself, and how much it may trade over time.
/// @param outageEpochs Closed epochs without an accepted one after which nothing may enter; zero for never.
/// @param turnoverWad Most that may be traded as a share of value in a burst, and per day thereafter, 18 decimals.
/// @param drawdownWad Fall of a share's value from its peak that stops trading, 18 decimals; zero for never.
struct Safeguards {
    uint256 outageEpochs;
    uint256 turnoverWad;
    uint256 drawdownWad;
}

/// @notice What holders pay for keeping and for gains.
/// @param rewardPerEpoch Most that the beneficiary of an accepted epoch is paid, in asset units.
/// @param rewardYearPips Most that all rewards of a year may be, in millionths of value.
/// @param performancePips Share of gains above the high-water mark, in millionths, paid in new shares.
/// @param performanceRecipient Who gets them.
struct Fees {
    uint256 rewardPerEpoch;
    uint256 rewardYearPips;
    uint256 performancePips;
    address performanceRecipient;
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

    /// @notice The beneficiary of an accepted epoch was paid, in asset units.
    event RewardPaid(uint256 indexed epoch, address indexed beneficiary, uint256 amount);
    /// @notice Gains above the high-water mark were shared, at an epoch or before an entry or exit; `assets` is what the new shares
    ///         stand for, `epoch` the last one accepted.
    event PerformanceFeePaid(uint256 indexed epoch, address indexed recipient, uint256 shares, uint256 assets);
    /// @notice The vault accepts epochs without trading, and nothing enters, until `TradingResumed`.
    /// @param by Guardian or owner, or the vault itself where the value of a share fell too far.
    event TradingStopped(address indexed by);
    event ResumeScheduled(uint256 resumableAt);
    /// @param peakX64 Value of a share from which its fall is counted now, asset units times 2**64.
    event TradingResumed(uint256 peakX64);

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
    /// @notice Only the guardian or the owner of the registry may stop trading, only the owner may resume it.
    error NotPermitted(address caller);
    error NotStopped();
    /// @notice No resumption is scheduled (`resumableAt` is zero), or its delay is not over.
    error ResumeNotDue(uint256 resumableAt, uint256 timestamp);

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

    /// @notice Stops trading and entries at once; exits go on.
    function stopTrading() external;

    /// @notice Lets trading resume after the registry's delay, which holders have to leave.
    function scheduleResume() external;

    /// @notice Resumes once the delay is over; anyone may call. The fall of value is counted anew from here.
    function resumeTrading() external;

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
    /// @notice Whether trading is stopped, or so many epochs were missed that nothing may enter.
    function withdrawOnly() external view returns (bool);
    /// @notice Whether trading is stopped until the owner resumes it.
    function stopped() external view returns (bool);
    /// @notice When `resumeTrading` succeeds; zero where nothing is scheduled.
    function resumableAt() external view returns (uint256);
    /// @notice Closed epochs after the last accepted one, or after deployment.
    function missedEpochs() external view returns (uint256);
    /// @notice What may be traded in the latest closed epoch as a share of value, 18 decimals.
    function turnoverLeftWad() external view returns (uint256);
    /// @notice Values of a share, asset units times 2**64: the peak that a drawdown is counted from, and the highest that gains
    ///         were shared at.
    function marksX64() external view returns (uint256 peak, uint256 highWater);
    /// @notice Value below which nothing is judged or shared, and an entry begins both marks anew: a million units of the asset, and
    ///         what ten thousand of the risk token were worth when the vault was made.
    function leastJudged() external view returns (uint256);
    function policy() external view returns (Policy memory);
    function safeguards() external view returns (Safeguards memory);
    function fees() external view returns (Fees memory);
    function registry() external view returns (address);
    function venue() external view returns (address);
    function risk() external view returns (address);
    /// @notice Share of the risk token at the mean price, 18 decimals.
    function riskWeightWad() external view returns (uint256);
}
