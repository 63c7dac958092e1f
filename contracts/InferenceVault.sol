// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees, IInferenceVault, Policy, Reason, Safeguards} from "./interfaces/IInferenceVault.sol";
import {IModelRegistry, Terms} from "./interfaces/IModelRegistry.sol";
import {IProofGate, Statement} from "./interfaces/IProofGate.sol";
import {IVenue} from "./interfaces/IVenue.sol";
import {Instances} from "./libraries/Instances.sol";
import {Holdings, TradeMath, TradePlan} from "./libraries/TradeMath.sol";
import {VaultEntries} from "./VaultEntries.sol";
import {VaultFees} from "./VaultFees.sol";
import {VaultPricing} from "./VaultPricing.sol";
import {VaultSafeguards} from "./VaultSafeguards.sol";

/// @notice Everything that a vault fixes for good when it is made.
/// @param depositCap Most that `totalAssets` may reach by deposits, in asset units.
struct VaultConfig {
    string name;
    string symbol;
    IVenue venue;
    IModelRegistry registry;
    uint256 period;
    uint256 maxAge;
    uint256 depositCap;
    Policy policy;
    Safeguards safeguards;
    Fees fees;
}

/// @title The vault: it holds an asset and one risk token, and moves between them by accepted proofs only
contract InferenceVault is VaultEntries, ERC20Permit {
    /// @inheritdoc IInferenceVault
    uint256 public immutable maxAge;

    error MaxAgeInvalid(uint256 period, uint256 maxAge);

    constructor(VaultConfig memory config)
        ERC20(config.name, config.symbol)
        ERC20Permit(config.name)
        VaultPricing(config.venue, config.policy, config.depositCap)
        VaultSafeguards(config.registry, config.period, config.safeguards)
        VaultFees(config.fees)
    {
        require(config.maxAge != 0 && config.maxAge <= config.period, MaxAgeInvalid(config.period, config.maxAge));
        maxAge = config.maxAge;
    }

    /// @inheritdoc IInferenceVault
    function rebalance(
        uint256 epoch,
        address beneficiary,
        int256[] calldata outputs,
        bytes calldata proof,
        bytes calldata hints
    ) external nonReentrant returns (Reason) {
        _checkEpoch(epoch);
        require(beneficiary != address(0), BeneficiaryZero());
        Statement memory statement;
        statement.vault = address(this);
        Terms memory terms;
        (statement.modelId, terms) = _registry.activeTerms();
        statement.epoch = epoch;
        statement.beneficiary = beneficiary;
        statement.outputs = outputs;
        require(statement.modelId != 0, NoActiveModel());
        _checkOutputs(outputs, terms.outputBound);
        (uint256 leftWad, uint256 elapsed) = _beginEpoch(epoch);
        statement.inputs = terms.source.read(epoch * period, hints);
        _requireAccepted(terms.gate, statement, proof);
        return _trade(statement, Instances.weightWad(outputs[0], terms.outputScale), leftWad, elapsed);
    }

    function _requireAccepted(IProofGate gate, Statement memory s, bytes calldata proof) private {
        bytes4 answer = gate.accept(s, proof);
        require(answer == IProofGate.accept.selector, IProofGate.StatementRefused(s.modelId, s.epoch));
    }

    function _checkEpoch(uint256 epoch) private view {
        uint256 latest = latestClosedEpoch();
        require(epoch == latest, EpochNotLatest(epoch, latest));
        require(epoch > lastEpoch(), EpochUsed(epoch));
        uint256 age = block.timestamp - epoch * period;
        require(age <= maxAge, EpochTooOld(age, maxAge));
    }

    function _checkOutputs(int256[] calldata outputs, uint256 bound) private pure {
        require(outputs.length == 1, OutputsLength(outputs.length, 1));
        int256 output = outputs[0];
        require(output >= -int256(bound) && output <= int256(bound), OutputOutOfRange(output, bound));
    }

    /// @dev The mean price must be live here: no trade is made against a remembered one. Fees are settled at the value before
    ///      the trade.
    function _trade(Statement memory s, int256 weightWad, uint256 leftWad, uint256 elapsed) private returns (Reason) {
        Holdings memory h = Holdings(_idle(), _riskBalance(), _venue.twapX128(), _venue.spotX128());
        uint256 nav = h.idle + TradeMath.riskValueDown(h.risk, h.twapX128);
        lastTwapX128 = h.twapX128;
        _payPerformance(s.epoch, nav);
        TradePlan memory p = _limitedPlan(h, nav, weightWad, leftWad);
        emit Rebalanced(
            s.epoch,
            s.modelId,
            s.beneficiary,
            Instances.statementHash(s),
            s.inputs,
            s.outputs,
            p.weightBeforeWad,
            p.weightTargetWad,
            h.twapX128,
            h.spotX128,
            p.reason
        );
        if (p.reason == Reason.Traded) {
            _countTurnover(p.riskIn ? TradeMath.riskValueDown(p.amountIn, h.twapX128) : p.amountIn, nav);
            uint256 amountOut = _swap(p.riskIn, p.amountIn, p.minOut, p.riskIn ? h.idle : h.risk);
            emit Swapped(s.epoch, p.riskIn, p.amountIn, amountOut, p.minOut);
        }
        _payReward(s.epoch, s.beneficiary, nav, elapsed);
        return p.reason;
    }

    /// @dev The plan within what turnover and drawdown leave.
    function _limitedPlan(Holdings memory h, uint256 nav, int256 weightWad, uint256 leftWad)
        private
        returns (TradePlan memory p)
    {
        Policy memory limits = policy();
        bool halted = _checkDrawdown(nav);
        limits.maxNotional = Math.min(limits.maxNotional, Math.mulDiv(leftWad, nav, TradeMath.WAD));
        p = TradeMath.plan(h, weightWad, _feePips, limits);
        if (halted) {
            p.reason = Reason.Stopped;
        } else if (p.reason == Reason.Dust && leftWad == 0) {
            p.reason = Reason.Turnover;
        }
    }

    /// @inheritdoc IERC20Metadata
    function decimals() public view override(ERC20, ERC4626, IERC20Metadata) returns (uint8) {
        return super.decimals();
    }
}
