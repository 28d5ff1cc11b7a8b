# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).


def post_init_hook(env):
    """Match the servers that exist, so that a limit applies before anybody looks."""
    env["ir.mail_server"].with_context(active_test=False).search([])._queue_match()
    if env["mailing.provider"]._has_config_server():
        env["mailing.provider"]._for_server(env["ir.mail_server"])


def uninstall_hook(env):
    """Let the send jobs run in a channel that stays, and now."""
    env.cr.execute(
        """
        UPDATE queue_job SET channel = 'root.mail', eta = NULL
         WHERE channel LIKE 'root.mail.%%' AND method_name = '_job_send'
           AND state = 'pending'
        """
    )
    env["queue.job.channel"].search(
        [("parent_id", "=", env.ref("mass_mailing_queue.channel_mail").id)]
    ).filtered(
        lambda channel: not channel.job_function_ids
        and channel.name.startswith("provider-")
    ).unlink()
