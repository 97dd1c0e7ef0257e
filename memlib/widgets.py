"""Knobs, players, sketches and questions of the lessons. The only file that imports ipywidgets.

Every control has a visible label and works from the keyboard (Tab to it, then the arrows, space or enter). Pictures
come from the functions of `draw`, at most ten times a second, each with its sentence beneath as readable text.
Callbacks read finished arrays only. An error is shown in the widget and raised on.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import html
import re
import time
from functools import lru_cache
from typing import Any

import ipywidgets as ipw
import numpy as np
import plotly.graph_objects as go

from memlib import draw
from memlib.draw import style
from memlib.picture import Picture
from memlib.probe import recipe, view

WIDE, AUTO, LONG = {"description_width": "initial"}, {"width": "auto", "align_self": "flex-start"}, {"width": "560px"}
FACT = "The door code is 4711. What a week it was. Question: what is the door code? Answer: "
LATER = {"style": WIDE, "layout": LONG, "continuous_update": False}  # for what takes a second


class Panel(ipw.VBox):
    """A box that gives the knobs in it by name; what else it gives, the function that makes it says."""

    controls: dict[str, Any]


def knob(make_figure, **controls) -> Panel:
    """A picture and the controls that change it: `make_figure(**values) -> go.Figure`, always of the same traces.

    controls: name=(low, high[, start[, step]]) a slider, name=[a, b, ...] a choice, name=True a tick box,
    name="text" a line to type in.
    The box has `.controls` {name: widget}, `.figure` and `.said`.
    """
    boxes = {name: _control(name, given) for name, given in controls.items()}

    def see() -> tuple[go.Figure, str]:
        fig = make_figure(**{name: box.value for name, box in boxes.items()})
        return fig, _spoken(draw.alt(fig))

    figure, said, again = _live(see, *boxes.values())
    calm = calmly(again)
    for box in boxes.values():
        box.observe(calm, "value")
    return _box([*boxes.values(), figure, said], controls=boxes, figure=figure, said=said)


def player(memory, k, q, tokens) -> ipw.VBox:
    """What a memory holds and what its queries receive, step by step, with a knob for its size where it has one.

    memory: the library's or your own; k, q: [n, d]; tokens: n labels.
    """
    n = len(tokens)

    @lru_cache(maxsize=64)
    def traces(size):
        memory_ = memory if size is None else resized(memory, size)
        return recipe(memory_, k, q), view(memory_, q, k)

    def picture(step: int, size=None) -> go.Figure:
        recipes, views = traces(size)
        name = type(memory).__name__ + (f" of {size}" if size is not None else "")
        return draw.moment(recipes, tokens, views, min(step, len(recipes) - 1), title=name)

    size = getattr(memory, "size", None)
    sized = {"size": (1, max(n, size), size)} if isinstance(size, int) else {}
    steps = len(traces(size if sized else None)[0])
    box = knob(picture, step=(0, steps - 1, 0), **sized)
    play = ipw.Play(min=0, max=steps - 1, interval=700, description="play")
    ipw.jslink((play, "value"), (box.controls["step"], "value"))
    box.children = (ipw.HBox([ipw.Label("play the steps"), play]), *box.children)
    return box


def compare(
    *memories, names=None, text: str = FACT, model=None, layer: int = 1, head: int = 3, step: int | None = None
) -> Panel:
    """Two or more memories on one text, one slider: what each still holds, and what the newest query receives.

    memories: the library's or your own; names: of each (default: as they print); text: read byte by byte by one head
    of `model` (default: the model of the facts, in a head that looks facts up); step: the byte it starts at (default:
    the last). The box has `.controls` (step), `.figure` and `.said`.
    Raises ValueError without memories, or where names are not one a memory, or text is empty.
    """
    from memlib import lm, tasks

    names = [repr(memory) for memory in memories] if names is None else list(names)
    if not memories or len(set(names)) != len(memories):
        raise ValueError(f"compare needs memories and another name for each, got {len(memories)} and names {names}")
    if not text:
        raise ValueError("compare: text must have at least one byte, got ''")
    q, k, _ = tasks.heads(lm.load("facts") if model is None else model, text, layer, head)
    seen = {name: (recipe(m, k, q), view(m, q, k)) for name, m in zip(names, memories, strict=True)}
    tokens, last = [bytes([b]) for b in text.encode()], len(k) - 1
    start = last if step is None else step
    return knob(lambda step: draw.abreast(seen, tokens, step), step=(0, last, start))


def resized(memory, size: int):
    """The same memory with another `size`; the given one stays as it is."""
    if dataclasses.is_dataclass(memory) and not isinstance(memory, type):
        return dataclasses.replace(memory, size=size)
    other: Any = copy.copy(memory)
    other.size = size
    return other


def typed(make_figure, text: str, **controls) -> ipw.VBox:
    """A picture of a text that the reader types, beside the controls of a knob."""
    return knob(make_figure, text=text, **controls)


def one_fact(
    memory,
    model=None,
    distance: int = 150,
    statement: str = "The door code is 4711.",
    question: str = "what is the door code?",
) -> ipw.VBox:
    """Does it still know? A fact that the reader types, talk, the question: the model's answer through any memory.

    Enter asks, in any field. What is expected is the last word of the fact, until the reader types another. The box has
    `.controls` (fact, question, expected, distance, size), `.button`, `.figure` and `.said`.
    """
    from memlib import tasks
    from memlib.lm import facts

    boxes = {
        "fact": ipw.Text(value=statement, description="a fact:", style=WIDE, layout=LONG),
        "question": ipw.Text(value=question, description="the question:", style=WIDE, layout=LONG),
        "expected": ipw.Text(
            value=_last_word(statement), description="expected:", style=WIDE, layout={"width": "300px"}
        ),
        "distance": ipw.IntSlider(value=distance, min=20, max=1000, step=10, description="bytes between", **LATER),
    }
    if isinstance(getattr(memory, "size", None), int):
        boxes["size"] = ipw.IntSlider(value=memory.size, min=1, max=1200, description="size of the memory", **LATER)

    def see() -> tuple[go.Figure, str]:
        told, asked, wanted, far, *size = (box.value for box in boxes.values())
        for name, text in (("a fact", told), ("the question", asked), ("expected", wanted)):
            if not text.strip():
                raise Unanswered(f"Type something under '{name}' first.")
        if wanted.strip() not in told:
            raise Unanswered(f"What is expected must stand in the fact: '{wanted.strip()}' does not.")
        own = facts.Fact(told.strip(), asked.strip(), wanted.strip())
        read = resized(memory, *size) if size else memory
        seen = tasks.one_fact(read, distance=far, model=model, stream=facts.stream(far, own=own), at_once=True)
        parts = (seen.recipe_dye, seen.view_dye, seen.text, seen.fact_span)
        dyed = draw.dye(*parts, title="Where the fact is", after=seen.said, still=True)
        return dyed, _told(seen) + f"<p>{html.escape(draw.alt(dyed))}</p>"

    figure, said, again = _live(see, *list(boxes.values())[3:])
    press = ipw.Button(description="Ask", tooltip="Read the text and ask the question", layout=AUTO)
    press.on_click(again)
    for box in list(boxes.values())[:3]:
        box.on_msg(lambda _, content, __: again() if content.get("event") == "submit" else None)  # Enter
    for box in list(boxes.values())[3:]:
        box.observe(again, "value")

    def follow(change) -> None:  # until the reader expects something else
        if boxes["expected"].value == _last_word(change.old):
            boxes["expected"].value = _last_word(change.new)

    boxes["fact"].observe(follow, "value")
    return _box([*boxes.values(), press, said, figure], controls=boxes, button=press, figure=figure, said=said)


def _last_word(text: str) -> str:
    return text.rstrip(".!? ").rpartition(" ")[2]


def _told(fact) -> str:
    mark = "✓ right" if fact.right else f"✗ the fact said {html.escape(fact.answer)}"
    cost = f"{fact.state_bytes[-1] / 1024:,.0f} KB of state"
    odds = f"probability of the right answer {fact.p:.3f}; {len(fact.text.encode())} bytes read"
    answer = f"The model says <b>{html.escape(fact.said)}</b> ({mark})"
    return f'<p role="status" aria-live="polite">{answer}; {odds}; {cost}.</p>'


def detective(seed: int = 0, among: int = 10) -> ipw.VBox:
    """A black box from a seed: latency and view as pictures, questions to ask through it, a guess and the verdict.

    among: how many suspects there are. A wrong guess says no, or that the mechanism is right; with the third one the
    box may be opened.
    The box has `.controls` (seed, evidence, fact, question, distance, mechanism, size), `.ask`, `.guess`, `.figure`,
    `.said` and `.verdict`.
    """
    from memlib.tasks import detective as boxes

    own = {
        "seed": ipw.IntText(value=seed, description="box number", **LATER | {"layout": {"width": "170px"}}),
        "evidence": ipw.ToggleButtons(options=["view", "latency"], description="evidence:", style=WIDE),
        "fact": ipw.Text(value="The door code is 4711.", description="a fact:", style=WIDE, layout=LONG),
        "question": ipw.Text(value="what is the door code?", description="the question:", style=WIDE, layout=LONG),
        "distance": ipw.IntSlider(value=100, min=10, max=600, step=10, description="bytes between", **LATER),
        "mechanism": ipw.Dropdown(
            options=list(boxes.SUSPECTS)[:among], description="it is a", style=WIDE, layout={"width": "300px"}
        ),
        "size": ipw.IntText(value=8, description="of size", **LATER | {"layout": {"width": "130px"}}),
    }
    heard, verdict = ipw.HTML(), ipw.HTML()

    def see() -> tuple[go.Figure, str]:
        times, seen = boxes.evidence(own["seed"].value, among)
        if own["evidence"].value == "view":
            fig = draw.view(seen, list(boxes.TEXT), title="What each query receives through the box")
        else:
            lines = {"the box": (list(times), list(times.values()))}
            fig = draw.curves(
                lines,
                x="tokens read",
                y="microseconds a token",
                log_x=True,
                title="A token's time after longer and longer streams",
            )
            fig.update_yaxes(range=[0, 1.25 * max(times.values())])  # so that what is flat looks flat
        return fig.update_layout(width=660), _spoken(draw.alt(fig))  # a projector at 150 % is not wider

    def ask() -> None:
        told = boxes.Box(own["seed"].value, among).ask(own["distance"].value, own["fact"].value, own["question"].value)
        heard.value = _spoken(f"{own['distance'].value} bytes later the model says: {told}")

    tried = []

    def guess() -> None:
        found = boxes.Box(own["seed"].value, among).guess(own["mechanism"].value, own["size"].value)
        tried.append(found)
        if found or len(tried) > 2:
            verdict.value = _verdict(bool(found), str(found), "Open the box")
        else:
            no = "The mechanism is right, the size is not." if found.mechanism else "Not this one."
            left = f"{3 - len(tried)} more {'guesses' if len(tried) < 2 else 'guess'} before the box may be opened."
            verdict.value = f'<p role="status" aria-live="polite"><b>✗ {no}</b> {left}</p>'

    figure, said, again = _live(see)

    def another(_=None) -> None:
        heard.value = verdict.value = ""
        tried.clear()
        again()

    own["seed"].observe(another, "value")
    own["evidence"].observe(again, "value")
    asks = ipw.Button(description="Ask", tooltip="Read the text through the box and ask the question", layout=AUTO)
    says = ipw.Button(description="That is it", tooltip="Try this guess", layout=AUTO)
    asks.on_click(guarded(ask, heard))
    says.on_click(guarded(guess, verdict))

    def row(*parts) -> ipw.HBox:
        return ipw.HBox(parts, layout={"flex_flow": "row wrap", "align_items": "center"})

    shown = [row(own["seed"], own["evidence"]), figure, row(own["mechanism"], own["size"], says), verdict, said]
    return _box(
        [*shown, own["fact"], own["question"], row(own["distance"], asks), heard],
        controls=own,
        ask=asks,
        guess=says,
        figure=figure,
        said=said,
        heard=heard,
        verdict=verdict,
    )


def predict(question: str, x, target=None, y: str = "", log_x: bool = False, x_name: str = "") -> ipw.VBox:
    """A curve is sketched, one slider a point, before the measured one is shown beside it. Nothing is graded.

    x: up to twelve places; target: the measured values there. The box has `.sliders`, `.typed` and `.button`.
    """
    x, target = [float(v) for v in x], None if target is None else [float(v) for v in target]
    low, high = _room(target)
    sliders = [_upright(f"{v:g}", low, high) for v in x]
    typed = ipw.Text(
        description="or type the values:", placeholder="one number a point", style=WIDE, continuous_update=False
    )
    button = ipw.Button(description="Now show the measured curve", layout=AUTO, disabled=target is None)
    shown = []

    def see() -> tuple[go.Figure, str]:
        sketch = [slider.value for slider in sliders]
        fig = draw.predict_then(x, sketch, target if shown else None, x_name, y, log_x, title=question)
        return fig.update_yaxes(range=[low, high]), _spoken(draw.alt(fig))

    figure, said, again = _live(see, *sliders)
    calm = calmly(again)
    for slider in sliders:
        slider.observe(calm, "value")
    typed.observe(guarded(lambda: _set(sliders, numbers(typed.value)), said), "value")
    button.on_click(lambda _: (shown.append(True), again()))
    row = ipw.HBox(sliders, layout={"flex_flow": "row wrap"})
    lead = ipw.HTML(f"<p>{marked(question)}: sketch it first. Each slider is one point of the curve.</p>")
    parts = {"typed": typed, "button": button, "figure": figure, "said": said}
    return _box([lead, row, *parts.values()], sliders=sliders, **parts)


def quiz(question: str, options=None, answer=None, why="", numeric=None) -> Question:
    """A question answered in place, with the reason; nothing is graded. Reads without a kernel too.

    options, answer: the choices and the number of the right one. numeric: in their place a number, or several,
    that is typed. why: a sentence, or one an option. The box has `.choice` and `.button`.
    """
    if (options is None) == (numeric is None):
        raise ValueError("quiz: give either options and answer, or numeric")
    choice, plain, judged = _options(options, answer, why) if numeric is None else _numbers(numeric, why)
    button, said = ipw.Button(description="Check", tooltip="Check this answer", layout=AUTO), ipw.HTML()

    def judge() -> None:
        said.value = f'<div role="status" aria-live="polite">{judged()}</div>'

    button.on_click(guarded(judge, said))
    reason = why if isinstance(why, str) else " ".join(why)
    return Question(question, list(options or []), plain, reason, choice, button, said)


def _options(options, answer, why):
    """The choices as buttons, the right one in words, and the verdict on the choice made."""
    if answer not in range(len(options)):
        raise ValueError(f"quiz: answer must be one of 0 to {len(options) - 1}, got {answer!r}")
    choice = ipw.RadioButtons(options=[(text, i) for i, text in enumerate(options)], value=None, layout=AUTO)

    def judged() -> str:
        if choice.value is None:
            return "Choose an answer first."
        return _verdict(choice.value == answer, why if isinstance(why, str) else why[choice.value])

    return choice, options[answer], judged


def _numbers(numeric, why):
    """The same for numbers that are typed."""
    right = [float(v) for v in np.atleast_1d(style.array(numeric))]
    asked = "a number" if len(right) == 1 else f"{len(right)} numbers"
    choice = ipw.Text(placeholder=asked, description="Your answer:", style=WIDE)

    def judged() -> str:
        ways = readings(choice.value)
        return _verdict(any(_near(way, right) for way in ways), why) if ways[0] else "Type a number first."

    return choice, " ".join(f"{v:g}" for v in right), judged


def button(text: str, answer) -> ipw.VBox:
    """A button; under it the HTML that `answer()` returns. The box has `.button` and `.said`."""
    press, said = ipw.Button(description=text, tooltip=text, layout=AUTO), ipw.HTML()
    press.on_click(guarded(lambda: setattr(said, "value", answer()), said))
    return _box([press, said], button=press, said=said)


class Question(ipw.VBox):
    """The box of a quiz. Where no kernel runs it shows the question, and its answer in a fold."""

    def __init__(self, question: str, options: list[str], right: str, why: str, choice, button, said):
        super().__init__([ipw.HTML(f"<p><b>{marked(question)}</b></p>"), choice, button, said])
        self.choice, self.button, self.said = choice, button, said
        listed = "".join(f"<li>{marked(text)}</li>" for text in options)
        self.plain = (
            f"<p>{marked(question)}</p><ul>{listed}</ul><details><summary>Answer</summary>"
            f"<p><b>{marked(right)}</b>. {marked(why)}</p></details>"
        )

    def _repr_mimebundle_(self, **options):
        bundle: Any = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        return {**data, "text/html": self.plain}


def calmly(show, every: float = 0.1):
    """show() at most once in `every` seconds, and once more for the last change. Outside a kernel at once."""
    due, waiting = 0.0, False

    def now():
        nonlocal due, waiting
        due, waiting = time.monotonic() + every, False
        show()
        due = time.monotonic() + every

    def call(_=None):
        nonlocal waiting
        wait = due - time.monotonic()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None or (wait <= 0 and not waiting):
            now()
        elif not waiting:
            waiting = True
            loop.call_later(wait, now)

    return call


class Unanswered(ValueError):
    """What a reader has still to give, in a sentence: it is shown, and is no error."""


def guarded(act, said: ipw.HTML):
    """act() with its error shown to the reader, and raised on."""

    def call(_=None):
        try:
            act()
        except Unanswered as need:
            said.value = _spoken(str(need))
        except Exception as error:
            text = html.escape(f"{type(error).__name__}: {error}")
            said.value = f'<p role="alert"><b>This did not work.</b> {text}</p>'
            raise

    return call


NUMBER = r"\d*\.?\d+(?:[eE][-+]?\d+)?"


def numbers(text: str) -> list[float]:
    """The numbers in a typed text."""
    return [float(v) for v in re.findall(rf"[-+]?{NUMBER}", text)]


def readings(text: str) -> list[list[float]]:
    """The ways to read typed numbers: as they stand; with 50 % as 0.5; with 1/16 divided as well."""
    shares = re.sub(rf"({NUMBER})\s*%", lambda found: str(float(found[1]) / 100), text)
    divided = re.sub(rf"({NUMBER})\s*/\s*({NUMBER})", lambda found: _divided(*found.groups()) or found[0], shares)
    return [numbers(way) for way in (text, shares, divided)]


def _divided(a: str, b: str) -> str:
    return str(float(a) / float(b)) if float(b) else ""


def marked(text: str) -> str:
    """Plain text as HTML, `code` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(str(text), quote=False))


def _control(name: str, given):
    about = {"description": name.replace("_", " "), "style": WIDE}
    if isinstance(given, bool):
        return ipw.Checkbox(value=given, indent=False, description=about["description"])
    if isinstance(given, str):
        return ipw.Text(value=given, layout=LONG, **about)
    if isinstance(given, list):
        return ipw.Dropdown(options=given, value=given[0], **about)
    if not isinstance(given, tuple) or len(given) not in (2, 3, 4):
        raise ValueError(f"knob: {name} must be (low, high[, start[, step]]), a list, a text or a bool, got {given!r}")
    low, high, start = (*given, given[0])[:3]
    whole = all(isinstance(v, int) for v in given)
    step = given[3] if len(given) == 4 else 1 if whole else (high - low) / 50
    kind = ipw.IntSlider if whole else ipw.FloatSlider
    return kind(value=start, min=low, max=high, step=step, layout=LONG, **about)


def _upright(name: str, low: float, high: float) -> ipw.FloatSlider:
    room = {"min": low, "max": high, "step": (high - low) / 50, "value": (low + high) / 2}
    return ipw.FloatSlider(
        description=name,
        orientation="vertical",
        readout_format=".3g",
        layout={"height": "150px", "width": "80px"},
        **room,
    )


def _room(target: list[float] | None) -> tuple[float, float]:
    """A range that holds the curve without drawing it."""
    low, high = (0.0, 1.0) if not target else (min(target), max(target))
    more = 0.3 * ((high - low) or abs(high) or 1.0)
    return (0.0 if 0 <= low <= 2 * more else low - more), high + more


def _set(sliders: list, values: list[float]) -> None:
    if values and len(values) != len(sliders):
        raise ValueError(f"{len(sliders)} numbers are wanted, got {len(values)}")
    for slider, value in zip(sliders, values, strict=False):
        slider.value = min(max(value, slider.min), slider.max)


def _near(given: list[float], right: list[float]) -> bool:
    return len(given) == len(right) and bool(np.allclose(given, right, rtol=5e-3, atol=1e-9))


def _verdict(good: bool, why: str, more: str = "Why?") -> str:
    if good:
        return f"<p><b>✓ Right.</b> {marked(why)}</p>"
    folded = f"<details><summary>{more}</summary><p>{marked(why)}</p></details>"
    return f"<p><b>✗ Not this one.</b></p>{folded}"


def _spoken(text: str) -> str:
    return f'<p role="status" aria-live="polite">{html.escape(text)}</p>'


def _bare(fig: go.Figure) -> go.Figure:
    """The figure without its printed sentence, which stands beneath as text."""
    fig = go.Figure(fig)
    layout: Any = fig.layout
    notes = [note for note in layout.annotations if note.name == "alt"]
    less = sum(20 * (note.text.count("<br>") + 1) + 8 for note in notes)
    layout.annotations = [note for note in layout.annotations if note.name != "alt"]
    return fig.update_layout(height=layout.height - less, margin_b=layout.margin.b - less)


def _live(see, *controls):
    """A picture, the words beneath it, and what brings both up to date. see() -> (figure, words).

    controls: what the reader moves to change it.
    """
    first, words = see()
    picture, said = Picture(_bare(first)), ipw.HTML(words)
    picture.watch(controls)

    def again() -> None:
        picture.state = "works"
        try:
            new, said.value = see()
        except Exception:
            picture.state = "failed"
            raise
        picture.show(_bare(new))
        picture.state = "ready"

    return picture, said, guarded(again, said)


def _box(children: list, **parts) -> Panel:
    box = Panel(children)
    for name, part in parts.items():
        setattr(box, name, part)
    return box
