"""A mailing's figures, counted again from its traces.

The traces are compared one by one. A figure that follows from them is therefore not
compared with the other side's, but with what its own side's traces say.
"""

#: Figure → statuses of the traces that it counts.
COUNTS = {
    "scheduled": {"outgoing"},
    "process": {"process"},
    "pending": {"pending"},
    "canceled": {"cancel"},
    "delivered": {"sent", "open", "reply"},
    "opened": {"open", "reply"},
    "replied": {"reply"},
    "bounced": {"bounce"},
    "failed": {"error"},
}

#: Ratio → (figure, figures that are no part of its whole), in per cent.
RATIOS = {
    "received_ratio": ("delivered", ("canceled",)),
    "opened_ratio": ("opened", ("canceled", "bounced", "failed")),
    "replied_ratio": ("replied", ("canceled", "bounced", "failed")),
    "bounced_ratio": ("bounced", ("canceled", "failed")),
}


def figures(traces):
    """The figures of a mailing with these traces, as Odoo defines them."""
    found = {
        name: sum(trace["trace_status"] in statuses for trace in traces)
        for name, statuses in COUNTS.items()
    }
    found["sent"] = sum(bool(trace["sent_datetime"]) for trace in traces)
    found["clicked"] = sum(bool(trace["links_click_datetime"]) for trace in traces)
    found["expected"] = len(traces)
    for ratio, (part, others) in RATIOS.items():
        whole = found["expected"] - sum(found[name] for name in others)
        found[ratio] = 100 * found[part] / (whole or 1)
    return found


def is_counted(tables, model, row, field):
    """Whether a field counts other rows, and says what the rows of its side say."""
    counted = FIGURES.get(model, lambda _tables, _row: {})(tables, row)
    return field in counted and abs(counted[field] - row[field]) < 0.01


def _of_mailing(tables, mailing):
    links = tables.rows("link.tracker")
    found = figures(_traces(tables, "mass_mailing_id", mailing["id"]))
    count = sum(link["mass_mailing_id"] == mailing["id"] for link in links)
    return {**found, "link_trackers_count": count}


def _of_campaign(tables, campaign):
    found = figures(_traces(tables, "campaign_id", campaign["id"]))
    whole = found["expected"] - found["canceled"]
    parts = {"received": found["sent"] - found["bounced"]}
    parts.update((name, found[name]) for name in ("opened", "replied", "bounced"))
    return {f"{name}_ratio": 100 * part / (whole or 1) for name, part in parts.items()}


def _of_document(model):
    """Odoo counts the attachments of a document."""

    def count(tables, document):
        owners = [
            (attachment["res_model"], attachment["res_id"])
            for attachment in tables.rows("ir.attachment")
        ]
        return {
            "has_message": bool(document["message_ids"]),
            "message_attachment_count": owners.count((model, document["id"])),
        }

    return count


def _traces(tables, field, value):
    return [row for row in tables.rows("mailing.trace") if row[field] == value]


FIGURES = {
    "mailing.mailing": _of_mailing,
    "utm.campaign": _of_campaign,
    **{
        model: _of_document(model)
        for model in ("mailing.contact", "res.partner", "event.registration")
    },
}
