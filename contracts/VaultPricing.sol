// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20, IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IERC5143} from "./interfaces/IERC5143.sol";
import {IInferenceVault, Policy} from "./interfaces/IInferenceVault.sol";
import {IVenue} from "./interfaces/IVenue.sol";
import {TradeMath} from "./libraries/TradeMath.sol";
import {VaultPrices} from "./VaultPrices.sol";

/// @title What shares are worth: on entry, on exit, and in views
/// @notice Each direction is priced against whoever could move the price: an entry at the highest of mean, spot, and what spot
///         was before this block's trades, plus fee and slippage on the risk it is given; an exit is promised the lower of spot and mean
///         less fee and slippage; views use the mean.
/// @dev `totalAssets`, `convertTo*` and `max*` never revert between calls: where the mean cannot be read, the last one used
///      by a trade stands in, and nothing can enter. Within a call of the vault, where shares may be burned and not yet paid,
///      every view of value reverts, so that a token or pool that calls back shows nobody a price that never was.
abstract contract VaultPricing is IInferenceVault, IERC5143, VaultPrices, ERC4626, ReentrancyGuardTransient {
    using Math for uint256;

    uint256 public constant MAX_SLIPPAGE_PIPS = 100_000;
    uint256 private constant WAD = TradeMath.WAD;
    uint256 private constant PIPS = TradeMath.PIPS;

    address private immutable _risk;
    uint256 internal immutable _feePips;
    /// @inheritdoc IInferenceVault
    uint256 public immutable depositCap;
    // The policy, word by word: a struct cannot be immutable, and in storage it would cost seven reads a trade.
    uint256 private immutable _minWeightWad;
    uint256 private immutable _maxWeightWad;
    uint256 private immutable _deadbandWad;
    uint256 private immutable _maxStepWad;
    uint256 private immutable _maxNotional;
    uint256 private immutable _slippagePips;
    uint256 private immutable _deviationPips;
    /// @inheritdoc IInferenceVault
    mapping(address token => mapping(address account => uint256)) public owed;
    /// @inheritdoc IInferenceVault
    mapping(address token => uint256) public totalOwed;

    error PolicyInvalid(Policy policy);
    error DepositCapZero();

    constructor(IVenue venue_, Policy memory policy_, uint256 depositCap_)
        ERC4626(IERC20(_assetOf(venue_)))
        VaultPrices(venue_)
    {
        require(depositCap_ != 0, DepositCapZero());
        uint256 fee = venue_.feePips();
        require(
            policy_.minWeightWad <= policy_.maxWeightWad && policy_.maxWeightWad <= WAD && policy_.deadbandWad <= WAD
                && policy_.maxStepWad != 0 && policy_.maxStepWad <= WAD && policy_.maxNotional != 0
                && policy_.slippagePips <= MAX_SLIPPAGE_PIPS && policy_.slippagePips + fee < PIPS
                && policy_.deviationPips <= PIPS,
            PolicyInvalid(policy_)
        );
        _risk = venue_.risk();
        _feePips = fee;
        _minWeightWad = policy_.minWeightWad;
        _maxWeightWad = policy_.maxWeightWad;
        _deadbandWad = policy_.deadbandWad;
        _maxStepWad = policy_.maxStepWad;
        _maxNotional = policy_.maxNotional;
        _slippagePips = policy_.slippagePips;
        _deviationPips = policy_.deviationPips;
        depositCap = depositCap_;
    }

    /// @inheritdoc IERC4626
    function totalAssets() public view override(ERC4626, IERC4626) nonReentrantView returns (uint256) {
        return _navDown();
    }

    /// @inheritdoc IInferenceVault
    function riskWeightWad() external view nonReentrantView returns (uint256) {
        return TradeMath.weightDown(_idle(), TradeMath.riskValueDown(_riskBalance(), _meanX128()));
    }

    /// @inheritdoc IERC4626
    function maxDeposit(address) public view override(ERC4626, IERC4626) nonReentrantView returns (uint256) {
        return _maxDeposit(_tryEntryPriceX128());
    }

    /// @inheritdoc IERC4626
    function maxMint(address) public view override(ERC4626, IERC4626) nonReentrantView returns (uint256) {
        return _maxMint(_tryEntryPriceX128());
    }

    /// @inheritdoc IERC4626
    /// @dev An underestimate, as `maxRedeem` is.
    function maxWithdraw(address owner) public view override(ERC4626, IERC4626) returns (uint256) {
        uint256 price = _exitPriceX128();
        uint256 most = maxRedeem(owner).mulDiv(_exitNavDown(price), _settledSupply());
        uint256 dust = _exitDust(price);
        return most > dust ? most - dust : 0;
    }

    /// @inheritdoc IERC4626
    /// @dev An underestimate: what the venue surely takes before its price falls by the slippage. More may go through.
    function maxRedeem(address owner) public view override(ERC4626, IERC4626) nonReentrantView returns (uint256) {
        uint256 shares = balanceOf(owner);
        uint256 held = _riskBalance();
        if (held == 0) return shares;
        try _venue.sellable{gas: VIEW_GAS}(_slippagePips) returns (uint256 amount) {
            return amount >= held ? shares : Math.min(shares, amount.mulDiv(_virtualSupply(), held));
        } catch {
            return 0;
        }
    }

    /// @inheritdoc IERC4626
    function previewDeposit(uint256 assets)
        public
        view
        override(ERC4626, IERC4626)
        nonReentrantView
        returns (uint256)
    {
        return _sharesForDown(assets, entryPriceX128());
    }

    /// @inheritdoc IERC4626
    function previewMint(uint256 shares) public view override(ERC4626, IERC4626) nonReentrantView returns (uint256) {
        return _costOfUp(shares, entryPriceX128());
    }

    /// @inheritdoc IERC4626
    function previewRedeem(uint256 shares)
        public
        view
        override(ERC4626, IERC4626)
        nonReentrantView
        returns (uint256)
    {
        return _floorOfDown(shares);
    }

    /// @inheritdoc IERC4626
    /// @dev Shares whose floor is at least `assets`: every rounding of `previewRedeem` is paid for in advance.
    function previewWithdraw(uint256 assets)
        public
        view
        override(ERC4626, IERC4626)
        nonReentrantView
        returns (uint256)
    {
        return _sharesToPayUp(assets);
    }

    /// @dev Value of everything at the mean price.
    function _navDown() internal view returns (uint256) {
        return _idle() + TradeMath.riskValueDown(_riskBalance(), _meanX128());
    }

    /// @param priceX128 That of an entry, zero where it cannot be read.
    function _maxDeposit(uint256 priceX128) internal view returns (uint256) {
        if (priceX128 == 0 || _entriesClosed()) return 0;
        if (depositCap == type(uint256).max) return depositCap;
        uint256 held = _navDown();
        return held < depositCap ? depositCap - held : 0;
    }

    function _maxMint(uint256 priceX128) internal view returns (uint256) {
        uint256 assets = _maxDeposit(priceX128);
        if (assets == 0 || assets == type(uint256).max) return assets;
        // An underestimate where the cap is beyond what can be multiplied.
        return _sharesForDown(Math.min(assets, type(uint128).max), priceX128);
    }

    function _sharesForDown(uint256 assets, uint256 priceX128) internal view returns (uint256) {
        (uint256 nav, uint256 cost) = _entry(priceX128);
        uint256 net = assets - assets.mulDiv(cost, WAD * PIPS, Math.Rounding.Ceil);
        return net.mulDiv(_settledSupply(), nav + 1);
    }

    function _costOfUp(uint256 shares, uint256 priceX128) internal view returns (uint256) {
        (uint256 nav, uint256 cost) = _entry(priceX128);
        uint256 net = shares.mulDiv(nav + 1, _settledSupply(), Math.Rounding.Ceil);
        return net.mulDiv(WAD * PIPS, WAD * PIPS - cost, Math.Rounding.Ceil);
    }

    function _floorOfDown(uint256 shares) internal view returns (uint256) {
        (uint256 assets, uint256 riskAmount) = _sliceDown(shares, _settledSupply());
        return assets + _saleFloorDown(riskAmount, _exitPriceX128());
    }

    function _sharesToPayUp(uint256 assets) internal view returns (uint256) {
        if (assets == 0) return 0;
        uint256 price = _exitPriceX128();
        return (assets + _exitDust(price)).mulDiv(_settledSupply(), Math.max(_exitNavDown(price), 1), Math.Rounding.Ceil);
    }

    /// @dev Whether nothing may enter.
    function _entriesClosed() internal view virtual returns (bool);

    /// @dev The virtual supply once `_settleGains` has run, which every entry and every exit for cash begins with.
    function _settledSupply() internal view virtual returns (uint256);

    function _settleGains() internal virtual;

    /// @dev Value at the entry price, and the spread as a numerator over `WAD * PIPS`: fee and slippage times the risk weight,
    ///      the most that the vault may pay to buy the risk that is given. For less, depositing and leaving in kind would be a
    ///      cheap swap of any size, and an entry just before an epoch would have the others pay for its trade.
    function _entry(uint256 priceX128) private view returns (uint256 nav, uint256 cost) {
        uint256 value = TradeMath.riskValueDown(_riskBalance(), priceX128);
        nav = _idle() + value;
        cost = nav == 0 ? 0 : value.mulDiv(WAD, nav, Math.Rounding.Ceil) * (_feePips + _slippagePips);
    }

    /// @dev The slice of each balance that `shares` of a supply stand for.
    function _sliceDown(uint256 shares, uint256 supply)
        internal
        view
        returns (uint256 assetAmount, uint256 riskAmount)
    {
        assetAmount = _idle().mulDiv(shares, supply);
        riskAmount = _riskBalance().mulDiv(shares, supply);
    }

    /// @dev Least that a sale of `amount` of the risk token must bring.
    function _saleFloorDown(uint256 amount, uint256 priceX128) internal view returns (uint256) {
        uint256 sold = TradeMath.afterFee(amount, _feePips);
        return TradeMath.minOutDown(TradeMath.riskValueDown(sold, priceX128), _slippagePips);
    }

    function _exitNavDown(uint256 priceX128) private view returns (uint256) {
        return _idle() + _saleFloorDown(_riskBalance(), priceX128);
    }

    /// @dev More than the roundings of a slice can lose: one unit of each amount, and two risk units' worth, one of the slice
    ///      and one of the fee, where there is any.
    function _exitDust(uint256 priceX128) private view returns (uint256) {
        return _riskBalance() == 0 ? 3 : 3 + 2 * priceX128.ceilDiv(TradeMath.Q128);
    }

    function _virtualSupply() internal view returns (uint256) {
        return totalSupply() + 10 ** _decimalsOffset();
    }

    /// @dev Amounts owed to earlier holders are no longer the vault's. A token that shrinks below what is owed does not stop
    ///      the exits of the other.
    function _idle() internal view returns (uint256) {
        return IERC20(asset()).balanceOf(address(this)).saturatingSub(totalOwed[asset()]);
    }

    function _riskBalance() internal view returns (uint256) {
        return IERC20(_risk).balanceOf(address(this)).saturatingSub(totalOwed[_risk]);
    }

    /// @dev Six virtual decimals make the first deposit safe from inflation by donations.
    function _decimalsOffset() internal pure override returns (uint8) {
        return 6;
    }

    /// @inheritdoc IInferenceVault
    function policy() public view returns (Policy memory) {
        return Policy(
            _minWeightWad, _maxWeightWad, _deadbandWad, _maxStepWad, _maxNotional, _slippagePips, _deviationPips
        );
    }

    /// @inheritdoc IInferenceVault
    function venue() external view returns (address) {
        return address(_venue);
    }

    /// @inheritdoc IInferenceVault
    function risk() public view returns (address) {
        return _risk;
    }
}
