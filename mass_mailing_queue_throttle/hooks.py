# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).


def post_init_hook(env):
    """Match the servers that exist, so that a limit applies before anybody looks."""
    servers = env["ir.mail_server"].with_context(active_test=False).search([])
    servers._queue_for_campaigns()._queue_match()
    if env["mailing.provider"]._has_config_server():
        env["mailing.provider"]._for_server(env["ir.mail_server"])
    # Mailings that are under way already.
    for server in servers:
        server._queue_move_jobs()


def uninstall_hook(env):
    """Let the send jobs run in a channel that stays, and now."""
    channels = env["mailing.provider"].with_context(active_test=False).search([])
    channels = channels.channel_id
    env.flush_all()
    env.cr.execute(
        """
        UPDATE queue_job SET channel = 'root.mail', eta = NULL
         WHERE channel = ANY(%s) AND state IN ('pending', 'wait_dependencies')
        """,
        [channels.mapped("complete_name")],
    )
    env.cr.execute("UPDATE mailing_provider SET channel_id = NULL")
    env.invalidate_all(flush=False)
    channels.filtered(lambda channel: not channel.job_function_ids).unlink()
