"""Every conversation over HTTP, written once, as a generator of requests.

An exchange yields a tuple of Requests (to be made at once or one after the other) or
a Pause, and is sent the Replies.  It does no I/O: an asyncio driver and a blocking
driver run the same exchange (see `exchange.base`).
"""
