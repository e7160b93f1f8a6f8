"""The Docker engine that the benchmarks run on, spoken to over its API: what is there, what it logs, what is left."""

import http.client
import json
import os
import queue
import shutil
import socket
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote, urlencode

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"


class EngineError(Exception):
    """The engine cannot be reached, or refused."""


class _Connection(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def __init__(self, host):
        self._path = host.removeprefix("unix://") if host.startswith("unix://") else None
        super().__init__("localhost" if self._path else host.removeprefix("tcp://"))

    def connect(self):
        if self._path is None:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def _host():
    """As the docker command chooses: DOCKER_HOST, its context, the default socket."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    if shutil.which("docker"):
        ask = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
        answer = subprocess.run(ask, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip():
            return answer.stdout.strip()
    return "unix:///var/run/docker.sock"


class Engine:
    """One engine."""

    def __init__(self):
        self.host = _host()
        if not self.host.startswith(("unix://", "tcp://")):
            raise EngineError(f"{self.host}: the benchmarks speak unix:// and tcp:// only")
        self.version = self.ask("GET", "/version")["Version"]
        self.info = self.ask("GET", "/info")

    def _request(self, method, path, body=None, **query):
        filters = query.pop("filters", None)
        if filters:
            query["filters"] = json.dumps(filters)
        connection = _Connection(self.host)
        try:
            text, headers = (json.dumps(body), {"Content-Type": "application/json"}) if body else (None, {})
            connection.request(method, path + ("?" + urlencode(query) if query else ""), text, headers)
            answer = connection.getresponse()
        except OSError as problem:
            raise EngineError(f"no Docker engine answers at {self.host}: {problem}") from None
        if answer.status >= 400:
            text = answer.read().decode(errors="replace").strip()
            connection.close()
            raise EngineError(f"{method} {path}: {answer.status} {text}")
        return connection, answer

    def ask(self, method, path, body=None, **query):
        """The answer of one request, parsed."""
        connection, answer = self._request(method, path, body, **query)
        text = answer.read()
        connection.close()
        return json.loads(text) if text.strip() else None

    def has_image(self, name):
        try:
            self.ask("GET", f"/images/{quote(name)}/json")
        except EngineError:
            return False
        return True

    def containers(self, project):
        """Containers of a project that run, as the engine lists them."""
        return self.ask("GET", "/containers/json", filters={"label": [f"{PROJECT}={project}"]})

    def container(self, project, service):
        """The container of a service, inspected."""
        labels = [f"{PROJECT}={project}", f"{SERVICE}={service}"]
        found = self.ask("GET", "/containers/json", filters={"label": labels})
        if len(found) != 1:
            raise EngineError(f"{len(found)} containers of {service} run, one was expected")
        return self.ask("GET", f"/containers/{found[0]['Id']}/json")

    def replace(self, container, name):
        """Gets ready to put a new container, of the same image and network, in the place of one that runs. What is
        returned does it, by the requests that nobody can do without, and says its id."""
        found = self.ask("GET", f"/containers/{container}/json")
        labels = {PROJECT: found["Config"]["Labels"][PROJECT]}
        body = {"Image": found["Image"], "Labels": labels}
        body |= {"HostConfig": {"NetworkMode": found["HostConfig"]["NetworkMode"]}}

        def place():
            made = self.ask("POST", "/containers/create", body, name=f"{name}-new")["Id"]
            self.ask("POST", f"/containers/{container}/stop")
            self.ask("DELETE", f"/containers/{container}", force=1)
            self.ask("POST", f"/containers/{made}/rename", name=name)
            self.ask("POST", f"/containers/{made}/start")
            return made

        return place

    def remove_project(self, project):
        """Removes a project's containers, networks and volumes."""
        mine = {"label": [f"{PROJECT}={project}"]}
        containers = self.ask("GET", "/containers/json", all=1, filters=mine)
        with ThreadPoolExecutor(8) as several:
            list(several.map(lambda found: self._remove(f"/containers/{found['Id']}", force=1, v=1), containers))
        for network in self.ask("GET", "/networks", filters=mine):
            self._remove(f"/networks/{network['Id']}")
        for volume in self.ask("GET", "/volumes", filters=mine)["Volumes"] or []:
            self._remove(f"/volumes/{volume['Name']}")

    def remove_images(self, label):
        """Removes the images that carry a label, whatever their names."""
        for image in self.ask("GET", "/images/json", filters={"label": [label]}):
            self._remove(f"/images/{image['Id']}", force=1)

    def _remove(self, path, **query):
        try:
            self.ask("DELETE", path, **query)
        except EngineError as problem:
            # Something else may have removed it in the meantime; the rest is still to be removed.
            if "404" not in str(problem):
                print(f"left behind: {problem}")

    def events(self, **filters):
        """The engine's events as they come."""
        _, answer = self._request("GET", "/events", filters=filters)
        while line := answer.readline():
            if line.strip():
                yield json.loads(line)

    def log(self, container, since):
        """Lines of a container's log from a moment on, each with the time that the engine wrote down for it."""
        query = {"follow": 1, "stdout": 1, "stderr": 1, "timestamps": 1, "since": f"{since / 1e9:.9f}"}
        _, answer = self._request("GET", f"/containers/{container}/logs", **query)
        rest = b""
        while len(head := answer.read(8)) == 8:
            rest += answer.read(struct.unpack(">I", head[4:])[0])
            *lines, rest = rest.split(b"\n")
            for line in lines:
                stamp, _, text = line.decode(errors="replace").partition(" ")
                yield stamp, text


@dataclass
class Line:
    """A line of a log. Times are nanoseconds since 1970."""

    text: str
    seen: int
    logged: int


class Follower:
    """The logs of all containers of a project, also of those that start later, over streams that are open already."""

    def __init__(self, engine, project):
        self._engine, self._lines = engine, queue.Queue()
        started = engine.events(type=["container"], event=["start"], label=[f"{PROJECT}={project}"])
        threading.Thread(target=self._starts, args=(started,), daemon=True).start()
        now = time.time_ns()
        for container in engine.containers(project):
            self._follow(container["Id"], now)

    def _starts(self, events):
        for event in events:
            # Its first line may be older than the news of its start.
            self._follow(event["Actor"]["ID"], event["timeNano"] - 1_000_000_000)

    def _follow(self, container, since):
        threading.Thread(target=self._read, args=(container, since), daemon=True).start()

    def _read(self, container, since):
        try:
            for stamp, text in self._engine.log(container, since):
                self._lines.put(Line(text, time.time_ns(), _nanoseconds(stamp)))
        except (EngineError, OSError, http.client.HTTPException):
            pass  # the container is gone

    def wait(self, mark, seconds):
        """The first line that holds the mark, or None."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            if mark in line.text:
                return line
        return None


def _nanoseconds(stamp):
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole + " UTC", "%Y-%m-%dT%H:%M:%S %Z"))) - time.timezone
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)
