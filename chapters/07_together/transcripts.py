"""Prints what the answering model says in every dialogue of the exercise's transcripts, healthy and with each fault."""

import torch
from draws import CHATS, REPLIES, told

from memlib import KNN, Gated, Joint, Window, lm, stores
from memlib.lm import data

BOOK = {
    "tower code": "81964",
    "router password": "harbour",
    "lecture": "at 9:35",
    "compass": "in the yellow basket",
    "shed code": "2750",
    "phone password": "ginger",
    "rehearsal": "at 18:10",
    "flute": "in the broken crate",
}


def library(answers):
    """The book's pairs in the layer that looks things up (1): one store a head."""
    text = "".join(f"The {thing} is {value}. " for thing, value in BOOK.items())
    _, pairs = answers.qkv(data.as_bytes(text)[None].long())[1]
    filled = [stores.open(":memory:", dim=32) for _ in range(4)]
    for head, store in enumerate(filled):
        store.add(pairs.k[0, head], pairs.v[0, head])
    return filled


def replies(reader, turns):
    """A dialogue, really had: the answers stay in it."""
    so_far, said = "", []
    for turn in turns:
        if not turn.endswith("?"):
            so_far += f"{turn} "
            continue
        so_far += f"Question: {turn} Answer: "
        said.append(reader.generate(so_far.encode(), 14).decode(errors="replace").split(".")[0])
        so_far += f"{said[-1]}. "
    return tuple(said)


@torch.no_grad()
def main():
    answers = lm.load("facts")
    filled, local, short = library(answers), Window(600), Window(60)
    book, turned = KNN(32, store=filled), KNN(32, store=filled[1:] + filled[:1])
    empty = KNN(32, store=[stores.open(":memory:", dim=32) for _ in range(4)])
    built = {
        "healthy": (local, Joint(local, book)),
        "a": (local, Joint(local, empty)),
        "b": (local, Joint(local, turned)),
        "c": (short, Joint(short, book)),
        "d": (local, Gated(local, book, gate_memory=0.8)),
    }
    for fault, (near, both) in built.items():
        for chat, turns in CHATS.items():
            said = replies(answers.reading([near, both, near]), turns)
            other = REPLIES.get((fault, chat), said) != said
            print(f"{fault}, {chat}{', NOT as recorded' if other else ''}: {said}\n{told(chat, said)}\n")


if __name__ == "__main__":
    main()
