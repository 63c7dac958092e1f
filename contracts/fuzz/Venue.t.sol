// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IVenue} from "../interfaces/IVenue.sol";
import {UniswapV3Venue} from "../UniswapV3Venue.sol";
import {Rig} from "./Rig.sol";

interface ITickMath {
    function prices(int256[] calldata ticks, bool riskIsToken0) external pure returns (uint256[] memory);
}

abstract contract VenueTests is Rig {
    function order() internal pure virtual returns (bool);

    function setUp() external {
        build(order());
        asset.mint(address(this), 1e15);
        risk.mint(address(this), 1e24);
        asset.approve(address(venue), type(uint256).max);
        risk.approve(address(venue), type(uint256).max);
    }

    function make(address factory_, address pool_, address asset_, uint32 seconds_) public returns (address) {
        return deployed("UniswapV3Venue", abi.encode(factory_, pool_, asset_, seconds_));
    }

    function test_it_says_what_it_is() external view {
        UniswapV3Venue v = UniswapV3Venue(address(venue));
        isTrue(v.asset() == address(asset) && v.risk() == address(risk), "tokens");
        isTrue(v.feePips() == FEE && v.twapSeconds() == TWAP_SECONDS && v.riskIsToken0() == riskIsToken0, "terms");
        isTrue(address(v.pool()) == address(pool), "pool");
    }

    function test_prices_are_the_pools() external {
        (uint160 root,,,,,,) = pool.slot0();
        uint256 ratio = uint256(root) * root >> 64;
        eq(venue.spotX128(), riskIsToken0 ? ratio : _inverse(ratio), "spot");
        uint32[] memory ages = new uint32[](2);
        ages[0] = TWAP_SECONDS;
        (int56[] memory sums,) = pool.observe(ages);
        int256 mean = (int256(sums[1]) - sums[0]) / int256(uint256(TWAP_SECONDS));
        if (mean * int256(uint256(TWAP_SECONDS)) > int256(sums[1]) - sums[0]) mean--;
        int256[] memory ticks = new int256[](1);
        ticks[0] = mean;
        ITickMath math = ITickMath(deployed("LibraryHarness", ""));
        eq(venue.twapX128(), math.prices(ticks, riskIsToken0)[0], "mean");
    }

    /// @dev `floor(2**256 / ratio)` for a ratio that divides no power of two.
    function _inverse(uint256 ratio) private pure returns (uint256) {
        return type(uint256).max / ratio;
    }

    function testFuzz_it_swaps_all_and_pays_what_it_says(bool sell, uint256 amount) external {
        amount = within(amount, 1e6, sell ? 200e18 : 500_000e6);
        (uint256 cash, uint256 held) = (asset.balanceOf(address(this)), risk.balanceOf(address(this)));
        uint256 out = venue.swap(sell, amount, 0);
        (uint256 cash2, uint256 held2) = (asset.balanceOf(address(this)), risk.balanceOf(address(this)));
        if (sell) isTrue(held - held2 == amount && cash2 - cash == out, "sold");
        else isTrue(cash - cash2 == amount && held2 - held == out, "bought");
        isTrue(asset.balanceOf(address(venue)) == 0 && risk.balanceOf(address(venue)) == 0, "keeps nothing");
    }

    function test_it_pays_exactly_the_least_output_and_refuses_one_more() external {
        uint256 snapshot = vm.snapshotState();
        uint256 out = venue.swap(true, 1e18, 0);
        vm.revertToState(snapshot);
        vm.expectRevert(abi.encodeWithSelector(IVenue.OutputTooLow.selector, out, out + 1));
        venue.swap(true, 1e18, out + 1);
        eq(venue.swap(true, 1e18, out), out, "exactly");
    }

    function test_the_least_amount_is_all_fee() external {
        eq(venue.swap(true, 1, 0) + venue.swap(false, 1, 0), 0, "nothing comes back");
    }

    function test_it_refuses_nothing_a_partial_fill_and_a_stranger() external {
        vm.expectRevert(abi.encodeWithSelector(UniswapV3Venue.NothingToSwap.selector));
        venue.swap(true, 0, 0);
        risk.mint(address(this), 1e38);
        vm.expectPartialRevert(UniswapV3Venue.PartialFill.selector);
        venue.swap(true, 1e38, 0);
        vm.expectRevert(abi.encodeWithSelector(UniswapV3Venue.CallerNotPool.selector, address(this)));
        UniswapV3Venue(address(venue)).uniswapV3SwapCallback(1, 0, abi.encode(ALICE, address(asset)));
    }

    /// @dev What may be sold moves the price by no more than was said, wherever the price stands among the ticks.
    function testFuzz_what_is_sellable_moves_the_price_by_no_more(uint256 seed) external {
        swapOutside(seed % 2 == 0, seed % 2 == 0 ? 1 + seed % 2_000e18 : 1 + seed % 6_000_000e6);
        uint256 pips = within(seed >> 16, 1, 20_000);
        uint256 amount = venue.sellable(pips);
        if (amount == 0) return;
        uint256 before = venue.spotX128();
        venue.swap(true, amount, 0);
        uint256 fallen = before - venue.spotX128();
        le(fallen, before / 1e6 * pips + before / 1e9, "no farther");
    }

    function test_without_a_move_nothing_is_sellable() external view {
        eq(venue.sellable(0), 0, "nothing");
    }

    /// @dev A second position gives the range an end near the price: beyond it nothing is promised.
    function test_sellable_ends_where_liquidity_may_change() external {
        uint256 wide = venue.sellable(20_000);
        (, int24 tick,,,,,) = pool.slot0();
        int24 low = riskIsToken0 ? tick / 10 * 10 - 30 : tick / 10 * 10;
        pool.mint(address(this), low, low + 30, 1e17, "");
        uint256 near = venue.sellable(20_000);
        isTrue(near < wide / 3, "less");
        uint256 before = venue.spotX128();
        venue.swap(true, near, 0);
        (, int24 reached,,,,,) = pool.slot0();
        isTrue(riskIsToken0 ? reached >= low - 1 : reached <= low + 30, "within the range");
        isTrue(venue.spotX128() < before, "sold");
    }

    function test_it_refuses_a_pool_of_another_factory_pair_or_no_time() external {
        vm.expectRevert(abi.encodeWithSelector(UniswapV3Venue.AssetNotInPool.selector, ALICE));
        this.make(factory, address(pool), ALICE, 1);
        vm.expectRevert(abi.encodeWithSelector(UniswapV3Venue.TwapSecondsZero.selector));
        this.make(factory, address(pool), address(asset), 0);
        address standIn = deployed("StandInPool", abi.encode(asset, risk, FEE));
        vm.expectRevert(abi.encodeWithSelector(UniswapV3Venue.PoolNotOfFactory.selector, standIn, pool));
        this.make(factory, standIn, address(asset), 1);
        vm.expectRevert(abi.encodeWithSelector(UniswapV3Venue.FactoryHasNoCode.selector, ALICE));
        this.make(ALICE, address(pool), address(asset), 1);
        vm.expectRevert(abi.encodeWithSelector(UniswapV3Venue.PoolHasNoCode.selector, ALICE));
        this.make(factory, ALICE, address(asset), 1);
        bytes memory code = address(asset).code;
        for (uint256 i = 0; i < 2; i++) {
            address token = i == 0 ? address(asset) : address(risk);
            code = token.code;
            vm.etch(token, "");
            vm.expectRevert(abi.encodeWithSelector(UniswapV3Venue.TokenHasNoCode.selector, token));
            this.make(factory, address(pool), address(asset), 1);
            vm.etch(token, code);
        }
        make(factory, address(pool), address(risk), 1);
    }
}

contract VenueTest is VenueTests {
    function order() internal pure override returns (bool) {
        return true;
    }
}

contract FlippedVenueTest is VenueTests {
    function order() internal pure override returns (bool) {
        return false;
    }
}
