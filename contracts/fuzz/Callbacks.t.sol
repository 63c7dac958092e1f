// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IMintable} from "./Market.sol";
import {Rig} from "./Rig.sol";
import {Token} from "./Token.sol";

/// @title A token that calls whom it was told to call, before or after each of its transfers
contract CallingToken is Token {
    address private _listener;
    bool private _before;

    constructor(string memory name_, uint8 decimals_) Token(name_, decimals_) {}

    function listen(address listener, bool before) external {
        (_listener, _before) = (listener, before);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (_before && _listener != address(0)) Listener(_listener).called();
        super._update(from, to, amount);
        if (!_before && _listener != address(0)) Listener(_listener).called();
    }
}

interface Listener {
    function called() external;
}

/// @title What somebody who is called in the middle of a call of the vault sees and can do (invariant 15)
abstract contract CallbackTests is Rig, Listener {
    bytes[] private views;
    bytes[] private before;
    bytes[] private entries;
    bytes[2][] private seen;
    bool private counting;
    uint256 private calls;

    function order() internal pure virtual returns (bool);

    function setUp() external {
        vm.warp(START);
        CallingToken a = new CallingToken("USD", 6);
        CallingToken r = new CallingToken("ETH", 18);
        while ((address(r) < address(a)) != order()) r = new CallingToken("ETH", 18);
        buildWith(IMintable(address(a)), IMintable(address(r)));
        enter(ALICE, 500_000e6);
        enter(BOB, 100_000e6);
        fund(BOB, 1e12);
        keep(38);
        views = [
            abi.encodeCall(vault.totalAssets, ()),
            abi.encodeCall(vault.convertToAssets, (1e15)),
            abi.encodeCall(vault.convertToShares, (1e9)),
            abi.encodeCall(vault.previewDeposit, (1e9)),
            abi.encodeCall(vault.previewMint, (1e15)),
            abi.encodeCall(vault.previewWithdraw, (1e9)),
            abi.encodeCall(vault.previewRedeem, (1e15)),
            abi.encodeCall(vault.maxDeposit, (BOB)),
            abi.encodeCall(vault.maxMint, (BOB)),
            abi.encodeCall(vault.maxWithdraw, (BOB)),
            abi.encodeCall(vault.maxRedeem, (BOB)),
            abi.encodeCall(vault.riskWeightWad, ()),
            abi.encodeCall(vault.marksX64, ())
        ];
        entries = [
            abi.encodeCall(vault.deposit, (1, address(this))),
            abi.encodeCall(vault.mint, (1, address(this))),
            abi.encodeCall(vault.withdraw, (0, address(this), address(this))),
            abi.encodeCall(vault.redeem, (0, address(this), address(this))),
            abi.encodeCall(vault.redeemInKind, (0, address(this), address(this))),
            abi.encodeWithSignature("deposit(uint256,address,uint256)", 1, address(this), 0),
            abi.encodeWithSignature("mint(uint256,address,uint256)", 1, address(this), 1e6),
            abi.encodeWithSignature("withdraw(uint256,address,address,uint256)", 0, address(this), address(this), 0),
            abi.encodeWithSignature("redeem(uint256,address,address,uint256)", 0, address(this), address(this), 0),
            abi.encodeCall(vault.claim, (address(asset), address(this))),
            abi.encodeCall(vault.resumeTrading, ()),
            abi.encodeCall(vault.rebalance, (latest(), KEEPER, one(38), proof(), hints(latest())))
        ];
    }

    function called() external {
        if (!counting) return;
        calls++;
        for (uint256 i = 0; i < views.length; i++) {
            (bool answered, bytes memory answer) = address(vault).staticcall(views[i]);
            if (answered) seen.push([abi.encode(i), answer]);
        }
        bytes32 guard = keccak256(abi.encodeWithSignature("ReentrancyGuardReentrantCall()"));
        for (uint256 i = 0; i < entries.length; i++) {
            (bool entered, bytes memory reason) = address(vault).call(entries[i]);
            isTrue(!entered && keccak256(reason) == guard, "invariant 15: an entry point was entered again");
        }
    }

    /// @dev Acts as `actor` while each token calls back before or after its transfers, and compares what was seen in between
    ///      with what was so before and after.
    function act(address actor, bytes memory data) private {
        for (uint256 kind = 0; kind < 4; kind++) {
            uint256 snapshot = vm.snapshotState();
            CallingToken token = CallingToken(address(kind < 2 ? asset : risk));
            token.listen(address(this), kind % 2 == 0);
            before = new bytes[](views.length);
            for (uint256 i = 0; i < views.length; i++) (, before[i]) = address(vault).staticcall(views[i]);
            counting = true;
            vm.prank(actor);
            (bool success, bytes memory reason) = address(vault).call(data);
            counting = false;
            isTrue(success, string(reason));
            isTrue(calls > 0 || kind > 1, "the token called");
            for (uint256 i = 0; i < seen.length; i++) {
                uint256 which = abi.decode(seen[i][0], (uint256));
                (, bytes memory afterwards) = address(vault).staticcall(views[which]);
                bytes32 found = keccak256(seen[i][1]);
                bool consistent = found == keccak256(before[which]) || found == keccak256(afterwards);
                isTrue(consistent, "invariant 15: a view showed what neither was nor came to be");
            }
            vm.revertToState(snapshot);
        }
    }

    function test_invariant_15_during_an_exit_in_kind() external {
        act(BOB, abi.encodeCall(vault.redeemInKind, (1e16, BOB, BOB)));
    }

    function test_invariant_15_during_a_redemption() external {
        act(BOB, abi.encodeCall(vault.redeem, (1e16, BOB, BOB)));
    }

    function test_invariant_15_during_a_withdrawal() external {
        act(BOB, abi.encodeCall(vault.withdraw, (1e9, BOB, BOB)));
    }

    function test_invariant_15_during_a_deposit_and_a_mint() external {
        act(BOB, abi.encodeCall(vault.deposit, (1e9, BOB)));
        act(BOB, abi.encodeCall(vault.mint, (1e15, BOB)));
    }

    function test_invariant_15_during_a_rebalance() external {
        uint256 epoch = closeEpoch(30);
        allow(epoch, 16, KEEPER);
        act(SENDER, abi.encodeCall(vault.rebalance, (epoch, KEEPER, one(16), proof(), hints(epoch))));
    }
}

contract CallbacksTest is CallbackTests {
    function order() internal pure override returns (bool) {
        return true;
    }
}

contract FlippedCallbacksTest is CallbackTests {
    function order() internal pure override returns (bool) {
        return false;
    }
}
