"""Streams with one fact early, small talk, and the question at the end: does it still know?

Everything is drawn from seeds. A sixth of the values (by hash) and some wordings of statements and
questions are held out: training never shows them, figures are measured on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from memlib.errors import a_number, of_kind, whole
from memlib.lm import words
from memlib.lm.words import WORDINGS, talk

KINDS = tuple(WORDINGS)
ASK, ANSWER = "Question: ", " Answer: "


@dataclass(frozen=True)
class Fact:
    """A sentence that states something, the question that asks for it, and the answer.

    >>> Fact("The door code is 4711.", "what is the door code?", "4711").kind
    'own'

    Raises ValueError where a part is empty, or the sentence does not hold the answer.
    """

    statement: str
    question: str
    answer: str
    kind: str = "own"
    subject: str = ""
    before: str = ""  # how an older, no longer true value was stated; "" where the fact never changed

    def __post_init__(self):
        for name in ("statement", "question", "answer"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise ValueError(f"Fact: {name} must be some text, got {getattr(self, name)!r}")
        for name in ("kind", "subject", "before"):
            of_kind(f"Fact: {name}", getattr(self, name), str, "text")
        if self.answer not in self.statement:
            raise ValueError(f"Fact: statement must hold the answer {self.answer!r}, got {self.statement!r}")


@dataclass(frozen=True)
class Stream:
    """A text that ends in the answer. Spans are byte offsets (start, end), end not included."""

    text: bytes
    fact: Fact
    fact_span: tuple[int, int]
    question_span: tuple[int, int]  # from "Question:" to the byte before the answer
    answer_span: tuple[int, int]  # the answer alone; text[start - 1 : end - 1] are the bytes that predict it

    @property
    def prompt(self) -> bytes:
        """The stream up to its answer."""
        return self.text[: self.answer_span[0]]

    @property
    def answer(self) -> str:
        """What is right."""
        return self.fact.answer

    @property
    def distance(self) -> int:
        """Bytes between the end of the fact and the start of the question."""
        return self.question_span[0] - self.fact_span[1]


def fact(seed: int | Random = 0, kind: str | None = None, new: bool = False, rebound: bool = False) -> Fact:
    """A fact of one of KINDS (None: drawn). new: held-out value and wordings. rebound: it replaces an older one.

    >>> fact(3, "code").question
    'what is the library code?'
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"fact: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    rng = seed if isinstance(seed, Random) else Random(f"fact {seed}")
    kind = kind or rng.choice(KINDS)
    name = words.name(rng)
    subject = words.subject(rng, kind)
    key = f"{name}'s {subject}" if kind in ("number", "pet") else name if kind == "city" else subject
    return _state(rng, kind, name, subject, key, new, rebound)


def _state(rng: Random, kind: str, name: str, subject: str, key: str, new: bool, rebound: bool) -> Fact:
    says, says_new, asks, asks_new = WORDINGS[kind]
    old, value = words.value(rng, kind, subject, new), words.value(rng, kind, subject, new)
    if rebound:
        say = rng.choice(says[-2:] if rng.random() < 0.8 else says[:-2])
    else:
        say = rng.choice(says_new if new else says[:-2])
    opener = rng.choice(words.OPENERS_HELD_OUT + [""] if new else words.OPENERS)
    fill = {"n": name, "s": subject}
    statement = words.upper(opener + say.format(v=value, **fill))
    question = rng.choice(asks_new if new else asks).format(**fill)
    before = words.upper(rng.choice(says[:-2]).format(v=old, **fill)) if rebound and old != value else ""
    return Fact(statement, question, value, kind, key, before)


def filler(length: int, rng: Random, about: Fact, distractors: float = 0.25) -> str:
    """Exactly `length` bytes of small talk: a share `distractors` of the sentences are facts about other things."""
    if length < 5:
        return " " * length
    out, tries = " ", 0
    while tries < 10:
        other = fact(rng) if rng.random() < distractors else None
        if other is None or other.subject.lower() in (about.statement + about.question).lower():
            sentence = talk(rng) + " "
        else:
            sentence = other.statement + " "
        fits = len(out) + len(sentence) + 4 <= length
        out, tries = (out + sentence, 0) if fits else (out, tries + 1)
    return out + "H" + "m" * (length - len(out) - 3) + ". "


def stream(
    distance: int,
    seed: int = 0,
    kind: str | None = None,
    new: bool = True,
    rebound: bool = False,
    own: Fact | None = None,
    distractors: float = 0.25,
    before: int | None = None,
) -> Stream:
    """A fact, `distance` bytes of small talk (a share of it facts about other things), the question, the answer.

    distance: bytes from the end of the fact to the question, >= 1. new: held-out values and wordings.
    rebound: an older value of the same thing stands before it, so that the newest counts.
    own: a fact of your own instead of a drawn one. before: bytes of the same talk in front of the fact (None: some
    20 to 80 of small talk).

    >>> stream(40, seed=1, own=Fact("The door code is 4711.", "what is the door code?", "4711")).prompt[-40:]
    b'Question: what is the door code? Answer: '
    """
    whole("stream: distance", distance, 1)
    a_number("stream: distractors", distractors, 0, 1)
    if own is not None:
        of_kind("stream: own", own, Fact, "a Fact")
    if kind is not None and own is not None:
        raise ValueError(f"stream: give kind or own, not both; got kind={kind!r} and own={own!r}")
    new, rebound = bool(new), bool(rebound)
    rng = Random(f"stream {seed}")
    one = own if own is not None else fact(rng, kind, new, rebound)
    if before is None:
        head = filler(rng.randint(20, 80), rng, one, 0).lstrip()
    else:
        whole("stream: before", before, 0)
        head = filler(before, rng, one, distractors)
    if one.before:
        head += one.before + filler(rng.randint(20, 80), rng, one, distractors)
    texts = [head, one.statement, filler(distance, rng, one, distractors), ASK + one.question + ANSWER, one.answer]
    ends, at = [], 0
    for text in texts:
        at += len(text.encode())
        ends.append(at)
    text = ("".join(texts) + ".").encode()
    return Stream(text, one, (ends[0], ends[1]), (ends[2], ends[3]), (ends[3], ends[4]))
