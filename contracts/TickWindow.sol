// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IInputSource} from "./interfaces/IInputSource.sol";
import {IUniswapV3Pool} from "./interfaces/IUniswapV3.sol";
import {TickMath} from "./libraries/TickMath.sol";

/// @notice Definition of a window: see Python's `vaultkit.window.WindowSpec`.
/// @param clip Bound of an input in ticks.
/// @param sign +1 where the risk token is token0, -1 where it is token1.
/// @param inputScale The model sees `x / 2**inputScale`.
struct WindowSpec {
    IUniswapV3Pool pool;
    uint32 barSeconds;
    uint32 count;
    uint32 clip;
    int8 sign;
    uint8 inputScale;
}

/// @title Differences of mean ticks per bar, from the pool's own cumulatives
/// @notice A hint is the index of the last observation at or before its point, two bytes, big-endian, newest point first.
/// @dev Ticks are constant between two neighbouring observations, so interpolation between them is exact. Reading
///      observations by checked hints costs about a quarter of `pool.observe`.
contract TickWindow is IInputSource {
    uint256 public constant MIN_COUNT = 4;
    uint256 public constant MAX_COUNT = 32;
    uint256 public constant MAX_BAR_SECONDS = 1 days;
    uint256 public constant MAX_INPUT_SCALE = 20;

    IUniswapV3Pool public immutable pool;
    uint256 public immutable barSeconds;
    /// @inheritdoc IInputSource
    uint256 public immutable count;
    /// @inheritdoc IInputSource
    uint256 public immutable bound;
    int256 public immutable sign;
    uint256 public immutable inputScale;
    /// @inheritdoc IInputSource
    bytes32 public immutable specHash;

    error SpecInvalid(WindowSpec spec);
    error PoolHasNoCode(address pool);
    error BlockSecondsZero();
    /// @notice The pool keeps fewer observations than the window and the age of an epoch can need.
    error CardinalityTooSmall(uint256 got, uint256 expected);

    /// @dev The pool's ring of observations, and the one that was read last with its successor.
    struct Ring {
        int256 tick;
        uint256 index;
        uint256 cardinality;
        uint256 hint;
        uint256 age;
        int256 value;
        uint256 nextAge;
        int256 nextValue;
    }

    /// @param maxAge Seconds after an epoch's end in which it may be read.
    /// @param blockSeconds Least time expected between two observations; a fifth is kept in reserve.
    constructor(WindowSpec memory spec, uint256 maxAge, uint256 blockSeconds) {
        require(
            spec.barSeconds != 0 && spec.barSeconds <= MAX_BAR_SECONDS && spec.count >= MIN_COUNT
                && spec.count <= MAX_COUNT && spec.clip != 0 && spec.clip <= TickMath.MAX_TICK && (spec.sign == 1 || spec.sign == -1)
                && spec.inputScale <= MAX_INPUT_SCALE,
            SpecInvalid(spec)
        );
        require(blockSeconds != 0, BlockSecondsZero());
        require(address(spec.pool).code.length != 0, PoolHasNoCode(address(spec.pool)));
        pool = spec.pool;
        barSeconds = spec.barSeconds;
        count = spec.count;
        bound = spec.clip;
        sign = spec.sign;
        inputScale = spec.inputScale;
        specHash = keccak256(
            abi.encode(spec.pool, spec.barSeconds, spec.count, spec.clip, spec.sign, spec.inputScale)
        );
        uint256 reach = (uint256(spec.count) + 1) * spec.barSeconds + maxAge;
        uint256 needed = (reach * 6) / (blockSeconds * 5) + 1;
        (,,, uint16 cardinality,,,) = spec.pool.slot0();
        require(cardinality >= needed, CardinalityTooSmall(cardinality, needed));
    }

    /// @inheritdoc IInputSource
    function read(uint256 epochEnd, bytes calldata hints) external view returns (int256[] memory inputs) {
        uint256 n = count;
        require(hints.length == 2 * (n + 2), HintsLength(hints.length, 2 * (n + 2)));
        uint256 lookback = (n + 1) * barSeconds;
        // Ages are compared modulo 2**32 as the pool does, so a point must not be older than that.
        require(
            epochEnd <= block.timestamp && epochEnd >= lookback
                && block.timestamp - (epochEnd - lookback) <= type(uint32).max,
            WindowUnavailable(epochEnd, block.timestamp)
        );
        int256[] memory points = _cumulatives(epochEnd, hints);
        inputs = new int256[](n);
        uint256 bar = barSeconds;
        bool flipped = sign < 0;
        int256 newer = TickMath.floorDiv(points[0] - points[1], bar);
        // Cumulatives have 56 bits and means 24, so nothing here can overflow.
        unchecked {
            for (uint256 i = 0; i < n; i++) {
                int256 older = TickMath.floorDiv(points[i + 1] - points[i + 2], bar);
                int256 value = _clip(newer - older);
                inputs[i] = flipped ? -value : value;
                newer = older;
            }
        }
    }

    /// @dev The pool's cumulatives at the points of the window, newest first. Neighbouring points often lie between the same
    ///      observations, or one's successor is the other's predecessor: what was read for the last point is not read again.
    function _cumulatives(uint256 epochEnd, bytes calldata hints) private view returns (int256[] memory points) {
        Ring memory ring;
        (, ring.tick, ring.index, ring.cardinality,,,) = pool.slot0();
        ring.hint = type(uint256).max;
        uint256 length = count + 2;
        uint256 bar = barSeconds;
        uint256 age = block.timestamp - epochEnd;
        points = new int256[](length);
        // An age is at most `type(uint32).max`: `read` has refused older windows.
        unchecked {
            for (uint256 i = 0; i < length; i++) {
                uint256 hint = (uint256(uint8(hints[2 * i])) << 8) | uint8(hints[2 * i + 1]);
                if (hint != ring.hint) _move(ring, i, hint);
                points[i] = _cumulative(ring, age, i);
                age += bar;
            }
        }
    }

    /// @dev Reads the hinted observation, and its successor where that is not the one read before.
    function _move(Ring memory ring, uint256 point, uint256 hint) private view {
        require(hint < ring.cardinality, HintRejected(point, hint));
        uint256 next = hint + 1 == ring.cardinality ? 0 : hint + 1;
        bool known = next == ring.hint;
        ring.hint = hint;
        if (hint == ring.index) {
            (ring.age, ring.value) = _observation(hint, point, hint);
            return;
        }
        (ring.nextAge, ring.nextValue) = known ? (ring.age, ring.value) : _observation(next, point, hint);
        (ring.age, ring.value) = _observation(hint, point, hint);
    }

    /// @dev The pool's cumulative `age` seconds ago, from the hinted observation and its successor.
    function _cumulative(Ring memory ring, uint256 age, uint256 point) private pure returns (int256) {
        uint256 ageBefore = ring.age;
        require(ageBefore >= age, HintRejected(point, ring.hint));
        // Ages have 32 bits, cumulatives 56 and ticks 24.
        unchecked {
            int256 elapsed = int256(ageBefore - age);
            if (ring.hint == ring.index) return ring.value + ring.tick * elapsed;
            require(ring.nextAge < age, HintRejected(point, ring.hint));
            return ring.value + ((ring.nextValue - ring.value) / int256(ageBefore - ring.nextAge)) * elapsed;
        }
    }

    function _observation(uint256 index, uint256 point, uint256 hint) private view returns (uint256 age, int256 value) {
        (uint32 stamp, int56 tickCumulative,, bool initialized) = pool.observations(index);
        require(initialized, HintRejected(point, hint));
        unchecked {
            age = uint32(block.timestamp) - stamp;
        }
        value = tickCumulative;
    }

    function _clip(int256 value) private view returns (int256) {
        int256 e = int256(bound);
        if (value > e) return e;
        return value < -e ? -e : value;
    }
}
