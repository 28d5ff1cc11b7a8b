"""Parity: native Odoo and the job queue, for one audience and one set of contents.

Two databases that are copies of each other: one has never had the addon installed and
is the oracle, in the other one the addon is installed after the campaigns were drafted.
The same buttons are pressed and the same scheduled actions run in both; what arrived by
SMTP and what is left in the databases is then compared, field by field.

    audience, contents    who gets what: as nasty as real lists are
    generated             the same, thought up by Hypothesis
    world                 creates it in Odoo
    inside                what runs in Odoo: build, install, send, collect
    pair                  two databases from one, sent to two SMTP servers
    tables, mime          what each side has, with ids and dates replaced by meanings
    comparison            where the two sides deviate
    differences           where they are meant to, and the proof that they do
    report                what was compared, for people
"""
