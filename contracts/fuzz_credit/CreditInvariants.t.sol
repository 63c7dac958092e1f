// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {CreditHandler} from "./CreditHandler.sol";

/// @title All actions at random, all promises after each
contract CreditInvariantsTest {
    CreditHandler private handler;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() external {
        handler = new CreditHandler();
        handler.open();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory found) {
        bytes4[] memory selectors = new bytes4[](19);
        selectors[0] = CreditHandler.deposit.selector;
        selectors[1] = CreditHandler.redeem.selector;
        selectors[2] = CreditHandler.withdraw.selector;
        selectors[3] = CreditHandler.donate.selector;
        selectors[4] = CreditHandler.roundTrip.selector;
        selectors[5] = CreditHandler.add.selector;
        selectors[6] = CreditHandler.remove.selector;
        selectors[7] = CreditHandler.borrowSome.selector;
        selectors[8] = CreditHandler.repaySome.selector;
        selectors[9] = CreditHandler.leaveWithEverythingDead.selector;
        selectors[10] = CreditHandler.score.selector;
        selectors[11] = CreditHandler.lapse.selector;
        selectors[12] = CreditHandler.forge.selector;
        selectors[13] = CreditHandler.liquidateSome.selector;
        selectors[14] = CreditHandler.market.selector;
        selectors[15] = CreditHandler.crash.selector;
        // Common things more than once, so that they are common.
        selectors[16] = CreditHandler.score.selector;
        selectors[17] = CreditHandler.borrowSome.selector;
        selectors[18] = CreditHandler.liquidateSome.selector;
        found = new FuzzSelector[](1);
        found[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_credit_books_and_promises_hold_whatever_anyone_does() external view {
        handler.checkBooks();
        string memory broken = handler.brokenPromise();
        require(bytes(broken).length == 0, broken);
    }
}
