"""keraunos beside its peers, in one run on one machine.

    cargo build --release
    python3 benches/peers/run.py                  # the host, lavapipe and SwiftShader; hours with all peers
    python3 benches/peers/run.py --devices host --workloads encoder lstm --batch 1
    python3 benches/peers/run.py --devices lavapipe --peers burn
    python3 benches/peers/run.py --python PYTHON  # uses what that Python has instead of fetching

A device is `host`, `lavapipe`, `swiftshader` (that of an installed Chromium) or the name of an adapter.
On the host the peers are Keras on TensorFlow and JAX, onnxruntime and numpy; on an adapter burn (wgpu,
fusion and autotune on), and TensorFlow.js and onnxruntime-web with WebGPU on Dawn in Node. They are
fetched from their registries into target/peers.

Every peer runs each workload in a process of its own, in turns, with keraunos among them, so that a
change of the machine's speed meets all. A ratio is a peer's median time in keraunos's: above 1,
keraunos is faster; in brackets stands the ratio of the processor's time, which other work on the machine
changes less. What a peer cannot run, and what cannot be fetched, is said with its reason. Tables are
Markdown; `--json F` writes everything.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

import devices
import peers
import tables
import workloads

ROOT = peers.ROOT
FOLDER = peers.FOLDER


def keraunos(run, name, batch):
    """Seconds of predictions or of steps of training, by `keraunos bench`."""
    arguments = run.arguments
    report = FOLDER / "report.json"
    command = [arguments.keraunos, "bench", FOLDER / f"{name}.keras", "--adapter", run.device.adapter]
    command += ["--batch", str(batch), "--seconds", str(arguments.seconds), "--json", report]
    command += ["--train"] if workloads.trains(name) else []
    command += ["--tuned", arguments.tuned] if arguments.tuned else []
    done = run.process(command)
    if "failed" in done:
        return done
    report = json.loads(report.read_text())
    section = report["devices"][0]
    run.described = describe(section["device"])
    line = section["lines"][0]
    cpu = line.get("cpu_s")
    return {"version": f"keraunos {report['version']}", "cpu": cpu, **line["seconds"]}


def describe(device):
    """An adapter and its driver, or the host's cores."""
    if "cores" in device:
        return f"{device['cores']} processor cores"
    return f"{device['name']}, {device['driver']}"


class Run:
    """What is measured on one device."""

    def __init__(self, arguments, device):
        self.arguments, self.device = arguments, device
        self.described = None
        self.peers = [p for p in arguments.peers or device.peers if p in device.peers]

    def process(self, command):
        return peers.run(command, self.arguments.limit, self.device.environment())

    def peer(self, name, workload, batch):
        """Seconds of a program's runs, or why there are none."""
        try:
            command = peers.command(name, workload, batch, self)
        except peers.Missing as reason:
            return {"failed": str(reason)}
        done = self.process(command)
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

    def once(self, name, workload, batch):
        if name == "keraunos" and not workloads.of_files(workload):
            return keraunos(self, workload, batch)
        return self.peer(name, workload, batch)

    def line(self, workload, batch):
        """All peers on one workload, in turns."""
        results = {name: [] for name in ("keraunos", *self.peers)}
        for _ in range(self.arguments.rounds):
            for name, rounds in results.items():
                # What has failed once is not tried again.
                if peers.takes(name, workload) and not any("failed" in r for r in rounds):
                    rounds.append(self.once(name, workload, batch))
        return {
            "workload": workload,
            "batch": batch,
            "load": os.getloadavg()[0],
            "peers": {name: merged(rounds) for name, rounds in results.items() if rounds},
        }

    def all(self):
        """The lines of every workload; each is told as soon as it is known."""
        lines = []
        for workload in self.arguments.workloads:
            for batch in batches(workload, self.arguments):
                lines.append(self.line(workload, batch))
                print(self.device.name, told(lines[-1]), file=sys.stderr, flush=True)
        return {"name": self.device.name, "described": self.described, "lines": lines}


def batches(workload, arguments):
    """The batch sizes of a workload; those asked for, where it has any."""
    usual = workloads.ALL[workload]
    return arguments.batch if arguments.batch and usual != (None,) else usual


def told(line):
    cells = [f"{name} {tables.theirs(line, name)}" for name in line["peers"] if name != "keraunos"]
    return " | ".join([f"{line['workload']} batch {line['batch']}", tables.ours(line), *cells])


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


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [device.name for device in devices.KNOWN]
    parser.add_argument("--devices", nargs="+", default=known, help="known ones, or adapters")
    parser.add_argument("--python", type=Path, help="a Python that has the peers")
    parser.add_argument("--keraunos", type=Path, default=ROOT / "target/release/keraunos")
    parser.add_argument("--tuned", type=Path, help="a table of `keraunos tune`")
    parser.add_argument("--peers", nargs="*", choices=peers.ALL)
    parser.add_argument("--workloads", nargs="+", default=list(workloads.ALL), choices=workloads.ALL)
    parser.add_argument("--batch", type=int, nargs="+", help="batch sizes instead of the usual")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each peer and round")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main():
    arguments = parse()
    arguments.python = arguments.python or peers.fetched_python()
    prepare = [arguments.python, peers.HERE / "prepare.py", FOLDER, *arguments.workloads]
    subprocess.run(prepare, check=True, env=peers.quiet())
    measured = []
    for name in arguments.devices:
        measured.append(Run(arguments, devices.named(name)).all())
        print(tables.text(measured[-1]), flush=True)
    print(f"\n{tables.machine()['cores']} cores, {tables.machine()['platform']}")
    if arguments.json:
        report = tables.report(measured, shlex.join(sys.argv))
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
