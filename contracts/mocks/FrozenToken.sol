// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {StableToken} from "./StableToken.sol";

/// @title A token whose issuer has frozen every transfer; it takes the place of `StableToken`'s code in a test
contract FrozenToken is StableToken {
    error Frozen();

    constructor() StableToken("", "") {}

    function transfer(address, uint256) public pure override returns (bool) {
        revert Frozen();
    }
}
