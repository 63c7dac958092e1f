// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Fees, IInferenceVault, Policy, Safeguards} from "../interfaces/IInferenceVault.sol";
import {IInputSource} from "../interfaces/IInputSource.sol";
import {IModelRegistry, Model} from "../interfaces/IModelRegistry.sol";
import {IProofGate, Statement} from "../interfaces/IProofGate.sol";
import {IUniswapV3Pool} from "../interfaces/IUniswapV3.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {VaultConfig} from "../InferenceVault.sol";
import {WindowSpec} from "../TickWindow.sol";
import {IMintable, Market} from "./Market.sol";
import {Token} from "./Token.sol";

interface IScriptedVerifier {
    function allow(uint256[] calldata instances) external;
}

interface IOwnedRegistry is IModelRegistry {
    function transferOwnership(address account) external;
    function acceptOwnership() external;
    function pendingOwner() external view returns (address);
}

/// @title Everything around a vault, from the bytecode under test
/// @dev `VAULTKIT_CODE` names the folder of the compiled contracts; a mutant is another folder. The verifier is scripted: it
///      accepts exactly the instances that it was told.
abstract contract Rig is Market {
    uint256 internal constant START = 1_750_003_200;
    uint256 internal constant PERIOD = 3_600;
    uint256 internal constant MAX_AGE = 1_800;
    uint256 internal constant DELAY = 7_200;
    uint256 internal constant BLOCK_SECONDS = 60;
    uint32 internal constant BAR = 300;
    uint32 internal constant COUNT = 4;
    uint32 internal constant CLIP = 128;
    uint32 internal constant TWAP_SECONDS = 600;
    uint8 internal constant OUTPUT_SCALE = 7;
    uint256 internal constant OUTPUT_BOUND = 512;
    uint256 internal constant ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    address internal constant OWNER = address(0xA11);
    address internal constant GUARDIAN = address(0xA12);
    address internal constant KEEPER = address(0xA13);
    address internal constant SENDER = address(0xA14);
    address internal constant FEE_TAKER = address(0xA15);
    address internal constant ALICE = address(0xA16);
    address internal constant BOB = address(0xA17);

    IScriptedVerifier internal verifier;
    IInputSource internal source;
    IVenue internal venue;
    IOwnedRegistry internal registry;
    IProofGate internal gate;
    IInferenceVault internal vault;
    uint256 internal judged;
    bytes32 internal modelId;
    bytes internal commitments;

    function deployed(string memory name, bytes memory arguments) internal returns (address) {
        string memory folder = vm.envOr("VAULTKIT_CODE", string("../build/contracts"));
        return vm.deployCode(string.concat(folder, "/", name, ".json"), arguments);
    }

    /// @dev A market with some hours of history, and an empty vault with an active model.
    function build(bool riskIsToken0_) internal {
        vm.warp(START);
        IMintable a = IMintable(address(new Token("USD", 6)));
        IMintable r = IMintable(address(new Token("ETH", 18)));
        while ((address(r) < address(a)) != riskIsToken0_) r = IMintable(address(new Token("ETH", 18)));
        buildWith(a, r);
    }

    function buildWith(IMintable asset_, IMintable risk_) internal {
        vm.warp(START);
        openPool(asset_, risk_, 80, 5e18);
        for (uint256 i = 0; i < 40; i++) {
            vm.warp(block.timestamp + 240);
            swapOutside(i % 3 == 0, i % 3 == 0 ? (8 + i) * 1e18 : (10_000 + 1_500 * i) * 1e6);
        }
        furnish();
    }

    /// @dev All of the kit around the market that stands.
    function furnish() internal {
        verifier = IScriptedVerifier(deployed("ScriptedVerifier", ""));
        source = IInputSource(deployed("TickWindow", abi.encode(spec(), MAX_AGE, BLOCK_SECONDS)));
        venue = IVenue(deployed("UniswapV3Venue", abi.encode(factory, pool, asset, TWAP_SECONDS)));
        registry = IOwnedRegistry(deployed("ModelRegistry", abi.encode(OWNER, DELAY, GUARDIAN)));
        gate = IProofGate(deployed("ZkGate", abi.encode(registry)));
        vault = newVault(config());
        commitments = bytes.concat(keccak256("a"), keccak256("b"), keccak256("c"), keccak256("d"));
        modelId = activate(model());
    }

    function newVault(VaultConfig memory terms) internal returns (IInferenceVault) {
        judged = Math.max(1e6, Math.mulDiv(1e4, venue.twapX128(), 2 ** 128));
        return IInferenceVault(deployed("InferenceVault", abi.encode(terms)));
    }

    function spec() internal view returns (WindowSpec memory) {
        return WindowSpec(IUniswapV3Pool(address(pool)), BAR, COUNT, CLIP, riskIsToken0 ? int8(1) : -1, 7);
    }

    function policy() internal pure virtual returns (Policy memory) {
        return Policy(0.05e18, 0.9e18, 0.02e18, 0.3e18, 400_000e6, 5_000, 10_000);
    }

    function safeguards() internal pure virtual returns (Safeguards memory) {
        return Safeguards(6, 2e18, 0.4e18);
    }

    function fees() internal pure virtual returns (Fees memory) {
        return Fees(50e6, 40_000, 100_000, FEE_TAKER);
    }

    function config() internal view virtual returns (VaultConfig memory) {
        return VaultConfig(
            "Vault", "VLT", venue, registry, PERIOD, MAX_AGE, 1e15, policy(), safeguards(), fees()
        );
    }

    function model() internal view returns (Model memory) {
        return Model(
            gate,
            source,
            source.specHash(),
            address(verifier),
            address(verifier).codehash,
            commitments,
            OUTPUT_SCALE,
            OUTPUT_BOUND,
            keccak256("bundle")
        );
    }

    function activate(Model memory m) internal returns (bytes32 id) {
        vm.prank(OWNER);
        id = registry.propose(m);
        vm.warp(block.timestamp + DELAY);
        vm.prank(OWNER);
        registry.activate(id);
    }

    // -- what actors do

    function fund(address actor, uint256 assets) internal {
        asset.mint(actor, assets);
        vm.prank(actor);
        // Not every token answers.
        (bool approved,) = address(asset).call(abi.encodeCall(asset.approve, (address(vault), type(uint256).max)));
        isTrue(approved, "approved");
    }

    /// @dev What an entry is charged beyond its price: fee and slippage, as millionths of the risk that it is given.
    function spread() internal view returns (uint256) {
        return FEE + vault.policy().slippagePips;
    }

    function enter(address actor, uint256 assets) internal returns (uint256 shares) {
        fund(actor, assets);
        vm.prank(actor);
        return vault.deposit(assets, actor);
    }

    function latest() internal view returns (uint256) {
        return block.timestamp / PERIOD;
    }

    /// @dev Written anew here: what is due to the recipient for gains at this value and mark, in assets and in new shares.
    function gains(uint256 nav, uint256 supply, uint256 markX64, uint256 pips)
        internal
        view
        returns (uint256 shares, uint256 assets)
    {
        uint256 valueX64 = (nav + 1) * 2 ** 64 / supply;
        if (nav < judged || valueX64 <= markX64) return (0, 0);
        assets = ((valueX64 - markX64) * supply / 2 ** 64) * pips / 1e6;
        shares = assets * supply / (nav + 1 - assets);
    }

    /// @dev All value at the mean price, from the tokens themselves.
    function navNow() internal view returns (uint256) {
        uint256 held = risk.balanceOf(address(vault)) - vault.totalOwed(address(risk));
        uint256 idle = asset.balanceOf(address(vault)) - vault.totalOwed(address(asset));
        return idle + Math.mulDiv(held, venue.twapX128(), 2 ** 128);
    }

    /// @dev The virtual supply as it is once gains are settled.
    function settledSupply() internal view returns (uint256 supply) {
        supply = vault.totalSupply() + 1e6;
        (, uint256 mark) = vault.marksX64();
        (uint256 shares,) = gains(navNow(), supply, mark, vault.fees().performancePips);
        return supply + shares;
    }

    /// @dev To `age` seconds after the end of the next epoch.
    function closeEpoch(uint256 age) internal returns (uint256 epoch) {
        epoch = latest() + 1;
        vm.warp(epoch * PERIOD + age);
    }

    function hints(uint256 epoch) internal view returns (bytes memory) {
        return hintsFor(epoch * PERIOD, BAR, COUNT);
    }

    function inputs(uint256 epoch) internal view returns (int256[] memory) {
        return inputsFor(epoch * PERIOD, BAR, COUNT, int256(uint256(CLIP)));
    }

    function proof() internal view returns (bytes memory) {
        return bytes.concat(commitments, "the rest of a scripted proof");
    }

    function one(int256 output) internal pure returns (int256[] memory outputs) {
        outputs = new int256[](1);
        outputs[0] = output;
    }

    /// @dev Written anew here: the instances that a proof of this statement has.
    function instancesOf(int256[] memory xs, address beneficiary, int256 output)
        internal
        pure
        returns (uint256[] memory found)
    {
        found = new uint256[](xs.length + 10);
        for (uint256 i = 0; i < xs.length; i++) found[i] = _felt(xs[i]);
        for (uint256 i = 0; i < 9; i++) found[xs.length + i] = (uint160(beneficiary) / 2 ** (18 * i)) % 2 ** 18;
        found[xs.length + 9] = _felt(output);
    }

    function _felt(int256 value) private pure returns (uint256) {
        return value < 0 ? ORDER - uint256(-value) : uint256(value);
    }

    /// @dev Lets the scripted verifier accept the window of `epoch` with this output.
    function allow(uint256 epoch, int256 output, address beneficiary) internal {
        verifier.allow(instancesOf(inputs(epoch), beneficiary, output));
    }

    function statement(uint256 epoch, int256 output) internal view returns (Statement memory) {
        return Statement(address(vault), modelId, epoch, KEEPER, inputs(epoch), one(output));
    }

    function rebalance(uint256 epoch, int256 output) internal {
        bytes memory where = hints(epoch);
        vm.prank(SENDER);
        vault.rebalance(epoch, KEEPER, one(output), proof(), where);
    }

    /// @dev Closes an epoch and keeps it with an accepted proof of this output.
    function keep(int256 output) internal returns (uint256 epoch) {
        epoch = closeEpoch(30);
        allow(epoch, output, KEEPER);
        rebalance(epoch, output);
    }
}
