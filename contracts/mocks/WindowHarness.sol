// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {TickWindow, WindowSpec} from "../TickWindow.sol";
import {IUniswapV3Pool} from "../interfaces/IUniswapV3.sol";
import {Ring, ScriptedPool} from "./ScriptedPool.sol";

/// @title Reads many windows over one scripted pool in one `eth_call`
contract WindowHarness {
    struct Case {
        uint32 barSeconds;
        uint32 count;
        uint32 clip;
        int8 sign;
        uint256 epochEnd;
        bytes hints;
    }

    /// @return inputs What each window returned, empty where it reverted.
    /// @return errors What each window reverted with, empty where it returned.
    function readMany(Ring calldata ring, Case[] calldata cases)
        external
        returns (int256[][] memory inputs, bytes[] memory errors)
    {
        IUniswapV3Pool pool = IUniswapV3Pool(address(new ScriptedPool(ring)));
        inputs = new int256[][](cases.length);
        errors = new bytes[](cases.length);
        for (uint256 i = 0; i < cases.length; i++) {
            Case calldata c = cases[i];
            // A great block time, so that the check of cardinality, which has tests of its own, does not refuse.
            TickWindow window =
                new TickWindow(WindowSpec(pool, c.barSeconds, c.count, c.clip, c.sign, 7), 0, type(uint64).max);
            try window.read(c.epochEnd, c.hints) returns (int256[] memory values) {
                inputs[i] = values;
            } catch (bytes memory reason) {
                errors[i] = reason;
            }
        }
    }
}
