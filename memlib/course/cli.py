"""The command line: `memlib start | grade | release | tournament | progress | doctor`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from memlib.course import progress
from memlib.course.paths import CHAPTERS, INSTALL, CourseError, chapter, chapters, shown

CODES = "exit codes: 0 done, 1 a problem with what was asked or handed in, 2 wrong usage, 3 the grader itself failed"
GRADE = (
    "memlib grade my/01_window.ipynb: your own. memlib grade FOLDER --out DIR: a class, one notebook a student. "
    "memlib grade one NOTEBOOK --json: a verdict and nothing else, for other programs."
)


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    top = argparse.ArgumentParser(prog="memlib", description="The course on memory for attention.", epilog=CODES)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="copy an exercise to my/, where it is yours")
    start.add_argument("chapter", metavar="NN", help="the chapter, e.g. 01")
    start.set_defaults(run=_start)
    grade = commands.add_parser("grade", help="grade a notebook, or a folder of them", epilog=CODES, description=GRADE)
    grade.add_argument("path", metavar="PATH", nargs="+", help="a notebook; a folder; or: one NOTEBOOK")
    where = "where the verdict goes as JSON (default: my/.verdicts/; '-', or no name: to the screen)"
    grade.add_argument("--json", metavar="FILE", nargs="?", const="-", help=where)
    grade.add_argument("--seed", metavar="N", type=int, help="the seed of the inputs (default: a fresh, secret one)")
    grade.add_argument("--keep", action="store_true", help="count it in `memlib progress`, wherever the file lies")
    grade.add_argument("--chapter", metavar="NN", help="the exercise that is graded (default: what the file says)")
    grade.add_argument("--edition", metavar="DIR", type=Path, help="a class's own edition: what release wrote")
    grade.add_argument("--out", metavar="DIR", type=Path, help="a folder's gradebook; the same DIR again goes on in it")
    grade.add_argument("--jobs", metavar="N", type=int, help="notebooks graded at once (default: half the cores)")
    grade.add_argument("--i-trust-these", action="store_true", help="grade more than one file without isolation")
    grade.add_argument("--leash", action="store_true", help=argparse.SUPPRESS)
    grade.set_defaults(run=_grade)
    release = commands.add_parser("release", help="make a class's own edition of the exercises", epilog=CODES)
    release.add_argument("chapters", metavar="NN", nargs="*", help="only these chapters (default: all)")
    release.add_argument("--seed", metavar="N", type=int, default=0, help="what decides (0: the public edition)")
    release.add_argument("--out", metavar="DIR", type=Path, required=True, help="a new folder; keep it to yourself")
    release.set_defaults(run=_release)
    ranks = commands.add_parser("tournament", help="score a memory of your own within 64 KB, or rank a folder of them")
    ranks.add_argument("path", metavar="PATH", type=Path, help="a .py with a class Mine, or exercise 10; or a folder")
    ranks.add_argument("--out", metavar="DIR", type=Path, help="where cards and ranking go (default: my/tournament)")
    ranks.add_argument("--seed", metavar="N", type=int, help="of all that is drawn (default: a fresh one, kept in DIR)")
    ranks.add_argument("--jobs", metavar="N", type=int, default=1, help="memories scored at once (default: 1)")
    ranks.add_argument("--i-trust-these", action="store_true", help="score more than one file without isolation")
    ranks.set_defaults(run=_tournament)
    solved = commands.add_parser("progress", help="show what is solved")
    solved.set_defaults(run=lambda args: print(progress.progress()) or 0)
    doctor = commands.add_parser("doctor", help="check this machine, and say what to do")
    doctor.set_defaults(run=_doctor)
    return top


def _start(args) -> int:
    path, new = progress.start(chapter(args.chapter))
    print(f"{shown(path)} is yours: open it in JupyterLab." if new else f"{shown(path)} was there and stays as it is.")
    return 0


def _grade(args) -> int:
    args.chapter = args.chapter and chapter(args.chapter)
    args.edition = args.edition and _edition(args.edition)
    if args.jobs is not None and args.jobs < 1:
        raise CourseError(f"--jobs is {args.jobs}; wanted is a whole number from 1.")
    if args.path[0] == "one" and len(args.path) == 2:
        return _grade_one(args, Path(args.path[1]))
    if len(args.path) > 1:
        raise CourseError(f"{len(args.path)} paths were given; wanted is one notebook, or a folder with --out DIR.")
    path = Path(args.path[0])
    return _grade_class(args, path) if path.is_dir() else _grade_own(args, path)


def _edition(folder: Path):
    from memlib.course.write.editions import load_edition

    return load_edition(folder)


def _grade_own(args, path: Path) -> int:
    from memlib.course.grade.grading import grade, verdict_text

    if sys.stderr.isatty():
        print("Grading: about ten seconds.", file=sys.stderr)
    verdict = grade(path, args.seed, edition=args.edition, chapter=args.chapter)
    text = json.dumps(verdict, indent=1) + "\n"
    if args.json == "-":
        print(text, end="")
    else:
        print(verdict_text(verdict))
        out = Path(args.json) if args.json else progress.MY / ".verdicts" / f"{path.stem}.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        print(f"As JSON: {shown(out)}")
    if args.keep or path.resolve().parent == progress.MY.resolve():
        progress.record(verdict)
    return 0


def _grade_one(args, path: Path) -> int:
    """Keeps nothing: a verdict, or {"problem": sentence}, on the screen."""
    from memlib.course.grade.grading import GraderFault, grade, verdict_text
    from memlib.course.processes import leash

    if args.leash:
        leash()
    code = 0
    try:
        said = grade(path, args.seed, edition=args.edition, chapter=args.chapter)
    except (CourseError, GraderFault) as error:
        if not args.json:
            raise
        code = 1 if isinstance(error, CourseError) else 3
        said = {"format": 1, "file": str(path), "problem": str(error)}
    text = json.dumps(said, indent=1) if args.json else verdict_text(said)
    if args.json in (None, "-"):
        print(text)
    else:
        Path(args.json).write_text(text + "\n", encoding="utf-8")
    return code


def _grade_class(args, folder: Path) -> int:
    from memlib.course.group.batch import closing_text, grade_class

    if args.out is None:
        raise CourseError(f"{folder} is a folder: say --out DIR, where the gradebook goes.")
    results = grade_class(
        folder,
        args.out,
        seed=args.seed,
        chapter=args.chapter,
        edition=args.edition,
        jobs=args.jobs,
        trusted=args.i_trust_these,
    )
    print(closing_text(results, args.out))
    return 3 if any(student["state"] == "fault" for student in results["students"]) else 0


def _release(args) -> int:
    from memlib.course.write.editions import draws_of, release

    names = [chapter(text) for text in args.chapters]
    names = names or [name for name in chapters() if (CHAPTERS / name / "exercise.py").exists()]
    drawn = release(args.seed, args.out, names)
    place = shown(args.out)
    print(f"Hand out {place}/exercises/; keep {place}/solutions/ and {place}/edition.json to yourself.")
    print(f"Drawn: {', '.join(drawn)}." if drawn else "Nothing was drawn: it is the public edition, solutions and all.")
    same = [name for name in names if args.seed and not draws_of(name)]
    if same:
        print(f"Nothing is drawn in {', '.join(same)}: there the public solution earns its points.")
    print(f"Grade it with: memlib grade FOLDER --edition {place} --out DIR")
    return 0


def _tournament(args) -> int:
    from memlib.course.tournament.ranking import rank_memories, ranking_text

    out = args.out or progress.MY / "tournament"
    if sys.stderr.isatty():
        print("Scoring: about half a minute a memory.", file=sys.stderr)
    print(ranking_text(rank_memories(args.path, out, args.seed, args.jobs, args.i_trust_these), shown(out)))
    return 0


def _doctor(args) -> int:
    from memlib.course.doctor import examine

    return examine()


def main(argv: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("memlib"):
            raise
        print(f"memlib {args.command} needs {error.name}, which comes with: {INSTALL}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        from memlib.course.grade.grading import GraderFault

        if not isinstance(error, GraderFault):
            raise
        print(f"Grading itself failed, which says nothing about the answers: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
