"""The host executor beside its peers, in one run on one machine.

    cargo build --release
    python3 benches/peers/run.py                       # fetches the peers into target/peers/venv
    python3 benches/peers/run.py --python PYTHON       # uses what that Python has

Every peer runs each workload in a process of its own, in turns, with keraunos among them, so that a
change of the machine's speed meets all. A ratio is a peer's median time in keraunos's: above 1,
keraunos is faster. What a peer cannot run is left out and said. `--json F` writes everything.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import date
from pathlib import Path

import workloads

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = ROOT / "target" / "peers"
PEERS = ("keras-tensorflow", "keras-jax", "onnxruntime", "numpy")


def fetched_python():
    """A Python with the peers; they are installed once."""
    folder = FOLDER / "venv"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        requirements = HERE / "requirements.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    return python


def keraunos(binary, device, name, batch, seconds):
    """Seconds of predictions, by `keraunos bench`."""
    report = FOLDER / "report.json"
    command = [binary, "bench", FOLDER / f"{name}.keras", "--adapter", device]
    command += ["--batch", str(batch), "--seconds", str(seconds), "--json", report]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    report = json.loads(report.read_text())
    times = report["devices"][0]["lines"][0]["seconds"]
    return {"version": f"keraunos {report['version']}", **times}


def peer(python, name, workload, batch, seconds):
    """Seconds of a peer's runs, or why there are none."""
    command = [python, HERE / "measure.py", name, workload, str(batch), str(seconds)]
    command += [FOLDER / f"{workload}.keras"]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=quiet)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    measured = json.loads(done.stdout.splitlines()[-1])
    times = sorted(measured["seconds"])
    return {
        "version": measured["version"],
        "median": statistics.median(times),
        "least": times[0],
        "most": times[-1],
    }


def merged(rounds):
    """The median of the rounds' medians, and the spread of all."""
    good = [r for r in rounds if "failed" not in r]
    if not good:
        return rounds[0]
    return {
        "version": good[0]["version"],
        "median": statistics.median(r["median"] for r in good),
        "least": min(r["least"] for r in good),
        "most": max(r["most"] for r in good),
    }


def measure(arguments, python, workload, batch):
    """All peers on one workload, in turns."""
    rounds = {name: [] for name in ("keraunos", *arguments.peers)}
    for _ in range(arguments.rounds):
        binary, device = arguments.keraunos, arguments.device
        rounds["keraunos"].append(keraunos(binary, device, workload, batch, arguments.seconds))
        for name in arguments.peers:
            if name == "numpy" and not workload.startswith("matmul"):
                continue
            rounds[name].append(peer(python, name, workload, batch, arguments.seconds))
    return {name: merged(results) for name, results in rounds.items() if results}


def table(lines):
    """One line for each workload: our time and spread, then each peer's and its ratio."""
    text = []
    for line in lines:
        ours = line["peers"]["keraunos"]
        cells = [f"{line['workload']} batch {line['batch']}"]
        for name, times in line["peers"].items():
            if "failed" in times:
                cells.append(f"{name}: {times['failed']}"[:80])
                continue
            spread = f"{times['least'] * 1e3:.2f} to {times['most'] * 1e3:.2f}"
            cell = f"{name} {times['median'] * 1e3:.2f} ms ({spread})"
            if name != "keraunos":
                cell += f" {times['median'] / ours['median']:.2f}×"
            cells.append(cell)
        text.append(" | ".join(cells))
    return "\n".join(text)


def means(lines):
    """The geometric mean of the ratios to each peer."""
    ratios = {}
    for line in lines:
        ours = line["peers"]["keraunos"]["median"]
        for name, times in line["peers"].items():
            if name != "keraunos" and "failed" not in times:
                ratios.setdefault(name, []).append(times["median"] / ours)
    return {name: statistics.geometric_mean(each) for name, each in ratios.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, help="a Python that has the peers")
    parser.add_argument("--keraunos", type=Path, default=ROOT / "target/release/keraunos")
    parser.add_argument("--device", default="host")
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--workloads", nargs="*", default=workloads.ALL, choices=workloads.ALL)
    parser.add_argument("--batch", type=int, nargs="*", help="batch sizes instead of the usual")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each peer and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    python = arguments.python or fetched_python()
    subprocess.run([python, HERE / "prepare.py", FOLDER, *arguments.workloads], check=True)
    lines = []
    for workload in arguments.workloads:
        for batch in arguments.batch or workloads.ALL[workload]:
            peers = measure(arguments, python, workload, batch)
            lines.append({"workload": workload, "batch": batch, "peers": peers})
            print(table(lines[-1:]), flush=True)
    for name, mean in means(lines).items():
        print(f"geometric mean, {name}: {mean:.2f}×")
    every = [times for line in lines for times in line["peers"].values()]
    versions = sorted({times["version"] for times in every if "version" in times})
    print(f"{', '.join(versions)}; {os.cpu_count()} cores, {platform.platform()}")
    if arguments.json:
        report = {
            "schema": "keraunos-peers/1",
            "date": date.today().isoformat(),
            "device": arguments.device,
            "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
            "lines": lines,
            "geometric_means": means(lines),
        }
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
