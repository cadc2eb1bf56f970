"""Numbers, sizes, times and dates as people read them, in the language in use."""

from __future__ import annotations

from datetime import datetime, timedelta

from PySide6.QtCore import QDate

from ui.i18n import locale, tr

_SIZE_UNITS = ("kB", "MB", "GB", "TB")


def number(value: int) -> str:
    """A count with separators: 8,192."""
    return locale().toString(value)


def decimal(value: float, digits: int = 1) -> str:
    """A number with a fixed count of digits after the point."""
    return locale().toString(value, "f", digits)


def size(size_bytes: int) -> str:
    """Bytes in decimal units, three digits: 4.37 GB, as model hubs and disks count."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value = float(size_bytes)
    for unit in _SIZE_UNITS:
        value /= 1000
        # 999.5 and more would round to 1000 of this unit.
        if value < 999.5 or unit == _SIZE_UNITS[-1]:
            break
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{decimal(value, digits)} {unit}"


def count(value: int) -> str:
    """A large count in three digits, as parameters of models are told: 30.5B, 135M."""
    if value < 1_000_000:
        return number(value)
    divisor, unit = (1_000_000_000, "B") if value >= 1_000_000_000 else (1_000_000, "M")
    scaled = value / divisor
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{decimal(scaled, digits)}{unit}"


def rate(bytes_per_s: float) -> str:
    """Bytes a second."""
    return f"{size(round(bytes_per_s))}/s"


def duration(seconds: float) -> str:
    """A length of time in its two largest units: 12 s, 3 min 20 s, 2 h 5 min, 1 d 4 h."""
    total_s = max(0, round(seconds))
    if total_s < 60:
        return tr("{n} s", n=total_s)
    if total_s < 3600:
        return tr("{minutes} min {seconds} s", minutes=total_s // 60, seconds=total_s % 60)
    total_min = round(total_s / 60)
    if total_min < 24 * 60:
        return tr("{hours} h {minutes} min", hours=total_min // 60, minutes=total_min % 60)
    total_h = round(total_s / 3600)
    return tr("{days} d {hours} h", days=total_h // 24, hours=total_h % 24)


def day_group(moment: datetime, now: datetime) -> str:
    """The heading that a moment belongs under: Today, Yesterday, ..., or a month with its year.

    Args:
        moment: With a time zone, or in local time.
        now: Likewise; passed in so that a list is grouped by one and the same moment.
    """
    day = _local(moment).date()
    today = _local(now).date()
    age_days = (today - day).days
    if age_days <= 0:
        return tr("Today")
    if age_days == 1:
        return tr("Yesterday")
    if age_days <= 7:
        return tr("Last 7 days")
    if age_days <= 30:
        return tr("Last 30 days")
    # Standalone: the month's name as a heading, "2026年9月" in Chinese.
    return locale().toString(QDate(day.year, day.month, day.day), tr("MMMM yyyy"))


def moment(value: datetime, now: datetime) -> str:
    """A point in time, as short as it can be: 14:05 today, the weekday this week, else the day."""
    local = _local(value)
    today = _local(now).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    date = QDate(local.year, local.month, local.day)
    if timedelta(0) < today - local.date() < timedelta(days=7):
        return locale().toString(date, "ddd")
    if local.year == today.year:
        return locale().toString(date, tr("d MMM"))
    return locale().toString(date, tr("d MMM yyyy"))


def _local(value: datetime) -> datetime:
    return value.astimezone() if value.tzinfo is not None else value
