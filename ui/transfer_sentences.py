"""What goes wrong with model files, hubs and transfers, in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from model_manager import errors as models
from ui import formats
from ui.i18n import tr


def file_name(path: Path | str) -> str:
    """How people know a file."""
    return Path(path).name or str(path)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


# --- files -----------------------------------------------------------------------------------


def _not_gguf(error: models.NotGguf) -> str:
    return tr("“{file}” is not a GGUF model. Choose a file that ends in .gguf.", file=file_name(error.path))


def _truncated_gguf(error: models.TruncatedGguf) -> str:
    return tr(
        "“{file}” is incomplete: its end is missing. Download or copy it again.", file=file_name(error.path)
    )


def _damaged_gguf(error: models.DamagedGguf) -> str:
    return tr(
        "“{file}” is damaged and cannot be read. Download or copy it again.", file=file_name(error.path)
    )


def _unsupported_gguf(error: models.UnsupportedGguf) -> str:
    return tr(
        "“{file}” is a kind of GGUF that Coterie cannot read. Look for a newer conversion of the model.",
        file=file_name(error.path),
    )


def _missing_shard(error: models.MissingShard) -> str:
    return tr(
        "The model is split into several files, and “{file}” is missing. "
        "Put it beside the others or download the model again.",
        file=file_name(error.path),
    )


def _only_vision(error: models.OnlyVision) -> str:
    return tr(
        "{path} is what lets a model see, not a model. "
        "Keep it in the folder of its model; it is used from there.",
        path=error.path,
    )


def _model_file(error: models.ModelFileError) -> str:
    return tr("“{file}” cannot be used as a model. Choose another file.", file=file_name(error.path))


def _model_not_found(error: models.ModelNotFound) -> str:
    if Path(error.name).is_absolute() or error.name.endswith(".gguf"):
        return tr("There is no model file at {path}. Check the path.", path=error.name)
    return tr(
        "The library has no model named “{name}”. Choose another model or import its file.", name=error.name
    )


def _model_name_taken(error: models.ModelNameTaken) -> str:
    return tr(
        "The library already has a model named “{name}” ({path}). "
        "Remove that entry or rename the new file, then try again.",
        name=error.name,
        path=error.path,
    )


def _cannot_remove_starter(error: models.CannotRemoveStarter) -> str:
    return tr(
        "“{name}” belongs to Coterie and cannot be removed or moved. "
        "Choose another model if you do not want it.",
        name=error.name,
    )


def _starter_unavailable(_error: models.StarterUnavailable) -> str:
    return tr(
        "The starter model is not on this computer. "
        "Run “make setup” in Coterie's folder once, or download another model."
    )


def _kept_by_store(error: models.KeptByStore) -> str:
    return tr(
        "“{name}” belongs to Ollama, whose models share files. "
        "Delete it there with “ollama rm {store_name}”, then remove the entry here.",
        name=error.name,
        store_name=error.store_name,
    )


def _store_not_found(error: models.StoreNotFound) -> str:
    if error.where in error.choices:
        return tr(
            "“{where}” keeps no models on this computer, as far as its settings tell. "
            "If they lie elsewhere, name that folder.",
            where=error.where,
        )
    return tr(
        "There is no folder of models at “{where}”. "
        "Name another folder, or one of these programs: {choices}.",
        where=error.where,
        choices=", ".join(error.choices),
    )


def _hash_mismatch(error: models.HashMismatch) -> str:
    return tr(
        "“{file}” is not what its source says it should be: the checksum differs. "
        "Do not use this copy; download it again.",
        file=file_name(error.path),
    )


# --- network ---------------------------------------------------------------------------------


def _invalid_reference(error: models.InvalidReference) -> str:
    if error.choices:
        return tr(
            "“{ref}” could mean several files. Name one of them: {choices}.",
            ref=error.ref,
            choices=", ".join(error.choices[:8]) + (", …" if len(error.choices) > 8 else ""),
        )
    return tr(
        "“{ref}” names no model file. Write owner/repository, owner/repository:Q4_K_M, "
        "a web address or the path of a file.",
        ref=error.ref,
    )


def _not_offered(error: models.NotOffered) -> str:
    choices = ", ".join(error.choices[:8]) + (", …" if len(error.choices) > 8 else "")
    if error.missing:
        words = tr(
            "“{ref}” is split into several files, and the hub lacks “{file}”.",
            ref=error.ref,
            file=error.missing[0],
        )
    elif error.choices:
        words = tr("“{ref}” is not offered.", ref=error.ref)
    else:
        words = tr("“{ref}” holds no model in GGUF files.", ref=error.ref)
    if error.choices:
        return f"{words} {tr('Choose one of these: {choices}.', choices=choices)}"
    return f"{words} {tr('Choose another repository.')}"


def _host_refused(error: models.HostRefused) -> str:
    return tr(
        "The server pointed to {host}, which you never named, so nothing was sent there. "
        "If you trust that host, set it as the hub's address in the settings.",
        host=error.host,
    )


def _offline(error: models.Offline) -> str:
    return tr(
        "Coterie is working offline, so nothing was sent to {host}. "
        "Turn off “Work offline” in the settings, then try again.",
        host=error.host,
    )


def _hub_error(error: models.HubError) -> str:
    return tr(
        "{host} answered with error {status}. Try again later.", host=_host(error.url), status=error.status
    )


def _access_denied(error: models.AccessDenied) -> str:
    return tr(
        "{host} refused access to this model (error {status}). Accept its licence there, give Coterie your "
        "access token (in the settings, or by “coterie tokens set”), then try again.",
        host=_host(error.url),
        status=error.status,
    )


def _not_on_hub(error: models.NotOnHub) -> str:
    return tr("{host} has no such model or file. Check the spelling.", host=_host(error.url))


def _rate_limited(error: models.RateLimited) -> str:
    return tr("{host} asks for a pause. Wait a few minutes, then try again.", host=_host(error.url))


def _hub_unavailable(error: models.HubUnavailable) -> str:
    return tr(
        "{host} cannot be reached. "
        "Check the connection and the hub's address in the settings, then try again.",
        host=error.host,
    )


def _network_away(error: models.NetworkAway) -> str:
    return tr(
        "This computer has no connection to {host} at the moment. "
        "Check the network; downloads go on by themselves once it is back.",
        host=error.host,
    )


def _host_silent(error: models.HostSilent) -> str:
    return tr(
        "{host} does not answer: it is down, or something on the way, such as a firewall, lets nothing "
        "through. Check the address and the proxy in the settings; "
        "downloads go on by themselves once it answers.",
        host=error.host,
    )


def _hub_failing(error: models.HubFailing) -> str:
    return tr(
        "{host} answers that it cannot serve at the moment (error {status}). "
        "What has arrived is kept; try again later.",
        host=error.host,
        status=error.status,
    )


def _certificate_refused(error: models.CertificateRefused) -> str:
    return tr(
        "{host} could not prove that it is {host}, so nothing was sent to it. If your network inspects its "
        "traffic, name its certificate authority in the settings; else do not go on.",
        host=error.host,
    )


def _proxy_failed(error: models.ProxyFailed) -> str:
    return tr(
        "The proxy on the way to {host} does not answer or refuses. "
        "Check the proxy in the settings and your network, then try again.",
        host=error.host,
    )


def _proxy_unusable(error: models.ProxyUnusable) -> str:
    return tr(
        "“{proxy}” is no proxy that Coterie can use. Write an address such as http://host:8080 or "
        "socks5h://host:1080 in the settings or in your environment.",
        proxy=error.proxy,
    )


def _bad_certificate_file(error: models.BadCertificateFile) -> str:
    return tr(
        "{path} cannot be used as a certificate authority. "
        "Choose a file of PEM certificates in the settings.",
        path=error.path,
    )


def _transfer_stalled(error: models.TransferStalled) -> str:
    return tr(
        "No data came from {host} for {time}, so the download stopped; what has arrived is kept. "
        "Try again to go on from there.",
        host=_host(error.url),
        time=formats.duration(error.timeout_s),
    )


def _no_such_download(error: models.NoSuchDownload) -> str:
    return tr("There is no download {id}. `coterie models downloads` lists them.", id=error.download_id)


def _transfer_cancelled(_error: models.TransferCancelled) -> str:
    return tr("The download was stopped; what has arrived is kept. Resume it whenever you like.")


def _remote_file_changed(error: models.RemoteFileChanged) -> str:
    return tr(
        "The file at {host} was replaced while it was being downloaded. "
        "Start the download again to get the new one.",
        host=_host(error.url),
    )


def _size_mismatch(error: models.SizeMismatch) -> str:
    return tr(
        "{host} sent {received} where {expected} were promised. "
        "Try again; if it happens again, use another source.",
        host=_host(error.url),
        received=formats.size(error.received_bytes),
        expected=formats.size(error.expected_bytes),
    )


def _unsafe_filename(error: models.UnsafeFilename) -> str:
    return tr(
        "A file named “{filename}” is not safe to save on this computer. Choose another file.",
        filename=error.filename,
    )


def _not_enough_disk(error: models.NotEnoughDisk) -> str:
    return tr(
        "{needed} are needed in {path}, but only {free} are free. "
        "Make room or choose another models folder, then try again.",
        needed=formats.size(error.needed_bytes),
        free=formats.size(error.free_bytes),
        path=error.path,
    )


def _cannot_write(error: models.CannotWrite) -> str:
    return tr(
        "Coterie cannot write to {path}. Check its permissions and the free space, or choose another folder.",
        path=error.path,
    )


def _disk_full(error: models.DiskFull) -> str:
    return tr(
        "The disk is full, so “{file}” could not be written on. What has arrived is kept: "
        "make room, then resume.",
        file=file_name(error.path),
    )


def _file_in_use(error: models.FileInUse) -> str:
    return tr(
        "Another program is fetching “{file}” just now. Wait until it is done, then try again.",
        file=file_name(error.path),
    )


SENTENCES: dict[type[BaseException], Callable[[Any], str]] = {
    models.ModelFileError: _model_file,
    models.OnlyVision: _only_vision,
    models.NotGguf: _not_gguf,
    models.TruncatedGguf: _truncated_gguf,
    models.DamagedGguf: _damaged_gguf,
    models.UnsupportedGguf: _unsupported_gguf,
    models.MissingShard: _missing_shard,
    models.ModelNotFound: _model_not_found,
    models.ModelNameTaken: _model_name_taken,
    models.CannotRemoveStarter: _cannot_remove_starter,
    models.KeptByStore: _kept_by_store,
    models.StoreNotFound: _store_not_found,
    models.StarterUnavailable: _starter_unavailable,
    models.HashMismatch: _hash_mismatch,
    models.InvalidReference: _invalid_reference,
    models.NotOffered: _not_offered,
    models.Offline: _offline,
    models.HostRefused: _host_refused,
    models.HubError: _hub_error,
    models.AccessDenied: _access_denied,
    models.NotOnHub: _not_on_hub,
    models.RateLimited: _rate_limited,
    models.HubUnavailable: _hub_unavailable,
    models.NetworkAway: _network_away,
    models.HostSilent: _host_silent,
    models.HubFailing: _hub_failing,
    models.CertificateRefused: _certificate_refused,
    models.ProxyFailed: _proxy_failed,
    models.ProxyUnusable: _proxy_unusable,
    models.BadCertificateFile: _bad_certificate_file,
    models.TransferStalled: _transfer_stalled,
    models.NoSuchDownload: _no_such_download,
    models.TransferCancelled: _transfer_cancelled,
    models.RemoteFileChanged: _remote_file_changed,
    models.SizeMismatch: _size_mismatch,
    models.UnsafeFilename: _unsafe_filename,
    models.NotEnoughDisk: _not_enough_disk,
    models.CannotWrite: _cannot_write,
    models.DiskFull: _disk_full,
    models.FileInUse: _file_in_use,
}
