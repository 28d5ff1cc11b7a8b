# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import os
import shutil
from configparser import RawConfigParser
from pathlib import Path
from tempfile import mkdtemp
from unittest.mock import patch

from odoo.tests import BaseCase, tagged
from odoo.tools import config

from .. import channels


@tagged("-at_install", "post_install")
class TestChannels(BaseCase):
    """Where a setting belongs: a line in the wrong place keeps Odoo from starting."""

    def _configuration(self, text, **options):
        """Have this configuration file, as both Odoo and queue_job have read it."""
        path = Path(mkdtemp()) / "odoo.conf"
        self.addCleanup(shutil.rmtree, path.parent)
        path.write_text(text)
        parser = RawConfigParser()
        parser.read(path)
        section = dict(parser["queue_job"]) if "queue_job" in parser else {}
        self.startPatcher(patch.object(channels, "queue_job_config", section))
        self.startPatcher(patch.dict(config.options, {"config": str(path), **options}))

    def _set_environment(self, **values):
        self.startPatcher(patch.dict(os.environ, values))

    def _place(self):
        return channels.place("channels", "root:2")

    def test_channels(self):
        """Replaced, added to their section, or appended in a section of their own."""
        self._set_environment(ODOO_QUEUE_JOB_CHANNELS="")
        line = "channels = root:2"
        for text, expected in (
            ("[options]\n", ("append", ["[queue_job]", line])),
            ("[options]\n[queue_job]\n", ("add", [line])),
            ("[queue_job]\nport = 1\n", ("add", [line])),
            ("[queue_job]\nchannels = root:1\n", ("replace", [line])),
            ("[queue_job]\nchannels =\n  root:1\n  a:1\n", ("replace", [line])),
        ):
            with self.subTest(text=text):
                self._configuration(text)
                self.assertEqual(self._place(), expected)

    def test_channels_of_the_environment(self):
        """The variable overrides the file."""
        self._configuration("[queue_job]\nchannels = root:1\n")
        self._set_environment(ODOO_QUEUE_JOB_CHANNELS="root:1")
        lines = ["ODOO_QUEUE_JOB_CHANNELS=root:2"]
        self.assertEqual(self._place(), ("environment", lines))

    def test_a_file_that_has_changed_since(self):
        """What is there now would be there twice."""
        self._set_environment(ODOO_QUEUE_JOB_CHANNELS="")
        self._configuration("")
        Path(config["config"]).write_text("[queue_job]\nchannels = root:3\n")
        self.assertEqual(self._place(), ("replace", ["channels = root:2"]))
        Path(config["config"]).write_text("no configuration")
        self.assertEqual(self._place()[0], "append")
        Path(config["config"]).unlink()
        self.assertEqual(self._place()[0], "append")

    def test_server_wide_modules(self):
        """What is there is kept, wherever it comes from."""
        name = "server_wide_modules"
        for text, modules, variable, kind in (
            ("[options]\n", "base,rpc,web", "", "add"),
            ("", "base,rpc,web", "", "append"),
            (f"[options]\n{name} = web,x", "base,web,x", "", "replace"),
            (f"[options]\n{name} = web", "base,web,x", "", "command"),
            ("[options]\n", "base,x", "", "command"),
            (f"[options]\n{name} = web", "base,x", "x", "environment"),
        ):
            with self.subTest(text=text, modules=modules):
                self._configuration(text, server_wide_modules=modules.split(","))
                self._set_environment(ODOO_SERVER_WIDE_MODULES=variable)
                place = channels.place_of_modules([*modules.split(","), "queue_job"])
                line = f"{name} = {modules},queue_job"
                expected = {
                    "add": [line],
                    "append": ["[options]", line],
                    "replace": [line],
                    "command": [f"--load={modules},queue_job"],
                    "environment": [f"ODOO_SERVER_WIDE_MODULES={modules},queue_job"],
                }
                self.assertEqual(place, (kind, expected[kind]))

    def test_nodes(self):
        """Workers of other nodes are unknown; somebody has chosen their channels."""
        self.startPatcher(patch.dict(config.options, {"workers": 8}))
        for host, line, workers in (
            ("balancer.example.com", "root:3", None),
            ("balancer.example.com", "", 8),
            ("127.0.0.1", "root:3", 8),
            ("", "root:3", 8),
        ):
            with self.subTest(host=host, line=line):
                self._configuration("")
                self._set_environment(
                    ODOO_QUEUE_JOB_HOST=host,
                    ODOO_QUEUE_JOB_CHANNELS=line,
                )
                self.assertEqual(channels.workers(), workers)
