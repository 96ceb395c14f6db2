#!/usr/bin/env python3
"""Asks a live API everything that its OpenAPI document says, rightly and wrongly, and compares.

usage: openapi.py SOCKET URL TOKEN-FILE        each line: claim, tab, what is wrong (empty: nothing)
"""
import http.client, json, random, socket, sys
from urllib.parse import urlsplit
import jsonschema

sock, url, token = sys.argv[1], urlsplit(sys.argv[2]), open(sys.argv[3]).read().strip()
rng = random.Random(1)


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(sock)


def ask(method, path, headers={}, body=None, door="unix"):
    c = Unix("t") if door == "unix" else http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    c.request(method, path, body, headers)
    r = c.getresponse()
    streams = r.getheader("Content-Type", "").startswith("text/event-stream")
    text = r.readline() if streams else r.read()
    c.close()
    return r.status, r.getheader("Content-Type", "").split(";")[0], text


def say(claim, wrong=""):
    print(claim, str(wrong).replace("\n", " ")[:300], sep="\t")


status, kind, text = ask("GET", "/openapi.json")
doc = json.loads(text)
say("the document is served as JSON", "" if (status, kind) == (200, "application/json") else (status, kind))


def resolved(node):
    """The document's schemas by themselves, so that any validator reads them."""
    return {**node, "$defs": doc["components"]["schemas"]}


def local(text):
    return json.loads(text.replace("#/components/schemas/", "#/$defs/"))


doc = local(json.dumps(doc))


# --- the document itself (OpenAPI 3.1.0, sections 4.8.1 to 4.8.17)
def faults():
    if not doc["openapi"].startswith("3.1."):
        yield "openapi is " + doc["openapi"]
    for key in ("title", "version"):
        if not doc["info"].get(key):
            yield "info has no " + key
    ids = [o["operationId"] for p in doc["paths"].values() for o in p.values()]
    if len(ids) != len(set(ids)):
        yield "an operationId stands twice"
    for path, item in doc["paths"].items():
        if not path.startswith("/"):
            yield path + " does not begin with a slash"
        for method, o in item.items():
            if method not in ("get", "post", "put", "delete", "patch", "head", "options", "trace"):
                yield f"{path} has a method {method}"
            if not o["responses"] or any("description" not in r and "$ref" not in r for r in o["responses"].values()):
                yield f"{method} {path} has a response without a description"
            for s in o["security"]:
                if set(s) - set(doc["components"]["securitySchemes"]):
                    yield f"{method} {path} names an unknown security scheme"
            for p in o.get("parameters", []):
                if p["in"] != "header" or "schema" not in p:
                    yield f"{method} {path}: parameter {p['name']}"
    for name, schema in doc["components"]["schemas"].items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as e:
            yield f"schema {name}: {e.message}"
        if set(schema.get("required", [])) - set(schema.get("properties", {})):
            yield f"schema {name} requires what it does not have"
    refs = set()
    walk(doc["paths"], refs), walk(doc["components"], refs)
    known = {"#/$defs/" + n for n in doc["components"]["schemas"]} | {"#/components/responses/" + n for n in doc["components"]["responses"]}
    yield from (f"{r} leads nowhere" for r in refs - known)


def walk(node, refs):
    if isinstance(node, dict):
        refs |= {v for k, v in node.items() if k == "$ref"}
        for v in node.values():
            walk(v, refs)
    elif isinstance(node, list):
        for v in node:
            walk(v, refs)


say("the document is OpenAPI 3.1", "; ".join(faults()))


# --- what an answer must be
def closed(schema):
    """The same, with nothing beside what is described: the document leaves nothing out."""
    schema = json.loads(json.dumps(schema))
    for s in list(schema.get("$defs", {}).values()) + [schema]:
        if s.get("type") == "object" and s.get("properties"):
            s["additionalProperties"] = False
    return schema


def fits(schema, value):
    v = jsonschema.Draft202012Validator(closed(resolved(schema)), format_checker=jsonschema.FormatChecker())
    return "; ".join(f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in v.iter_errors(value))


PROBLEM = json.loads(json.dumps(doc["components"]["schemas"]["Problem"]))
PROBLEM_OPEN = {**PROBLEM, "$defs": {}}


def conforms(o, answer):
    status, kind, text = answer
    if status == 200:
        content = o["responses"]["200"]["content"]
        if kind not in content:
            return f"answers {kind}, and says {list(content)}"
        return fits(content[kind]["schema"], json.loads(text)) if kind == "application/json" else ""
    if not 400 <= status < 600 or kind != "application/problem+json":
        return f"{status} {kind}"
    p = json.loads(text)
    errors = [e.message for e in jsonschema.Draft202012Validator(PROBLEM_OPEN).iter_errors(p)]
    if p.get("status") != status:
        errors.append(f"says {p.get('status')} and is {status}")
    if not p.get("try"):
        errors.append("says no way out")
    return "; ".join(errors)


# --- what may be asked
def good_headers(o):
    h = {}
    for p in o.get("parameters", []):
        if p["required"]:
            h[p["name"]] = "*" if p["name"] == "If-Match" else "x"
    for media in o.get("requestBody", {}).get("content", {}):
        h["Content-Type"] = media
    return h


def good_value(schema):
    if schema["type"] == "object":
        return rng.choice([{}, {"source": "192.0.2.9", "n": [1, {"a": None}]}])
    if schema["type"] == "array":
        return [good_value(schema["items"]) for _ in range(rng.randint(schema["minItems"], 3))]
    if schema["type"] == "integer":
        return rng.choice([schema["minimum"], schema["maximum"], rng.randint(schema["minimum"], schema["maximum"])])
    n = rng.choice([schema["minLength"], min(schema["maxLength"], 40)])
    return "".join(rng.choice("ABCxyz019_ é漢😀") for _ in range(n))[: max(1, n // 4) if n else 0] or "A" * schema["minLength"]


def bad_value(schema):
    wrong = [None, [], {}, True, 1.5, -1, 1e300, "\u0000", "a\nb"]
    if schema["type"] == "array":
        wrong = [None, {}, 1, "x", [7], [[]], [""], ["x" * 65], ["a\nb"], [None], [], ["x"] * (schema["maxItems"] + 1)]
    elif schema["type"] == "object":
        wrong = [None, [], 1, "x", True, [{}]]
    elif schema["type"] == "integer":
        wrong += [schema["minimum"] - 1, schema["maximum"] + 1, "1"]
    else:
        wrong += ["x" * (schema["maxLength"] + 1), 7] + ([""] if schema["minLength"] else [])
    return rng.choice(wrong)


def bodies(schema, n):
    """(body, whether the schema takes it): an object that fits, and what is near it."""
    for _ in range(n):
        value = {k: good_value(s) for k, s in schema["properties"].items() if k in schema.get("required", []) or rng.random() < 0.5}
        yield json.dumps(value), True
        broken = dict(value)
        how = rng.randrange(4)
        if how == 0 and schema.get("required"):
            del broken[rng.choice(schema["required"])]
        elif how == 1:
            broken["not_a_field"] = 1
        else:
            k = rng.choice(list(schema["properties"]))
            broken[k] = bad_value(schema["properties"][k])
        text = json.dumps(broken)
        yield text, not fits(schema, json.loads(text)) and not any(isinstance(v, bool) for v in broken.values())
    for text in ("", "{", "[]", "null", "1", '"x"', "{}{}", "\ufeff{}", '{"a":01}', "{" * 100):
        yield text, False


def bearer(h):
    return {**h, "Authorization": "Bearer " + token}


for path, item in doc["paths"].items():
    for method, o in item.items():
        name = f"{method.upper()} {path}"
        h, schema = good_headers(o), None
        content = o.get("requestBody", {}).get("content", {})
        if not content and method == "post":
            a = ask("POST", path, h)
            say(f"{name} answers as it says", conforms(o, a) or ("" if a[0] in (409, 422) else a))
        elif not content:
            a = ask(method.upper(), path, h)
            say(f"{name} answers as it says", conforms(o, a) or ("" if a[0] in (200, 503) else a))
            a = ask("HEAD", path, h)
            say(f"HEAD {path} is a GET without a body", "" if a[0] in (200, 503) and not a[2] else a)
        elif "application/json" in content:
            schema, wrong, taken, refused = content["application/json"]["schema"], "", 0, 0
            for text, good in bodies(schema, 60):
                a = ask(method.upper(), path, h, text.encode())
                taken, refused = taken + good, refused + (not good)
                always = "200" not in o["responses"]  # refused, and with 501 when nothing is wrong with the body
                bad_status = (a[0] >= 500 and not always) or (always and good and a[0] != 501) or (not good and a[0] not in (400, 422)) or (good and a[0] in (400, 413, 415))
                wrong = wrong or conforms(o, a) or (f"{a} to {text}" if bad_status else "")
            say(f"{name} reads what fits, and refuses what does not", wrong or ("" if taken > 50 and refused > 50 else (taken, refused)))
        else:
            a = ask(method.upper(), path, h, b"not what it should be")
            say(f"{name} refuses what it cannot read, as it says", conforms(o, a) or ("" if a[0] == 422 else a))
        if content:
            a = ask(method.upper(), path, {**h, "Content-Type": "text/csv"}, b"{}")
            say(f"{name} refuses another media type", conforms(o, a) or ("" if a[0] == 415 else a))
        for p in o.get("parameters", []):
            if p["required"]:
                less = {k: v for k, v in h.items() if k != p["name"]}
                a = ask(method.upper(), path, less, b"{}" if content else b"")
                say(f"{name} needs {p['name']}", conforms(o, a) or ("" if a[0] == 428 else a))
        known = method.upper()
        other = next(m for m in ("DELETE", "PATCH", "PUT") if m.lower() not in item)
        a = ask(other, path)
        say(f"{other} {path} is no operation", conforms(o, a) or ("" if a[0] == 405 else a))
        a = ask(known, path, h, b"{}" if content else None, door="tcp")
        say(f"{name} without a token", conforms(o, a) or ("" if (a[0] == 401) == bool(o["security"]) else a))
        a = ask(known, path + "?x=1", h, b"{}" if content else None)
        say(f"{name} takes no parameters", conforms(o, a) or ("" if a[0] == 400 else a))
