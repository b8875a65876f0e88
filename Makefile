# `make` lists the verbs. All is built in $(VENV): removing that folder starts afresh.
ROS_DISTRO ?= jazzy
PYTHON ?= python3
VENV := .venv$(if $(filter-out jazzy,$(ROS_DISTRO)),-$(ROS_DISTRO))
COLCON := $(VENV)-colcon
RUN := $(VENV)/bin
LOCK := requirements/$(ROS_DISTRO).lock
INTERFACES := $(wildcard msg/*.msg action/*.action)
FILES := $(sort $(shell find liquid_mono3d_ros config launch msg action -type f -not -name '*.pyc'))
BENCH ?= pipeline
TORCH ?= torch==2.13.0
PIN := UV_CUSTOM_COMPILE_COMMAND='make lock' uv pip compile --quiet --universal --python-version 3.10 --no-annotate

# A ROS installation of the shell, or another venv, must not leak into this one.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH RMW_IMPLEMENTATION
# Several processes share the cores: one thread each.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export ROS_DISTRO

# $(call step,WHAT,COMMAND): prints what it does and the seconds it took; on failure the end of the log.
step = @printf '%s ... ' "$(1)"; start=$$(date +%s); \
  if ( $(2) ) > $(VENV)/$(@F).log 2>&1; then echo "$$(($$(date +%s) - start)) s"; \
  else echo failed; tail -n 40 $(VENV)/$(@F).log; echo "The whole log: $(VENV)/$(@F).log"; exit 1; fi

.PHONY: help setup demo test lint types format bench docs colcon compat lock FORCE
.DELETE_ON_ERROR:

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16
	@echo '  ROS_DISTRO=kilted make ... takes Kilted instead of Jazzy'

setup: $(VENV)/.installed  ## ROS 2, the dependencies and this package, into .venv

demo: setup  ## the real clip through the whole road (RIG=synthetic: no download)
	$(RUN)/liquid-mono3d demo $(if $(RIG),--rig $(RIG))

test: setup $(VENV)/.torch  ## every test (ARGS=... goes to pytest)
	$(RUN)/python -m pytest $(ARGS)

lint: $(VENV)/.dependencies  ## ruff
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .

types: $(VENV)/.dependencies $(VENV)/.torch  ## mypy, strict
	$(RUN)/mypy

format: $(VENV)/.dependencies  ## let ruff write
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

bench: setup  ## measure (BENCH=pipeline), table and out/bench/*.json
	mkdir -p out/bench
	$(RUN)/liquid-mono3d bench $(BENCH) --json out/bench/$(BENCH).json

docs: setup  ## write the generated tables in docs/ and config/pipeline.yaml
	$(RUN)/liquid-mono3d docs

# Dependencies, pinned. The lock is complete, so pip resolves nothing.
$(VENV)/.dependencies: $(LOCK)
	@$(PYTHON) cmake/check_host.py
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(call step,Downloading and installing ROS 2 $(ROS_DISTRO) and the dependencies, \
	  $(RUN)/python -m pip install --no-deps -r $(LOCK))
	@touch $@

# Not in the lock: which build fits is the machine's affair, and the road runs without.
$(VENV)/.torch: $(VENV)/.dependencies requirements/torch.txt
	$(call step,Installing PyTorch and building the liquid kernels, \
	  $(RUN)/python -m pip install $(TORCH) && $(RUN)/python -m pip install -r requirements/torch.txt \
	  && $(RUN)/python liquid_mono3d_ros/liquid/rnn/native.py)
	@touch $@

requirements/%.lock:
	@echo 'ROS_DISTRO must be jazzy or kilted; got $*. Name one: make ROS_DISTRO=jazzy ...'; exit 1

# Our messages and package. The Python files are linked, so an edit needs no new installation, a new file does.
CMAKE_ARGS := -DCMAKE_PROJECT_INCLUDE=cmake/ros_wheels.cmake -DPython3_EXECUTABLE=$(abspath $(RUN))/python
$(VENV)/.installed: $(VENV)/.dependencies $(VENV)/.files $(INTERFACES) CMakeLists.txt package.xml setup.cfg $(wildcard cmake/*.cmake bin/*)
	$(call step,Building the messages and installing the package, \
	  $(RUN)/cmake -G Ninja -S . -B $(VENV)/build $(CMAKE_ARGS) -DCMAKE_MAKE_PROGRAM=$(abspath $(RUN))/ninja \
	    -DCMAKE_INSTALL_PREFIX=$(abspath $(VENV)) -DAMENT_CMAKE_SYMLINK_INSTALL=ON -DBUILD_TESTING=OFF \
	  && $(RUN)/cmake --build $(VENV)/build --target install \
	  && find -L $(VENV)/lib $(VENV)/share -type l -path '*/liquid_mono3d*' -delete)
	@touch $@

$(VENV)/.files: FORCE | $(VENV)/.dependencies
	@echo '$(FILES)' | cmp -s - $@ || echo '$(FILES)' > $@

colcon:  ## build and test in a clean colcon workspace
	$(MAKE) VENV=$(COLCON) $(COLCON)/.dependencies
	$(COLCON)/bin/python -m pip install --quiet --no-deps -r requirements/colcon.lock
	rm -rf out/colcon && mkdir -p out/colcon/src && ln -s $(CURDIR) out/colcon/src/liquid_mono3d
	cd out/colcon && PATH=$(abspath $(COLCON))/bin:$$PATH && \
	  export CMAKE_PREFIX_PATH=$(abspath $(COLCON)) AMENT_PREFIX_PATH=$(abspath $(COLCON)) && \
	  colcon build --cmake-args -G Ninja -DCMAKE_PROJECT_INCLUDE=cmake/ros_wheels.cmake \
	    -DPython3_EXECUTABLE=$(abspath $(COLCON))/bin/python && \
	  colcon test && colcon test-result --verbose

compat:  ## the core's tests without ROS, on old and new numpy and OpenCV
	$(call compat,'numpy<2' 'opencv-python-headless<5')
	$(call compat,'numpy>=2' 'opencv-python-headless>=5')

define compat
$(PYTHON) -m venv --clear out/compat
out/compat/bin/python -m pip install --quiet $(1) $(foreach part,core demo dev,-r requirements/$(part).txt)
out/compat/bin/python -m pytest -m 'not ros and not network' \
  --ignore=liquid_mono3d_ros/nodes --ignore=test/nodes --ignore=test/ros $(ARGS)
endef

lock:  ## pin the newest versions (needs uv)
	for distro in jazzy kilted; do \
	  cat $(foreach part,ros core demo dev,requirements/$(part).txt) requirements/$$distro.txt \
	  | sed "s/\$${ROS_DISTRO}/$$distro/" | $(PIN) -o requirements/$$distro.lock - || exit 1; done
	$(PIN) -o requirements/colcon.lock -c requirements/jazzy.lock requirements/colcon.txt
