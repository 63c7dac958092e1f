// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {CreditFeatures, Present} from "../credit/CreditFeatures.sol";
import {History} from "../interfaces/IPublicCreditLine.sol";

/// @title Features of many histories in one `eth_call`
contract CreditFeaturesHarness {
    function encodeMany(History[] calldata histories, Present[] calldata moments)
        external
        pure
        returns (bytes32[] memory codes)
    {
        codes = new bytes32[](histories.length);
        for (uint256 i = 0; i < codes.length; i++) codes[i] = CreditFeatures.encode(histories[i], moments[i]);
    }

    function definition() external pure returns (string memory) {
        return CreditFeatures.DEFINITION;
    }
}
