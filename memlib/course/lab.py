"""JupyterLab on the first lesson: `python lab.py`, run by make with the environment's own interpreter.

It shows the learner's own folder, my/, where lessons.py has laid a copy of each lesson: running them changes nothing
that git looks at. PORT= another port than 8888; BROWSER=none opens no browser. The address is printed once it answers.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MY = Path(os.environ.get("MEMLIB_MY") or ROOT / "my").resolve()
BESIDE = Path(__file__).parent
PATIENCE = 90
SHELL = os.environ.get("SHELL") or ("powershell.exe" if os.name == "nt" else "sh")


def port() -> int:
    """The port asked for, free; the program ends in one sentence where it is not."""
    text = os.environ.get("PORT", "").strip() or "8888"
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        sys.exit(f"PORT={text} is no port: take a whole number from 1024 to 65535, e.g. make course PORT=8890")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError:
            sys.exit(f"Port {text} is taken: make course PORT={int(text) + 1}")
    return int(text)


def command(number: int) -> list[str]:
    """How JupyterLab is started."""
    words = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--port={number}", "--log-level=ERROR"]
    words += ["--ServerApp.port_retries=0", "--ServerApp.answer_yes=True", "--no-browser", f"--ServerApp.root_dir={MY}"]
    words.append(
        f"--ServerApp.terminado_settings={{'shell_command': ['{SHELL}']}}"
    )  # no login shell: it loses our PATH
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")
    return words


def surroundings(token: str) -> dict[str, str]:
    """The environment of JupyterLab and its kernels: without nbgrader's menus, for this start alone."""
    config = os.pathsep.join(filter(None, [str(BESIDE / "jupyter"), os.environ.get("JUPYTER_CONFIG_PATH")]))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])  # `memlib` is there
    own = {"JUPYTER_CONFIG_PATH": config, "JUPYTER_TOKEN": token, "PATH": path}
    return {"OMP_NUM_THREADS": "1", **os.environ, **own}  # the course's steps are too small for more threads


def first() -> str:
    """The page of the first lesson, when all are laid where the learner runs them."""
    if subprocess.call([sys.executable, "-P", str(BESIDE / "lessons.py"), str(MY / "lessons")]):
        sys.exit(1)
    found = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return f"lab/tree/lessons/{found[0].name}" if found else "lab"


def wait(server: subprocess.Popen, address: str) -> None:
    """Until the server answers."""
    end = time.monotonic() + PATIENCE
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end:
        if server.poll() is not None:
            sys.exit("JupyterLab did not start; what it said stands above.")
        try:
            directly.open(address, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    server.terminate()
    sys.exit(f"JupyterLab did not answer within {PATIENCE} s.")


def main() -> int:
    """Start it, print the address, open the browser, and stay until it is stopped."""
    number, token = port(), secrets.token_hex(16)
    page = first()
    print(f"Starting JupyterLab on port {number} ...", flush=True)
    server = subprocess.Popen(command(number), cwd=MY, env=surroundings(token), stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        wait(server, f"http://127.0.0.1:{number}/api")
        address = f"http://127.0.0.1:{number}/{page}?token={token}"
        print(f"JupyterLab is ready: {address}\nCtrl-C stops it.", flush=True)
        if os.environ.get("BROWSER", "") != "none":
            import webbrowser

            webbrowser.open(address)
        return server.wait()
    except KeyboardInterrupt:
        server.wait()
        print("\nStopped.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
