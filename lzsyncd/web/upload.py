"""Uploading: into the inbox like any delivery, each file under a temporary name, on the disk, then renamed.

A file is the body of a request, as it is: there is no multipart here, and no name but those a set may have.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from lzsyncd.config import Site
from lzsyncd.errors import TryAgain, writing
from lzsyncd.feed.elements import Element
from lzsyncd.web.decisions import require_admin
from lzsyncd.web.overview import known
from lzsyncd.web.questions.runs import newest_run
from lzsyncd.web.store import Session, kept
from lzsyncd.web.visit import Visit

BATCH = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}")
OLD = 86_400  # seconds after which a part of an upload that nobody finished goes


def names_of(site: Site) -> list[str]:
    """The files that a site takes."""
    enabled = [element for element in Element if site.element(element).enabled]
    return [element.file_name for element in enabled] + [element.mended_file_name for element in enabled]


def form(visit: Visit) -> Response:
    """The page on which files are dropped."""
    return visit.page(
        "upload.html",
        here="upload",
        names=names_of(visit.site),
        batch=f"{_mark(visit.session)}-{secrets.token_hex(8)}",
        limit=visit.site.max_file_size,
    )


def _mark(session: Session) -> str:
    """Uploads belong to the session in which they began."""
    return session.digest[:16]


async def receive(request: Request, visit: Visit) -> Response:
    """One file, straight to the disk.

    Raises:
        HTTPException: it has a name that no file of the site has, or is too large.
    """
    path = await run_in_threadpool(_place, visit, str(request.path_params["name"]))
    limit = visit.site.max_file_size
    announced = request.headers.get("content-length", "")
    _require_room(int(announced) if announced.isascii() and announced.isdigit() else 0, limit)
    try:
        with _written(path) as handle:
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
                _require_room(size, limit)
                await run_in_threadpool(_write, handle, chunk)
            await run_in_threadpool(os.fsync, handle)
    except BaseException:  # whoever sent it went away, it was too large, or the disk is full
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise
    return PlainTextResponse("received", HTTPStatus.CREATED)


def _require_room(size: int, limit: int) -> None:
    if size > limit:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _place(visit: Visit, name: str) -> Path:
    names = names_of(visit.site)
    if name not in names:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"Names are exact: {', '.join(names)}.")
    folder, batch = visit.site.inbox, _batch(visit)
    _sweep(folder, visit.now.timestamp())
    return folder / _part(batch, name)


def _batch(visit: Visit) -> str:
    batch = visit.place("batch")
    if not BATCH.fullmatch(batch) or not batch.startswith(_mark(visit.session)):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "This upload belongs to another session: reload the page.")
    return batch


def _part(batch: str, name: str) -> str:
    """Not looked at while it lies in the inbox: a dot in front, `.part` behind."""
    return f".{batch}-{name}.part"


def _sweep(folder: Path, now: float) -> None:
    for path in folder.glob(".*.part"):
        with suppress(OSError):
            if BATCH.match(path.name[1:]) and now - path.lstat().st_mtime > OLD:
                path.unlink()


@contextmanager
def _written(path: Path) -> Iterator[int]:
    """A new file of our own: whatever somebody else has put in its place is replaced, and no link followed."""
    with writing(path):
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
        try:
            yield handle
        finally:
            os.close(handle)


def _write(handle: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]


def deliver(visit: Visit) -> Response:
    """All files are there: give them their names, one right after the other.

    Raises:
        HTTPException: there is none.
    """
    require_admin(visit)
    batch, folder = _batch(visit), visit.site.inbox
    parts = {name: folder / _part(batch, name) for name in names_of(visit.site)}
    there = {name: path for name, path in parts.items() if path.is_file()}
    if not there:
        raise HTTPException(HTTPStatus.CONFLICT, "No file has come with this upload.")
    after = _newest(visit)
    with writing(folder):
        for name, path in there.items():
            path.rename(folder / name)
        _fsync(folder)
    with kept(visit.site) as store:
        store.note(visit.session.account, visit.address, "uploaded", ", ".join(there), visit.now)
    return PlainTextResponse(visit.path("delivered") + f"?after={after or '0'}", HTTPStatus.CREATED)


def _newest(visit: Visit) -> str:
    """The newest run, "" before the first; so also where there is no database yet."""
    with suppress(TryAgain), visit.ledger() as database:
        return newest_run(database)
    return ""


def _fsync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def delivered(visit: Visit) -> Response:
    """What becomes of the delivery, until it has a run; then on to that."""
    after, newest = visit.asked("after"), _newest(visit)
    if newest > after:
        if visit.request.headers.get("hx-request"):
            return Response(headers={"hx-redirect": visit.path("runs", newest)})
        return visit.go("runs", newest)
    template = "delivered-part.html" if visit.request.headers.get("hx-request") else "delivered.html"
    return visit.page(template, here="upload", after=after, **known(visit))
