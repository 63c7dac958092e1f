// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IProofGate, Statement} from "../interfaces/IProofGate.sol";

/// @title A gate that believes everything, and calls back while it is asked
contract ReentrantGate is IProofGate {
    bytes private _call;

    function arm(bytes calldata call_) external {
        _call = call_;
    }

    function accept(Statement calldata statement, bytes calldata) external returns (bytes4) {
        if (_call.length != 0) {
            (bool success, bytes memory reason) = statement.vault.call(_call);
            require(success, Refused(reason));
        }
        return IProofGate.accept.selector;
    }

    error Refused(bytes reason);
}

/// @title A gate that answers with something else than the selector
contract UndecidedGate is IProofGate {
    function accept(Statement calldata, bytes calldata) external pure returns (bytes4) {
        return bytes4(0x01020304);
    }
}
