"""Where things are, in the checkout and in the folder that is built."""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
DEFAULT_ROOT = REPOSITORY / "build" / "environment"


@dataclass(frozen=True)
class Layout:
    """The paths below the one folder that the builder writes to."""

    root: Path = DEFAULT_ROOT

    @property
    def record(self):
        """What the suites read; written last, so that it exists means it is usable."""
        return self.root / "environment.json"

    @property
    def lock(self):
        return self.root / ".lock"

    @property
    def stamps(self):
        return self.root / "stamps"

    @property
    def logs(self):
        return self.root / "logs"

    @property
    def apt(self):
        return self.root / "apt"

    @property
    def packages(self):
        return self.root / "packages"

    @property
    def prefix(self):
        return self.root / "prefix"

    @property
    def venv(self):
        return self.root / "venv"

    @property
    def python(self):
        return self.venv / "bin" / "python"

    @property
    def odoo_script(self):
        return self.venv / "bin" / "odoo"

    @property
    def pip_cache(self):
        return self.root / "pip-cache"

    @property
    def smtp_sink(self):
        return self.root / "smtp-sink"

    @property
    def balancer(self):
        return self.root / "balancer"

    @property
    def browser(self):
        return self.root / "browser"
