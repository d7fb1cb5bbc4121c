"""`python -m tallystick_server`: the operator's command line."""

from tallystick_server.cli import app

if __name__ == "__main__":
    app(prog_name="tallystick server")
