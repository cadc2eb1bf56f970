"""Whose certificates are believed: those of the system's authorities, and of one more of a person's choice.

Networks that look into their traffic (companies, schools) sign every certificate by an authority of their
own. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's authorities, as they do for most programs; the
setting adds one. Nothing turns the check off.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Final

from model_manager.errors import BadCertificateFile

if TYPE_CHECKING:
    from collections.abc import Callable

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"


def no_tls() -> ssl.SSLContext:
    """For connections without TLS: loading the authorities would take 20 ms for nothing."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def authorities(of_system: Callable[[], ssl.SSLContext], ca_file: str | None) -> ssl.SSLContext:
    """The authorities of the environment, else of the system, and one more.

    Args:
        of_system: Makes a context with the former two.
        ca_file: As `add_authority`; None for none.

    Raises:
        BadCertificateFile: As there, also for what the environment names.
    """
    try:
        context = of_system()
    except OSError as error:
        named = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or ""
        raise BadCertificateFile(named, error.strerror or str(error)) from error
    if ca_file:
        add_authority(context, ca_file)
    return context


def add_authority(context: ssl.SSLContext, ca_file: str) -> None:
    """Trust what a file of PEM certificates names, besides the others.

    Raises:
        BadCertificateFile: It cannot be read, or holds no certificate.
    """
    try:
        with open(ca_file, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if _BEGIN not in text:
            raise BadCertificateFile(ca_file, "no PEM certificate in it")
        context.load_verify_locations(cadata=text)
    except OSError as error:  # also ssl.SSLError
        raise BadCertificateFile(ca_file, error.strerror or str(error)) from error
    except ValueError as error:
        raise BadCertificateFile(ca_file, str(error)) from error


def require_authority(ca_file: str) -> None:
    """Read a file as `add_authority` would, before it is set.

    Raises:
        BadCertificateFile: As there.
    """
    add_authority(no_tls(), ca_file)
