// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Reason} from "../interfaces/IInferenceVault.sol";
import {Ghost} from "./Ghost.sol";

/// @title What keepers do, honest ones and forgers
abstract contract Keepers is Ghost {
    uint256 public accepted;
    uint256 public traded;
    uint256 public rewards;
    uint256 private _acceptedEpoch;

    /// @notice The honest keeper, at any age up to the last second; every fourth time somebody has just pushed the pool.
    function rebalance(uint256 seed, uint256 age) external {
        age = within(age, 0, MAX_AGE);
        uint256 epoch = closeEpoch(age);
        if ((seed >> 16) % 4 == 0 && !asset.frozen() && !risk.frozen()) {
            uint256 dollars = within(seed >> 32, 1_000, 2_000_000);
            bool sell = (seed >> 24) % 2 == 0;
            swapOutside(sell, sell ? dollars * 1e18 / 3_000 : dollars * 1e6);
        }
        int256 output = int256(within(seed, 0, 160)) - 16;
        allow(epoch, output, KEEPER);
        bytes memory where = hints(epoch);
        bool chains = keccak256(abi.encode(source.read(epoch * PERIOD, where))) == keccak256(abi.encode(inputs(epoch)));
        flag(chains, "invariant 5: the window is not the chain's");
        Seen memory s = look();
        uint256 left = vault.turnoverLeftWad();
        uint256 missed = vault.missedEpochs();
        uint256 before = asset.balanceOf(KEEPER) + vault.owed(address(asset), KEEPER);
        bool stopped = vault.stopped();
        vm.prank(SENDER);
        try vault.rebalance(epoch, KEEPER, one(output), proof(), where) returns (Reason reason) {
            accepted++;
            flag(epoch > _acceptedEpoch && vault.lastEpoch() == epoch, "invariant 7: an epoch was accepted twice");
            _acceptedEpoch = epoch;
            uint256 paid = asset.balanceOf(KEEPER) + vault.owed(address(asset), KEEPER) - before;
            rewards += paid;
            _checkReward(paid, nav(s), missed);
            flag(!stopped || reason == Reason.Stopped, "invariant 13: a stopped vault traded");
            _checkTrade(s, reason, output, left, paid);
        } catch {
            bool hindered = registry.activeModel() == 0 || asset.frozen() || risk.frozen() || _tooThin(s);
            flag(hindered, "invariant 9: a fresh and honest epoch was refused");
        }
        uint256 spent = asset.allowance(address(vault), address(venue)) + risk.allowance(address(vault), address(venue));
        flag(spent == 0, "invariant 8: an allowance is left");
    }

    /// @dev The pool may pay less than the floor where spot has moved against the trade within the deviation: slippage is
    ///      5,000 millionths, and the greatest trade moves this pool by less than 2,000 on the mean.
    function _tooThin(Seen memory s) private pure returns (bool) {
        uint256 distance = s.spot > s.twap ? s.spot - s.twap : s.twap - s.spot;
        return distance > s.twap / 1e6 * 3_000;
    }

    function _checkReward(uint256 paid, uint256 value, uint256 missed) private {
        flag(paid <= fees().rewardPerEpoch, "invariant 12: a reward above an epoch's budget");
        uint256 time = PERIOD * missed < 1 days ? PERIOD * missed : 1 days;
        uint256 most = value * fees().rewardYearPips * time / (1e6 * 365 days);
        flag(paid <= most, "invariant 12: a reward above the year's share of value");
        flag(asset.balanceOf(SENDER) == 0, "invariant 12: the sender was paid, not the proof's beneficiary");
    }

    function _checkTrade(Seen memory s, Reason reason, int256 output, uint256 left, uint256 paid) private {
        Seen memory n = look();
        uint256 cash = n.idle + paid;
        if (reason != Reason.Traded) {
            flag(n.held == s.held && cash == s.idle, "invariant 4: tokens moved in an epoch without a trade");
            return;
        }
        traded++;
        bool sold = n.held < s.held;
        flag(sold != (cash < s.idle), "invariant 4: both holdings moved one way");
        if (sold == (cash < s.idle)) return;
        uint256 amountIn = sold ? s.held - n.held : s.idle - cash;
        _checkSize(s, sold ? worth(amountIn, s.twap) : amountIn, left);
        _checkPrice(s, sold, amountIn, sold ? cash - s.idle : n.held - s.held);
        _checkDirection(s, n, output, sold);
    }

    function _checkSize(Seen memory s, uint256 notional, uint256 left) private {
        uint256 slack = 2 + notional / 1e9;
        flag(notional <= nav(s) * limits().maxStepWad / 1e18 + slack, "invariant 8: more than a step was traded");
        flag(notional <= limits().maxNotional + slack, "invariant 8: more than the notional was traded");
        flag(notional <= nav(s) * left / 1e18 + slack, "invariant 8: more than the turnover was traded");
    }

    function _checkPrice(Seen memory s, bool sold, uint256 amountIn, uint256 amountOut) private {
        uint256 fair = sold ? worth(amountIn, s.twap) : amountIn * Q128 / s.twap;
        uint256 least = fair * (1e6 - FEE - limits().slippagePips) / 1e6;
        flag(amountOut + 2 + fair / 1e9 >= least, "invariant 8: worse than the slippage allows");
        uint256 distance = s.spot > s.twap ? s.spot - s.twap : s.twap - s.spot;
        flag(distance <= s.twap / 1e6 * (limits().deviationPips + 1), "invariant 8: traded far from the mean");
    }

    function _checkDirection(Seen memory s, Seen memory n, int256 output, bool sold) private {
        uint256 wanted = output <= 0 ? 0 : uint256(output) * 1e18 / 2 ** OUTPUT_SCALE;
        if (wanted < limits().minWeightWad) wanted = limits().minWeightWad;
        if (wanted > limits().maxWeightWad) wanted = limits().maxWeightWad;
        uint256 before = worth(s.held, s.twap) * 1e18 / nav(s);
        uint256 reached = worth(n.held, s.twap) * 1e18 / nav(n);
        flag(sold == (before > wanted), "invariant 4: the trade went away from the proven weight");
        uint256 far = reached > wanted ? reached - wanted : wanted - reached;
        uint256 was = before > wanted ? before - wanted : wanted - before;
        flag(was + 1e9 >= limits().deadbandWad, "invariant 8: a trade within the deadband");
        flag(far <= was, "invariant 4: the trade left the weight farther from the proven one");
    }

    /// @notice Each forgery stands in a situation where the honest call would be accepted.
    function forge(uint256 kind, uint256 seed) external {
        if (registry.activeModel() != modelId) return;
        uint256 snapshot = vm.snapshotState();
        string memory claim_ = _forge(kind % 12, seed);
        vm.revertToState(snapshot);
        flag(bytes(claim_).length == 0, claim_);
    }

    /// @return The promise that was broken, or nothing.
    function _forge(uint256 kind, uint256 seed) private returns (string memory) {
        asset.freeze(false);
        risk.freeze(false);
        uint256 epoch = closeEpoch(kind == 2 ? MAX_AGE + 1 : within(seed, 0, MAX_AGE));
        allow(epoch, 64, KEEPER);
        bytes memory where = hints(epoch);
        if (kind == 0) {
            if (!_refused(epoch, KEEPER, 64, proof(), where) && !_refused(epoch, KEEPER, 64, proof(), where)) {
                return "invariant 7: an epoch was accepted twice";
            }
        } else if (kind == 1) {
            bytes memory earlier = hints(epoch - 1);
            allow(epoch - 1, 64, KEEPER);
            if (!_refused(epoch - 1, KEEPER, 64, proof(), earlier)) return "invariant 7: an epoch that is not the latest";
        } else if (kind == 2) {
            if (!_refused(epoch, KEEPER, 64, proof(), where)) return "invariant 9: a second too old";
        } else if (kind == 3) {
            int256 other = int256(within(seed, 0, 2 * OUTPUT_BOUND)) - int256(OUTPUT_BOUND);
            // Of somebody who never proved anything: equal windows of earlier epochs may have been proven for the keeper.
            if (!_refused(epoch, address(0xF00), other, proof(), where)) return "invariant 4: an unproven output";
        } else if (kind == 4) {
            if (!_refused(epoch, SENDER, 64, proof(), where)) return "invariant 12: another's proof paid its copier";
        } else if (kind == 5) {
            bytes memory bad = where;
            bad[seed % bad.length] ^= bytes1(uint8(1 + seed % 255));
            try source.read(epoch * PERIOD, bad) returns (int256[] memory read) {
                bool same = keccak256(abi.encode(read)) == keccak256(abi.encode(inputs(epoch)));
                if (!same) return "invariant 5: a hint changed the inputs";
            } catch {}
        } else if (kind == 6) {
            vm.warp(block.timestamp + 30 days);
            try source.read(epoch * PERIOD - 60 days, where) {
                return "invariant 5: a window before the ring was read";
            } catch {}
        } else if (kind == 7) {
            vm.etch(address(verifier), bytes.concat(address(verifier).code, hex"00"));
            if (!_refused(epoch, KEEPER, 64, proof(), where)) return "invariant 10: a verifier with other code";
        } else if (kind == 8) {
            bytes memory bad = proof();
            bad[seed % commitments.length] ^= 0x01;
            if (!_refused(epoch, KEEPER, 64, bad, where)) return "invariant 10: other commitments";
        } else if (kind == 9) {
            vm.prank(OWNER);
            registry.retire(modelId);
            if (!_refused(epoch, KEEPER, 64, proof(), where)) return "invariant 10: a retired model";
        } else if (kind == 10) {
            int256 big = int256(OUTPUT_BOUND) + 1 + int256(within(seed, 0, 1e9));
            allow(epoch, big, KEEPER);
            if (!_refused(epoch, KEEPER, big, proof(), where)) return "invariant 6: an output out of range";
        } else {
            allow(epoch, 64, address(0));
            if (!_refused(epoch, address(0), 64, proof(), where)) return "invariant 12: a proof for nobody";
        }
        return "";
    }

    function _refused(uint256 epoch, address to, int256 output, bytes memory evidence, bytes memory where)
        private
        returns (bool)
    {
        vm.prank(SENDER);
        try vault.rebalance(epoch, to, one(output), evidence, where) {
            return false;
        } catch {
            return true;
        }
    }
}
