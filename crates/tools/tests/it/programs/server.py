"""A tool server that does what the test says, line by line. It shares no code with the host.

    server.py SOCKET NAME modern|legacy

Every message from the host goes to the test over the socket. For a request the test answers with one instruction.
"""

import json
import os
import socket
import sys

VERSION = "2026-07-28"


def say(message):
    text = message if isinstance(message, str) else json.dumps({"jsonrpc": "2.0", **message})
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def handshake(message, era):
    """The answer to a message of the handshake, or None."""
    method = message.get("method")
    if method == "server/discover":
        if era == "legacy":
            return {"error": {"code": -32601, "message": "method not found"}}
        return {
            "result": {
                "resultType": "complete",
                "supportedVersions": [VERSION],
                "capabilities": {"tools": {}},
                "ttlMs": 3600000,
                "cacheScope": "public",
            }
        }
    if method == "initialize":
        return {
            "result": {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "script", "version": "1"},
            }
        }
    return None


def obey(instruction, request, test):
    ident = request["id"]
    if instruction.get("before") == "close_stdin":
        os.close(0)
    if "notify" in instruction:
        say({"method": instruction["notify"]})
    match instruction["do"]:
        case "reply":
            say({"id": ident, "result": instruction["result"]})
        case "error":
            say({"id": ident, "error": instruction["error"]})
        case "raw":
            say(instruction["line"].replace("$ID", json.dumps(ident)))
        case "huge":
            text = "x" * instruction["bytes"]
            say({"id": ident, "result": {"content": [], "structuredContent": {"text": text}}})
        case "exit":
            sys.stderr.write(instruction["stderr"])
            sys.stderr.flush()
            os._exit(instruction["code"])
        case "nothing":
            pass
    if instruction.get("before") == "close_stdin":
        # It lives on, deaf, until the test goes.
        test.read()
        os._exit(0)


def main():
    path, name, era = sys.argv[1:4]
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    test = link.makefile("rwb")

    # Not os.environ: the interpreter adds to that.
    with open("/proc/self/environ", "rb") as environ:
        env = [pair.partition(b"=")[0].decode() for pair in environ.read().split(b"\0") if pair]

    def tell(message):
        event = {"name": name, "pid": os.getpid(), "env": env, "message": message}
        test.write(json.dumps(event).encode() + b"\n")
        test.flush()

    while line := sys.stdin.buffer.readline():
        message = json.loads(line)
        known = handshake(message, era)
        tell(message)
        if known is not None:
            say({"id": message["id"], **known})
        elif "id" in message and "method" in message:
            obey(json.loads(test.readline()), message, test)


main()
