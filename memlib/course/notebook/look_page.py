"""The page that `look` shows, piece by piece: plain HTML that takes its colours from the notebook around it."""

from __future__ import annotations

from html import escape

SIGNS = {True: "✓", False: "✗", None: "–"}
WORDS = {True: "right", False: "not right", None: "not answered yet"}
ACROSS, DOWN = 12, 8  # what is shown at most of a table
BOX = "display:inline-block;padding:1px 6px;margin:1px 3px;border:1px solid;border-radius:4px"
CELL = "border:1px solid #8888;padding:2px 7px;text-align:right;font-size:14px;min-width:18px;"
GRID = "display:inline-table;margin:4px 24px 4px 0;border:0;border-collapse:separate;border-spacing:2px"
HEAD = "padding:2px 7px;text-align:left;font-size:14px;font-weight:normal;border:0;background:transparent;"


class Page:
    """What is shown: as HTML in a notebook, as text elsewhere."""

    def __init__(self, *said: str):
        self.html: list[str] = []
        self.text: list[str] = []
        for text in said:
            self.say(text)

    def say(self, text: str, strong: bool = False) -> None:
        """A paragraph."""
        inside = f"<strong>{escape(text)}</strong>" if strong else escape(text)
        self.add(f'<p style="margin:4px 0;max-width:92ch">{inside}</p>', text)

    def add(self, html: str, text: str) -> None:
        """A piece of HTML and what it says in words."""
        self.html.append(html)
        self.text.append(text)

    def __repr__(self) -> str:
        return "\n".join(self.text)

    def as_html(self) -> str:
        """All of it, in the colours of what stands around it."""
        style = "font-size:14px;line-height:1.5;color:inherit"
        return f'<div style="{style}">{"".join(self.html)}</div>'

    def _repr_mimebundle_(self, **_) -> dict[str, str]:
        return {"text/html": self.as_html(), "text/plain": repr(self)}


def as_written(text: str) -> str:
    """An entry as a learner writes it: `6` for `6.00`, no quotes round words."""
    if text[:1] == '"':
        return text[1:-1].replace('\\"', '"')
    if "." in text and text.lstrip("-").replace(".", "").isdigit():
        return text.rstrip("0").rstrip(".") or "0"
    return text


def entry(text: str, right: bool | None, more: str = "") -> tuple[str, str]:
    """One entry in a box with its sign, as HTML and in words."""
    mark = f'<span title="{WORDS[right]}">{SIGNS[right]}</span> ' if right is not None else ""
    weight = ";border-width:2px;font-weight:bold" if right is False else ""
    html = f'<span style="{BOX}{weight}">{mark}{escape(text)}</span>{escape(more)}'
    return html, f"{SIGNS[right]} {text}{more}" if right is not None else f"{text}{more}"


def entry_rows(page: Page, lines: list[tuple[bool | None, str, list[tuple[str, str]], str]]) -> None:
    """A table of parts: its sign, its name, the entries, and what there is to say."""
    html, text = [], []
    for right, name, entries, said in lines:
        inside = "".join(one for one, _ in entries)
        cells = SIGNS[right], escape(name), inside + (f" {escape(said)}" if said else "")
        style = f'style="{HEAD}vertical-align:baseline"'
        html.append('<tr style="background:transparent">' + "".join(f"<td {style}>{c}</td>" for c in cells) + "</tr>")
        words = " ".join(part for part in (*(one for _, one in entries), said) if part)
        text.append(f"{SIGNS[right]} {name}: {words}")
    page.add(f'<table style="margin:4px 0;border:0"><tbody>{"".join(html)}</tbody></table>', "\n".join(text))


def grids(page: Page, title: str, yours: dict, wanted: dict | None) -> None:
    """Yours above what is wanted (None: yours alone), row by row, with a frame round each number that differs."""
    shown = [("yours", yours, wanted)] if wanted is None else [("yours", yours, wanted), ("wanted", wanted, yours)]
    largest = max((abs(_number(t)) for _, rows, _ in shown for row in rows.values() for t in row.values()), default=0)
    html = "".join(_grid(name, rows, other, largest or 1) for name, rows, other in shown)
    said = f"{title} (a thick frame marks what differs):" if wanted is not None else f"{title}:"
    page.add(f'<p style="margin:8px 0 2px">{escape(said)}</p>{html}', f"{said}\n" + _in_words(shown))


def _grid(name: str, rows: dict, other: dict | None, largest: float) -> str:
    across = next(iter(rows.values()), {})
    labels = [label.rpartition(" ")[2] if label[-1:].isdigit() else label for label in across]
    axis = next((label.rpartition(" ")[0] for label in across if label[-1:].isdigit()), "")
    head = "".join(f'<th style="{HEAD}text-align:right">{escape(label)}</th>' for label in labels)
    body = []
    for key, row in rows.items():
        cells = "".join(
            _cell(text, other is not None and other.get(key, {}).get(label) != text, largest)
            for label, text in row.items()
        )
        body.append(f'<tr style="background:transparent"><th style="{HEAD}">{escape(key)}</th>{cells}</tr>')
    first = f"{HEAD}min-width:130px"
    caption = (
        f'<tr style="background:transparent"><th style="{first}"><strong>{name}</strong> {escape(axis)}</th>{head}</tr>'
    )
    return f'<table style="{GRID}"><tbody>{caption}{"".join(body)}</tbody></table>'


def _cell(text: str, differs: bool, largest: float) -> str:
    shade = 0.5 * min(1.0, abs(_number(text)) / largest)
    hue = "213,94,0" if _number(text) < 0 else "0,114,178"
    frame = "outline:3px solid currentColor;outline-offset:-2px;" if differs else ""
    return f'<td style="{CELL}{frame}background:rgba({hue},{shade:.2f})">{escape(as_written(text))}</td>'


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if abs(value) < float("inf") else 0.0


def _in_words(shown: list) -> str:
    return "\n".join(
        f"{name}, {key}: {' '.join(map(as_written, row.values()))}"
        for name, rows, _ in shown
        for key, row in rows.items()
    )


def cut(lines: dict, key: str, label: str) -> dict:
    """Of a report's lines the step in which `key` stands, and of it as much round `key` and `label` as can be seen."""
    step = key.rpartition(", ")[0]
    same = [k for k in lines if k.rpartition(", ")[0] == step]
    at = same.index(key) if key in same else 0
    first = max(0, min(at - DOWN // 2, len(same) - DOWN))
    return {k.rpartition(", ")[2]: _across(lines[k], label) for k in same[first : first + DOWN]}


def _across(row: dict, label: str) -> dict:
    names = list(row)
    at = names.index(label) if label in names else 0
    first = max(0, min(at - ACROSS // 2, len(names) - ACROSS))
    return {name: row[name] for name in names[first : first + ACROSS]}


def folded(page: Page, title: str, code: str) -> None:
    """Code in a fold."""
    style = (
        "font-size:14px;padding:8px;border:1px solid #8888;white-space:pre-wrap;background:transparent;color:inherit"
    )
    inside = f'<pre style="{style}">{escape(code)}</pre>'
    page.add(f'<details style="margin:4px 0"><summary>{escape(title)}</summary>{inside}</details>', f"({title})")


def is_of_tokens(lines: dict) -> bool:
    """Whether a report is a picture by itself: weights by token."""
    return all(label.startswith("token ") for row in lines.values() for label in row)
