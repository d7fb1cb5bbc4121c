"""Write to a Tallystick log, or check one; the `tallystick` command lives here.

    from tallystick_client.blocking import Tallystick      # urllib3
    from tallystick_client.aio import AsyncTallystick      # aiohttp

Both need `pip install 'tallystick[client]'`; checking a receipt needs the kernel alone
(`tallystick_merkle.receipt`).
"""
