"""The shapes in the public signatures are true: the laws once more, each call checked by jaxtyping."""

import subprocess
import sys
from pathlib import Path

import pytest
from examples import EVERY, MEMORIES, WIDTH

from memlib import attend_all, promises
from memlib.laws import Sample, last, pace

HERE = Path(__file__).parent
LEFT = "every_call named refused "  # our own errors, which jaxtyping's would come before
LEFT += "compiles exported all_positions bounded check_without forward_and is_broken autocast future_does a_memory_can "
LEFT += "mistral transformers "  # compilers and long walks, in which no call has other shapes than elsewhere
LONG = "launches beyond gradients_ pickled mapped old_states continued graph zero_keys"  # nor have these: .ci/run's


def test_every_call_fits_the_shapes_in_its_signature():
    leave = " and ".join(f"not {word}" for word in (LEFT if EVERY else LEFT + LONG).split())
    files = [str(HERE / f"test_{name}.py") for name in ("shapes", "laws", "kv", "window")]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:nbval", "-o", "addopts="]
    hook = "--jaxtyping-packages=memlib,beartype.beartype"
    done = subprocess.run([*command, hook, "-k", leave, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize("name", MEMORIES)
def test_a_whole_form_gives_a_row_for_each_query(name):
    """From the empty memory and from a state, also with a log-sum-exp where there is one, over several blocks."""
    memory, (q, kv) = MEMORIES[name](), Sample(*WIDTH).tokens(2, n=150)
    cut = 7 * pace(memory)
    mem = last(memory, kv[:cut], q[:, :cut])
    assert attend_all(memory, q, kv).shape == (2, 150, WIDTH[1])
    for lse in {False, promises(memory).merges}:
        rest = attend_all(memory, q[:, cut:], kv[cut:], mem, lse=lse)
        assert (rest[0] if lse else rest).shape == (2, 150 - cut, WIDTH[1])
