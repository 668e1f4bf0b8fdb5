"""A bot: it answers "!ping" on one channel.

    python3 bot.py SERVER CLIENT_ID CLIENT_SECRET CHANNEL
    python3 bot.py https://chat.example.org app_… rjk_… '#bots'

The id and the secret are those of an API key with the scopes chat:read and chat:write. Authlib gets the
access tokens, and a new one whenever the old one expires. Debian's packages: python3-authlib and
python3-requests. For a server without https, set AUTHLIB_INSECURE_TRANSPORT=1.
"""
import sys

from authlib.integrations.requests_client import OAuth2Session

server, client_id, client_secret, channel = sys.argv[1:]
bot = OAuth2Session(
    client_id, client_secret, token_endpoint=f"{server}/auth/token", grant_type="client_credentials"
)
bot.fetch_token()


def call(method, path, **arguments):
    """Calls the API; a refusal ends the program with the server's explanation."""
    answer = bot.request(method, f"{server}/api/v1/{path}", **arguments)
    if not answer.ok:
        sys.exit(answer.json()["detail"])
    return answer.json()


call("POST", "messages", json={"command": "JOIN", "params": [channel]})
after = None
while True:
    # Passing "after" acknowledges what came before it.
    page = call("GET", "messages", params={"after": after, "timeout": 60})
    for message in page["messages"]:
        if message["command"] == "PRIVMSG" and message["params"] == [channel, "!ping"]:
            pong = {"command": "PRIVMSG", "params": [channel, f"pong, {message['source']}"]}
            call("POST", "messages", json=pong)
    after = page["next"]
