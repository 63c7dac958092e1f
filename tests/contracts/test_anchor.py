"""`InputAnchor` on a local chain with the real history contract: what it vouches for, and every refusal by its name."""

from __future__ import annotations

import pytest
import rlp

from tests.contracts.conftest import Harness
from tests.contracts.test_anchor_forms import refused
from vaultkit.chain.account import Signer, wait_receipt
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.hashing import keccak
from vaultkit.chain.header import encode_header
from vaultkit.chain.past import fetch_log_proof, fetch_storage_proof
from vaultkit.chain.receipt_proof import receipt_nodes, verify_log
from vaultkit.chain.receipts import encode_receipt
from vaultkit.chain.trie import EMPTY_ROOT, ordered_root
from vaultkit.errors import ReceiptsMismatch, RpcRefused, UsageError
from vaultkit.vault.anchor import BLOCKS_BACK, AnchorClient
from vaultkit.vault.compile import compile_contracts

ADDRESS = "0x" + "11" * 20


@pytest.fixture(scope="module")
def past_chain():
    """A chain of 300 blocks whose history contract anvil made as Prague says."""
    compile_contracts()
    with Devnet() as devnet:
        devnet.rpc.call("anvil_mine", [hex(300)])
        yield devnet


@pytest.fixture(scope="module")
def anchor(past_chain):
    return AnchorClient(past_chain.rpc, Harness(past_chain, "InputAnchor").contract.address)


@pytest.fixture(scope="module")
def mixed_block(past_chain, anchor):
    """The number of a block of three transactions: one that keeps a hash, one that fails, one that keeps another."""
    past_chain.set_automine(False)
    sender, head = past_chain.accounts()[1], past_chain.block_number()
    nonce = int(past_chain.rpc.call("eth_getTransactionCount", [sender, "latest"]), 16)
    hashes = []
    for place, number in enumerate((head, head + 1000, head - 50)):
        fields = {"from": sender, "to": anchor.contract.address, "data": anchor.contract.encode("checkpoint", number)}
        fields |= {"gas": hex(200_000), "nonce": hex(nonce + place)}
        hashes.append(past_chain.rpc.call("eth_sendTransaction", [fields]))
    past_chain.mine()
    past_chain.set_automine(True)
    receipts = [wait_receipt(past_chain.rpc, name) for name in hashes]
    assert [int(receipt["status"], 16) for receipt in receipts] == [1, 0, 1]
    number = int(receipts[0]["blockNumber"], 16)
    past_chain.mine()
    return number


def block_hash(devnet, number):
    return bytes.fromhex(devnet.rpc.call("eth_getBlockByNumber", [hex(number), False])["hash"][2:])


def header_of(devnet, number):
    return encode_header(devnet.rpc.call("eth_getBlockByNumber", [hex(number), False]))


def hash_at(anchor, number, current):
    """Return what the anchor says of a block when the chain is at another: real code and storage, NUMBER is moved."""
    call, block = anchor.contract.request("hashOf", number)[1]
    answer = anchor.rpc.call("eth_call", [call, block, {}, {"number": hex(current)}])
    return bytes.fromhex(answer[2:])


@pytest.mark.parametrize("number", [1, 10, 200, 299])
def test_a_block_8191_back_is_known_and_8192_back_is_not(past_chain, anchor, number):
    known = block_hash(past_chain, number)
    assert hash_at(anchor, number, number + 257) == known
    assert hash_at(anchor, number, number + BLOCKS_BACK) == known
    with pytest.raises(RpcRefused, match="revert"):
        hash_at(anchor, number, number + BLOCKS_BACK + 1)


@pytest.mark.slow
def test_the_chain_itself_forgets_the_block_8192_back():
    """No moved NUMBER: 8,193 blocks are mined, each of which writes its parent's hash."""
    with Devnet(states=16) as devnet:
        anchor = AnchorClient(devnet.rpc, Harness(devnet, "InputAnchor").contract.address)
        for _ in range(83):
            devnet.rpc.call("anvil_mine", [hex(100)])
        head = devnet.block_number()
        # `latest` is called in the environment of the newest block, so that NUMBER is the head's.
        assert anchor.contract.call("hashOf", head - BLOCKS_BACK, block=head) == block_hash(devnet, head - BLOCKS_BACK)
        error = refused(anchor.contract, "hashOf", head - BLOCKS_BACK - 1)
        assert (error.name, error.args_["number"]) == ("BlockUnknown", head - BLOCKS_BACK - 1)


def test_hashes_come_from_the_opcode_up_to_256_back_and_from_the_history_after(past_chain, anchor):
    head = past_chain.block_number()
    for back in (1, 2, 255, 256, 257, 258):
        assert anchor.contract.call("hashOf", head - back) == block_hash(past_chain, head - back)


@pytest.mark.parametrize("ahead", [0, 1, 1_000, 2**256 - 1 - 10**6])
def test_the_present_block_and_later_ones_are_unknown(past_chain, anchor, ahead):
    number = past_chain.block_number() + ahead
    error = refused(anchor.contract, "hashOf", number)
    assert (error.name, error.args_["number"]) == ("BlockUnknown", number)
    assert refused(anchor.contract, "checkpoint", number).name == "BlockUnknown"


def test_a_checkpoint_made_while_young_is_known_for_ever(past_chain, anchor):
    number = past_chain.block_number() - 3
    assert anchor.contract.call("checkpointOf", number) == bytes(32)
    receipt = anchor.checkpoint(Signer.devnet(2), number)
    event = anchor.contract.decode_log(receipt["logs"][0])
    assert (event.name, event.args) == ("Checkpointed", {"number": number, "hash": block_hash(past_chain, number)})
    assert hash_at(anchor, number, number + 10**7) == block_hash(past_chain, number)
    with pytest.raises(RpcRefused):
        hash_at(anchor, number - 1, number + 10**7)
    again = anchor.checkpoint(Signer.devnet(2), number)
    assert again["logs"] == []


def test_a_header_says_what_its_block_says(past_chain, anchor):
    for number in (1, past_chain.block_number() - 1):
        fields = past_chain.rpc.call("eth_getBlockByNumber", [hex(number), False])
        found = anchor.contract.call("verifyHeader", encode_header(fields))
        expected = [int(fields["number"], 16), int(fields["timestamp"], 16)]
        assert list(found[:2]) == expected
        assert [word.hex() for word in found[2:]] == [fields["stateRoot"][2:], fields["receiptsRoot"][2:]]


@pytest.mark.parametrize("field", ["stateRoot", "receiptsRoot", "timestamp", "parentHash", "gasUsed", "extraData"])
def test_a_header_with_one_field_changed_is_not_its_blocks(past_chain, anchor, field):
    fields = past_chain.rpc.call("eth_getBlockByNumber", ["0x20", False])
    value = fields[field]
    fields[field] = value + "00" if field == "extraData" else hex(int(value, 16) ^ 1)
    if len(value) == 66:
        fields[field] = f"0x{int(fields[field], 16):064x}"
    error = refused(anchor.contract, "verifyHeader", encode_header(fields))
    assert (error.name, error.args_["number"]) == ("HeaderMismatch", 0x20)
    assert error.args_["expected"] == block_hash(past_chain, 0x20)


def test_a_header_under_another_number_is_not_that_blocks(past_chain, anchor):
    fields = past_chain.rpc.call("eth_getBlockByNumber", ["0x20", False])
    error = refused(anchor.contract, "verifyHeader", encode_header({**fields, "number": "0x21"}))
    assert (error.name, error.args_["number"]) == ("HeaderMismatch", 0x21)
    error = refused(anchor.contract, "verifyHeader", encode_header({**fields, "number": hex(10**9)}))
    assert error.name == "BlockUnknown"


def test_headers_that_are_none_are_refused_by_name(past_chain, anchor):
    fields = rlp.decode(header_of(past_chain, 0x20))
    assert refused(anchor.contract, "verifyHeader", rlp.encode(fields[:14])).name == "HeaderTooShort"
    short = [*fields[:3], fields[3][:-1], *fields[4:]]
    assert refused(anchor.contract, "verifyHeader", rlp.encode(short)).name == "FieldSize"
    for text in (b"", b"\x80", header_of(past_chain, 0x20) + b"\x00", header_of(past_chain, 0x20)[:-1]):
        assert refused(anchor.contract, "verifyHeader", text).name == "RLPInvalidEncoding"


def test_a_log_is_found_as_its_receipt_holds_it(past_chain, anchor, mixed_block):
    logs = past_chain.rpc.call("eth_getLogs", [{"fromBlock": hex(mixed_block), "toBlock": hex(mixed_block)}])
    assert [int(log["transactionIndex"], 16) for log in logs] == [0, 2]
    for log in logs:
        header, found, proof = anchor.log(mixed_block, int(log["logIndex"], 16))
        assert (header.number, proof.transaction_index, proof.log_index) == (
            mixed_block, int(log["transactionIndex"], 16), 0,
        )  # fmt: skip
        assert found.emitter == bytes.fromhex(log["address"][2:])
        assert [f"0x{topic.hex()}" for topic in found.topics] == log["topics"]
        assert f"0x{found.data.hex()}" == log["data"]
        assert found == verify_log(header.receipts_root, proof.transaction_index, proof.nodes, proof.log_index)


def test_a_log_of_another_place_is_refused(past_chain, anchor, mixed_block):
    proof = fetch_log_proof(past_chain.rpc, mixed_block, 0)
    error = refused(anchor.contract, "verifyLog", (proof.header, 0, proof.nodes, 1))
    assert (error.name, error.args_) == ("LogMissing", {"logIndex": 1, "count": 1})
    for index in (1, 2, 3, 128):
        error = refused(anchor.contract, "verifyLog", (proof.header, index, proof.nodes, 0))
        assert error.name == "ProofInvalid"
    other = header_of(past_chain, mixed_block - 1)
    assert refused(anchor.contract, "verifyLog", (other, 0, proof.nodes, 0)).name == "ProofInvalid"
    with pytest.raises(UsageError, match="no such log"):
        fetch_log_proof(past_chain.rpc, mixed_block, 2)


def test_a_transaction_that_failed_shows_nothing(past_chain, anchor, mixed_block):
    receipts = past_chain.rpc.call("eth_getBlockReceipts", [hex(mixed_block)])
    nodes = receipt_nodes(receipts, 1)
    error = refused(anchor.contract, "verifyLog", (header_of(past_chain, mixed_block), 1, nodes, 0))
    assert (error.name, error.args_) == ("TransactionNotSuccessful", {"transactionIndex": 1})
    with pytest.raises(ReceiptsMismatch, match="did not succeed"):
        verify_log(ordered_root([encode_receipt(one) for one in receipts]), 1, nodes, 0)
    with pytest.raises(ReceiptsMismatch, match="no such transaction"):
        receipt_nodes(receipts, 3)


def test_slots_are_what_the_node_reads_and_empty_ones_are_zero(past_chain, anchor, mixed_block):
    address = anchor.contract.address
    kept = mixed_block - 1
    slot = int.from_bytes(keccak(kept.to_bytes(32, "big") + bytes(32)), "big")
    header, values = anchor.slots(mixed_block, address, [slot, slot + 1, 0, 2**256 - 1])
    assert header.number == mixed_block
    assert values == (int.from_bytes(block_hash(past_chain, kept), "big"), 0, 0, 0)
    read = past_chain.rpc.call("eth_getStorageAt", [address, f"0x{slot:064x}", hex(mixed_block)])
    assert int(read, 16) == values[0]
    assert anchor.slots(mixed_block - 1, address, [slot])[1] == (0,), "the block before did not have it yet"


def test_an_account_is_what_the_node_says(past_chain, anchor, mixed_block):
    account = past_chain.accounts()[1]
    proof = fetch_storage_proof(past_chain.rpc, mixed_block, account, [])
    header, state = anchor.contract.call("verifyAccount", proof.header, account, proof.account_nodes)
    nonce = past_chain.rpc.call("eth_getTransactionCount", [account, hex(mixed_block)])
    balance = past_chain.rpc.call("eth_getBalance", [account, hex(mixed_block)])
    assert header[0] == mixed_block
    assert state[:3] == (int(nonce, 16), int(balance, 16), EMPTY_ROOT)


def test_an_account_that_does_not_exist_is_named_and_another_ones_proof_shows_nothing(past_chain, anchor, mixed_block):
    proof = fetch_storage_proof(past_chain.rpc, mixed_block, ADDRESS, [])
    error = refused(anchor.contract, "verifyAccount", proof.header, ADDRESS, proof.account_nodes)
    assert (error.name, int(error.args_["account"], 16)) == ("AccountAbsent", int(ADDRESS, 16))
    there = past_chain.accounts()[0]
    error = refused(anchor.contract, "verifyAccount", proof.header, there, proof.account_nodes)
    assert error.name == "AbsenceNotShown"


def test_each_slot_needs_its_own_proof(past_chain, anchor, mixed_block):
    slot = int.from_bytes(keccak((mixed_block - 1).to_bytes(32, "big") + bytes(32)), "big")
    proof = fetch_storage_proof(past_chain.rpc, mixed_block, anchor.contract.address, [slot, 0])
    header, account, nodes, slots, (full, empty) = proof.argument
    call = "verifyStorage"
    error = refused(anchor.contract, call, (header, account, nodes, slots, (full,)))
    assert (error.name, error.args_) == ("SlotCount", {"got": 1, "expected": 2})
    assert refused(anchor.contract, call, (header, account, nodes, slots, (full, ()))).name == "AbsenceNotShown"
    assert refused(anchor.contract, call, (header, account, nodes, (slot,), (full[:-1],))).name == "AbsenceNotShown"
    assert refused(anchor.contract, call, (header, account, nodes, (slot,), (full[1:],))).name == "ProofInvalid"
    assert refused(anchor.contract, call, (header, account, nodes, (0,), ((*empty, full[-1]),))).name in (
        "AbsenceNotShown", "ProofInvalid",
    )  # fmt: skip
