// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Governors} from "./Governors.sol";
import {Keepers} from "./Keepers.sol";
import {Users} from "./Users.sol";

/// @title Everybody who acts in a campaign, on one market
contract Handler is Users, Keepers, Governors {
    function open(bool riskIsToken0_) external {
        build(riskIsToken0_);
        enter(ALICE, 900_000e6);
        enter(BOB, 50_000e6);
    }
}

/// @title One campaign: all actions at random, all promises after each
abstract contract Campaign {
    Handler internal handler;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Common things more than once, so that they are common.
    function targetSelectors() external view returns (FuzzSelector[] memory found) {
        bytes4[20] memory names = [
            Users.deposit.selector,
            Users.mint.selector,
            Users.withdraw.selector,
            Users.redeem.selector,
            Users.redeemInKind.selector,
            Users.claim.selector,
            Users.transferShares.selector,
            Users.donate.selector,
            Users.roundTrip.selector,
            Users.market.selector,
            Users.freeze.selector,
            Users.exitWithEverythingDead.selector,
            Keepers.rebalance.selector,
            Keepers.forge.selector,
            Governors.propose.selector,
            Governors.cancel.selector,
            Governors.activateEarly.selector,
            Governors.activateDue.selector,
            Governors.stop.selector,
            Governors.resume.selector
        ];
        bytes4[] memory selectors = new bytes4[](27);
        for (uint256 i = 0; i < 20; i++) selectors[i] = names[i];
        for (uint256 i = 20; i < 24; i++) selectors[i] = Keepers.rebalance.selector;
        selectors[24] = Governors.usurp.selector;
        selectors[25] = Keepers.forge.selector;
        selectors[26] = Governors.resume.selector;
        found = new FuzzSelector[](1);
        found[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_1_to_13_hold_whatever_anyone_does() external {
        handler.checkSolvency();
        string memory broken = handler.brokenPromise();
        require(bytes(broken).length == 0, broken);
    }
}

contract InvariantsTest is Campaign {
    function setUp() external {
        handler = new Handler();
        handler.open(true);
    }
}

contract FlippedInvariantsTest is Campaign {
    function setUp() external {
        handler = new Handler();
        handler.open(false);
    }
}
