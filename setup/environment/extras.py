"""Parts that only some suites need: each is built when it is asked for."""

import os
import shutil
from pathlib import Path

from . import apt, apt_sources
from .steps import replacing, write_atomically

# Its libraries are unpacked beside it.
WRAPPER = """\
#!/bin/sh
{prologue}LD_LIBRARY_PATH="{libraries}" exec "{program}" "$@"
"""

# Run as root, smtp-sink wants to be told whom to become.
UNPRIVILEGED = '[ "$(id -u)" != 0 ] || set -- -u nobody "$@"\n'


# Its fonts are where it was unpacked, and where Odoo's are.
FONTS = """\
<?xml version="1.0"?>
<fontconfig>
    <dir>{root}/usr/share/fonts</dir>
    <dir>{prefix}/usr/share/fonts</dir>
    <dir>/usr/share/fonts</dir>
    <cachedir>{root}/fonts-cache</cachedir>
    <alias>
        <family>system-ui</family>
        <prefer><family>Roboto</family><family>DejaVu Sans</family></prefer>
    </alias>
    <alias>
        <family>sans-serif</family>
        <prefer><family>Roboto</family><family>DejaVu Sans</family></prefer>
    </alias>
</fontconfig>
"""


def find_chromium(layout):
    """The machine's Chromium or the one that was unpacked, or None."""
    names = "chromium", "chromium-browser", str(layout.browser / "chromium")
    return next(filter(None, map(shutil.which, names)), None)


def build_browser(layout):
    """Have a Chromium: the machine's, or Debian's unpacked."""
    if find_chromium(layout):
        return
    root = layout.browser
    fonts = root / "fonts.conf"
    _unpack_program(
        layout,
        root,
        "chromium",
        "chromium",
        prologue=f'export FONTCONFIG_FILE="{fonts}"\n',
        folder="usr/lib/chromium",
    )
    write_atomically(fonts, FONTS.format(root=root, prefix=layout.prefix))


def find_smtp_sink(layout):
    """The smtp-sink that was unpacked, or None."""
    return shutil.which(str(layout.smtp_sink / "smtp-sink"))


def build_smtp_sink(layout):
    """Have an smtp-sink: unpacked, as installing postfix would start a mail server."""
    if not find_smtp_sink(layout):
        _unpack_program(layout, layout.smtp_sink, "smtp-sink", "postfix", UNPRIVILEGED)


def find_haproxy(layout):
    """The HAProxy that was unpacked, or None."""
    return shutil.which(str(layout.balancer / "haproxy"))


def build_balancer(layout):
    """Have an HAProxy: unpacked, as installing it would start a service."""
    if not find_haproxy(layout):
        _unpack_program(layout, layout.balancer, "haproxy", "haproxy")


def _unpack_program(layout, root, program, package, prologue="", folder="usr/sbin"):
    """Unpack a package of the machine's own suite and what it depends on.

    :param root: folder to unpack below; the program's wrapper is put on top
    :param program: its name in the package's `folder`
    :param prologue: shell commands to run before the program
    """
    log = layout.logs / f"{program}.log"
    source, suite = apt_sources.choose(apt_sources.read(), apt_sources.code_name())
    debian = apt.Apt(layout.apt / suite, source, suite, log)
    debian.update()
    packages = layout.packages / program
    archives = debian.download([package], packages, closed=True)
    with replacing(root) as partial:
        apt.unpack([packages / archive for archive in archives], partial, log)
    libraries = [root / "usr/lib" / package, *root.glob("usr/lib/*-linux-*")]
    libraries += root.glob("lib/*-linux-*")
    # Found by a path within the library that needs it, which is not there.
    libraries += root.glob("usr/lib/*-linux-*/pulseaudio")
    script = WRAPPER.format(
        prologue=prologue,
        libraries=os.pathsep.join(map(str, libraries)),
        program=root / folder / program,
    )
    write_atomically(root / program, script, mode=0o755)


def find_faketime(layout):
    """The library that gives a process a clock of its own, or None."""
    library = "usr/lib/*/faketime/libfaketimeMT.so.1"
    found = [*layout.prefix.glob(library), *Path("/").glob(library)]
    return str(found[0]) if found else None
