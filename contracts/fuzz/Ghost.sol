// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IInferenceVault, Policy} from "../interfaces/IInferenceVault.sol";
import {Rig} from "./Rig.sol";
import {Vm} from "./Vm.sol";

/// @title What a campaign remembers beside the vault, and the first claim_ that was broken
abstract contract Ghost is Rig {
    uint256 internal constant Q128 = 2 ** 128;

    struct Seen {
        uint256 idle;
        uint256 held;
        uint256 supply;
        uint256 twap;
        uint256 spot;
        uint256 mark;
        uint256 taken;
    }

    address[3] internal actors = [ALICE, BOB, address(0xB0B)];
    /// @notice Empty while every claim_ is kept.
    string public brokenPromise;

    function flag(bool kept, string memory claim_) internal {
        if (!kept && bytes(brokenPromise).length == 0) brokenPromise = claim_;
    }

    /// @dev The vault's balances less what it owes, from the tokens themselves.
    function look() internal view returns (Seen memory s) {
        s.idle = asset.balanceOf(address(vault)) - vault.totalOwed(address(asset));
        s.held = risk.balanceOf(address(vault)) - vault.totalOwed(address(risk));
        s.supply = vault.totalSupply() + 1e6;
        s.twap = venue.twapX128();
        s.spot = venue.spotX128();
        (, s.mark) = vault.marksX64();
        s.taken = vault.balanceOf(FEE_TAKER);
    }

    function worth(uint256 amount, uint256 priceX128) internal pure returns (uint256) {
        return Math.mulDiv(amount, priceX128, Q128);
    }

    function nav(Seen memory s) internal pure returns (uint256) {
        return s.idle + worth(s.held, s.twap);
    }

    /// @dev What is seen before an action, whose logs are kept from here.
    function begin() internal returns (Seen memory s) {
        s = look();
        vm.recordLogs();
    }

    /// @dev The supply that gains leave once they are settled: what is due, from the mark and the value before.
    function settled(Seen memory s) internal view returns (uint256) {
        (uint256 shares,) = gains(nav(s), s.supply, s.mark, fees().performancePips);
        return s.supply + shares;
    }

    /// @dev Invariant 3, at the mean price before the action; exact, by cross-multiplication. `settles`: what was gained is
    ///      shared first, as announced, and nothing else may lower the value of a share.
    function noHolderLost(Seen memory s, bool settles, bool enters) internal {
        Seen memory n = look();
        uint256 supply = settles ? _sharedGains(s) : s.supply;
        if (settles) _checkMark(s, n, supply, enters);
        flag(n.taken == s.taken + supply - s.supply, "invariant 3: other shares for gains than are due");
        uint256 before = (s.idle << 96) + s.held * (s.twap >> 32);
        uint256 afterwards = (n.idle << 96) + n.held * (s.twap >> 32);
        flag(afterwards * supply >= before * n.supply, "invariant 3: the value of a share fell by a user's action");
    }

    /// @dev The supply with what is due for gains; that it is at most the recipient's part of the gain above the mark, and is
    ///      told.
    function _sharedGains(Seen memory s) private returns (uint256 supply) {
        uint256 pips = fees().performancePips;
        (uint256 shares, uint256 assets) = gains(nav(s), s.supply, s.mark, pips);
        supply = s.supply + shares;
        uint256 whole = (nav(s) + 1) << 64;
        uint256 paid = s.mark * s.supply;
        if (whole > paid) {
            bool fair = (nav(s) + 1) * shares * (1e6 << 64) <= (whole - paid) * pips * supply;
            flag(fair, "invariant 3: more than the recipient's part of the gain");
        }
        uint256 told;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] != IInferenceVault.PerformanceFeePaid.selector) continue;
            bool same = keccak256(logs[i].data) == keccak256(abi.encode(shares, assets));
            flag(same, "invariant 3: the share of gains was announced otherwise");
            told++;
        }
        flag(told == (_gained(s) ? 1 : 0), "invariant 3: the share of gains was not announced once");
    }

    function _gained(Seen memory s) private view returns (bool) {
        return nav(s) >= judged && ((nav(s) + 1) << 64) / s.supply > s.mark;
    }

    /// @dev What an entry pays above the mean is no gain, and one into next to nothing begins anew.
    function _checkMark(Seen memory s, Seen memory n, uint256 settledSupply_, bool enters) private {
        uint256 mark = _gained(s) ? ((nav(s) + 1) << 64) / settledSupply_ : s.mark;
        uint256 value = ((nav(n) + 1) << 64) / n.supply;
        if (enters && (value > mark || nav(s) < judged)) mark = value;
        flag(n.mark == mark, "invariant 3: the mark is not what was shared at");
    }

    /// @dev Invariant 1, from the tokens' own balances.
    function checkSolvency() public {
        uint256 sum = vault.balanceOf(FEE_TAKER);
        for (uint256 i = 0; i < actors.length; i++) sum += vault.balanceOf(actors[i]);
        flag(sum == vault.totalSupply(), "invariant 1: balances do not sum to the supply");
        uint256 assetOwed = vault.owed(address(asset), KEEPER);
        uint256 riskOwed;
        for (uint256 i = 0; i < actors.length; i++) {
            assetOwed += vault.owed(address(asset), actors[i]);
            riskOwed += vault.owed(address(risk), actors[i]);
        }
        uint256 cash = asset.balanceOf(address(vault));
        uint256 held = risk.balanceOf(address(vault));
        bool covered = cash >= assetOwed && held >= riskOwed;
        flag(covered, "invariant 1: the vault holds less than it owes");
        if (!covered) return;
        uint256 value = cash - assetOwed + ((held - riskOwed) * (venue.twapX128() >> 32) >> 96);
        flag(vault.totalAssets() <= value + 1, "invariant 1: totalAssets is more than is held");
        flag(vault.totalAssets() + 1 + value / 1e12 >= value, "invariant 1: totalAssets is less than is held");
    }

    /// @dev A violation of invariant 4 unless the vault's holdings moved by exactly these amounts.
    function movedBy(Seen memory s, int256 assets, int256 risks) internal {
        Seen memory n = look();
        flag(int256(n.held) - int256(s.held) == risks, "invariant 4: a user's action moved another's risk token");
        flag(int256(n.idle) - int256(s.idle) == assets, "invariant 4: a user's action moved another's asset");
    }

    function limits() internal pure returns (Policy memory) {
        return policy();
    }
}
