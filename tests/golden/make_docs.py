#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes docs/*.json: runs as coordinators store them, without verdicts, so that plx diagnose has to judge. Run it after
changing a world below, then run.py --update, and read the difference."""
import json
import pathlib

DOCS = pathlib.Path(__file__).resolve().parent / "docs"
TARGET = "203.0.113.10"
MESH = {  # name -> (labels, source)
    "here": ({"network": "office"}, "192.0.2.44"),
    "vpn1": ({"network": "office", "corp": ""}, "192.0.2.200"),
    "fra1": ({"asn": "64496", "eu": ""}, "198.51.100.7"),
    "hel1": ({"asn": "64496", "eu": ""}, "198.51.100.20"),
    "iad1": ({"asn": "64497", "us": ""}, "203.0.113.61"),
    "sfo1": ({"asn": "64497", "us": ""}, "203.0.113.77"),
}
RTT = {"here": 9.1, "vpn1": 8.2, "fra1": 11.4, "hel1": 28.3, "iad1": 0.9, "sfo1": 63.0}
HOPS = {
    "here": ["192.0.2.1", "192.0.2.254", "203.0.113.1"], "vpn1": ["192.0.2.1", "192.0.2.254", "203.0.113.1"],
    "fra1": ["198.51.100.1", "198.51.100.130", "198.51.100.254", "203.0.113.1"],
    "hel1": ["198.51.100.2", "198.51.100.131", "198.51.100.254", "203.0.113.1"],
    "iad1": ["203.0.113.1"], "sfo1": ["203.0.113.65", "203.0.113.1"],
}
BANNER = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3"


def attempt(code, ms, port=22, icmp=None):
    out = {"port": port, "code": code, "ms": ms}
    if icmp:
        out["icmp"] = icmp
    return out


def result(vantage, round_, code, stage, **more):
    labels, source = MESH[vantage]
    out = {"vantage": vantage, "labels": labels, "seen_as": source, "source": source, "address": TARGET,
           "addresses": [TARGET], "round": round_, "code": code, "stage": stage, "depth": "kex" if round_ == 1 else "tcp",
           "ms": {"dns": 0.9}, "started": "2026-11-20T14:02:%02d.200Z" % (11 if round_ == 1 else 13), "took_ms": 40.0,
           "skew_ms": 0.4, "lag_ms": 0.2, "job": str(round_)}
    out.update(more)
    return out


def ok(vantage, round_=1, trace=False):
    rtt = RTT[vantage]
    if round_ == 1:
        return result(vantage, 1, "ok", "kex", ms={"dns": 0.9, "tcp": rtt, "banner": rtt * 1.5 + 3, "kex": rtt * 2.4 + 12},
                      attempts=[attempt("ok", rtt)], strikes={"used": 1, "max": 2, "next_ms": 0},
                      ssh={"banner": BANNER, "hostkey": "SHA256:h7QdZq1bqJ0VxkNNE4zG5m8fTt3cYw2LrUo9pAaBk2E",
                           "hostkey_type": "ssh-ed25519", "kex": "curve25519-sha256"})
    more = side(vantage, trace=len(HOPS[vantage]) + 1 if trace else 0)
    return result(vantage, 2, "ok", "tcp", ms={"tcp": rtt}, attempts=[attempt("ok", rtt)], **more)


def side(vantage, echo=True, control="ok", trace=0, stop=None):
    """Side probes; trace = hops shown, stop = how many of them answer."""
    rtt = RTT[vantage]
    out = {"echo": {"sent": 2, "received": 2 if echo else 0, "code": "ok" if echo else "no-answer"},
           "controls": [attempt(control, rtt if control != "no-answer" else 4500.0, 443)]}
    if echo:
        out["echo"]["ms"] = rtt
    if trace:
        hops = HOPS[vantage] + [TARGET]
        out["trace"] = []
        for ttl in range(1, trace + 1):
            hop = {"ttl": ttl}
            if stop is None or ttl <= stop:
                hop.update({"from": hops[ttl - 1], "ms": round(rtt * ttl / len(hops), 2),
                            "type": 0 if hops[ttl - 1] == TARGET else 11, "code": 0})
            out["trace"].append(hop)
        out["trace_reached"] = stop is None
    return out


def icmp(kind, code, sender, own=False):
    return {"type": kind, "code": code, "from": sender, "ttl": 62, "own": own}


def rejected(vantage, sender=TARGET, code=3, control="ok"):
    said, rtt = icmp(3, code, sender), RTT[vantage]
    return [result(vantage, 1, "rejected", "tcp", icmp=said, attempts=[attempt("rejected", rtt, icmp=said)]),
            result(vantage, 2, "rejected", "tcp", icmp=said, attempts=[attempt("rejected", rtt, icmp=said)] * 2,
                   **side(vantage, control=control))]


def refused(vantage):
    rtt = RTT[vantage]
    return [result(vantage, 1, "refused", "tcp", attempts=[attempt("refused", rtt)]),
            result(vantage, 2, "refused", "tcp", attempts=[attempt("refused", rtt)] * 2, **side(vantage))]


def silent(vantage, echo, control, stop):
    sides = side(vantage, echo=echo, control=control, trace=len(HOPS[vantage]) + 1, stop=stop)
    return [result(vantage, 1, "no-answer", "tcp", attempts=[attempt("no-answer", 4500.0)], took_ms=4500.0, **sides),
            result(vantage, 2, "no-answer", "tcp", attempts=[attempt("no-answer", 4500.0)] * 2, took_ms=4500.0, **sides)]


def early(vantage, code, stage="banner", **more):
    rtt = RTT[vantage]
    return [result(vantage, 1, code, stage, ms={"dns": 0.9, "tcp": rtt}, attempts=[attempt("ok", rtt)],
                   strikes={"used": 1, "max": 2, "next_ms": 0}, **more),
            result(vantage, 2, code, stage, depth="kex", ms={"tcp": rtt}, attempts=[attempt("ok", rtt)],
                   strikes={"used": 2, "max": 2, "next_ms": 420000}, **more)]


def dns(vantage, code):
    return [result(vantage, r, code, "dns", depth="kex", address=None, addresses=None, source=None, ms={},
                   took_ms=4000.0 if code == "dns-timeout" else 12.0, attempts=[]) for r in (1, 2)]


def run(name, results, vantages=None, away=(), host="bastion.example.net", scheme="ssh", port=22, notes=(), rounds=2):
    vantages = list(vantages or MESH)
    people = []
    for v in vantages:
        labels, source = MESH[v]
        people.append({"name": v, "labels": labels, "seen_as": source, "presence": "away" if v in away else "present",
                       "last_seen": "2026-11-20T13:58:11Z" if v in away else "2026-11-20T14:02:10Z"})
    results = [{k: x for k, x in r.items() if x is not None} for r in results]
    document = {"schema": "parallax.run/1", "id": "01JD3KQ8M2T0V5R1E9B7XZ4CWA", "started": "2026-11-20T14:02:11.120Z",
                "took_ms": 2140, "rounds": rounds, "depth": "kex", "finished": True,
                "target": {"url": f"{scheme}://{host}:{port}", "scheme": scheme, "host": host, "port": port},
                "verdict": None, "vantages": people, "results": results, "notes": list(notes)}
    (DOCS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def everyone(make, but=()):
    return [r for v in MESH if v not in but for r in make(v)]


def both(vantage, trace=False):
    return [ok(vantage), ok(vantage, 2, trace)]


def main():
    run("reachable", [ok(v) for v in MESH], rounds=1)
    run("reachable-one", [ok("here")], vantages=["here"], rounds=1)
    run("banned", rejected("here") + everyone(both, but=["here"]))
    run("banned-alone", rejected("here"), vantages=["here"])
    run("service-down", everyone(refused))
    run("service-down-alone", refused("here"), vantages=["here"])
    run("port-filtered", everyone(lambda v: silent(v, True, "ok", len(HOPS[v]))))
    run("host-down", everyone(lambda v: silent(v, False, "no-answer", len(HOPS[v]))))
    run("transit-drop", [r for v in ("fra1", "hel1") for r in silent(v, False, "no-answer", 3)] +
        [r for v in ("here", "vpn1", "iad1") for r in both(v, True)], away=["sfo1"])
    run("prefix-filtered", [r for v in ("fra1", "hel1") for r in silent(v, True, "ok", 4)] +
        [r for v in ("here", "vpn1", "iad1", "sfo1") for r in both(v, True)])
    run("hung", everyone(lambda v: early(v, "silent", took_ms=8010.0)))
    run("closing", everyone(lambda v: early(v, "closed-early", took_ms=RTT[v] + 3)))
    run("wrong-service", everyone(lambda v: early(
        v, "not-ssh", text="HTTP/1.1 400 Bad Request\r\nServer: \u001b[31mred\u202eevil")))
    run("no-such-name", everyone(lambda v: dns(v, "dns-nxdomain")), host="bastoin.example.net")
    run("one-resolver-dead", dns("hel1", "dns-timeout") + everyone(both, but=["hel1"]))
    run("ban-and-drop", rejected("here") + [r for v in ("fra1", "hel1") for r in silent(v, False, "no-answer", 3)] +
        [r for v in ("vpn1", "iad1", "sfo1") for r in both(v, True)])
    run("all-away", [], vantages=[v for v in MESH if v != "here"], away=list(MESH))
    run("no-route-of-its-own", [result("sfo1", 1, "no-own-route", "tcp", attempts=[], source=None),
                                result("sfo1", 2, "no-own-route", "tcp", attempts=[], source=None)] +
        everyone(both, but=["sfo1"]))
    run("limited", [result("here", 1, "ok", "tcp", ms={"dns": 0.9, "tcp": 9.1}, attempts=[attempt("ok", 9.1)],
                           limited=True, strikes={"used": 2, "max": 2, "next_ms": 420000})] +
        [ok(v) for v in MESH if v != "here"], rounds=1, notes=["showing results of 4s ago; --fresh probes again"])


if __name__ == "__main__":
    main()
