"""Whatever a person or a parameter says, it is refused in words or bounded."""

import pytest

from . import sending, throttling


def try_parameters(env, step):
    """Any text as a parameter: jobs have a size, and the switch a position."""
    import contextlib

    from hypothesis import example, given, settings
    from hypothesis import strategies as st

    from odoo.exceptions import UserError

    mailing = env["mailing.mailing"].search([], limit=1)
    parameters = env["ir.config_parameter"]
    form = env["res.config.settings"]
    fields = [name for name in form._fields if name.startswith("mass_mailing_queue_")]
    names = [name.removeprefix("mass_mailing_queue_") for name in fields]
    assert {"enabled", "job_size", "rehearsal_server", "alert_minutes"} <= set(names)

    @settings(derandomize=True, database=None, deadline=None, max_examples=50)
    @given(
        st.one_of(
            st.text(st.characters(exclude_characters="\0", codec="utf-8")),
            st.integers().map(str),
            st.floats().map(str),
        )
    )
    @example("9" * 5000)
    @example("localhost:" + "9" * 5000)
    @example("-1")
    @example("\u0665\u0660")
    def check(value):
        for name in names:
            with env.cr.savepoint():
                parameters.set_param(f"mass_mailing_queue.{name}", value)
                assert mailing._queue_is_enabled() in (True, False)
                assert 1 <= mailing._queue_job_size() < 10**9
                assert 0 <= mailing._queue_setting(name, 7) < 10**9
                with contextlib.suppress(UserError):
                    host, port = mailing._queue_rehearsal_address()
                    assert host and 0 < port < 65_536
                env["mailing.queue.alert"]._cron_check()
                env["mailing.queue.metrics"]._collect()
                # What the settings' form shows.
                form.default_get(fields)

    check()


def try_account(env, step):
    """Any number and text in an account and its limits: they can be used after."""
    import math

    from hypothesis import example, given, settings
    from hypothesis import strategies as st

    from odoo.exceptions import UserError

    from odoo.addons.mass_mailing_queue_throttle import sql, sql_replies

    provider = env["mailing.provider"].search([], limit=1)
    mailing = env["mailing.mailing"].search([], limit=1)
    sql.ensure(env.cr, provider.id, ["", "example.org"])
    # Not ours: any integer field of Odoo lets PostgreSQL refuse what is beyond these,
    # and any text lets psycopg2 refuse a NUL.
    integers = st.integers(-(2**31), 2**31 - 1)
    integers = st.one_of(st.integers(1, 90), st.integers(0, 90), integers)
    floats = st.one_of(st.floats(0, 60), st.floats(0.001, 1e9), st.floats(), integers)
    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50)
    choices = {
        name: st.sampled_from([key for key, _label in field.selection])
        for model in ("mailing.provider", "mailing.provider.limit")
        for name, field in env[model]._fields.items()
        if field.type == "selection" and isinstance(field.selection, list)
    }
    account = st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(
                ("margin", "share", "reserve", "capacity", "messages_per_connection"),
                integers,
            ),
            **dict.fromkeys(("burst", "linger"), floats),
            "name": st.one_of(texts, st.just("Account")),
            "preset": choices["preset"],
        },
    )
    limit = st.fixed_dictionaries(
        {"amount": st.one_of(floats, floats, st.none(), st.just("many"))},
        optional={
            **{name: choices[name] for name in ("unit", "period", "scope")},
            "ramp": st.one_of(st.just(False), choices["ramp"]),
            "ramp_start": st.one_of(st.just(False), st.dates()),
            "domain": st.one_of(texts, st.sampled_from(["example.org", "b.org", ""])),
        },
    )
    refused = used = 0

    @settings(derandomize=True, database=None, deadline=None, max_examples=150)
    @given(account, st.lists(limit, max_size=3))
    @example({"linger": math.nan}, [])
    @example({"burst": math.inf}, [])
    @example({}, [{"amount": 1e-300}])
    @example({}, [{"amount": math.nan}])
    @example({"margin": 90, "reserve": 90, "share": 1}, [{"amount": 0.001}])
    def check(values, limits):
        nonlocal refused, used
        env.cr.execute("SAVEPOINT example")
        try:
            commands = [(5, 0, 0)] + [(0, 0, vals) for vals in limits]
            provider.write({**values, "limit_ids": commands})
            env.flush_all()
        except UserError as error:
            assert len(str(error)) > 20
            refused += 1
        else:
            use()
            used += 1
        finally:
            env.cr.execute("ROLLBACK TO SAVEPOINT example")
            env.invalidate_all(flush=False)
            env.cr.postcommit.clear()

    def use():
        for number in (provider.burst, provider.linger, provider._effective_rate()):
            assert math.isfinite(number) and number >= 0
        assert provider._parallel_senders() >= 1
        assert mailing._queue_job_size() >= 1
        assert provider.state and provider.effective_rate
        assert provider._seconds_for(10**6) >= 0
        sql.ensure(env.cr, provider.id, ["", "example.org"])
        for domain in ("", "example.org"):
            permit = sql.permit(env.cr, provider.id, domain, 1, 1, 10)
            assert permit.granted or permit.wait > 0
            assert math.isfinite(permit.wait) and permit.capacity >= 1
            sql_replies.slow_down(env.cr, provider.id, "slower")
        assert all(limit.display_name for limit in provider.limit_ids)

    check()
    return refused, used


@pytest.fixture(scope="module")
def shell(module_scope):
    _database, _sink, shell, _mailing_id = sending.prepare(
        module_scope, 1, step=None, modules=throttling.MODULES
    )
    return shell


def test_any_parameter_is_a_size(shell):
    shell.run(try_parameters)


def test_any_account_can_be_used_or_is_refused(shell):
    """No division by zero, no endless wait, nothing that PostgreSQL cannot hold."""
    refused, used = shell.run(try_account)
    assert refused > 10 and used > 10
