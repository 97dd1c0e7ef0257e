"""Two faults each in mechanisms, model, grading, drawing and tasks, for tests of which `make test` runs a part only.

Whoever shortens a list: these are found before and after. One is seen by the run with checked shapes alone, one by the
run of the solutions under nbval alone.
"""

from fault import Fault

FAULTS = [
    Fault(
        "memlib/fast/means.py",
        "test_shapes.py",
        'def moving(v: Float[Tensor, "*b m e"], size: int, n: int) -> Float[Tensor, "*b n e"]:',
        'def moving(v: Float[Tensor, "*b m e"], size: int, n: int) -> Float[Tensor, "*b m e"]:',
    ),
    Fault(
        "memlib/memories/window.py",
        "test_laws.py test_window.py -k '(a_chunk and window) or its_recipe'",
        "newest = mem.newest.append(new[free:], keep=self.size)",
        "newest = mem.newest.append(new[free:], keep=self.size + 1)",
    ),
    Fault(
        "memlib/lm/train.py",
        "test_experiments.py -k comes_back",
        'what["memory"] = ask.memory',
        'what["memory"] = "gru"',
    ),
    Fault(
        "memlib/lm/layers.py",
        "test_experiments.py -k 'comes_back or turned'",
        "speed[round(share * len(speed)) :] = 0",
        "speed[: round(share * len(speed))] = 0",
    ),
    Fault(
        "memlib/course/grade/grading.py",
        "test_grading.py -k solution",
        '"MEMLIB_SEED": str(seed)',
        '"MEMLIB_SEED": str(seed + 1)',
    ),
    Fault(
        "memlib/course/grade/reference.py",
        "test_exercises.py -k 'in_any_style and 00_cache'",
        "answer = (answers or {}).get(name, solved(task.answer))",
        "answer = solved(task.answer)",
    ),
    Fault(
        "memlib/draw/style.py",
        "test_draw.py -k markup",
        "html.escape(str(text), quote=False)",
        "str(text)",
    ),
    Fault(
        "memlib/draw/lines.py",
        "test_draw.py",
        'line={"color": color, "dash": DASHES[i % 6], "width": 3}',
        'line={"color": color, "dash": DASHES[0], "width": 3}',
    ),
    Fault(
        "memlib/tasks/associative.py",
        "test_experiments.py -k 'row_binds'",
        "slots = length // 2 - pairs",
        "slots = length // 2 - pairs - 1",
    ),
    Fault(
        "memlib/tasks/leaderboard.py",
        "test_tournament.py -k score_of",
        'reads["text"] = _share((most - bits) / (most - least))',
        'reads["text"] = _share((bits - least) / (most - least))',
    ),
]
