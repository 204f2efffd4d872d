"""The peers: how each is fetched, built and started.

Everything is fetched once into target/peers, from the peers' registries.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import workloads

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = ROOT / "target" / "peers"

HOST = ("keras-tensorflow", "keras-jax", "onnxruntime", "numpy")
ADAPTER = ("burn", "tfjs", "onnxruntime-web")
ALL = HOST + ADAPTER


class Missing(Exception):
    """Why a peer is not there."""


def fetched_python():
    """A Python with the peers; they are installed once."""
    folder = FOLDER / "venv"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        requirements = HERE / "requirements.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    return python


@functools.cache
def burn():
    """The program that runs burn; its build takes many minutes."""
    target = FOLDER / "burn"
    manifest = HERE / "burn" / "Cargo.toml"
    build("burn", ["cargo", "build", "--release", "-q", "--locked", "--manifest-path", manifest, "--target-dir", target])
    return target / "release" / "keraunos-peer-burn"


@functools.cache
def web():
    """The folder of the scripts for Node, beside their packages."""
    folder = FOLDER / "web"
    folder.mkdir(parents=True, exist_ok=True)
    for file in (HERE / "web").iterdir():
        shutil.copy(file, folder)
    installed = folder / "node_modules" / "onnxruntime-web" / "package.json"
    if not installed.exists():
        build("the peers on Node", ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder])
    return folder


@functools.cache
def files():
    """keraunos's program that times loading and saving."""
    command = ["cargo", "bench", "-q", "--bench", "files", "--no-run", "--message-format", "json"]
    lines = build("benches/files.rs", command, cwd=ROOT).splitlines()
    programs = [json.loads(line).get("executable") for line in lines if line.startswith("{")]
    return next(program for program in programs if program)


def build(what, command, **options):
    """Runs what fetches and builds a program, and gives its output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, **options)
    except OSError as reason:
        raise Missing(f"{what} cannot be built: {reason}") from reason
    if done.returncode:
        raise Missing(f"{what} cannot be built: {reason_of(done)}")
    return done.stdout


def takes(name, workload):
    """Whether a peer is asked at all: what is no work of its kind is no failure."""
    if workloads.of_files(workload):
        return name == "keraunos" or name.startswith("keras-")
    if name == "numpy":
        return workload.startswith("matmul")
    return not (name.startswith("onnxruntime") and workloads.trains(workload))


def command(name, workload, batch, run):
    """What runs a workload in a peer, or in keraunos where `keraunos bench` does not."""
    model, arguments = FOLDER / f"{workload}.keras", run.arguments
    what = [workload, str(batch), str(arguments.seconds)]
    if name == "keraunos":
        work = [*workloads.of_files(workload), "--model", model, "--copy", FOLDER / "copy.keras"]
        seconds = ["--seconds", str(round(arguments.seconds))]
        return [files(), "--times", *work, "--device", run.device.adapter, *seconds]
    if name == "burn":
        return [burn(), *what]
    if name == "tfjs":
        return ["node", web() / "tfjs.js", *what]
    if name == "onnxruntime-web":
        return ["node", web() / "onnxruntime.js", *what, model.with_suffix(".onnx")]
    return [arguments.python, HERE / "measure.py", name, *what, model]


def quiet():
    """An environment in which the peers tell what they have to and compute on the processor."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
    quiet["PYTHONDONTWRITEBYTECODE"] = "1"
    quiet.setdefault("XDG_RUNTIME_DIR", "/tmp")
    return quiet


def run(command, limit, environment):
    """Runs a process of one measurement: its output, or why it failed."""
    environment = quiet() | environment
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"takes more than {limit:.0f} s"}
    except OSError as reason:
        return {"failed": str(reason)}
    if done.returncode:
        return {"failed": reason_of(done)}
    return {"output": done.stdout}


def reason_of(done):
    """The first error that a process has told, else its last line."""
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "panicked" in line]
    return (errors or lines[-1:] or [f"exit code {done.returncode}"])[0]
