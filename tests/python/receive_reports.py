"""A mail server and a web server on this machine that keep what they get: receive_reports.py FOLDER MAIL_PORT.

Prints the port of the web server, and runs until its standard input ends. Each thing received is a file of JSON in FOLDER.
The web server refuses the first request to /refuse-once.
"""

import email
import email.policy
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller

FOLDER = Path(sys.argv[1])
LOCK = threading.Lock()
COUNT = 0


def keep(kind, what):
    global COUNT
    with LOCK:
        COUNT += 1
        unfinished = FOLDER / f"{COUNT}.new"
        unfinished.write_text(json.dumps({"kind": kind, **what}))
        unfinished.rename(FOLDER / f"{COUNT}-{kind}.json")


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        keep("mail", {
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": mail["subject"], "id": mail["message-id"],
            "text": mail.get_body(("plain",)).get_content(),
            "files": {part.get_filename(): part.get_content() for part in mail.iter_attachments()},
        })
        return "250 OK"


class Web(BaseHTTPRequestHandler):
    refused = set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/refuse-once" and self.path not in self.refused:
            self.refused.add(self.path)
            self.send_response(503)
            self.end_headers()
            return
        keep("web", {"path": self.path, "id": self.headers["idempotency-key"],
                     "authorization": self.headers["authorization"], "body": json.loads(body)})
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


mail = Controller(Mailbox(), hostname="127.0.0.1", port=int(sys.argv[2]))
mail.start()
web = ThreadingHTTPServer(("127.0.0.1", 0), Web)
threading.Thread(target=web.serve_forever, daemon=True).start()
print(web.server_address[1], flush=True)
sys.stdin.read()
mail.stop()
