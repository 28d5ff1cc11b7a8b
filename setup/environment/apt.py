"""Debian packages, fetched with apt but without touching the machine's own apt state.

A folder of ours holds lists, cache and sources; the machine's configuration still says
how to reach its mirror (proxy, certificates, credentials), and its keys whom to trust.
"""

import os
import re
import shutil
from urllib.parse import unquote

from .console import Progress, say
from .errors import CommandFailed, EnvironmentFailure
from .process import run

# The machine's hooks and pins are for the machine's state: not run, not heeded. apt
# drops its rights to a user that may be unable to enter our folder. The index of
# unstable expires within days, which a mirror that is a snapshot outlives, or a machine
# with a wrong clock. Signatures are checked all the same.
CONFIGURATION = """\
#clear APT::Update;
#clear DPkg;
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Check-Date "false";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
Dir::State "{folder}";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{folder}/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
"""

INSTALLED = "/var/lib/dpkg/status"

ARCHIVE = re.compile(r"^'[^']+' (?P<file>\S+\.deb) \d+ ")
STATUS = re.compile(r"^dlstatus:[^:]*:(?P<percent>[\d.]+):")


def package_name(archive):
    """The package of an archive's file name.

    >>> package_name("odoo-19_19.0.0+dfsg-1_all.deb")
    'odoo-19'
    """
    return archive.partition("_")[0]


def package_version(archive):
    """The version in an archive's file name.

    >>> package_version("fonts-roboto-unhinted_2%3a3.016-1_all.deb")
    '2:3.016-1'
    """
    return unquote(archive.split("_")[1])


class Apt:
    """One suite of one mirror, with a private state in `folder`."""

    def __init__(self, folder, source, suite, log):
        self.folder = folder
        self.source = source
        self.suite = suite
        self.log = log

    def _run(self, *arguments, label=None, cwd=None):
        command = ["apt-get", "-c", self.folder / "apt.conf", "-q"]
        on_line = None
        if label:
            command += ["-o", "APT::Status-Fd=1"]
            progress = Progress(label)

            def on_line(line):
                if match := STATUS.match(line):
                    progress.at(float(match["percent"]) / 100)

        return run([*command, *arguments], self.log, on_line, cwd=cwd)

    def update(self):
        """Fetch the suite's package index.

        :raises EnvironmentFailure: the mirror does not answer or lacks the suite
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in ("lists/partial", "cache/archives/partial", "sources"):
            (self.folder / path).mkdir(parents=True)
        (self.folder / "status").touch()
        entry = self.source.render(self.suite)
        (self.folder / "sources" / "suite.sources").write_text(entry)
        configuration = CONFIGURATION.format(folder=self.folder)
        (self.folder / "apt.conf").write_text(configuration)
        say(f"reading the index of Debian {self.suite}")
        try:
            self._run("update")
        except CommandFailed as error:
            raise EnvironmentFailure(
                f"This machine's Debian mirror does not give the index of "
                f"{self.suite}: {error.cause} (all of it is in {self.log})."
            ) from error

    def archives(self, packages, closed=False):
        """The file names of the archives of `packages`, as the index has them now.

        :param closed: also of what they depend on that this machine does not have
        :raises EnvironmentFailure: the suite lacks one
        """
        request = ["download"]
        if closed:
            request = ["-o", f"Dir::State::status={INSTALLED}", "install", "-y"]
            request += ["--no-install-recommends"]
        try:
            output = self._run("--print-uris", *request, *packages)
        except CommandFailed as error:
            raise EnvironmentFailure(
                f"Debian {self.suite} lacks a package: {error.cause}."
            ) from error
        matches = map(ARCHIVE.match, output.splitlines())
        return sorted(match["file"] for match in matches if match)

    def download(self, packages, into, closed=False):
        """Put the archives of `packages` into the folder `into`; returns their names.

        An archive is fetched aside and renamed, so that one that is there is whole and
        what an interrupted run has fetched is not fetched again.
        """
        into.mkdir(parents=True, exist_ok=True)
        archives = self.archives(packages, closed)
        for archive in archives:
            if (into / archive).exists():
                continue
            aside = into / f"{archive}.part"
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            name = package_name(archive)
            say(f"downloading {name} {package_version(archive)}")
            self._run("download", name, label=name, cwd=aside)
            (aside / archive).replace(into / archive)
            aside.rmdir()
        return archives


def unpack(archives, folder, log):
    """Unpack the files of Debian packages below `folder`, installing nothing."""
    for archive in archives:
        run(["dpkg-deb", "-x", archive, folder], log)


def install(package, purpose, log):
    """Install `package` on this machine with its own apt, which only root may.

    :raises EnvironmentFailure: we are not root, or the package does not install
    """
    if os.geteuid() or not shutil.which("apt-get"):
        raise EnvironmentFailure(
            f"{purpose} is missing: install Debian's package {package}."
        )
    say(f"installing Debian's package {package} for {purpose}")
    # It may start services, which are not to hold our lock.
    options = {
        "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        "close_fds": True,
    }
    command = ["apt-get", "-q", "-y", "--no-install-recommends", "install", package]
    try:
        # The lists of a fresh machine are empty.
        run(["apt-get", "-q", "update"], log, **options)
        run(command, log, **options)
    except CommandFailed as error:
        raise EnvironmentFailure(
            f"{purpose} is missing and Debian's package {package} does not install: "
            f"{error.cause} (all of it is in {log})."
        ) from error
