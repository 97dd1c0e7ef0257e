"""Memory mechanisms for attention: Att(q, Mem), Mem = Update(S_kv, Mem_pre)."""

from memlib import fast as fast  # fills the tables of quick forms
from memlib.attention import attend, merge
from memlib.checking import check
from memlib.kv import KV, join
from memlib.memories.compressive import Compressive
from memlib.memories.cumulative import CumulativeAverage
from memlib.memories.delta import DeltaRule
from memlib.memories.exponential import ExponentialAverage
from memlib.memories.full import Full
from memlib.memories.gated import Gated
from memlib.memories.gated_delta import GatedDelta
from memlib.memories.hybrid import Hybrid
from memlib.memories.joint import Joint
from memlib.memories.knn import KNN
from memlib.memories.ladder import Ladder
from memlib.memories.linear import LinearAttention
from memlib.memories.moving import MovingAverage
from memlib.memories.recurrent import Recurrent
from memlib.memories.weighted import WeightedAverage
from memlib.memories.window import Window
from memlib.memory import Memory, promises
from memlib.parts.conv_pool import ConvPool
from memlib.parts.dilated_pool import DilatedPool
from memlib.parts.gates import Gate, HeadGate, VectorGate
from memlib.parts.losses import Unpool, attention_reconstruction, auto_encoding
from memlib.parts.max_pool import MaxPool
from memlib.parts.mean_pool import MeanPool
from memlib.parts.most_used import MostUsed
from memlib.parts.weights import Positive
from memlib.probe import influence, recipe, view
from memlib.replay import attend_all, outputs, states, walk
from memlib.state import state_bytes

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
    "Gate",
    "Gated",
    "GatedDelta",
    "HeadGate",
    "Hybrid",
    "Joint",
    "Ladder",
    "LinearAttention",
    "MaxPool",
    "MeanPool",
    "Memory",
    "MostUsed",
    "MovingAverage",
    "Positive",
    "Recurrent",
    "Unpool",
    "VectorGate",
    "WeightedAverage",
    "Window",
    "attend",
    "attend_all",
    "attention_reconstruction",
    "auto_encoding",
    "check",
    "influence",
    "join",
    "merge",
    "outputs",
    "promises",
    "recipe",
    "state_bytes",
    "states",
    "view",
    "walk",
]
