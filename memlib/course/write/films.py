"""The pictures of a lesson's film cells: made when asked for, otherwise carried over from the built file."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path

import nbformat

from memlib.course import variables
from memlib.course.paths import ROOT, CourseError
from memlib.course.write.stills import PLOTLY, add_stills

MOST = 1_000_000


def is_film(cell) -> bool:
    """Whether a built cell keeps its picture."""
    return cell.cell_type == "code" and "film" in cell.metadata.get("tags", [])


def carry_films(built, path: Path) -> list[str]:
    """Copy the pictures of unchanged film cells from the file at `path`; the ids of those without one."""
    old: dict[str, list] = {}
    if path.exists():
        old = {_code(cell): cell.outputs for cell in nbformat.read(path, 4).cells if is_film(cell)}
    missing = []
    for cell in filter(is_film, built.cells):
        cell.outputs = old.get(_code(cell), [])
        if not cell.outputs:
            missing.append(cell.id)
    return missing


def _code(cell) -> str:
    """What a cell does, however its lines are broken."""
    return ast.dump(ast.parse(cell.source))


def make_films(built, name: str) -> None:
    """Execute the lesson and keep the plotly pictures of its film cells, and a still beside each."""
    from nbclient import NotebookClient

    shot = copy.deepcopy(built)
    client = NotebookClient(shot, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}})
    with variables.holding(PLOTLY_RENDERER="plotly_mimetype", MEMLIB_CLAIMS="raise"):
        client.execute()
    for cell, done in zip(built.cells, shot.cells, strict=True):
        if is_film(cell):
            cell.outputs = [_picture(output, name, cell.id) for output in done.outputs]
            if not cell.outputs:
                raise CourseError(f"{name}: film cell {cell.id} shows nothing")
    add_stills([output for cell in built.cells if is_film(cell) for output in cell.outputs])
    size = sum(len(json.dumps(cell.get("outputs", []))) for cell in built.cells)
    if size > MOST:
        raise CourseError(f"{name}: its films take {size / 1e6:.1f} MB, at most {MOST / 1e6:.0f} MB")


def _picture(output, name: str, cell_id: str):
    if output.output_type not in ("display_data", "execute_result") or PLOTLY not in output.data:
        kind = output.get("data", {}).keys() or output.output_type
        raise CourseError(f"{name}: film cell {cell_id} shows {kind}, not a plotly figure alone")
    data = {PLOTLY: output.data[PLOTLY]}
    return nbformat.v4.new_output("display_data", data=data, metadata={})
