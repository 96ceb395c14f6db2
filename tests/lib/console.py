#!/usr/bin/env python3
"""The web console in a headless Chromium, driven over its debugging pipe.

usage: console.py CHROMIUM SOCKET URL TOKEN-FILE DIR BUNDLE    each line: claim, tab, what is wrong (empty: nothing)
"""
import json, os, select, socket, subprocess, sys, threading, time

chromium, sock, url, token_file, home, bundle = sys.argv[1:]
token = open(token_file).read().strip()


def say(claim, wrong=""):
    print(claim, str(wrong).replace("\n", " ")[:400], sep="\t", flush=True)


def forward(port):
    """What `ssh -L` does: a port that leads to the socket."""
    s = socket.create_server(("127.0.0.1", port))

    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve():
        while True:
            client = s.accept()[0]
            server = socket.socket(socket.AF_UNIX)
            server.connect(sock)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


class Browser:
    def __init__(self):
        to_read, self.to = os.pipe()
        self.of, of_write = os.pipe()

        def place():
            a, b = os.dup(to_read), os.dup(of_write)
            os.dup2(a, 3), os.dup2(b, 4)

        self.process = subprocess.Popen(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
             "--user-data-dir=" + home, "--no-first-run", "--disable-background-networking", "about:blank"],
            preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read), os.close(of_write)
        self.count, self.rest, self.events = 0, b"", []

    def read(self, seconds):
        end = time.time() + seconds
        while b"\0" not in self.rest:
            if not select.select([self.of], [], [], max(0, end - time.time()))[0]:
                return None
            got = os.read(self.of, 65536)
            if not got:
                raise EOFError("the browser is gone")
            self.rest += got
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=None, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            m = self.read(20)
            if m is None:
                raise TimeoutError(method)
            if m.get("id") == self.count:
                if "error" in m:
                    raise RuntimeError(m["error"])
                return m["result"]
            self.events.append(m)


class Page:
    def __init__(self, browser, address):
        self.b = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.s = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page", "Network"):
            browser.call(domain + ".enable", self.s)
        browser.events.clear()
        browser.call("Page.navigate", self.s, url=address)

    def run(self, expression):
        r = self.b.call("Runtime.evaluate", self.s, expression=expression, returnByValue=True, awaitPromise=True)
        return r["result"].get("value") if "exceptionDetails" not in r else "threw: " + str(r["exceptionDetails"]["exception"].get("description"))

    def until(self, expression, seconds=20):
        """Empty when it comes to hold, else what the page shows."""
        end = time.time() + seconds
        while time.time() < end:
            if self.run(f"!!({expression})") is True:
                return ""
            time.sleep(0.1)
        return f"{expression}: never; the page says: " + str(self.run("document.body.innerText"))[:300]

    def complaints(self, but=()):
        self.run("0")
        told = [json.dumps(e["params"]) for e in self.b.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
        return "; ".join(t for t in told if not any(b in t for b in but))

    def foreign(self):
        hosts = {e["params"]["request"]["url"].split("/")[2] for e in self.b.events
                 if e["method"] == "Network.requestWillBeSent" and e["params"]["request"]["url"].startswith("http")}
        return hosts


forward(9123)
browser = Browser()
try:
    p = Page(browser, "http://localhost:9123/console")
    say("through the socket it needs no token", p.until("!document.getElementById('all').hidden"))
    say("the state is shown", p.until("document.getElementById('state').textContent === 'BALANCED, generation 1, intact'"))
    say("so is which posture is no wider than which", p.until("document.getElementById('postures').innerText.includes('no wider than BALANCED, EXPLORE')"))
    say("the policy is", p.until("document.getElementById('facts').innerText.includes('edge 1')"))
    say("the interfaces are", p.until("document.querySelector('#interfaces tbody').innerText.includes('w0')"))
    say("the rules are, busiest first", p.until("document.querySelector('#rules tbody tr').innerText.includes('block.bogons')"))
    say("with rates", p.until("parseFloat(document.querySelector('#rules tbody tr').cells[2].textContent) > 10"))
    say("five plots are drawn, live", p.until("document.querySelectorAll('.plot polyline').length === 5 && "
        "[...document.querySelectorAll('.plot polyline')].every((l) => l.getAttribute('points').split(' ').length >= 3)"))
    p.run("document.querySelector('input[value=LOCKDOWN]').checked = true; document.getElementById('reason').value = '<img src=x onerror=alert(1)>';"
          "document.getElementById('duration').value = '30'; document.querySelector('#posture button').click()")
    say("a posture is switched to", p.until("document.getElementById('switched').textContent === 'LOCKDOWN is active'"))
    say("and shown, with its end", p.until("document.getElementById('state').textContent.startsWith('LOCKDOWN') && "
        "document.getElementById('facts').innerText.includes('then BALANCED')"))
    say("a packet that was dropped is told, apart from them", p.until("[...document.querySelectorAll('#packets li')].some((l) => l.textContent.includes('drop block.bogons: icmpv4 203.0.113.5 > 10.9.0.1'))"))
    say("the event is told", p.until("[...document.querySelectorAll('#events li')].some((l) => l.textContent.includes('posture LOCKDOWN for 1800 s'))"))
    say("what people wrote stays text", "" if p.run("document.querySelectorAll('#all img').length") == 0 and
        p.run("document.getElementById('facts').innerText.includes('<img src=x')") else p.run("document.body.innerHTML")[:300])
    node = browser.call("Runtime.evaluate", p.s, expression="document.getElementById('file')")["result"]["objectId"]
    browser.call("DOM.setFileInputFiles", p.s, files=[bundle], objectId=node)
    p.run("document.querySelector('#offer button').click()")
    say("a bundle is planned", p.until("document.getElementById('applied').textContent === 'edge 2, then in posture LOCKDOWN'"))
    say("rules that come and go are shown", p.until("[...document.querySelectorAll('#changes .added')].some((l) => l.textContent.endsWith('.echo_in')) && "
        "[...document.querySelectorAll('#changes .removed')].some((l) => l.textContent.endsWith('.ping'))"))
    say("and the policy line by line", p.until("[...document.querySelectorAll('#diff .added')].some((l) => l.textContent.includes('echo_in: allow'))"))
    say("nothing is applied yet", p.until("document.getElementById('state').textContent.includes('generation 1')"))
    p.run("document.querySelector('#apply button').click()")
    say("it is applied, and waits", p.until("document.getElementById('state').textContent.includes('generation 2') && !document.getElementById('pending').hidden"))
    p.run("document.getElementById('confirm').click()")
    say("it is confirmed, over a connection of its own", p.until("document.getElementById('settled').textContent === 'generation 2 stays' && document.getElementById('pending').hidden"))
    say("generations are listed", p.until("document.querySelector('#history tbody').rows.length === 2 && document.querySelector('#history tbody').innerText.includes('confirmed, in force')"))
    p.run("document.querySelector('#history tbody').rows[1].querySelector('button').click()")
    say("one is restored, and waits", p.until("document.getElementById('facts').innerText.includes('edge 1') && !document.getElementById('pending').hidden"))
    p.run("document.getElementById('cancel').click()")
    say("and is cancelled", p.until("document.getElementById('facts').innerText.includes('edge 2') && document.getElementById('pending').hidden"))
    say("nothing is loaded from elsewhere", "" if p.foreign() == {"localhost:9123"} else p.foreign())
    say("and the browser has no complaint but of a confirmation over an old connection", p.complaints(but=("status of 422",)))
    say("script that stands in the page does not run", "" if p.run(
        "(() => { const s = document.createElement('script'); try { s.textContent = 'window.ran = 1'; document.body.append(s); } catch {} return window.ran })()")
        is None else "it ran")
    say("nor may it ask elsewhere", "" if p.run("fetch('http://127.0.0.1:8765/healthz', { mode: 'no-cors' }).then(() => 'asked', () => 'refused')") == "refused" else "it asked")

    p = Page(browser, url + "/console")
    say("over TCP it asks for a token", p.until("!document.getElementById('door').hidden && document.getElementById('all').hidden"))
    enter = "document.getElementById('token').value = '%s'; document.querySelector('#door button').click()"
    p.run(enter % "wrong-wrong-wrong-wrong")
    say("a wrong one is refused", p.until("document.getElementById('refused').textContent.includes('token')"))
    p.run(enter % token)
    say("the right one opens it", p.until("!document.getElementById('all').hidden && document.getElementById('state').textContent.startsWith('LOCKDOWN')"))
    say("figures come there too", p.until("document.querySelectorAll('.plot').length === 5"))
    p.run("document.querySelector('input[value=BALANCED]').checked = true; document.querySelector('#posture button').click()")
    say("what the role must not is refused, and said", p.until("document.getElementById('switched').textContent.includes('needs the role operator')"))
    say("the token is not left behind", "" if p.run("document.documentElement.outerHTML.includes('%s') || localStorage.length + sessionStorage.length + document.cookie.length > 0"
        % token) is False else "it is in the page or its stores")
    say("the browser complains of nothing but the refusals", p.complaints(but=("status of 401", "status of 403")))
except Exception as e:
    say("the browser does as it is asked", f"{type(e).__name__}: {e}")
finally:
    browser.process.kill()
