from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from vaultkit.chain import rpc as rpc_module
from vaultkit.chain.devnet import Devnet, free_port
from vaultkit.chain.rpc import HttpRpc, connect, quantity
from vaultkit.errors import RpcRefused, RpcUnavailable, SettingsError, WrongChain
from vaultkit.protocols import Rpc

Answer = Callable[[Any], tuple[int, bytes, dict[str, str]]]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Start a server that answers every POST with what a function makes of its JSON; return its URL."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                status, body, headers = answer(json.loads(self.rfile.read(length)))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def raw(body: bytes, status: int = 200, **headers: str) -> Answer:
    return lambda _: (status, body, headers)


def test_http_rpc_is_an_rpc(chain: Devnet) -> None:
    assert isinstance(chain.rpc, Rpc)


def test_label_and_errors_show_neither_credentials_nor_path_nor_query() -> None:
    rpc = HttpRpc(f"http://alice:hunter2@127.0.0.1:{free_port()}/v3/s3cretkey?token=t0ken", timeout=2)
    with pytest.raises(RpcUnavailable) as caught:
        rpc.call("eth_chainId")
    shown = f"{rpc.label} {rpc!r} {caught.value} {caught.value.__cause__} {caught.value.__suppress_context__}"
    assert not any(secret in shown for secret in ("alice", "hunter2", "s3cretkey", "t0ken"))
    assert caught.value.__suppress_context__
    assert caught.value.retryable


@pytest.mark.parametrize("url", ["ftp://host", "localhost:8545", "", "http://", "http://host:99999"])
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        HttpRpc(url)


def test_batch_keeps_the_order_of_its_calls(chain: Devnet) -> None:
    numbers = [5, 1, 3, 2, 4]
    answers = chain.rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
    assert [int(answer["number"], 16) for answer in answers] == numbers


def test_batch_is_reordered_by_id_when_the_node_shuffles_it(serve: Callable[[Answer], str]) -> None:
    def shuffled(requests: Any) -> tuple[int, bytes, dict[str, str]]:
        answers = [{"jsonrpc": "2.0", "id": request["id"], "result": request["params"][0]} for request in requests]
        return 200, json.dumps(answers[::-1]).encode(), {}

    assert HttpRpc(serve(shuffled)).batch([("echo", [value]) for value in "abc"]) == ["a", "b", "c"]


def test_an_error_inside_a_batch_is_raised_with_the_nodes_code(chain: Devnet) -> None:
    with pytest.raises(RpcRefused) as caught:
        chain.rpc.batch([("eth_chainId", []), ("eth_noSuchMethod", [])])
    assert caught.value.code == -32601
    assert "eth_noSuchMethod" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>hello</html>", b"[]", b"{}", b"\xff\xfe", b'{"id": 1}', b'{"id": 77, "result": "0x1"}', b"7"],
)
def test_an_answer_that_is_not_json_rpc_is_no_answer(serve: Callable[[Answer], str], body: bytes) -> None:
    with pytest.raises(RpcUnavailable):
        HttpRpc(serve(raw(body))).call("eth_chainId")


def test_a_batch_with_a_missing_answer_is_no_answer(serve: Callable[[Answer], str]) -> None:
    def short(requests: Any) -> tuple[int, bytes, dict[str, str]]:
        return 200, json.dumps([{"id": requests[0]["id"], "result": 1}]).encode(), {}

    with pytest.raises(RpcUnavailable, match="1 of 2"):
        HttpRpc(serve(short)).batch([("a", []), ("b", [])])


def test_too_many_requests_is_retryable_and_names_the_wait(serve: Callable[[Answer], str]) -> None:
    url = serve(raw(b"slow down", 429, **{"Retry-After": "7"}))
    with pytest.raises(RpcUnavailable, match="HTTP 429, Retry-After 7") as caught:
        HttpRpc(url).call("eth_chainId")
    assert caught.value.retryable


def test_a_request_that_is_too_large_is_refused_for_good(serve: Callable[[Answer], str]) -> None:
    with pytest.raises(RpcRefused) as caught:
        HttpRpc(serve(raw(b"too large", 413))).call("eth_getLogs")
    assert caught.value.code == 413
    assert not caught.value.retryable


def test_a_huge_answer_is_cut_off(serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "MAX_BODY_BYTES", 1_000)
    with pytest.raises(RpcUnavailable, match="larger than"):
        HttpRpc(serve(raw(b" " * 5_000))).call("eth_chainId")


def test_connect_refuses_another_chain(chain: Devnet) -> None:
    with pytest.raises(WrongChain, match="31337"):
        connect(chain.url, expected_chain_id=1)


def test_connect_gives_an_endpoint_of_the_right_chain(chain: Devnet) -> None:
    rpc = connect(chain.url, expected_chain_id=31337)
    assert rpc.call("eth_blockNumber") == chain.rpc.call("eth_blockNumber")
    rpc.close()


@pytest.mark.parametrize("value", [None, "", "abc!", 7, hex(2**256), "-0x1", {}])
def test_a_quantity_that_is_none_is_refused(chain: Devnet, value: Any) -> None:
    with pytest.raises(RpcUnavailable):
        quantity(value, chain.rpc)
