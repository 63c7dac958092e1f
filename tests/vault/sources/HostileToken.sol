// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title A token that is honest or hostile in one way, named by `kind`
contract HostileToken {
    enum Kind {
        Honest,
        FeeOnTransfer,
        RebasesWithTime,
        ReturnsFalse,
        ReturnsNothing,
        RefusesTransfers,
        TakesMoreFromSender,
        FeeOnTheWayBack,
        FeeOnTransferFrom,
        RefusesTransferFrom,
        FalseForTransferFrom,
        TransferFromForAnybody,
        RefusesApprovals,
        HasRebasedUp,
        HasRebasedDown
    }

    Kind private immutable _kind;
    uint256 private immutable _born = block.timestamp;
    address private immutable _maker = msg.sender;
    mapping(address account => uint256) private _held;
    mapping(address account => mapping(address spender => uint256)) private _approved;

    event Transfer(address indexed from, address indexed to, uint256 amount);

    constructor(Kind kind) {
        _kind = kind;
        _held[msg.sender] = 1e24;
    }

    function balanceOf(address account) external view returns (uint256) {
        uint256 held = _held[account];
        if (_kind == Kind.HasRebasedUp) return held + held / 1000;
        if (_kind == Kind.HasRebasedDown) return held - held / 1000;
        return _kind == Kind.RebasesWithTime ? held + held * (block.timestamp - _born) / 365 days / 20 : held;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        require(_kind != Kind.RefusesTransfers);
        bool back = _kind == Kind.FeeOnTheWayBack && msg.sender != _maker;
        _held[msg.sender] -= _kind == Kind.TakesMoreFromSender ? amount + 1 : amount;
        _held[to] += _kind == Kind.FeeOnTransfer || back ? amount - amount / 1000 : amount;
        emit Transfer(msg.sender, to, amount);
        if (_kind == Kind.ReturnsNothing) {
            assembly {
                return(0, 0)
            }
        }
        return _kind != Kind.ReturnsFalse;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        require(_kind != Kind.RefusesApprovals);
        _approved[msg.sender][spender] = amount;
        if (_kind == Kind.ReturnsNothing) {
            assembly {
                return(0, 0)
            }
        }
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        require(_kind != Kind.RefusesTransferFrom);
        if (_kind != Kind.TransferFromForAnybody) _approved[from][msg.sender] -= amount;
        _held[from] -= amount;
        _held[to] += _kind == Kind.FeeOnTransferFrom ? amount - amount / 1000 : amount;
        emit Transfer(from, to, amount);
        if (_kind == Kind.ReturnsNothing) {
            assembly {
                return(0, 0)
            }
        }
        return _kind != Kind.FalseForTransferFrom;
    }
}
