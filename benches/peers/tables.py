"""What a run says: a table for each device, and the same as JSON."""

import os
import platform
import statistics
from datetime import date

SCHEMA = "keraunos-peers/2"


def ratios(line, key):
    """A peer's time in ours, for each peer that has one."""
    ours = line["peers"]["keraunos"].get(key)
    others = {n: t.get(key) for n, t in line["peers"].items() if n != "keraunos"}
    return {name: time / ours for name, time in others.items() if time and ours}


def means(lines, key):
    """The geometric mean of the ratios to each peer."""
    every = {}
    for line in lines:
        for name, ratio in ratios(line, key).items():
            every.setdefault(name, []).append(ratio)
    return {name: statistics.geometric_mean(each) for name, each in every.items()}


def milliseconds(seconds):
    """Three digits, which is what a run can tell."""
    number = seconds * 1e3
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def ours(line):
    """Our median and spread, or why there are none."""
    times = line["peers"]["keraunos"]
    if "failed" in times:
        return "–"
    spread = f"{milliseconds(times['least'])} to {milliseconds(times['most'])}"
    return f"{milliseconds(times['median'])} ({spread})"


def theirs(line, name):
    """A peer's median, its ratio to ours and that of the processor's time."""
    times = line["peers"].get(name, {"failed": None})
    if "failed" in times:
        return "–"
    cell = milliseconds(times["median"])
    wall, cpu = ratios(line, "median").get(name), ratios(line, "cpu").get(name)
    if wall:
        cell += f", {wall:.2f}×"
    if cpu:
        cell += f" ({cpu:.2f}×)"
    return cell


def mean(wall, cpu):
    """Of the ratios to a peer; in brackets, those of the processor's time."""
    return (f"{wall:.2f}×" if wall else "–") + (f" ({cpu:.2f}×)" if cpu else "")


def table(device):
    """Markdown: milliseconds, and each peer's time in ours; in brackets, that of the processor."""
    names = sorted({n for line in device["lines"] for n in line["peers"]} - {"keraunos"})
    rows = [["ms", "keraunos", *names], ["---", *["---:"] * (len(names) + 1)]]
    for line in device["lines"]:
        what = f"{line['workload']}, batch {line['batch']}" if line["batch"] else line["workload"]
        rows.append([what, ours(line), *(theirs(line, name) for name in names)])
    wall, cpu = means(device["lines"], "median"), means(device["lines"], "cpu")
    if wall:
        rows.append(["geometric mean", "", *(mean(wall.get(n), cpu.get(n)) for n in names)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def failures(device):
    """Each reason once, with the workloads it stood in the way of."""
    reasons = {}
    for line in device["lines"]:
        for name, times in line["peers"].items():
            if "failed" in times:
                reasons.setdefault((name, times["failed"]), []).append(line["workload"])
    return [
        f"{name}: {', '.join(dict.fromkeys(where))}: {reason}"
        for (name, reason), where in reasons.items()
    ]


def text(device):
    """Heading, table, reasons and versions of a device."""
    every = [times for line in device["lines"] for times in line["peers"].values()]
    versions = sorted({times["version"] for times in every if "version" in times})
    loads = [line["load"] for line in device["lines"]]
    described = device["described"]
    parts = [f"## {device['name']}" + (f": {described}" if described else ""), table(device)]
    parts += failures(device)
    parts += [f"{', '.join(versions)}; load average {min(loads):.1f} to {max(loads):.1f}"]
    return "\n\n".join(parts)


def machine():
    return {"platform": platform.platform(), "cores": os.cpu_count()}


def report(devices, command):
    """Everything, as the manual's chapter on performance describes it."""
    measured = [
        {
            **device,
            "geometric_means": means(device["lines"], "median"),
            "geometric_means_cpu": means(device["lines"], "cpu"),
        }
        for device in devices
    ]
    return {
        "schema": SCHEMA,
        "date": date.today().isoformat(),
        "command": command,
        "machine": machine(),
        "devices": measured,
    }
