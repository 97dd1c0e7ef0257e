"""A lesson as a learner sees it: a JupyterLab of its own, a headless Chromium, and no way to the net."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

ROOT = Path(__file__).parents[1]
SHOTS = ROOT / "build" / "screenshots"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # so that every cell can be asked how far it is
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
}


def _settled(home: Path) -> dict[str, str]:
    """The environment of a JupyterLab whose every file lies in `home`."""
    for name, values in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    own = {
        "HOME": "",
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    return {"OMP_NUM_THREADS": "1", **os.environ, **{key: str(home / folder) for key, folder in own.items()}}


@contextmanager
def lab(folder: Path, home: Path):
    """JupyterLab over the notebooks in `folder`; gives the address of a file in it as `address(path)`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    words = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--allow-root",
        "--ServerApp.port_retries=0",
        "--LabApp.news_url=None",
        f"--ServerApp.root_dir={folder}",
    ]
    env = _settled(home) | {"JUPYTER_TOKEN": token}
    with open(home / "lab.log", "w") as log:
        server = subprocess.Popen(words, env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        _answering(server, f"http://127.0.0.1:{port}/api", home / "lab.log")
        yield lambda path: f"http://127.0.0.1:{port}/lab/tree/{path}?reset&token={token}"
    finally:
        _end(server)


@contextmanager
def course(home: Path):
    """What `make course` starts, over a folder of a learner's own in `home`; gives the address that it prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = _settled(home) | {"PORT": str(port), "BROWSER": "none", "MEMLIB_MY": str(home / "my")}
    words = [sys.executable, "-P", str(ROOT / "memlib" / "course" / "lab.py")]
    server = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        found = next((found for found in (re.search(r"ready: (\S+)", line) for line in server.stdout) if found), None)
        assert found, "make course printed no address"
        yield found[1]
    finally:
        _end(server)
        server.stdout.close()


def _answering(server: subprocess.Popen, address: str, log: Path) -> None:
    directly, end = urllib.request.build_opener(urllib.request.ProxyHandler({})), time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            return directly.open(address, timeout=5).close()
        except urllib.error.HTTPError:
            return None
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def _end(server: subprocess.Popen) -> None:
    """Asks the server to end its kernels and itself; ends its process group where it does not."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@contextmanager
def browser():
    """A page of 1366 x 768 in headless Chromium, and the list of what it asked of the net (all of it refused)."""
    from playwright.sync_api import sync_playwright

    asked: list[str] = []

    def gate(route):
        if urlparse(route.request.url).hostname == "127.0.0.1":
            return route.continue_()
        asked.append(route.request.url)
        return route.abort()

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        context = chromium.new_context(viewport={"width": 1366, "height": 768}, service_workers="block")
        context.route("**/*", gate)
        page = context.new_page()
        page.on("websocket", lambda s: asked.append(s.url) if urlparse(s.url).hostname != "127.0.0.1" else None)
        try:
            yield page, asked
        finally:
            chromium.close()


def open_notebook(page, address: str) -> None:
    """Opens it, and waits until its kernel is idle."""
    page.goto(address)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    page.get_by_text(re.compile(r"\| Idle$")).first.wait_for(timeout=60_000)  # in the status bar


def prompts(page) -> list[str]:
    """What stands in front of each code cell that is not empty: '' not run, '*' running, a number."""
    read = """cells => cells.filter(c => c.querySelector('.cm-content')?.innerText.trim())
              .map(c => c.querySelector('.jp-InputPrompt').innerText)"""
    return [re.sub(r"[\[\]:\s]", "", text) for text in page.locator(".jp-CodeCell").evaluate_all(read)]


def run_all(page, patience: float = 300) -> None:
    """Run, Run All Cells; waits until every cell is done. Raises with what was printed in red where one fails."""
    menu(page, "Run", "Run All Cells")
    end, started = time.monotonic() + patience, False
    while time.monotonic() < end:
        now = prompts(page)
        started = started or "*" in now
        if started and "*" not in now:
            break
        page.wait_for_timeout(150)
    said = page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()
    assert all(text.isdigit() for text in prompts(page)), f"not all cells ran: {prompts(page)}\n{said}"


def unfold(page) -> None:
    """Opens every heading that starts collapsed."""
    shown = page.locator(".jp-showHiddenCellsButton:visible")
    while shown.count():
        shown.first.click()


def menu(page, *path: str) -> None:
    """Walks the menus by their names."""
    page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{path[0]}$")).click()
    for name in path[1:-1]:
        page.locator(".lm-Menu-item", has=page.get_by_text(name, exact=True)).hover()
    page.locator(".lm-Menu-item", has=page.get_by_text(path[-1], exact=True)).last.click()


def picture(plot) -> str:
    """All that a plot shows."""
    return plot.evaluate("plot => [...plot.querySelectorAll('.main-svg')].map(svg => svg.innerHTML).join()")


def changes(page, plot, act, patience: float = 60) -> bool:
    """Whether the plot looks different some time after act()."""
    before, end = picture(plot), time.monotonic() + patience
    act()
    while time.monotonic() < end:
        if picture(plot) != before:
            return True
        page.wait_for_timeout(100)
    return False


def shoot(page, name: str) -> Path:
    """A screenshot in build/screenshots."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")
    return SHOTS / f"{name}.png"
