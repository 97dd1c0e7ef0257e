"""One run of pytest in a process of its own, which has imported the heavy packages and nothing of the library."""

import os
import sys
import time
from pathlib import Path
from threading import Thread

HEAVY = ["torch", "torch._dynamo", "torch.func", "numpy", "pytest", "safetensors.torch", "pandas", "faiss"]
HEAVY += ["plotly.graph_objects", "ipywidgets", "nbformat"]


def watched(parent: int) -> None:
    """Ends with whoever started it, however that ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(98)


def run(tree: str, words: list[str], out: str) -> None:
    """Ends with pytest's exit code; 99 where another memlib than the copy's was imported."""
    Thread(target=watched, args=(os.getppid(),), daemon=True).start()
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for one in (1, 2):
        os.dup2(file, one)
    os.environ |= {"PYTHONPATH": tree, "OMP_NUM_THREADS": "1"}
    os.chdir(tree)
    sys.path[:] = [
        tree,
        *(one for one in sys.path if not one.startswith(str(Path(__file__).parents[2])) or ".venv" in one),
    ]
    import pytest

    code = pytest.main(words)
    memlib = sys.modules.get("memlib")
    if memlib is not None and Path(memlib.__file__) != Path(tree, "memlib", "__init__.py"):
        print(f"another memlib was imported: {memlib.__file__}", flush=True)
        code = 99
    sys.stdout.flush()
    os._exit(int(code))
