# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import random
import re
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.link_tracker.models.link_tracker import LinkTracker

from ..links import Links
from .common import QueueCase

PLACES = """<div><a href="#top">Up</a> <a class="x" href='#a&amp;b'>Here</a>
<a href="#">Nowhere</a> <a href="/page#part">Page</a> <a href="/">Home</a>
<a href="https://www.example.com/#top">There</a></div>"""


@tagged("-at_install", "post_install")
class TestLinks(QueueCase):
    """Links of emails: which are tracked, made, and asked for their title."""

    def setUp(self):
        super().setUp()
        self._contacts("a@example.com", "b@example.com")

    def _compose(self, **values):
        """Plan and compose; returns the mailing and the emails' links."""
        mailing = self._mailing(**values)
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        routes, failures = mailing._queue_try_compose(self._traces(mailing).ids)
        self.assertFalse(failures)
        return mailing, [
            re.findall('href="([^"]*)"', parcel.emails[0]["body"])
            for route in routes
            for parcel in route.parcels
        ]

    def _trackers(self, mailing):
        return self.env["link.tracker"].search([("mass_mailing_id", "=", mailing.id)])

    def test_h31_a_link_to_a_place_in_the_email_stays(self):
        """H31: natively it becomes a tracked link to the home page."""
        for preview in (False, "For {{ object.name }}"):
            mailing, emails = self._compose(body_html=PLACES, preview=preview)
            self.assertEqual(len(emails), 2)
            for links in emails:
                self.assertEqual(links[:3], ["#top", "#a&amp;b", "#"])
                for link in links[3:]:
                    self.assertIn("/r/", link)
            self.assertEqual(len(self._trackers(mailing)), 3)

    def test_a_mailing_without_the_queue_tracks_as_natively(self):
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.enabled", "False")
        mailing = self._mailing(body_html=PLACES)
        mailing._action_send_mail()
        self.assertEqual(len(self._trackers(mailing)), 6)

    def test_links_of_an_edit_are_made_in_a_transaction_of_their_own(self):
        """H17: what is composed begins again when they are there."""
        mailing, _emails = self._compose()
        mailing.body_html = (
            '<p><a href="https://www.example.com/new?a=1&amp;b=ü">new</a>'
            '<a t-attf-href="https://www.example.com/{{ object.id }}">mine</a></p>'
        )
        made = []
        make = type(mailing)._queue_make_links

        def making(mailing, vals_list):
            made.extend(vals["label"] for vals in vals_list)
            return make(mailing, vals_list)

        with patch.object(type(mailing), "_queue_make_links", making):
            _routes, failures = mailing._queue_try_compose(self._traces(mailing).ids)
        self.assertFalse(failures)
        self.assertEqual(made, ["new"])
        labels = sorted(self._trackers(mailing).mapped("label"))
        self.assertEqual(labels, ["mine", "mine", "new", "the offer"])

    def test_no_page_of_one_recipient_is_asked(self):
        """H33: also where the first recipient's links are made before the jobs."""
        asked = []

        def title(_tracker, url):
            asked.append(url)
            return "A title"

        with patch.object(LinkTracker, "_get_title_from_url", title):
            mailing, _emails = self._compose(
                body_html='<p><a href="https://www.example.com/a">One</a>'
                '<a href="https://www.example.com/a">Two</a>'
                '<a href="https://www.example.com/a">For <t t-out="object.id"/></a>'
                '<a t-attf-href="https://www.example.com/{{ object.id }}">x</a></p>'
            )
        self.assertEqual(asked, ["https://www.example.com/a"])
        for tracker in self._trackers(mailing):
            shared = tracker.url.endswith("/a")
            self.assertEqual(tracker.title == "A title", shared)

    def test_workers_choose_different_codes(self):
        """Even if upstream's choice, which sees committed links only, is the same."""
        model = self.env["link.tracker.code"]
        for links, same in ((None, True), (Links(), False)):
            codes = []
            for _worker in range(2):
                random.seed(1)
                worker = model.with_context(mass_mailing_queue_links=links)
                codes.append(worker._get_random_code_strings(50))
            self.assertEqual(codes[0] == codes[1], same)
            self.assertEqual(len({*codes[1]}), 50)
