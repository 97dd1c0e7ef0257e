"""How far an answer is, as `look` shows it: a word, then the entries one by one, or yours over the target."""

from __future__ import annotations

import ast
import re

from memlib.course.notebook import look_page, parts
from memlib.course.notebook.answers import defined
from memlib.course.notebook.difference import difference
from memlib.course.notebook.look_page import Page, as_written
from memlib.course.notebook.report_text import as_meant, as_plain, read_report
from memlib.course.notebook.reporting import Heard
from memlib.course.notebook.sentences import UNANSWERED, from_exception
from memlib.course.source import Task, solved_text

WRITTEN = ("hand", "order", "choose", "explain")  # answers whose entries are shown one by one
MOST = 16  # entries of one part


def page(task: Task, heard: list[Heard], wanted: str, error, answer: str, space: dict, own_edition: bool) -> Page:
    """The page for what a check reported, and the error that it ended with; `space` has the learner's names."""
    targets = {next(iter(read_report(text))): text for text in parts.blocks(wanted)}
    found = {one.name: one for one in heard if one.name in targets}
    marks = {name: _mark(found.get(name), text) for name, text in targets.items()}
    still = [name for name, one in found.items() if one.is_open] or blanks(task, space)
    is_open = error is not None and from_exception(error, answer).is_open()
    if not still and is_open:
        still = [name for name in targets if name not in found]
    right = all(marks.values()) and error is None
    made = Page()
    if still and all(one.is_open for one in found.values()):
        made.say(_open(error, answer) if len(still) > len(marks) // 2 else f"– Still to come: {', '.join(still)}.")
        return made
    made.say(_headline(task, marks, still, right), strong=True)
    if right:
        _pictures(made, found, targets, marks)
        if not own_edition:
            look_page.folded(made, "The course's solution", solved_text(task.answer))
        return made
    said = [] if own_edition else whys(task, space)
    for text in said:
        made.say(text)
    if error is not None and not found:
        pass  # the check ended before its first report
    elif task.kind in WRITTEN or all(_is_single(text) for text in targets.values()):
        _entries(made, marks, found, targets, "not answered yet" if error is None or is_open else "not reached")
    else:
        _pictures(made, found, targets, marks)
    if error is not None and not is_open:
        made.say(_error(task, error, answer))
    if not still and not said:
        made.say(f"Look next: {task.next}")
    return made


def _open(error: BaseException | None, answer: str) -> str:
    """That nothing is answered, or which line of an answer is still the blank."""
    line = from_exception(error, answer).line if isinstance(error, NotImplementedError) else None
    return f"– Line {line} is still to be written." if line else f"– {UNANSWERED}"


def broken(task: Task, error: BaseException, answer: str) -> Page:
    """The page for an answer whose cell ended with an error."""
    made = Page()
    made.say("✗ The cell of the answer ends with an error.", strong=True)
    made.say(_error(task, error, answer))
    return made


def _error(task: Task, error: BaseException, answer: str) -> str:
    said = from_exception(error, answer, quoted=True).sentence()
    if task.kind in WRITTEN and isinstance(error, NameError) and error.name:
        said += f' Letters and words stand in quotes: "{error.name}".'
    return said


def _headline(task: Task, marks: dict, still: list[str], right: bool) -> str:
    if right:
        return "✓ Right."
    good, of = parts.tally_of(task, [(name, mark is True) for name, mark in marks.items()])
    many = f"{good} of {of} parts {'is' if good == 1 else 'are'} right" if of > 1 else ""
    if still:
        return f"– {many + ' so far; still' if many else 'Still'} to come: {', '.join(still)}."
    return f"✗ Not yet: {many}." if many else "✗ Not yet."


def _mark(one: Heard | None, wanted: str) -> bool | None:
    return None if one is None or one.is_open else one.text == wanted


def _is_single(text: str) -> bool:
    return "\n" not in text


def blanks(task: Task, space: dict) -> list[str]:
    """The names of an answer that still stand for nothing."""
    return [name for name in sorted(defined(task.answer.source)) if space.get(name) is ...]


def whys(task: Task, space: dict) -> list[str]:
    """What is to say about just this answer: of the WHY lines those whose condition holds, two at most."""
    names = dict(space)
    for name in defined(task.answer.source) & set(space):
        try:
            names[name] = as_meant(as_plain(space[name]), ())
        except (TypeError, ValueError, NotImplementedError):
            pass  # a memory, a function: the condition speaks of it as it is
    return [_about(task, condition) + said for condition, said in task.why if _holds(condition, names)][:2]


def _about(task: Task, condition: str) -> str:
    """`gate: ` where a condition is about one of several names of an answer."""
    of = defined(task.answer.source)
    found = {node.id for node in ast.walk(ast.parse(condition, mode="eval")) if isinstance(node, ast.Name)} & of
    return f"{found.pop()}: " if len(found) == 1 < len(of) else ""


def _holds(condition: str, names: dict) -> bool:
    try:
        return bool(eval(condition, names))
    except Exception:
        return False


def _entries(made: Page, marks: dict, found: dict[str, Heard], targets: dict[str, str], nothing: str) -> None:
    """A row a part: its sign, its name, and the learner's own entries with theirs."""
    lines = []
    for name, mark in marks.items():
        one = found.get(name)
        if one is None or one.is_open:
            lines.append((None, name, [], nothing if one is None else "not answered yet"))
            continue
        own, mine, theirs = (read_report(text)[name] for text in (one.own, one.text, targets[name]))
        if unread := parts.unread(one.text):
            said = unread.removeprefix(f"{name}: ").replace(": is a `return` missing?", "; write your answer")
            lines.append((False, name, [], said))
            continue
        same = [(key, *row) for key, row in mine.items()] == [(key, *row) for key, row in theirs.items()]
        said = _wanted(one, theirs, mark) if same else "this is not the right number of entries"
        lines.append((mark, name, _boxes(own, mine, theirs if same else None, mark), said))
    look_page.entry_rows(made, lines)


def _boxes(own: dict, mine: dict, theirs: dict | None, mark: bool) -> list[tuple[str, str]]:
    """The learner's entries, each with its sign where only some of them are right."""
    single, boxes = list(own) == [""] and len(own[""]) == 1, []
    for at, (key, row) in enumerate(own.items()):
        boxes += [(" | ", "|")] if at else []
        for label, text in row.items():
            shown = as_written(text) if re.fullmatch(r"\w+ \d+|", label) else f"{label} {as_written(text)}"
            plain = mark or single or theirs is None
            boxes.append(look_page.entry(shown, None if plain else mine[key][label] == theirs[key][label]))
    return boxes[:MOST]


def _wanted(one: Heard, theirs: dict, mark: bool) -> str:
    """Behind an entry that is not right: the measured number, or the number that is wanted where that is no secret."""
    if mark:
        return ""
    if one.measured:
        return f"({one.measured})"
    text = next(iter(theirs.get("", {"": "#"}).values()))
    return "" if text[0] == "#" or text in ("yes", "no") else f"(wanted {as_written(text)})"


def _pictures(made: Page, found: dict[str, Heard], targets: dict[str, str], marks: dict) -> None:
    """What is right and what not, the first difference in words, and the learner's own numbers over the target's."""
    heard = {name: text for name, text in targets.items() if name in found and not found[name].is_open}
    first = difference("\n".join(found[name].text for name in heard), "\n".join(heard.values())) if heard else None
    if len(marks) > 1 and not all(marks.values()):
        signs = [look_page.entry(name, mark) for name, mark in marks.items()]
        made.add(f"<p>{''.join(html for html, _ in signs)}</p>", ", ".join(text for _, text in signs))
    if first and first.name:
        made.say(_truth(first.said, found[first.name]))
        mine, theirs = read_report(found[first.name].text)[first.name], read_report(targets[first.name])[first.name]
        if not _is_single(targets[first.name]):
            title = f"{first.name}, {first.key.rpartition(', ')[0]}".rstrip(", ")
            look_page.grids(made, title, *(look_page.cut(lines, first.key, first.label) for lines in (mine, theirs)))
    elif not first:
        for name in [name for name in heard if look_page.is_of_tokens(read_report(heard[name])[name])][:1]:
            lines = read_report(heard[name])[name]
            last = list(lines)[-1]
            look_page.grids(
                made, f"{name}, {last.rpartition(', ')[0]}".rstrip(", "), look_page.cut(lines, last, ""), None
            )


def _truth(said: str, one: Heard) -> str:
    """A sentence about a table of truths says True and False."""
    words = {"0": "False", "1": "True"}
    return re.sub(r"\b(is|expected) ([01])\b", lambda m: f"{m[1]} {words[m[2]]}", said) if one.truths else said
