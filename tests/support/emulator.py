"""What stands on a terminal after everything that was sent to it: text at its place, without colours."""

import re

from rich.cells import cell_len

MOVE_OR_STYLE = re.compile(r"\x1b\[([?<>=]?[0-9;]*)[ -/]*([@-~])")
OTHER = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_].*?\x1b\\|\x1b.", re.DOTALL)


def screen_of(sent: bytes, size: tuple[int, int]) -> list[str]:
    """Return the lines of the terminal; a character that takes two columns stands in the first one."""
    width, height = size
    text = sent.decode(errors="replace")
    cells = [[" "] * width for _ in range(height)]
    x = y = at = 0
    while at < len(text):
        if control := MOVE_OR_STYLE.match(text, at):
            parameters, kind = control.groups()
            if kind == "H":
                y, x = (int(number) - 1 for number in (parameters or "1;1").split(";"))
            elif kind == "J" or (kind == "h" and parameters == "?1049"):
                cells = [[" "] * width for _ in range(height)]
            at = control.end()
        elif control := OTHER.match(text, at):
            at = control.end()
        else:
            character = text[at]
            at += 1
            if character == "\n":
                y += 1
            elif character == "\r":
                x = 0
            elif character >= " ":
                columns = cell_len(character)
                if y < height and x + columns <= width:
                    cells[y][x : x + columns] = [character, *[""] * (columns - 1)]
                x += columns
    return ["".join(line).rstrip() for line in cells]
