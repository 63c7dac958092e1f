// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

enum Quirk {
    None,
    NoReturn,
    ReturnsFalse,
    ReturnsMore,
    Paused,
    Blacklists,
    TakesFee,
    MovesMore,
    RefusesZero,
    RefusesReapproval,
    BurnsGas,
    Shrinks,
    Grows
}

/// @title A token with one quirk at a time; it may be put on later, as an upgradable token's owner may
contract QuirkyToken {
    uint8 public immutable decimals;
    uint256 public totalSupply;
    Quirk public quirk;
    address public blacklisted;
    mapping(address => uint256) private _balances;
    mapping(address => mapping(address => uint256)) public allowance;

    error Refused(Quirk quirk);

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function become(Quirk quirk_, address blacklisted_) external {
        (quirk, blacklisted) = (quirk_, blacklisted_);
    }

    function name() external pure returns (string memory) {
        return "Quirky";
    }

    function symbol() external pure returns (string memory) {
        return "QRK";
    }

    function frozen() external view returns (bool) {
        return quirk == Quirk.Paused;
    }

    function balanceOf(address account) external view returns (uint256) {
        uint256 balance = _balances[account];
        if (quirk == Quirk.Shrinks) return balance - balance / 10;
        return quirk == Quirk.Grows ? balance + balance / 10 : balance;
    }

    function mint(address account, uint256 amount) external {
        _balances[account] += amount;
        totalSupply += amount;
    }

    /// @dev `transfer`, `transferFrom` and `approve`, whose answers the quirk chooses.
    fallback(bytes calldata data) external returns (bytes memory) {
        if (bytes4(data) == 0x095ea7b3) {
            (address spender, uint256 amount) = abi.decode(data[4:], (address, uint256));
            bool again = amount != 0 && allowance[msg.sender][spender] != 0;
            require(quirk != Quirk.RefusesReapproval || !again, Refused(quirk));
            require(quirk != Quirk.RefusesZero || amount != 0, Refused(quirk));
            allowance[msg.sender][spender] = amount;
            return _answer(true);
        }
        if (bytes4(data) == 0xa9059cbb) {
            (address receiver, uint256 amount) = abi.decode(data[4:], (address, uint256));
            return _answer(_move(msg.sender, receiver, amount));
        }
        require(bytes4(data) == 0x23b872dd, "no such function");
        (address from, address to, uint256 value) = abi.decode(data[4:], (address, address, uint256));
        if (allowance[from][msg.sender] != type(uint256).max) allowance[from][msg.sender] -= value;
        return _answer(_move(from, to, value));
    }

    function _answer(bool done) private view returns (bytes memory) {
        if (quirk == Quirk.NoReturn) return "";
        if (quirk == Quirk.ReturnsMore) return abi.encode(done, uint256(7));
        return abi.encode(done);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        if (quirk == Quirk.BurnsGas) while (true) {}
        bool refuses = quirk == Quirk.Paused || (quirk == Quirk.Blacklists && to == blacklisted)
            || (quirk == Quirk.RefusesZero && amount == 0);
        if (quirk == Quirk.ReturnsFalse && (to == blacklisted || _balances[from] < amount)) return false;
        require(!refuses, Refused(quirk));
        uint256 taken = quirk == Quirk.MovesMore ? amount + amount / 100 : amount;
        _balances[from] -= taken;
        _balances[to] += quirk == Quirk.TakesFee ? amount - amount / 100 : taken;
        return true;
    }
}
