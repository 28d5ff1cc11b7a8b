"""Whose tests are run, in which databases, and which of them must differ."""

import dataclasses

OURS = ("mass_mailing_queue", "mass_mailing_queue_throttle")


@dataclasses.dataclass(frozen=True)
class Family:
    """Addons that are installed together, and those of them whose tests are run.

    :param installs: what the database has; ours come on top
    :param suites: addons whose tests are run there
    """

    installs: tuple
    suites: tuple


FAMILIES = (
    Family(
        # It depends on all that the mailings' own tests need, and on nothing else:
        # the numbers of queries that some of them expect are for this company.
        ("test_mail_full", "queue_job"),
        (
            "utm",
            "link_tracker",
            "mail",
            "sms",
            "mass_mailing",
            "mass_mailing_sms",
            "sms_twilio",
            "test_mail",
            "test_mail_sms",
            "test_mail_full",
            "test_mass_mailing",
            "queue_job",
        ),
    ),
    Family(
        (
            "marketing_card",
            "mail_group",
            "mass_mailing_crm",
            "mass_mailing_event_sms",
            "mass_mailing_event_track",
            "mass_mailing_sale",
            "mass_mailing_slides",
            "website_mass_mailing",
            "queue_job",
        ),
        (
            "marketing_card",
            "mail_group",
            "mass_mailing_crm",
            "mass_mailing_event",
            "mass_mailing_event_sms",
            "mass_mailing_event_track",
            "mass_mailing_sale",
            "mass_mailing_slides",
            "website_mass_mailing",
        ),
    ),
    Family(("test_queue_job",), ("test_queue_job",)),
)

#: Tests that fail with our addons and cannot pass: (addon, test) → reason.
DIFFERENCES = {}


def chosen(names=()):
    """The families with only these suites, by default with all.

    :raises ValueError: there is no such suite
    """
    unknown = set(names) - {name for family in FAMILIES for name in family.suites}
    if unknown:
        raise ValueError(f"no such suite: {', '.join(sorted(unknown))}")
    for family in FAMILIES:
        suites = tuple(name for name in family.suites if not names or name in names)
        if suites:
            yield dataclasses.replace(family, suites=suites)
