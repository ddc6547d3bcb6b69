"""A mail server with TLS from the start and one account, of the standard library alone: for machines with nothing else.

    python mailserver.py CERTIFICATE KEY USER PASSWORD FILE

Every mail goes to the end of FILE.
"""

import base64
import socketserver
import ssl
import sys
from pathlib import Path


class Session(socketserver.StreamRequestHandler):
    """One client. Who has not signed in may send nothing."""

    def handle(self):
        self.say("220 ready")
        signed_in = False
        while line := self.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            if verb.upper() == "EHLO":
                self.say("250-here\r\n250 AUTH PLAIN")
            elif verb.upper() == "AUTH":
                signed_in = base64.b64decode(rest.split()[-1]).decode().split("\0")[1:] == ACCOUNT
                self.say("235 welcome" if signed_in else "535 no")
            elif verb.upper() == "DATA" and signed_in:
                self.say("354 go on")
                self.keep()
                self.say("250 taken")
            elif verb.upper() == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 so be it" if signed_in else "530 sign in first")

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def keep(self):
        with TARGET.open("ab") as stream:
            while (line := self.rfile.readline()).strip(b"\r\n") != b".":
                stream.write(line)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def get_request(self):
        connection, address = super().get_request()
        return CONTEXT.wrap_socket(connection, server_side=True), address


if __name__ == "__main__":
    certificate, key, *ACCOUNT, target = sys.argv[1:]
    TARGET = Path(target)
    CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CONTEXT.load_cert_chain(certificate, key)
    with Server(("127.0.0.1", 465), Session) as server:
        server.serve_forever()
