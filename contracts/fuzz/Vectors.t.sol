// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Rig} from "./Rig.sol";

interface Files {
    function readFile(string calldata path) external view returns (string memory);
    function parseBytes(string calldata text) external pure returns (bytes memory);
}

/// @title The vectors that Python passes too; `tests.contracts.forge` wrote each as a call and its answer
contract VectorsTest is Rig {
    struct Vector {
        uint256 timestamp;
        string harness;
        bytes call;
        bytes answer;
    }

    function test_every_shared_vector_has_its_answer() external {
        Files files = Files(address(vm));
        Vector[] memory vectors = abi.decode(files.parseBytes(files.readFile("../build/forge/vectors.hex")), (Vector[]));
        isTrue(vectors.length > 30, "some");
        address libraries = deployed("LibraryHarness", "");
        address windows = deployed("WindowHarness", "");
        for (uint256 i = 0; i < vectors.length; i++) {
            Vector memory v = vectors[i];
            bool window = keccak256(bytes(v.harness)) == keccak256("WindowHarness");
            if (window) vm.warp(v.timestamp);
            (bool success, bytes memory answer) = (window ? windows : libraries).call(v.call);
            require(success && keccak256(answer) == keccak256(v.answer), ClaimFailed("vector", i, success ? 1 : 0));
        }
    }

    function test_out_of_range_is_refused_by_libraries() external {
        ILibraries libraries = ILibraries(deployed("LibraryHarness", ""));
        int256[] memory ticks = new int256[](1);
        for (int256 sign = -1; sign <= 1; sign += 2) {
            ticks[0] = sign * 887_272;
            libraries.sqrtRatios(ticks);
            ticks[0] = sign * 887_273;
            vm.expectRevert(abi.encodeWithSignature("TickOutOfRange(int256)", ticks[0]));
            libraries.sqrtRatios(ticks);
        }
    }

    function testFuzz_floor_division_rounds_down(int128 number, uint64 divisor) external {
        vm.assume(divisor != 0);
        ILibraries libraries = ILibraries(deployed("LibraryHarness", ""));
        int256[] memory numbers = new int256[](1);
        uint256[] memory divisors = new uint256[](1);
        (numbers[0], divisors[0]) = (number, divisor);
        int256 q = libraries.floors(numbers, divisors)[0];
        int256 d = int256(uint256(divisor));
        isTrue(q * d <= number && (q + 1) * d > number, "floor");
        numbers[0] = q * d;
        isTrue(libraries.floors(numbers, divisors)[0] == q, "exact");
    }
}

interface ILibraries {
    function sqrtRatios(int256[] calldata ticks) external pure returns (uint256[] memory);
    function floors(int256[] calldata numbers, uint256[] calldata divisors) external pure returns (int256[] memory);
}
