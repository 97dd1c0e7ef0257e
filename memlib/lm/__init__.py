"""A small byte-level transformer whose every layer reads through a memory: `load("stdlib", memory=Window(8))`."""

from memlib.lm.facts import Fact, Stream, stream
from memlib.lm.model import Config, LanguageModel, State
from memlib.lm.weights import card, load, names

__all__ = ["Config", "Fact", "LanguageModel", "State", "Stream", "card", "load", "names", "stream"]
