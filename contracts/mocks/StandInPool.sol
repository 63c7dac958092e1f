// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Says that it is a pool of two tokens, but no factory made it
contract StandInPool {
    address public immutable token0;
    address public immutable token1;
    uint24 public immutable fee;

    constructor(address tokenA, address tokenB, uint24 fee_) {
        (token0, token1) = tokenA < tokenB ? (tokenA, tokenB) : (tokenB, tokenA);
        fee = fee_;
    }
}
