// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {History} from "../interfaces/IPublicCreditLine.sol";

/// @notice A borrower's account at one moment, in units of the base currency.
/// @param unit One dollar.
/// @param debt Debt, a unit of the asset counted as a dollar, as in `History`.
/// @param debtValue Debt at the oracle's price.
/// @param collateralValue Collateral at the oracle's price.
/// @param limitValue Of that, what the worst tier's threshold lets debt be: the same for everybody.
struct Present {
    uint256 timestamp;
    uint256 unit;
    uint256 debt;
    uint256 debtValue;
    uint256 collateralValue;
    uint256 limitValue;
}

/// @title What a line kept of a borrower, as the bytes that a model reads
/// @notice The twin of Python's `vaultkit.models.credit.encode`, feature by feature in the order of `DEFINITION`.
library CreditFeatures {
    uint256 internal constant COUNT = 18;
    uint256 internal constant MAX_CODE = 255;
    /// @dev Twice a whole, in steps of 1/127.
    uint256 private constant TWO = 254;
    string internal constant DEFINITION =
        "age_days linear 0.25;idle_days linear 0.5;active_days linear 1;supply_count linear 1;withdraw_count linear 1;"
        "borrow_count linear 1;repay_count linear 1;borrowed_usd log2 8;repaid_usd log2 8;repaid_share linear 127;"
        "mean_loan_days linear 0.5;open_loan_days linear 0.5;repay_delay_days linear 0.5;collateral_usd log2 8;"
        "debt_usd log2 8;utilization linear 127;liquidation_count linear 16;liquidated_usd log2 8";

    /// @notice Feature `i` in byte `i` from the left.
    function encode(History memory h, Present memory p) internal pure returns (bytes32) {
        uint256 codes = _append(0, _steps(_since(h.firstEvent, p), 4 days));
        codes = _append(codes, _steps(_since(h.lastEvent, p), 2 days));
        codes = _append(codes, h.activeDays);
        codes = _append(codes, h.supplyCount);
        codes = _append(codes, h.withdrawCount);
        codes = _append(codes, h.borrowCount);
        codes = _append(codes, h.repayCount);
        codes = _append(codes, _magnitude(h.borrowed, p));
        codes = _append(codes, _magnitude(h.repaid, p));
        codes = _append(codes, h.borrowed == 0 ? 0 : Math.min(TWO, Math.mulDiv(h.repaid, 127, h.borrowed)));
        codes = _append(codes, _steps(_debtSeconds(h, p), uint256(h.borrowed) * 2 days));
        codes = _append(codes, _steps(_openSeconds(h, p), 2 days));
        codes = _append(codes, _steps(Math.min(_openSeconds(h, p), p.timestamp - h.lastRepay), 2 days));
        codes = _append(codes, _magnitude(p.collateralValue, p));
        codes = _append(codes, _magnitude(p.debtValue, p));
        codes = _append(codes, _utilization(p));
        codes = _append(codes, uint256(h.liquidationCount) * 16);
        codes = _append(codes, _magnitude(h.liquidated, p));
        return bytes32(codes << (8 * (32 - COUNT)));
    }

    function _append(uint256 codes, uint256 code) private pure returns (uint256) {
        return codes << 8 | Math.min(code, MAX_CODE);
    }

    function _since(uint256 moment, Present memory p) private pure returns (uint256) {
        return moment == 0 ? 0 : p.timestamp - moment;
    }

    /// @dev Seconds since debt rose above a dollar, while it is; zero where only interest took it there.
    function _openSeconds(History memory h, Present memory p) private pure returns (uint256) {
        return p.debt > p.unit && h.lastDebt != 0 ? p.timestamp - h.spellBegin : 0;
    }

    function _debtSeconds(History memory h, Present memory p) private pure returns (uint256) {
        return h.debtSeconds + h.lastDebt * _since(h.lastEvent, p);
    }

    function _utilization(Present memory p) private pure returns (uint256) {
        if (p.debtValue <= p.unit) return 0;
        return p.limitValue == 0 ? TWO : Math.min(TWO, Math.mulDiv(p.debtValue, 127, p.limitValue));
    }

    /// @dev How many whole steps; none where a step is nothing.
    function _steps(uint256 amount, uint256 step) private pure returns (uint256) {
        return step == 0 ? 0 : amount / step;
    }

    /// @dev Eight times the integer logarithm of one more than the whole dollars.
    function _magnitude(uint256 value, Present memory p) private pure returns (uint256) {
        return 8 * Math.log2(1 + value / p.unit);
    }
}
