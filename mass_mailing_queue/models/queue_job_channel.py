# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, models

from .. import channels
from ..capacities import ROOT, Channel, recommended, unparse


class QueueJobChannel(models.Model):
    """Capacities of channels: what they are, and what would suit this server.

    All screens ask here, so that none contradicts another. Channels are configured for
    the whole server, or for each database where queue_job allows that (from 18.0.4 on).
    Other people's channels are kept as they are.
    """

    _inherit = "queue.job.channel"

    @api.model
    def _queue_bounds(self):
        """Return how many jobs of a channel can work at a time. Extension point.

        :return: dict of the channel's complete name → number, at least 1
        """
        return {}

    @api.model
    def _queue_are_in_database(self):
        return channels.are_in_database() and "effective_capacity" in self._fields

    @api.model
    def _queue_configured(self):
        """Return the channels as they are configured: complete name → ``Channel``."""
        if not self._queue_are_in_database():
            return channels.configured()
        # Marketers may not read channels.
        return {
            channel.complete_name: Channel(
                channel.capacity
                if channel.parent_id
                # What the server's configuration allows at most.
                else channel.effective_capacity,
                "sequential" if channel.sequential else "",
            )
            for channel in self.sudo().search([])
            if channel.capacity or not channel.parent_id
        }

    @api.model
    def _queue_recommended(self):
        """Return the channels that suit this server: complete name → ``Channel``."""
        return recommended(
            self._queue_configured(),
            channels.workers(),
            self._queue_bounds(),
            channels.are_shared() and not self._queue_are_in_database(),
        )

    # ------------------------------------------------------------------
    # Words
    # ------------------------------------------------------------------

    @api.model
    def _queue_describe_recommended(self):
        """Say how to configure what is recommended.

        :return: list of (what to do, its lines), empty if nothing is to be changed
        """
        now = {ROOT: Channel(), **self._queue_configured()}
        then = self._queue_recommended()
        if now == then:
            return []
        if not self._queue_are_in_database():
            place = channels.place("channels", unparse(then))
            return [self._queue_describe_place("channels", *place)]
        return self._queue_describe_in_database(
            {name: then[name] for name in then if then[name] != now.get(name)}
        )

    @api.model
    def _queue_describe_in_database(self, changed):
        """Say what to change in the database, and what of the server bounds it.

        :param dict changed: complete name → ``Channel``
        """
        found = []
        lines = [
            f"{name}: {channel.capacity}"
            for name, channel in changed.items()
            if name != ROOT
        ]
        most = changed.get(ROOT)
        if most:
            root = self.sudo().search([("parent_id", "=", False)], limit=1)
            if root.capacity and root.capacity < most.capacity:
                lines.insert(0, f"{ROOT}: {most.capacity}")
            if root._root_max_capacity() < most.capacity:
                found += self._queue_describe_most(most.capacity)
        if lines:
            path = self.env._(
                "In Job Queue / Channels, set these capacities. No restart is needed:"
            )
            found.append((path, lines))
        return found

    @api.model
    def _queue_describe_most(self, capacity):
        """Say how to let the jobs of this database be so many at a time."""
        values = {}
        if int(channels.setting("max_capacity") or 1) < capacity:
            values["max_capacity"] = capacity
        if rules := channels.setting("db_max_capacity"):
            # The first one that matches counts.
            values["db_max_capacity"] = f"{self.env.cr.dbname}:{capacity},{rules}"
        return [
            self._queue_describe_place(option, *channels.place(option, value))
            for option, value in values.items()
        ]

    @api.model
    def _queue_describe_place(self, option, kind, lines, section=channels.SECTION):
        """Say where lines belong.

        :param str option: which is set by them
        :param str kind: see :func:`..channels.place`
        :return: (what to do, lines)
        """
        values = {"option": option, "section": section}
        return {
            "append": self.env._(
                "Add these lines at the end of the server's configuration file, then "
                "restart Odoo:"
            ),
            "add": self.env._(
                "Add this line to the section [%(section)s] of the server's "
                "configuration file, then restart Odoo:",
                **values,
            ),
            "replace": self.env._(
                "Replace %(option)s in the section [%(section)s] of the server's "
                "configuration file with this line, then restart Odoo:",
                **values,
            ),
            "environment": self.env._(
                "An environment variable overrides the server's configuration file. "
                "Set it to this value, then restart Odoo:"
            ),
            "command": self.env._(
                "Odoo was started with an option that overrides its configuration "
                "file. Restart it with this one:"
            ),
        }[kind], lines

    @api.model
    def _queue_describe_runner(self):
        """Say how to start a job runner with this server, or nothing if it does."""
        modules = channels.config["server_wide_modules"]
        if channels.SECTION in modules:
            return []
        place = channels.place_of_modules([*modules, channels.SECTION])
        return [
            self._queue_describe_place("server_wide_modules", *place, "options"),
            *self._queue_describe_recommended(),
        ]
