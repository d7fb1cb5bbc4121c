"""The process that seals: reads messages from stdin, answers on stdout, until its end.

It ends with the server, however that ends: its stdin closes.  Signals to the process
group are for the server alone, which lets it finish first.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import BinaryIO

from tallystick_server.ingest.frames import HEAD, MAX_FRAME, decode_message, frame
from tallystick_server.ingest.workbench import Workbench
from tallystick_server.ops.logging import set_up_logging


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer every message until the source ends, be it in the middle of one."""
    bench = Workbench(os.urandom)
    while len(head := source.read(HEAD.size)) == HEAD.size:
        (length,) = HEAD.unpack(head)
        if length > MAX_FRAME:
            raise ValueError(f"a message of {length} bytes")
        if len(data := source.read(length)) < length:
            return
        sink.write(frame(bench.answer(decode_message(data))))
        sink.flush()


def main() -> None:
    """Serve the process that started this one."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    set_up_logging("warning")  # on the server's stderr, in its form
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # batches leave hardly a cycle
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:  # the server was killed: nobody is there to be told
        os._exit(0)


if __name__ == "__main__":
    main()
