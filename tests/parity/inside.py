"""What runs inside Odoo, each function in a process of its own.

All but `install` is the same on both sides: only the addon makes a difference.
"""


def build(env, step, world):
    """Create the audience and the drafts."""
    from tests.parity.world import Builder

    return Builder(env).build(world)


def install(env, step, modules):
    """Install modules as the Apps page does."""
    env["ir.module.module"].update_list()
    wanted = env["ir.module.module"].search([("name", "in", modules)])
    wanted.button_immediate_install()


def marks(env, step):
    """Return what tells afterwards what sending left behind."""
    from tests.parity.collect import marks

    return marks(env)


def send(env, step, batches):
    """Press Send on the mailings of a batch and let the scheduled actions finish it.

    :param batches: dicts of `mailings`, each {id, user} and perhaps `winner` (to select
        that version as the winner), and of `job_size`, which means nothing natively
    :return: what the scheduled action raised, in order
    """
    raised = []

    def drain():
        # Often enough for native Odoo, whose mail queue stops after its first batch.
        for _time in range(20):
            try:
                env["mailing.mailing"]._process_mass_mailing_queue()
            except Exception as error:
                # It would raise for ever.
                env.cr.rollback()
                raised.append(f"{type(error).__name__}: {error}")
                return
            env.cr.commit()
            waiting = None
            while (
                left := env["mail.mail"].search_count([("state", "=", "outgoing")])
            ) and left != waiting:
                waiting = left
                env["mail.mail"].process_email_queue()
                env.cr.commit()
            env.invalidate_all()
            if not env["mailing.mailing"].search_count(
                [("state", "in", ("in_queue", "sending"))]
            ):
                return

    for batch in batches:
        env["ir.config_parameter"].set_param(
            "mass_mailing_queue.job_size", str(batch["job_size"])
        )
        for one in batch["mailings"]:
            mailing = env["mailing.mailing"].with_user(one["user"]).browse(one["id"])
            if one.get("winner"):
                mailing.action_select_as_winner()
            else:
                mailing.action_launch()
            env.cr.commit()
        drain()
    return raised


def collect(env, step, baseline, since):
    """Return all rows above the baseline, and the documents as they are now."""
    from tests.parity.collect import collect

    return collect(env, baseline, since)
