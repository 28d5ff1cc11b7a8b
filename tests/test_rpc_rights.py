"""What can be called from outside, by whom, and that it ends in words."""

import re

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from . import sending, throttling
from .support.ledger import compare
from .support.rpc import RpcError

SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE)\b.*\b(FROM|INTO|SET)\b", re.DOTALL)

#: Tables whose rows nobody may change who may not write mailings.
GUARDED = (
    "mailing_mailing",
    "mailing_trace",
    "mail_mail",
    "queue_job",
    "mailing_provider",
    "mailing_provider_limit",
    "mailing_provider_state",
    "mailing_queue_guard",
    "ir_config_parameter",
    "ir_mail_server",
)

#: Our own keys of the context, with what the wire can carry.
KEYS = {
    "mass_mailing_queue_traces": {"1": 1},
    "mass_mailing_queue_cron": True,
    "mass_mailing_queue_explicit": True,
    "mass_mailing_queue_slice": True,
    "mass_mailing_queue_settling": True,
    "mass_mailing_queue_links": {},
    "mass_mailing_queue_emails": [],
    "mass_mailing_queue_probe": True,
    "mass_mailing_queue_range": [0, 10**9],
    "mass_mailing_queue_drawn": [],
    "mass_mailing_queue_permitted": True,
    "mass_mailing_queue_ask": True,
    "mass_mailing_queue_decide": True,
    "mass_mailing_queue_times": {},
}


def methods(env, step):
    """The names of methods that our addons define, by model: public, private."""
    found = {}
    for model in env.registry:
        public, private = set(), set()
        for cls in type(env[model]).mro():
            if cls.__module__.startswith("odoo.addons.mass_mailing_queue"):
                for name, value in vars(cls).items():
                    if callable(value) and not name.startswith("__"):
                        (private if name.startswith("_") else public).add(name)
        if public or private:
            found[model] = sorted(public), sorted(private)
    return found


def people(env, step):
    """A user of each kind, whose password is the login."""
    groups = {
        "internal": "base.group_user",
        "portal": "base.group_portal",
        "marketer": "mass_mailing.group_mass_mailing_user",
    }
    for login, group in groups.items():
        env["res.users"].create(
            {
                "name": login,
                "login": login,
                "password": login,
                "group_ids": [(6, 0, env.ref(group).ids)],
            }
        )


class Served:
    """A paused mailing with three recipients on a server, and users of each kind."""

    def __init__(self, scope):
        self.database, self.sink, self.shell, self.mailing_id = sending.prepare(
            scope, 3, modules=throttling.MODULES
        )
        self.shell.run(people)
        self.names = self.shell.run(methods)
        # Nobody but us does anything.
        self.server = scope.server(self.database, cron_threads=0).start()
        self.server.rpc().press(
            "mailing.mailing", "action_queue_pause", [self.mailing_id]
        )

    def public(self):
        """Model, name and the id of a record, of each public method."""
        for model, (names, _private) in self.names.items():
            table = model.replace(".", "_")
            stored = self.database.value("SELECT to_regclass(%s)", (table,))
            found = stored and self.database.value(f"SELECT min(id) FROM {table}")
            for name in names:
                yield model, name, found or 1


@pytest.fixture(scope="module")
def served(module_scope):
    return Served(module_scope)


def junk(record_id):
    """Arguments and contexts of a call, from the usual to the absurd."""
    return (
        ([[record_id]], {}),
        ([[record_id]], KEYS),
        ([[record_id], {"queue_paused": False, "name": "Mine", "state": "done"}], {}),
        ([[record_id, 10**9], "x\0", -1], {}),
        ([[]], {}),
    )


#: What JSON can carry; a NUL is refused by PostgreSQL for any text of Odoo.
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "name", "state", "x"]), inner, max_size=3),
    max_leaves=6,
)
#: Ids are Odoo's to check, see the last test.
ids = st.lists(st.integers(1, 2**31 - 1) | st.just(1), max_size=3)


def call(rpc, model, method, args, context):
    """Call it; an error has to be about rights or arguments, without any SQL.

    :return: the result, or the RpcError
    """
    try:
        return rpc.call(model, method, args, context=context)
    except RpcError as error:
        assert error.name.startswith(("odoo.exceptions.", "builtins.")), error
        assert not SQL.search(error.message), error
        return error


def contents(database):
    """All rows of the guarded tables."""
    return {
        f"{table} {row}"
        for table in GUARDED
        for row in database.column(f"SELECT t::text FROM {table} t")
    }


def is_empty(result):
    """Whether a result tells nothing: no record, or an action on the caller's own."""
    if isinstance(result, dict) and result.get("type") == "ir.actions.act_window":
        return "'id'" not in str(result["domain"])
    return result in (None, True, False, [])


@pytest.mark.parametrize("login", ["internal", "portal"])
def test_who_may_not_send_can_do_nothing(served, login):
    """Whatever our public methods are called with, they change and tell nothing."""
    rpc = served.server.rpc(login, login)
    before = contents(served.database)
    told = {}
    for model, method, record_id in served.public():
        for args, context in junk(record_id):
            result = call(rpc, model, method, args, context)
            # Their own argument is no news.
            if not isinstance(result, RpcError) and result != args[0]:
                told[model, method] = result
    assert all(map(is_empty, told.values())), told
    assert contents(served.database) ^ before == set()


def test_whatever_is_made_up_changes_and_tells_nothing(served):
    """Any arguments and any value of our own keys, by a user of the portal."""
    rpc = served.server.rpc("portal", "portal")
    names = [(model, method) for model, method, _record in served.public()]
    before = contents(served.database)

    @settings(max_examples=300)
    @given(
        st.sampled_from(names),
        ids,
        st.lists(values, max_size=3),
        st.dictionaries(st.sampled_from(sorted(KEYS)), values, max_size=3),
    )
    def check(name, record_ids, args, context):
        result = call(rpc, *name, [record_ids, *args], context)
        if not isinstance(result, RpcError) and result != record_ids:
            assert is_empty(result), (name, result)

    check()
    assert contents(served.database) ^ before == set()


def test_the_runners_route_starts_what_is_due_and_no_more(served):
    """It asks for no login: who reaches it and guesses a job's id can hurry it."""
    route = f"{served.server.url}/queue_job/runjob"

    def start(uuid):
        requests.get(
            route, {"db": served.database.name, "job_uuid": uuid}, timeout=60
        ).raise_for_status()

    uuids = served.database.column(
        "SELECT uuid FROM queue_job WHERE method_name = '_job_send' ORDER BY id"
    )
    before = contents(served.database)
    for uuid in (*uuids, "1; DROP TABLE queue_job", "0" * 36):
        start(uuid)
    assert contents(served.database) ^ before == set()
    # One that the runner has just chosen: it sees that its mailing is paused.
    served.database.execute(
        "UPDATE queue_job SET state = 'enqueued' WHERE uuid = %s", (uuids[0],)
    )
    start(uuids[0])
    start(uuids[0])
    result = "SELECT state, result FROM queue_job WHERE uuid = %s"
    ((state, said),) = served.database.query(result, (uuids[0],))
    assert state == "done" and "paused" in said
    assert not served.sink.messages()


def test_a_marketer_gets_words_and_mails_nobody_twice(served):
    """Whatever they call; then they send it after all, and it ends well."""
    rpc = served.server.rpc("marketer", "marketer")
    for model, method, record_id in served.public():
        for args, context in junk(record_id):
            call(rpc, model, method, args, context)
    # Upstream lets them say that a recipient has it who does not: by set_sent().
    served.database.execute("UPDATE mailing_trace SET trace_status = 'outgoing'")
    rpc.write("mailing.mailing", [served.mailing_id], {"state": "draft"})
    rpc.press("mailing.mailing", "action_send_mail", [served.mailing_id])
    served.shell.run(sending.run_jobs)
    verdict = compare(served.sink, served.database, served.mailing_id, recipients=3)
    assert verdict.flawless, str(verdict)


def test_private_methods_are_not_to_be_called(served):
    """Jobs and engine are private, also for administrators."""
    rpc = served.server.rpc()
    names = [
        (model, name) for model, names in served.names.items() for name in names[1]
    ]
    assert len(names) > 100
    for model, method in names:
        error = call(rpc, model, method, [[1]], {})
        assert isinstance(error, RpcError), (model, method)
        assert error.name == "odoo.exceptions.AccessError", error


def test_without_a_login_nothing_is_called(served):
    """Not even of those methods that ask no rights."""
    for model, method, record_id in served.public():
        answer = requests.post(
            f"{served.server.url}/web/dataset/call_kw/{model}/{method}",
            json={
                "params": {
                    "model": model,
                    "method": method,
                    "args": [[record_id]],
                    "kwargs": {},
                }
            },
            timeout=60,
        ).json()
        assert "SessionExpired" in answer["error"]["data"]["name"], (model, method)


def test_ids_that_are_none_are_not_ours(served):
    """Odoo hands what is called an id to PostgreSQL, as a parameter, for all models."""
    for model, method in (
        ("res.partner", "read"),
        ("mailing.mailing", "action_queue_pause"),
    ):
        with pytest.raises(RpcError) as caught:
            served.server.rpc().call(model, method, [["1; DROP TABLE mailing_trace"]])
        assert caught.value.name == "psycopg2.errors.InvalidTextRepresentation"
    assert served.database.value("SELECT count(*) FROM mailing_trace") == 3
