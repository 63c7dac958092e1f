// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IVenue} from "../interfaces/IVenue.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {Rig} from "./Rig.sol";

interface IPlainToken {
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
}

/// @title A venue that keeps a part of what its pool paid and says that it paid all, or takes a part of what it should sell
contract DishonestVenue {
    IVenue private immutable _venue;
    address public immutable asset;
    address public immutable risk;
    uint256 private _keptPips;
    uint256 private _takenPips = 1e6;

    constructor(IVenue venue) {
        (_venue, asset, risk) = (venue, venue.asset(), venue.risk());
    }

    function become(uint256 keptPips, uint256 takenPips) external {
        (_keptPips, _takenPips) = (keptPips, takenPips);
    }

    function feePips() external view returns (uint256) {
        return _venue.feePips();
    }

    function spotX128() external view returns (uint256) {
        return _venue.spotX128();
    }

    function highX128() external view returns (uint256) {
        return _venue.highX128();
    }

    function recentX128() external view returns (uint256) {
        return _venue.recentX128();
    }

    function twapX128() external view returns (uint256) {
        return _venue.twapX128();
    }

    function sellable(uint256 movePips) external view returns (uint256) {
        return _venue.sellable(movePips);
    }

    /// @return told What the pool paid, and the least that was asked for where that is more.
    function swap(bool riskIn, uint256 amountIn, uint256 minOut) external returns (uint256 told) {
        (IPlainToken tokenIn, IPlainToken tokenOut) = (IPlainToken(asset), IPlainToken(risk));
        if (riskIn) (tokenIn, tokenOut) = (tokenOut, tokenIn);
        uint256 taken = amountIn * _takenPips / 1e6;
        tokenIn.transferFrom(msg.sender, address(this), taken);
        tokenIn.approve(address(_venue), taken);
        told = _venue.swap(riskIn, taken, 0);
        tokenOut.transfer(msg.sender, told - told * _keptPips / 1e6);
        if (told < minOut) told = minOut;
    }
}

/// @title What a swap brought is what the vault finds in its hands
contract SwapsTest is Rig {
    DishonestVenue private dishonest;

    function setUp() external {
        build(true);
        dishonest = new DishonestVenue(venue);
        VaultConfig memory c = config();
        c.venue = IVenue(address(dishonest));
        vault = newVault(c);
        enter(ALICE, 800_000e6);
        keep(38);
        isTrue(risk.balanceOf(address(vault)) > 0, "an honest one is traded with");
        vm.warp(block.timestamp + TWAP_SECONDS);
    }

    function refusesTrade(int256 output) private {
        uint256 epoch = closeEpoch(30);
        allow(epoch, output, KEEPER);
        bytes memory where = hints(epoch);
        vm.expectPartialRevert(IVenue.OutputTooLow.selector);
        vault.rebalance(epoch, KEEPER, one(output), proof(), where);
    }

    function test_a_venue_that_keeps_a_part_and_tells_of_all_is_refused() external {
        dishonest.become(20_000, 1e6);
        vm.startPrank(ALICE);
        vm.expectPartialRevert(IVenue.OutputTooLow.selector);
        vault.redeem(1e16, ALICE, ALICE);
        vm.expectPartialRevert(IVenue.OutputTooLow.selector);
        vault.withdraw(1_000e6, ALICE, ALICE);
        vm.stopPrank();
        refusesTrade(100);
        refusesTrade(6);
    }

    /// @dev To the unit: what arrived, and the least that the leaver was promised less the cash of the slice.
    function test_the_refusal_tells_what_arrived_and_what_was_due() external {
        uint256 supply = settledSupply();
        uint256 cash = asset.balanceOf(address(vault)) * 1e16 / supply;
        uint256 due = vault.previewRedeem(1e16) - cash;
        uint256 snapshot = vm.snapshotState();
        vm.prank(ALICE);
        uint256 brought = vault.redeem(1e16, ALICE, ALICE) - cash;
        vm.revertToState(snapshot);
        dishonest.become(20_000, 1e6);
        uint256 arrived = brought - brought * 20_000 / 1e6;
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IVenue.OutputTooLow.selector, arrived, due));
        vault.redeem(1e16, ALICE, ALICE);
    }

    function test_within_the_slippage_the_leaver_is_paid_what_arrived_and_not_what_was_told() external {
        dishonest.become(1_000, 1e6);
        uint256 before = asset.balanceOf(address(vault));
        uint256 cash = before * 1e16 / settledSupply();
        vm.prank(ALICE);
        uint256 got = vault.redeem(1e16, ALICE, ALICE);
        isTrue(asset.balanceOf(ALICE) == got && asset.balanceOf(address(dishonest)) > 0, "a part was kept");
        eq(before - asset.balanceOf(address(vault)), cash, "not from the others' cash");
    }

    function test_a_venue_that_sells_a_part_and_pays_for_that_is_refused() external {
        dishonest.become(0, 500_000);
        vm.prank(ALICE);
        vm.expectPartialRevert(IVenue.OutputTooLow.selector);
        vault.redeem(1e16, ALICE, ALICE);
        refusesTrade(100);
        refusesTrade(6);
    }

    /// @dev Where it pays the least all the same, what it left is all holders'.
    function test_a_venue_that_takes_less_and_pays_enough_leaves_the_rest_to_the_holders() external {
        dishonest.become(0, 999_000);
        uint256 slice = risk.balanceOf(address(vault)) * 1e16 / settledSupply();
        uint256 promised = vault.previewRedeem(1e16);
        uint256 before = risk.balanceOf(address(vault));
        vm.prank(ALICE);
        le(promised, vault.redeem(1e16, ALICE, ALICE), "the floor");
        eq(before - risk.balanceOf(address(vault)), slice * 999_000 / 1e6, "a part of the slice is left");
    }
}
