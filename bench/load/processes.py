"""The processes of a running service, and what each of them holds (Linux, proc(5))."""

import os
import re
from enum import Enum
from pathlib import Path
from typing import NamedTuple


class Role(Enum):
    """What a process does in the service."""

    MASTER = "master"
    WORKER = "worker"
    BROKER = "broker"
    FORK_SERVER = "fork server"
    CHILD = "child"


class Process(NamedTuple):
    """
    One process.

    Args:
        memory_bytes: Anonymous memory (PSS): what the process has allocated. A page that several processes share counts
            once, divided among them. Pages of files are left out: other programs on the machine share them at times.
        descriptors: Open files, sockets and pipes.
        started: When it was started, in ticks of the clock since the machine was. Process ids begin anew at times.
    """

    pid: int
    role: Role
    memory_bytes: int
    descriptors: int
    started: int


class _Entry(NamedTuple):
    parent: int
    state: str
    started: int
    command: str


def family(master: int, cache: Path) -> list[Process]:
    """
    Return the processes of a service, with its broker even if the worker that started it is gone.

    Args:
        master: Process id of `imgcdn serve`.
        cache: Its cache folder, by which its broker is recognised.
    """
    table = _table()
    brokers = [pid for pid, each in table.items() if "imgcdn.renderers" in each.command and str(cache) in each.command]
    servers = [pid for pid, each in table.items() if each.parent in brokers and "forkserver" in each.command]
    roles = {pid: Role.CHILD for pid, each in table.items() if each.parent in servers}
    # A worker is a fork of its master, so it has the same command line.
    command = table[master].command if master in table else None
    roles |= {pid: Role.WORKER for pid, each in table.items() if each.parent == master and each.command == command}
    roles |= dict.fromkeys(servers, Role.FORK_SERVER) | dict.fromkeys(brokers, Role.BROKER)
    roles = {master: Role.MASTER, **roles}
    found = [_weigh(pid, role, table[pid].started) for pid, role in roles.items() if pid in table]
    return [each for each in found if each is not None]


def zombies(master: int, cache: Path) -> int:
    """Count the ended processes of a service whose exit status nobody has read."""
    parents = {each.pid for each in family(master, cache)}
    return sum(each.state == "Z" and each.parent in parents for each in _table().values())


def _weigh(pid: int, role: Role, started: int) -> Process | None:
    folder = Path(f"/proc/{pid}")
    try:
        match = re.search(r"^Pss_Anon:\s+(\d+)", (folder / "smaps_rollup").read_text(encoding="ascii"), re.MULTILINE)
        return Process(pid, role, int(match[1]) * 1024 if match else 0, len(os.listdir(folder / "fd")), started)
    except OSError:  # it has just ended
        return None


def _table() -> dict[int, _Entry]:
    table = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            table[int(entry.name)] = _Entry(int(fields[1]), fields[0], int(fields[19]), command)
    return table
