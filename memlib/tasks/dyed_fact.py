"""A fact early in a stream, small talk, the question: does the model still answer, and where is the fact?"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from memlib.errors import of_kind, whole
from memlib.kv import KV
from memlib.lm import data, facts
from memlib.lm.facts import Stream
from memlib.lm.weights import answering
from memlib.memory import promises
from memlib.replay import attend_all, walk
from memlib.state import state_bytes


@dataclass(frozen=True, eq=False)
class OneFact:
    """What `one_fact` saw.

    text: what was read, up to the place of the answer; fact_span: where the fact stands in it (bytes).
    answer, said: the right answer, and what the model says (greedy, as many bytes); p: the probability the
    model gives to the whole right answer.
    recipe_dye, view_dye: [layers, bytes], the fact's dye after each byte: how much of the fact the slots
    still hold (1: all of it; for a matrix memory the length of the fact's part of the matrix, 1 when it has just
    been read), how much of its attention each byte's query gives to the fact (mean over heads). Both are None for
    a memory that is not linear in its values.
    state_bytes: bytes of all layers' states after each byte [bytes]; seconds_per_byte: of streaming. Read at once, the
    bytes are those after the last byte alone, and the time of one is NaN.
    """

    text: str
    fact_span: tuple[int, int]
    answer: str
    said: str
    p: float
    recipe_dye: Tensor | None
    view_dye: Tensor | None
    state_bytes: list[int]
    seconds_per_byte: float

    @property
    def right(self) -> bool:
        """Whether the model said the right answer."""
        return self.said == self.answer


@torch.no_grad()
def one_fact(
    memory, distance: int = 150, seed: int = 0, model=None, positions=None, stream=None, at_once: bool = False
) -> OneFact:
    """Reads a fact, `distance` bytes of other talk, and the question, through `memory` in every layer.

    memory: any memory, also a learner's own. distance: bytes between fact and question, >= 1.
    model: a language model that answers questions (default: lm.load("facts")). stream: one of your own,
    `facts.stream(distance, own=facts.Fact(...))`, in the place of the one drawn by the seed, whose value and
    wording training has never seen. at_once: the text is read as one prompt, which is quick, not byte by byte.
    Raises ValueError for a distance that is no whole number >= 1.
    """
    whole("one_fact: distance", distance, 1)
    whole("one_fact: seed", seed, 0)
    model = answering("one_fact", model).reading(memory, positions)
    stream = facts.stream(distance, seed) if stream is None else of_kind("one_fact: stream", stream, Stream, "a Stream")
    tokens = data.as_bytes(stream.prompt)[None].long().to(model.embed.weight.device)
    logits, state, sizes, seconds = _prompt(model, tokens) if at_once else _stream(model, tokens)
    said, p = _answer(model, logits, state, stream.answer)
    recipe_dye, view_dye = _dye(model, tokens, stream.fact_span)
    text, span = stream.prompt.decode(), stream.fact_span
    return OneFact(text, span, stream.answer, said, p, recipe_dye, view_dye, sizes, seconds)


def _stream(model, tokens: Tensor):
    state, sizes, begin = model.init(1), [], time.perf_counter()
    for t in range(tokens.shape[1]):
        logits, state = model.step(tokens[:, t : t + 1], state)
        sizes.append(sum(map(state_bytes, state.memories)))
    return logits, state, sizes, (time.perf_counter() - begin) / tokens.shape[1]


def _prompt(model, tokens: Tensor):
    logits, state = model.step(tokens, model.init(1))
    return logits, state, [sum(map(state_bytes, state.memories))], math.nan


def _answer(model, logits: Tensor, state, right: str) -> tuple[str, float]:
    """What the model says, greedy, and the probability of the whole right answer (each byte given the last)."""
    wanted, said, p, device = right.encode(), bytearray(), 1.0, logits.device
    told, told_state = logits, state
    for byte in wanted:
        p *= torch.softmax(told[0, -1], -1)[byte].item()
        told, told_state = model.step(torch.tensor([[byte]], device=device), told_state)
    for _ in wanted:
        said.append(int(logits[0, -1].argmax()))
        logits, state = model.step(torch.tensor([[said[-1]]], device=device), state)
    return said.decode(errors="replace"), p


def _dye(model, tokens: Tensor, span: tuple[int, int]) -> tuple[Tensor | None, Tensor | None]:
    """Marks the fact's bytes: their value is 1, all others' 0; then what slots hold and reads receive is dye.

    Slots of a memory of pairs hold shares of bytes, which are added. The rows of a matrix do not: there it is the
    length of the fact's part of the matrix, beside that when the fact had just been read.
    """
    mark = torch.zeros(tokens.shape[1], 1, device=tokens.device)
    mark[span[0] : span[1]] = 1.0
    held, seen = [], []
    for memory, (q, kv) in zip(model.memories, model.qkv(tokens), strict=True):
        if not promises(memory).linear_in_values:
            return None, None
        dyed = KV(kv.k, mark.expand(*kv.k.shape[:-1], 1))
        slots = [memory.slots(mem).v for mem, _ in walk(memory, q, dyed)]
        if not promises(memory).rows:
            sums = torch.stack([v.sum((-2, -1)).mean() for v in slots])
            held.append(_byte_by_byte(sums, mark[:, 0], promises(memory).segment) / (span[1] - span[0]))
        else:
            long = torch.stack([v.norm(dim=(-2, -1)).mean() for v in slots])
            held.append(long / long[span[1] - 1])
        seen.append(attend_all(memory, q, dyed).mean((0, 1, 3)))
    return torch.stack(held).cpu(), torch.stack(seen).cpu()


def _byte_by_byte(sums: Tensor, mark: Tensor, segment: int | None) -> Tensor:
    """The dye after each byte, from that of each state: within a segment its own bytes stand beside the old state."""
    if segment is None:
        return sums
    before = torch.cat([sums.new_zeros(1), sums])[: len(sums)].repeat_interleave(segment)[: len(mark)]
    held = before + torch.cat([part.cumsum(0) for part in mark.split(segment)])
    held[segment - 1 :: segment] = sums[: len(mark) // segment]  # a full segment has moved the queues
    return held
