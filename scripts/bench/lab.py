"""Where the benchmarks work: a temp folder, projects with names of their own, and the two programs under test.

A `Lab` cleans up after itself, also when it is interrupted: every image that it makes carries its label, every
container and network the name of one of its projects. What stays is the builder's cache, which the engine collects, and
hob's volume with the agent, which other projects use.
"""

import argparse
import json
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from engine import Engine, EngineError

ROOT = Path(__file__).resolve().parents[2]
BASE = "busybox"
HOB, COMPOSE = "hob", "Compose"


class Failed(Exception):
    """A program under test did not do what it was run for."""


def add_hob(parser):
    """The argument that says which hob is measured."""
    hob = Path(os.environ.get("HOB") or ROOT / "target/dist/hob")
    parser.add_argument("hob", nargs="?", type=Path, default=hob, help="the program (HOB, or target/dist/hob)")


def arguments(doc, rows, runs):
    """The arguments that all benchmarks with an engine have; `rows` names what can be chosen."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_hob(parser)
    names = ", ".join(rows)
    parser.add_argument("--rows", nargs="+", choices=rows, default=list(rows), metavar="ROW", help=f"some of {names}")
    parser.add_argument("--runs", type=int, default=runs, help=f"how often each is measured ({runs})")
    parser.add_argument("--quick", action="store_true", help="two runs of small projects, to see that the script runs")
    parser.add_argument("--markdown", action="store_true", help="print the tables in Markdown")
    args = parser.parse_args()
    if args.quick:
        args.runs = 2
    if not os.access(args.hob, os.X_OK):
        sys.exit(f"{args.hob} is not there: run cargo build --release")
    args.hob = args.hob.resolve()
    return args


def compose():
    """The command line of Docker Compose and its version, or None. HOB_COMPOSE names one."""
    given = os.environ.get("HOB_COMPOSE")
    for command in [given.split()] if given else [["docker", "compose"], ["docker-compose"]]:
        if shutil.which(command[0]) is None:
            continue
        answer = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
        version = answer.stdout.strip().removeprefix("v")
        # Version 1 is another program, long out of support.
        if answer.returncode == 0 and not version.startswith("1."):
            return command, version
    if given:
        sys.exit(f"HOB_COMPOSE={given} does not run")
    return None


@dataclass
class Tool:
    """hob or Docker Compose."""

    name: str
    command: list[str]


@dataclass
class Project:
    """A project of a lab, in a folder of its own unless it shares one, and the tool that runs it."""

    lab: "Lab"
    tool: Tool
    name: str
    folder: Path
    label: str = ""

    def command(self, *args):
        words = list(args)
        if self.tool.name == HOB and words[:1] == ["--json"]:
            return [*self.tool.command, "-p", self.name, "--progress", "json", *words[1:]]
        return [*self.tool.command, "-p", self.name, *words]

    def run(self, *args):
        """Runs a command of the tool to its end: milliseconds, and what it wrote on standard output."""
        command = self.command(*args)
        began = time.perf_counter()
        done = subprocess.run(command, cwd=self.folder, env=self.lab.env, capture_output=True, check=False)
        took = (time.perf_counter() - began) * 1000
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)} exited with {done.returncode}:\n{done.stderr.decode()[-2000:]}")
        return took, done.stdout.decode()

    def start(self, *args):
        """Starts a command that goes on, such as `watch`."""
        running = Running(self.command(*args), self.folder, self.lab.env)
        self.lab.running.append(running)
        return running

    def write(self, path, text):
        """Writes a file in place, as most editors do."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


class Running:
    """A process that goes on, and the lines that it wrote."""

    def __init__(self, command, folder, env):
        self.command, self.lines, self.news = command, [], threading.Condition()
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append((time.perf_counter(), line.decode(errors="replace").strip()))
                self.news.notify_all()
        with self.news:
            self.lines.append((time.perf_counter(), None))
            self.news.notify_all()

    def wait(self, what, seconds, start=0):
        """When a line for which `what` holds came, and the line, from line `start` on."""
        end = time.monotonic() + seconds
        with self.news:
            while True:
                for at, line in self.lines[start:]:
                    if line is None:
                        raise Failed(f"{' '.join(self.command)} ended:\n{self.text()[-2000:]}")
                    if what(line):
                        return at, line
                start = len(self.lines)
                if not self.news.wait(timeout=max(0.0, end - time.monotonic())):
                    raise Failed(f"{' '.join(self.command)}: not within {seconds} s:\n{self.text()[-2000:]}")

    def text(self):
        return "\n".join(line for _, line in self.lines if line is not None)

    def event(self, kind, seconds, start=0, **fields):
        """When an event of `--progress json` came, and the event."""

        def fits(line):
            event = parsed(line)
            return event.get("type") == kind and all(event.get(name) == value for name, value in fields.items())

        at, line = self.wait(fits, seconds, start)
        return at, parsed(line)

    def resident(self):
        """Resident memory in MB, of the process and those that it started (`docker compose` is two)."""
        return sum(_resident(pid) for pid in _family(self.process.pid)) / 1000

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def parsed(line):
    """A line of `--progress json`; empty where it is none."""
    try:
        return json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}


def _family(pid):
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _resident(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1.024 for line in status.splitlines() if line.startswith("VmRSS:")), 0)


@dataclass
class Lab:
    """The place and the programs. A context manager: leaving it removes everything."""

    args: argparse.Namespace
    engine: Engine = None
    folder: Path = None
    token: str = field(default_factory=lambda: secrets.token_hex(4))
    projects: list = field(default_factory=list)
    running: list = field(default_factory=list)

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: sys.exit(128 + number))
        try:
            self.engine = Engine()
        except EngineError as problem:
            sys.exit(str(problem))
        self.hob, self.peer, self.peer_version = Tool(HOB, [str(self.args.hob)]), None, None
        if found := compose():
            self.peer, self.peer_version = Tool(COMPOSE, found[0]), found[1]
        if not self.engine.has_image(BASE):
            subprocess.run([ROOT / "scripts/base-images", BASE], check=True, stdout=sys.stderr)
        self.folder = Path(tempfile.mkdtemp(prefix="hob-bench-"))
        # Settings of the caller's shell are not what is measured; caches go away with the rest.
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
        self.env |= {"XDG_CACHE_HOME": str(self.folder / "cache"), "GIT_CONFIG_GLOBAL": os.devnull}
        if buildx := os.environ.get("HOB_BUILDX"):
            plugins = self.folder / "docker/cli-plugins"
            plugins.mkdir(parents=True)
            (plugins / "docker-buildx").symlink_to(Path(buildx).resolve())
            self.env |= {"DOCKER_CONFIG": str(plugins.parent), "DOCKER_HOST": self.engine.host}
        return self

    def __exit__(self, kind, problem, _):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        note("cleaning up")
        for running in self.running:
            running.stop()
        for project in self.projects:
            self.engine.remove_project(project)
        self.engine.remove_images(self.label)
        shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(problem, Failed | EngineError):
            sys.exit(str(problem))
        if kind is KeyboardInterrupt:
            sys.exit(130)

    @property
    def label(self):
        """The label of every image that is made here."""
        return f"hob.bench={self.token}"

    def tools(self):
        return [self.hob] + ([self.peer] if self.peer else [])

    def project(self, tool, name, folder=None, label=""):
        """A project: `name` says what it is, its name on the engine is this lab's own."""
        full = f"hob-bench-{self.token}-{name}"
        folder = folder or self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        self.projects.append(full)
        return Project(self, tool, full, folder, label or tool.name)

    def drop(self, *projects):
        """Removes projects that are done with: what they run would slow down what follows."""
        for project in projects:
            self.engine.remove_project(project.name)

    def machine(self):
        """What the figures were measured on."""
        version = subprocess.run([self.args.hob, "version", "--short"], capture_output=True, text=True, check=False)
        peer = f"Docker Compose {self.peer_version}, {self._buildx()}" if self.peer else "no Docker Compose"
        engine = f"{self.engine.version} ({self.engine.info['Driver']})"
        load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
        return [
            f"{date.today()}: engine {engine}, hob {version.stdout.strip()}, {peer}",
            f"{os.cpu_count()} CPUs, {_memory()} GB, Linux {platform.release()}; load average {load}",
        ]

    def _buildx(self):
        """Which builder Docker Compose will use."""
        given = os.environ.get("HOB_BUILDX")
        command = [given, "version"] if given else ["docker", "buildx", "version"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            return "no buildx"
        return f"buildx {answer.stdout.split()[1]}" if answer.returncode == 0 else "without buildx (classic builder)"


def _memory():
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (ValueError, OSError):
        return "?"


def note(text):
    """Says on standard error what is being done: a table takes minutes."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
