"""The server of `echo_server.py` over Streamable HTTP, on a free port that it prints; it ends with its stdin.

It reads no more of HTTP than its clients here write, so that a benchmark of a client measures the client.
"""

import sys

import trio

from echo_server import answer


async def serve(stream: trio.SocketStream) -> None:
    data = b""
    while True:
        while (end := data.find(b"\r\n\r\n")) < 0:
            if not (more := await stream.receive_some(65536)):
                return
            data += more
        head = data[:end].lower()
        start = head.index(b"content-length:") + 15
        size = int(head[start:].split(b"\r\n", 1)[0])
        data = data[end + 4 :]
        while len(data) < size:
            data += await stream.receive_some(65536)
        body, data = answer(data[:size]), data[size:]
        status = b"200 OK" if body else b"202 Accepted"
        await stream.send_all(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
        )


async def main() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(listener.socket.getsockname()[1], flush=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
