"""The command line: `memlib start | grade | progress | doctor`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from memlib.course import my
from memlib.course.places import CourseError, chapter, shown

CODES = "exit codes: 0 done, 1 a problem with what was asked or handed in, 2 wrong usage, 3 the grader itself failed"


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    top = argparse.ArgumentParser(prog="memlib", description="The course on memory for attention.", epilog=CODES)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="copy an exercise to my/, where it is yours")
    start.add_argument("chapter", metavar="NN", help="the chapter, e.g. 01")
    start.set_defaults(run=_start)
    grade = commands.add_parser("grade", help="grade a notebook with your answers", epilog=CODES)
    grade.add_argument("path", metavar="PATH", type=Path, help="the notebook, e.g. my/01_window.ipynb")
    where = "where the verdict goes as JSON (default: my/.verdicts/; '-': to the screen)"
    grade.add_argument("--json", metavar="FILE", help=where)
    grade.add_argument("--seed", metavar="N", type=int, help="the seed of the inputs (default: a fresh one)")
    grade.add_argument("--keep", action="store_true", help="count it in `memlib progress`, wherever the file lies")
    grade.set_defaults(run=_grade)
    progress = commands.add_parser("progress", help="show what is solved")
    progress.set_defaults(run=lambda args: print(my.progress()) or 0)
    doctor = commands.add_parser("doctor", help="check this machine, and say what to do")
    doctor.set_defaults(run=_doctor)
    return top


def _start(args) -> int:
    path, new = my.start(chapter(args.chapter))
    print(f"{shown(path)} is yours: open it in JupyterLab." if new else f"{shown(path)} was there and stays as it is.")
    return 0


def _grade(args) -> int:
    from memlib.course.grade import as_text, grade

    if sys.stderr.isatty():
        print("Grading: about ten seconds.", file=sys.stderr)
    verdict = grade(args.path, args.seed)
    if args.json != "-":
        print(as_text(verdict))
    text = json.dumps(verdict, indent=1) + "\n"
    if args.json == "-":
        print(text, end="")
    else:
        out = Path(args.json) if args.json else my.MY / ".verdicts" / f"{args.path.stem}.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        print(f"As JSON: {shown(out)}")
    if args.keep or args.path.resolve().parent == my.MY.resolve():
        my.record(verdict)
    return 0


def _doctor(args) -> int:
    from memlib.course.doctor import doctor

    return doctor()


def main(argv: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        from memlib.course.grade import GraderFault

        if not isinstance(error, GraderFault):
            raise
        print(f"Grading itself failed, which says nothing about the answers: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
