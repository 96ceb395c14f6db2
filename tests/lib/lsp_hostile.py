"""Messages that no editor sends: an answer or silence, never an end, and always the right exit code."""
import json, os, random, sys, tempfile

from lsp import Lsp, Tap, uri_of

tegc, tap = sys.argv[1], Tap()

# --- whole frames with something wrong in them: an error, and the conversation goes on ------------

OPEN = '{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":%s,"languageId":"teg","version":1,"text":%s}}}'
WRONG = [
    ("no JSON", b"hello", -32700),
    ("half of a JSON text", b'{"jsonrpc":"2.0","id":1,', -32700),
    ("two JSON texts", b'{"jsonrpc":"2.0"} {}', -32700),
    ("bytes that are no UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}', -32700),
    ("a NUL byte", b'{"jsonrpc":"2.0","id":1,"method":"a\0b"}', -32700),
    ("an escaped NUL", rb'{"jsonrpc":"2.0","id":1,"method":"shut\u0000down"}', -32700),
    ("an empty body", b"", -32700),
    ("ten thousand brackets", b"[" * 10000, -32700),
    ("a list", b"[]", -32600),
    ("a string", b'"hello"', -32600),
    ("another version", b'{"jsonrpc":"1.0","id":1,"method":"shutdown"}', -32600),
    ("no method", b'{"jsonrpc":"2.0"}', -32600),
    ("a method that is a number", b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
    ("an id that is an object", b'{"jsonrpc":"2.0","id":{},"method":"shutdown"}', -32600),
    ("a request that nobody knows", b'{"jsonrpc":"2.0","id":1,"method":"textDocument/divination"}', -32601),
    ("a note sent as a request", b'{"jsonrpc":"2.0","id":1,"method":"textDocument/didOpen"}', -32601),
    ("a second initialize", b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}', -32600),
    ("formatting without params", b'{"jsonrpc":"2.0","id":1,"method":"textDocument/formatting"}', -32602),
    ("formatting what is not open", b'{"jsonrpc":"2.0","id":1,"method":"textDocument/formatting","params":{"textDocument":{"uri":"file:///none"}}}', -32602),
]
lsp = Lsp(tegc)
for what, body, code in WRONG:
    lsp.frame(body)
    m = lsp.message() or {}
    tap.same(m.get("error", {}).get("code"), code, f"{what}: error {code}")

SILENT = [
    ("a note that nobody knows", '{"jsonrpc":"2.0","method":"$/setTrace","params":{"value":"off"}}'),
    ("an answer to nothing", '{"jsonrpc":"2.0","id":9,"result":null}'),
    ("an open without a text", '{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///x"}}}'),
    ("an open with a number for a text", OPEN % ('"file:///x"', "7")),
    ("an open without a name", OPEN % ('""', '""')),
    ("a change of what is not open", '{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///x"},"contentChanges":[]}}'),
    ("a request sent as a note", '{"jsonrpc":"2.0","method":"shutdown"}'),
]
for what, body in SILENT:
    lsp.frame(body)
    lsp.frame('{"jsonrpc":"2.0","id":"after","method":"x"}')
    tap.same((lsp.message() or {}).get("id"), "after", f"{what}: passed over")

lsp.frame(OPEN % ('"file:///h.teg"', '"zone a = \\"e\\"\\n"'))
lsp.diagnostics("file:///h.teg")
BAD_RANGES = [{"start": {"line": -1, "character": 0}, "end": {"line": 0, "character": 0}},
              {"start": {"line": 0.5, "character": 0}, "end": {"line": 0, "character": 0}},
              {"start": {"line": 1e300, "character": 0}, "end": {"line": 0, "character": 0}},
              {"start": {"line": 0, "character": 5}, "end": {"line": 0, "character": 1}},
              {"start": {}, "end": {}}, 7, []]
for r in BAD_RANGES:
    lsp.change("file:///h.teg", [{"range": r, "text": "x"}])
tap.same(lsp.ask("x")["error"]["code"], -32601, "changes of ranges that cannot be are passed over")
for text in ('posture', '{' * 5000, '"' * 300, 'net a = ' + '(' * 3000, 'import "/"\n', 'import "h.teg"\n', "𝕏" * 2000, "\r\r\r" * 500):
    lsp.frame(OPEN % ('"file:///h.teg"', json.dumps(text)))
    told = lsp.diagnostics("file:///h.teg")
    tap.ok(told is not None, f"{text[:8]!r}...: is told about", told)
for name in ("untitled:Untitled-1", "-", "file://", "file:///%00%zz", "x" * 5000):
    lsp.frame(OPEN % (json.dumps(name), '"zone a = \\"e\\"\\nzone a = \\"f\\"\\n"'))
    tap.ok(lsp.diagnostics(name), f"a document called {name[:20]!r} is a document")

# Methods of every name, with params of every shape: each is answered.
SHAPES = [None, 7, "x", [], {}, {"textDocument": 7}, {"textDocument": {"uri": 7}}, {"textDocument": {"uri": "file:///none"}},
          {"textDocument": {"uri": "file:///h.teg"}}, {"textDocument": {"uri": "file:///h.teg"}, "position": 7},
          {"textDocument": {"uri": "file:///h.teg"}, "position": {"line": 1e9, "character": 1e9}},
          {"textDocument": {"uri": "file:///h.teg"}, "position": {"line": -3, "character": "x"}, "newName": [], "context": 7}]
METHODS = [line.split('"')[1] for line in open("compiler/lsp/method.def") if line.startswith("METHOD(") and "REQUEST" in line]
unanswered = []
for method in METHODS:
    if method in ("initialize", "shutdown"):
        continue
    for shape in SHAPES:
        m = lsp.ask(method, shape)
        if not ("result" in m) != ("error" in m):
            unanswered.append((method, shape, m))
tap.same(unanswered, [], f"{len(METHODS) - 2} methods with params of {len(SHAPES)} shapes: each is answered")

# A text that is changed at random is what the client thinks it is: seen in what fmt makes of it.
random.seed(7)
ALPHABET = ["a", "é", "𝕏", "\n", " ", "net ", "= ", "{", "}", '"', "10.0.0.0/8", "\r\n", "#"]
for _ in range(300):
    a, b = sorted((random.randrange(30), random.randrange(30)))
    lsp.change("file:///h.teg", [{"range": {"start": {"line": a, "character": random.randrange(9)}, "end": {"line": b + 1, "character": random.randrange(9)}},
                                  "text": "".join(random.choices(ALPHABET, k=random.randrange(12)))}])
tap.same(lsp.ask("x")["error"]["code"], -32601, "300 random changes, and it answers")
code, said = lsp.bye()
tap.same(code, 0, "after all that it ends with 0")

# --- headers that leave no place to go on from: it ends with 1 and says why --------------------------

HEADERS = [b"Content-Length: x\r\n\r\n", b"Content-Length: -1\r\n\r\n", b"Content-Length: 99999999999999999999\r\n\r\n",
           b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"Content-Type: x\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
           b"Content-Length 5\r\n\r\nhello", b"x" * 5000, b"Content-Length: 50\r\n\r\nhalf", b"Content-Length: 3\n\n{}\n" + b"y" * 5000]
for header in HEADERS:
    lsp = Lsp(tegc, initialize=False)
    lsp.bytes(header)
    code, said = lsp.ends()
    tap.ok(code == 1 and "Content-Length" in said, f"{header[:40]!r}: ends with 1 and says why", (code, said))
for what, talk, want in (("nothing", [], 1), ("exit alone", ["exit"], 1), ("shutdown, then exit", ["initialize", "shutdown", "exit"], 0)):
    lsp = Lsp(tegc, initialize=False)
    for i, method in enumerate(talk):
        lsp.frame(json.dumps({"jsonrpc": "2.0", "method": method, "params": {}, **({} if method == "exit" else {"id": i})}))
    tap.same(lsp.ends()[0], want, f"{what}: ends with {want}")
# Folders that are none, and files in one that nobody would call policies.
for what, folders in (("numbers", [1, None, [], {}]), ("URIs that are none", [{"uri": 7}, {"uri": ""}, {"uri": "file://"}, {"uri": "untitled:x"}, {"uri": "file:///nowhere/at/all"}]),
                      ("an object", {"uri": "file:///"}), ("many", [{"uri": "file:///nowhere", "name": "x"}] * 1000)):
    lsp = Lsp(tegc, folders=folders)
    tap.ok("capabilities" in (lsp.about or {}), f"folders: {what}", lsp.about)
    tap.same(lsp.bye()[0], 0, "and the conversation ends well")
with tempfile.TemporaryDirectory() as home:
    for name, content in (("nul.teg", b'import "nets.teg"\0'), ("bytes.teg", b'import "\xff\xfe"'), ("large.teg", b'import "nets.teg"\n' + b"#" * (5 << 20)), ("self.teg", b'import "self.teg"\n'),
                          ("half.teg", b'import "nets.teg"\nnet far = site +\nposture {'), ("empty.teg", b""), (".hidden.teg", b'import "nets.teg"\nnet far = site\n'), ("good.teg", b'import "nets.teg"\nnet far = site\n')):
        open(os.path.join(home, name), "wb").write(content)
    os.mkfifo(os.path.join(home, "pipe.teg"))
    os.mkdir(os.path.join(home, "folder.teg"))
    os.symlink(home, os.path.join(home, "loop"))
    os.symlink("nowhere.teg", os.path.join(home, "broken.teg"))
    deep = home
    for _ in range(40):
        deep = os.path.join(deep, "d")
        os.mkdir(deep)
    open(os.path.join(deep, "deep.teg"), "w").write('import "nets.teg"\n')
    lsp, nets = Lsp(tegc, folders=[{"uri": uri_of(home)}]), uri_of(os.path.join(home, "nets.teg"))
    lsp.open(nets, "net site = 192.0.2.0/24\n")
    found = lsp.at("textDocument/references", nets, "net site", "site", 1, context={"includeDeclaration": True})["result"]
    tap.same(sorted(os.path.basename(f["uri"]) for f in found), ["good.teg", "nets.teg"], "a folder of broken files: what can be read is found")
    tap.same(lsp.bye(), (0, ""), "and nothing is said on stderr")

lsp = Lsp(tegc, initialize=False)
tap.same(lsp.ask("shutdown")["error"]["code"], -32002, "before initialize nothing is answered")
lsp.bytes(b"content-LENGTH:2\r\nX: y\r\n\r\n")
lsp.bytes(b"{}")
tap.same((lsp.message() or {}).get("error", {}).get("code"), -32600, "a header in other letters, and a frame in two writes")
lsp.ends()
tap.done()
