// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ICreditLine, LineConfig, LineTerms, Tier} from "../interfaces/ICreditLine.sol";
import {IInputSource} from "../interfaces/IInputSource.sol";
import {IModelRegistry, Model} from "../interfaces/IModelRegistry.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {IPrivateCreditLine} from "../interfaces/IPrivateCreditLine.sol";
import {IProofGate} from "../interfaces/IProofGate.sol";
import {Token} from "../fuzz/Token.sol";
import {Claims} from "../fuzz/Vm.sol";

interface IScriptedScores {
    function allow(uint256[] calldata instances) external;
}

interface Nonces {
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function getNonce(address account) external view returns (uint64);
}

/// @title Prices that a test sets; dead, it answers nobody
contract Oracle is IPriceOracle {
    uint256 public constant BASE_CURRENCY_UNIT = 1e8;
    mapping(address => uint256) private _prices;
    bool private _dead;

    error Dead();

    function set(address asset, uint256 price) external {
        _prices[asset] = price;
    }

    function kill(bool dead) external {
        _dead = dead;
    }

    function getAssetPrice(address asset) external view returns (uint256) {
        require(!_dead, Dead());
        return _prices[asset];
    }
}

/// @title A private credit line, from the bytecode under test, and what its people do
/// @dev Registry and gate are the real ones; the verifier is scripted: it accepts exactly the instances that it was told.
abstract contract CreditRig is Claims {
    uint256 internal constant START = 1_750_003_200;
    uint256 internal constant ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 internal constant ATTESTER_KEY = 0xA77E57;
    uint256 internal constant AGE = 7 days;
    uint256 internal constant DELAY = 3_600;
    uint256 internal constant BONUS = 500;
    uint256 internal constant MIN_DEBT = 10e6;
    uint256 internal constant CAP = 10_000_000e6;
    uint256 internal constant OUTPUT_BOUND = 1 << 20;
    uint8 internal constant OUTPUT_SCALE = 12;
    int256 internal constant BEST = -9_000;
    int256 internal constant WORST = 4_000;
    address internal constant OWNER = address(0xA11);
    address internal constant ALICE = address(0xA16);
    address internal constant BOB = address(0xB0B);
    address internal constant CAROL = address(0xCA1);
    address internal constant DAVE = address(0xDA4E);
    address internal constant KEEPER = address(0x1EEB);

    Token internal asset;
    Token internal held;
    Oracle internal oracle;
    IScriptedScores internal verifier;
    IModelRegistry internal registry;
    IProofGate internal gate;
    IInputSource internal spec;
    IPrivateCreditLine internal line;
    bytes32 internal modelId;

    function deployed(string memory name, bytes memory arguments) internal returns (address) {
        string memory folder = vm.envOr("VAULTKIT_CODE", string("../fuzz/build/contracts"));
        return vm.deployCode(string.concat(folder, "/", name, ".json"), arguments);
    }

    function build() internal virtual {
        vm.warp(START);
        asset = new Token("USD", 6);
        held = new Token("ETH", 18);
        oracle = new Oracle();
        oracle.set(address(asset), 1e8);
        oracle.set(address(held), 3_000e8);
        verifier = IScriptedScores(deployed("ScriptedVerifier", ""));
        registry = IModelRegistry(deployed("ModelRegistry", abi.encode(OWNER, DELAY, address(0))));
        gate = IProofGate(deployed("ZkGate", abi.encode(registry)));
        spec = newSpec();
        line = newLine(config());
        modelId = activate(model("weights"));
    }

    function newSpec() internal virtual returns (IInputSource) {
        return IInputSource(deployed("FeatureSpec", abi.encode("age_days linear 0.25", 1, 0)));
    }

    function newLine(LineConfig memory c) internal returns (IPrivateCreditLine) {
        return IPrivateCreditLine(deployed("PrivateCreditLine", abi.encode(c, vm.addr(ATTESTER_KEY))));
    }

    function tiers() internal pure returns (Tier[] memory t) {
        t = new Tier[](4);
        t[0] = Tier(-8_000, 8_000, 8_500, 300);
        t[1] = Tier(-4_000, 7_000, 7_800, 500);
        t[2] = Tier(0, 5_500, 7_000, 800);
        t[3] = Tier(int128(WORST), 4_000, 6_000, 1_200);
    }

    function lineTerms() internal pure returns (LineTerms memory) {
        return LineTerms(OUTPUT_SCALE, AGE, BONUS, 5_000, MIN_DEBT, CAP);
    }

    function config() internal view returns (LineConfig memory) {
        return LineConfig(
            "Line", "LN", IERC20(address(asset)), IERC20(address(held)), oracle, registry, tiers(), lineTerms()
        );
    }

    function commitments() internal pure returns (bytes memory) {
        return bytes.concat(keccak256("a"), keccak256("b"));
    }

    function model(string memory bundle) internal view returns (Model memory) {
        return Model(
            gate, spec, spec.specHash(), address(verifier), address(verifier).codehash, commitments(), OUTPUT_SCALE,
            OUTPUT_BOUND, keccak256(bytes(bundle))
        );
    }

    function activate(Model memory m) internal returns (bytes32 id) {
        vm.prank(OWNER);
        id = registry.propose(m);
        vm.warp(block.timestamp + DELAY);
        vm.prank(OWNER);
        registry.activate(id);
    }

    // -- what people do

    function supply(address lender, uint256 assets) internal returns (uint256) {
        asset.mint(lender, assets);
        vm.startPrank(lender);
        asset.approve(address(line), type(uint256).max);
        uint256 shares = line.deposit(assets, lender);
        vm.stopPrank();
        return shares;
    }

    function post(address borrower, uint256 amount) internal {
        held.mint(borrower, amount);
        vm.startPrank(borrower);
        held.approve(address(line), type(uint256).max);
        line.addCollateral(amount);
        vm.stopPrank();
    }

    function repay(address borrower, uint256 assets) internal returns (uint256 paid) {
        asset.mint(borrower, assets);
        vm.startPrank(borrower);
        asset.approve(address(line), type(uint256).max);
        paid = line.repay(borrower, assets);
        vm.stopPrank();
    }

    function liquidate(address borrower, uint256 most) internal returns (uint256 repaid, uint256 seized) {
        uint256 debt = line.debtOf(borrower);
        asset.mint(KEEPER, most < debt ? most : debt);
        vm.startPrank(KEEPER);
        asset.approve(address(line), type(uint256).max);
        (repaid, seized) = line.liquidate(borrower, most);
        vm.stopPrank();
    }

    function borrow(address borrower, uint256 assets) internal {
        vm.prank(borrower);
        line.borrow(assets, borrower);
    }

    function commitmentOf(address borrower, int256 score, uint256 asOf) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(borrower, score, asOf))) % ORDER;
    }

    /// @dev Written anew here: commitment, nine limbs, score.
    function instancesOf(uint256 commitment, address borrower, int256 score)
        internal
        pure
        returns (uint256[] memory found)
    {
        found = new uint256[](11);
        found[0] = commitment;
        for (uint256 i = 0; i < 9; i++) found[1 + i] = (uint160(borrower) / 2 ** (18 * i)) % 2 ** 18;
        found[10] = score < 0 ? ORDER - uint256(-score) : uint256(score);
    }

    function signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function proofBytes() internal pure returns (bytes memory) {
        return bytes.concat(commitments(), "the rest of a scripted proof");
    }

    /// @dev An honest score as of `asOf`: proven, attested, sent by a stranger.
    function prove(address borrower, int256 score, uint256 asOf) internal {
        uint256 commitment = commitmentOf(borrower, score, asOf);
        verifier.allow(instancesOf(commitment, borrower, score));
        uint256 deadline = block.timestamp + 60;
        bytes32 digest =
            line.attestationDigest(borrower, registry.activeModel(), commitment, asOf, deadline);
        bytes memory signature = signed(ATTESTER_KEY, digest);
        vm.prank(KEEPER);
        line.proveScore(borrower, score, asOf, commitment, deadline, signature, proofBytes());
    }

    function prove(address borrower, int256 score) internal {
        prove(borrower, score, block.timestamp);
    }

    /// @dev Ten coins posted, a score, and a loan.
    function openLoan(address borrower, int256 score, uint256 assets) internal {
        post(borrower, 10e18);
        prove(borrower, score);
        borrow(borrower, assets);
    }

    function refuses(bytes4 name) internal {
        vm.expectPartialRevert(name);
    }
}
