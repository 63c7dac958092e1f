// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {IPriceOracle} from "./IPriceOracle.sol";

/// @notice Terms for scores up to a bound. A score is a model's output, log-odds of liquidation times `2**outputScale`: less
///         is better. Tiers stand from the best to the worst; beyond the worst nothing is lent.
/// @param maxScore Greatest score that the tier is open to.
/// @param ltvBps Most debt that may be taken, as a share of the collateral's value.
/// @param thresholdBps Debt above this share of the collateral's value may be liquidated.
/// @param rateBps Nominal interest a year, compounded by the second; what anybody does or leaves does not change it.
struct Tier {
    int128 maxScore;
    uint16 ltvBps;
    uint16 thresholdBps;
    uint32 rateBps;
}

/// @notice What a line fixes for good besides its tiers.
/// @param outputScale Of the models whose scores the tiers are for.
/// @param maxScoreAge Seconds after the moment that a score speaks of in which it lends.
/// @param bonusBps What a liquidator gets above the value of what is repaid.
/// @param closeBps Most of a debt that one liquidation repays while collateral covers it.
/// @param minDebt Least debt that a loan may leave, in asset units.
/// @param depositCap Most that `totalAssets` may reach by deposits, in asset units.
struct LineTerms {
    uint8 outputScale;
    uint256 maxScoreAge;
    uint256 bonusBps;
    uint256 closeBps;
    uint256 minDebt;
    uint256 depositCap;
}

/// @notice What a line is made of.
/// @param asset Token that is lent.
/// @param collateral The one token that secures debt.
/// @param registry Says which model's scores count; a retired model's lend nothing new.
struct LineConfig {
    string name;
    string symbol;
    IERC20 asset;
    IERC20 collateral;
    IPriceOracle oracle;
    IModelRegistry registry;
    Tier[] tiers;
    LineTerms terms;
}

/// @notice A borrower's account. Tiers matter while there is debt.
/// @param collateral In units of the collateral token.
/// @param scaledDebt Share in the debt of `rateTier`.
/// @param rateTier Whose rate the debt pays.
/// @param thresholdTier Whose threshold the debt is held to.
struct Position {
    uint128 collateral;
    uint96 scaledDebt;
    uint8 rateTier;
    uint8 thresholdTier;
}

/// @notice The last score accepted of a borrower.
/// @param modelId Model that gave it; zero where there is none or a liquidation ended it.
/// @param value Smaller is better.
/// @param asOf Moment that it speaks of; no score of that moment or before is accepted any more.
/// @param tier Index of its tier; the number of tiers where it is beyond the worst.
struct Score {
    bytes32 modelId;
    int128 value;
    uint64 asOf;
    uint8 tier;
}

/// @title A pool that lends one asset against one collateral, on terms by a proven score
/// @notice Lenders hold ERC-4626 shares. Borrowers post collateral, have a score accepted, and borrow up to the loan-to-value
///         of its tier. Nobody can change a line's terms or pause an exit; the registry's owner changes models behind its
///         timelock, and by retiring one stops all new loans at once.
///
///         What a score does to a debt that exists: its *rate* follows every accepted score; its *threshold* is that of the
///         tier it was last lent at, and a score only ever raises it. So no score, and no lapse of one, makes anybody
///         liquidatable. Who borrows more does so on the terms of the present score, threshold included.
/// @dev Assumptions on safety: the oracle's prices are fair and fresh; both tokens move exactly what they are asked to and
///      have no hooks; the proof system is sound; the registry's owner installs no harmful model; who vouches for features (see
///      each mode) is honest. On liveness: somebody liquidates in time; lenders' exits wait for cash that borrowers bring back.
interface ICreditLine is IERC4626 {
    event CollateralAdded(address indexed borrower, uint256 amount);
    event CollateralRemoved(address indexed borrower, address indexed receiver, uint256 amount);
    event Borrowed(address indexed borrower, address indexed receiver, uint256 assets);
    event Repaid(address indexed borrower, address indexed payer, uint256 assets);
    event Liquidated(
        address indexed borrower, address indexed liquidator, uint256 repaid, uint256 seized, uint256 writtenOff
    );
    /// @notice An accepted score. `inputs` is what its proof was about: one commitment, or the features themselves.
    event ScoreAccepted(
        address indexed borrower, bytes32 indexed modelId, int256 score, uint256 tier, uint256 asOf, int256[] inputs
    );
    /// @notice A liquidation ended the borrower's score: only one of a later moment is accepted.
    event ScoreEnded(address indexed borrower, uint256 asOf);
    /// @notice A position as it is from now on, after anything that changes its debt or the terms of it.
    event PositionChanged(
        address indexed borrower, uint256 scaledDebt, uint256 rateTier, uint256 thresholdTier, uint256 collateral
    );

    error TiersEmptyOrTooMany(uint256 got, uint256 most);
    /// @notice Tiers rise in score, and a worse one gives no better terms.
    error TierOutOfOrder(uint256 tier);
    /// @notice `ltv < threshold` and `threshold * (1 + bonus) <= 1`.
    error TierUnsafe(uint256 ltvBps, uint256 thresholdBps, uint256 bonusBps);
    error RateTooHigh(uint256 rateBps, uint256 most);
    error TermsInvalid(LineTerms terms);
    error CollateralIsAsset(address token);
    error AmountZero();
    /// @notice A token moved another amount than it was asked to.
    error TransferInexact(address token, uint256 got, uint256 expected);
    error PriceUnavailable(address token);
    error NoActiveModel();
    error OutputScaleMismatch(uint256 got, uint256 expected);
    error ScoreOutOfRange(int256 score, uint256 bound);
    /// @notice A score speaks of a moment to come.
    error ScoreFromFuture(uint256 asOf, uint256 timestamp);
    /// @notice A score's moment is more than `maxScoreAge` seconds ago: it is not accepted, and lends nothing new.
    error ScoreStale(uint256 asOf, uint256 timestamp);
    /// @notice A score of that moment or a later one was accepted already, or a liquidation came after.
    error ScoreNotFresher(uint256 asOf, uint256 last);
    /// @notice The borrower's score is still good.
    error ScoreNotLapsed(uint256 lapsesAfter, uint256 timestamp);
    /// @notice The borrower has no score of the active model.
    error ScoreMissing(bytes32 modelId, bytes32 activeModel);
    /// @notice The borrower's score is beyond the worst tier.
    error ScoreTooRisky(int256 score, int256 worst);
    error DebtTooHigh(uint256 debtValue, uint256 limit);
    error DebtTooSmall(uint256 debt, uint256 least);
    error CashShort(uint256 assets, uint256 cash);
    error CollateralShort(uint256 amount, uint256 collateral);
    error NoDebt(address borrower);
    /// @notice The debt is within what the collateral secures.
    error PositionHealthy(uint256 debtValue, uint256 limit);

    /// @notice Takes collateral from the caller for the caller's own position.
    function addCollateral(uint256 amount) external;

    /// @notice Returns collateral of the caller's position. While there is debt this is a loan like any other: it needs a good
    ///         score, and the debt stays within its loan-to-value. Without debt it needs no score, model or price.
    function removeCollateral(uint256 amount, address receiver) external;

    /// @notice Lends to the caller. All of the debt is on the terms of the caller's present score from now on.
    function borrow(uint256 assets, address receiver) external;

    /// @notice Repays a borrower's debt with the caller's money, at most all of it; needs no score, model or price.
    function repay(address borrower, uint256 assets) external returns (uint256 paid);

    /// @notice Repays part of a debt that collateral no longer secures, for collateral worth that and the bonus. At most
    ///         `closeBps` of the debt; all of it where collateral does not cover debt and bonus, or up to `minDebt`. Where the
    ///         collateral is used up, what is left of the debt is the lenders' loss. It ends the borrower's score.
    function liquidate(address borrower, uint256 maxRepay) external returns (uint256 repaid, uint256 seized);

    /// @notice Moves the debt of a borrower whose score has lapsed, or was ended, to the worst tier's rate. Anyone may call.
    function lapse(address borrower) external;

    /// @notice Debt with interest up to now, rounded up.
    function debtOf(address borrower) external view returns (uint256);
    /// @notice Debts of all borrowers with interest up to now, rounded down.
    function totalDebt() external view returns (uint256);
    function positionOf(address borrower) external view returns (Position memory);
    function scoreOf(address borrower) external view returns (Score memory);
    /// @notice The tier that a score opens; `tierCount()` for one beyond the worst.
    function tierOf(int256 score) external view returns (uint256);
    function tierAt(uint256 index) external view returns (Tier memory);
    function tierCount() external view returns (uint256);
    /// @notice Growth of a debt in a tier since the line was made, up to now; 27 decimals.
    function indexOf(uint256 tier) external view returns (uint256);
    function terms() external view returns (LineTerms memory);
    function collateral() external view returns (address);
    function oracle() external view returns (address);
    function registry() external view returns (address);
}
