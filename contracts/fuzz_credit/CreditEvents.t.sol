// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Position, Score} from "../interfaces/ICreditLine.sol";
import {Vm} from "../fuzz/Vm.sol";
import {CreditRig} from "./CreditRig.sol";

/// @title The state of a line, from its logs alone
contract CreditEventsTest is CreditRig {
    mapping(address => Position) private positions;
    mapping(address => Score) private scores;
    mapping(address => uint256) private shares;
    uint256 private supply_;
    uint256 private lent;
    uint256 private lost;
    uint256 private posted;

    function setUp() external {
        build();
    }

    function life() private {
        supply(ALICE, 100_000e6);
        vm.warp(block.timestamp + 1 days);
        openLoan(BOB, BEST, 23_900e6);
        openLoan(CAROL, WORST, 5_000e6);
        vm.warp(block.timestamp + 1 days);
        repay(CAROL, 1_000e6);
        prove(CAROL, BEST);
        oracle.set(address(held), 2_800e8);
        liquidate(BOB, 7_000e6);
        oracle.set(address(held), 1_000e8);
        liquidate(BOB, type(uint256).max);
        vm.prank(CAROL);
        line.removeCollateral(1e18, DAVE);
        vm.warp(block.timestamp + 2 * AGE);
        line.lapse(CAROL);
        vm.prank(ALICE);
        line.redeem(1e12, DAVE, ALICE);
        vm.prank(ALICE);
        line.transfer(DAVE, 3e12);
    }

    function read(Vm.Log memory log) private {
        bytes32 topic = log.topics[0];
        address who = address(uint160(uint256(log.topics[1])));
        if (topic == keccak256("PositionChanged(address,uint256,uint256,uint256,uint256)")) {
            (uint256 scaled, uint256 rate, uint256 threshold, uint256 amount) =
                abi.decode(log.data, (uint256, uint256, uint256, uint256));
            positions[who] = Position(uint128(amount), uint96(scaled), uint8(rate), uint8(threshold));
        } else if (topic == keccak256("ScoreAccepted(address,bytes32,int256,uint256,uint256,int256[])")) {
            (int256 score, uint256 tier, uint256 asOf,) = abi.decode(log.data, (int256, uint256, uint256, int256[]));
            scores[who] = Score(log.topics[2], int128(score), uint64(asOf), uint8(tier));
        } else if (topic == keccak256("ScoreEnded(address,uint256)")) {
            (scores[who].modelId, scores[who].asOf) = (0, uint64(abi.decode(log.data, (uint256))));
        } else if (topic == keccak256("Transfer(address,address,uint256)")) {
            uint256 amount = abi.decode(log.data, (uint256));
            if (who == address(0)) supply_ += amount;
            else shares[who] -= amount;
            address to = address(uint160(uint256(log.topics[2])));
            if (to == address(0)) supply_ -= amount;
            else shares[to] += amount;
        } else if (topic == keccak256("CollateralAdded(address,uint256)")) {
            posted += abi.decode(log.data, (uint256));
        } else if (topic == keccak256("CollateralRemoved(address,address,uint256)")) {
            isTrue(address(uint160(uint256(log.topics[2]))) == DAVE, "to whom");
            posted -= abi.decode(log.data, (uint256));
        } else if (topic == keccak256("Borrowed(address,address,uint256)")) {
            lent += abi.decode(log.data, (uint256));
        } else if (topic == keccak256("Repaid(address,address,uint256)")) {
            lent -= abi.decode(log.data, (uint256));
        } else if (topic == keccak256("Liquidated(address,address,uint256,uint256,uint256)")) {
            (uint256 repaid, uint256 seized, uint256 writtenOff) = abi.decode(log.data, (uint256, uint256, uint256));
            posted -= seized;
            (lent, lost) = (lent - repaid, lost + writtenOff);
        }
    }

    function test_positions_scores_and_shares_follow_from_the_logs() external {
        vm.recordLogs();
        life();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) if (logs[i].emitter == address(line)) read(logs[i]);
        address[4] memory people = [ALICE, BOB, CAROL, DAVE];
        for (uint256 i = 0; i < 4; i++) {
            address who = people[i];
            bool same = keccak256(abi.encode(positions[who])) == keccak256(abi.encode(line.positionOf(who)));
            isTrue(same, "a position");
            isTrue(keccak256(abi.encode(scores[who])) == keccak256(abi.encode(line.scoreOf(who))), "a score");
            eq(shares[who], line.balanceOf(who), "shares");
        }
        eq(supply_, line.totalSupply(), "supply");
        eq(posted, held.balanceOf(address(line)), "collateral");
        isTrue(lost > 0 && line.positionOf(BOB).scaledDebt == 0, "a loss is in it");
        eq(asset.balanceOf(address(line)), 100_000e6 - lent - asset.balanceOf(DAVE), "cash: lent, repaid and redeemed");
    }

    function test_what_was_believed_is_in_the_log() external {
        vm.recordLogs();
        prove(BOB, BEST);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 commitment = commitmentOf(BOB, BEST, block.timestamp);
        eq(logs.length, 2, "two");
        isTrue(logs[0].topics[0] == keccak256("Attested(address,address,uint256,uint256)"), "attested");
        isTrue(logs[0].topics[2] == bytes32(uint256(uint160(vm.addr(ATTESTER_KEY)))), "by whom");
        isTrue(keccak256(logs[0].data) == keccak256(abi.encode(commitment, block.timestamp)), "what");
        (,,, int256[] memory inputs) = abi.decode(logs[1].data, (int256, uint256, uint256, int256[]));
        int256 felt = inputs[0] < 0 ? inputs[0] + int256(ORDER) : inputs[0];
        eq(uint256(felt), commitment, "the proof's input");
    }
}
