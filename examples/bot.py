"""A bot: it answers "!ping" on one channel.

    python3 bot.py SERVER CLIENT_ID CLIENT_SECRET CHANNEL
    python3 bot.py https://chat.example.org app_… rjk_… '#bots'

The id and the secret are those of an API key with the scopes chat:read and chat:write. Authlib gets the
access tokens, and a new one whenever the old one expires. Debian's packages: python3-authlib and
python3-requests. For a server without https, set AUTHLIB_INSECURE_TRANSPORT=1.
"""
import secrets
import sys
import time

import requests
from authlib.integrations.requests_client import OAuth2Session

server, client_id, client_secret, channel = sys.argv[1:]
bot = OAuth2Session(
    client_id, client_secret, token_endpoint=f"{server}/auth/token", grant_type="client_credentials"
)
bot.fetch_token()


def call(method, path, **arguments):
    """Calls the API, and waits while the server is busy or away. A refusal ends the program."""
    while True:
        try:
            answer = bot.request(method, f"{server}/api/v1/{path}", **arguments)
        except requests.RequestException:
            time.sleep(5)
            continue
        if answer.ok:
            return answer.json()
        if answer.status_code == 429 or answer.status_code >= 500:
            time.sleep(int(answer.headers.get("Retry-After", 5)))
        elif answer.status_code == 401 and "reason" not in answer.json():
            bot.fetch_token()  # The token expired on its way to the server.
        else:
            sys.exit(answer.json()["detail"])


def send(command, *params):
    """Sends a command. The label makes it safe to send again: it has no second effect."""
    message = {"command": command, "params": params, "label": secrets.token_hex(8)}
    call("POST", "messages", json=message)


send("JOIN", channel)
after = None
while True:
    # Passing "after" acknowledges what came before it.
    page = call("GET", "messages", params={"after": after, "timeout": 60})
    for message in page["messages"]:
        if message["command"] == "PRIVMSG" and message["params"] == [channel, "!ping"]:
            send("PRIVMSG", channel, f"pong, {message['source']}")
    after = page["next"]
