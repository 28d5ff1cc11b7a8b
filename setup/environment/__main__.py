"""Entry point of `python3 setup/environment`."""

import importlib
import signal
import sys
from pathlib import Path

# Run as a directory, this folder comes first on the path, and its modules would be
# importable under a second, top-level name: the root of the checkout takes its place.
sys.path[0] = str(Path(__file__).resolve().parents[2])

cli = importlib.import_module("setup.environment.cli")
signal.signal(signal.SIGTERM, cli.terminate)
sys.exit(cli.main())
