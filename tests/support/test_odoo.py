"""Real servers start, are found out about, break where told and leave nothing."""

import psutil
import pytest

from .odoo import RUNNER
from .process import alive, wait_until
from .rpc import RpcError
from .shell import ShellError

MODULES = ["mass_mailing_queue"]


@pytest.fixture(scope="module")
def database(module_scope):
    return module_scope.database(MODULES)


@pytest.fixture(scope="module")
def server(module_scope, database):
    return module_scope.server(database, workers=2, channels="root:1").start()


@pytest.fixture(scope="module")
def shell(module_scope, database):
    return module_scope.shell(database)


def test_a_session_and_a_button(server):
    rpc = server.rpc()
    (user,) = rpc.read("res.users", [rpc.uid], ["login"])
    assert user["login"] == "admin"
    partner = rpc.save("res.partner", {"name": "Somebody"})
    action = rpc.press("res.partner", "action_archive", [partner])
    assert action is False
    assert not rpc.read("res.partner", [partner], ["active"])[0]["active"]


def test_errors_are_told(server):
    rpc = server.rpc()
    with pytest.raises(RpcError, match="ValidationError|UserError|MissingError"):
        rpc.write("res.partner", [2**30], {"name": "Nobody"})
    with pytest.raises(RpcError, match="AccessDenied"):
        server.rpc(password="wrong")


def test_a_killed_worker_is_replaced(server):
    first, second = server.wait_for_worker(count=2)
    server.kill_worker(first)
    assert not alive(first)
    pids = server.wait_for_worker(count=2)
    assert second in pids and first not in pids
    with pytest.raises((ValueError, psutil.NoSuchProcess)):
        server.kill_worker(first)


def test_the_runner_is_a_process_that_runs_jobs(server, database):
    assert len(server.worker_pids(RUNNER)) == 1
    rpc = server.rpc()
    answer = rpc.http.get(f"{server.url}/queue_job/create_test_job", timeout=30)
    assert answer.ok
    database.wait_for("SELECT 1 FROM queue_job WHERE state = 'done'", seconds=30)


def test_a_function_elsewhere_commits_at_its_end(shell, database):
    def rename(env, step, login):
        user = env["res.users"].search([("login", "=", login)])
        user.name = "Renamed"
        env.flush_all()
        step("written", user.id)
        return user.name

    name = "SELECT p.name FROM res_users u JOIN res_partner p ON p.id = u.partner_id"
    name += " WHERE u.id = %s"
    with shell.start(rename, login="admin") as run:
        user_id = run.wait_for("written")
        assert database.value(name, [user_id]) != "Renamed"
        run.go_on()
        assert run.result() == "Renamed"
    assert database.value(name, [user_id]) == "Renamed"


def test_a_function_elsewhere_that_raises(shell):
    def fail(env, step):
        raise ValueError("on purpose")

    with pytest.raises(ShellError, match="on purpose") as raised:
        shell.run(fail)
    assert raised.value.name == "ValueError"


def test_a_killed_function_is_rolled_back(shell, database):
    def insert(env, step):
        env["res.partner"].create({"name": "Rolled back"})
        env.flush_all()
        step("inserted")

    with shell.start(insert) as run:
        run.wait_for("inserted")
        run.kill()
    count = "SELECT count(*) FROM res_partner WHERE name = 'Rolled back'"
    assert database.value(count) == 0


def test_nothing_is_left_of_a_killed_server(scope, database):
    server = scope.server(database, workers=1).start()
    family = [server.pid, *(child.pid for child in server._process.family())]
    assert len(family) > 2
    server.kill()
    wait_until(lambda: not any(map(alive, family)), 5, "the end of all processes")


def test_copies_differ_from_their_template(scope, database):
    copy = scope.database(MODULES)
    uuid = "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"
    assert copy.name != database.name
    assert copy.value(uuid) != database.value(uuid)
