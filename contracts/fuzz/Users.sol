// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ghost} from "./Ghost.sol";

/// @title What holders and outsiders do
abstract contract Users is Ghost {
    function deposit(uint256 who, uint256 assets) external {
        address actor = actors[who % 3];
        assets = within(assets, 1, 300_000e6);
        fund(actor, assets);
        Seen memory s = begin();
        uint256 most = vault.maxDeposit(actor);
        uint256 promised = vault.previewDeposit(assets);
        vm.prank(actor);
        try vault.deposit(assets, actor) returns (uint256 shares) {
            flag(assets <= most, "invariant 13: a deposit above what is open");
            flag(shares == promised, "invariant 2: a deposit gave other shares than previewed");
            movedBy(s, int256(assets), 0);
            noHolderLost(s, true, true);
        } catch {
            flag(assets > most || asset.frozen(), "invariant 2: a deposit that was promised failed");
        }
    }

    function mint(uint256 who, uint256 shares) external {
        address actor = actors[who % 3];
        shares = within(shares, 1, 1e17);
        uint256 promised = vault.previewMint(shares);
        fund(actor, promised);
        Seen memory s = begin();
        uint256 most = vault.maxMint(actor);
        vm.prank(actor);
        try vault.mint(shares, actor) returns (uint256 assets) {
            flag(assets == promised, "invariant 2: a mint took other assets than previewed");
            movedBy(s, int256(assets), 0);
            noHolderLost(s, true, true);
        } catch {
            flag(shares > most || asset.frozen(), "invariant 2: a mint that was promised failed");
        }
    }

    function withdraw(uint256 who, uint256 part) external {
        address actor = actors[who % 3];
        uint256 assets = vault.maxWithdraw(actor) * within(part, 1, 1_000) / 1_000;
        if (assets == 0) return;
        Seen memory s = begin();
        uint256 promised = vault.previewWithdraw(assets);
        uint256 before = asset.balanceOf(actor);
        vm.prank(actor);
        try vault.withdraw(assets, actor, actor) returns (uint256 shares) {
            flag(shares == promised, "invariant 2: a withdrawal burned other shares than previewed");
            flag(asset.balanceOf(actor) - before == assets, "invariant 2: a withdrawal paid another amount");
            uint256 sold = s.held - look().held;
            flag(sold == s.held * shares / settled(s), "invariant 4: a withdrawal sold more than the leaver's slice");
            noHolderLost(s, true, false);
        } catch {
            flag(asset.frozen() || risk.frozen(), "invariant 2: a withdrawal within its maximum failed");
        }
    }

    function redeem(uint256 who, uint256 part) external {
        address actor = actors[who % 3];
        uint256 shares = vault.balanceOf(actor) * within(part, 1, 1_000) / 1_000;
        if (shares == 0) return;
        Seen memory s = begin();
        uint256 most = vault.maxRedeem(actor);
        uint256 promised = vault.previewRedeem(shares);
        uint256 before = asset.balanceOf(actor);
        vm.prank(actor);
        try vault.redeem(shares, actor, actor) returns (uint256 assets) {
            flag(assets >= promised, "invariant 2: a redemption paid less than its floor");
            flag(asset.balanceOf(actor) - before == assets, "invariant 2: a redemption paid another amount");
            uint256 supply = settled(s);
            movedBy(s, -int256(s.idle * shares / supply), -int256(s.held * shares / supply));
            noHolderLost(s, true, false);
        } catch {
            bool hindered = shares > most || asset.frozen() || risk.frozen();
            flag(hindered, "invariant 2: a redemption within its maximum failed");
        }
    }

    function redeemInKind(uint256 who, uint256 part) external {
        address actor = actors[who % 3];
        uint256 shares = vault.balanceOf(actor) * within(part, 1, 1_000) / 1_000;
        Seen memory s = begin();
        vm.prank(actor);
        try vault.redeemInKind(shares, actor, actor) returns (uint256 assets, uint256 risks) {
            bool exact = assets == s.idle * shares / s.supply && risks == s.held * shares / s.supply;
            flag(exact, "invariant 4: an exit in kind paid another slice");
            movedBy(s, -int256(assets), -int256(risks));
            noHolderLost(s, false, false);
        } catch {
            flag(false, "invariant 11: an exit in kind failed");
        }
    }

    function claim(uint256 who, bool which) external {
        address token = which ? address(asset) : address(risk);
        address actor = actors[who % 3];
        uint256 due = vault.owed(token, actor);
        try vault.claim(token, actor) returns (uint256 amount) {
            flag(amount == due, "invariant 11: a claim paid another amount than owed");
        } catch {
            flag(asset.frozen() || risk.frozen(), "invariant 11: a claim failed");
        }
    }

    function transferShares(uint256 from, uint256 to, uint256 part) external {
        uint256 shares = vault.balanceOf(actors[from % 3]) * within(part, 0, 1_000) / 1_000;
        Seen memory s = begin();
        vm.prank(actors[from % 3]);
        vault.transfer(actors[to % 3], shares);
        movedBy(s, 0, 0);
    }

    function donate(bool which, uint256 amount) external {
        Seen memory s = begin();
        if (which) asset.mint(address(vault), within(amount, 1, 50_000e6));
        else risk.mint(address(vault), within(amount, 1, 15e18));
        noHolderLost(s, false, false);
    }

    /// @notice In and straight out again, by each door, gains nothing at the price that favours the caller most; nor, in a block
    ///         of one's own, after a push of the pool that is taken back, in both tokens at the price before.
    function roundTrip(uint256 who, uint256 assets, uint256 door, uint256 push) external {
        address actor = actors[who % 3];
        bool pushes = push % 3 != 0;
        // A push pays, if ever, where much more enters than it costs to push.
        assets = within(assets, 1, pushes ? 40_000_000e6 : 300_000e6);
        if (asset.frozen() || risk.frozen() || assets > vault.maxDeposit(actor)) return;
        uint256 snapshot = vm.snapshotState();
        if (pushes) vm.warp(block.timestamp + 12);
        Seen memory s = look();
        uint256 price = pushes || s.spot > s.twap ? s.spot : s.twap;
        (bool through, int256 gained) = _inAndOut(actor, assets, door, push, price);
        vm.revertToState(snapshot);
        flag(!through || gained <= 0, "invariant 2: in and out again gained value");
    }

    /// @dev A push of `push % 3`: none, down, up, by as many dollars. What it brought goes back into the pool.
    function _inAndOut(address actor, uint256 assets, uint256 door, uint256 push, uint256 price)
        private
        returns (bool through, int256 gained)
    {
        bool down = push % 3 == 1;
        uint256 dollars = within(push >> 8, 1, 2_000_000);
        uint256 amountIn = push % 3 == 0 ? 0 : down ? dollars * 1e18 / 3_000 : dollars * 1e6;
        uint256 pushed = amountIn == 0 ? 0 : swapOutside(down, amountIn);
        if (assets > vault.maxDeposit(actor)) return (false, 0);
        fund(actor, assets);
        int256 cash = -int256(asset.balanceOf(actor));
        int256 held = -int256(risk.balanceOf(actor));
        through = _there(actor, assets, door);
        cash += int256(asset.balanceOf(actor));
        held += int256(risk.balanceOf(actor));
        if (pushed != 0) {
            int256 kept = int256(swapOutside(!down, pushed)) - int256(amountIn);
            if (down) held += kept;
            else cash += kept;
        }
        gained = cash + (held < 0 ? -int256(worth(uint256(-held), price)) : int256(worth(uint256(held), price)));
    }

    function _there(address actor, uint256 assets, uint256 door) private returns (bool through) {
        vm.startPrank(actor);
        uint256 shares = vault.deposit(assets, actor);
        through = true;
        if (door % 3 == 0) {
            vault.redeemInKind(shares, actor, actor);
        } else if (door % 3 == 1) {
            try vault.redeem(shares, actor, actor) {} catch { through = false; }
        } else {
            // What `maxWithdraw` says of all shares of the actor is more than these alone can give.
            uint256 most = vault.convertToAssets(shares);
            uint256 own = vault.balanceOf(actor) - shares;
            try vault.withdraw(most, actor, actor) { through = vault.balanceOf(actor) >= own; } catch { through = false; }
        }
        vm.stopPrank();
    }

    function market(bool sell, uint256 dollars, uint256 pause) external {
        vm.warp(block.timestamp + within(pause, 60, 900));
        dollars = within(dollars, 1_000, 400_000);
        if (!asset.frozen() && !risk.frozen()) swapOutside(sell, sell ? dollars * 1e18 / 3_000 : dollars * 1e6);
    }

    /// @notice A thaw is likelier than a freeze, so that other actions have their day.
    function freeze(uint256 seed) external {
        asset.freeze(seed % 7 == 0);
        risk.freeze(seed % 7 == 1);
    }

    function exitWithEverythingDead(uint256 who, uint256 part) external {
        address actor = actors[who % 3];
        uint256 shares = vault.balanceOf(actor) * within(part, 1, 1_000) / 1_000;
        Seen memory s = begin();
        uint256 snapshot = vm.snapshotState();
        bytes memory dead = hex"5f5ffd";
        vm.prank(GUARDIAN);
        vault.stopTrading();
        vm.etch(address(pool), dead);
        vm.etch(address(venue), dead);
        vm.etch(address(registry), dead);
        vm.etch(address(gate), dead);
        vm.etch(address(source), dead);
        vm.etch(address(verifier), dead);
        vm.prank(actor);
        uint256 gas = gasleft();
        bool ok;
        try vault.redeemInKind(shares, actor, actor) returns (uint256 assets, uint256 risks) {
            gas -= gasleft();
            ok = assets == s.idle * shares / s.supply && risks == s.held * shares / s.supply && gas < 300_000;
        } catch {}
        vm.revertToState(snapshot);
        flag(ok, "invariant 11: no exit in kind with everything else dead");
    }
}
