// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ICreditLine, LineConfig, Position, Score} from "../interfaces/ICreditLine.sol";
import {IModelRegistry, Terms} from "../interfaces/IModelRegistry.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {IProofGate, Statement} from "../interfaces/IProofGate.sol";
import {CreditBook} from "./CreditBook.sol";

/// @title The borrowers' side of a credit line: scores, collateral, loans, liquidations
/// @notice How a score's inputs come about is each mode's own: `PrivateCreditLine`, `PublicCreditLine`.
abstract contract CreditLine is CreditBook {
    using SafeERC20 for IERC20;

    enum Happening {
        Supply,
        Withdraw,
        Borrow,
        Repay,
        Liquidation
    }

    IERC20 private immutable _collateral;
    IPriceOracle internal immutable _oracle;
    IModelRegistry internal immutable _registry;
    uint256 internal immutable _assetUnit;
    uint256 private immutable _collateralUnit;
    mapping(address borrower => Position) internal _positions;
    mapping(address borrower => Score) internal _scores;

    constructor(LineConfig memory config)
        ERC20(config.name, config.symbol)
        CreditBook(config.asset, config.tiers, config.terms)
    {
        require(config.asset != config.collateral, CollateralIsAsset(address(config.asset)));
        _collateral = config.collateral;
        _oracle = config.oracle;
        _registry = config.registry;
        _assetUnit = 10 ** IERC20Metadata(address(config.asset)).decimals();
        _collateralUnit = 10 ** IERC20Metadata(address(config.collateral)).decimals();
    }

    /// @inheritdoc ICreditLine
    function addCollateral(uint256 amount) external nonReentrant {
        require(amount != 0, AmountZero());
        _pull(_collateral, msg.sender, amount);
        Position storage p = _positions[msg.sender];
        p.collateral = SafeCast.toUint128(p.collateral + amount);
        emit CollateralAdded(msg.sender, amount);
        _settle(Happening.Supply, msg.sender, amount);
    }

    /// @inheritdoc ICreditLine
    function removeCollateral(uint256 amount, address receiver) external nonReentrant {
        require(amount != 0, AmountZero());
        Position storage p = _positions[msg.sender];
        require(amount <= p.collateral, CollateralShort(amount, p.collateral));
        p.collateral -= uint128(amount);
        if (p.scaledDebt != 0) _lend(msg.sender, 0);
        emit CollateralRemoved(msg.sender, receiver, amount);
        _settle(Happening.Withdraw, msg.sender, amount);
        _collateral.safeTransfer(receiver, amount);
    }

    /// @inheritdoc ICreditLine
    function borrow(uint256 assets, address receiver) external nonReentrant {
        require(assets != 0, AmountZero());
        uint256 cash = _cash();
        require(assets <= cash, CashShort(assets, cash));
        _lend(msg.sender, assets);
        emit Borrowed(msg.sender, receiver, assets);
        _settle(Happening.Borrow, msg.sender, assets);
        IERC20(asset()).safeTransfer(receiver, assets);
    }

    /// @inheritdoc ICreditLine
    function repay(address borrower, uint256 assets) external nonReentrant returns (uint256 paid) {
        require(assets != 0, AmountZero());
        Position storage p = _positions[borrower];
        uint256 debt = _debtUp(p);
        require(debt != 0, NoDebt(borrower));
        paid = Math.min(assets, debt);
        _pull(IERC20(asset()), msg.sender, paid);
        _setDebt(p, debt - paid, p.rateTier);
        emit Repaid(borrower, msg.sender, paid);
        _settle(Happening.Repay, borrower, paid);
    }

    /// @inheritdoc ICreditLine
    function liquidate(address borrower, uint256 maxRepay)
        external
        nonReentrant
        returns (uint256 repaid, uint256 seized)
    {
        require(maxRepay != 0, AmountZero());
        Position storage p = _positions[borrower];
        uint256 debt = _debtUp(p);
        require(debt != 0, NoDebt(borrower));
        (repaid, seized) = _quote(p, debt, maxRepay);
        _pull(IERC20(asset()), msg.sender, repaid);
        p.collateral -= uint128(seized);
        uint256 left = debt - repaid;
        uint256 writtenOff = p.collateral == 0 ? left : 0;
        _setDebt(p, left - writtenOff, p.rateTier);
        _endScore(borrower);
        emit Liquidated(borrower, msg.sender, repaid, seized, writtenOff);
        _settle(Happening.Liquidation, borrower, repaid);
        _collateral.safeTransfer(msg.sender, seized);
    }

    /// @dev What may be repaid now, at most `maxRepay`, and the collateral for it. Where the collateral is worth less than that
    ///      and the bonus, all of it goes, for what it is worth without the bonus, rounded up.
    function _quote(Position storage p, uint256 debt, uint256 maxRepay)
        private
        view
        returns (uint256 repaid, uint256 seized)
    {
        uint256 price = _price(asset());
        uint256 collateralPrice = _price(address(_collateral));
        uint256 value = Math.mulDiv(debt, price, _assetUnit, Math.Rounding.Ceil);
        uint256 held = Math.mulDiv(p.collateral, collateralPrice, _collateralUnit);
        uint256 limit = Math.mulDiv(held, tierAt(p.thresholdTier).thresholdBps, BPS);
        require(value > limit, PositionHealthy(value, limit));
        bool covered = value <= Math.mulDiv(held, BPS, BPS + _bonusBps);
        uint256 most = covered && debt > _minDebt ? Math.mulDiv(debt, _closeBps, BPS, Math.Rounding.Ceil) : debt;
        repaid = Math.min(maxRepay, most);
        uint256 owed = Math.mulDiv(Math.mulDiv(repaid, price, _assetUnit), BPS + _bonusBps, BPS);
        seized = Math.mulDiv(owed, _collateralUnit, collateralPrice);
        if (seized < p.collateral) return (repaid, seized);
        seized = p.collateral;
        uint256 worth = Math.mulDiv(
            Math.mulDiv(seized, collateralPrice, _collateralUnit, Math.Rounding.Ceil), BPS, BPS + _bonusBps,
            Math.Rounding.Ceil
        );
        repaid = Math.min(repaid, Math.mulDiv(worth, _assetUnit, price, Math.Rounding.Ceil));
    }

    /// @inheritdoc ICreditLine
    function lapse(address borrower) external nonReentrant {
        Position storage p = _positions[borrower];
        uint256 debt = _debtUp(p);
        require(debt != 0, NoDebt(borrower));
        Score storage s = _scores[borrower];
        uint256 end = s.asOf + _maxScoreAge;
        require(s.modelId == 0 || block.timestamp > end, ScoreNotLapsed(end, block.timestamp));
        _moveRate(borrower, tierCount() - 1);
    }

    /// @dev Accepts a score of the active model, once its gate believes that these inputs give it. A fresher score replaces an
    ///      older one whichever is better: otherwise a borrower could show a good moment and keep a bad one to himself.
    function _acceptScore(address borrower, int256 score, uint256 asOf, int256[] memory inputs, bytes calldata proof)
        internal
    {
        (bytes32 modelId, Terms memory model) = _activeModel();
        _checkScore(borrower, score, asOf, model.outputBound);
        uint256 tier = tierOf(score);
        _scores[borrower] = Score(modelId, int128(score), uint64(asOf), uint8(tier));
        emit ScoreAccepted(borrower, modelId, score, tier, asOf, inputs);
        Statement memory statement;
        statement.vault = address(this);
        statement.modelId = modelId;
        statement.epoch = asOf;
        statement.beneficiary = borrower;
        statement.inputs = inputs;
        statement.outputs = new int256[](1);
        statement.outputs[0] = score;
        bytes4 answer = model.gate.accept(statement, proof);
        require(answer == IProofGate.accept.selector, IProofGate.StatementRefused(modelId, asOf));
        Position storage p = _positions[borrower];
        if (p.scaledDebt == 0) return;
        if (tier < p.thresholdTier) p.thresholdTier = uint8(tier);
        _moveRate(borrower, Math.min(tier, tierCount() - 1));
    }

    /// @dev The registry's bound, at most 2**95, keeps a score within `int128`.
    function _checkScore(address borrower, int256 score, uint256 asOf, uint256 bound) private view {
        require(score >= -int256(bound) && score <= int256(bound), ScoreOutOfRange(score, bound));
        require(asOf <= block.timestamp, ScoreFromFuture(asOf, block.timestamp));
        require(block.timestamp - asOf <= _maxScoreAge, ScoreStale(asOf, block.timestamp));
        uint256 last = _scores[borrower].asOf;
        require(asOf > last, ScoreNotFresher(asOf, last));
    }

    function _activeModel() internal view returns (bytes32 modelId, Terms memory model) {
        (modelId, model) = _registry.activeTerms();
        require(modelId != 0, NoActiveModel());
        require(model.outputScale == _outputScale, OutputScaleMismatch(model.outputScale, _outputScale));
    }

    function _endScore(address borrower) internal {
        Score storage s = _scores[borrower];
        s.modelId = 0;
        s.asOf = uint64(block.timestamp);
        emit ScoreEnded(borrower, block.timestamp);
    }

    /// @dev A debt that stays in its tier is left alone: another rounding would only make it grow.
    function _moveRate(address borrower, uint256 tier) private {
        Position storage p = _positions[borrower];
        if (p.rateTier != tier) _setDebt(p, _debtUp(p), tier);
        _emitPosition(borrower, p);
    }

    /// @dev Puts the whole debt and `assets` more on the terms of the borrower's present score. Its rate they have already.
    function _lend(address borrower, uint256 assets) private {
        uint256 tier = _lendingTier(borrower);
        Position storage p = _positions[borrower];
        if (assets != 0) _setDebt(p, _debtUp(p) + assets, tier);
        p.thresholdTier = uint8(tier);
        uint256 debt = _debtUp(p);
        require(debt >= _minDebt, DebtTooSmall(debt, _minDebt));
        (uint256 value, uint256 held) = _values(borrower, debt);
        uint256 limit = Math.mulDiv(held, tierAt(tier).ltvBps, BPS);
        require(value <= limit, DebtTooHigh(value, limit));
    }

    function _lendingTier(address borrower) private view returns (uint256 tier) {
        Score storage s = _scores[borrower];
        bytes32 active = _registry.activeModel();
        require(s.modelId != 0 && s.modelId == active, ScoreMissing(s.modelId, active));
        require(block.timestamp - s.asOf <= _maxScoreAge, ScoreStale(s.asOf, block.timestamp));
        tier = s.tier;
        uint256 last = tierCount() - 1;
        require(tier <= last, ScoreTooRisky(s.value, tierAt(last).maxScore));
    }

    function _settle(Happening what, address borrower, uint256 amount) private {
        _emitPosition(borrower, _positions[borrower]);
        _remember(what, borrower, amount);
    }

    /// @dev For a mode that keeps histories; the position is as after what happened.
    function _remember(Happening what, address borrower, uint256 amount) internal virtual {}

    function _emitPosition(address borrower, Position storage p) private {
        emit PositionChanged(borrower, p.scaledDebt, p.rateTier, p.thresholdTier, p.collateral);
    }

    /// @dev A debt and the borrower's collateral in the base currency, debt rounded up and collateral down.
    function _values(address borrower, uint256 debt) internal view returns (uint256 debtValue, uint256 held) {
        debtValue = Math.mulDiv(debt, _price(asset()), _assetUnit, Math.Rounding.Ceil);
        held = Math.mulDiv(_positions[borrower].collateral, _price(address(_collateral)), _collateralUnit);
    }

    function _price(address token) internal view returns (uint256 price) {
        price = _oracle.getAssetPrice(token);
        require(price != 0, PriceUnavailable(token));
    }

    /// @inheritdoc ICreditLine
    function debtOf(address borrower) public view returns (uint256) {
        return _debtUp(_positions[borrower]);
    }

    /// @inheritdoc ICreditLine
    function positionOf(address borrower) external view returns (Position memory) {
        return _positions[borrower];
    }

    /// @inheritdoc ICreditLine
    function scoreOf(address borrower) external view returns (Score memory) {
        return _scores[borrower];
    }

    /// @inheritdoc ICreditLine
    function collateral() external view returns (address) {
        return address(_collateral);
    }

    /// @inheritdoc ICreditLine
    function oracle() external view returns (address) {
        return address(_oracle);
    }

    /// @inheritdoc ICreditLine
    function registry() external view returns (address) {
        return address(_registry);
    }
}
