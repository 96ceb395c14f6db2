"""What editors ask of `tegc lsp`, and what check and fmt say to the same."""
import glob, os, re, subprocess, sys, tempfile, urllib.parse

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
page = urllib.parse.unquote(urllib.parse.urlparse(told[0].get("codeDescription", {}).get("href", "")).path) if told else ""
tap.ok(page.endswith("/E0201.md") and open(page).readline().startswith("# E0201"), "a diagnostic has the place of its page", told)
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
last = [m for m in lsp.told if m.get("method") == "textDocument/publishDiagnostics"][-1]
tap.same(of_lsp(last["params"]["diagnostics"]), of_check(edge), "a save does not wait for the pause")

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

# --- names ------------------------------------------------------------------------------------------

NETS = "# Where the administrators sit.\nnet office = 203.0.113.0/24 + [2001:db8:10::/48]\n"
EDGE = """import "std/services.teg"
import "nets.teg"
zone wan = "eth0"
net partners = office + 198.51.100.0/25
limit calm = 50/s per source
lifeline {
    owner: tcp from office to self port ssh
}
posture HARDENED {
    default drop
    web_in: allow https to self limit calm
    office_in: allow tcp from office to self port 8443
}
posture BALANCED extends HARDENED {
    web_in: allow https to self
    default out allow
}
initial posture BALANCED
reflex flood {
    match tcp flags syn/syn+ack on wan
    when rate per source > 1000/s
    do drop, emit high
}
playbook heal(src: address) {
    budget blocks 500 per 1h, runtime 10m
    phase first { block src for 1h }
}
on reflex.flood run heal(event.source)
test "𝕏 web" {
    posture HARDENED
    tcp 198.51.100.20:40000 -> self:443 syn on wan => allow by web_in
}
test "no" {
    posture HARDENED
    tcp 198.51.100.20:40000 -> self:443 syn on wan => drop
}
"""
uri, nets_uri = uri_of(home.name + "/names.teg"), uri_of(nets)
lsp.change(nets_uri, [{"text": NETS}])
lsp.open(uri, EDGE)
tap.same([d["message"].split("\n")[0] for d in lsp.diagnostics(uri)], ["nothing uses the net `partners`"],
         "a policy with names of every kind is right, but for one that nothing uses")


def places(answer):
    return sorted((os.path.basename(l["uri"]), l["range"]["start"]["line"], l["range"]["start"]["character"]) for l in answer["result"] or [])


office = [("names.teg", 3, 15), ("names.teg", 6, 20), ("names.teg", 11, 30), ("nets.teg", 1, 4)]
tap.same(lsp.at("textDocument/definition", uri, EDGE, "from office", 6)["result"]["uri"], nets_uri, "definition leads to the file that is imported")
tap.same(places(lsp.at("textDocument/references", uri, EDGE, "from office", 6, context={"includeDeclaration": True})), office, "references stand in both files")
tap.same(places(lsp.at("textDocument/references", uri, EDGE, "from office", 6, context={"includeDeclaration": False})), office[:3], "or without the declaration")
tap.same(places(lsp.at("textDocument/references", uri, EDGE, "web_in", 1, context={"includeDeclaration": True})),
         [("names.teg", 10, 4), ("names.teg", 14, 4), ("names.teg", 30, EDGE.split("\n")[30].index("web_in"))], "a label, what replaces it, and a test that names it are one")
hover = lsp.at("textDocument/hover", uri, EDGE, "from office", 6)["result"]["contents"]["value"]
tap.ok("administrators" in hover and "2001:db8:10::/48" in hover and "net `office`" in hover, "hover has kind, comment and set", hover)
tap.same(lsp.at("textDocument/hover", uri, EDGE, "lifeline")["result"], None, "a word of the language is no name")


def renamed(what, skip, name):
    m = lsp.at("textDocument/rename", uri, EDGE, what, skip, newName=name)
    if "error" in m:
        return m["error"]["message"]
    texts = {uri: EDGE, nets_uri: NETS}
    for u, edits in m["result"]["changes"].items():
        texts[u] = edited(texts[u], edits)
    return texts


for what, skip, old, new, count in (("from office", 6, "office", "people", 4), ("zone wan", 6, "wan", "outside", 4), ("limit calm", 7, "calm", "slow", 2),
                                    ("posture HARDENED", 9, "HARDENED", "STRICT", 4), ("reflex flood", 8, "flood", "storm", 2),
                                    ("web_in", 0, "web_in", "front", 3), ("net partners", 5, "partners", "friends", 1),
                                    ("playbook heal", 9, "heal", "mend", 2), ("src: address", 0, "src", "who", 2)):
    got = renamed(what, skip, new)
    ok = isinstance(got, dict) and sum(len(re.findall(r"\b%s\b" % new, t)) for t in got.values()) == count
    tap.ok(ok and not any(re.search(r"(?<!\")\b%s\b" % old, t.replace("office_in", "")) for t in got.values()), f"{old} becomes {new} in {count} places", got)
for what, skip, new, why in (("from office", 6, "posture", "word of the language"), ("from office", 6, "partners", "taken"), ("from office", 6, "wan", "declared twice"),
                             ("from office", 6, "9x", "no name"), ("from office", 6, "a b", "no name"), ("from office", 6, "", "no name"), ("from office", 6, "a-1", "no name"),
                             ("from office", 6, "tcp", "protocol"), ("port ssh", 5, "shell", "carries"), ("web_in", 0, "office_in", "taken"), ("default", 0, "x", "none")):
    got = renamed(what, skip, new)
    tap.ok(isinstance(got, str) and why in got, f"{what} does not become `{new}`: {why}", got)

names = {x["name"] for x in lsp.ask("textDocument/documentSymbol", {"textDocument": {"uri": uri}})["result"]}
tap.same(names, {"wan", "partners", "calm", "owner", "HARDENED", "BALANCED", "web_in", "office_in", "flood", "heal"}, "the outline has what the document declares")


def offered(what, skip=0):
    return {x["label"] for x in lsp.at("textDocument/completion", uri, EDGE, what, skip)["result"]}


tap.ok({"office", "partners"} <= offered("from office", 5) and not {"wan", "calm", "HARDENED"} & offered("from office", 5), "behind `from`: nets", offered("from office", 5))
tap.ok({"HARDENED", "BALANCED"} <= offered("extends HARD", 8) and "office" not in offered("extends HARD", 8), "behind `extends`: postures")
tap.ok("std/services.teg" in offered('"std/', 1), "behind `import`: what tegc carries", offered('"std/', 1))
tap.ok({"zone", "posture", "reflex"} <= offered("zone wan") and "allow" not in offered("zone wan"), "where a line begins: what declares")
lenses = [(x["range"]["start"]["line"], x["command"]["title"]) for x in lsp.ask("textDocument/codeLens", {"textDocument": {"uri": uri}})["result"]]
tap.same(lenses, [(28, "passes"), (32, "fails")], "each test says how it fares")

data = lsp.ask("textDocument/semanticTokens/full", {"textDocument": {"uri": uri}})["result"]["data"]
legend, line, unit, painted = lsp.about["capabilities"]["semanticTokensProvider"]["legend"]["tokenTypes"], 0, 0, set()
for dl, du, length, kind, _ in zip(*[iter(data)] * 5):
    line, unit = line + dl, du if dl else unit + du
    painted.add((EDGE.split("\n")[line][unit : unit + length], legend[kind]))
tap.same(painted, {("wan", "namespace"), ("partners", "variable"), ("office", "variable"), ("calm", "property"), ("owner", "property"), ("ssh", "type"), ("https", "type"),
                   ("HARDENED", "class"), ("BALANCED", "class"), ("web_in", "property"), ("office_in", "property"), ("flood", "function"), ("heal", "function"), ("src", "parameter")}, "tokens say what each name is")

# --- every name that an event or a call has ---------------------------------------------------------

CALLS = """zone wan = "eth0"
posture CALM {
    default drop
    web: allow tcp to self port 443 limit 5/s emit high
}
posture TIGHT extends CALM {
    web: drop tcp to self port 443
}
posture OTHER {
    default drop
    mail: allow tcp to self port 25 emit low
}
posture THIRD {
    default drop
    mail: drop tcp to self port 25 emit low
}
initial posture CALM
derme {
    beacon: when session.count > 50 do drop, emit medium
}
decoy trap {
    service ssh
    port 2222
    reply banner "SSH-2.0"
}
playbook heal(src: address, sev: severity = high) {
    budget blocks 500 per 1h, runtime 10m, one per src per 5m
    phase first {
        block src for 1h
        if sev >= critical { throttle wan to 500mbit burst 64kB for 10m }
    }
    on failure { posture TIGHT for 15m }
}
playbook calm(sev: severity) {
    budget runtime 10m
    notify audit { event: "x", grave: sev }
}
on rule.web run heal(event.source)
on rule.mail run heal(event.source)
on derme.beacon run heal(event.source, critical)
on decoy.trap run heal(event.source)
on posture.CALM run calm(high)
on playbook.heal run calm(critical)
homeostasis {
    when qualia.pain > 0.6 for 30s posture TIGHT until qualia.pain < 0.2 for 5m
}
test "by" {
    posture CALM
    6 * (tcp 198.51.100.20 -> self:443 syn on wan) in 1s => last drop by CALM.web.limit
}
"""
uri, EDGE = uri_of(home.name + "/calls.teg"), CALLS
lsp.open(uri, CALLS)
tap.same(lsp.diagnostics(uri), [], "a policy with events of every kind is right")
for what, skip, old, new, count in (("playbook heal", 9, "heal", "mend", 6), ("rule.web", 5, "web", "front", 4), ("derme.beacon", 6, "beacon", "lamp", 2), ("decoy.trap", 6, "trap", "net_", 2),
                                    ("posture.CALM", 8, "CALM", "QUIET", 6), ("posture TIGHT", 8, "TIGHT", "CLOSED", 3), ("calm(high)", 0, "calm", "soothe", 3),
                                    ("one per src", 8, "src", "who", 3), ("grave: sev", 7, "sev", "badly", 2), ("sev >= critical", 0, "sev", "badly", 2)):
    got = renamed(what, skip, new)
    tap.ok(isinstance(got, dict) and len(re.findall(r"\b%s\b" % new, got[uri])) == count, f"{what}: {old} becomes {new} in {count} places", got if isinstance(got, str) else got[uri])
for what, skip, new, why in (("rule.mail", 5, "post", "another rule"), ("sev >= critical", 0, "critical", "something else"), ("one per src", 8, "sev", "declared twice")):
    got = renamed(what, skip, new)
    tap.ok(isinstance(got, str) and why in got, f"{what} does not become `{new}`: {why}", got)
tap.same(places(lsp.at("textDocument/references", uri, CALLS, "decoy.trap", 7, context={"includeDeclaration": True})), [("calls.teg", 20, 6), ("calls.teg", 40, 9)], "a decoy and its event are one")

# --- what a rule still decides ---------------------------------------------------------------------------

RULES = """zone wan = "eth0"
net office = 203.0.113.0/24
net bogons = [192.0.2.0/24, 10.0.0.0/8]
lifeline {
    owner: tcp from office to self port 22
}
strangers: block bogons on wan
posture TIGHT {
    default drop
    web: allow tcp from office to self port 443
    most: allow tcp to self port 443
    all: drop tcp from office to self port 443
    allow udp to self port 53
}
posture WIDE extends TIGHT {
    web: allow tcp to self port 443
}
initial posture TIGHT
reflex flood {
    match tcp flags syn/syn+ack on wan
    when rate per source > 1000/s
    do drop
    except in TIGHT
}
"""
uri = uri_of(home.name + "/rules.teg")
lsp.open(uri, RULES)
tap.same(lsp.diagnostics(uri), [], "a policy with rules that take from each other is right")


def decided(what, skip=0):
    return [l for l in lsp.at("textDocument/hover", uri, RULES, what, skip)["result"]["contents"]["value"].split("\n") if l.startswith("- ")]


UPPER = ", without what lifelines, blocks and reflexes take"
EXAMPLE = "; for example `tcp 198.51.100.7:50000 -> self:443 syn on wan`"
for what, skip, want in (
    ("web: allow tcp from", 0, ["- TIGHT: decides all of its packets; for example `tcp 203.0.113.9:50000 -> self:443 syn on wan`",
                                f"- WIDE: decides tcp from any to self port 443{UPPER}; the rest goes to `strangers`{EXAMPLE}"]),
    ("most:", 0, [f"- TIGHT: decides tcp from any except office to self port 443{UPPER}; the rest goes to `strangers`, `web`{EXAMPLE}",
                  "- WIDE: decides nothing; all of its packets go to `strangers`, `web`"]),
    ("all:", 0, ["- TIGHT, WIDE: decides nothing; all of its packets go to `web`"]),
    ("allow udp", 2, [f"- TIGHT, WIDE: decides udp from any to self port 53{UPPER}; the rest goes to `strangers`; for example `udp 198.51.100.7:50000 -> self:53 on wan`"]),
    ("owner:", 0, ["- on arrival: decides all of its packets; for example `tcp 203.0.113.9:50000 -> self:22 syn on wan`"]),
    ("strangers:", 0, ["- on arrival: decides all of its packets; for example `tcp 192.0.2.7:50000 -> self:22 syn on wan`"]),
    ("reflex flood", 8, ["- on arrival: decides nearly all of tcp flags syn/syn+ack from any to any on wan; the rest goes to `owner`, `strangers`; for example `tcp 198.51.100.7:50000 -> self:22 syn on wan`"]),
):
    tap.same(decided(what, skip), want, f"what `{what}` still decides")
lsp.change(uri, [{"text": RULES + "net office = 192.0.2.0/24\n"}], 2)
tap.same(decided("most:"), [], "a policy with mistakes has nothing to say of it")

# --- the editor's folders: policies that are not open ---------------------------------------------------

tree = tempfile.TemporaryDirectory()
os.makedirs(tree.name + "/sites/.old")
FILES = {
    "nets.teg": "net office = 203.0.113.0/24\nnet spare = office\n",
    "sites/edge.teg": 'import "../nets.teg"\nzone wan = "eth0"\nposture P {\n    default drop\n    allow tcp from office to self port 22\n}\n',
    "sites/all.teg": 'import "../nets.teg"\nimport "parts/*.teg"\nzone wan = "eth0"\nposture Q {\n    default drop\n    allow tcp from partners to self port 22\n}\n',
    "sites/parts/partners.teg": "net partners = office + 198.51.100.0/25\n",
    "sites/.old/edge.teg": 'import "../../nets.teg"\nnet gone = office\n',
    "alone.teg": 'net office = 192.0.2.0/24\nnet same = office\n',
}
for name, text in FILES.items():
    os.makedirs(os.path.dirname(f"{tree.name}/{name}"), exist_ok=True)
    open(f"{tree.name}/{name}", "w").write(text)


wide = Lsp(tegc, folders=[{"uri": uri_of(tree.name), "name": "policies"}])
nets, known = uri_of(tree.name + "/nets.teg"), {}
wide.open(nets, FILES["nets.teg"])
tap.same(wide.diagnostics(nets), [], "a library alone is right")
known = places(wide.at("textDocument/references", nets, FILES["nets.teg"], "office", 1, context={"includeDeclaration": True}))
tap.same(known, [("edge.teg", 4, 19), ("nets.teg", 0, 4), ("nets.teg", 1, 12), ("partners.teg", 0, 15)], "references stand in policies of the folder that import it, and in what only these read together")
change = wide.at("textDocument/rename", nets, FILES["nets.teg"], "office", 1, newName="people")["result"]["changes"]
after = {name: edited(text, change.get(uri_of(f"{tree.name}/{name}"), [])) for name, text in FILES.items()}
tap.same(sorted(n for n in FILES if after[n] != FILES[n]), ["nets.teg", "sites/edge.teg", "sites/parts/partners.teg"], "a rename changes those, not a file that has a name of its own, nor a hidden folder")
def write_all(texts):
    for name, text in texts.items():
        open(f"{tree.name}/{name}", "w").write(text)


write_all(after)
for name in ("sites/edge.teg", "sites/all.teg"):
    tap.same(run("check", f"{tree.name}/{name}").returncode, 0, f"and {name} is right afterwards")
write_all(FILES)
got = wide.at("textDocument/rename", nets, FILES["nets.teg"], "office", 1, newName="partners")
tap.ok("error" in got and "twice" in got["error"]["message"], "a name that is taken in a policy that imports it is refused", got)
tap.same(wide.bye(), (0, ""), "nothing was said on stderr")

uri = uri_of(home.name + "/names.teg")
TYPO = 'zone wan = "e"\nposture P {\n    defalt drop\n    default drop\n}\ninitial posture Q\nzone wan = "f"\nnet a = 10.0.0.1/8\n'
lsp.open(uri, TYPO)
actions = lsp.ask("textDocument/codeAction", {"textDocument": {"uri": uri}, "range": {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}, "context": {"diagnostics": []}})["result"]
fixed = [edited(TYPO, a["edit"]["changes"][uri]) for a in actions if list(a["edit"]["changes"]) == [uri]]
tap.ok(TYPO.replace("10.0.0.1/8", "10.0.0.0/8") in fixed, "a fix that check is sure of is offered, as an edit", actions)

tap.same(lsp.bye(), (0, ""), "shutdown and exit: 0, and nothing was said on stderr")
tap.done()
