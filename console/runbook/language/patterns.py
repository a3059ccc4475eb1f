"""What texts of a runbook look like, and how that is said to whoever wrote something else."""

from collections.abc import Mapping

from console.durations import SPAN, SPAN_MEANING
from console.nixos.places import STORE_PATH

ID = r"^[a-z][a-z0-9-]{0,39}$"
VARIABLE = r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"
NETWORK = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$"
CIDR4 = r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$"
ABSOLUTE = r"^/[^\x00-\x1f\x7f]*$"
URL = r"^https?://[^\s/?#@]+([/?][^\s#]*)?$"

MEANINGS: Mapping[str, str] = {
    ID: "must be small letters, digits and hyphens, a letter first, at most 40",
    VARIABLE: "must be letters, digits, hyphens and underscores, a letter first, at most 40",
    SPAN: SPAN_MEANING,
    NETWORK: "must be the name of a network",
    CIDR4: "must be an IPv4 subnet without host bits, such as 10.10.0.0/16",
    ABSOLUTE: "must be an absolute path",
    STORE_PATH: "must be a path in the Nix store",
    URL: "must be an address that begins with http:// or https://, without user, password and fragment",
}
"""By pattern, a sentence's end."""
