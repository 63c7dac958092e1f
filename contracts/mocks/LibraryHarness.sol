// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Policy} from "../interfaces/IInferenceVault.sol";
import {Statement} from "../interfaces/IProofGate.sol";
import {Instances} from "../libraries/Instances.sol";
import {TickMath} from "../libraries/TickMath.sol";
import {Holdings, TradeMath, TradePlan} from "../libraries/TradeMath.sol";

/// @title The libraries' functions over many values in one `eth_call`
contract LibraryHarness {
    struct PlanCase {
        Holdings holdings;
        int256 weightWad;
        uint256 feePips;
        Policy policy;
    }

    function sqrtRatios(int256[] calldata ticks) external pure returns (uint256[] memory ratios) {
        ratios = new uint256[](ticks.length);
        for (uint256 i = 0; i < ticks.length; i++) ratios[i] = TickMath.sqrtRatioAtTick(ticks[i]);
    }

    function prices(int256[] calldata ticks, bool riskIsToken0) external pure returns (uint256[] memory values) {
        values = new uint256[](ticks.length);
        for (uint256 i = 0; i < ticks.length; i++) values[i] = TickMath.priceX128AtTick(ticks[i], riskIsToken0);
    }

    function floors(int256[] calldata differences, uint256[] calldata divisors)
        external
        pure
        returns (int256[] memory values)
    {
        values = new int256[](differences.length);
        for (uint256 i = 0; i < values.length; i++) values[i] = TickMath.floorDiv(differences[i], divisors[i]);
    }

    function plans(PlanCase[] calldata cases) external pure returns (TradePlan[] memory found) {
        found = new TradePlan[](cases.length);
        for (uint256 i = 0; i < cases.length; i++) {
            PlanCase calldata c = cases[i];
            found[i] = TradeMath.plan(c.holdings, c.weightWad, c.feePips, c.policy);
        }
    }

    function weights(int256[] calldata outputs, uint8[] calldata scales) external pure returns (int256[] memory found) {
        found = new int256[](outputs.length);
        for (uint256 i = 0; i < found.length; i++) found[i] = Instances.weightWad(outputs[i], scales[i]);
    }

    function instances(Statement calldata statement, uint256 inputCount, uint256 outputCount)
        external
        pure
        returns (uint256[] memory)
    {
        return Instances.build(statement, inputCount, outputCount);
    }

    function statementHash(Statement calldata statement) external view returns (bytes32) {
        return Instances.statementHash(statement);
    }
}
