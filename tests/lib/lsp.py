"""A client of `tegc lsp`: frames, requests, and what the server tells unasked."""
import json, os, pathlib, select, subprocess, time


class Lsp:
    def __init__(self, tegc, *options, initialize=True, folders=None):
        self.p = subprocess.Popen([tegc, "lsp", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.buffer, self.next_id, self.told = b"", 0, []
        self.about = self.ask("initialize", {"capabilities": {}, "rootUri": None, "processId": None, "workspaceFolders": folders})["result"] if initialize else None
        if initialize:
            self.note("initialized", {})

    # --- frames
    def bytes(self, data):
        try:
            self.p.stdin.write(data)
            self.p.stdin.flush()
        except BrokenPipeError:
            pass

    def frame(self, body):
        body = body if isinstance(body, bytes) else body.encode()
        self.bytes(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def message(self, seconds=20):
        """The next one, or None when none comes."""
        until = time.monotonic() + seconds
        while True:
            head, blank, rest = self.buffer.partition(b"\r\n\r\n")
            if blank:
                length = int(head.split(b":")[1])
                if len(rest) >= length:
                    self.buffer = rest[length:]
                    return json.loads(rest[:length])
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.p.stdout], [], [], left)[0]:
                return None
            more = os.read(self.p.stdout.fileno(), 1 << 16)
            if not more:
                return None
            self.buffer += more

    # --- talk
    def send(self, **message):
        self.frame(json.dumps({"jsonrpc": "2.0", **message}))

    def note(self, method, params):
        self.send(method=method, params=params)

    def ask(self, method, params=None):
        self.next_id += 1
        self.send(id=self.next_id, method=method, params=params)
        while (m := self.message()) is not None:
            if m.get("id") == self.next_id:
                return m
            self.told.append(m)
        raise SystemExit(f"no answer to {method}; stderr: {self.ends()[1]}")

    def diagnostics(self, uri, seconds=20):
        """What is told next about a document."""
        while True:
            m = self.told.pop(0) if self.told else self.message(seconds)
            if m is None:
                return None
            if m.get("method") == "textDocument/publishDiagnostics" and m["params"]["uri"] == uri:
                return m["params"]["diagnostics"]

    def ends(self):
        self.p.stdin.close()
        try:
            code = self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            code = "hangs"
        return code, self.p.stderr.read().decode(errors="replace")

    def bye(self):
        self.ask("shutdown")
        self.note("exit", None)
        return self.ends()

    # --- documents
    def open(self, uri, text, version=1):
        self.told.clear()
        self.note("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "teg", "version": version, "text": text}})

    def change(self, uri, changes, version=2):
        self.told.clear()
        self.note("textDocument/didChange", {"textDocument": {"uri": uri, "version": version}, "contentChanges": changes})

    def at(self, method, uri, text, what, skip=0, **more):
        """A request about the place of a word of the text."""
        return self.ask(method, {"textDocument": {"uri": uri}, "position": place(text, text.index(what) + skip), **more})


def uri_of(path):
    return pathlib.Path(path).resolve().as_uri()


def units(text):
    return len(text.encode("utf-16-le")) // 2


def place(text, offset):
    line = text.count("\n", 0, offset)
    return {"line": line, "character": units(text[text.rfind("\n", 0, offset) + 1 : offset])}


def offset(text, position):
    lines = text.split("\n")
    before = sum(len(l) + 1 for l in lines[: position["line"]])
    line, n = lines[position["line"]], 0
    while n < len(line) and units(line[:n]) < position["character"]:
        n += 1
    return before + n


def edited(text, edits):
    for e in sorted(edits, key=lambda e: (e["range"]["start"]["line"], e["range"]["start"]["character"]), reverse=True):
        text = text[: offset(text, e["range"]["start"])] + e["newText"] + text[offset(text, e["range"]["end"]) :]
    return text


class Tap:
    n = 0

    def ok(self, held, claim, note=""):
        self.n += 1
        print(f"{'ok' if held else 'not ok'} {self.n} - {claim}")
        if not held:
            print("".join(f"# {line}\n" for line in str(note).splitlines()), end="")

    def same(self, got, want, claim):
        self.ok(got == want, claim, f"expected: {want}\n     got: {got}")

    def done(self):
        print(f"1..{self.n}", flush=True)
