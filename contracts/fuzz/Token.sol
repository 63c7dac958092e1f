// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token that anyone may mint, whose issuer can freeze every transfer
contract Token is ERC20 {
    uint8 private immutable _decimals;
    bool public frozen;

    error Frozen();

    constructor(string memory name_, uint8 decimals_) ERC20(name_, name_) {
        _decimals = decimals_;
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function freeze(bool on) external {
        frozen = on;
    }

    function _update(address from, address to, uint256 amount) internal virtual override {
        require(!frozen || from == address(0), Frozen());
        super._update(from, to, amount);
    }
}
