// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IInferenceVault, Policy, Reason} from "../interfaces/IInferenceVault.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {Rig} from "./Rig.sol";

/// @title A venue that says that its fee is nine tenths, so that a vault of the greatest slippage demands next to nothing
contract CarelessVenue {
    IVenue private immutable _venue;

    constructor(IVenue venue) {
        _venue = venue;
    }

    function asset() public view returns (address) {
        return _venue.asset();
    }

    function risk() public view returns (address) {
        return _venue.risk();
    }

    function feePips() external pure returns (uint256) {
        return 899_999;
    }

    function highX128() external view returns (uint256) {
        return _venue.highX128();
    }

    function recentX128() external view returns (uint256) {
        return _venue.recentX128();
    }

    function spotX128() external view returns (uint256) {
        return _venue.spotX128();
    }

    function twapX128() external view returns (uint256) {
        return _venue.twapX128();
    }

    function swap(bool riskIn, uint256 amountIn, uint256) external returns (uint256 amountOut) {
        (IToken tokenIn, IToken tokenOut) = riskIn ? (IToken(risk()), IToken(asset())) : (IToken(asset()), IToken(risk()));
        tokenIn.transferFrom(msg.sender, address(this), amountIn);
        tokenIn.approve(address(_venue), amountIn);
        amountOut = _venue.swap(riskIn, amountIn, 0);
        tokenOut.transfer(msg.sender, amountOut);
    }
}

interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
}

/// @title Attackers who know the trade before its proof: they push the real pool, let the vault trade, and pull back
contract SandwichTest is Rig {
    IInferenceVault private careful;
    IInferenceVault private careless;
    IInferenceVault private near;

    struct Outcome {
        bool traded;
        uint256 lossPips;
        uint256 lossBeforePips;
        int256 gain;
    }

    function setUp() external {
        build(true);
        VaultConfig memory c = config();
        // The distance of spot from the mean would stop most of these attacks by itself; here it does not.
        c.policy.deviationPips = 1_000_000;
        careful = newVault(c);
        c.policy.deviationPips = policy().deviationPips;
        near = newVault(c);
        c.policy.deviationPips = 1_000_000;
        (c.venue, c.policy.slippagePips) = (IVenue(address(new CarelessVenue(venue))), 100_000);
        careless = newVault(c);
        IInferenceVault[3] memory all = [careful, careless, near];
        for (uint256 i = 0; i < 3; i++) {
            vault = all[i];
            enter(ALICE, 900_000e6);
            risk.mint(address(vault), 150e18);
        }
    }

    /// @dev What the vault lost against the mean price and against that before the attack, and what the attacker gained, in
    ///      the asset.
    function attack(IInferenceVault victim, uint256 epoch, bool buys, uint256 dollars) private returns (Outcome memory o) {
        vault = victim;
        uint256 mean = venue.twapX128() >> 32;
        uint256 before = venue.spotX128() >> 32;
        (uint256 cash, uint256 held) = (asset.balanceOf(address(vault)), risk.balanceOf(address(vault)));
        uint256 amountIn = buys ? dollars * 1e6 : dollars * 1e18 / 3_000;
        uint256 pushed = swapOutside(!buys, amountIn);
        bytes memory where = hints(epoch);
        vm.prank(SENDER);
        try vault.rebalance(epoch, FEE_TAKER, one(buys ? int256(115) : int256(6)), proof(), where) returns (Reason r) {
            o.traded = r == Reason.Traded;
        } catch {}
        int256 back = int256(swapOutside(buys, pushed));
        o.gain = back - int256(amountIn);
        if (!buys) o.gain = o.gain * int256(mean) >> 96;
        if (!o.traded) return o;
        uint256 left = asset.balanceOf(address(vault)) + vault.owed(address(asset), FEE_TAKER);
        left += asset.balanceOf(FEE_TAKER);
        uint256 moved = risk.balanceOf(address(vault));
        moved = buys ? moved - held : held - moved;
        uint256 paid = buys ? cash - left : left - cash;
        o.lossPips = lossOf(buys, paid, moved * mean >> 96);
        o.lossBeforePips = lossOf(buys, paid, moved * before >> 96);
    }

    /// @dev Millionths of what was given, at a price of the risk token.
    function lossOf(bool buys, uint256 cash, uint256 value) private pure returns (uint256) {
        (uint256 given, uint256 got) = buys ? (cash, value) : (value, cash);
        return got < given ? (given - got) * 1e6 / given : 0;
    }

    function both(bool buys, uint256 dollars) private returns (Outcome memory a, Outcome memory b) {
        uint256 epoch = closeEpoch(30);
        allow(epoch, buys ? int256(115) : int256(6), FEE_TAKER);
        uint256 snapshot = vm.snapshotState();
        a = attack(careful, epoch, buys, dollars);
        vm.revertToState(snapshot);
        b = attack(careless, epoch, buys, dollars);
        vm.revertToState(snapshot);
    }

    /// @dev Outsiders have moved the price before; loss counts the pool's fee. The attacker's own cost of pushing is not the
    ///      vault's loss.
    function testFuzz_a_sandwich_costs_the_vault_at_most_fee_and_slippage(bool buys, uint256 dollars, uint256 drift)
        external
    {
        drift = within(drift, 1_000, 400_000);
        swapOutside(drift % 2 == 0, drift % 2 == 0 ? drift * 1e18 / 3_000 : drift * 1e6);
        dollars = within(dollars, 1_000, 20_000 * 10 ** (drift / 2 % 4));
        (Outcome memory a, Outcome memory b) = both(buys, dollars);
        if (a.traded) le(a.lossPips, FEE + policy().slippagePips + 1, "within the limit");
        isTrue(b.traded, "without a least output every attack goes through");
        le(a.lossPips, b.lossPips, "and costs at least as much");
        tell(buys, dollars, a, b);
    }

    /// @dev The market moves by `drift` dollars in the last seconds of an epoch, which the mean hardly shows, and then comes the
    ///      attack. `far`: how far the price before it was from the mean.
    function late(bool down, uint256 drift, bool buys, uint256 dollars) private returns (Outcome memory o, uint256 far) {
        uint256 epoch = closeEpoch(0);
        vm.warp(epoch * PERIOD - 24);
        swapOutside(down, down ? drift * 1e18 / 3_000 : drift * 1e6);
        vm.warp(epoch * PERIOD + 6);
        allow(epoch, buys ? int256(115) : int256(6), FEE_TAKER);
        (uint256 spot, uint256 mean) = (venue.spotX128() >> 32, venue.twapX128() >> 32);
        far = (spot > mean ? spot - mean : mean - spot) * 1e6 / mean;
        o = attack(near, epoch, buys, dollars);
    }

    /// @dev Against the price before the attack the bound is wider: spot may have been as far from the mean as the policy lets
    ///      it be at the trade. Where it was farther, no trade was due, and who pushes it back and lets the vault trade costs
    ///      the vault that distance.
    function testFuzz_a_sandwich_costs_at_most_deviation_slippage_and_fee_of_the_price_before_it(
        bool down,
        uint256 drift,
        bool buys,
        uint256 dollars
    ) external {
        (Outcome memory o, uint256 far) =
            late(down, within(drift, 1_000, 1_500_000), buys, within(dollars, 1_000, 3_000_000));
        uint256 most = FEE + policy().slippagePips + 2;
        if (far <= policy().deviationPips) le(o.lossBeforePips, policy().deviationPips + most, "within the limits");
        le(o.lossBeforePips, far + most, "within the distance from the mean");
        le(o.lossPips, most, "and nearer to the mean");
    }

    function test_the_price_before_a_sandwich_tells_of_more_loss_than_the_mean() external {
        uint256 worst;
        for (uint256 dollars = 100_000; dollars <= 3_000_000; dollars += 100_000) {
            uint256 snapshot = vm.snapshotState();
            (Outcome memory o, uint256 far) = late(true, 1_200_000, true, dollars);
            vm.revertToState(snapshot);
            isTrue(far > 6_000 && far <= policy().deviationPips, "below the mean, within the deviation");
            if (o.lossBeforePips > worst) worst = o.lossBeforePips;
        }
        isTrue(worst > FEE + policy().slippagePips + 5_000, "more than fee and slippage");
        le(worst, FEE + policy().slippagePips + policy().deviationPips, "and at most the deviation more");
    }

    /// @dev A line of numbers for whoever asked for the distribution.
    function tell(bool buys, uint256 dollars, Outcome memory a, Outcome memory b) private {
        string memory path = vm.envOr("VAULTKIT_ATTACKS", string(""));
        if (bytes(path).length == 0) return;
        string memory head = string.concat(buys ? "1," : "0,", vm.toString(dollars), a.traded ? ",1," : ",0,");
        string memory losses = string.concat(vm.toString(a.lossPips), ",", vm.toString(b.lossPips), ",");
        vm.writeLine(path, string.concat(head, losses, vm.toString(a.gain), ",", vm.toString(b.gain)));
    }

    function test_without_a_least_output_sandwiches_cost_more_and_pay_the_attacker() external {
        uint256 with;
        uint256 without;
        int256 gained;
        for (uint256 dollars = 500_000; dollars <= 8_000_000; dollars += 500_000) {
            (Outcome memory a, Outcome memory b) = both(dollars % 1_000_000 == 0, dollars);
            with += a.lossPips;
            without += b.lossPips;
            gained += b.gain;
        }
        isTrue(without > 3 * with, "more than three times the loss");
        isTrue(gained > 0, "which is what attackers are after");
    }
}
