"""Lessons are run as copies: an evening leaves the clone clean, a pull goes through, what was changed is kept."""

import json
import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output

from memlib.course.paths import ROOT

NAME, OTHER = "00_cache.ipynb", "01_window.ipynb"


class Clone:
    """A clone of a small course of two lessons, and where it comes from."""

    def __init__(self, place):
        self.course, self.path = place / "course", place / "clone"
        for name in ("memlib/course/lessons.py", ".gitignore", f"notebooks/{NAME}", f"notebooks/{OTHER}"):
            (self.course / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.course / name)
        self.git("init", "-q", "-b", "main")
        self.commit()
        self.git("clone", "-q", str(self.course), str(self.path))

    def git(self, *words, here=None):
        own = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(["git", *own, *words], cwd=here or self.course, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-qm", "a lesson")

    def bring(self, folder=None):
        """As make course does before JupyterLab starts: (exit code, what was printed, the errors)."""
        words = [sys.executable, "-P", "memlib/course/lessons.py", str(folder or self.path / "my" / "lessons")]
        done = subprocess.run(words, cwd=self.path, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def copy(self, name=NAME):
        return self.path / "my" / "lessons" / name


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def newer(path, text):
    """The lesson with another first cell."""
    book = nbformat.read(path, 4)
    book.cells[0].source = text
    nbformat.write(book, path)


def run(path, line=None):
    """What JupyterLab saves after an evening: outputs, counts, an empty cell at the end; `line` added to a cell."""
    book = nbformat.read(path, 4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        cell.execution_count = number
        cell.outputs = [new_output("stream", name="stdout", text="said\n")]
    code[0].source += line or ""
    book.cells.append(new_code_cell(""))
    book.metadata["language_info"]["version"] = "3.11.9"
    nbformat.write(book, path)


def test_an_evening_of_running_leaves_the_clone_clean_and_the_next_pull_goes_through(clone):
    assert clone.bring() == (0, "", "")
    run(clone.copy())
    run(clone.copy(OTHER), "\nmine = 1")
    assert clone.git("status", "--porcelain", here=clone.path) == ""
    for name in (NAME, OTHER):
        newer(clone.course / "notebooks" / name, "# Newer")
    clone.commit()
    clone.git("pull", "-q", here=clone.path)
    code, said, _ = clone.bring()
    assert code == 0 and said == "01_window.ipynb has a newer version: my/lessons/01_window (new).ipynb\n"
    assert nbformat.read(clone.copy(), 4).cells[0].source == "# Newer"  # only run: the newer one took its place
    assert "mine = 1" in clone.copy(OTHER).read_text()
    assert nbformat.read(clone.copy("01_window (new).ipynb"), 4).cells[0].source == "# Newer"
    assert clone.git("status", "--porcelain", here=clone.path) == ""


def test_a_copy_that_is_not_older_stays_to_the_byte(clone):
    clone.bring()
    run(clone.copy())
    run(clone.copy(OTHER), "\nmine = 1")
    kept = [clone.copy(name).read_bytes() for name in (NAME, OTHER)]
    assert clone.bring() == (0, "", "")
    assert [clone.copy(name).read_bytes() for name in (NAME, OTHER)] == kept
    assert len(list(clone.copy().parent.glob("*.ipynb"))) == 2


def test_a_newer_lesson_is_offered_until_it_is_deleted_and_never_over_what_was_written(clone):
    clone.bring()
    run(clone.copy(), "\nmine = 1")
    offered = "00_cache.ipynb has a newer version: my/lessons/00_cache (new).ipynb\n"
    newer(clone.path / "notebooks" / NAME, "# Second")
    assert clone.bring()[1] == clone.bring()[1] == offered
    run(clone.copy("00_cache (new).ipynb"), "\nmine = 2")
    assert clone.bring()[1] == offered
    assert "mine = 2" in clone.copy("00_cache (new).ipynb").read_text()
    newer(clone.path / "notebooks" / NAME, "# Third")
    assert clone.bring()[1] == offered.replace("(new)", "(new 2)")
    assert "mine = 2" in clone.copy("00_cache (new).ipynb").read_text() and "mine = 1" in clone.copy().read_text()
    clone.copy("00_cache (new 2).ipynb").unlink()
    assert clone.bring() == (0, "", "") and not clone.copy("00_cache (new 2).ipynb").exists()
    clone.copy().unlink()
    assert clone.bring() == (0, "", "") and "# Third" in clone.copy().read_text()


@pytest.mark.parametrize("text", ["{", "[1]", "7"])
def test_a_damaged_list_of_what_was_laid_is_a_sentence_and_costs_nobody_a_word(clone, text):
    clone.bring()
    run(clone.copy(), "\nmine = 1")
    (clone.copy().parent / ".laid.json").write_text(text)
    code, said, _ = clone.bring()
    assert code == 0 and said.splitlines()[0].startswith("my/lessons/.laid.json is damaged and begun anew")
    assert "mine = 1" in clone.copy().read_text()
    assert set(json.loads((clone.copy().parent / ".laid.json").read_text())) >= {OTHER}


def test_a_copy_that_is_no_notebook_any_more_is_kept(clone):
    clone.bring()
    clone.copy().write_text("half of it {")
    newer(clone.path / "notebooks" / NAME, "# Second")
    assert "(new)" in clone.bring()[1] and clone.copy().read_text() == "half of it {"


def test_a_folder_that_cannot_be_made_is_one_sentence(clone):
    (clone.path / "my").write_text("a file")
    code, said, error = clone.bring()
    assert code == 1 and said == "" and error.startswith("The lessons cannot be copied to my/lessons: ")
    assert len(error.splitlines()) == 1


def test_two_at_once_lay_every_lesson_whole(clone):
    words = [sys.executable, "-P", "memlib/course/lessons.py", str(clone.path / "my" / "lessons")]
    both = [subprocess.Popen(words, cwd=clone.path, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(one.communicate()[1], one.returncode) for one in both] == [(b"", 0)] * 2
    for name in (NAME, OTHER):
        assert clone.copy(name).read_bytes() == (clone.path / "notebooks" / name).read_bytes()
    assert not list(clone.copy().parent.glob("*.partial")) and clone.bring() == (0, "", "")


def test_read_only_lessons_are_laid_as_files_that_can_be_saved(clone):
    os.chmod(clone.path / "notebooks" / NAME, 0o444)
    clone.bring()
    assert clone.copy().stat().st_mode & 0o200


def test_lessons_name_no_file_beside_them():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            assert not any(word in cell.source for word in ("](../", "](./", 'src="', "attachment:")), cell.id
