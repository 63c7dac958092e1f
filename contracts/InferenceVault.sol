// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20, IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {IInferenceVault, Policy, Reason} from "./interfaces/IInferenceVault.sol";
import {IModelRegistry, Model} from "./interfaces/IModelRegistry.sol";
import {IProofGate, Statement} from "./interfaces/IProofGate.sol";
import {IVenue} from "./interfaces/IVenue.sol";
import {Instances} from "./libraries/Instances.sol";
import {Holdings, TradeMath, TradePlan} from "./libraries/TradeMath.sol";
import {VaultPricing} from "./VaultPricing.sol";

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
}

/// @title The vault: it holds an asset and one risk token, and moves between them by accepted proofs only
contract InferenceVault is VaultPricing, ReentrancyGuard {
    using SafeERC20 for IERC20;

    IModelRegistry private immutable _registry;
    /// @inheritdoc IInferenceVault
    uint256 public immutable period;
    /// @inheritdoc IInferenceVault
    uint256 public immutable maxAge;
    /// @inheritdoc IInferenceVault
    uint256 public lastEpoch;

    error PeriodInvalid(uint256 period, uint256 maxAge);

    constructor(VaultConfig memory config)
        ERC20(config.name, config.symbol)
        VaultPricing(config.venue, config.policy, config.depositCap)
    {
        require(
            config.period != 0 && config.maxAge != 0 && config.maxAge <= config.period,
            PeriodInvalid(config.period, config.maxAge)
        );
        _registry = config.registry;
        period = config.period;
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
        statement.modelId = _registry.activeModel();
        statement.epoch = epoch;
        statement.beneficiary = beneficiary;
        statement.outputs = outputs;
        require(statement.modelId != 0, NoActiveModel());
        Model memory model = _registry.modelOf(statement.modelId);
        _checkOutputs(outputs, model.outputBound);
        lastEpoch = epoch;
        statement.inputs = _readInputs(model, epoch, hints);
        _requireAccepted(model, statement, proof);
        return _trade(statement, Instances.weightWad(outputs[0], model.outputScale));
    }

    function _readInputs(Model memory model, uint256 epoch, bytes calldata hints)
        private
        view
        returns (int256[] memory)
    {
        return model.source.read(epoch * period, hints);
    }

    function _requireAccepted(Model memory model, Statement memory s, bytes calldata proof) private {
        bytes4 answer = model.gate.accept(s, proof);
        require(answer == IProofGate.accept.selector, IProofGate.StatementRefused(s.modelId, s.epoch));
    }

    function _checkEpoch(uint256 epoch) private view {
        uint256 latest = latestClosedEpoch();
        require(epoch == latest, EpochNotLatest(epoch, latest));
        require(epoch > lastEpoch, EpochUsed(epoch));
        uint256 age = block.timestamp - epoch * period;
        require(age <= maxAge, EpochTooOld(age, maxAge));
    }

    function _checkOutputs(int256[] calldata outputs, uint256 bound) private pure {
        require(outputs.length == 1, OutputsLength(outputs.length, 1));
        int256 output = outputs[0];
        require(output >= -int256(bound) && output <= int256(bound), OutputOutOfRange(output, bound));
    }

    /// @dev The mean price must be live here: no trade is made against a remembered one.
    function _trade(Statement memory s, int256 weightWad) private returns (Reason) {
        Holdings memory h = Holdings(_idle(), _riskBalance(), _venue.twapX128(), _venue.spotX128());
        TradePlan memory p = TradeMath.plan(h, weightWad, _feePips, _policy);
        lastTwapX128 = h.twapX128;
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
            uint256 amountOut = _swap(p.riskIn, p.amountIn, p.minOut);
            emit Swapped(s.epoch, p.riskIn, p.amountIn, amountOut, p.minOut);
        }
        return p.reason;
    }

    /// @inheritdoc IERC4626
    function deposit(uint256 assets, address receiver)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256)
    {
        return super.deposit(assets, receiver);
    }

    /// @inheritdoc IERC4626
    function mint(uint256 shares, address receiver) public override(ERC4626, IERC4626) nonReentrant returns (uint256) {
        return super.mint(shares, receiver);
    }

    /// @inheritdoc IERC4626
    /// @dev Burns `previewWithdraw(assets)`; what the sale of that slice brings above `assets` goes to the receiver's
    ///      fellow holders, so `redeem` is the better exit.
    function withdraw(uint256 assets, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 shares)
    {
        uint256 most = maxWithdraw(owner);
        require(assets <= most, ERC4626ExceededMaxWithdraw(owner, assets, most));
        shares = previewWithdraw(assets);
        _sellSlice(shares, owner);
        IERC20(asset()).safeTransfer(receiver, assets);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
    }

    /// @inheritdoc IERC4626
    /// @dev Pays what the strictly pro-rata sale brings, at least `previewRedeem(shares)`.
    function redeem(uint256 shares, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 assets)
    {
        uint256 most = maxRedeem(owner);
        require(shares <= most, ERC4626ExceededMaxRedeem(owner, shares, most));
        assets = _sellSlice(shares, owner);
        IERC20(asset()).safeTransfer(receiver, assets);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
    }

    /// @inheritdoc IInferenceVault
    /// @dev A token that refuses the transfer is owed instead, so that it does not hold the other; see `claim`.
    function redeemInKind(uint256 shares, address receiver, address owner)
        external
        nonReentrant
        returns (uint256 assetAmount, uint256 riskAmount)
    {
        (assetAmount, riskAmount) = _sliceDown(shares);
        if (msg.sender != owner) _spendAllowance(owner, msg.sender, shares);
        _burn(owner, shares);
        _payOrOwe(asset(), receiver, assetAmount);
        _payOrOwe(risk(), receiver, riskAmount);
        emit RedeemedInKind(msg.sender, receiver, owner, shares, assetAmount, riskAmount);
    }

    /// @inheritdoc IInferenceVault
    function claim(address token, address account) external nonReentrant returns (uint256 amount) {
        amount = owed[token][account];
        delete owed[token][account];
        totalOwed[token] -= amount;
        IERC20(token).safeTransfer(account, amount);
        emit Claimed(token, account, amount);
    }

    function _payOrOwe(address token, address receiver, uint256 amount) private {
        if (amount == 0 || IERC20(token).trySafeTransfer(receiver, amount)) return;
        owed[token][receiver] += amount;
        totalOwed[token] += amount;
        emit Owed(token, receiver, amount);
    }

    /// @dev Burns `shares` and returns the asset that their slice is worth once its risk token is sold.
    function _sellSlice(uint256 shares, address owner) private returns (uint256 assets) {
        uint256 riskAmount;
        (assets, riskAmount) = _sliceDown(shares);
        uint256 least = _saleFloorDown(riskAmount, _exitPriceX128());
        if (msg.sender != owner) _spendAllowance(owner, msg.sender, shares);
        _burn(owner, shares);
        if (riskAmount != 0) assets += _swap(true, riskAmount, least);
    }

    /// @dev The allowance is exactly what the venue must take, so none is left.
    function _swap(bool riskIn, uint256 amountIn, uint256 minOut) private returns (uint256) {
        IERC20(riskIn ? risk() : asset()).forceApprove(address(_venue), amountIn);
        return _venue.swap(riskIn, amountIn, minOut);
    }

    /// @inheritdoc IInferenceVault
    function latestClosedEpoch() public view returns (uint256) {
        return block.timestamp / period;
    }

    /// @inheritdoc IInferenceVault
    function registry() external view returns (address) {
        return address(_registry);
    }
}
