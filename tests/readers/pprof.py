#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""pprof.py PROFILE PROTO: decode with protoc, then check what pprof's CheckValid checks, and the sums."""
import collections
import gzip
import re
import subprocess
import sys


def decode(path, proto):
    raw = gzip.open(path).read()
    directory, name = proto.rsplit("/", 1)
    text = subprocess.run(
        ["protoc", "--decode=perftools.profiles.Profile", "-I", directory, name],
        input=raw, stdout=subprocess.PIPE, check=True).stdout.decode()
    return parse(iter(text.splitlines()))


def parse(lines):
    """protoc's text format: {field: [values]}"""
    message = {}
    for line in lines:
        line = line.strip()
        if line == "}":
            return message
        if line.endswith("{"):
            message.setdefault(line[:-1].strip(), []).append(parse(lines))
            continue
        key, value = line.split(": ", 1)
        message.setdefault(key, []).append(value[1:-1] if value[0] == '"' else
                                           value == "true" if value in ("true", "false") else int(value))
    return message


def one(message, key, default=0):
    return message.get(key, [default])[0]


def main():
    p = collections.defaultdict(list, decode(sys.argv[1], sys.argv[2]))  # without stalls, most is empty
    assert not any(re.fullmatch(r"\d+", k) for k in p), "unknown fields"
    strings = p["string_table"]
    assert strings[0] == ""
    types = [(strings[one(t, "type")], strings[one(t, "unit")]) for t in p["sample_type"]]
    assert types == [("stall", "nanoseconds"), ("stalls", "count")], types
    functions = {one(f, "id"): f for f in p["function"]}
    mappings = {one(m, "id"): m for m in p["mapping"]}
    locations = {one(l, "id"): l for l in p["location"]}
    assert 0 not in functions and 0 not in mappings and 0 not in locations
    assert len(locations) == len(p["location"]) and len(functions) == len(p["function"])
    for l in p["location"]:
        assert one(l, "mapping_id") == 0 or one(l, "mapping_id") in mappings
        assert l["line"]
        for line in l["line"]:
            assert one(line, "function_id") in functions
    total = 0
    for s in p["sample"]:
        assert len(s["value"]) == 2 and min(s["value"]) >= 0
        assert s["location_id"] and all(i in locations for i in s["location_id"])
        labels = {strings[one(x, "key")]: strings[one(x, "str")] for x in s["label"]}
        assert "cause" in labels, labels
        total += s["value"][0]
    for f in p["function"]:
        assert strings[one(f, "name")]
    built = [strings[one(m, "build_id")] for m in p["mapping"] if one(m, "build_id")]
    inlined = max((len(l["line"]) for l in p["location"]), default=0)
    print(f"pprof: {len(p['sample'])} samples, {total} ns, {len(mappings)} mappings "
          f"({len(built)} with build id), up to {inlined} lines a location")
    print(total)


main()
