"""An app with "Sign in with Rejoin": it greets its users by their nick.

    python3 app.py SERVER CLIENT_ID CLIENT_SECRET PORT
    python3 app.py https://chat.example.org app_… rjk_… 8000

Register it first, with the redirect URI that it sends (on loopback, any port matches):

    rejoin app add --name Greeter --redirect-uri http://127.0.0.1/done

It uses Authlib; Debian's packages are python3-authlib and python3-requests. For a server without https, set
AUTHLIB_INSECURE_TRANSPORT=1.
"""
import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

server, client_id, client_secret, port = sys.argv[1:]
verifiers = {}  # the PKCE verifier of each sign-in that has begun, by its state


class App(BaseHTTPRequestHandler):
    def do_GET(self):
        oauth = OAuth2Session(
            client_id, client_secret, scope="identity", code_challenge_method="S256",
            redirect_uri=f"http://127.0.0.1:{port}/done",
        )
        if self.path == "/":
            verifier = generate_token(48)
            address, state = oauth.create_authorization_url(f"{server}/auth/authorize", code_verifier=verifier)
            verifiers[state] = verifier
            # The cookie binds the answer to the browser in which the sign-in began.
            return self.answer(303, Location=address, Set_Cookie=f"state={state}; HttpOnly; SameSite=Lax")
        query = dict(parse_qsl(urlsplit(self.path).query))
        cookie = SimpleCookie(self.headers["Cookie"]).get("state")
        verifier = verifiers.pop(query.get("state"), None)
        if not verifier or not cookie or cookie.value != query["state"] or query.get("iss") != server:
            return self.answer(400, "This sign-in did not begin here.")
        if "error" in query:
            return self.answer(200, f"Not signed in: {query['error']}")
        oauth.fetch_token(f"{server}/auth/token", code=query["code"], code_verifier=verifier)
        user = oauth.get(f"{server}/auth/userinfo").json()
        self.answer(200, f"Hello {user['nick']}")

    def answer(self, status, text="", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text.encode())


HTTPServer(("127.0.0.1", int(port)), App).serve_forever()
