"""Memory mechanisms for attention: Att(q, Mem), Mem = Update(S_kv, Mem_pre)."""

from memlib.averages import CumulativeAverage, ExponentialAverage, MovingAverage, WeightedAverage
from memlib.check import check
from memlib.combine import Gated, HeadGate, Joint, VectorGate
from memlib.compress import ConvPool, DilatedPool, MaxPool, MeanPool, MostUsed
from memlib.full import Full
from memlib.hybrid import Compressive, Hybrid
from memlib.knn import KNN
from memlib.kv import KV, attend, join, merge
from memlib.probe import influence, recipe, view
from memlib.recurrent import DeltaRule, GatedDelta, LinearAttention, Recurrent
from memlib.replay import attend_all, outputs, states, walk
from memlib.state import state_bytes
from memlib.window import Window

__all__ = [
    "KNN",
    "KV",
    "Compressive",
    "ConvPool",
    "CumulativeAverage",
    "DeltaRule",
    "DilatedPool",
    "ExponentialAverage",
    "Full",
    "Gated",
    "GatedDelta",
    "HeadGate",
    "Hybrid",
    "Joint",
    "LinearAttention",
    "MaxPool",
    "MeanPool",
    "MostUsed",
    "MovingAverage",
    "Recurrent",
    "VectorGate",
    "WeightedAverage",
    "Window",
    "attend",
    "attend_all",
    "check",
    "influence",
    "join",
    "merge",
    "outputs",
    "recipe",
    "state_bytes",
    "states",
    "view",
    "walk",
]
