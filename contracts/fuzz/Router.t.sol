// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ExitRouter} from "../ExitRouter.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {IMintable} from "./Market.sol";
import {Rig} from "./Rig.sol";
import {Token} from "./Token.sol";
import {Vm} from "./Vm.sol";
import {Quirk, QuirkyToken} from "./Zoo.sol";

/// @title A venue that takes half of what it is given
contract HalfVenue {
    address public immutable asset;
    address public immutable risk;

    constructor(address asset_, address risk_) {
        (asset, risk) = (asset_, risk_);
    }

    function taken(uint256 amountIn) internal view virtual returns (uint256) {
        return amountIn / 2;
    }

    function swap(bool, uint256 amountIn, uint256) external returns (uint256 amountOut) {
        IMintable(risk).transferFrom(msg.sender, address(this), taken(amountIn));
        amountOut = 1e6;
        IMintable(asset).mint(msg.sender, amountOut);
    }
}

/// @title A venue that takes all but one unit
contract AlmostVenue is HalfVenue {
    constructor(address asset_, address risk_) HalfVenue(asset_, risk_) {}

    function taken(uint256 amountIn) internal pure override returns (uint256) {
        return amountIn - 1;
    }
}

contract RouterTest is Rig {
    ExitRouter private router;
    ExitRouter.Permit private none;

    function setUp() external {
        build(true);
        enter(ALICE, 500_000e6);
        enter(BOB, 100_000e6);
        keep(38);
        router = ExitRouter(deployed("ExitRouter", ""));
        vm.prank(BOB);
        vault.approve(address(router), type(uint256).max);
    }

    /// @dev Some tokens refuse an approval of zero: nothing is taken back where the venue left nothing.
    function test_a_token_that_refuses_an_approval_of_zero_is_sold() external {
        vm.warp(START);
        IMintable a = IMintable(address(new Token("USD", 6)));
        QuirkyToken r = new QuirkyToken(18);
        while (address(r) > address(a)) r = new QuirkyToken(18);
        buildWith(a, IMintable(address(r)));
        enter(BOB, 100_000e6);
        keep(38);
        r.become(Quirk.RefusesZero, address(0));
        uint256 shares = vault.balanceOf(BOB);
        vm.startPrank(BOB);
        vault.approve(address(router), shares);
        le(99_000e6, router.cashOut(vault, venue, shares, 0, BOB, block.timestamp, none), "paid");
        vm.stopPrank();
        eq(risk.allowance(address(router), address(venue)), 0, "none is left");
    }

    function test_it_pays_the_receiver_and_keeps_nothing() external {
        asset.mint(address(router), 7);
        risk.mint(address(router), 7);
        uint256 shares = vault.balanceOf(BOB);
        uint256 before = asset.balanceOf(KEEPER);
        vm.recordLogs();
        vm.prank(BOB);
        uint256 assets = router.cashOut(vault, venue, shares, 99_000e6, KEEPER, block.timestamp, none);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        isTrue(logs[logs.length - 1].topics[0] == ExitRouter.CashedOut.selector, "said");
        eq(asset.balanceOf(KEEPER) - before, assets, "paid");
        isTrue(assets > 99_000e6 && assets < 100_000e6, "about what went in");
        isTrue(asset.balanceOf(address(router)) == 7 && risk.balanceOf(address(router)) == 7, "keeps what was there");
        eq(risk.allowance(address(router), address(venue)), 0, "no allowance is left");
        eq(vault.balanceOf(BOB), 0, "burned");
    }

    function test_it_refuses_too_little_too_late_and_another_pair() external {
        uint256 snapshot = vm.snapshotState();
        vm.startPrank(BOB);
        uint256 assets = router.cashOut(vault, venue, 1e15, 0, BOB, block.timestamp, none);
        vm.revertToState(snapshot);
        vm.startPrank(BOB);
        vm.expectRevert(abi.encodeWithSelector(ExitRouter.AssetsTooLow.selector, assets, assets + 1));
        router.cashOut(vault, venue, 1e15, assets + 1, BOB, block.timestamp, none);
        uint256 now_ = block.timestamp;
        vm.expectRevert(abi.encodeWithSelector(ExitRouter.DeadlinePassed.selector, now_ - 1, now_));
        router.cashOut(vault, venue, 1e15, 0, BOB, now_ - 1, none);
        IVenue backwards = IVenue(deployed("UniswapV3Venue", abi.encode(factory, pool, risk, TWAP_SECONDS)));
        vm.expectRevert(abi.encodeWithSelector(ExitRouter.VenueOfOtherTokens.selector, backwards));
        router.cashOut(vault, backwards, 1e15, 0, BOB, now_, none);
        router.cashOut(vault, venue, 1e15, assets, BOB, now_, none);
    }

    function test_a_venue_of_one_other_token_is_refused() external {
        for (uint256 i = 0; i < 2; i++) {
            IVenue other = i == 0
                ? IVenue(address(new HalfVenue(address(asset), ALICE)))
                : IVenue(address(new HalfVenue(ALICE, address(risk))));
            vm.prank(BOB);
            vm.expectRevert(abi.encodeWithSelector(ExitRouter.VenueOfOtherTokens.selector, other));
            router.cashOut(vault, other, 1e15, 0, BOB, block.timestamp, none);
        }
    }

    function test_what_a_venue_does_not_take_goes_to_the_receiver_and_no_allowance_is_left() external {
        IVenue half = IVenue(address(new HalfVenue(address(asset), address(risk))));
        risk.mint(address(router), 7);
        uint256 snapshot = vm.snapshotState();
        vm.prank(BOB);
        (, uint256 due) = vault.redeemInKind(1e15, BOB, BOB);
        vm.revertToState(snapshot);
        uint256 before = risk.balanceOf(KEEPER);
        vm.prank(BOB);
        router.cashOut(vault, half, 1e15, 0, KEEPER, block.timestamp, none);
        eq(risk.balanceOf(KEEPER) - before, due - due / 2, "the other half");
        eq(risk.balanceOf(address(half)), due / 2, "what was taken");
        isTrue(due > 1 && risk.balanceOf(address(router)) == 7, "the router keeps what was there");
        eq(risk.allowance(address(router), address(half)), 0, "no allowance");
        IVenue almost = IVenue(address(new AlmostVenue(address(asset), address(risk))));
        before = risk.balanceOf(KEEPER);
        vm.prank(BOB);
        router.cashOut(vault, almost, 1e15, 0, KEEPER, block.timestamp, none);
        eq(risk.balanceOf(KEEPER) - before, 1, "a unit, too");
    }

    function test_it_refuses_what_would_be_owed_to_it() external {
        for (uint256 i = 0; i < 2; i++) {
            asset.freeze(i == 0);
            risk.freeze(i == 1);
            vm.prank(BOB);
            vm.expectPartialRevert(ExitRouter.NotPaid.selector);
            router.cashOut(vault, venue, 1e15, 0, BOB, block.timestamp, none);
        }
    }

    function test_a_permit_does_and_one_used_before_does_no_harm() external {
        uint256 key = 0xA11CE;
        address signer = vm.addr(key);
        enter(signer, 1_000e6);
        uint256 shares = vault.balanceOf(signer);
        for (uint256 i = 0; i < 2; i++) {
            ExitRouter.Permit memory permit = signed(key, shares / 2, i);
            if (i == 1) {
                IPermit(address(vault)).permit(
                    signer, address(router), shares / 2, block.timestamp, permit.v, permit.r, permit.s
                );
            }
            vm.prank(signer);
            router.cashOut(vault, venue, shares / 2, 1, signer, block.timestamp, permit);
        }
        isTrue(asset.balanceOf(signer) > 990e6, "both halves");
    }

    function signed(uint256 key, uint256 shares, uint256 nonce) private view returns (ExitRouter.Permit memory p) {
        bytes32 kind =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 domain = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        domain = keccak256(abi.encode(domain, keccak256("Vault"), keccak256("1"), block.chainid, vault));
        bytes32 body = keccak256(abi.encode(kind, vm.addr(key), router, shares, nonce, block.timestamp));
        (p.v, p.r, p.s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, body)));
    }

    function test_what_is_too_little_to_be_paid_for_is_no_obstacle() external {
        uint256 shares = vault.balanceOf(BOB);
        vm.prank(BOB);
        eq(router.cashOut(vault, venue, 1, 0, BOB, block.timestamp, none), 0, "nothing for one share");
        eq(vault.balanceOf(BOB), shares - 1, "burned");
    }

    function test_an_exit_without_risk_needs_no_swap() external {
        vault = newVault(config());
        enter(BOB, 1_000e6);
        vm.startPrank(BOB);
        vault.approve(address(router), type(uint256).max);
        uint256 before = asset.balanceOf(BOB);
        uint256 assets = router.cashOut(vault, venue, vault.balanceOf(BOB), 0, BOB, block.timestamp, none);
        eq(asset.balanceOf(BOB) - before, assets, "paid");
        isTrue(assets >= 1_000e6 - 1, "all");
    }
}

interface IPermit {
    function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) external;
}
