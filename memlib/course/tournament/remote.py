"""A learner's memory in a process of its own, spoken to through its pipes.

It is started as `python -m memlib.course.tournament.remote FILE`.

The file is Python with a class `Mine`, made without arguments. What it computes goes out as numbers; its state goes
out after every update, is weighed outside, and comes back. After some calls the process that ran the code is thrown
away and a fresh one goes on from the state alone: what is not in the state is forgotten. (What the code writes to the
disk is not: it runs with the rights of whoever started it.) Nothing that comes out is ever unpickled.

    message = 8 bytes of length, JSON, 8 bytes of length, safetensors
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch
from safetensors.torch import load, save

from memlib.course.processes import end_family
from memlib.kv import KV
from memlib.memory import promises, updated
from memlib.state import leaves, rebuild

CALLS = (60, 120)  # a process lives for so many calls, drawn anew each time
MOST = 1 << 28  # bytes of a message
NAME = "Mine"
ABOUT = ("segment", "needs_queries", "softmax", "merges", "chunkable", "rows")
FRESH = 77  # exit code
ALONE = (
    " (Here a fresh process went on from the state alone. What the class keeps in self or in a global is not there:"
    " the state must hold everything that is read.)"
)


class EntryError(Exception):
    """What is wrong with a learner's memory, in a sentence for its author."""


class Shipped(tuple):
    """A state as it came out of the other process: its leaves, by `names`. `number` tells which it is."""

    names: tuple[str, ...] = ()
    number = 0


class Remote:
    """The memory of a file, as any other memory here; it runs elsewhere. Close it when done.

    seconds: how long it may take, all in all. Raises EntryError where the file has no class `Mine`, where its code
    fails, is too slow, or gives what is no read and no state.
    """

    def __init__(self, path: Path, seconds: float = 300.0, seed: int | None = None):
        self.path, self.until = Path(path), time.monotonic() + seconds
        self._left, self._known, self._made = 0, set(), 0
        self._draw = random.Random(seed)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "memlib.course.tournament.remote", str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._clock = threading.Timer(seconds, end_family, [self._process.pid])
        self._clock.daemon = True
        self._clock.start()
        try:
            about, _ = self._ask({"op": "about"}, {})
        except EntryError:
            self.close()
            raise
        self.segment, self.needs_queries, self.softmax, self.merges, self.chunkable, self.rows = (
            about[name] for name in ABOUT
        )
        self.linear_in_values = False

    def close(self) -> None:
        """Ends the other process, and what it started."""
        self._clock.cancel()
        if self._process.poll() is None:
            end_family(self._process.pid)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def init(self, like: KV) -> Shipped:
        """The empty state."""
        return self._state(*self._ask({"op": "init"}, {"k": like.k, "v": like.v}))

    def update(self, mem: Shipped, new: KV, q=None) -> Shipped:
        """The state after the new pairs."""
        also = {"q": q} if self.needs_queries else {}
        said = self._ask({"op": "update"}, {"k": new.k, "v": new.v} | also, mem, like=new)
        return self._state(*said)

    def read(self, mem: Shipped, q, new: KV | None = None, lse: bool = False):
        """What the queries receive."""
        tensors = {"q": q} | ({} if new is None else {"k": new.k, "v": new.v})
        _, found = self._ask({"op": "read", "lse": lse}, tensors, mem, like=q)
        wanted = {"out": q.shape[:-1]} | ({"lse": q.shape} if lse else {})
        for name, shape in wanted.items():
            if name not in found or found[name].shape[:-1] != shape[: found[name].dim() - 1]:
                raise EntryError(
                    f"read must give {list(q.shape[:-1])} and the width of the values, got "
                    f"{list(found[name].shape) if name in found else 'none'}."
                )
        return (found["out"], found["lse"]) if lse else found["out"]

    def slots(self, mem: Shipped) -> KV:
        """What the figures draw."""
        _, found = self._ask({"op": "slots"}, {}, mem)
        return KV(found["k"], found["v"])

    def _state(self, header: dict, tensors: dict) -> Shipped:
        state = Shipped([*tensors.values(), *header["numbers"].values()])
        state.names, state.number = (*tensors, *header["numbers"]), self._made
        self._known.add(self._made)
        return state

    def _ask(self, header: dict, tensors: dict, mem: Shipped | None = None, like=None) -> tuple[dict, dict]:
        if self._left <= 0:
            _send(self._process.stdin, {"op": "fresh"}, {})
            self._left, self._known = self._draw.randint(*CALLS), set()
        self._left -= 1
        self._made += 1
        header = header | {"makes": self._made}
        if mem is not None:
            header["state"] = mem.number
            if mem.number not in self._known:  # a fresh process: it gets the state, and pairs to tell its shapes by
                parts = dict(zip(mem.names, mem, strict=True))
                header["numbers"] = {name: x for name, x in parts.items() if not isinstance(x, torch.Tensor)}
                tensors = tensors | {f"state.{n}": x for n, x in parts.items() if isinstance(x, torch.Tensor)}
                self._known.add(mem.number)
        try:
            _send(self._process.stdin, header, tensors)
            said, found = _receive(self._process.stdout)
        except (OSError, EOFError, ValueError) as error:
            slow = time.monotonic() >= self.until
            raise EntryError("It took too long and was stopped." if slow else "Its process died.") from error
        if "error" in said:
            raise EntryError(str(said["error"])[:500])
        return said, found


def _send(pipe, header: dict, tensors: dict) -> None:
    text = json.dumps(header).encode()
    body = save({name: x.detach().contiguous().clone() for name, x in tensors.items()}) if tensors else b""
    pipe.write(struct.pack("<Q", len(text)) + text + struct.pack("<Q", len(body)))
    pipe.write(body)
    pipe.flush()


def _receive(pipe) -> tuple[dict, dict]:
    text, body = _part(pipe), _part(pipe)
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError("no message")
    return header, load(body) if body else {}


def _part(pipe) -> bytes:
    size = struct.unpack("<Q", _exactly(pipe, 8))[0]
    if size > MOST:
        raise ValueError(f"a message of {size} bytes")
    return _exactly(pipe, size)


def _exactly(pipe, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        some = pipe.read(min(size - len(data), 1 << 20))
        if not some:
            raise EOFError
        data += some
    return bytes(data)


# The other side


def serve(path: Path) -> None:
    """Forks a process for the code whenever it is asked for a fresh one, and runs none of the code itself."""
    torch.set_num_threads(1)
    source = path.read_text("utf-8-sig")
    # no buffer: what is read ahead here would be lost to the process that is forked
    pipe_in, pipe_out = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # what the code prints goes nowhere
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    header, tensors = _receive(pipe_in)
    while True:
        worker = os.fork()
        if worker == 0:
            os._exit(_work(source, path.name, pipe_in, pipe_out))
        _, code = os.waitpid(worker, 0)
        if os.waitstatus_to_exitcode(code) != FRESH:
            return


def _work(source: str, name: str, pipe_in, pipe_out) -> int:
    """Answers until a fresh process is asked for (FRESH), or nobody asks any more (1)."""
    states, memory, alone = {}, None, False
    while True:
        try:
            header, tensors = _receive(pipe_in)
        except (EOFError, OSError):
            return 1
        if header["op"] == "fresh":
            return FRESH
        alone = alone or "numbers" in header  # a state that another process made
        try:
            memory = _made(source, name) if memory is None else memory
            answer = _answer(memory, states, header, tensors)
        except BaseException as error:  # sys.exit too
            more = ALONE if alone and not isinstance(error, EntryError) else ""
            answer = {"error": _sentence(error, name) + more}, {}
        try:
            _send(pipe_out, *answer)
        except Exception as error:
            _send(pipe_out, {"error": f"{type(error).__name__}: {error}"}, {})


def _made(source: str, name: str):
    space: dict = {"__name__": "entry"}
    exec(compile(source, name, "exec", dont_inherit=True), space)
    if not isinstance(space.get(NAME), type):
        raise EntryError(f"There is no class {NAME}.")
    return space[NAME]()


def _answer(memory, states: dict, header: dict, tensors: dict) -> tuple[dict, dict]:
    given = {name: x for name, x in tensors.items() if not name.startswith("state.")}
    new = KV(given["k"], given["v"]) if "k" in given else None
    q, op = given.get("q"), header["op"]
    if op == "about":
        return {name: _plain(getattr(promises(memory), name)) for name in ABOUT}, {}
    if op == "init":
        states["like"], state = new, memory.init(new)
    else:
        number = header["state"]
        if number not in states:
            found = {name[6:]: x for name, x in tensors.items() if name.startswith("state.")} | header["numbers"]
            states[number] = rebuild(memory.init(_like(new, q, found)), lambda name, _: found.get(name))
            lost = set(found) - set(dict(leaves(states[number])))
            if lost:
                raise EntryError(f"The state must have the same parts from init on; later it also had {sorted(lost)}.")
        state = states[number]
    if op == "read":
        also = ({} if new is None else {"new": new}) | ({"lse": True} if header["lse"] else {})
        out = memory.read(state, q, **also)
        return {}, dict(zip(("out", "lse"), out, strict=True)) if header["lse"] else {"out": out}
    if op == "slots":
        kv = memory.slots(state)
        return {}, {"k": kv.k, "v": kv.v}
    if op == "update":
        state = updated(memory, state, new, q)
    states[header["makes"]] = state
    found = dict(leaves(state))
    numbers = {name: x for name, x in found.items() if not isinstance(x, torch.Tensor)}
    return {"numbers": numbers}, {name: x for name, x in found.items() if isinstance(x, torch.Tensor)}


def _like(new: KV | None, q, found: dict) -> KV:
    """Pairs that tell shapes: those that came, or, for a read, none of the width of the queries."""
    if new is not None:
        return new.empty()
    width = q.shape[-1] if q is not None else 1
    some = q if q is not None else next((x for x in found.values() if isinstance(x, torch.Tensor)), torch.zeros(1, 1))
    none = some.new_zeros(*some.shape[:-2], 0, width)
    return KV(none, none)


def _plain(x):
    return x if x is None or isinstance(x, (bool, int)) else True


def _sentence(error: BaseException, name: str) -> str:
    if isinstance(error, EntryError):
        return str(error)
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else line
    where = f"Line {line}: " if line else ""
    return f"{where}{type(error).__name__}: {str(error)[:300]}"


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
