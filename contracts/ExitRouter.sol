// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IInferenceVault} from "./interfaces/IInferenceVault.sol";
import {IVenue} from "./interfaces/IVenue.sol";

/// @title Leaves a vault in kind and sells the risk token where the leaver says, for at least what the leaver says
/// @notice For when the vault's own venue would pay less than its floor, or another pays more. Holds nothing between calls:
///         whatever of both tokens a call brings in goes to the receiver. A venue that lies costs only who named it.
contract ExitRouter {
    using SafeERC20 for IERC20;

    event CashedOut(address indexed vault, address indexed owner, address receiver, uint256 shares, uint256 assets);

    error DeadlinePassed(uint256 deadline, uint256 timestamp);
    error AssetsTooLow(uint256 assets, uint256 minAssets);
    error VenueOfOtherTokens(address venue);
    /// @notice A token refused its transfer: leave in kind without the router, which could not claim what it is owed.
    error NotPaid(address token, uint256 got, uint256 expected);

    /// @notice A signature of EIP-2612 over the shares; `v` zero for none.
    struct Permit {
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice Burns the caller's shares and pays the asset: its slice, and what the venue pays for the rest. Risk token that
    ///         the venue does not take goes to the receiver as it is.
    /// @param permit Allows the router the shares; a signature that somebody has used already does no harm.
    function cashOut(
        IInferenceVault vault,
        IVenue venue,
        uint256 shares,
        uint256 minAssets,
        address receiver,
        uint256 deadline,
        Permit calldata permit
    ) external returns (uint256 assets) {
        require(block.timestamp <= deadline, DeadlinePassed(deadline, block.timestamp));
        IERC20 asset = IERC20(vault.asset());
        IERC20 risk = IERC20(vault.risk());
        require(venue.asset() == address(asset) && venue.risk() == address(risk), VenueOfOtherTokens(address(venue)));
        if (permit.v != 0) {
            // Anyone may have used the signature first; then the allowance is there.
            try IERC20Permit(address(vault)).permit(
                msg.sender, address(this), shares, deadline, permit.v, permit.r, permit.s
            ) {} catch {}
        }
        uint256 assetBefore = asset.balanceOf(address(this));
        uint256 riskBefore = risk.balanceOf(address(this));
        (uint256 assetDue, uint256 riskDue) = vault.redeemInKind(shares, address(this), msg.sender);
        _requirePaid(asset, assetBefore, assetDue);
        _requirePaid(risk, riskBefore, riskDue);
        if (riskDue != 0) {
            _sell(risk, venue, riskDue);
            uint256 left = risk.balanceOf(address(this)) - riskBefore;
            if (left != 0) risk.safeTransfer(receiver, left);
        }
        assets = asset.balanceOf(address(this)) - assetBefore;
        require(assets >= minAssets, AssetsTooLow(assets, minAssets));
        asset.safeTransfer(receiver, assets);
        emit CashedOut(address(vault), msg.sender, receiver, shares, assets);
    }

    /// @dev What a venue leaves of its allowance is taken back; where it leaves none nothing is sent, for tokens that refuse it.
    function _sell(IERC20 risk, IVenue venue, uint256 amount) private {
        risk.forceApprove(address(venue), amount);
        venue.swap(true, amount, 0);
        if (risk.allowance(address(this), address(venue)) != 0) risk.forceApprove(address(venue), 0);
    }

    function _requirePaid(IERC20 token, uint256 before, uint256 due) private view {
        uint256 got = token.balanceOf(address(this)) - before;
        require(got == due, NotPaid(address(token), got, due));
    }
}
