"""What systemd's commands print of objects: `Key=Value` lines, an empty line between two objects."""

from collections.abc import Iterator, Mapping


def property_blocks(said: bytes) -> Iterator[Mapping[str, str]]:
    """Yield the properties of one object after the other, unchecked; what is no property is passed over."""
    for block in said.decode("utf-8", "replace").split("\n\n"):
        told = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if told:
            yield told
