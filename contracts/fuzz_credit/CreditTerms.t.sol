// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ICreditLine, LineConfig, LineTerms, Tier} from "../interfaces/ICreditLine.sol";
import {CreditRig} from "./CreditRig.sol";

/// @title What a line may be made of
contract CreditTermsTest is CreditRig {
    function setUp() external {
        build();
    }

    /// @dev For `expectRevert`, which looks at the next call.
    function make(LineConfig memory c) external {
        newLine(c);
    }

    function refusesTier(uint256 place, Tier memory t, bytes memory reason) private {
        LineConfig memory c = config();
        c.tiers[place] = t;
        vm.expectRevert(reason);
        this.make(c);
    }

    function refusesTerms(LineTerms memory t) private {
        LineConfig memory c = config();
        c.terms = t;
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.TermsInvalid.selector, t));
        this.make(c);
    }

    function test_a_line_keeps_what_it_was_made_of() external view {
        isTrue(keccak256(abi.encode(line.terms())) == keccak256(abi.encode(lineTerms())), "terms");
        eq(line.tierCount(), 4, "tiers");
        for (uint256 i = 0; i < 4; i++) {
            isTrue(keccak256(abi.encode(line.tierAt(i))) == keccak256(abi.encode(tiers()[i])), "tier");
        }
        isTrue(line.asset() == address(asset) && line.collateral() == address(held), "tokens");
        isTrue(line.oracle() == address(oracle) && line.registry() == address(registry), "counterparties");
        isTrue(line.attester() == vm.addr(ATTESTER_KEY), "attester");
        eq(line.decimals(), 12, "six virtual decimals");
    }

    function test_a_worse_tier_gives_no_better_terms() external {
        bytes memory reason = abi.encodeWithSelector(ICreditLine.TierOutOfOrder.selector, 1);
        refusesTier(1, Tier(-8_000, 7_000, 7_800, 500), reason);
        refusesTier(1, Tier(-4_000, 8_001, 8_500, 500), reason);
        refusesTier(1, Tier(-4_000, 7_000, 8_501, 500), reason);
        refusesTier(1, Tier(-4_000, 7_000, 7_800, 299), reason);
        LineConfig memory c = config();
        c.tiers[1] = Tier(-7_999, 8_000, 8_500, 300);
        this.make(c);
    }

    function test_a_tier_lends_below_its_threshold_and_a_liquidation_there_helps() external {
        bytes4 name = ICreditLine.TierUnsafe.selector;
        refusesTier(0, Tier(-8_000, 8_500, 8_500, 300), abi.encodeWithSelector(name, 8_500, 8_500, BONUS));
        refusesTier(0, Tier(-8_000, 8_000, 9_524, 300), abi.encodeWithSelector(name, 8_000, 9_524, BONUS));
        LineConfig memory c = config();
        c.tiers[0] = Tier(-8_000, 8_000, 9_523, 300);
        this.make(c);
    }

    function test_rates_stay_where_an_index_cannot_overflow() external {
        refusesTier(
            3, Tier(4_000, 4_000, 6_000, 5_001), abi.encodeWithSelector(ICreditLine.RateTooHigh.selector, 5_001, 5_000)
        );
        LineConfig memory c = config();
        c.tiers[3].rateBps = 5_000;
        line = newLine(c);
        vm.warp(block.timestamp + 500 * 365 days);
        uint256 index = line.indexOf(3);
        isTrue(index > 7e37 && index < 7.3e37, "e**25 at most, and it stays there");
        vm.warp(block.timestamp + 365 days);
        eq(line.indexOf(3), index, "interest has stopped");
    }

    function test_tiers_are_one_to_eight() external {
        LineConfig memory c = config();
        c.tiers = new Tier[](0);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.TiersEmptyOrTooMany.selector, 0, 8));
        this.make(c);
        c.tiers = new Tier[](9);
        for (uint256 i = 0; i < 9; i++) c.tiers[i] = Tier(int128(int256(i)), 5_000, 6_000, 0);
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.TiersEmptyOrTooMany.selector, 9, 8));
        this.make(c);
    }

    function test_every_term_is_bounded() external {
        refusesTerms(LineTerms(OUTPUT_SCALE, 0, BONUS, 5_000, MIN_DEBT, CAP));
        refusesTerms(LineTerms(OUTPUT_SCALE, 90 days + 1, BONUS, 5_000, MIN_DEBT, CAP));
        refusesTerms(LineTerms(OUTPUT_SCALE, AGE, 5_001, 5_000, MIN_DEBT, CAP));
        refusesTerms(LineTerms(OUTPUT_SCALE, AGE, BONUS, 0, MIN_DEBT, CAP));
        refusesTerms(LineTerms(OUTPUT_SCALE, AGE, BONUS, 10_001, MIN_DEBT, CAP));
        refusesTerms(LineTerms(OUTPUT_SCALE, AGE, BONUS, 5_000, 0, CAP));
    }

    function test_terms_may_be_at_their_bounds() external {
        LineConfig memory c = config();
        c.tiers = new Tier[](8);
        for (uint256 i = 0; i < 8; i++) c.tiers[i] = Tier(int128(int256(i)), 5_000, 6_000, 5_000);
        c.terms = LineTerms(0, 90 days, 5_000, 10_000, 1, 0);
        line = newLine(c);
        eq(line.terms().maxScoreAge, 90 days, "the oldest score");
        // A threshold at which collateral just pays for debt and bonus.
        for (uint256 i = 0; i < 8; i++) c.tiers[i].thresholdBps = 8_000;
        c.terms.bonusBps = 2_500;
        line = newLine(c);
        c.terms = LineTerms(0, 1, 0, 1, 1, 0);
        line = newLine(c);
        eq(line.tierCount(), 8, "the most tiers");
    }

    function test_collateral_is_another_token_than_the_asset() external {
        LineConfig memory c = config();
        c.collateral = IERC20(address(asset));
        vm.expectRevert(abi.encodeWithSelector(ICreditLine.CollateralIsAsset.selector, address(asset)));
        this.make(c);
    }

    function testFuzz_better_score_never_worse_terms(int128 one, int128 other) external view {
        (int256 better, int256 worse) = one < other ? (one, other) : (other, one);
        uint256 first = line.tierOf(better);
        uint256 second = line.tierOf(worse);
        le(first, second, "a better score opens no worse tier");
        if (second == line.tierCount()) return;
        Tier memory a = line.tierAt(first);
        Tier memory b = line.tierAt(second);
        isTrue(a.ltvBps >= b.ltvBps && a.thresholdBps >= b.thresholdBps && a.rateBps <= b.rateBps, "better terms");
    }

    function test_a_tier_is_open_to_exactly_its_bound() external view {
        for (uint256 i = 0; i < 4; i++) {
            int256 bound = tiers()[i].maxScore;
            eq(line.tierOf(bound), i, "at its bound");
            eq(line.tierOf(bound + 1), i + 1, "one beyond");
        }
        eq(line.tierOf(type(int256).min), 0, "the best of all");
        eq(line.tierOf(type(int256).max), 4, "the worst of all");
    }

    /// @dev Interest compounded by hand, a second at a time, against the power.
    function test_an_index_is_the_product_of_its_seconds() external {
        line = newLine(config());
        uint256 step = 1e27 + uint256(1e27) * 1_200 / (10_000 * 365 days);
        uint256 product = 1e27;
        uint256 begun = block.timestamp;
        for (uint256 second = 1; second <= 600; second++) {
            product = product * step / 1e27;
            vm.warp(begun + second);
            uint256 index = line.indexOf(3);
            le(index > product ? index - product : product - index, 2 * second, "within rounding of 27 decimals");
        }
        vm.warp(begun + 365 days);
        uint256 year = line.indexOf(3);
        isTrue(year > 1.12749685e27 && year < 1.12749686e27, "e**0.12 after a year");
    }

    function testFuzz_an_index_never_falls(uint256 first, uint256 second) external {
        first = within(first, 0, 60 * 365 days);
        second = within(second, first, 60 * 365 days);
        for (uint256 tier = 0; tier < 4; tier++) {
            vm.warp(START + DELAY + first);
            uint256 before = line.indexOf(tier);
            vm.warp(START + DELAY + second);
            le(before, line.indexOf(tier), "an index fell");
        }
    }
}
