"""`HttpPost` against a server that answers byte by byte as it is told to."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from vaultkit.chain.http_post import PIECE, HttpPost, NoAnswer, TooMuch

Serve = Callable[..., HttpPost]


def answer(body: bytes, *lines: str, length: bool = True) -> bytes:
    head = ["HTTP/1.1 200 OK", *lines, *([f"Content-Length: {len(body)}"] if length else [])]
    return "\r\n".join([*head, "", ""]).encode() + body


def chunked(body: bytes, step: int) -> bytes:
    parts = [body[at : at + step] for at in range(0, len(body), step)]
    text = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])
    return answer(text, "Transfer-Encoding: chunked", length=False)


def asked(connection: socket.socket) -> bool:
    """Wait for a whole request; return whether one came."""
    text = b""
    while not text.endswith(b"\r\n\r\n{}"):
        piece = connection.recv(PIECE)
        if not piece:
            return False
        text += piece
    return True


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer each request of each connection with the next of some bytes, then close that connection."""
    listeners = []

    def start(*answers: bytes, pause: float = 0.0, timeout: float = 5.0) -> HttpPost:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        left = list(answers)

        def run() -> None:
            while left:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    while left and asked(connection):
                        content = left.pop(0)
                        pieces = [content] if not pause else [content[at : at + 1] for at in range(len(content))]
                        for piece in pieces:
                            try:
                                connection.sendall(piece)
                            except OSError:
                                break
                            time.sleep(pause)
                        if b"Content-Length" not in content and b"chunked" not in content:
                            break

        threading.Thread(target=run, daemon=True).start()
        return HttpPost("127.0.0.1", listener.getsockname()[1], "/", {}, timeout, 4, secure=False)

    yield start
    for listener in listeners:
        listener.close()


def ask(post: HttpPost, most: int = 2**20, seconds: float = 60.0) -> bytes:
    with post.exchange(b"{}", most, seconds) as found:
        return bytes(found.content)


BODY = bytes(range(256)) * 1_000


@pytest.mark.parametrize(
    "content",
    [
        answer(BODY),
        answer(BODY, length=False),
        chunked(BODY, 1_000),
        answer(gzip.compress(BODY), "Content-Encoding: gzip"),
        answer(b""),
    ],
    ids=["known size", "until closed", "chunked", "packed", "empty"],
)
def test_a_body_is_read_however_it_comes(serve: Serve, content: bytes) -> None:
    assert ask(serve(content)) == (b"" if content == answer(b"") else BODY)


def test_a_connection_is_used_again_and_a_closed_one_is_not(serve: Serve) -> None:
    post = serve(answer(b"one"), answer(b"two"), answer(b"three", length=False), answer(b"four"))
    assert [ask(post) for _ in range(4)] == [b"one", b"two", b"three", b"four"]


def test_memory_is_used_again_and_an_answer_that_still_lies_in_it_is_left_alone(serve: Serve) -> None:
    post = serve(answer(b"a" * 10), answer(b"b" * 10), answer(b"c" * (4 * PIECE)))
    with post.exchange(b"{}", 2**20, 60.0) as first:
        pass
    kept = first.content
    assert ask(post) == b"b" * 10 == bytes(kept)
    assert ask(post) == b"c" * (4 * PIECE)
    assert bytes(kept) == b"b" * 10


@pytest.mark.parametrize("content", [answer(BODY)[:-1], chunked(BODY, 1_000)[:-9], b"HTTP/1.1 2", b"nonsense"])
def test_an_answer_that_is_cut_short_is_none(serve: Serve, content: bytes) -> None:
    with pytest.raises(NoAnswer) as caught:
        ask(serve(content))
    assert caught.value.connected


def test_bytes_that_do_not_unpack_are_no_answer(serve: Serve) -> None:
    with pytest.raises(NoAnswer, match="error"):
        ask(serve(answer(b"not packed", "Content-Encoding: gzip")))


@pytest.mark.parametrize(
    "content",
    [
        answer(bytes(200_000)),
        chunked(bytes(200_000), 50_000),
        answer(gzip.compress(bytes(200_000)), "Content-Encoding: gzip"),
    ],
    ids=["said", "chunked", "packed"],
)
def test_an_answer_that_is_too_large_is_not_read_to_its_end(serve: Serve, content: bytes) -> None:
    with pytest.raises(TooMuch, match="larger"):
        ask(serve(content), most=100_000)


@pytest.mark.parametrize("content", [answer(bytes(1_000)), chunked(bytes(1_000), 10)], ids=["known size", "chunked"])
def test_an_answer_that_trickles_is_given_up(serve: Serve, content: bytes) -> None:
    with pytest.raises(TooMuch, match="long"):
        ask(serve(content, pause=0.001), seconds=0.2)


def test_nobody_there_is_told_from_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswer) as caught:
        ask(HttpPost("127.0.0.1", port, "/", {}, 5.0, 4, secure=False))
    assert not caught.value.connected
