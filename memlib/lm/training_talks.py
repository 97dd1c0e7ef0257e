"""What the answering model is trained on: talks in which facts are stated, changed and asked for, and real text.

A talk fills a row of any length; facts are stated at any time, asked once, some of them at once, some
much later, some after they changed. Bytes of an answer weigh more than the rest, drawn digits less.
"""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import torch
from torch import Tensor

from memlib.lm import data, paraphrases
from memlib.lm.facts import ANSWER, ASK, KINDS, Fact, fact, talk
from memlib.lm.words import (
    CITIES,
    NAMES,
    OPENERS,
    SECRETS,
    SMALL_TALK,
    held_out_word,
    held_out_wording,
    name,
    syllables,
    upper,
)

STAGES = ((0.40, 256), (0.20, 512), (0.20, 1024), (0.20, 2048))  # share of the steps, bytes a row
TEXT = 0.1  # share of rows that are pieces of real text
ALIKE = 0.3  # share of talks whose facts are all of one or two kinds: only the subject tells them apart
SPLICED = 0.5  # share of the words that are answers put together from the halves of two, so that no start tells the end
PARAPHRASED = 0.25  # share of statements, and of questions, put together from parts
BARE = 0.5  # share of statements that begin without an opener, so that none is needed to notice a fact
STRANGE = 0.15  # share of statements and questions with words that do not belong there
ORDINARY = sorted({word for line in SMALL_TALK for word in re.findall(r"\b[a-z]+\b", re.sub(r"\{.\}", "", line))})
WORDS = ("pet", "city", "password")  # kinds whose answer is a word
PARTS = [word.lower() for word in SECRETS + NAMES + CITIES if not (held_out_word(word) or held_out_word(word.title()))]
SMALL, LARGE = 0.3, 10.0  # weight of a byte of talk, and of an answer


def spliced(one: Fact, rng: Random) -> Fact:
    """The same fact; half of the time, where its answer is a word, with another word for it, half this, half that."""
    start, end = rng.choice(PARTS), rng.choice(PARTS)
    made = start[: rng.randint(2, 4)] + end[-rng.randint(2, 4) :]
    made = made.title() if one.answer.istitle() else made
    said, found = re.subn(rf"\b{re.escape(one.answer)}\b", made, one.statement)
    if rng.random() >= SPLICED or one.kind not in WORDS or found != 1 or held_out_word(made):
        return one
    return replace(one, statement=said, answer=made)


def paraphrased(one: Fact, rng: Random) -> Fact:
    """The same fact, now and then stated, and now and then asked for, in words put together from parts."""
    owner, _, thing = one.subject.rpartition("'s ")
    fill = {"n": owner or (one.subject if one.kind == "city" else name(rng)), "s": thing, "v": one.answer}
    says, asks = one.statement, one.question
    if rng.random() < PARAPHRASED:
        says = rng.choice(OPENERS) + paraphrases.statement(rng, one.kind).format(**fill)
        says = says if says.startswith(one.answer) else upper(says)
    if rng.random() < PARAPHRASED:
        asks = paraphrases.question(rng, one.kind).format(**fill)
    return replace(one, statement=says, question=asks)


def bare(one: Fact, rng: Random) -> Fact:
    """The same fact, half of the time without its opener."""
    opener = max((opener for opener in OPENERS if one.statement.startswith(opener)), key=len)
    if not opener or rng.random() >= BARE:
        return one
    says = one.statement[len(opener) :]
    return replace(one, statement=says if says.startswith(one.answer) else upper(says))


def strange(sentence: str, about: Fact, rng: Random) -> str:
    """The sentence, now and then with up to three words swapped or put in, made up or out of small talk: never
    in the answer or the subject. So wordings that nobody has seen are met in training."""
    if rng.random() >= STRANGE:
        return sentence
    answer, subject = (set(re.findall(r"\w+", text.lower())) for text in (about.answer, about.subject))
    words = sentence.split(" ")
    for _ in range(rng.randint(1, 3)):
        each = [set(re.findall(r"\w+", word.lower())) for word in words]
        fixed = [bool(some & (answer | subject)) for some in each]
        word = syllables(rng) if rng.random() < 0.5 else rng.choice(ORDINARY)
        if rng.random() < 0.4:  # put in: not inside the subject, nor beside the answer, where it could be one itself
            beside = {i for i, some in enumerate(each) if some & answer}
            beside |= {i + 1 for i in beside} | {i for i in range(1, len(words)) if fixed[i] and fixed[i - 1]}
            if gaps := [i for i in range(len(words)) if i not in beside]:
                words.insert(rng.choice(gaps), word)
        elif free := [i for i in range(len(words)) if not fixed[i]]:
            i = rng.choice(free)
            end = re.sub(r".*\w", "", words[i])
            words[i] = (word.title() if words[i].istitle() else word) + end
    made = " ".join(words)
    return sentence if held_out_wording(about.kind, made) else made


def conversation(length: int, rng: Random, text: Tensor | None = None) -> tuple[bytes, list[tuple[int, int]]]:
    """`length` bytes of talk, and the spans of the answers in it. `text`: real text some of it is filled with."""
    out, spans, open_facts = bytearray(), [], {}
    dense, real = rng.uniform(0.15, 0.75), 0.3 if text is not None and rng.random() < 0.2 else 0.0
    asked = dense * rng.random() ** 2  # so that many facts stand open at once
    far, early = rng.random() < 0.8, length * rng.uniform(0.05, 1.0)  # facts, then talk, questions at the end
    kinds = rng.sample(KINDS, rng.randint(1, 2)) if rng.random() < ALIKE else KINDS
    out += (talk(rng) + " ").encode() if rng.random() < 0.7 else b""
    while len(out) < length:
        late = length - len(out) < 75 * len(open_facts)
        if open_facts and (late or (not far and rng.random() < asked)):
            one = open_facts.pop(rng.choice(list(open_facts)))
            out += (ASK + strange(one.question, one, rng) + ANSWER).encode()
            spans.append((len(out), len(out) + len(one.answer) + 1))
            out += (one.answer + ". ").encode()
        elif rng.random() < (dense * 0.3 if far and len(out) > early else dense) or not (spans or open_facts):
            one = fact(rng, rng.choice(kinds), rebound=rng.random() < 0.25)
            one = bare(paraphrased(spliced(one, rng), rng), rng)
            if one.before:
                out += (one.before + " " + (talk(rng) + " " if rng.random() < 0.5 else "")).encode()
            out += (strange(one.statement, one, rng) + " ").encode()
            key = (one.kind, one.subject)
            open_facts.pop(key, None)
            open_facts[key] = one
        elif rng.random() < real and text is not None:
            start, n = rng.randrange(len(text) - 400), rng.randint(60, 400)
            out += bytes(text[start : start + n].tolist()) + b" "
        elif rng.random() < 0.1:
            out += b"H" + b"m" * rng.randint(1, 50) + b". "
        else:
            out += (talk(rng) + " ").encode()
    return bytes(out[:length]), [(a, min(b, length)) for a, b in spans if a < length]


def mixed(text: Tensor):
    """A source for `train`: TEXT of the rows are real text, the rest talks with weighted answers."""

    def draw(length: int, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rng = Random(int(torch.randint(2**62, (1,), generator=generator)))
        real = int(rows * TEXT + rng.random())  # on average so many
        tokens = [data.batch(text, length, real, generator)] if real else []
        weight = torch.ones(rows, length)
        for row in range(real, rows):
            talked, spans = conversation(length + 1, rng, text)
            tokens.append(data.as_bytes(talked).long()[None])
            weight[row] = SMALL
            for start, end in spans:
                weight[row, start - 1 : end - 1] = LARGE
        return torch.cat(tokens), weight

    return draw
