"""A small byte-level language model in which every layer reads through a memory that is handed to it.

    x <- x + W_o Att(q, Mem),   x <- x + FFN(x)          Att(q, Mem), Mem = Update(S_kv, Mem_pre)

A decoder-only transformer (Vaswani et al. 2017, arXiv 1706.03762) with norms in front, rotary positions
and a short convolution (`layers.py`). Nothing in it knows which memory it reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from memlib.errors import a_number, kind, of_kind, whole
from memlib.holding import at, modules, own
from memlib.kv import KV
from memlib.lm.layers import Block, InCache, turn, turns
from memlib.lm.streaming import follow, opened
from memlib.memories.full import Full
from memlib.memory import a_memory
from memlib.replay import attend_all

POSITIONS = ("absolute", "cache", "none")
BYTES = 256
WHOLE_NUMBERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


@dataclass(frozen=True)
class Config:
    """Sizes of the model. dim: width of the stream; heads: dim / heads numbers a key; conv: bytes it spans.

    rotary: share of a key that is turned by its position, 0 to 1.
    """

    dim: int = 128
    layers: int = 3
    heads: int = 4
    conv: int = 4
    rotary: float = 1.0

    def __post_init__(self):
        for name in ("dim", "layers", "heads", "conv"):
            whole(f"Config: {name}", getattr(self, name), 1)
        a_number("Config: rotary", self.rotary, 0, 1)
        if self.dim % (2 * self.heads):
            raise ValueError(f"Config: dim must be a multiple of 2 * heads = {2 * self.heads}, got {self.dim}")


class State(NamedTuple):
    """What streaming carries from byte to byte. A value: `step` gives a new one and leaves this as it was."""

    memories: tuple  # a layer's memory and the part of its segment that is still open (memlib.lm.streaming)
    tails: tuple  # a layer's last conv - 1 inputs of the convolution, [b, conv - 1, 3 dim]
    position: int  # bytes seen


class LanguageModel(nn.Module):
    """Bytes in, the next byte's logits out; what lies between is read from `memory`.

    memory: one for all layers (a layer gets its own copy of learned parts), or a list, one a layer.
    positions: "absolute": q and k are turned by the byte's position before the memory sees them;
        "cache": unturned keys are stored and turned at each read by their place in the memory (only
        memories with softmax = True); "none": not turned at all.
    Raises ValueError for other positions, or a list of the wrong length.

    >>> model = LanguageModel(Config(dim=32, layers=2))
    >>> model(torch.tensor([list(b"abc")])).shape
    torch.Size([1, 3, 256])
    """

    blocks: Any  # an nn.ModuleList of Block, of whose parts torch's types know no more than that they are modules

    def __init__(self, config: Config = Config(), memory=None, positions: str = "absolute"):  # noqa: B008
        super().__init__()
        self.config = of_kind("LanguageModel: config", config, Config, "a Config")
        self.embed = nn.Embedding(BYTES, config.dim)
        self.blocks = nn.ModuleList(
            Block(config.dim, config.heads, config.conv, config.layers) for _ in range(config.layers)
        )
        self.norm = nn.RMSNorm(config.dim)
        self.head = nn.Linear(config.dim, BYTES, bias=False)
        nn.init.normal_(self.embed.weight, std=0.1)
        nn.init.normal_(self.head.weight, std=0.02)
        self._take(memory if memory is not None else Full(), positions)

    def _take(self, memory, positions: str) -> None:
        if positions not in POSITIONS:
            raise ValueError(f"positions must be one of {', '.join(POSITIONS)}, got {positions!r}")
        layers = self.config.layers
        many = isinstance(memory, (list, tuple))
        each = list(memory) if many else [own(_memory(memory)) for _ in range(layers)]
        for one in each:
            _memory(one)
        if len(each) != layers:
            raise ValueError(f"memory: wanted one, or a list of {layers} (one a layer), got {len(each)}")
        self.memory, self.positions = memory, positions
        turned = [InCache(one, self.config.rotary) for one in each] if positions == "cache" else each
        self.memories: tuple[Any, ...] = tuple(turned)
        self.learned = nn.ModuleList(part for one in each for part in modules(one))

    def reading(self, memory, positions: str | None = None) -> LanguageModel:
        """The same weights (shared, not copied), read through another memory.

        What a memory has learned on another device is copied to the model's.
        """
        view = LanguageModel.__new__(LanguageModel)
        nn.Module.__init__(view)
        view.config = self.config
        for name in ("embed", "blocks", "norm", "head"):
            setattr(view, name, getattr(self, name))
        device, each = self.embed.weight.device, memory if isinstance(memory, (list, tuple)) else [memory]
        moved = [at(one, device) for one in each]
        view._take(moved if each is memory else moved[0], positions or self.positions)
        return view.train(self.training)

    def _layers(self, tokens: Tensor, tails, position: int, read) -> tuple[Tensor, list[Tensor]]:
        """Runs all layers; `read(layer, q, kv)` is the only place where a memory comes in."""
        x = self.embed(_checked(tokens))
        places = torch.arange(position, position + tokens.shape[1], device=x.device)
        by, new = None, []
        for layer, block in enumerate(self.blocks):
            q, k, v, tail = block.heads_of(x, block.tail(len(x)) if tails is None else tails[layer])
            if self.positions == "absolute":
                by = turns(places, q.shape[-1], q.dtype, self.config.rotary) if by is None else by
                q, k = turn(q, by), turn(k, by)
            x = block.add(x, read(layer, q, KV(k, v)))
            new.append(tail)
        return self.head(self.norm(x)), new

    def forward(self, tokens: Int[Tensor, "b t"]) -> Float[Tensor, "b t 256"]:
        """Logits of the byte after each byte, the whole sequence at once from the empty memory."""
        return self._layers(tokens, None, 0, lambda i, q, kv: attend_all(self.memories[i], q, kv))[0]

    def init(self, batch: int = 1) -> State:
        """The state before the first byte: empty memories."""
        whole("init: batch", batch, 1)
        weight, c = self.embed.weight, self.config
        kind = weight.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        none = weight.new_zeros(batch, c.heads, 0, c.dim // c.heads, dtype=dtype)
        memories = tuple(opened(memory, KV(none, none)) for memory in self.memories)
        return State(memories, tuple(block.tail(batch).detach() for block in self.blocks), 0)

    def step(self, tokens: Int[Tensor, "b n"], state: State) -> tuple[Float[Tensor, "b n 256"], State]:
        """The next n bytes from `state` on: their logits, and the state behind them."""
        of_kind("step: state", state, State, "of init or step")
        if len(_checked(tokens)) != len(state.tails[0]):
            raise ValueError(f"step: state is of {len(state.tails[0])} rows, tokens of {len(tokens)}")
        held = list(state.memories)

        def read(layer, q, kv):
            held[layer], out = follow(self.memories[layer], held[layer], q, kv)
            return out

        logits, tails = self._layers(tokens, state.tails, state.position, read)
        return logits, State(tuple(held), tuple(tails), state.position + tokens.shape[1])

    @torch.no_grad()
    def qkv(self, tokens: Int[Tensor, "b t"]) -> list[tuple[Tensor, KV]]:
        """For each layer what is handed to its memory: q [b, heads, t, d], and keys and values as a KV."""
        seen = []

        def read(layer, q, kv):
            seen.append((q, kv))
            return attend_all(self.memories[layer], q, kv)

        self._layers(tokens, None, 0, read)
        return seen

    @torch.no_grad()
    def generate(self, prompt: bytes, n: int, temperature: float = 0.0, generator=None) -> bytes:
        """The n bytes after `prompt`, byte by byte; temperature 0 takes the likeliest, a generator seeds it."""
        if not isinstance(prompt, (bytes, bytearray)) or not prompt:
            raise ValueError(f"generate: prompt must be bytes, at least one, got {prompt!r}")
        n, temperature = whole("generate: n", n, 0), a_number("generate: temperature", temperature)
        if generator is not None:
            of_kind("generate: generator", generator, torch.Generator, "a torch.Generator")
        device, out = self.embed.weight.device, bytearray()
        logits, state = self.step(torch.tensor([list(prompt)], device=device), self.init(1))
        for _ in range(n):
            last = logits[0, -1].float().cpu()
            if temperature:
                byte = torch.multinomial(torch.softmax(last / temperature, -1), 1, generator=generator)
            else:
                byte = last.argmax()
            out.append(int(byte))
            logits, state = self.step(torch.tensor([[int(byte)]], device=device), state)
        return bytes(out)


def _memory(x) -> Any:
    """x, with the four methods, or with `attend_all` where nothing is streamed."""
    whole_only = not isinstance(x, type) and callable(getattr(x, "attend_all", None))
    return x if whole_only else a_memory("LanguageModel: memory", x)


def _checked(tokens: Tensor) -> Tensor:
    if not isinstance(tokens, Tensor) or tokens.dtype not in WHOLE_NUMBERS or tokens.dim() != 2:
        raise ValueError(f"tokens must be whole numbers [b, t], got {kind(tokens)}")
    if tokens.shape[1] == 0:
        raise ValueError(f"tokens: wanted at least one byte a row, got shape {list(tokens.shape)}")
    if tokens.dtype != torch.uint8 and (int(tokens.min()) < 0 or int(tokens.max()) > 255):
        raise ValueError(f"tokens must be bytes 0 ... 255, got {int(tokens.min())} ... {int(tokens.max())}")
    return tokens.long()
