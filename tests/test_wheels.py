"""The addons, installed as the documentation says into an Odoo that has none of us.

The commands and the configuration are the documentation's own blocks. What only this
machine knows (ports, where PostgreSQL is) is added.
"""

import base64
import contextlib
import hashlib
import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
import requests

from . import campaigns
from .demo.campaign import Campaign
from .support.config import HOST, Config
from .support.environment import ROOT
from .support.ledger import compare
from .support.pages import blocks
from .support.postgres import run_name
from .support.process import Process, free_port
from .support.rpc import Rpc

ADDONS = ("mass_mailing_queue", "mass_mailing_queue_throttle")
QUEUE_JOB = "odoo-addon-queue-job"
README = "mass_mailing_queue/readme"
RECIPIENTS = 60
#: Of the environment's packages, those that Odoo itself does not need.
ADDED = re.compile(r"odoo($|_addon_|\.pth$)")


def documented(page, language):
    """The code blocks of a page of the documentation."""
    path = f"{README}/{page}"
    return [block.text for block in blocks(language) if block.page == path]


def repack(name, folder):
    """Make the wheel again that an installed distribution came from."""
    found = importlib.metadata.distribution(name)
    (record,) = [file for file in found.files if file.name == "RECORD"]
    stem = record.parent.name.removesuffix(".dist-info")
    left_out = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    lines = []
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for file in found.files:
            if file.name in left_out or file.suffix == ".pyc":
                continue
            content = file.locate().read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
            lines.append(f"{file},sha256={digest.decode().rstrip('=')},{len(content)}")
            wheel.writestr(str(file), content)
        wheel.writestr(str(record), "\n".join([*lines, f"{record},,", ""]))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory, environment):
    """A folder with our wheels, built here."""
    folder = tmp_path_factory.mktemp("wheels")
    for addon in ADDONS:
        pip(environment.python, "wheel", "--no-deps", "-w", folder, ROOT / addon)
    return folder


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A folder with what PyPI has: queue_job, and nothing of ours."""
    folder = tmp_path_factory.mktemp("index")
    repack(QUEUE_JOB, folder)
    return folder


def pip(python, command, *arguments):
    """Run pip without looking for anything elsewhere."""
    subprocess.run(
        [python, "-m", "pip", command, "--no-index", "--no-build-isolation"]
        + [str(one) for one in arguments],
        check=True,
        capture_output=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory, environment):
    """The programs of an Odoo 19 that has no addons but its own."""
    folder = tmp_path_factory.mktemp("plain")
    given = Path(environment.python).parents[1]
    (packages,) = given.glob("lib/python3*/site-packages")
    shared = folder / "shared"
    shared.mkdir()
    for path in packages.iterdir():
        if not ADDED.match(path.name):
            (shared / path.name).symlink_to(path)
    venv = folder / "venv"
    subprocess.run(
        [environment.python, "-m", "venv", venv], check=True, capture_output=True
    )
    (own,) = venv.glob("lib/python3*/site-packages")
    parents = Path(environment.addons_path[0]).parents
    odoo = next(path for path in parents if (path / "odoo" / "release.py").exists())
    (own / "plain.pth").write_text(f"{shared}\n{odoo}\n")
    script = venv / "bin" / "odoo"
    text = Path(environment.odoo).read_text().replace(str(given), str(venv))
    script.write_text(text)
    script.chmod(0o755)
    return venv / "bin"


@pytest.mark.parametrize("addon", ADDONS)
def test_a_wheel_has_what_the_addon_needs(wheels, addon):
    """Data, translations, pictures; and nothing of the machine that built it."""
    (path,) = wheels.glob(f"odoo_addon_{addon}-*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        (metadata,) = [name for name in names if name.endswith("/METADATA")]
        text = wheel.read(metadata).decode()
    inside = {
        name.removeprefix(f"odoo/addons/{addon}/")
        for name in names
        if name.startswith(f"odoo/addons/{addon}/")
    }
    assert {
        "__manifest__.py",
        f"i18n/{addon}.pot",
        "security/ir.model.access.csv",
        "static/description/icon.png",
        "static/description/index.html",
    } <= inside
    assert not [name for name in names if name.endswith((".pyc", ".orig", "~"))]
    needed = QUEUE_JOB if addon == ADDONS[0] else f"odoo-addon-{ADDONS[0]}"
    found = message_from_string(text).get_all("Requires-Dist")
    assert f"{needed}==19.0.*".replace("_", "-") in [
        one.replace("_", "-") for one in found
    ]


@pytest.fixture
def repository(tmp_path):
    """An archive of the addons, as somebody unpacks it; our clone is elsewhere."""
    place = tmp_path / "mass-mailing-queue"
    for addon in ADDONS:
        shutil.copytree(
            ROOT / addon,
            place / addon,
            ignore=shutil.ignore_patterns("__pycache__", "tests"),
        )
    return place


def queue(place, environment):
    """A clone of OCA/queue as far as it is needed: its folder."""
    (found,) = (
        Path(environment.python)
        .parents[1]
        .glob("lib/python3*/site-packages/odoo/addons/queue_job")
    )
    shutil.copytree(found, place / "queue" / "queue_job")
    return place / "queue"


@pytest.mark.parametrize("way", ["pip", "addons path"])
def test_a_campaign_runs_as_the_documentation_says(
    way, repository, index, plain, environment, scope, postgres
):
    """The installation, odoo.conf, the server, a list, Send."""
    place = repository
    environ = {
        **os.environ,
        "PATH": f"{plain}{os.pathsep}{os.environ['PATH']}",
        # Instead of PyPI: what is there, but not our packages.
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_NO_BUILD_ISOLATION": "0",
    }
    install, require, initialize, start = map(
        shlex.split, documented("INSTALL.md", "console")
    )
    name = run_name("plain")
    port = free_port()
    folders = (*environment.addons_path, queue(place, environment), place)
    here = Config(
        database=name,
        postgres=postgres.parameters,
        addons_path=folders if way == "addons path" else (),
        data_dir=place / "data",
        log=place / "odoo.log",
        port=port,
        gevent_port=free_port(),
        options={"with_demo": False},
    ).sections()["options"]
    if way == "pip":
        here.pop("addons_path")
    (place / "odoo.conf").write_text(
        adapt(documented("CONFIGURE.md", "ini")[0], here, port)
    )
    log = place / "commands.log"
    with contextlib.ExitStack() as exits:
        exits.callback(postgres.drop, name)
        for command in (install if way == "pip" else require, initialize):
            process = Process(command[0], command, log, environ, cwd=place)
            exits.callback(process.stop)
            assert process.join(300) == 0, process.failure("failed")
        server = Process("Odoo", start, log, environ, cwd=place)
        exits.callback(server.kill)
        url = f"http://{HOST}:{port}"
        server.wait_for(lambda: healthy(url), 120)
        rpc = Rpc(url, name)
        campaign = Campaign(rpc)
        sink = scope.sink().start()
        campaign.set_mail_server(sink.host, sink.port)
        campaign.import_contacts(place / "contacts", RECIPIENTS)
        campaign.design()
        with contextlib.closing(postgres.database(name)) as database:
            rpc.press("mailing.mailing", "action_launch", [campaign.mailing_id])
            campaigns.wait_until_done(database, campaign.mailing_id)
            verdict = compare(sink, database, campaign.mailing_id, RECIPIENTS)
        assert verdict.flawless, str(verdict)


def healthy(url):
    """Whether Odoo answers."""
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{url}/web/health", timeout=10).ok
    return False


def adapt(text, here, port):
    """The configuration of the documentation, with what only this machine knows."""
    given = set(re.findall(r"^(\w+) *=", text, re.MULTILINE))
    own = [f"{key} = {value}" for key, value in here.items() if key not in given]
    text = text.replace("[options]\n", "\n".join(["[options]", *own, ""]), 1)
    return f"{text}\nport = {port}\nhost = {HOST}\n"
