"""The peers: how each is fetched, built and started.

Everything is fetched once into target/peers, from the peers' registries.
"""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = ROOT / "target" / "peers"

HOST = ("keras-tensorflow", "keras-jax", "onnxruntime", "numpy")
ADAPTER = ("burn", "tfjs")
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
    build("burn", ["cargo", "build", "--release", "-q", "--manifest-path", manifest, "--target-dir", target])
    return target / "release" / "keraunos-peer-burn"


@functools.cache
def tfjs():
    """The script that runs TensorFlow.js, beside its packages."""
    folder = FOLDER / "web"
    folder.mkdir(parents=True, exist_ok=True)
    for file in (HERE / "web").iterdir():
        shutil.copy(file, folder)
    if not (folder / "node_modules").exists():
        build("TensorFlow.js", ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder])
    return folder / "measure.js"


def build(what, command):
    """Runs what fetches and builds a peer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as reason:
        raise Missing(f"{what} cannot be built: {reason}") from reason
    if done.returncode:
        raise Missing(f"{what} cannot be built: {reason_of(done)}")


def command(name, workload, batch, arguments):
    """What runs a workload in a peer."""
    what = [workload, str(batch), str(arguments.seconds)]
    if name == "burn":
        return [burn(), *what]
    if name == "tfjs":
        return ["node", tfjs(), *what]
    return [arguments.python, HERE / "measure.py", name, *what, FOLDER / f"{workload}.keras"]


def run(command, arguments):
    """Runs a process of one measurement: its output, or why it failed."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
    quiet.setdefault("XDG_RUNTIME_DIR", "/tmp")
    if arguments.icd:
        quiet |= {"VK_ICD_FILENAMES": str(arguments.icd), "VK_DRIVER_FILES": str(arguments.icd)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=quiet, timeout=arguments.limit
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"takes more than {arguments.limit:.0f} s"}
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
