// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {LineConfig} from "../interfaces/ICreditLine.sol";
import {BlockHeader, IInputAnchor, LogProof, ProvenLog} from "../interfaces/IInputAnchor.sol";
import {IModelRegistry, Terms} from "../interfaces/IModelRegistry.sol";
import {History, IPublicCreditLine} from "../interfaces/IPublicCreditLine.sol";
import {CreditFeatures, Present} from "./CreditFeatures.sol";
import {CreditLine} from "./CreditLine.sol";

/// @title A credit line whose scores are of what it counted itself
contract PublicCreditLine is CreditLine, IPublicCreditLine {
    using SafeCast for uint256;

    struct Codes {
        uint64 takenAt;
        bytes24 codes;
    }

    uint256 public constant SNAPSHOT_SECONDS = 10 minutes;
    bytes32 public constant LIQUIDATION_CALL =
        keccak256("LiquidationCall(address,address,address,uint256,uint256,address,bool)");
    bytes32 private constant SPEC_HASH =
        keccak256(abi.encode(CreditFeatures.DEFINITION, CreditFeatures.COUNT, CreditFeatures.MAX_CODE));

    IInputAnchor private immutable _anchor;
    uint256 private immutable _dollar;
    /// @inheritdoc IPublicCreditLine
    address public immutable aavePool;
    mapping(address borrower => History) private _histories;
    mapping(address borrower => Codes) private _snapshots;
    mapping(bytes32 id => bool) private _counted;

    constructor(LineConfig memory config, IInputAnchor anchor_, address aavePool_) CreditLine(config) {
        _anchor = anchor_;
        aavePool = aavePool_;
        _dollar = config.oracle.BASE_CURRENCY_UNIT();
    }

    /// @inheritdoc IPublicCreditLine
    function takeSnapshot(address borrower) external nonReentrant returns (bytes32 codes) {
        Codes storage s = _snapshots[borrower];
        require(block.timestamp >= s.takenAt + SNAPSHOT_SECONDS, SnapshotTooSoon(s.takenAt, block.timestamp));
        uint256 last = _histories[borrower].lastEvent;
        require(block.timestamp > last, SnapshotUnsettled(last));
        codes = featuresOf(borrower);
        _snapshots[borrower] = Codes(uint64(block.timestamp), bytes24(codes));
        emit Snapshot(borrower, block.timestamp, codes);
    }

    /// @inheritdoc IPublicCreditLine
    function proveScore(address borrower, int256 score, bytes calldata proof) external nonReentrant {
        Codes memory s = _snapshots[borrower];
        require(s.takenAt != 0, SnapshotMissing(borrower));
        (, Terms memory model) = _activeModel();
        bytes32 spec = model.source.specHash();
        require(spec == SPEC_HASH, IModelRegistry.SourceSpecMismatch(address(model.source), spec, SPEC_HASH));
        int256[] memory inputs = new int256[](CreditFeatures.COUNT);
        for (uint256 i = 0; i < inputs.length; i++) inputs[i] = int256(uint256(uint8(s.codes[i])));
        _acceptScore(borrower, score, s.takenAt, inputs, proof);
    }

    /// @inheritdoc IPublicCreditLine
    function reportLiquidation(LogProof calldata proof) external nonReentrant returns (address borrower) {
        (BlockHeader memory header, ProvenLog memory log) = _anchor.verifyLog(proof);
        bool named = log.emitter == aavePool && log.topics.length == 4 && log.topics[0] == LIQUIDATION_CALL;
        require(named, NotALiquidation(log.emitter, log.topics.length == 0 ? bytes32(0) : log.topics[0]));
        bytes32 id = keccak256(abi.encode(header.number, proof.transactionIndex, proof.logIndex));
        require(!_counted[id], LogCounted(id));
        _counted[id] = true;
        borrower = address(uint160(uint256(log.topics[3])));
        address debtAsset = address(uint160(uint256(log.topics[2])));
        (uint256 covered,,,) = abi.decode(log.data, (uint256, uint256, address, bool));
        uint256 unit = 10 ** IERC20Metadata(debtAsset).decimals();
        uint256 value = Math.mulDiv(covered, _oracle.getAssetPrice(debtAsset), unit);
        History storage h = _histories[borrower];
        h.liquidationCount++;
        h.liquidated = (h.liquidated + value).toUint128();
        emit LiquidationReported(borrower, id, debtAsset, value);
        _endScore(borrower);
    }

    /// @dev A dollar of debt is a unit of the asset here: repaying must not wait for an oracle.
    function _remember(Happening what, address borrower, uint256 amount) internal override {
        History storage h = _histories[borrower];
        uint256 dollars = _dollars(amount);
        h.debtSeconds += h.lastDebt * (block.timestamp - h.lastEvent);
        if (h.firstEvent == 0) h.firstEvent = uint64(block.timestamp);
        if (block.timestamp / 1 days != h.lastEvent / 1 days) h.activeDays++;
        h.lastEvent = uint64(block.timestamp);
        if (what == Happening.Supply) {
            h.supplyCount++;
        } else if (what == Happening.Withdraw) {
            h.withdrawCount++;
        } else if (what == Happening.Borrow) {
            h.borrowCount++;
            h.borrowed = (h.borrowed + dollars).toUint128();
        } else if (what == Happening.Repay) {
            h.repayCount++;
            h.repaid = (h.repaid + dollars).toUint128();
            h.lastRepay = uint64(block.timestamp);
        } else {
            h.liquidationCount++;
            h.liquidated = (h.liquidated + dollars).toUint128();
        }
        uint256 debt = _dollars(debtOf(borrower));
        if (debt <= _dollar) debt = 0;
        if (debt != 0 && h.lastDebt == 0) h.spellBegin = uint64(block.timestamp);
        h.lastDebt = debt.toUint128();
    }

    function _dollars(uint256 assets) private view returns (uint256) {
        return Math.mulDiv(assets, _dollar, _assetUnit);
    }

    /// @inheritdoc IPublicCreditLine
    function featuresOf(address borrower) public view returns (bytes32 codes) {
        uint256 debt = debtOf(borrower);
        Present memory p;
        p.timestamp = block.timestamp;
        p.unit = _dollar;
        p.debt = _dollars(debt);
        (p.debtValue, p.collateralValue) = _values(borrower, debt);
        p.limitValue = Math.mulDiv(p.collateralValue, tierAt(tierCount() - 1).thresholdBps, BPS);
        return CreditFeatures.encode(_histories[borrower], p);
    }

    /// @inheritdoc IPublicCreditLine
    function featureDefinition() external pure returns (string memory) {
        return CreditFeatures.DEFINITION;
    }

    /// @inheritdoc IPublicCreditLine
    function historyOf(address borrower) external view returns (History memory) {
        return _histories[borrower];
    }

    /// @inheritdoc IPublicCreditLine
    function snapshotOf(address borrower) external view returns (uint256 takenAt, bytes32 codes) {
        Codes memory s = _snapshots[borrower];
        return (s.takenAt, s.codes);
    }

    /// @inheritdoc IPublicCreditLine
    function anchor() external view returns (address) {
        return address(_anchor);
    }
}
