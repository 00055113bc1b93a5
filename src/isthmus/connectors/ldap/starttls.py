"""The bytes of StartTLS (RFC 4511 4.14), and LDAPS over a socket that is already connected.

The library starts TLS on a given socket only after StartTLS; for LDAPS it insists on connecting by itself, and then
nobody can end a handshake that stalls. So it is given one end of a socket pair. Here, its StartTLS request is answered
with success and not passed on; what follows is the handshake, which is passed to the server's LDAPS port byte by byte
until the log-in is answered. Then the pair is replaced by the server's socket itself (`dup2`), and no byte goes through
our hands any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import socket
import struct
import termios
import threading

_OID = b"1.3.6.1.4.1.1466.20037"
START_TLS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + _OID
"""An ExtendedRequest with message id 1."""

_CHUNK = 65536


def read_message(source: socket.socket) -> bytes:
    """Return one whole BER element, as far as StartTLS needs it.

    Raises:
        ConnectionError: the other side ended, or sent something else.
    """
    head = _exactly(source, 2)
    if head[0] != 0x30:
        raise ConnectionError("the server does not speak LDAP here")
    length = head[1]
    if length & 0x80:
        more = _exactly(source, length & 0x7F)
        head, length = head + more, int.from_bytes(more, "big")
    if length > _CHUNK:
        raise ConnectionError("the server does not speak LDAP here")
    return head + _exactly(source, length)


def _exactly(source: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = source.recv(count - len(received))
        if not part:
            raise ConnectionError("the server ended the connection")
        received += part
    return received


def succeeded(response: bytes) -> bool:
    """Whether an ExtendedResponse says success: its result code is the first ENUMERATED."""
    at = response.find(b"\x0a\x01")
    return at >= 0 and response[at + 2] == 0


def _answer(request: bytes) -> bytes:
    """Return success for a request: its message id, resultCode 0, empty DN and text."""
    at = 2 if request[1] < 0x80 else 2 + (request[1] & 0x7F)
    number = request[at : at + 2 + request[at + 1]]
    body = number + b"\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
    return b"\x30" + bytes([len(body)]) + body


class Introduction:
    """The bridge between the library's end of the pair and an LDAPS server, for as long as the log-in takes."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.library, self._own = socket.socketpair()
        self._stop, self._stopping = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True, name="ldaps introduction")
        self._thread.start()

    def finish(self, descriptor: int) -> bool:
        """Put the server's socket in the place of the library's; False if bytes are still under way."""
        self._stopping.close()
        self._thread.join()
        waiting = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0\0\0\0"))[0]
        if waiting:
            return False
        os.dup2(self._server.fileno(), descriptor, inheritable=False)
        return True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._own.shutdown(socket.SHUT_RDWR)
        self._stopping.close()
        self._thread.join()
        for each in (self._own, self._stop):
            each.close()

    def _run(self) -> None:
        try:
            self._own.sendall(_answer(read_message(self._own)))
            self._pass()
        except OSError:
            pass  # one side ended; the library is told by the end of its socket
        finally:
            with contextlib.suppress(OSError):
                if self._stopping.fileno() >= 0:
                    self._own.shutdown(socket.SHUT_RDWR)

    def _pass(self) -> None:
        with selectors.DefaultSelector() as selector:
            for each in (self._own, self._server, self._stop):
                selector.register(each, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                for source, sink in ((self._own, self._server), (self._server, self._own)):
                    if source in ready:
                        received = source.recv(_CHUNK)
                        if not received:
                            raise ConnectionError("ended")
                        sink.sendall(received)
                if ready == {self._stop}:
                    return
