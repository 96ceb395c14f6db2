"""What editors ask of `tegc lsp`, and what check and fmt say to the same."""
import glob, os, re, subprocess, sys, tempfile

from lsp import Lsp, Tap, edited, place, units, uri_of

tegc, tap = sys.argv[1], Tap()


def run(*argv, stdin=None):
    return subprocess.run([tegc, *argv], input=stdin, capture_output=True, text=True)


# --- diagnostics ------------------------------------------------------------------------------

def of_check(path, *options):
    """(code, words, line, unit) of what check says, as far as it is about this file."""
    text = open(path, encoding="utf-8").read().split("\n")
    found = re.findall(r"^(?:error|warning)\[(\w+)\]: (.*)\n *--> (.*):(\d+):(\d+)$", run("check", *options, path).stdout, re.M)
    return sorted((c, w, int(l) - 1, units(text[int(l) - 1][: int(col) - 1])) for c, w, f, l, col in found if f == path)


def of_lsp(told):
    return sorted((d["code"], d["message"].split("\n")[0], d["range"]["start"]["line"], d["range"]["start"]["character"]) for d in told)


lsp = Lsp(tegc)
seen = 0
for path in sorted(glob.glob(os.path.abspath("tests/wrong/*.teg")) + glob.glob(os.path.abspath("policies/examples/*.teg"))):
    lsp.open(uri_of(path), open(path, encoding="utf-8", newline="").read())
    told = lsp.diagnostics(uri_of(path))
    here = [d for d in told if d["range"]["end"] != {"line": 0, "character": 0}]
    want = of_check(path, "--no-proofs")
    seen += len(want)
    tap.same(of_lsp(here), want, f"{os.path.basename(path)}: what check says, at its places")
    lsp.note("textDocument/didClose", {"textDocument": {"uri": uri_of(path)}})
tap.ok(seen > 50, "there was much to say", seen)

home = tempfile.TemporaryDirectory()
edge = os.path.join(home.name, "edge é.teg")
EDGE = '''zone wan = "eth0"
net office = 203.0.113.0/24
posture BALANCED "𝕏 every day" {
    default drop
    all: allow tcp to self port 443
    one: allow tcp from office to self port 443
    two: allow tcp from ofice to self port 80
}
'''
uri = uri_of(edge)
lsp.open(uri, EDGE)
told = lsp.diagnostics(uri)
tap.same([(d["code"], d["range"]["start"], d["range"]["end"]) for d in told],
         [("E0201", place(EDGE, EDGE.index("ofice")), place(EDGE, EDGE.index("ofice") + 5))] if told and told[0]["code"] == "E0201" else "E0201",
         "an unknown name is marked from its first letter to its last")
tap.ok(told and "help: did you mean `office`?" in told[0]["message"].split("\n"), "and the help is told", told)
at = EDGE.index("ofice")
lsp.change(uri, [{"range": {"start": place(EDGE, at), "end": place(EDGE, at + 5)}, "text": "office"}])
tap.same(lsp.diagnostics(uri), [], "a change of one word makes it good, before the pause")
proofs = lsp.diagnostics(uri)
good = EDGE.replace("ofice", "office")
open(edge, "w").write(good)
tap.same(of_lsp(proofs or []), of_check(edge), "after the pause the proofs say what check says")
tap.ok(proofs and proofs[0]["relatedInformation"][0]["location"]["uri"] == uri, "with the place of the other rule", proofs)
lsp.change(uri, [{"text": good + "\n"}], 3)
lsp.note("textDocument/didSave", {"textDocument": {"uri": uri}})
lsp.ask("textDocument/formatting", {"textDocument": {"uri": uri}, "options": {}})
tap.same(of_lsp(lsp.diagnostics(uri)), of_check(edge), "a save does not wait for the pause")

# Behind a character of two units, and behind the ends of lines.
title = good.index("every day")
lsp.change(uri, [{"range": {"start": place(good, title), "end": place(good, title + 9)}, "text": "𝕐"},
                 {"range": {"start": {"line": 0, "character": 9999}, "end": {"line": 0, "character": 99999}}, "text": "  "},
                 {"range": {"start": {"line": 99999, "character": 0}, "end": {"line": 99999, "character": 7}}, "text": "# end"}], 4)
want = good.replace("every day", "𝕐").replace('"eth0"\n', '"eth0"  \n') + "\n# end"
edits = lsp.ask("textDocument/formatting", {"textDocument": {"uri": uri}, "options": {}})["result"]
tap.same(edited(want, edits), run("fmt", "-", stdin=want).stdout, "changes count in UTF-16 units, and formatting is what fmt writes")

# --- imports ------------------------------------------------------------------------------------

nets = os.path.join(home.name, "nets.teg")
MAIN = 'import "nets.teg"\nzone wan = "eth0"\nposture P {\n    default drop\n    a: allow tcp from site to self port 22\n}\n'
lsp.open(uri_of(home.name + "/main.teg"), MAIN)
told = lsp.diagnostics(uri_of(home.name + "/main.teg"))
tap.ok(told and "nets.teg" in told[0]["message"], "an import that is missing is told", told)
lsp.open(uri_of(nets), "net site = 192.0.2.0/24\n")
tap.same(lsp.diagnostics(uri_of(home.name + "/main.teg")), [], "and is there when an editor has it, though no disk does")
lsp.change(uri_of(nets), [{"text": "net site = \n"}])
told = lsp.diagnostics(uri_of(home.name + "/main.teg"))
tap.ok(told and told[0]["relatedInformation"][0]["location"]["uri"] == uri_of(nets),
       "a mistake in what is imported is told where it is imported, with its place", told)

# --- formatting -----------------------------------------------------------------------------------

for path in sorted(glob.glob("tests/golden/spelling/*.teg") + glob.glob("policies/*/*.teg")):
    text = open(path, encoding="utf-8", newline="").read()
    lsp.open(uri_of(path), text)
    edits = lsp.ask("textDocument/formatting", {"textDocument": {"uri": uri_of(path)}, "options": {}})["result"]
    if edits is None or edited(text, edits) != run("fmt", "-", stdin=text).stdout:
        tap.ok(False, f"{path}: formatted as fmt does", edits)
    lsp.note("textDocument/didClose", {"textDocument": {"uri": uri_of(path)}})
tap.ok(True, "the corpus of spelling and the policies are formatted as fmt does")
lsp.open(uri, "posture {\n")
tap.same(lsp.ask("textDocument/formatting", {"textDocument": {"uri": uri}, "options": {}})["result"], None, "what cannot be read stays as it is")

tap.same(lsp.bye(), (0, ""), "shutdown and exit: 0, and nothing was said on stderr")
tap.done()
