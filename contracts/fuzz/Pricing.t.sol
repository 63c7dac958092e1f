// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IInferenceVault, Policy, Reason} from "../interfaces/IInferenceVault.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {VaultPricing} from "../VaultPricing.sol";
import {IMintable} from "./Market.sol";
import {Rig} from "./Rig.sol";
import {Token} from "./Token.sol";

/// @title A venue of any fee, for the edges of terms
contract DearVenue {
    address public immutable asset;
    address public immutable risk;
    uint256 public immutable feePips;

    constructor(IVenue venue, uint256 fee) {
        (asset, risk, feePips) = (venue.asset(), venue.risk(), fee);
    }

    function twapX128() public pure returns (uint256) {
        return 1 << 128;
    }

    function highX128() external pure returns (uint256) {
        return twapX128();
    }

    function recentX128() external pure returns (uint256) {
        return twapX128();
    }
}

/// @title Prices to the last unit, and which way each is rounded: always against who acts
contract PricingTest is Rig {
    function setUp() external {
        build(true);
        enter(ALICE, 800_000e6);
        enter(BOB, 77_777_777);
        keep(38);
        vm.warp(block.timestamp + TWAP_SECONDS);
    }

    function make(VaultConfig memory c) public returns (IInferenceVault) {
        return newVault(c);
    }

    function ceilDiv(uint256 a, uint256 b) private pure returns (uint256) {
        return (a + b - 1) / b;
    }

    function heldValue(uint256 price) private view returns (uint256) {
        return Math.mulDiv(risk.balanceOf(address(vault)), price, 1 << 128);
    }

    /// @dev Net of the entry's spread: the greater price's share of risk times fee and slippage, in parts of 1e24.
    function entryCost() private view returns (uint256 nav, uint256 cost) {
        uint256 price = venue.spotX128() > venue.twapX128() ? venue.spotX128() : venue.twapX128();
        uint256 value = heldValue(price);
        nav = asset.balanceOf(address(vault)) + value;
        cost = ceilDiv(value * 1e18, nav) * spread();
    }

    function test_a_mint_costs_to_the_unit_what_its_shares_are_worth_rounded_up() external view {
        (uint256 nav, uint256 cost) = entryCost();
        uint256 supply = settledSupply();
        for (uint256 i = 0; i < 40; i++) {
            uint256 shares = i == 0 ? supply : 1 + i * 987_654_321_987;
            uint256 net = ceilDiv(shares * (nav + 1), supply);
            eq(vault.previewMint(shares), ceilDiv(net * 1e24, 1e24 - cost), "rounded up twice");
        }
    }

    function test_a_deposit_gives_to_the_unit_what_its_assets_are_worth_rounded_down() external view {
        (uint256 nav, uint256 cost) = entryCost();
        uint256 supply = settledSupply();
        for (uint256 i = 0; i < 40; i++) {
            uint256 assets = 1 + i * 7_654_321;
            uint256 net = assets - ceilDiv(assets * cost, 1e24);
            eq(vault.previewDeposit(assets), net * supply / (nav + 1), "the spread up, the shares down");
        }
    }

    /// @dev A value of risk that does not divide evenly: a spread rounded down would be one part in 1e18 too small.
    function test_the_spread_is_rounded_up() external {
        uint256 whole = 2e24;
        for (uint256 i = 0; i < 8; i++) {
            asset.mint(address(vault), 12_345_677 + i);
            (uint256 nav, uint256 cost) = entryCost();
            uint256 net = whole - ceilDiv(whole * cost, 1e24);
            uint256 cheap = whole - ceilDiv(whole * (cost - spread()), 1e24);
            uint256 supply = settledSupply();
            isTrue(net * supply / (nav + 1) != cheap * supply / (nav + 1), "it can be told apart");
            eq(vault.previewDeposit(whole), net * supply / (nav + 1), "the dearer one");
        }
    }

    /// @dev What a sale of `amount` must bring: the pool's fee is rounded up to a unit of the risk token.
    function saleFloor(uint256 amount, uint256 price) private pure returns (uint256) {
        uint256 sold = amount - ceilDiv(amount * FEE, 1e6);
        return Math.mulDiv(sold, price, 1 << 128) * (1e6 - 5_000) / 1e6;
    }

    /// @dev Three units, and two of the risk token's worth, are added before the shares are counted.
    function test_a_withdrawal_burns_to_the_unit_its_assets_and_all_roundings() external view {
        uint256 price = venue.spotX128() < venue.twapX128() ? venue.spotX128() : venue.twapX128();
        uint256 nav = asset.balanceOf(address(vault)) + saleFloor(risk.balanceOf(address(vault)), price);
        uint256 supply = settledSupply();
        for (uint256 i = 1; i < 40; i++) {
            uint256 assets = i * 1_234_567;
            eq(vault.previewWithdraw(assets), ceilDiv((assets + 5) * supply, nav), "rounded up");
        }
        eq(vault.previewWithdraw(0), 0, "nothing for nothing");
        uint256 most = vault.maxRedeem(BOB) * nav / supply;
        eq(vault.maxWithdraw(BOB), most - 5, "less by the same");
    }

    function test_a_holder_withdraws_with_the_very_last_share() external {
        uint256 assets = 50e6;
        uint256 shares = vault.previewWithdraw(assets);
        uint256 own = vault.balanceOf(BOB);
        vm.prank(BOB);
        vault.transfer(ALICE, own - shares);
        vm.prank(BOB);
        eq(vault.withdraw(assets, BOB, BOB), shares, "burned");
        eq(vault.balanceOf(BOB), 0, "none left");
        eq(asset.balanceOf(BOB), assets, "paid");
    }

    function test_a_new_vault_has_a_price_to_stand_in_from_the_start() external {
        vault = newVault(config());
        uint256 twap = venue.twapX128();
        enter(BOB, 1_000e6);
        vm.etch(address(pool), hex"5f5ffd");
        eq(vault.maxRedeem(BOB), vault.balanceOf(BOB), "cash alone needs no pool");
        eq(vault.maxRedeem(ALICE), 0, "who has none");
        risk.mint(address(vault), 1e18);
        eq(vault.totalAssets(), 1_000e6 + Math.mulDiv(1e18, twap, 1 << 128), "the mean at its making");
        eq(vault.maxRedeem(BOB), 0, "with risk to sell nothing is promised");
    }

    function test_without_a_cap_deposits_stay_unbounded_as_the_vault_fills() external {
        VaultConfig memory c = config();
        c.depositCap = type(uint256).max;
        vault = newVault(c);
        enter(BOB, 1_000e6);
        eq(vault.maxDeposit(BOB), type(uint256).max, "none");
        eq(vault.maxMint(BOB), type(uint256).max, "none");
    }

    function test_fee_and_slippage_together_stay_below_everything() external {
        VaultConfig memory c = config();
        c.policy.slippagePips = 100_000;
        c.venue = IVenue(address(new DearVenue(venue, 900_000)));
        vm.expectRevert(abi.encodeWithSelector(VaultPricing.PolicyInvalid.selector, c.policy));
        this.make(c);
        c.venue = IVenue(address(new DearVenue(venue, 899_999)));
        make(c);
    }

    /// @dev A sale counts by what it is worth, as a purchase does by what it pays.
    function test_sales_count_against_the_turnover_by_their_value() external {
        uint256 left = vault.turnoverLeftWad();
        uint256 held = risk.balanceOf(address(vault));
        uint256 epoch = closeEpoch(30);
        allow(epoch, 10, KEEPER);
        uint256 nav = vault.totalAssets();
        uint256 price = venue.twapX128();
        rebalance(epoch, 10);
        uint256 sold = held - risk.balanceOf(address(vault));
        isTrue(sold > 0, "sold");
        uint256 regained = 2e18 * PERIOD / 1 days;
        uint256 before = left + regained > 2e18 ? 2e18 : left + regained;
        uint256 share = ceilDiv(Math.mulDiv(sold, price, 1 << 128) * 1e18, nav);
        eq(vault.turnoverLeftWad(), before - share, "to the unit");
    }
}

/// @title A turnover so small that a day does not refill it within an epoch
contract TurnoverTest is Rig {
    function test_a_used_up_turnover_is_the_reason() external {
        vm.warp(START);
        IMintable a = IMintable(address(new Token("USD", 18)));
        IMintable r = IMintable(address(new Token("ETH", 18)));
        while (address(r) < address(a)) r = IMintable(address(new Token("ETH", 18)));
        buildWith(a, r);
        VaultConfig memory c = config();
        c.policy = Policy(0, 1e18, 0, 1e18, 1e30, 5_000, 1_000_000);
        c.safeguards.turnoverWad = 10;
        c.depositCap = 1e40;
        vault = newVault(c);
        enter(ALICE, 1e24);
        uint256 epoch = keep(64);
        isTrue(vault.lastEpoch() == epoch && risk.balanceOf(address(vault)) > 0, "bought a little");
        eq(vault.turnoverLeftWad(), 0, "used up");
        isTrue(reasonOf(64) == Reason.Turnover, "and that is told");
    }

    /// @dev With some left that rounds to nothing the reason is another.
    function test_a_turnover_that_is_not_used_up_is_not_the_reason() external {
        build(true);
        VaultConfig memory c = config();
        c.safeguards.turnoverWad = 1;
        vault = newVault(c);
        enter(ALICE, 1_000e6);
        isTrue(reasonOf(64) == Reason.Dust, "dust");
        eq(vault.turnoverLeftWad(), 1, "not used");
    }

    function reasonOf(int256 output) private returns (Reason) {
        uint256 epoch = closeEpoch(30);
        allow(epoch, output, KEEPER);
        bytes memory where = hints(epoch);
        return vault.rebalance(epoch, KEEPER, one(output), proof(), where);
    }
}
