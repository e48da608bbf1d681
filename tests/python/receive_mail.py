"""Two mail servers on this machine that want encryption and a login: receive_mail.py FOLDER STARTTLS_PORT TLS_PORT.

Their certificate is signed by an authority of this run's own, FOLDER/roots.pem. Whoever logs in is `tracewell` with the
password `s3cr3t`. Prints a line when they listen, and runs until its standard input ends. Each mail is a file of JSON in
FOLDER, which says by which server it came and who had logged in.
"""

import datetime
import email
import email.policy
import ipaddress
import json
import ssl
import sys
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FOLDER = Path(sys.argv[1])


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def context():
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = certificate("Root of a test", root_key, "Root of a test", root_key, [(x509.BasicConstraints(True, None), True)])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    own = certificate("mail", key, "Root of a test", root_key, [(names, False), (x509.BasicConstraints(False, None), True)])
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (FOLDER / "roots.pem").write_bytes(root)
    (FOLDER / "mail.pem").write_bytes(own + pem)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(FOLDER / "mail.pem")
    return made


class Mailbox:
    def __init__(self, kind):
        self.kind, self.count = kind, 0

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        user = session.auth_data.login.decode() if session.auth_data else None
        kept = {"by": self.kind, "user": user, "to": envelope.rcpt_tos, "subject": mail["subject"]}
        unfinished = FOLDER / f"{self.kind}-{self.count}.new"
        unfinished.write_text(json.dumps(kept))
        unfinished.rename(unfinished.with_suffix(".json"))
        return "250 OK"


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"tracewell", b"s3cr3t"), handled=False, auth_data=data)


tls = context()
# Over a connection that is encrypted from its first byte, aiosmtpd does not see that it is.
servers = [
    Controller(Mailbox("starttls"), hostname="127.0.0.1", port=int(sys.argv[2]), tls_context=tls, require_starttls=True,
               authenticator=login, auth_required=True),
    Controller(Mailbox("tls"), hostname="127.0.0.1", port=int(sys.argv[3]), ssl_context=tls, authenticator=login,
               auth_required=True, auth_require_tls=False),
]
for server in servers:
    server.start()
print("listening", flush=True)
sys.stdin.read()
for server in servers:
    server.stop()
