"""The installed page under a real systemd: as its own account it reads the daemon's database and writes the inbox."""

import json

from tests.laws.company import DAY_ONE
from tests.system.booted import Machine
from tests.system.installation import LZSYNCD
from tests.system.premises import CONFIG, SRV, add_site, owner

CLIENT = """
import json, re, sys, time, urllib.parse, urllib.request
from http.cookiejar import CookieJar

base, password = "http://127.0.0.1:8470", sys.argv[1]
jar = CookieJar()
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

def send(method, path, data=None, **headers):
    request = urllib.request.Request(base + path, data, {"Origin": base, **headers}, method=method)
    with browser.open(request, timeout=60) as answer:
        return answer.read().decode()

form = {"site": "acme", "name": "ada", "password": password}
text = send("POST", "/sign-in", urllib.parse.urlencode(form).encode())
assert "Nothing has come yet" in text, text
text = send("GET", "/sites/acme/upload")
(batch,), (csrf,) = (re.findall(f'data-{name}="([^"]+)"', text) for name in ("batch", "csrf"))
for name in ("org.csv", "pos.csv", "user.csv"):
    data = open(f"/opt/{name}", "rb").read()
    headers = {"X-Csrf": csrf, "Content-Type": "text/csv"}
    send("PUT", f"/sites/acme/upload/{batch}/{name}", data, **headers)
form = urllib.parse.urlencode({"csrf": csrf}).encode()
path = send("POST", f"/sites/acme/upload/{batch}", form)

def until(path, sign):
    end = time.monotonic() + 120
    while sign not in (text := send("GET", path)):
        assert time.monotonic() < end, text
        time.sleep(0.2)
    return text

text = until(path, "Sync now")
(run,) = re.findall(r"/runs/([^/]+)/sync", text)
send("POST", f"/sites/acme/runs/{run}/sync", form)
until(f"/sites/acme/runs/{run}", ">Applied<")
print(json.dumps({"run": run, "people": send("GET", "/sites/acme/people").count("/sites/acme/people/")}))
"""


def test_an_upload_on_the_page_is_checked_and_applied_by_the_daemon(installed: Machine):
    machine = installed
    add_site(machine, "acme")
    machine.write(CONFIG, machine.read(CONFIG) + 'settle = "1s"\n')
    machine.run("chown", "root:lzsyncd", CONFIG)
    machine.run("chmod", "0640", CONFIG)
    password = machine.run(LZSYNCD, "web-user", "add", "ada", "--role", "admin").stdout.strip()
    assert owner(machine, f"{SRV}/acme/page/page.db") == "lzsyncd-web:lzsyncd-web 600"
    machine.run("systemctl", "start", "lzsyncd.service", "lzsyncd-web.service")
    for name, data in DAY_ONE.items():
        machine.write(f"/opt/{name}", data.decode())
    machine.write("/opt/client.py", CLIENT)
    done = machine.run("/usr/bin/python3", "/opt/client.py", password, timeout=200)
    assert json.loads(done.stdout)["people"] > 2
    assert owner(machine, f"{SRV}/acme/zone/zone.db") == "lzsyncd:lzsyncd-web 660"
    for path in ("spool", "archive", "quarantine"):
        assert machine.run("ls", f"{SRV}/acme/{path}", user="lzsyncd-web", check=False).returncode
    assert machine.run("cat", f"{SRV}/acme/page/page.db", user="lzsyncd", check=False).returncode
    machine.run("systemctl", "stop", "lzsyncd-web.service")
    assert machine.show("lzsyncd-web.service", "Result") == "success"
    machine.run(LZSYNCD, "status", "acme")
