"""Images that a node cannot pull.

The texts: dockerd's distribution code and swarmkit's agent up to 28, and containerd's resolver, which pulls on Docker 29
and later, with what registries answer (errcode of distribution).
"""

from console.causes.values import Area, Cause

_IMAGE = r'"?(?P<image>[^\s":]+(?::[0-9]+/[^\s":]+)?(?::[^\s":@]+)?(?:@[^\s"]+)?)"?'
_FETCH = (
    r'(?:(?:get|head) "?https?://[^\s"]+"?|failed to do request|failed to resolve image|failed to fetch \S+)'
)
_RETRY = " Swarm tries again by itself; on Docker 29 and later the task stays in preparing meanwhile."
_LIMIT = r"(?:toomanyrequests.*|.*pull rate limit.*|(?:.*: )?429 too many requests.*)"
_DENIAL = (
    r"(?:pull access denied.*|.*(?:no basic auth credentials|insufficient_scope).*|(?:unauthorized|denied)(?:: .+)?"
    r"|(?:.*: )?40[13] (?:unauthorized|forbidden).*|access forbidden.*)"
)
_TLS = r"(?:.*\bx509: .+|.*\btls: .+|.*server gave http response to https client.*)"
_ABSENT = (
    r"(?:(?:.*: )?manifest unknown.*|(?:\S+: )?not found|(?:.*: )?name unknown.*|(?:.*: )?404 not found.*)"
)


def _after(cause: str) -> tuple[str, ...]:
    """Return the patterns of a cause behind what the engine was doing with the image."""
    return (
        rf"failed to resolve reference {_IMAGE}: {cause}",
        rf"failed to pull (?:and unpack )?image {_IMAGE}: {cause}",
        rf"(?:error from registry|{_FETCH}): {cause}",
    )


CAUSES = (
    Cause(
        "image-missing", Area.IMAGE, "image not on the node and not pulled",
        "there is no image {image}",
        "The node does not have the image and could not pull it: the name or the tag is wrong, the registry cannot be "
        "reached, or it wants a login.",
        "The command shows why the pull fails. For a private registry, deploy with --with-registry-auth.",
        (r"(?:error: )?no such image: (?P<image>.+)",),
        command="docker pull {image}",
    ),
    Cause(
        "image-rate-limit", Area.IMAGE, "registry's pull limit reached",
        "its image cannot be pulled: the registry's pull limit is reached",
        "The registry refuses more pulls from that address or account for some time." + _RETRY,
        "Log in to the registry and deploy with --with-registry-auth, use a mirror, or wait.",
        (r"toomanyrequests.*", r"you have reached your .*pull rate limit.*", r"429 too many requests.*", *_after(_LIMIT)),
        command="docker pull {image}",
    ),
    Cause(
        "image-denied", Area.IMAGE, "registry refuses the pull",
        "its image cannot be pulled: the registry refuses it",
        "The repository does not exist, or needs a login that the node does not have." + _RETRY,
        "Check the name. Then run `docker login` and deploy with --with-registry-auth, so that the nodes get the login.",
        (
            rf"pull access denied for {_IMAGE}, repository does not exist or may require .*",
            r"pull access denied.*",
            r"no basic auth credentials",
            r"(?:unauthorized|denied): .+",
            r"(?:unauthorized|denied)",
            r"(?:access forbidden|40[13] (?:unauthorized|forbidden)|insufficient_scope).*",
            *_after(_DENIAL),
        ),
        command="docker pull {image}",
    ),
    Cause(
        "image-certificate", Area.IMAGE, "registry's certificate not accepted",
        "its image cannot be pulled: the registry's certificate is not accepted",
        "The node does not trust the registry's certificate, or the registry does not use TLS." + _RETRY,
        "Give the node the registry's CA under /etc/docker/certs.d, or name the registry in insecure-registries.",
        (r"x509: .+", r"(?:remote error: )?tls: .+", r"http: server gave http response to https client", *_after(_TLS)),
        command="docker pull {image}",
    ),
    Cause(
        "image-platform", Area.IMAGE, "image not for this platform",
        "its image is not built for its node's platform",
        "The registry has the image, but none for the architecture of the node.",
        "Build it for that platform, or keep the service off such nodes with a constraint on node.platform.arch.",
        (
            r"no matching manifest for .+",
            rf"image with reference {_IMAGE} was found but .*platform.*",
            r"image \S+ does not (?:match|provide) the specified platform.*",
            r"no match for platform in manifest.*",
            *_after(r"no match(?:ing manifest)? for .*"),
        ),
        command="docker manifest inspect {image}",
    ),
    Cause(
        "image-not-found", Area.IMAGE, "image not in the registry",
        "its image is not in the registry: {reason}",
        "The registry has no such repository or tag." + _RETRY,
        "Check the name and the tag.",
        (
            rf"manifest for {_IMAGE} not found.*",
            r"manifest unknown.*",
            rf"repository {_IMAGE} not found.*",
            r"name unknown.*",
            *_after(_ABSENT),
        ),
        command="docker pull {image}",
    ),
    Cause(
        "image-name", Area.IMAGE, "image name not valid",
        "the name of its image is not valid: {reason}",
        "The engine does not accept it as an image name.",
        "Correct the name: lower case, one tag, no spaces.",
        (r"invalid reference format.*", r"repository name must be lowercase.*", r"cannot parse .* as (?:an )?image.*"),
    ),
    Cause(
        "image-damaged", Area.IMAGE, "image not unpacked",
        "its image cannot be unpacked on its node: {reason}",
        "The registry has the image, but the node could not store one of its layers.",
        "Check disk space and disk errors on that node, then pull the image there by hand.",
        (
            r"failed to (?:register|extract|unpack|apply|prepare extraction snapshot|mount|commit) (?!local volume).*(?:layer|snapshot|image|/var/lib).*",
            r"(?:filesystem )?layer verification failed.*",
            r"failed commit on ref .+",
            r"unexpected commit digest .+",
            r"content digest \S+: not found",
        ),
        command="docker pull {image}",
        is_fallback=True,
    ),
    Cause(
        "image-unreachable", Area.IMAGE, "image cannot be pulled",
        "its image cannot be pulled: {reason}",
        "The node cannot reach the registry, or the registry fails." + _RETRY,
        "Check name resolution, routes, proxy and firewall from that node to the registry.",
        (
            rf"failed to resolve reference {_IMAGE}: .+",
            rf"failed to pull (?:and unpack )?image {_IMAGE}: .+",
            r"failed to do request: .+",
            r'(?:get|head) "?https?://[^\s"]+"?: .+',
            r"error pulling image configuration: .+",
            r"failed to copy: .+",
            r"error from registry: .+",
            r"received unexpected http status: .+",
        ),
        command="docker pull {image}",
        is_fallback=True,
    ),
)  # fmt: skip
