# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""soak_export.py PID URL STALLERS SECONDS: see soak_export.sh."""
import atexit, json, os, random, re, signal, statistics, subprocess, sys, time, urllib.request

pid, url, stallers, seconds = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
COUNTER = re.compile(r"^\w+(_total|_count|_sum|_bucket)(\{|\s)")
children = []


def spawn():
    """A process of some kind, which dies by itself or by our hand."""
    kind = random.randrange(5)
    idle, many = f"{stallers}/idle", f"{stallers}/many"
    if kind == 0:  # a loop or more
        command = [idle, str(random.randint(1, 4)), "20"]
    elif kind == 1:  # the same loop again after an exec, with the same pid
        command = ["sh", "-c", f"timeout -s KILL 0.3 {idle} 1 10; exec {idle} 1 10"]
    elif kind == 2:  # stalls
        command = [many, "--loops", "2", "--per-second", "40", "--seconds", "1", "--stall-us", "12000"]
    elif kind == 3:  # a storm of forks
        command = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true & done; wait"]
    else:  # a loop that hangs, and is killed in it
        command = [f"{stallers}/hang", random.choice(["read", "mutex"]), "50"]
    p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        p.stdin.write(b"go\n")
        p.stdin.close()
    except BrokenPipeError:
        pass  # it does not read
    children.append((time.monotonic() + random.uniform(0.2, 2.5), p))


def reap(everything=False):
    now, alive = time.monotonic(), []
    for end, p in children:
        if p.poll() is None and (everything or now > end):
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
        elif p.poll() is None:
            alive.append((end, p))
    children[:] = alive


def scrape():
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().split("\n")
    return {k: float(v) for k, v in (l.rsplit(" ", 1) for l in lines if l and l[0] != "#")}


def maps():
    """Entries of the maps that grow with processes."""
    counts = {}
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            info = open(f"/proc/{pid}/fdinfo/{fd}").read()
        except FileNotFoundError:  # a connection that has ended meanwhile
            continue
        found = re.search(r"^map_id:\s+(\d+)", info, re.M)
        if not found:
            continue
        m = json.loads(subprocess.check_output(["bpftool", "-j", "map", "show", "id", found[1]]))
        if m.get("name") in ("targets", "seeds", "py_processes"):
            dump = subprocess.check_output(["bpftool", "-j", "map", "dump", "id", found[1]])
            counts[m["name"]] = len(json.loads(dump))
    return counts


def measure(now):
    status = open(f"/proc/{pid}/status").read()
    return {
        "rss_kb": int(re.search(r"VmRSS:\s+(\d+)", status)[1]),
        "anon_kb": int(re.search(r"RssAnon:\s+(\d+)", status)[1]),
        "fds": len(os.listdir(f"/proc/{pid}/fd")),
        "mappings": sum(1 for _ in open(f"/proc/{pid}/maps")),
        "series": len(now),
        "loops": now["loopstall_loops"],
        "processes": now["loopstall_processes"],
        **maps(),
    }


def quiet():
    """With nothing of ours alive: what is left should be the same each time."""
    reap(everything=True)
    time.sleep(12)  # past --expire and a sweep
    m = measure(scrape())
    print(" ".join(f"{k} {v:g}" for k, v in m.items()), flush=True)
    return m


atexit.register(lambda: [p.kill() for _, p in children if p.poll() is None])
begin, last, spawned, back = time.monotonic(), {}, 0, []
rests, next_rest = [], min(60, seconds / 3)
while time.monotonic() - begin < seconds:
    for _ in range(random.randint(0, 4)):
        spawn()
        spawned += 1
    reap()
    time.sleep(0.1)
    now = scrape()
    back += [f"{k}: {last[k]} -> {v}" for k, v in now.items()
             if COUNTER.match(k) and k in last and v < last[k]]
    assert not back, back[:5]
    assert now["loopstall_loops"] <= 512
    last = now
    if time.monotonic() - begin > next_rest:
        rests.append(quiet())
        next_rest += max(60, seconds / 8)
        last = {}
rests.append(quiet())
print(f"{spawned} processes in {seconds:.0f} s")
steady = rests[1:] if len(rests) > 3 else rests  # the first is still filling its caches
middle = len(steady) // 2


def grown(what):
    """From the first half to the second: what others on the host do comes and goes, a leak stays."""
    return statistics.median(r[what] for r in steady[middle:]) - \
        statistics.median(r[what] for r in steady[:middle])


end = rests[-1]
for what, bound in (("anon_kb", 3000), ("fds", 3), ("mappings", 20), ("loops", 10)):
    print(f"{what}: {grown(what):+g} from the first half to the second (at most {bound})")
    assert grown(what) <= bound, f"{what} grows"
hosts = len([p for p in os.listdir("/proc") if p.isdigit()])
for name in ("targets", "seeds", "py_processes"):
    assert end.get(name, 0) <= hosts + 20, f"{name} has {end[name]} entries for {hosts} processes"
lost = {k: v for k, v in scrape().items() if k.startswith("loopstall_lost") and v}
print("lost:", lost or "nothing")
