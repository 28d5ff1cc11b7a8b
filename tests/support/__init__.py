"""What the suites stand on: processes to start, and a judge of what they did.

def test_it(scope):                                   # fixtures: ../conftest.py
    database = scope.database(["mass_mailing_queue"])         # templates, postgres
    sink = scope.sink().start()                               # sink, sink_rules
    mailing_id = scope.shell(database).run(build, port=sink.port)           # shell
    with scope.server(database, workers=2, channels="root:2") as server:     # odoo
        server.rpc().press("mailing.mailing", "action_launch", [mailing_id])  # rpc
        server.kill_worker(server.worker_pids()[0])
        database.wait_for("SELECT state = 'done' FROM mailing_mailing …")
    verdict = compare(sink, database, mailing_id)                          # ledger
    assert verdict.flawless, str(verdict)
"""
