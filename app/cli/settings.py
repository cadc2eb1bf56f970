"""`coterie settings`: what holds for all conversations."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.cli.choices import model_name
from app.cli.cost import bad_prices
from app.cli.output import print_json, print_table
from app.console import Console
from app.errors import BadUsage
from app.prices import is_price_list
from app.services import Services
from model_manager.hosts import is_proxy
from model_manager.tls import require_authority
from storage.errors import NoSuchSetting
from storage.settings import DEFAULTS
from ui.i18n import tr

# What is kept like a setting, but is none of a person's.
_HIDDEN = ("window_geometry", "window_state", "splitter_sizes", "last_conversation_id", "verified_models")


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser("settings", parents=parents, help="show and change settings")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("list", parents=parents, help="all of them").set_defaults(run=list_settings)
    getting = actions.add_parser("get", parents=parents, help="one of them")
    getting.add_argument("key", metavar="KEY")
    getting.set_defaults(run=get)
    setting = actions.add_parser("set", parents=parents, help="change one; VALUE is JSON or plain text")
    setting.add_argument("key", metavar="KEY")
    setting.add_argument("value", metavar="VALUE")
    setting.set_defaults(run=set_value)


def list_settings(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print all settings."""
    values = {key: value for key, value in services.settings().items() if key not in _HIDDEN}
    if arguments.json:
        print_json(console, values)
    else:
        print_table(console, [[key, json.dumps(value)] for key, value in values.items()])
    return 0


def get(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print one setting as JSON."""
    if arguments.key not in services.settings():
        raise NoSuchSetting(arguments.key)
    print_json(console, services.setting(arguments.key))
    return 0


def set_value(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Change one setting; `null` gives the default back."""
    key = arguments.key
    if key not in services.settings():
        raise NoSuchSetting(key)
    try:
        value = json.loads(arguments.value)
    except ValueError:
        value = arguments.value
    value = DEFAULTS[key] if value is None else _checked(key, value, services, console)
    services.set_setting(key, value)
    if arguments.json:
        print_json(console, {key: value})
    return 0


def _checked(key: str, value: Any, services: Services, console: Console) -> Any:
    """What is to be stored. The data folder is opened with it, so what makes no sense must not get there.

    Raises:
        BadUsage: Of the wrong kind.
        ModelNotFound: As the default model.
        BadCertificateFile: As the file of certificate authorities.
    """
    match key:
        case "default_model" if isinstance(value, str):
            return services.library.get(model_name(value, services, console)).name
        case "models_dir" if isinstance(value, str) and value:
            return str(console.cwd / Path(value).expanduser())
        case "ca_file" if isinstance(value, str) and value:
            ca_file = str(console.cwd / Path(value).expanduser())
            require_authority(ca_file)
            return ca_file
        case "proxy" if isinstance(value, str) and "@" in value:
            words = tr(
                "coterie: a password does not belong into the settings."
                " Set {variable} in the environment, and leave {key} at “system”.",
                variable="https_proxy",
                key=key,
            )
            raise BadUsage(words)
        case "prices" if not is_price_list(value):
            raise BadUsage(bad_prices(value))
    fits = _FITS.get(key)
    if fits is None or not fits(value):
        raise BadUsage(tr("coterie: {value} cannot be the value of {key}.", value=json.dumps(value), key=key))
    return value


def _is_address(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_proxy(value: Any) -> bool:
    return value in ("system", "none") or (isinstance(value, str) and is_proxy(value))


# `type() is`: true is no number here.
_FITS: Mapping[str, Callable[[Any], bool]] = {
    "backup_every_days": lambda value: type(value) is int and 0 <= value <= 3650,
    "backups_kept": lambda value: type(value) is int and 1 <= value <= 1000,
    "download_connections": lambda value: type(value) is int and 1 <= value <= 16,
    "download_rate": lambda value: type(value) is int and value >= 0,
    "downloads_at_once": lambda value: type(value) is int and 1 <= value <= 16,
    "hub_endpoint": _is_address,
    "language": ("system", "en", "zh_CN").__contains__,
    "models_memory_bytes": lambda value: type(value) is int and value >= 0,
    "modelscope_endpoint": _is_address,
    "n_ctx_tokens": lambda value: type(value) is int and value >= 0,
    "offline": lambda value: type(value) is bool,
    "prices": is_price_list,
    "proxy": _is_proxy,
    "prompt_cache_bytes": lambda value: type(value) is int and value >= 0,
    "sampling_defaults": lambda value: type(value) is dict,
    "trace": ("replay", "live").__contains__,
    "theme": ("system", "light", "dark").__contains__,
    "trash_days": lambda value: type(value) is int and 0 <= value <= 36500,
    "unload_after_min": lambda value: type(value) is int and value >= 0,
    "zoom_percent": lambda value: type(value) is int and 25 <= value <= 500,
}
