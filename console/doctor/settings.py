"""Examines the settings: which files are there, whether they can be used, and how much they set."""

from collections.abc import Sequence
from pathlib import Path

from console.doctor.values import DoctorArea, Examination, failed, passed
from console.errors import SettingsError
from console.settings import Settings, load_settings
from console.text import clean, listed

AREA = DoctorArea.SETTINGS


def examine_settings(
    files: Sequence[Path], required: Path | None, own: Path
) -> tuple[Settings, tuple[Examination, ...]]:
    """Return the settings, the defaults where a file cannot be used, and what was found of the files.

    `own` is the file that `vipconsole config init` writes for the one who asks.
    """
    try:
        settings = load_settings(files, required)
    except SettingsError as error:
        hint = f"{error.hint} Until then nothing of it is used: what is told here is of the defaults."
        return Settings(), (failed(AREA, "files", SettingsError(error.sentence, hint)),)
    there = [path for path in (*files, *((required,) if required else ())) if path.exists()]
    if not there:
        return settings, (
            passed(
                AREA,
                "files",
                "No settings file is there: everything has its default.",
                f"`vipconsole config init` writes {clean(str(own), 300)} with every key and what it means.",
            ),
        )
    names = listed([clean(str(path), 300) for path in there])
    return settings, (
        passed(
            AREA,
            "files",
            f"Read: {names}. No key is unknown.",
            "`vipconsole config show` tells where each value comes from.",
        ),
    )
