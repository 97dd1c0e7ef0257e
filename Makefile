# make course   the environment in .venv, and JupyterLab on the first lesson
# make test     the same environment, and every test
# PORT=8890  BROWSER=none  PYTHON=python3.12  TORCH_INDEX=https://download.pytorch.org/whl/cpu

PORT ?= 8888
TORCH_INDEX ?=
export PORT TORCH_INDEX
unexport PYTHONDONTWRITEBYTECODE  # some hundred processes begin; what one has compiled the others read

COURSE = memlib/course
IN = .venv/bin/python
NAMES = $(or $(PYTHON),$(IN) python3 python3.13 python3.12 python3.11 python3.14 python)
FIND = for p in $(NAMES); do \
	  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && break; p=; done; \
	if [ -z "$$p" ]; then \
	  echo "Python 3.11 or newer is needed; $(or $(PYTHON),python3) is" \
	    "$$($(or $(PYTHON),python3) --version 2>&1 | head -1). Install one, or say make PYTHON=..." >&2; exit 1; fi

.PHONY: help course test notebooks bench experiments new
help:
	@echo "make course      make .venv, install, open JupyterLab on the first lesson (PORT=, BROWSER=none)"
	@echo "make test        the same environment, and every test"
	@echo "make notebooks   build notebooks/, exercises/ and solutions/ from chapters/ (FILMS=1: make the films anew)"
	@echo "make experiments make the runs that take too long for a lesson, and are not stored yet (all: two hours)"
	@echo "make bench       the library beside its peers: a table and a plot"
	@echo "make new         the stubs of a memory of your own: NAME=ladder"

course:
	@$(FIND); $$p $(COURSE)/environment.py course && exec $(IN) -P $(COURSE)/lab.py

test:
	@$(FIND); $$p $(COURSE)/environment.py test && \
	  echo "Running every test on two processes: a few minutes" && \
	  OMP_NUM_THREADS=1 exec $(IN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -q $(ARGS)

notebooks:
	@$(FIND); $$p $(COURSE)/environment.py course && exec $(IN) -m memlib.course.write.build $(if $(FILMS),--films)

bench:
	@$(FIND); $$p $(COURSE)/environment.py test && exec $(IN) -m benchmarks

experiments:
	@$(FIND); $$p $(COURSE)/environment.py course && exec $(IN) -m memlib.tasks.experiments

new:
	@$(FIND); $$p $(COURSE)/environment.py course && exec $(IN) -m memlib.course.write.new_memory $(NAME)
