"""keraunos beside its peers, in one run on one machine.

    cargo build --release
    python3 benches/peers/run.py                       # the host executor; fetches peers into target/peers
    python3 benches/peers/run.py --device software     # an adapter, beside burn and TensorFlow.js
    python3 benches/peers/run.py --python PYTHON       # uses what that Python has

On the host the peers are Keras on TensorFlow and JAX, onnxruntime and numpy; on an adapter burn (wgpu,
fusion and autotune on) and TensorFlow.js with its WebGPU backend on Dawn. `--icd F` makes one Vulkan
driver the only one of this run, such as Chromium's vk_swiftshader_icd.json, which Dawn accepts where it
refuses lavapipe.

Every peer runs each workload in a process of its own, in turns, with keraunos among them, so that a
change of the machine's speed meets all. A ratio is a peer's median time in keraunos's: above 1,
keraunos is faster; behind it stands the ratio of the processor's time, which other work on the machine
changes less. What a peer cannot run, and what cannot be fetched, is said with its reason. `--json F`
writes everything.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
from datetime import date
from pathlib import Path

import peers
import workloads

ROOT = peers.ROOT
FOLDER = peers.FOLDER


def keraunos(arguments, name, batch):
    """Seconds of predictions or of steps of training, by `keraunos bench`."""
    report = FOLDER / "report.json"
    command = [arguments.keraunos, "bench", FOLDER / f"{name}.keras", "--adapter", arguments.device]
    command += ["--batch", str(batch), "--seconds", str(arguments.seconds), "--json", report]
    command += ["--train"] if workloads.trains(name) else []
    command += ["--tuned", arguments.tuned] if arguments.tuned else []
    done = peers.run(command, arguments)
    if "failed" in done:
        return done
    report = json.loads(report.read_text())
    line = report["devices"][0]["lines"][0]
    cpu = line.get("cpu_s")
    return {"version": f"keraunos {report['version']}", "cpu": cpu, **line["seconds"]}


def peer(arguments, name, workload, batch):
    """Seconds of a peer's runs, or why there are none."""
    try:
        command = peers.command(name, workload, batch, arguments)
    except peers.Missing as reason:
        return {"failed": str(reason)}
    done = peers.run(command, arguments)
    if "failed" in done:
        return done
    measured = json.loads(done["output"].splitlines()[-1])
    times = sorted(measured["seconds"])
    cpu = measured.get("cpu_s")
    return {
        "version": measured["version"],
        "cpu": cpu and cpu / len(times),
        "median": statistics.median(times),
        "least": times[0],
        "most": times[-1],
    }


def merged(rounds):
    """The median of the rounds' medians, and the spread of all."""
    good = [r for r in rounds if "failed" not in r]
    if not good:
        return rounds[0]
    cpu = [r["cpu"] for r in good if r["cpu"]]
    return {
        "version": good[0]["version"],
        "median": statistics.median(r["median"] for r in good),
        "least": min(r["least"] for r in good),
        "most": max(r["most"] for r in good),
        "cpu": statistics.median(cpu) if cpu else None,
    }


def measure(arguments, workload, batch):
    """All peers on one workload, in turns."""
    rounds = {name: [] for name in ("keraunos", *arguments.peers)}
    for _ in range(arguments.rounds):
        rounds["keraunos"].append(keraunos(arguments, workload, batch))
        for name in arguments.peers:
            if name == "numpy" and not workload.startswith("matmul"):
                continue
            # What has failed once is not tried again.
            if not any("failed" in r for r in rounds[name]):
                rounds[name].append(peer(arguments, name, workload, batch))
    return {name: merged(results) for name, results in rounds.items() if results}


def ratios(line, key):
    """A peer's time in ours, for each peer that has one."""
    ours = line["peers"]["keraunos"].get(key)
    others = {n: t.get(key) for n, t in line["peers"].items() if n != "keraunos"}
    return {name: time / ours for name, time in others.items() if time and ours}


def text(line):
    """Our time and spread, then each peer's and its ratios."""
    cells = [f"{line['workload']} batch {line['batch']}"]
    wall, cpu = ratios(line, "median"), ratios(line, "cpu")
    for name, times in line["peers"].items():
        if "failed" in times:
            cells.append(f"{name}: {times['failed']}"[:120])
            continue
        spread = f"{times['least'] * 1e3:.2f} to {times['most'] * 1e3:.2f}"
        cell = f"{name} {times['median'] * 1e3:.2f} ms ({spread})"
        if name in wall:
            cell += f" {wall[name]:.2f}×"
        if name in cpu:
            cell += f", cpu {cpu[name]:.2f}×"
        cells.append(cell)
    return " | ".join(cells)


def means(lines, key):
    """The geometric mean of the ratios to each peer."""
    every = {}
    for line in lines:
        for name, ratio in ratios(line, key).items():
            every.setdefault(name, []).append(ratio)
    return {name: statistics.geometric_mean(each) for name, each in every.items()}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, help="a Python that has the peers")
    parser.add_argument("--keraunos", type=Path, default=ROOT / "target/release/keraunos")
    parser.add_argument("--device", default="host")
    parser.add_argument("--icd", type=Path, help="the only Vulkan driver of this run")
    parser.add_argument("--tuned", type=Path, help="a table of `keraunos tune`")
    parser.add_argument("--peers", nargs="*", choices=peers.ALL)
    parser.add_argument("--workloads", nargs="*", default=workloads.ALL, choices=workloads.ALL)
    parser.add_argument("--batch", type=int, nargs="*", help="batch sizes instead of the usual")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each peer and round")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.peers is None:
        arguments.peers = peers.HOST if arguments.device == "host" else peers.ADAPTER
    return arguments


def main():
    arguments = parse()
    arguments.python = arguments.python or peers.fetched_python()
    prepare = [arguments.python, peers.HERE / "prepare.py", FOLDER, *arguments.workloads]
    subprocess.run(prepare, check=True)
    lines = []
    for workload in arguments.workloads:
        for batch in arguments.batch or workloads.ALL[workload]:
            results = measure(arguments, workload, batch)
            lines.append({"workload": workload, "batch": batch, "peers": results})
            print(text(lines[-1]), flush=True)
    cpu = means(lines, "cpu")
    for name, mean in means(lines, "median").items():
        of_cpu = f", of the processor's time {cpu[name]:.2f}×" if name in cpu else ""
        print(f"geometric mean, {name}: {mean:.2f}×{of_cpu}")
    every = [times for line in lines for times in line["peers"].values()]
    versions = sorted({times["version"] for times in every if "version" in times})
    print(f"{', '.join(versions)}; {os.cpu_count()} cores, {platform.platform()}")
    if arguments.json:
        report = {
            "schema": "keraunos-peers/1",
            "date": date.today().isoformat(),
            "device": arguments.device,
            "icd": arguments.icd and str(arguments.icd),
            "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
            "lines": lines,
            "geometric_means": means(lines, "median"),
            "geometric_means_cpu": cpu,
        }
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
