// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Position, Score} from "../interfaces/ICreditLine.sol";
import {CreditRig} from "./CreditRig.sol";

/// @title Everybody who uses a line, at random; what must hold is checked within and after every action
/// @dev Numbers are those of `contracts/README.md`. A promise that breaks is kept by its words until the campaign asks.
contract CreditHandler is CreditRig {
    uint256 private constant PROBE = 1e18;
    address[3] private borrowers = [BOB, CAROL, DAVE];
    address[2] private lenders = [ALICE, KEEPER];
    string public brokenPromise;

    function open() external {
        build();
        supply(ALICE, 200_000e6);
        for (uint256 i = 0; i < 3; i++) {
            post(borrowers[i], 10e18);
            prove(borrowers[i], BEST);
            borrow(borrowers[i], 15_000e6);
        }
    }

    function flag(bool holds, string memory claim) private {
        if (!holds && bytes(brokenPromise).length == 0) brokenPromise = claim;
    }

    // -- what is looked at

    function value(uint256 debt) private view returns (uint256) {
        return (debt * oracle.getAssetPrice(address(asset)) + 1e6 - 1) / 1e6;
    }

    function worth(address borrower) private view returns (uint256) {
        return line.positionOf(borrower).collateral * oracle.getAssetPrice(address(held)) / 1e18;
    }

    function healthy(address borrower) private view returns (bool) {
        Position memory p = line.positionOf(borrower);
        return value(line.debtOf(borrower)) <= worth(borrower) * line.tierAt(p.thresholdTier).thresholdBps / 10_000;
    }

    /// @dev What a share is worth, never lower but by a loss that is said.
    modifier lendersLoseNothing(string memory claim) {
        uint256 before = line.convertToAssets(PROBE);
        _;
        flag(line.convertToAssets(PROBE) >= before, claim);
    }

    /// @dev Invariant 14: what was just lent is what the borrower's present score allows.
    function lentWithinTerms(address borrower) private {
        Score memory s = line.scoreOf(borrower);
        Position memory p = line.positionOf(borrower);
        flag(s.modelId == registry.activeModel() && s.modelId != 0, "invariant 14: lent without a score");
        flag(block.timestamp <= s.asOf + AGE, "invariant 14: lent on a stale score");
        flag(s.tier < line.tierCount() && line.tierOf(s.value) == s.tier, "invariant 14: lent beyond the worst tier");
        flag(p.rateTier == s.tier && p.thresholdTier == s.tier, "invariant 14: lent on other terms");
        uint256 limit = worth(borrower) * line.tierAt(s.tier).ltvBps / 10_000;
        flag(value(line.debtOf(borrower)) <= limit, "invariant 14: lent more than the score allows");
    }

    // -- lenders

    function deposit(uint256 who, uint256 assets) external lendersLoseNothing("invariant 3: a deposit") {
        address lender = lenders[who % 2];
        assets = within(assets, 1, 100_000e6);
        uint256 promised = line.previewDeposit(assets);
        flag(supply(lender, assets) == promised, "invariant 2: a deposit gave other shares than previewed");
    }

    function redeem(uint256 who, uint256 part) external lendersLoseNothing("invariant 3: a redemption") {
        address lender = lenders[who % 2];
        uint256 shares = line.maxRedeem(lender) * within(part, 0, 1_000) / 1_000;
        uint256 promised = line.previewRedeem(shares);
        vm.prank(lender);
        try line.redeem(shares, lender, lender) returns (uint256 assets) {
            flag(assets == promised, "invariant 2: a redemption paid another amount than previewed");
        } catch {
            flag(false, "invariant 11: a redemption within its maximum failed");
        }
    }

    function withdraw(uint256 who, uint256 part) external lendersLoseNothing("invariant 3: a withdrawal") {
        address lender = lenders[who % 2];
        uint256 assets = line.maxWithdraw(lender) * within(part, 0, 1_000) / 1_000;
        vm.prank(lender);
        try line.withdraw(assets, lender, lender) {} catch {
            flag(false, "invariant 11: a withdrawal within its maximum failed");
        }
    }

    function donate(uint256 amount) external lendersLoseNothing("invariant 3: a donation") {
        asset.mint(address(line), within(amount, 1, 1_000e6));
    }

    function roundTrip(uint256 assets) external {
        assets = within(assets, 1, 100_000e6);
        uint256 snapshot = vm.snapshotState();
        uint256 shares = supply(KEEPER, assets);
        uint256 before = asset.balanceOf(KEEPER);
        vm.prank(KEEPER);
        uint256 got = line.redeem(shares, KEEPER, KEEPER);
        bool gained = got > assets || asset.balanceOf(KEEPER) - before != got;
        vm.revertToState(snapshot);
        flag(!gained, "invariant 2: in and out again gained value");
    }

    // -- borrowers

    function add(uint256 who, uint256 amount) external lendersLoseNothing("invariant 3: collateral added") {
        post(borrowers[who % 3], within(amount, 1, 10e18));
    }

    function remove(uint256 who, uint256 part) external lendersLoseNothing("invariant 3: collateral removed") {
        address borrower = borrowers[who % 3];
        uint256 amount = line.positionOf(borrower).collateral * within(part, 0, 1_000) / 1_000;
        bool indebted = line.debtOf(borrower) != 0;
        if (amount == 0) return;
        vm.prank(borrower);
        try line.removeCollateral(amount, borrower) {
            if (indebted) lentWithinTerms(borrower);
        } catch {
            flag(indebted, "invariant 11: collateral without debt did not come back");
        }
    }

    function borrowSome(uint256 who, uint256 assets) external lendersLoseNothing("invariant 3: a loan") {
        address borrower = borrowers[who % 3];
        assets = within(assets, 1, 30_000e6);
        uint256 before = asset.balanceOf(borrower);
        uint256 debt = line.debtOf(borrower);
        vm.prank(borrower);
        try line.borrow(assets, borrower) {
            lentWithinTerms(borrower);
            flag(asset.balanceOf(borrower) - before == assets, "invariant 2: a loan paid another amount");
            flag(line.debtOf(borrower) >= debt + assets, "invariant 2: a loan that is not owed");
        } catch {}
    }

    function repaySome(uint256 who, uint256 assets, bool all) external lendersLoseNothing("invariant 3: a repayment") {
        address borrower = borrowers[who % 3];
        uint256 debt = line.debtOf(borrower);
        if (debt == 0) return;
        assets = all ? debt : within(assets, 1, debt);
        asset.mint(borrower, assets);
        vm.startPrank(borrower);
        asset.approve(address(line), type(uint256).max);
        try line.repay(borrower, assets) returns (uint256 paid) {
            flag(paid == assets, "invariant 2: a repayment took another amount");
            uint256 left = line.debtOf(borrower);
            // A share is a whole number: what one is worth, at most.
            uint256 grain = line.indexOf(line.positionOf(borrower).rateTier) / 1e27 + 2;
            flag(left + paid >= debt && left + paid <= debt + grain, "invariant 2: a repayment counted for another amount");
            flag(!all || left == 0, "invariant 2: a debt repaid whole is still owed");
        } catch {
            flag(false, "invariant 11: a repayment failed");
        }
        vm.stopPrank();
    }

    /// @notice With oracle, registry and verifier dead, everybody repays and everything goes back where it belongs.
    function leaveWithEverythingDead() external {
        uint256 snapshot = vm.snapshotState();
        oracle.kill(true);
        vm.etch(address(registry), hex"5f5ffd");
        vm.etch(address(gate), hex"5f5ffd");
        bool through = true;
        for (uint256 i = 0; i < 3; i++) {
            uint256 debt = line.debtOf(borrowers[i]);
            if (debt != 0) repay(borrowers[i], debt);
            uint256 amount = line.positionOf(borrowers[i]).collateral;
            uint256 before = held.balanceOf(borrowers[i]);
            if (amount == 0) continue;
            vm.prank(borrowers[i]);
            line.removeCollateral(amount, borrowers[i]);
            through = through && held.balanceOf(borrowers[i]) - before == amount;
        }
        for (uint256 i = 0; i < 2; i++) {
            uint256 shares = line.balanceOf(lenders[i]);
            vm.prank(lenders[i]);
            line.redeem(shares, lenders[i], lenders[i]);
        }
        through = through && line.totalSupply() == 0 && held.balanceOf(address(line)) == 0;
        vm.revertToState(snapshot);
        flag(through, "invariant 11: not everybody got out");
    }

    // -- scores

    function score(uint256 who, uint256 seed, uint256 age) external lendersLoseNothing("invariant 3: a score") {
        address borrower = borrowers[who % 3];
        int256 new_ = -12_000 + int256(seed % 20_000);
        uint256 asOf = block.timestamp - age % AGE;
        Score memory s = line.scoreOf(borrower);
        if (asOf <= s.asOf) return;
        Position memory p = line.positionOf(borrower);
        uint256 debt = line.debtOf(borrower);
        bool fine = healthy(borrower);
        prove(borrower, new_, asOf);
        Position memory q = line.positionOf(borrower);
        uint256 tier = line.tierOf(new_);
        flag(!fine || healthy(borrower), "a score made a borrower liquidatable");
        flag(line.debtOf(borrower) >= debt && line.debtOf(borrower) <= debt + 3, "a score changed a debt");
        if (debt == 0) return;
        flag(q.thresholdTier <= p.thresholdTier, "a score lowered a threshold");
        flag(tier > p.rateTier || q.rateTier <= p.rateTier, "a better score raised a rate");
        flag(tier > p.thresholdTier || q.thresholdTier == tier, "a better score left a threshold");
    }

    function lapse(uint256 who) external lendersLoseNothing("invariant 3: a lapse") {
        address borrower = borrowers[who % 3];
        Score memory s = line.scoreOf(borrower);
        bool fine = healthy(borrower);
        try line.lapse(borrower) {
            flag(s.modelId == 0 || block.timestamp > s.asOf + AGE, "a score that was good lapsed");
            flag(line.positionOf(borrower).rateTier == 3, "a lapse left the rate");
            flag(!fine || healthy(borrower), "a lapse made a borrower liquidatable");
        } catch {
            flag(
                line.debtOf(borrower) == 0 || (s.modelId != 0 && block.timestamp <= s.asOf + AGE), "a lapse that was due"
            );
        }
    }

    /// @notice Proven but not signed, or signed but not proven.
    function forge(uint256 who, uint256 seed) external {
        address borrower = borrowers[who % 3];
        uint256 moment = block.timestamp;
        bool proven = seed % 2 == 0;
        uint256 commitment = uint256(keccak256(abi.encode(seed, proven))) % ORDER;
        bytes32 digest = line.attestationDigest(borrower, registry.activeModel(), commitment, moment, moment);
        if (proven) verifier.allow(instancesOf(commitment, borrower, BEST));
        if (proven) digest = keccak256(abi.encode(digest));
        bytes memory signature = signed(seed % 3 == 0 && proven ? 0xBAD : ATTESTER_KEY, digest);
        uint256 asOf = line.scoreOf(borrower).asOf;
        try line.proveScore(borrower, BEST, moment, commitment, moment, signature, proofBytes()) {
            flag(false, "invariant 10: a forged score was accepted");
        } catch {
            flag(line.scoreOf(borrower).asOf == asOf, "invariant 10: a refused score left a trace");
        }
    }

    // -- liquidations

    function liquidateSome(uint256 who, uint256 most) external {
        address borrower = borrowers[who % 3];
        uint256 debt = line.debtOf(borrower);
        if (debt == 0) return;
        bool fine = healthy(borrower);
        uint256 secured = worth(borrower);
        uint256 collateral = line.positionOf(borrower).collateral;
        uint256 assets = line.totalAssets();
        uint256 price = line.convertToAssets(PROBE);
        most = within(most, 1, debt);
        asset.mint(KEEPER, most);
        vm.startPrank(KEEPER);
        asset.approve(address(line), type(uint256).max);
        try line.liquidate(borrower, most) returns (uint256 repaid, uint256 seized) {
            flag(!fine, "a healthy position was liquidated");
            flag(repaid <= most && seized <= collateral, "a liquidation took more than asked");
            uint256 paid = value(repaid) * 10_500 / 10_000 + 1;
            flag(seized * oracle.getAssetPrice(address(held)) / 1e18 <= paid, "a liquidation paid more than its bonus");
            uint256 left = line.debtOf(borrower);
            bool covered = value(debt) * 10_500 / 10_000 < secured;
            bool over = line.positionOf(borrower).collateral == 0;
            flag(!over || left == 0, "debt without collateral");
            flag(over || line.convertToAssets(PROBE) >= price, "invariant 3: a liquidation without a loss");
            flag(assets <= line.totalAssets() + debt - repaid + 2, "invariant 3: a loss above the debt");
            flag(!covered || repaid <= (debt + 1) / 2 || debt <= MIN_DEBT, "a liquidation above its part");
            flag(line.scoreOf(borrower).modelId == 0, "a liquidation left the score");
        } catch {
            flag(fine, "a liquidation that was due failed");
        }
        vm.stopPrank();
    }

    // -- the world

    /// @notice Prices wander: to fall by half takes a while, so that liquidations usually come in time.
    function market(uint256 percent, uint256 pause) external {
        vm.warp(block.timestamp + within(pause, 1, 3 days));
        uint256 price = oracle.getAssetPrice(address(held)) * within(percent, 80, 125) / 100;
        oracle.set(address(held), within(price, 300e8, 9_000e8));
        oracle.set(address(asset), within(percent, 0.97e8, 1.03e8));
    }

    function crash(uint256 percent) external {
        oracle.set(address(held), oracle.getAssetPrice(address(held)) * within(percent, 40, 95) / 100 + 100e8);
    }

    // -- what holds after everything

    function checkBooks() external view {
        uint256 debts;
        uint256 collateral;
        for (uint256 i = 0; i < 3; i++) {
            debts += line.debtOf(borrowers[i]);
            collateral += line.positionOf(borrowers[i]).collateral;
        }
        uint256 total = line.totalDebt();
        isTrue(line.totalAssets() == asset.balanceOf(address(line)) + total, "invariant 1: cash and debt are the assets");
        le(total, debts, "invariant 1: the book counts more than is owed");
        le(debts, total + 3 + 4, "invariant 1: the book counts less than is owed");
        eq(held.balanceOf(address(line)), collateral, "invariant 1: collateral is there");
        uint256 shares = line.balanceOf(ALICE) + line.balanceOf(KEEPER);
        eq(line.totalSupply(), shares, "invariant 1: shares sum to the supply");
        le(line.convertToAssets(shares), line.totalAssets(), "invariant 1: shares promise more than there is");
    }
}
