"""Parts that only some suites need: each is built when it is asked for."""

import shutil

from . import apt, apt_sources
from .steps import replacing, write_atomically

WRAPPER = """\
#!/bin/sh
LD_LIBRARY_PATH="{library}" exec "{program}" "$@"
"""


def find_chromium():
    """The machine's Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def build_browser(layout):
    """Have a Chromium: the machine's, or Debian's installed."""
    if not find_chromium():
        apt.install("chromium", "Chromium", layout.logs / "browser.log")


def find_smtp_sink(layout):
    """The machine's smtp-sink, or the one that was unpacked, or None."""
    ours = layout.smtp_sink / "smtp-sink"
    if ours.is_file():
        return str(ours)
    return shutil.which("smtp-sink") or shutil.which("/usr/sbin/smtp-sink")


def build_smtp_sink(layout):
    """Have an smtp-sink: unpacked, as installing postfix would start a mail server."""
    if find_smtp_sink(layout):
        return
    log = layout.logs / "smtp-sink.log"
    source, suite = apt_sources.choose(apt_sources.read(), apt_sources.code_name())
    debian = apt.Apt(layout.apt / suite, source, suite, log)
    debian.update()
    archives = debian.download(["postfix"], layout.packages / "smtp-sink")
    with replacing(layout.smtp_sink) as partial:
        paths = [layout.packages / "smtp-sink" / archive for archive in archives]
        apt.unpack(paths, partial, log)
    program = layout.smtp_sink / "usr/sbin/smtp-sink"
    library = layout.smtp_sink / "usr/lib/postfix"
    wrapper = layout.smtp_sink / "smtp-sink"
    write_atomically(wrapper, WRAPPER.format(library=library, program=program))
    wrapper.chmod(0o755)
