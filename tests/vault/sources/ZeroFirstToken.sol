// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title A token that refuses to replace an allowance by another, as USDT does, and is like the code at `HONEST` otherwise
/// @dev It takes the place of a token's code in a test; balances and allowances lie as OpenZeppelin's ERC20 has them.
contract ZeroFirstToken {
    address private constant HONEST = address(0xC0DE);
    mapping(address account => uint256) private _balances;
    mapping(address account => mapping(address spender => uint256)) private _allowances;

    function approve(address spender, uint256 amount) external returns (bool) {
        require(amount == 0 || _allowances[msg.sender][spender] == 0);
        _allowances[msg.sender][spender] = amount;
        return true;
    }

    fallback() external {
        (bool done, bytes memory answer) = HONEST.delegatecall(msg.data);
        assembly {
            switch done
            case 0 { revert(add(answer, 32), mload(answer)) }
            default { return(add(answer, 32), mload(answer)) }
        }
    }
}
