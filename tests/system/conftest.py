# SPDX-License-Identifier: MIT
"""What all system tests share: the machine fixture and the result protocol.

Each test prints "ok N - name" or "not ok N - name", the session ends with
"N passed, N failed". A test marked long runs only with ./loam test --long.

A test runs on the architecture that LOAM_ARCH names, or arm64. One that is for
several says so: @pytest.mark.parametrize("arch", ["arm64", "riscv64"]).
"""

import os
import re
import shutil

import pytest

from dom0 import Dom0Machine
from loam import ARCH, IMAGE, OUT, Board, Dom0, Machine


class Results:
    """Counts as pytest goes, one line each."""

    def __init__(self):
        self.number = self.passed = self.failed = 0

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            if report.when == "teardown" and report.outcome == "skipped":
                return
            self.number += 1
            name = report.nodeid.split("/")[-1]
            if report.outcome == "failed":
                self.failed += 1
                print(f"not ok {self.number} - {name}")
                crash = getattr(report.longrepr, "reprcrash", None)
                print(f"# {crash.message.splitlines()[0] if crash else report.when}", flush=True)
            elif report.outcome == "passed":
                self.passed += 1
                print(f"ok {self.number} - {name} ({report.duration:.1f} s)", flush=True)
            else:
                print(f"ok {self.number} - {name} # SKIP {report.longrepr[2]}", flush=True)

    def pytest_collectreport(self, report):
        if report.failed:
            self.failed += 1


def pytest_configure(config):
    config.addinivalue_line("markers", "long: only with ./loam test --long")
    config.loam_results = Results()
    config.pluginmanager.register(config.loam_results)


def pytest_report_teststatus(report):
    if report.when != "call" and report.passed:
        return "", "", ""
    return report.outcome, "", ""  # no dots between our own lines


def pytest_unconfigure(config):
    results = config.loam_results
    print(f"{results.passed} passed, {results.failed} failed", flush=True)


@pytest.fixture
def arch():
    """The architecture of the machine; a parameter of that name takes its place."""
    return ARCH


def fresh_workdir(name):
    workdir = os.path.join(OUT, "test", re.sub(r"[^\w.-]+", "-", name).strip("-"))
    shutil.rmtree(workdir, ignore_errors=True)
    return workdir


@pytest.fixture
def machine(request, arch):
    """machine(domain, ..., cpus=2, memory=1024, cpu="max", ...): a running Machine."""
    running = []
    workdir = fresh_workdir(request.node.name)

    def start(*domains, **settings):
        settings.setdefault("memory", 1024)
        settings.setdefault("arch", arch)
        settings.setdefault("hypervisor", IMAGE if settings["arch"] == ARCH else None)
        board = Board(out=OUT, domains=list(domains), **settings)
        one = Machine(board, os.path.join(workdir, str(len(running))))
        running.append(one)
        os.makedirs(one.workdir, exist_ok=True)
        return one.__enter__()

    yield start
    for one in running:
        one.__exit__()


def dom0_machines(name):
    """Start machines with a dom0 as they are asked for, and end them with the test."""
    running = []
    workdir = fresh_workdir(name)

    def start(*domains, files=None, dom0=None, **settings):
        settings.setdefault("memory", 1536)
        board = Board(
            out=OUT, domains=list(domains), hypervisor=IMAGE, dom0=dom0 or Dom0(), **settings
        )
        one = Dom0Machine(board, os.path.join(workdir, str(len(running))), files)
        running.append(one)
        os.makedirs(one.workdir, exist_ok=True)
        one.__enter__()
        one.wait_ready()
        return one

    yield start
    for one in running:
        one.__exit__()


@pytest.fixture
def dom0(request):
    """dom0(boot-time domain, ..., files={}, dom0=Dom0(), memory=1536 ...): a running Dom0Machine."""
    yield from dom0_machines(request.node.name)


@pytest.fixture(scope="module")
def shared_dom0(request):
    """The same for all tests of a file; none of them may leave a guest behind."""
    yield from dom0_machines(request.node.name)
