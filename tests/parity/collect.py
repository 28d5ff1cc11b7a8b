"""What sending left behind in a database, read by Odoo's own ORM."""

import hashlib
import json

from odoo import tools

#: Read whole, and not only what is new: what sending may have changed.
DOCUMENTS = (
    "mailing.mailing",
    "mailing.contact",
    "mailing.subscription",
    "mailing.list",
    "res.partner",
    "event.registration",
    "mail.blacklist",
    "utm.campaign",
)


def kept_models(env):
    """The names of all models whose records are there to stay."""
    return sorted(
        name
        for name, model in env.registry.items()
        if model._auto and not model._abstract and not model._transient
    )


def marks(env):
    """Return the time (UTC) and each table's highest id."""
    highest = {}
    for name in kept_models(env):
        env.cr.execute(f'SELECT COALESCE(max(id), 0) FROM "{env[name]._table}"')
        highest[name] = env.cr.fetchone()[0]
    env.cr.execute("SELECT date_trunc('second', now() AT TIME ZONE 'utc')::text")
    return {"baseline": highest, "since": env.cr.fetchone()[0]}


def collect(env, baseline, since):
    """Return all rows above the baseline, and the documents.

    :param dict baseline: model → highest id before sending
    :param str since: when sending began (UTC)
    :return: dict with the `fields` and the `rows` of each model, `rows` by id
    """
    models = {}
    for name in kept_models(env):
        low = -1 if name in DOCUMENTS else baseline[name]
        model = env[name].with_context(active_test=False, prefetch_fields=False)
        records = model.search([("id", ">", low)], order="id")
        if records:
            models[name] = _read(records)
    return {
        "name": env.cr.dbname,
        "secret": env["ir.config_parameter"].get_param("database.secret"),
        "baseline": baseline,
        "since": since,
        "addresses": _addresses(env),
        "models": json.loads(json.dumps(models, default=_plain)),
    }


def _addresses(env):
    """The addresses of everybody who has a trace, as Odoo understands them.

    :return: list of model, record id and list of normalized addresses
    """
    found = []
    pairs = env["mailing.trace"]._read_group([], ["model"], ["res_id:array_agg"])
    for model, ids in pairs:
        records = env[model].browse(sorted(set(ids)))
        for record_id, to in records._message_get_default_recipients().items():
            partners = env["res.partner"].browse(to["partner_ids"])
            emails = tools.mail.email_split_and_format(to["email_to"])
            emails += partners.mapped("email")
            normalized = [
                tools.email_normalize(email, strict=False) for email in emails
            ]
            found.append([model, record_id, [one for one in normalized if one]])
    return found


def _read(records):
    fields = records.fields_get(attributes=["type", "relation", "store"])
    try:
        rows = records.read(load=None)
    except Exception:
        rows = [_read_patiently(records.browse(one), fields) for one in records.ids]
    return {"fields": fields, "rows": {row["id"]: row for row in rows}}


def _read_patiently(record, fields):
    """Read field by field: some can be computed for some records only."""
    values = {"id": record.id}
    # What another record's failure left in the cache is not this one's value.
    record.env.invalidate_all()
    for name in fields:
        try:
            values[name] = record.read([name], load=None)[0][name]
        except Exception as error:
            values[name] = type(error).__name__
    return values


def _plain(value):
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    return str(value)
