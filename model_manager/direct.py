"""A file at any address: what it is called and how large it is."""

from __future__ import annotations

from email.message import Message
from email.utils import collapse_rfc2231_value
from urllib.parse import unquote, urlsplit

from model_manager.errors import InvalidReference
from model_manager.filenames import safe_relative_path
from model_manager.header_numbers import CONTENT_RANGE, count_of
from model_manager.http import Http, HTTPError, InvalidURL, Response
from model_manager.network import unavailable
from model_manager.partial import without_query
from model_manager.references import UrlReference
from model_manager.refusals import refusal_of
from model_manager.shards import model_stem
from model_manager.types import DownloadFile, DownloadItem


def item_at(http: Http, reference: UrlReference) -> DownloadItem:
    """What to download for an address that a person has typed; the server is asked where it hides the name.

    Raises:
        InvalidReference: The server's name for it is that of no model either.
        UnsafeFilename: The name would leave our folder.
        HubError, HubUnavailable, Offline, HostRefused: The server does not say.
    """
    http.allow(reference.url, is_file=True)
    filename, size_bytes = reference.filename, None
    if not filename:
        filename, size_bytes = _ask(http, reference)
    host = (urlsplit(reference.url).hostname or "").replace(":", "_")
    path = safe_relative_path(f"{host}/{filename}")
    file = DownloadFile(reference.url, str(path), size_bytes, reference.sha256)
    return DownloadItem(model_stem(path.name), (file,))


def _ask(http: Http, reference: UrlReference) -> tuple[str, int | None]:
    host = urlsplit(reference.url).hostname or ""
    headers = {"Range": "bytes=0-0", "Accept-Encoding": "identity"}
    try:
        # Not HEAD: signed addresses are often signed for GET alone. The body is not read.
        with (
            http.purpose("file name"),
            http.new_client() as client,
            client.stream("GET", reference.url, headers=headers) as response,
        ):
            if response.status_code not in (200, 206):
                raise refusal_of(response.status_code, without_query(reference.url), host)
            filename = disposition_name(response.headers.get("Content-Disposition", ""))
            # Where redirects have ended, the address may tell.
            filename = filename or unquote(response.url.path).rpartition("/")[2]
            size_bytes = _size(response)
    except InvalidURL as error:
        raise InvalidReference(reference.ref) from error
    except HTTPError as error:
        raise unavailable(host, error) from error
    if not filename.lower().endswith(".gguf"):
        raise InvalidReference(reference.ref)
    return filename, size_bytes


def disposition_name(header: str) -> str:
    """The file's name in a `Content-Disposition`, as it stands there; "" where there is none.

    Source: RFC 6266; `filename*` (RFC 8187) counts more than `filename`.
    """
    message = Message()
    message["Content-Disposition"] = header.replace("\r", " ").replace("\n", " ")
    found = [
        value for key, value in message.get_params([], header="content-disposition") if key == "filename"
    ]
    extended = [value for value in found if isinstance(value, tuple)]
    return collapse_rfc2231_value((extended or found or [""])[0])


def _size(response: Response) -> int | None:
    match = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is not None:
        return count_of(match[3])
    return count_of(response.headers.get("Content-Length")) if response.status_code == 200 else None
