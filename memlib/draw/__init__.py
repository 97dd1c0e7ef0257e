"""Arrays in, plotly figures out. Nothing here computes a memory, and nothing shows itself.

Two pictures are never confused: the recipe (what a slot holds: slots x tokens) and the view (what a query
receives: queries x tokens). `film` and `moment` show both, step by step. `alt(fig)` says what a figure shows.
"""

from memlib.draw.bar_chart import bars
from memlib.draw.difference import compare
from memlib.draw.fact_film import dye
from memlib.draw.heat_maps import influence, reach, recipe, view
from memlib.draw.lines import curves, predict_then
from memlib.draw.matrix_film import matrices
from memlib.draw.memories_film import memories
from memlib.draw.plane_film import space
from memlib.draw.score_table import board
from memlib.draw.slot_film import film, moment
from memlib.draw.strips_film import abreast
from memlib.draw.style import alt, label, token_colors
from memlib.draw.tensors import keys
from memlib.draw.vectors import arrows

__all__ = [
    "abreast",
    "alt",
    "arrows",
    "bars",
    "board",
    "compare",
    "curves",
    "dye",
    "film",
    "influence",
    "keys",
    "label",
    "matrices",
    "moment",
    "predict_then",
    "reach",
    "recipe",
    "memories",
    "space",
    "token_colors",
    "view",
]
