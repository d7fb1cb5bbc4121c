"""Run the command line: `python -m tallystick_client.cli`."""

import sys

from tallystick_client.cli.main import main

sys.exit(main())
