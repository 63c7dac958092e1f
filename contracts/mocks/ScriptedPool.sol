// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice The observations of a pool, slot by slot, and its present state.
struct Ring {
    uint32[] stamps;
    int56[] cumulatives;
    bool[] initialized;
    int24 tick;
    uint16 index;
}

/// @title A pool whose observations a test writes
contract ScriptedPool {
    struct Observation {
        uint32 blockTimestamp;
        int56 tickCumulative;
        uint160 secondsPerLiquidityCumulativeX128;
        bool initialized;
    }

    Observation[] public observations;
    int24 private immutable _tick;
    uint16 private immutable _index;

    constructor(Ring memory ring) {
        _tick = ring.tick;
        _index = ring.index;
        for (uint256 i = 0; i < ring.stamps.length; i++) {
            observations.push(Observation(ring.stamps[i], ring.cumulatives[i], 0, ring.initialized[i]));
        }
    }

    function slot0() external view returns (uint160, int24, uint16, uint16, uint16, uint8, bool) {
        uint16 cardinality = uint16(observations.length);
        return (0, _tick, _index, cardinality, cardinality, 0, true);
    }
}
