"""Messages between the server and a process that seals: u32be length || MessagePack.

The pipe is private to the two, and both are this program: what does not decode is a
failure of the process, and ends it.
"""

from __future__ import annotations

from struct import Struct

from msgspec.msgpack import Decoder, Encoder

from tallystick_server.ingest.workbench import Answer, Message

MAX_FRAME = 256 * 1024 * 1024
"""Longest message in bytes: a batch of the longest events, sealed."""

HEAD = Struct(">I")
"""What stands before each message: its length."""

_encode = Encoder().encode
decode_message = Decoder(Message).decode
"""Read a message to the process."""

decode_answer = Decoder(Answer).decode
"""Read an answer of the process."""


def frame(message: Message | Answer) -> bytes:
    """Write a message with its length."""
    data = _encode(message)
    return HEAD.pack(len(data)) + data
