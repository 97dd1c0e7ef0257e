"""Makes docs/window.png, the README's picture: `python docs/window.py` (needs kaleido and Chromium)."""

from pathlib import Path

from memlib import Window, draw, lm, recipe, tasks, view

text = "def newest(pairs): return pairs[-4:]"
q, k, _ = tasks.heads(lm.load("stdlib"), text, layer=1, head=2)
memory = Window(6)
figure = draw.moment(recipe(memory, k), list(text), views=view(memory, q, k), step=18, title="A window of 6 reads")
figure.update_layout(paper_bgcolor="white").write_image(Path(__file__).with_suffix(".png"), scale=1.5)
