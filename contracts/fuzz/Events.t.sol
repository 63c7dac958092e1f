// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ExitRouter} from "../ExitRouter.sol";
import {IInferenceVault} from "../interfaces/IInferenceVault.sol";
import {IModelRegistry, Model} from "../interfaces/IModelRegistry.sol";
import {Rig} from "./Rig.sol";
import {Vm} from "./Vm.sol";

/// @title Every event, word by word: who rebuilds the state from logs has nothing else
contract EventsTest is Rig {
    function setUp() external {
        build(true);
        enter(ALICE, 900_000e6);
    }

    /// @dev The one log of `emitter` with this signature since `recordLogs`, with these indexed words and this data.
    function said(address emitter, bytes32[] memory topics, bytes memory data) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 found;
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].emitter != emitter || logs[i].topics[0] != topics[0]) continue;
            found++;
            isTrue(keccak256(abi.encode(logs[i].topics)) == keccak256(abi.encode(topics)), "indexed words");
            isTrue(keccak256(logs[i].data) == keccak256(data), "data");
        }
        eq(found, 1, "said once");
    }

    function words(bytes32 a, bytes32 b) private pure returns (bytes32[] memory w) {
        w = new bytes32[](2);
        (w[0], w[1]) = (a, b);
    }

    function words(bytes32 a, bytes32 b, bytes32 c) private pure returns (bytes32[] memory w) {
        w = new bytes32[](3);
        (w[0], w[1], w[2]) = (a, b, c);
    }

    function words(bytes32 a, address b, address c, address d) private pure returns (bytes32[] memory w) {
        w = new bytes32[](4);
        (w[0], w[1], w[2], w[3]) = (a, word(b), word(c), word(d));
    }

    function word(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function test_the_registry_tells_each_step() external {
        Model memory m = model();
        m.bundleHash = keccak256("next");
        bytes32 id = keccak256(abi.encode(m));
        vm.recordLogs();
        vm.prank(OWNER);
        registry.propose(m);
        said(
            address(registry),
            words(IModelRegistry.ModelProposed.selector, id),
            abi.encode(block.timestamp + DELAY, m)
        );
        vm.recordLogs();
        vm.prank(GUARDIAN);
        registry.cancel(id);
        said(address(registry), words(IModelRegistry.ModelCancelled.selector, id), "");
        vm.recordLogs();
        activate(m);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        isTrue(logs[1].topics[0] == IModelRegistry.ModelRetired.selector && logs[1].topics[1] == modelId, "retired");
        isTrue(logs[2].topics[0] == IModelRegistry.ModelActivated.selector && logs[2].topics[1] == id, "activated");
        vm.recordLogs();
        vm.prank(OWNER);
        registry.retire(id);
        said(address(registry), words(IModelRegistry.ModelRetired.selector, id), "");
    }

    function test_entries_and_exits_are_told() external {
        fund(BOB, 1e12);
        vm.recordLogs();
        vm.prank(BOB);
        uint256 shares = vault.deposit(5e9, ALICE);
        bytes32[] memory w = words(IERC4626.Deposit.selector, word(BOB), word(ALICE));
        said(address(vault), w, abi.encode(uint256(5e9), shares));
        vm.recordLogs();
        vm.prank(BOB);
        uint256 assets = vault.mint(3e15, BOB);
        said(address(vault), words(IERC4626.Deposit.selector, word(BOB), word(BOB)), abi.encode(assets, uint256(3e15)));
        vm.prank(ALICE);
        vault.approve(BOB, type(uint256).max);
        vm.recordLogs();
        vm.prank(BOB);
        assets = vault.redeem(1e15, KEEPER, ALICE);
        said(address(vault), words(IERC4626.Withdraw.selector, BOB, KEEPER, ALICE), abi.encode(assets, uint256(1e15)));
        vm.recordLogs();
        vm.prank(BOB);
        shares = vault.withdraw(1e9, KEEPER, ALICE);
        said(address(vault), words(IERC4626.Withdraw.selector, BOB, KEEPER, ALICE), abi.encode(uint256(1e9), shares));
        asset.freeze(true);
        vm.recordLogs();
        vm.prank(ALICE);
        (assets,) = vault.redeemInKind(1e15, KEEPER, ALICE);
        said(
            address(vault),
            words(IInferenceVault.Owed.selector, word(address(asset)), word(KEEPER)),
            abi.encode(assets)
        );
        asset.freeze(false);
        vm.recordLogs();
        vault.claim(address(asset), KEEPER);
        said(
            address(vault),
            words(IInferenceVault.Claimed.selector, word(address(asset)), word(KEEPER)),
            abi.encode(assets)
        );
    }

    function test_stops_and_resumptions_are_told() external {
        vm.recordLogs();
        vm.prank(GUARDIAN);
        vault.stopTrading();
        said(address(vault), words(IInferenceVault.TradingStopped.selector, word(GUARDIAN)), "");
        vm.recordLogs();
        vm.prank(OWNER);
        vault.scheduleResume();
        bytes32[] memory w = new bytes32[](1);
        w[0] = IInferenceVault.ResumeScheduled.selector;
        said(address(vault), w, abi.encode(block.timestamp + DELAY));
        vm.warp(block.timestamp + DELAY);
        uint256 peak = (navNow() + 1) * 2 ** 64 / (vault.totalSupply() + 1e6);
        vm.recordLogs();
        vault.resumeTrading();
        w[0] = IInferenceVault.TradingResumed.selector;
        said(address(vault), w, abi.encode(peak));
        vm.prank(address(vault));
        asset.transfer(BOB, 500_000e6);
        uint256 epoch = closeEpoch(30);
        allow(epoch, 6, KEEPER);
        vm.recordLogs();
        rebalance(epoch, 6);
        said(address(vault), words(IInferenceVault.TradingStopped.selector, word(address(vault))), "");
    }

    function test_rewards_and_shares_of_gains_are_told() external {
        keep(6);
        uint256 before = asset.balanceOf(KEEPER);
        vm.recordLogs();
        uint256 epoch = keep(6);
        uint256 paid = asset.balanceOf(KEEPER) - before;
        said(
            address(vault), words(IInferenceVault.RewardPaid.selector, bytes32(epoch), word(KEEPER)), abi.encode(paid)
        );
        asset.mint(address(vault), 200_000e6);
        uint256 nav = vault.totalAssets();
        uint256 supply = vault.totalSupply() + 1e6;
        vm.recordLogs();
        epoch = keep(6);
        uint256 shares = vault.balanceOf(FEE_TAKER);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 found;
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] != IInferenceVault.PerformanceFeePaid.selector) continue;
            found++;
            isTrue(logs[i].topics[1] == bytes32(epoch) && logs[i].topics[2] == word(FEE_TAKER), "to whom");
            (uint256 minted, uint256 assets) = abi.decode(logs[i].data, (uint256, uint256));
            eq(minted, shares, "shares");
            // The shares stand for a tenth of the gain: `assets` of the value before, less one for the virtual unit.
            uint256 expected = assets * supply / (nav + 1 - assets);
            isTrue(minted <= expected + expected / 1e4 && minted + expected / 1e4 >= expected, "assets");
        }
        eq(found, 1, "said once");
    }

    function test_the_router_tells_who_left_with_what() external {
        ExitRouter router = ExitRouter(deployed("ExitRouter", ""));
        vm.startPrank(ALICE);
        vault.approve(address(router), type(uint256).max);
        vm.recordLogs();
        uint256 assets =
            router.cashOut(vault, venue, 1e15, 0, KEEPER, block.timestamp, ExitRouter.Permit(0, bytes32(0), bytes32(0)));
        bytes32[] memory w = words(ExitRouter.CashedOut.selector, word(address(vault)), word(ALICE));
        said(address(router), w, abi.encode(KEEPER, uint256(1e15), assets));
    }
}
