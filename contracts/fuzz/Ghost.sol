// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Policy} from "../interfaces/IInferenceVault.sol";
import {Rig} from "./Rig.sol";

/// @title What a campaign remembers beside the vault, and the first claim_ that was broken
abstract contract Ghost is Rig {
    uint256 internal constant Q128 = 2 ** 128;

    struct Seen {
        uint256 idle;
        uint256 held;
        uint256 supply;
        uint256 twap;
        uint256 spot;
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
    }

    function worth(uint256 amount, uint256 priceX128) internal pure returns (uint256) {
        return amount * (priceX128 >> 64) >> 64;
    }

    function nav(Seen memory s) internal pure returns (uint256) {
        return s.idle + worth(s.held, s.twap);
    }

    /// @dev Invariant 3, at the mean price before the action; exact, by cross-multiplication.
    function noHolderLost(Seen memory s) internal {
        Seen memory n = look();
        uint256 before = (s.idle << 96) + s.held * (s.twap >> 32);
        uint256 afterwards = (n.idle << 96) + n.held * (s.twap >> 32);
        flag(afterwards * s.supply >= before * n.supply, "invariant 3: the value of a share fell by a user's action");
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
