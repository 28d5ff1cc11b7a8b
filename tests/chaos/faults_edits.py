"""Faults that people make by editing lists, mailings and content meanwhile.

Each tells the world's audience what it has changed, see `audience`.
"""

import time

from .faults import fault
from .faults_addresses import opt_out, sent, subscriptions, waiting
from .faults_people import paused

BROKEN = '<p>Dear <t t-out="object.no_such_field"/>, it is broken.</p>'
REPAIRED = '<p>Dear <t t-out="object.name"/>, it is repaired.</p>'

LISTS = "mailing.list"


# -- lists ---------------------------------------------------------------------------


def join(world, addresses, lists):
    """Make contacts on these lists, who may be mailed and need not be."""
    for address in addresses:
        since = time.time()
        record = world.make(
            "mailing.contact",
            {"name": address, "email": address, "list_ids": [(6, 0, lists)]},
        )
        world.audience.addresses[record] = [(since, None, address)]
        world.audience.leave([record])


def lists_of(world):
    rows = world.query(
        "SELECT mailing_list_id FROM mail_mass_mailing_list_rel "
        "WHERE mailing_mailing_id = %s",
        (world.mailing_id,),
    )
    return [row[0] for row in rows]


@fault(hold=2, innocent=True)
def edit_lists(world):
    """Contacts are added, removed, deleted, opted out and blacklisted meanwhile."""
    others = [*waiting(world, 1), *sent(world, 1)]
    join(
        world,
        [
            *(f"joined-{n}-{world.random.random()}@example.com" for n in range(3)),
            *map(world.audience.address, others),
        ],
        lists_of(world),
    )
    world.audience.touched.update(others)
    removed = waiting(world, 3)
    world.audience.leave(removed)
    world.delete("mailing.subscription", subscriptions(world, removed))
    deleted = waiting(world, 2)
    world.audience.leave(deleted)
    world.audience.breakable.update(deleted)
    with world.audience.edits(deleted):
        world.delete("mailing.contact", deleted)
    opt_out(world, waiting(world, 4))
    blacklisted = waiting(world, 4)
    for record in blacklisted:
        address = world.audience.address(record)
        world.audience.touched.add(record)
        world.make("mail.blacklist", {"email": address})
        world.audience.exclude([address])
    world.note("contacts are added, removed, deleted, opted out and blacklisted")
    yield


@fault(hold=3, innocent=True)
def edit_list_of_mailing(world):
    """The mailing's list is another one for a while, changed while it is paused."""
    lists = lists_of(world)
    kept = waiting(world, 40)[::2]
    with paused(world):
        other = world.make(LISTS, {"name": "Others", "contact_ids": [(6, 0, kept)]})
        join(world, [f"other-{n}-{other}@example.com" for n in range(3)], [other])
        back = world.audience.leave(set(world.audience.planned) - set(kept))
        change(world, {"contact_list_ids": [(6, 0, [other])]})
        world.note(f"the mailing's list is another one, with {len(kept)} of its people")
    yield
    with paused(world):
        change(world, {"contact_list_ids": [(6, 0, lists)]})
        back()


@fault(hold=3, innocent=True)
def edit_model_of_mailing(world):
    """The mailing is for partners for a while, changed while it is paused.

    Partners outside of its filter have the same ids as its contacts.
    """
    from .audience import INSIDE

    lists = lists_of(world)
    models = dict(
        world.query(
            "SELECT model, id FROM ir_model WHERE model IN ('res.partner', %s)",
            (LISTS,),
        )
    )
    with paused(world):
        # They are no recipients any more, or are again, as they were.
        world.audience.leave(world.audience.planned)
        world.audience.breakable.update(world.audience.touched)
        change(
            world,
            {
                "mailing_model_id": models["res.partner"],
                "mailing_domain": f"[('email', '=like', '%@{INSIDE}')]",
            },
        )
        world.note("the mailing is for partners")
        closed = world.audience.close()
    yield
    with paused(world):
        closed()
        change(
            world,
            {"mailing_model_id": models[LISTS], "contact_list_ids": [(6, 0, lists)]},
        )


# -- content -------------------------------------------------------------------------


def change(world, values):
    """Write the mailing, as on its form."""
    error = world.save("mailing.mailing", [world.mailing_id], values)
    if error:
        world.note(f"a change of the mailing is refused: {error[:200]}")


@fault(hold=2, innocent=True)
def edit_content(world):
    """Another text and another subject, twice."""
    world.note("the mailing's text is edited")
    change(world, {"subject": "Latest news for {{ object.name }}"})
    yield
    change(world, {"body_html": REPAIRED})


@fault(hold=6, innocent=True, pauses=True)
def edit_content_broken(world):
    """A placeholder that cannot be filled in; somebody resumes, then repairs it."""
    world.note("the mailing's text is broken")
    change(world, {"body_html": BROKEN})
    yield
    world.note(f"it pauses: {world.state()}")
    answer = world.press("action_queue_resume")
    world.note(f"Resume with a broken text: {(answer or 'accepted')[:200]}")
    time.sleep(2)
    change(world, {"body_html": REPAIRED})
    world.note("the mailing's text is repaired")
