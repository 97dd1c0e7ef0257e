"""The shapes in the public signatures are true: the laws once more, each call checked by jaxtyping."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_every_call_fits_the_shapes_in_its_signature():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + [
            "--jaxtyping-packages=memlib,beartype.beartype",
            "-k",
            "not named and not refused and not compiles and not exported",
        ]
        + [str(HERE / name) for name in ("test_laws.py", "test_kv.py", "test_window.py")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
