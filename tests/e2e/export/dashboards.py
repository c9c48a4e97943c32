# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""dashboards.py PROMETHEUS DASHBOARD RULES: executes every expression of the dashboard's panels and
variables and of the rules. Each must give data within SECONDS; the hang must alert."""
import json, math, re, sys, time, urllib.parse, urllib.request

prometheus, dashboard_file, rules_file = sys.argv[1:4]
dashboard = json.load(open(dashboard_file))
SECONDS = 90


def api(path, **parameters):
    url = f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as e:
        raise AssertionError(f"{parameters}: {e.read().decode()}") from None


def has_data(expr):
    """At least one sample that is a number."""
    return any(not math.isnan(float(s["value"][1])) for s in api("query", query=expr)["result"])


def fill(expr):
    """As Grafana does, for a range of a minute and all values of each variable."""
    for name, value in (("__rate_interval", "10s"), ("__interval", "5s"), ("__range", "60s")):
        expr = expr.replace("$" + name, value)
    expr = re.sub(r"\$(instance|comm|kind)\b", ".*", expr)
    assert "$" not in expr, expr
    return expr


def check_layout():
    ids = [p["id"] for p in dashboard["panels"]]
    assert len(ids) == len(set(ids)), "two panels have one id"
    taken = set()
    for p in dashboard["panels"]:
        g = p["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        assert g["x"] + g["w"] <= 24 and not cells & taken, f"{p['title']} overlaps"
        taken |= cells
        if p["type"] == "row":
            continue
        assert p["description"] and p["targets"], p["title"]
        for holder in [p] + p["targets"]:
            assert holder["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, p["title"]


def expressions():
    """(what for, expression)"""
    for p in dashboard["panels"]:
        for t in p.get("targets", []):
            yield f"panel '{p['title']}'", fill(t["expr"])
    for v in dashboard["templating"]["list"]:
        if v["type"] == "query":
            call = re.fullmatch(r"label_values\((.*), (\w+)\)", v["query"]["query"])
            assert call, v["query"]["query"]
            yield f"variable {v['name']}", f"count by ({call[2]}) ({fill(call[1])})"
    for line in open(rules_file):
        if record := re.match(r"\s*- record: (\S+)", line):
            yield "rule", record[1]


def wait_for_data(wanted):
    end = time.monotonic() + SECONDS
    while wanted and time.monotonic() < end:
        time.sleep(1)
        wanted = [w for w in wanted if not has_data(w[1])]
    return wanted


check_layout()
wanted = list(expressions())
for what, expr in (without := wait_for_data(wanted)):
    print(f"no data: {what}: {expr}")
assert not without, "expressions without data"
print(f"{len(wanted)} expressions of {len(dashboard['panels'])} panels, variables and rules have data")

end = time.monotonic() + SECONDS
while time.monotonic() < end:
    firing = {a["labels"]["alertname"] for a in api("alerts")["alerts"] if a["state"] == "firing"}
    if "EventLoopHangs" in firing:
        break
    time.sleep(1)
assert "EventLoopHangs" in firing, f"the loop that hangs does not alert, only {firing}"
now = time.time()
exemplars = api("query_exemplars", query="loopstall_stall_seconds_bucket", start=now - 120, end=now)
sites = {e["labels"]["site"] for series in exemplars for e in series["exemplars"]}
assert any("stall_" in s for s in sites), f"no exemplar names a site: {sites}"
print(f"EventLoopHangs fires; {len(exemplars)} series have exemplars")
