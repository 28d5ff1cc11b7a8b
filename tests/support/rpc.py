"""What the web client does, without its browser."""

import itertools

import requests

TIMEOUT = 180


class RpcError(Exception):
    """The server answered with an error.

    :param name: the exception's class, as `odoo.exceptions.UserError`
    """

    def __init__(self, name, message, debug=""):
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.debug = debug


class Rpc:
    """A session of one user, over the routes that the web client calls.

    :param url: of the server, without a slash at its end
    """

    def __init__(self, url, database, login="admin", password="admin"):
        self.url = url
        self.database = database
        self.http = requests.Session()
        self._numbers = itertools.count(1)
        info = self.post(
            "/web/session/authenticate",
            {"db": database, "login": login, "password": password},
        )
        if not info.get("uid"):
            raise RpcError("AccessDenied", f"{login} may not log in")
        self.uid = info["uid"]
        self.context = info["user_context"]

    def post(self, route, params, timeout=TIMEOUT):
        """Call a JSON-RPC route and return its result.

        :raises RpcError: the server says that it failed
        """
        answer = self.http.post(
            f"{self.url}{route}",
            json={
                "id": next(self._numbers),
                "jsonrpc": "2.0",
                "method": "call",
                "params": params,
            },
            timeout=timeout,
        )
        answer.raise_for_status()
        payload = answer.json()
        if "error" in payload:
            data = payload["error"].get("data", {})
            raise RpcError(
                data.get("name", "RpcError"),
                data.get("message") or payload["error"].get("message", ""),
                data.get("debug", ""),
            )
        return payload.get("result")

    def call(self, model, method, args=(), kw=None, context=None, timeout=TIMEOUT):
        """Call a model's method, with the user's context and what is added to it."""
        kwargs = dict(kw or {})
        kwargs["context"] = {**self.context, **(context or {})}
        return self.post(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": list(args), "kwargs": kwargs},
            timeout,
        )

    def press(self, model, method, ids, context=None, timeout=TIMEOUT):
        """Press a button of type object on these records.

        :return: the action that the web client would open, or False
        """
        return self.post(
            f"/web/dataset/call_button/{model}/{method}",
            {
                "model": model,
                "method": method,
                "args": [list(ids)],
                "kwargs": {"context": {**self.context, **(context or {})}},
            },
            timeout,
        )

    def save(self, model, values, record_id=None, context=None):
        """Save a form, a new record's or an old one's; returns the record's id."""
        ids = [record_id] if record_id else []
        rows = self.call(
            model, "web_save", [ids, values], {"specification": {}}, context
        )
        return rows[0]["id"]

    def create(self, model, values):
        """Create one record, or several from a list; returns the id or the ids."""
        ids = self.call(
            model, "create", [values if isinstance(values, list) else [values]]
        )
        return ids if isinstance(values, list) else ids[0]

    def write(self, model, ids, values):
        return self.call(model, "write", [list(ids), values])

    def read(self, model, ids, fields):
        return self.call(model, "read", [list(ids), list(fields)])

    def search(self, model, domain, **options):
        return self.call(model, "search", [domain], options)

    def search_read(self, model, domain, fields, **options):
        return self.call(model, "search_read", [domain, list(fields)], options)

    def reference(self, xmlid):
        """The id of the record with this XML id."""
        module, name = xmlid.split(".")
        rows = self.search_read(
            "ir.model.data", [("module", "=", module), ("name", "=", name)], ["res_id"]
        )
        return rows[0]["res_id"]

    def set_parameter(self, key, value):
        """Set a system parameter."""
        self.call("ir.config_parameter", "set_param", [key, value])

    def upload(self, route, name, content, content_type, **fields):
        """Send a file as the web client's uploader does; returns the JSON answer."""
        answer = self.http.post(
            f"{self.url}{route}",
            data={"csrf_token": self._csrf_token(), **fields},
            files={"ufile": (name, content, content_type)},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        return answer.json()

    def _csrf_token(self):
        """The token that the page of the web client carries."""
        page = self.http.get(f"{self.url}/odoo", timeout=TIMEOUT)
        page.raise_for_status()
        return page.text.partition('csrf_token: "')[2].partition('"')[0]
