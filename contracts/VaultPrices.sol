// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IVenue} from "./interfaces/IVenue.sol";

/// @title What a vault reads of its venue: asset units per risk unit times 2**128
/// @notice Each price is against whoever could move it; a venue that does not answer closes the entries, and no exit
///         in kind.
abstract contract VaultPrices {
    /// @dev Gas of a question to the venue that may fail: one that burns all it gets leaves enough for the next.
    uint256 internal constant VIEW_GAS = 500_000;

    IVenue internal immutable _venue;
    /// @notice The last mean price that a trade used.
    uint256 public lastTwapX128;

    error VenueHasNoCode(address venue);

    constructor(IVenue venue_) {
        _venue = venue_;
        lastTwapX128 = venue_.twapX128();
    }

    /// @dev Asked before all else, so that a venue without code is refused by name.
    function _assetOf(IVenue venue_) internal view returns (address) {
        require(address(venue_).code.length != 0, VenueHasNoCode(address(venue_)));
        return venue_.asset();
    }

    /// @dev The mean, or the last one that a trade used where it cannot be read.
    function _meanX128() internal view returns (uint256) {
        (bool live, uint256 price) = _tryTwap();
        return live ? price : lastTwapX128;
    }

    /// @notice Price at which an entry would be made now: at least what stood before this block, and what has stood for some of
    ///         the averaging time. Reverts where the venue does not tell.
    function entryPriceX128() public view returns (uint256) {
        return Math.max(Math.max(_venue.highX128(), _venue.recentX128()), _venue.twapX128());
    }

    /// @dev Zero where the price of an entry cannot be read.
    function _tryEntryPriceX128() internal view returns (uint256) {
        try this.entryPriceX128{gas: 3 * VIEW_GAS}() returns (uint256 price) {
            return price;
        } catch {
            return 0;
        }
    }

    function _exitPriceX128() internal view returns (uint256) {
        uint256 mean = _meanX128();
        try _venue.spotX128{gas: VIEW_GAS}() returns (uint256 spot) {
            return Math.min(spot, mean);
        } catch {
            return mean;
        }
    }

    function _tryTwap() private view returns (bool live, uint256 price) {
        try _venue.twapX128{gas: VIEW_GAS}() returns (uint256 value) {
            return (true, value);
        } catch {
            return (false, 0);
        }
    }
}
