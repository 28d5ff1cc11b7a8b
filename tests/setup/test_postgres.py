"""The PostgreSQL that the suites use."""

import pytest

from setup.environment import postgres
from setup.environment.errors import EnvironmentFailure


def test_a_postgresql_that_is_given_is_used(tmp_path):
    environ = {"PGHOST": "db.test", "PGUSER": "me", "PGPASSWORD": "secret"}
    server = postgres.ensure(tmp_path / "data", environ)
    assert server.environ() == {**environ, "PGPORT": "5432"}
    assert not server.stop()
    assert not (tmp_path / "data").exists()


def test_a_postgresql_is_not_used_as_a_role_that_odoo_refuses():
    with pytest.raises(EnvironmentFailure, match="PGUSER"):
        postgres.external({"PGHOST": "db.test", "PGUSER": "postgres"})


def test_the_embedded_postgresql_is_stopped_by_who_started_it(tmp_path):
    with postgres.start(tmp_path / "data", durable=False) as server:
        other = postgres.start(tmp_path / "data")
        assert (other.host, other.pid) == (server.host, server.pid)
        assert not other.stop()
        assert server.pid
    assert not server.pid
