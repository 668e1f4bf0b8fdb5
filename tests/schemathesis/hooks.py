"""Tells schemathesis about the callers, and about rules that the schemas cannot express."""

import base64
import threading
import uuid

import requests
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

PASSWORD = "correct horse battery"

# The server checks lines and the parameters of these commands more strictly than their schema.
READ_FURTHER = {"ACK", "MARKREAD", "PASS"}

# A request that matches its schema may still be refused, but only with these codes. Examples: an id
# that no event has, a name with too many bytes, a request without the WebSocket's handshake,
# unknown scopes, a key that is restricted to channels, a name with invisible characters, a form
# with a repeated field, credentials by two methods, an unknown code or token, a key that requests
# the device flow, and the parameters of a command, which the table of commands describes.
BEYOND_A_SCHEMA = {
    "POST /api/v1/session": {"malformed_request"},
    "PATCH /api/v1/clients/{id}": {"malformed_request"},
    "PATCH /api/v1/keys/{client_id}": {"malformed_request"},
    "POST /api/v1/login": {"malformed_request"},
    "POST /login": {"malformed_request"},
    "GET /api/v1/messages": {"invalid_cursor"},
    "GET /api/v1/events": {"invalid_cursor"},
    "GET /api/v1/socket": {"malformed_request"},
    "GET /api/v1/history": {"bad_channel_name", "invalid_cursor"},
    "POST /api/v1/keys": {"bad_channel_name", "invalid_scope", "malformed_request", "too_many_keys"},
    "GET /auth/grants/events": {"invalid_cursor", "resource_server_needed"},
    "POST /auth/device": {"invalid_request", "invalid_scope", "unauthorized_client"},
    "POST /auth/introspect": {"invalid_request"},
    "POST /auth/revoke": {"invalid_request"},
    # The form has a token and the Authorization header has another one.
    "POST /auth/userinfo": {"malformed_request"},
    # A key cannot use the flows in which a user takes part.
    "POST /auth/token": {"invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client"},
    "POST /api/v1/messages": {
        "bad_channel_name",
        "erroneous_nickname",
        "input_too_long",
        "invalid_cursor",
        "invalid_key",
        "invalid_mode_param",
        "need_more_params",
        "no_nickname_given",
        "no_recipient",
        "no_text_to_send",
        "too_many_targets",
        "unknown_command",
        "unknown_mode",
        "unknown_user_mode",
        "weak_password",
    },
}


class Client:
    """A client of a new session that has channels and messages."""

    def __init__(self, base, nick):
        self.base = base
        entered = requests.post(f"{base}/api/v1/session", json={"nick": nick}, timeout=10)
        entered.raise_for_status()
        self.cookie = entered.cookies["rejoin"]
        for line in ["JOIN #rust", "TOPIC #rust :on Rust", "PRIVMSG alice :hello", "AWAY :soon back"]:
            self.say(line)

    def say(self, line):
        headers = {"Content-Type": "text/plain"}
        requests.post(
            f"{self.base}/api/v1/messages", line, headers=headers, cookies={"rejoin": self.cookie}, timeout=10
        )

    def key(self):
        """Creates a key. Returns its credentials."""
        wanted = {"name": "bot", "scope": "chat:read identity"}
        key = requests.post(f"{self.base}/api/v1/keys", json=wanted, cookies={"rejoin": self.cookie}, timeout=10).json()
        return key["client_id"], key["client_secret"]

    def is_live(self):
        answer = requests.get(f"{self.base}/api/v1/session", cookies={"rejoin": self.cookie}, timeout=10)
        return answer.status_code == 200


@schemathesis.auth(refresh_interval=None).apply_to(path_regex="^/auth/")
class App:
    """A key for OAuth's endpoints, or its token. No request ends the session of the key."""

    key = None

    def get(self, case, context):
        base = case.operation.base_url.rstrip("/")
        if self.key is None:
            self.key = Client(base, f"a{uuid.uuid4().hex[:8]}").key()
        asked = {"grant_type": "client_credentials"}
        token = requests.post(f"{base}/auth/token", asked, auth=self.key, timeout=10).json()["access_token"]
        basic = base64.b64encode(":".join(self.key).encode()).decode()
        return f"Bearer {token}" if case.operation.path == "/auth/userinfo" else f"Basic {basic}"

    def set(self, case, authorization, context):
        case.headers["Authorization"] = authorization


@schemathesis.auth(refresh_interval=None).skip_for(path_regex="^/auth/").skip_for(
    name=["POST /api/v1/session", "POST /api/v1/login", "POST /login"]
)
class Cookie:
    """The cookie of a live client. If the last request ended the client, a new one is created."""

    client = None

    def get(self, case, context):
        base = case.operation.base_url.rstrip("/")
        if self.client is None:
            # The description's examples log in as alice.
            Client(base, "alice").say(f"PASS :{PASSWORD}")
        if self.client is None or not self.client.is_live():
            self.client = Client(base, f"n{uuid.uuid4().hex[:8]}")
        if case.operation.label == "GET /api/v1/messages":
            # A poll without events waits, so a message is sent meanwhile.
            threading.Timer(0.05, self.client.say, ["PRIVMSG #rust :hello"]).start()
        return self.client.cookie

    def set(self, case, cookie, context):
        case.cookies["rejoin"] = cookie


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, AcceptedNegativeData):
        if case.operation.label == "POST /auth/userinfo":
            # With a token in Authorization, the other fields of a form are ignored (RFC 6749 §3.2).
            return "access_token" in str(case.body)
        # Unknown headers are ignored (RFC 9110 §5.1).
        return "in header - object with unexpected properties" not in failure.message
    if not isinstance(failure, RejectedPositiveData):
        return True
    beyond = BEYOND_A_SCHEMA.get(case.operation.label, set())
    if case.operation.label == "POST /api/v1/messages":
        verb = case.body.get("command", "").upper() if isinstance(case.body, dict) else None
        # `to` is valid only with a message to one nick, which the schema cannot express.
        if verb is None or verb in READ_FURTHER or "to" in case.body:
            beyond = beyond | {"malformed_request"}
    if case.operation.path in ("/auth/authorize", "/auth/consent"):
        # Generated values never contain a registered client_id, so the answer is a page with an
        # error.
        return response.status_code != 400
    if response.headers.get("content-type", [""])[0].startswith("text/html"):
        # A form's error is a page in words instead of JSON, so it has no code.
        return not beyond
    answer = response.json()
    return answer.get("code", answer.get("error")) not in beyond
