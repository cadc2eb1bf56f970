"""A lock on an open file, so that two programs do not write into it at once. Gone with the process."""

from __future__ import annotations

import errno
import os
import sys

_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_FAR_BYTES = 1 << 62
"""Windows locks bytes, not files: one that no file has."""


def lock(descriptor: int) -> bool:
    """Lock a file for this handle, without waiting; False when another has it.

    Where the file system knows no locks the answer is True: then nobody is kept out.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            at_bytes = os.lseek(descriptor, 0, os.SEEK_CUR)
            os.lseek(descriptor, _FAR_BYTES, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(descriptor, at_bytes, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True
