"""Parts that only some suites need: each is built when it is asked for."""

import os
import shutil
from pathlib import Path

from . import apt, apt_sources
from .steps import replacing, write_atomically

# Run as root, smtp-sink wants to be told whom to become.
WRAPPER = """\
#!/bin/sh
[ "$(id -u)" != 0 ] || set -- -u nobody "$@"
LD_LIBRARY_PATH="{libraries}" exec "{program}" "$@"
"""


def find_chromium():
    """The machine's Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def build_browser(layout):
    """Have a Chromium: the machine's, or Debian's installed."""
    if not find_chromium():
        apt.install("chromium", "Chromium", layout.logs / "browser.log")


def find_smtp_sink(layout):
    """The smtp-sink that was unpacked, or None."""
    return shutil.which(str(layout.smtp_sink / "smtp-sink"))


def build_smtp_sink(layout):
    """Have an smtp-sink: unpacked, as installing postfix would start a mail server."""
    if find_smtp_sink(layout):
        return
    log = layout.logs / "smtp-sink.log"
    source, suite = apt_sources.choose(apt_sources.read(), apt_sources.code_name())
    debian = apt.Apt(layout.apt / suite, source, suite, log)
    debian.update()
    packages = layout.packages / "smtp-sink"
    archives = debian.download(["postfix"], packages, closed=True)
    with replacing(layout.smtp_sink) as partial:
        apt.unpack([packages / archive for archive in archives], partial, log)
    root = layout.smtp_sink
    libraries = [root / "usr/lib/postfix", *root.glob("usr/lib/*-linux-*")]
    libraries += root.glob("lib/*-linux-*")
    script = WRAPPER.format(
        libraries=os.pathsep.join(map(str, libraries)),
        program=root / "usr/sbin/smtp-sink",
    )
    write_atomically(root / "smtp-sink", script, mode=0o755)


def find_faketime(layout):
    """The library that gives a process a clock of its own, or None."""
    library = "usr/lib/*/faketime/libfaketimeMT.so.1"
    found = [*layout.prefix.glob(library), *Path("/").glob(library)]
    return str(found[0]) if found else None
