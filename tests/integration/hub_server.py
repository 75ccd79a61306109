"""A small server that speaks as much of the Hugging Face hub's protocol as `datasets` asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

Files = Mapping[str, bytes]
"""Path in a repository → content."""

LARGE = ".parquet"
"""The hub keeps such files in another store (LFS) and answers with a redirect."""


@dataclass
class Hub:
    """A running server and what was asked of it.

    Attributes:
        url: What to set `HF_ENDPOINT` to.
        repositories: Repository → commit → files. There are no branches: `main` is refused.
        requests: Every request so far, as `METHOD /path`, in order.
    """

    url: str
    repositories: dict[str, dict[str, Files]]
    requests: list[str] = field(default_factory=list)


@contextmanager
def serving(repositories: dict[str, dict[str, Files]]) -> Iterator[Hub]:
    """Serve data set repositories on 127.0.0.1 until the block ends.

    Args:
        repositories: Repository → commit → files.

    Yields:
        The running server.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    hub = Hub(f"http://127.0.0.1:{server.server_port}", repositories)
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route()

    def do_HEAD(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the requests are kept in `Hub.requests`."""

    @property
    def _hub(self) -> Hub:
        return self.server.hub  # type: ignore[attr-defined, no-any-return]

    def _route(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        path, query = unquote(url.path), parse_qs(url.query)
        self._hub.requests.append(f"{self.command} {self.path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "datasets"] and len(parts) >= 4:
            repo, rest = "/".join(parts[2:4]), parts[4:]
        elif parts[0] == "store" and len(parts) == 2:
            self._store(parts[1])
            return
        elif parts[0] == "datasets" and len(parts) >= 6 and parts[3] == "resolve":
            repo, rest = "/".join(parts[1:3]), parts[3:]
        else:
            self._refuse(404, "", f"no such route {path}")
            return
        commits = self._hub.repositories.get(repo)
        if commits is None:
            self._refuse(401, "RepoNotFound", "Repository not found")
            return
        action, revision = (rest[0], rest[1]) if len(rest) >= 2 else ("revision", "main")
        files = commits.get(revision)
        if files is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        inner = "/".join(rest[2:])
        if action == "resolve":
            self._resolve(files, revision, inner)
        elif action == "revision":
            self._json(_info(repo, revision, files))
        elif action == "tree":
            self._tree(files, inner, is_recursive=query.get("recursive", ["false"])[0] == "true")
        elif action == "paths-info":
            self._paths_info(files, body)
        else:
            self._refuse(404, "", f"no such route {path}")

    def _resolve(self, files: Files, revision: str, path: str) -> None:
        """Answer with a small file, or point to the store of large files, as the hub does."""
        content = files.get(path)
        headers = {"X-Repo-Commit": revision}
        if content is None:
            self._refuse(404, "EntryNotFound", "Entry not found", headers)
        elif path.endswith(LARGE):
            oid = hashlib.sha256(content).hexdigest()
            # Another host name than the hub's, or a HEAD would follow the redirect.
            store = self._hub.url.replace("127.0.0.1", "localhost")
            headers["Location"] = f"{store}/store/{oid}"
            headers["X-Linked-Size"] = str(len(content))
            headers["X-Linked-ETag"] = f'"{oid}"'
            self._send(302, b"", headers)
        else:
            self._file(content, headers | {"ETag": f'"{_digest(content)}"'})

    def _store(self, oid: str) -> None:
        """Answer with a large file, by its digest."""
        for commits in self._hub.repositories.values():
            for files in commits.values():
                for content in files.values():
                    if hashlib.sha256(content).hexdigest() == oid:
                        self._file(content, {"ETag": f'"{oid}"'})
                        return
        self._refuse(404, "", "no such object")

    def _file(self, content: bytes, headers: Mapping[str, str]) -> None:
        """Answer with a file, whole or in part."""
        headers = {**headers, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        status, part = 200, content
        if asked := self.headers.get("Range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(content)) + 1, len(content))
            status, part = 206, content[start:end]
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        self._send(status, part, headers)

    def _tree(self, files: Files, folder: str, *, is_recursive: bool) -> None:
        prefix = f"{folder}/" if folder else ""
        below = {path for path in files if path.startswith(prefix)}
        if folder and not below:
            self._refuse(404, "EntryNotFound", f"{folder} does not exist")
            return
        entries: dict[str, dict[str, object]] = {}
        for path in sorted(below):
            names = path.removeprefix(prefix).split("/")
            for depth in range(1, len(names) if is_recursive else min(len(names), 2)):
                name = prefix + "/".join(names[:depth])
                entries[name] = {"type": "directory", "path": name, "oid": "0" * 40, "size": 0}
            if is_recursive or len(names) == 1:
                entries[path] = _entry(path, files[path])
        self._json(list(entries.values()))

    def _paths_info(self, files: Files, body: bytes) -> None:
        if "json" in self.headers.get("Content-Type", ""):
            paths = json.loads(body)["paths"]
        else:
            paths = parse_qs(body.decode())["paths"]
        found: list[dict[str, object]] = []
        for path in [paths] if isinstance(paths, str) else paths:
            if path in files:
                found.append(_entry(path, files[path]))
            elif any(name.startswith(f"{path}/") for name in files):
                found.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
        self._json(found)

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        more = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self._send(status, json.dumps({"error": message}).encode(), more | dict(headers or {}))

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _digest(content: bytes) -> str:
    """The Git blob id, which is what the hub gives as the ETag of a small file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "path": path,
        "oid": _digest(content),
        "size": len(content),
    }
    if path.endswith(LARGE):
        oid = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 130}
    return entry


def _info(repo: str, revision: str, files: Files) -> dict[str, object]:
    return {
        "_id": "0" * 24,
        "id": repo,
        "author": repo.split("/")[0],
        "sha": revision,
        "lastModified": "2024-01-04T16:31:07.000Z",
        "createdAt": "2022-06-13T14:01:47.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [{"rfilename": path} for path in sorted(files)],
    }
