#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""manifests.py DIR: what dashboards/deploy promises of its Kubernetes files, and the Dockerfile's words."""
import pathlib
import re
import sys

import yaml

KEPT = {"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "SYSLOG"}
GIVEN_UP = {"SETUID", "SETGID", "SETPCAP"}


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAIL: {what}: {got!r}, not {wanted!r}")


def read_all(directory):
    objects = {}
    for path in sorted(directory.glob("*.yaml")):
        for item in yaml.safe_load_all(path.read_text()):
            expect(f"{path.name}: apiVersion of {item['kind']}", bool(item.get("apiVersion")), True)
            expect(f"{item['kind']} is there before", item["kind"] in objects, False)
            objects[item["kind"]] = (path.name, item)
    return objects


def check_container(pod, container):
    security = container["securityContext"]
    expect("privileged", security["privileged"], False)
    expect("allowPrivilegeEscalation", security["allowPrivilegeEscalation"], False)
    expect("readOnlyRootFilesystem", security["readOnlyRootFilesystem"], True)
    expect("capabilities dropped", security["capabilities"]["drop"], ["ALL"])
    expect("capabilities", set(security["capabilities"]["add"]), KEPT | GIVEN_UP)
    expect("AppArmor", security["appArmorProfile"], {"type": "Unconfined"})
    expect("seccomp", security["seccompProfile"], {"type": "Unconfined"})
    expect("a memory limit", "memory" in container["resources"]["limits"], True)
    volumes = {v["name"] for v in pod["volumes"]}
    for mount in container["volumeMounts"]:
        expect(f"volume {mount['name']} is there", mount["name"] in volumes, True)
        expect(f"volume {mount['name']} is read only", mount.get("readOnly"), True)


def check_daemonset(item):
    spec = item["spec"]
    labels = spec["template"]["metadata"]["labels"]
    expect("selector", spec["selector"]["matchLabels"].items() <= labels.items(), True)
    pod = spec["template"]["spec"]
    expect("hostPID", pod["hostPID"], True)
    expect("hostNetwork", pod.get("hostNetwork", False), False)
    expect("a service account's token", pod["automountServiceAccountToken"], False)
    (container,) = pod["containers"]
    check_container(pod, container)
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    for probe in ("readinessProbe", "livenessProbe"):
        expect(f"{probe}'s port is there", container[probe]["httpGet"]["port"] in ports, True)
    annotations = spec["template"]["metadata"]["annotations"]
    expect("prometheus.io/scrape", annotations["prometheus.io/scrape"], "true")
    expect("prometheus.io/path", annotations["prometheus.io/path"], "/metrics")
    expect("prometheus.io/port", int(annotations["prometheus.io/port"]), ports["metrics"])
    expect("listens there", container["args"][-1], f":{ports['metrics']}")
    return labels, ports, container["args"]


def check_dockerfile(path, args):
    steps = re.sub(r"\\\n", " ", path.read_text())
    words = [line.split()[0] for line in steps.splitlines() if line and line[0] != "#"]
    expect("the image's steps", set(words) <= {"FROM", "RUN", "WORKDIR", "COPY", "EXPOSE", "ENTRYPOINT", "CMD"}, True)
    expect("stages", words.count("FROM"), 2)
    expect("the entry point", 'ENTRYPOINT ["/usr/local/bin/loopstall"]' in steps, True)
    expect("the first argument", args[0], "export")


def main():
    directory = pathlib.Path(sys.argv[1])
    objects = read_all(directory)
    expect("kinds", set(objects), {"Namespace", "DaemonSet", "PodMonitor"})
    # A cluster without the operator refuses a file that has one.
    expect("the PodMonitor's file", objects["PodMonitor"][0], "podmonitor.yaml")
    labels, ports, args = check_daemonset(objects["DaemonSet"][1])
    monitor = objects["PodMonitor"][1]["spec"]
    expect("the PodMonitor's pods", monitor["selector"]["matchLabels"].items() <= labels.items(), True)
    expect("the PodMonitor's port", monitor["podMetricsEndpoints"][0]["port"] in ports, True)
    check_dockerfile(directory / "Dockerfile", args)
    print("ok")


main()
