// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {CreditFeatures} from "../credit/CreditFeatures.sol";
import {BlockHeader, LogProof, ProvenLog} from "../interfaces/IInputAnchor.sol";
import {IInputSource} from "../interfaces/IInputSource.sol";
import {IPrivateCreditLine} from "../interfaces/IPrivateCreditLine.sol";
import {IPublicCreditLine} from "../interfaces/IPublicCreditLine.sol";
import {CreditRig} from "./CreditRig.sol";

/// @title An anchor that has seen one log
contract ScriptedAnchor {
    uint256 private _number;
    ProvenLog private _log;

    function show(uint256 number, address emitter, bytes32[] memory topics, bytes memory data) external {
        _number = number;
        _log = ProvenLog(emitter, topics, data);
    }

    function verifyLog(LogProof calldata) external view returns (BlockHeader memory header, ProvenLog memory) {
        header.number = _number;
        return (header, _log);
    }
}

/// @title A public credit line, and honest scores of what it counted
abstract contract PublicRig is CreditRig {
    address internal constant POOL = address(0xAA7E);
    uint256 internal constant DAY = 86_400;
    ScriptedAnchor internal anchor;
    IPublicCreditLine internal open;

    function setUp() external {
        build();
        anchor = new ScriptedAnchor();
        address made = deployed("PublicCreditLine", abi.encode(config(), anchor, POOL));
        open = IPublicCreditLine(made);
        line = IPrivateCreditLine(made);
        supply(ALICE, 1_000_000e6);
        vm.warp((block.timestamp / DAY + 2) * DAY);
    }

    function newSpec() internal override returns (IInputSource) {
        return IInputSource(deployed("FeatureSpec", abi.encode(CreditFeatures.DEFINITION, 18, 255)));
    }

    function code(bytes32 codes, uint256 place) internal pure returns (uint256) {
        return uint8(codes[place]);
    }

    function allowOpen(address borrower, bytes32 codes, int256 score) internal {
        uint256[] memory found = new uint256[](28);
        for (uint256 i = 0; i < 18; i++) found[i] = uint8(codes[i]);
        for (uint256 i = 0; i < 9; i++) found[18 + i] = (uint160(borrower) / 2 ** (18 * i)) % 2 ** 18;
        found[27] = score < 0 ? ORDER - uint256(-score) : uint256(score);
        verifier.allow(found);
    }

    function proveOpen(address borrower, int256 score) internal {
        vm.warp(block.timestamp + 600);
        allowOpen(borrower, open.takeSnapshot(borrower), score);
        vm.prank(KEEPER);
        open.proveScore(borrower, score, proofBytes());
    }
}
